/* test_journal.c: who has the journal has the one that is there. flock is
 * wrapped, as the moment at which others come between; so is fsync, to see of
 * what it is called. */
#include "cli/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

static char folder[32], path[64];
static bool removes; /* the other run, as we are about to lock its journal */
static bool takes;   /* the other run, as we are about to lock ours */
static int taken;

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

int __wrap_flock(int fd, int how)
{
    if (removes)
        unlink(path);
    removes = false;
    if (takes) {
        taken = open(path, O_RDWR);
        cr_assert_eq(__real_flock(taken, LOCK_EX | LOCK_NB), 0);
    }
    takes = false;
    return __real_flock(fd, how);
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/weft-journal-XXXXXX");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/journal", folder);
}

static void remove_folder(void)
{
    unlink(path);
    cr_assert_eq(rmdir(folder), 0);
}

static ino_t synced[8]; /* each time */
static unsigned syncs;

int __wrap_fsync(int fd);

int __wrap_fsync(int fd)
{
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    synced[syncs++] = st.st_ino;
    return 0;
}

static void assert_synced(unsigned n, const char *name)
{
    struct stat st;
    cr_assert_eq(stat(name, &st), 0);
    cr_assert_eq(synced[n], st.st_ino);
}

/* The file, then its folder: nothing else. */
static void assert_is_settled(void)
{
    cr_assert_eq(syncs, 2);
    assert_synced(0, path);
    assert_synced(1, folder);
}

/* The file, and what the folder that was made lies in. */
static void assert_all_is_synced(struct journal *j)
{
    syncs = 0;
    cr_assert_eq(journal_sync(j), 0);
    cr_assert_eq(syncs, 2);
    assert_synced(0, path);
    assert_synced(1, "/tmp");
    cr_assert_eq(journal_sync(j), 0);
    cr_assert_eq(syncs, 2);
}

static void make_journal(struct journal *j)
{
    struct journal_head head = { .made = 1 };
    journal_init(j, path);
    syncs = 0;
    cr_assert_eq(journal_create(j, &head), 0);
    assert_is_settled();
}

Test(journal, one_that_takes_the_place_of_another_is_on_disk_at_once)
{
    struct journal_head head = { .made = 1 };
    struct journal old, j;
    make_folder();
    make_journal(&old);
    journal_finish(&old);
    journal_init(&j, path);
    cr_assert_eq(journal_open(&j), 0);
    syncs = 0;
    cr_assert_eq(journal_create(&j, &head), 0);
    assert_is_settled();
    journal_finish(&j);
    remove_folder();
}

Test(journal, its_first_sync_is_of_the_folders_that_were_made_too)
{
    struct journal j;
    make_folder();
    make_journal(&j);
    assert_all_is_synced(&j);
    journal_finish(&j);
    remove_folder();
}

Test(journal, who_goes_on_syncs_what_a_killed_run_may_not_have_come_to)
{
    struct journal killed, j;
    struct journal_head head;
    struct buffer text = { 0 };
    make_folder();
    make_journal(&killed);
    journal_finish(&killed);
    journal_init(&j, path);
    cr_assert_eq(journal_open(&j), 0);
    cr_assert_eq(journal_load(&j, &text), 0);
    struct record_reader reader = { .data = (const char *)text.data,
                                    .size = text.size };
    cr_assert_eq(record_read_head(&reader, &head), 0);
    syncs = 0;
    cr_assert_eq(journal_cut(&j, &head, reader.at, reader.chain), 0);
    assert_is_settled();
    assert_all_is_synced(&j);
    record_reader_finish(&reader);
    buffer_free(&text);
    journal_finish(&j);
    remove_folder();
}

Test(journal, one_that_is_removed_while_it_is_opened_is_not_there)
{
    struct journal other, ours;
    make_folder();
    make_journal(&other);
    journal_finish(&other);
    journal_init(&ours, path);
    removes = true;
    cr_assert_eq(journal_open(&ours), -ENOENT);
    journal_finish(&ours);
    remove_folder();
}

Test(journal, one_that_is_removed_while_it_is_created_is_created_again)
{
    struct journal ours;
    struct stat st;
    make_folder();
    removes = true;
    make_journal(&ours);
    cr_assert_eq(fstat(ours.fd, &st), 0);
    cr_assert_eq(st.st_nlink, 1);
    journal_finish(&ours);
    remove_folder();
}

Test(journal, one_that_is_locked_while_it_is_created_is_another_run_s)
{
    struct journal_head head = { 0 };
    struct journal ours;
    make_folder();
    journal_init(&ours, path);
    takes = true;
    cr_assert_eq(journal_create(&ours, &head), -EEXIST);
    close(taken);
    journal_finish(&ours);
    remove_folder();
}

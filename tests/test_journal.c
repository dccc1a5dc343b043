/* test_journal.c: who has the journal has the one that is there. flock is
 * wrapped: it is the moment at which others come between. */
#include "cli/journal.h"

#include <errno.h>
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

int __real_flock(int fd, int how);
int __wrap_flock(int fd, int how);

int __wrap_flock(int fd, int how)
{
    if (removes)
        unlink(path);
    removes = false;
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

static void make_journal(struct journal *j)
{
    struct journal_head head = { 0 };
    journal_init(j, path);
    cr_assert_eq(journal_create(j, &head), 0);
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

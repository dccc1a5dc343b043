/* test_publish.c: a file appears under its name whole, or not at all. */
#include "cli/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/journal.h"
#include "tests/test.h"

/* A folder, and a journal in it. */
struct place {
    char path[32];
    int folder;
    struct journal journal;
};

static void make_place(struct place *p)
{
    struct journal_head head = { 0 };
    char path[64];
    strcpy(p->path, "/tmp/weft-publish-XXXXXX");
    cr_assert(mkdtemp(p->path));
    p->folder = open(p->path, O_RDONLY | O_DIRECTORY);
    cr_assert(p->folder >= 0);
    snprintf(path, sizeof path, "%s/journal", p->path);
    journal_init(&p->journal, path);
    cr_assert_eq(journal_create(&p->journal, &head), 0);
}

static void remove_place(struct place *p)
{
    char command[64];
    journal_finish(&p->journal);
    close(p->folder);
    snprintf(command, sizeof command, "rm -rf %s", p->path);
    cr_assert_eq(system(command), 0);
}

static void begin(struct publish *file, struct place *p, const char *name)
{
    cr_assert_eq(publish_init(file, p->folder, name, &p->journal), 0);
}

static void end(struct publish *file, const char *text)
{
    cr_assert_eq(publish_write(NULL, file, text, strlen(text), true), 0);
    publish_discard(file);
}

static bool holds(struct place *p, const char *name, const char *text)
{
    char found[16] = "";
    int fd = openat(p->folder, name, O_RDONLY);
    ssize_t size = fd < 0 ? -1 : read(fd, found, sizeof found - 1);
    close(fd);
    return size == (ssize_t)strlen(text) && !memcmp(found, text, strlen(text));
}

/* What a run that is killed while it writes leaves. */
static void leave_half(struct place *p, const char *name)
{
    struct publish file;
    begin(&file, p, name);
    cr_assert_eq(publish_write(NULL, &file, "half", 4, false), 0);
    close(file.fd);
}

static size_t notes(struct place *p)
{
    struct buffer text = { 0 };
    size_t lines = 0;
    cr_assert_eq(journal_load(&p->journal, &text), 0);
    for (size_t i = 0; i < text.size; i++)
        lines += text.data[i] == '\n';
    buffer_free(&text);
    return lines - 1; /* but its head */
}

Test(publish, long_names_that_begin_alike_do_not_share_a_temporary)
{
    struct place p;
    struct publish a, b;
    char first[240], second[240];
    memset(first, 'x', sizeof first);
    first[sizeof first - 1] = '\0';
    memcpy(second, first, sizeof first);
    second[sizeof second - 2] = 'y';
    make_place(&p);
    begin(&a, &p, first);
    begin(&b, &p, second);
    cr_assert_eq(publish_write(NULL, &a, "fi", 2, false), 0);
    cr_assert_eq(publish_write(NULL, &b, "seco", 4, false), 0);
    end(&a, "rst");
    end(&b, "nd");
    cr_assert(holds(&p, first, "first"));
    cr_assert(holds(&p, second, "second"));
    remove_place(&p);
}

Test(publish, what_a_killed_run_left_gives_way_whether_it_is_noted_or_not)
{
    struct place p;
    const uint64_t items[] = { 0 };
    make_place(&p);
    for (size_t noted = 0; noted < 2; noted++) {
        struct publish file;
        leave_half(&p, "a");
        begin(&file, &p, "a");
        if (noted)
            file.note =
                (struct publish_note){ "a", 0, items, 1, .sync = false };
        end(&file, "whole");
        cr_assert(holds(&p, "a", "whole"));
        cr_assert_eq(notes(&p), noted);
    }
    remove_place(&p);
}

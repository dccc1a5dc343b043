/* test_beneath.c: folders below a folder, whatever stands in the way. */
#include "cli/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"
#include "tests/times.h"

/* A folder `in` and another one beside it, `out`. */
struct place {
    char path[32];
    int top, root;
    ino_t outside;
};

static ino_t number_of(int fd)
{
    struct stat st;
    cr_assert_eq(fstat(fd, &st), 0);
    return st.st_ino;
}

static ino_t number_at(int folder, const char *path)
{
    struct stat st;
    cr_assert_eq(fstatat(folder, path, &st, 0), 0);
    return st.st_ino;
}

static struct place make_place(void)
{
    struct place p = { .path = "/tmp/weft-beneath-XXXXXX" };
    cr_assert(mkdtemp(p.path));
    p.top = open(p.path, O_RDONLY | O_DIRECTORY);
    cr_assert(p.top >= 0);
    cr_assert_eq(mkdirat(p.top, "in", 0777), 0);
    cr_assert_eq(mkdirat(p.top, "out", 0777), 0);
    p.root = openat(p.top, "in", O_RDONLY | O_DIRECTORY);
    cr_assert(p.root >= 0);
    p.outside = number_at(p.top, "out");
    return p;
}

static void remove_place(struct place *p)
{
    char command[64];
    close(p->root);
    close(p->top);
    snprintf(command, sizeof command, "rm -rf %s", p->path);
    cr_assert_eq(system(command), 0);
}

Test(beneath, folders_are_made_and_opened)
{
    struct place p = make_place();
    int fd = beneath_folder(p.root, "a/.//b/file");
    cr_assert(fd >= 0);
    cr_assert_eq(number_of(fd), number_at(p.top, "in/a/b"));
    close(fd);
    fd = beneath_folder(p.root, "a/b/file");
    cr_assert_eq(number_of(fd), number_at(p.top, "in/a/b"));
    close(fd);
    fd = beneath_folder(p.root, "file");
    cr_assert_eq(number_of(fd), number_of(p.root));
    close(fd);
    remove_place(&p);
}

Test(beneath, a_path_cannot_go_up)
{
    struct place p = make_place();
    cr_assert_eq(beneath_folder(p.root, "../out/file"), -EXDEV);
    cr_assert_eq(beneath_folder(p.root, "a/../../out/file"), -EXDEV);
    int fd = beneath_folder(p.root, "/out/file"); /* it is below */
    cr_assert_eq(number_of(fd), number_at(p.top, "in/out"));
    close(fd);
    remove_place(&p);
}

Test(beneath, a_link_is_not_followed_wherever_it_leads)
{
    struct place p = make_place();
    cr_assert_eq(symlinkat("../out", p.root, "up"), 0);
    cr_assert_eq(symlinkat("/", p.root, "top"), 0);
    cr_assert_eq(symlinkat("nowhere", p.root, "gone"), 0);
    cr_assert_eq(symlinkat(".", p.root, "here"), 0);
    cr_assert_eq(beneath_folder(p.root, "up/file"), -ELOOP);
    cr_assert_eq(beneath_folder(p.root, "top/tmp/file"), -ELOOP);
    cr_assert_eq(beneath_folder(p.root, "gone/file"), -ELOOP);
    cr_assert_eq(beneath_folder(p.root, "here/a/file"), -ELOOP);
    cr_assert_eq(faccessat(p.top, "in/nowhere", F_OK, 0), -1);
    remove_place(&p);
}

Test(beneath, a_file_in_the_way_and_a_name_too_long_are_said)
{
    struct place p = make_place();
    char path[400] = { 0 };
    memset(path, 'x', 300);
    path[300] = '/';
    close(openat(p.root, "file", O_CREAT | O_WRONLY, 0666));
    cr_assert_eq(beneath_folder(p.root, "file/a"), -ENOTDIR);
    cr_assert_eq(beneath_folder(p.root, path), -ENAMETOOLONG);
    remove_place(&p);
}

Test(beneath, a_file_is_found_and_nothing_is_made_nor_followed)
{
    struct place p = make_place();
    int fd = beneath_folder(p.root, "a/b/file");
    close(openat(fd, "file", O_CREAT | O_WRONLY, 0666));
    close(fd);
    close(openat(p.root, "file", O_CREAT | O_WRONLY, 0666));
    cr_assert_eq(symlinkat("file", p.root, "link"), 0);
    cr_assert_eq(symlinkat("a", p.root, "here"), 0);
    cr_assert_eq(beneath_has_file(p.root, "file"), 1);
    cr_assert_eq(beneath_has_file(p.root, "a/.//b/file"), 1);
    const char *const none[] = { "no",   "a/b/no", "no/file",     "file/file",
                                 "link", "a/b",    "here/b/file", "a/b/" };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        cr_assert_eq(beneath_has_file(p.root, none[i]), 0);
    cr_assert_eq(beneath_has_file(p.root, "a/../file"), -EXDEV);
    cr_assert_eq(faccessat(p.root, "no", F_OK, 0), -1);
    remove_place(&p);
}

/* A folder and a link that leads out take turns under one name. */
struct swapper {
    int root;
    atomic_bool done;
    unsigned long swaps;
};

static void *swap(void *swapper)
{
    struct swapper *s = swapper;
    while (!atomic_load(&s->done)) {
        cr_assert_eq(
            renameat2(s->root, "name", s->root, "other", RENAME_EXCHANGE), 0);
        s->swaps++;
    }
    return NULL;
}

Test(beneath, a_link_that_appears_meanwhile_is_not_followed)
{
    struct place p = make_place();
    struct swapper s = { .root = p.root };
    unsigned folders = 0, links = 0;
    pthread_t thread;
    cr_assert_eq(mkdirat(p.root, "name", 0777), 0);
    cr_assert_eq(symlinkat("../out", p.root, "other"), 0);
    cr_assert_eq(pthread_create(&thread, NULL, swap, &s), 0);
    for (int i = 0; i < TIMES(20000, 2000) || !folders || !links; i++) {
        int fd = beneath_folder(p.root, "name/deep/file");
        if (fd < 0) {
            /* The other one came just after the refusal. */
            cr_assert(fd == -ELOOP || fd == -ENOTDIR);
            links++;
            continue;
        }
        folders++;
        close(fd);
    }
    atomic_store(&s.done, true);
    pthread_join(thread, NULL);
    cr_assert_eq(faccessat(p.top, "out/deep", F_OK, 0), -1);
    cr_assert(s.swaps > 0 && p.outside);
    remove_place(&p);
}

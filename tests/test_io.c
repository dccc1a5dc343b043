/* test_io.c: sched/io.c and the ways that it chooses from (nowait.c, ring.c,
 * blocking.c): which one is taken and told, that all of them complete what is
 * started, and that nothing is left when the scheduler ends. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/calls.h"
#include "tests/times.h"

enum { MANY = TIMES(5000, 1500), PIECE = 64 };

static struct call many[MANY];
static char pieces[MANY][PIECE];

ON_EVERY_WAY(io, thousands_at_once_complete_once_each)
{
    struct task_list list = { 0 };
    int fd = open(make_file("file", sizeof pieces), O_RDONLY | O_CLOEXEC);

    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_READ,
                                       .fd = fd,
                                       .data = pieces[i],
                                       .bytes = PIECE,
                                       .offset = (uint64_t)i * PIECE,
                                       .done = over,
                                       .ctx = &many[i] };
        many[i].task.run = start_call;
        store_relaxed(&many[i].times, 0);
        task_list_add(&list, &many[i].task);
    }
    wf_inject(sched, &list);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(wait_for(&many[i]), 0);
        cr_assert_eq(many[i].io.result, PIECE);
        cr_assert(as_made(pieces[i], (size_t)i * PIECE, PIECE));
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
    close(fd);
}

ON_EVERY_WAY(io, thousands_of_files_are_loaded_at_once)
{
    char path[128];

    snprintf(path, sizeof path, "%s", make_file("file", 5000));
    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_LOAD, .path = path };
        start(sched, &many[i]);
    }
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(wait_for(&many[i]), 0);
        cr_assert_eq(many[i].io.bytes, 5000);
        cr_assert(as_made(many[i].io.data, 0, 5000));
        free(many[i].io.data);
    }
}

/* Two workers have at most two rings, with 64 files each; and what waits for a
 * place there holds none. Each file can be opened at once, but not read. */
ON_EVERY_WAY(io, many_loads_need_few_descriptors)
{
    enum { FILES = 400 };
    static char paths[FILES][128];
    struct rlimit before, few;
    struct task_list list = { 0 };

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ 200, before.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        strcpy(paths[i], make_file(name, 100));
        many[i].io = (struct weft_io){
            .op = WEFT_IO_LOAD, .path = paths[i], .done = over, .ctx = &many[i]
        };
        many[i].task.run = start_call;
        store_relaxed(&many[i].times, 0);
        task_list_add(&list, &many[i].task);
    }
    wf_inject(sched, &list);
    int failed = 0;
    for (int i = 0; i < FILES; i++) {
        failed += wait_for(&many[i]) != 0;
        free(many[i].io.data);
    }
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(failed, 0);
}

/* One worker starts an operation and is busy until it has completed: the other
 * one is told. */
static int busy_ends[2];
static _Atomic int was_busy;

static struct task *start_and_be_busy(weft_worker *self, struct task *task)
{
    struct call *c =
        (struct call *)((char *)task - offsetof(struct call, task));
    start_call(self, task);
    cr_assert_eq(write(busy_ends[1], "w", 1), 1);
    while (!load_relaxed(&c->times))
        cpu_pause();
    add_release(&was_busy, 1); /* c is not used any more */
    return NULL;
}

ON_EVERY_WAY_OF_THREADS(io, a_completion_comes_while_a_worker_is_busy)
{
    cr_assert_eq(pipe2(busy_ends, O_CLOEXEC), 0);
    for (int i = 0; i < 20; i++) {
        char byte;
        struct call c = {
            .io = { .op = WEFT_IO_POLL, .fd = busy_ends[0], .flags = POLLIN }
        };
        c.io.done = over;
        c.io.ctx = &c;
        c.task.run = start_and_be_busy;
        store_relaxed(&was_busy, 0);
        wf_ready(sched, NULL, &c.task);
        cr_assert_eq(wait_for(&c), 0);
        while (!load_acquire(&was_busy)) /* c is not used any more */
            usleep(50);
        cr_assert_eq(read(busy_ends[0], &byte, 1), 1);
    }
    close(busy_ends[0]);
    close(busy_ends[1]);
}

/* Reads a file byte by byte in one struct. */
struct chain {
    struct call call;
    unsigned char byte;
    unsigned wrong;
};

static void read_on(weft_worker *self, struct weft_io *io, int rc)
{
    struct chain *chain = io->ctx;

    while (rc == 0 && io->result == 1) {
        chain->wrong += chain->byte != byte_at(io->offset);
        io->offset++;
        rc = weft_io_start(self, io);
    }
    if (rc == WEFT_PENDING)
        return;
    chain->call.rc = rc;
    add_release(&chain->call.times, 1); /* for wait_for */
}

static struct task *read_first(weft_worker *self, struct task *task)
{
    struct call *c =
        (struct call *)((char *)task - offsetof(struct call, task));
    int rc = weft_io_start(self, &c->io);
    if (rc != WEFT_PENDING)
        read_on(self, &c->io, rc);
    return NULL;
}

ON_EVERY_WAY(io, done_may_start_the_next_in_the_same_struct)
{
    struct chain chain = { .call.task.run = read_first };

    chain.call.io = (struct weft_io){ .op = WEFT_IO_READ,
                                      .data = &chain.byte,
                                      .bytes = 1,
                                      .done = read_on,
                                      .ctx = &chain };
    chain.call.io.fd = open(make_file("file", 300), O_RDONLY | O_CLOEXEC);
    wf_ready(sched, NULL, &chain.call.task);
    cr_assert_eq(wait_for(&chain.call), 0);
    cr_assert_eq(chain.call.io.offset, 300);
    cr_assert_eq(chain.wrong, 0);
    close(chain.call.io.fd);
}

static void *write_later(void *arg)
{
    usleep(20000);
    cr_assert_eq(write(*(int *)arg, "w", 1), 1);
    return NULL;
}

static void destroy_while_one_waits(enum weft_io_way way)
{
    pthread_t writer;
    int ends[2];
    struct call c = { .io = { .op = WEFT_IO_POLL, .flags = POLLIN } };
    struct call other = { .io = { .op = WEFT_IO_LOAD, .path = "/proc/stat" } };

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    weft_sched *sched = make_sched(1, way);
    c.io.fd = ends[0];
    start(sched, &c);
    cr_assert_eq(perform(sched, &other), 0); /* c has been started before it */
    pthread_create(&writer, NULL, write_later, &ends[1]);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&c.times), 1);
    pthread_join(writer, NULL);
    free(other.io.data);
    close(ends[0]);
    close(ends[1]);
}

Test(io, destroy_waits_for_what_is_under_way, .timeout = 60)
{
    destroy_while_one_waits(WEFT_IO_AUTO);
    destroy_while_one_waits(WEFT_IO_RING);
    destroy_while_one_waits(WEFT_IO_THREADS);
}

/* The worker that starts a thread is pinned to its core. */
Test(io, blocking_threads_may_run_anywhere, .timeout = 60)
{
    int ends[2], seen = 0;
    cpu_set_t ours, theirs;
    struct call load = { .io = { .op = WEFT_IO_LOAD,
                                 .path = "/proc/self/status" } };
    struct call wait = { .io = { .op = WEFT_IO_POLL, .flags = POLLIN } };

    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    wait.io.fd = ends[0];
    weft_sched *sched = make_sched(2, WEFT_IO_THREADS);
    cr_assert_eq(perform(sched, &load), 0);
    cr_assert_eq(perform(sched, &wait), 0);
    cr_assert_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        if (f) {
            cr_assert(fgets(name, sizeof name, f) != NULL);
            fclose(f);
        }
        if (strcmp(name, "weft/io\n") && strcmp(name, "weft/poll\n"))
            continue;
        cr_assert_eq(sched_getaffinity(atoi(e->d_name), sizeof theirs, &theirs),
                     0);
        cr_assert(CPU_EQUAL(&ours, &theirs));
        seen++;
    }
    closedir(d);
    cr_assert_eq(seen, 2);
    weft_sched_destroy(sched);
    close(ends[0]);
    close(ends[1]);
    free(load.io.data);
}

/* ---- which way, and why -------------------------------------------------- */

struct told {
    char text[1024];
};

static void listen(void *ctx, const char *what, const char *text)
{
    struct told *told = ctx;
    size_t n = strlen(told->text);

    if (!strcmp(what, "I/O") || !strcmp(what, "ring"))
        snprintf(told->text + n, sizeof told->text - n, "%s: %s. ", what, text);
}

static bool tells(weft_sched *sched, const char *part)
{
    struct told told = { "" };
    weft_sched_explain(sched, listen, &told);
    return strstr(told.text, part) != NULL;
}

static bool create_and_tell(enum weft_io_way way, const char *part)
{
    weft_sched *sched = make_sched(1, way);
    bool told = tells(sched, part);
    weft_sched_destroy(sched);
    return told;
}

Test(io, the_way_is_told_with_its_reason)
{
    unsetenv("WEFT_IO");
    cr_assert(create_and_tell(WEFT_IO_AUTO, "at once on the worker"));
    cr_assert(!create_and_tell(WEFT_IO_AUTO, "asked"));
    cr_assert(!create_and_tell(WEFT_IO_RING, "at once"));
    cr_assert(create_and_tell(WEFT_IO_RING, "io_uring"));
    cr_assert(create_and_tell(WEFT_IO_THREADS, "blocking threads"));
    cr_assert(!create_and_tell(WEFT_IO_THREADS, "io_uring"));
    cr_assert(create_and_tell(WEFT_IO_THREADS, "asked for by the program"));
}

Test(io, the_environment_decides_where_the_program_does_not)
{
    setenv("WEFT_IO", "threads", 1);
    cr_assert(create_and_tell(WEFT_IO_AUTO, "blocking threads; WEFT_IO=thr"));
    cr_assert(!create_and_tell(WEFT_IO_RING, "WEFT_IO"));
    setenv("WEFT_IO", "ring", 1);
    cr_assert(create_and_tell(WEFT_IO_AUTO, "WEFT_IO=ring"));
    cr_assert(!create_and_tell(WEFT_IO_AUTO, "at once"));
    setenv("WEFT_IO", "auto", 1);
    cr_assert(create_and_tell(WEFT_IO_AUTO, "at once"));
    setenv("WEFT_IO", "", 1);
    cr_assert(create_and_tell(WEFT_IO_AUTO, "at once"));
    unsetenv("WEFT_IO");
}

Test(io, an_unknown_way_is_a_sentence)
{
    weft_sched *sched = (weft_sched *)&many;
    weft_error why;
    setenv("WEFT_IO", "rings", 1);
    cr_assert_eq(weft_sched_create(&sched, NULL, &why), -EINVAL);
    unsetenv("WEFT_IO");
    cr_assert_eq(sched, (weft_sched *)&many);
    cr_assert(strstr(why.text, "'rings'") != NULL);
    cr_assert(strstr(why.text, "auto, ring or threads") != NULL);
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .io = (enum weft_io_way)7),
                          &why),
        -EINVAL);
    cr_assert(strstr(why.text, "io is 7") != NULL);
}

/* ---- where the system refuses -------------------------------------------- */

#ifdef __x86_64__
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "seccomp's number of this architecture"
#endif

/* From here on all threads of this process get `error` for that call. */
static int refuse(unsigned number, unsigned error)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof code[0], code };

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                   SECCOMP_FILTER_FLAG_TSYNC, &program);
}

/* Loads and waits; 0, or which of its steps went wrong. */
static int use_everything(weft_sched *sched)
{
    int ends[2];
    struct call load = { .io = { .op = WEFT_IO_LOAD } };
    struct call wait = { .io = { .op = WEFT_IO_POLL, .flags = POLLIN } };

    load.io.path = path_of("file");
    if (perform(sched, &load) || load.io.bytes != 10000 ||
        !as_made(load.io.data, 0, 10000))
        return 1;
    free(load.io.data);
    if (pipe2(ends, O_CLOEXEC))
        return 2;
    wait.io.fd = ends[0];
    start(sched, &wait);
    if (write(ends[1], "w", 1) != 1 || wait_for(&wait) ||
        wait.io.result != POLLIN)
        return 3;
    close(ends[0]);
    close(ends[1]);
    return 0;
}

/* In a process of its own, which has loaded nothing yet. */
static int refused_child(unsigned number, unsigned error, const char *part)
{
    weft_sched *sched = NULL;
    weft_error why;

    if (refuse(number, error))
        return 10;
    if (weft_sched_create(&sched, weft_config(sched, .workers = 2), &why))
        return 11;
    int rc = use_everything(sched);
    if (!rc && !tells(sched, part))
        rc = 12;
    weft_sched_destroy(sched);
    return rc;
}

/* A pipe that is full, so that a write to it stays under way: else a part of it
 * would be done, and the rest may not have been begun yet. */
static bool make_full(int full[2])
{
    static char much[1 << 20];

    if (pipe2(full, O_CLOEXEC))
        return false;
    int room = fcntl(full[1], F_GETPIPE_SZ);
    return room > 0 && room <= (int)sizeof much &&
           write(full[1], much, (size_t)room) == room;
}

static _Atomic uint32_t begun;

static struct task *begin(weft_worker *self, struct task *task)
{
    start_call(self, task);
    add_release(&begun, 1); /* for who waits for both */
    return NULL;
}

/* Something of each kind is under way when the kernel begins to refuse: a poll,
 * which is asked again, and a write, of which nobody knows. */
static int lose_the_ring(unsigned number, unsigned error, const char *part)
{
    int ends[2], full[2];
    static char more[4096];
    struct call wait = { .io = { .op = WEFT_IO_POLL, .flags = POLLIN } };
    struct call fill = {
        .io = { .op = WEFT_IO_WRITE, .data = more, .bytes = sizeof more }
    };
    weft_sched *sched = make_sched(2, WEFT_IO_RING);

    if (pipe2(ends, O_CLOEXEC) || !make_full(full))
        return 13;
    wait.io.fd = ends[0];
    fill.io.fd = full[1];
    start_by(sched, &wait, begin);
    start_by(sched, &fill, begin);
    while (load_acquire(&begun) < 2) /* what begin() did */
        usleep(50);
    if (use_everything(sched) || tells(sched, "given up"))
        return 14; /* and these came after the two */
    if (refuse(number, error))
        return 10;
    int rc = use_everything(sched);
    if (!rc && (write(ends[1], "w", 1) != 1 || wait_for(&wait) ||
                wait.io.result != POLLIN))
        rc = 15;
    if (!rc && wait_for(&fill) != -EIO)
        rc = 16;
    if (!rc && !(tells(sched, part) && tells(sched, "ring: given up") &&
                 tells(sched, "1 operation under way ended with EIO")))
        rc = 17;
    weft_sched_destroy(sched);
    return rc;
}

static void check_refusal(unsigned number, unsigned error, const char *part,
                          int (*child_of)(unsigned, unsigned, const char *))
{
    char command[96];
    int status;

    unsetenv("WEFT_IO");
    strcpy(folder, "/tmp/weft-calls-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    make_file("file", 10000);
    pid_t child = fork();
    if (child == 0)
        _exit(child_of(number, error, part));
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    if (WEXITSTATUS(status))
        fprintf(stderr, "the child ended with %d\n", WEXITSTATUS(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

static void is_refused(unsigned number, unsigned error, const char *part)
{
    check_refusal(number, error, part, refused_child);
}

Test(io, a_refused_ring_is_replaced_by_threads, .timeout = 60)
{
    is_refused(SYS_io_uring_setup, EPERM, "blocking threads: io_uring");
    is_refused(SYS_io_uring_setup, ENOSYS, "blocking threads: io_uring");
    is_refused(SYS_io_uring_setup, ENOMEM, "blocking threads: io_uring");
    is_refused(SYS_io_uring_enter, EPERM, "blocking threads: io_uring");
}

Test(io, a_ring_that_is_refused_later_is_replaced_by_threads, .timeout = 60)
{
    static const unsigned errors[] = { EPERM, ENOSYS, EIO, EAGAIN };

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++)
        check_refusal(SYS_io_uring_enter, errors[i],
                      "blocking threads: ", lose_the_ring);
}

/* As in a container that is older than these calls. */
Test(io, what_cannot_be_done_at_once_is_done_all_the_same, .timeout = 60)
{
    is_refused(SYS_openat2, EPERM, "at once");
    is_refused(SYS_openat2, ENOSYS, "at once");
    is_refused(SYS_preadv2, EPERM, "at once");
    is_refused(SYS_preadv2, ENOSYS, "at once");
}

/* child.c: a child process with its input and output in memory.
 *
 * The child starts with no signal blocked or ignored, whatever is so here: the
 * command blocks the signals that it waits for, and ignores SIGPIPE.
 *
 * It is killed when the thread that has started it ends, which the kernel means
 * by a parent: that is a worker, which outlives its children unless weft is
 * killed. Programs that gain rights, and what a child has itself started, do
 * not end with it. */
#include "cli/ops/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/full.h"
#include "cli/sandbox.h"

static bool is_program(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

/* Where it is, to be freed; or NULL, and errno says why. */
static char *find_in_path(const char *program)
{
    const char *path = getenv("PATH");
    for (path = path ? path : "/bin:/usr/bin";; path++) {
        size_t length = strcspn(path, ":");
        char *file = NULL;
        if (asprintf(&file, "%.*s/%s", (int)length, length ? path : ".",
                     program) < 0) {
            errno = ENOMEM;
            return NULL;
        }
        if (is_program(file))
            return file;
        free(file);
        path += length;
        if (!*path) {
            errno = ENOENT;
            return NULL;
        }
    }
}

bool child_can_run(const char *program)
{
    if (strchr(program, '/'))
        return is_program(program);
    char *found = find_in_path(program);
    bool can = found || errno == ENOMEM; /* then starting it will tell */
    free(found);
    return can;
}

/* A descriptor to read `input` from its beginning, or nothing. */
static int open_input(const struct buffer *input)
{
    int fd = input ? memfd_create("stdin", MFD_CLOEXEC)
                   : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = input ? full_pwrite(fd, input->data, input->size, 0) : 0;
    if (!rc)
        return fd;
    close(fd);
    return rc;
}

/* What a child needs to know to begin. */
struct beginning {
    const char *program;
    char **argv;
    int from[3]; /* the standard streams */
    int sandbox; /* or -1 */
    pid_t parent;
    volatile int error; /* why it could not */
};

static void reset_signals(void)
{
    const struct sigaction usual = { .sa_handler = SIG_DFL };
    sigset_t none;
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &usual, NULL); /* some cannot be changed */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In the child, which has the parent's memory until it is another program, and
 * no signals: nothing here takes a lock or allocates. */
static int become(const struct beginning *b)
{
    if (setpgid(0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL))
        return -errno;
    if (getppid() != b->parent) /* it ended before we asked */
        return -ESRCH;
    int rc = b->sandbox < 0 ? 0 : sandbox_enter(b->sandbox);
    if (rc)
        return rc;
    for (int i = 0; i < 3; i++)
        if (dup2(b->from[i], i) < 0)
            return -errno;
    reset_signals();
    execv(b->program, b->argv);
    return -errno;
}

/* By vfork, as posix_spawn does it; that can neither enter a sandbox nor ask
 * for a signal when its parent ends. This thread goes on when the child is the
 * program, or has ended. */
static int vfork_here(pid_t *pid, struct beginning *b)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    *pid = vfork();
    if (*pid == 0) {
        b->error = become(b);
        _exit(EXIT_FAILURE);
    }
    int rc = *pid < 0 ? -errno : b->error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

static int spawn(struct child *child, char **argv, int in, int sandbox)
{
    char *found = strchr(argv[0], '/') ? NULL : find_in_path(argv[0]);
    struct beginning b = { .program = found ? found : argv[0],
                           .argv = argv,
                           .from = { in, child->out, child->err },
                           .sandbox = sandbox,
                           .parent = getpid() };
    pid_t pid = -1;
    if (!found && !strchr(argv[0], '/'))
        return -errno;
    int rc = vfork_here(&pid, &b);
    if (rc && pid > 0)
        reap(pid);
    free(found);
    child->pid = pid;
    return rc;
}

/* It runs. Where it cannot be watched it must not go on. */
static int watch(struct child *child)
{
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd >= 0)
        return 0;
    int rc = -errno;
    child_kill(child);
    reap(child->pid);
    return rc;
}

int child_start(struct child *child, char **argv, const struct buffer *input,
                int sandbox)
{
    *child = (struct child){ -1, -1, -1, -1 };
    int rc = 0, in = open_input(input);
    if (in < 0)
        return in;
    child->out = memfd_create("stdout", MFD_CLOEXEC);
    child->err = child->out < 0 ? -1 : memfd_create("stderr", MFD_CLOEXEC);
    if (child->err < 0)
        rc = -errno;
    if (!rc)
        rc = spawn(child, argv, in, sandbox);
    if (!rc)
        rc = watch(child);
    close(in);
    if (rc)
        child_close(child);
    return rc;
}

void child_kill(const struct child *child) { kill(-child->pid, SIGKILL); }

/* ": " and the first line of stderr, or nothing. */
static void first_line(const struct child *child, char *out, size_t size)
{
    ssize_t n = pread(child->err, out + 2, size - 3, 0);
    if (size < 4 || n <= 0) {
        *out = '\0';
        return;
    }
    memcpy(out, ": ", 2);
    out[2 + n] = '\0';
    out[2 + strcspn(out + 2, "\r\n")] = '\0';
}

int child_wait(const struct child *child, char *why, size_t size)
{
    siginfo_t end = { 0 };
    const char *name;
    char said[160];
    while (waitid(P_PIDFD, (id_t)child->pidfd, &end, WEXITED))
        if (errno != EINTR) {
            snprintf(why, size, "its end is not known: %s", strerror(errno));
            return -errno;
        }
    if (end.si_code == CLD_EXITED && end.si_status == 0)
        return 0;
    first_line(child, said, sizeof said);
    name = sigdescr_np(end.si_status);
    if (end.si_code == CLD_EXITED)
        snprintf(why, size, "exit status %d%s", end.si_status, said);
    else
        snprintf(why, size, "killed by signal %d (%s)%s", end.si_status,
                 name ? name : "unknown", said);
    return -ECHILD;
}

uint64_t child_written(const struct child *child)
{
    struct stat out = { 0 }, err = { 0 };
    fstat(child->out, &out);
    fstat(child->err, &err);
    return (uint64_t)(out.st_size > err.st_size ? out.st_size : err.st_size);
}

int child_output(const struct child *child, struct buffer *out)
{
    struct stat st;
    if (fstat(child->out, &st))
        return -errno;
    int rc = buffer_reserve(out, (size_t)st.st_size);
    if (rc)
        return rc;
    out->size = 0;
    while (out->size < (size_t)st.st_size) {
        ssize_t n = pread(child->out, out->data + out->size,
                          (size_t)st.st_size - out->size, (off_t)out->size);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            return -errno;
        out->size += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

void child_close(struct child *child)
{
    const int fds[] = { child->pidfd, child->out, child->err };
    for (int i = 0; i < 3; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *child = (struct child){ -1, -1, -1, -1 };
}

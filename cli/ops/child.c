/* child.c: a child process with its input and output in memory.
 *
 * The child starts with no signal blocked or ignored, whatever is so here: the
 * command blocks the signals that it waits for, and ignores SIGPIPE. */
#include "cli/ops/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/sandbox.h"

extern char **environ;

static bool is_program(const char *path)
{
    struct stat st;
    return !stat(path, &st) && S_ISREG(st.st_mode) && !access(path, X_OK);
}

bool child_can_run(const char *program)
{
    const char *path = getenv("PATH");
    char *file = NULL;
    bool found = false;
    if (strchr(program, '/'))
        return is_program(program);
    for (path = path ? path : "/bin:/usr/bin"; !found; path++) {
        size_t length = strcspn(path, ":");
        if (asprintf(&file, "%.*s/%s", (int)length, length ? path : ".",
                     program) < 0)
            return true; /* starting it will tell */
        found = is_program(file);
        free(file);
        path += length;
        if (!*path)
            break;
    }
    return found;
}

static int write_all(int fd, const struct buffer *from)
{
    for (size_t at = 0; at < from->size;) {
        ssize_t n = pwrite(fd, from->data + at, from->size - at, (off_t)at);
        if (n < 0 && errno != EINTR)
            return -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

/* A descriptor to read `input` from its beginning, or nothing. */
static int open_input(const struct buffer *input)
{
    int fd = input ? memfd_create("stdin", MFD_CLOEXEC)
                   : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = input ? write_all(fd, input) : 0;
    if (!rc)
        return fd;
    close(fd);
    return rc;
}

static int spawn_here(struct child *child, char **argv, int in)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawn_file_actions_init(&files);
    if (rc)
        return -rc;
    rc = posix_spawnattr_init(&how);
    if (rc) {
        posix_spawn_file_actions_destroy(&files);
        return -rc;
    }
    const int from[3] = { in, child->out, child->err };
    for (int i = 0; !rc && i < 3; i++)
        rc = posix_spawn_file_actions_adddup2(&files, from[i], i);
    if (!rc) {
        posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP |
                                           POSIX_SPAWN_SETSIGMASK |
                                           POSIX_SPAWN_SETSIGDEF);
        posix_spawnattr_setpgroup(&how, 0);
        posix_spawnattr_setsigmask(&how, &none);
        posix_spawnattr_setsigdefault(&how, &all);
        rc = posix_spawnp(&child->pid, argv[0], &files, &how, argv, environ);
    }
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    return -rc;
}

struct spawning {
    struct child *child;
    char **argv;
    int in, sandbox, rc;
};

static void *spawn_there(void *spawning)
{
    struct spawning *s = spawning;
    s->rc = sandbox_enter(s->sandbox);
    if (!s->rc)
        s->rc = spawn_here(s->child, s->argv, s->in);
    return NULL;
}

/* Who enters a sandbox never leaves it: that is a thread of its own, which
 * starts this child and ends. */
static int spawn(struct child *child, char **argv, int in, int sandbox)
{
    struct spawning s = { child, argv, in, sandbox, 0 };
    pthread_t thread;
    if (sandbox < 0)
        return spawn_here(child, argv, in);
    int rc = pthread_create(&thread, NULL, spawn_there, &s);
    if (rc)
        return -rc;
    pthread_join(thread, NULL);
    return s.rc;
}

/* It runs. Where it cannot be watched it must not go on. */
static int watch(struct child *child)
{
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
    if (child->pidfd >= 0)
        return 0;
    int rc = -errno;
    child_kill(child);
    while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
        ;
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

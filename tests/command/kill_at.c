/* kill_at.c: kills a program before its Nth system call that changes a file.
 *
 *     kill_at N COMMAND [ARGUMENT...]
 *
 * All its threads are counted together, so that every N from 1 on is another
 * moment, until the program ends by itself. Then the exit status is its own;
 * else it is 137 and the call is named on standard error. With N 0 it is only
 * counted: the number of calls goes to standard error. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 137, FAILED = 126 };

/* Where the flags of an open are, counted from 1; 0: they do not matter. */
static const struct call {
    unsigned long long number;
    const char *name;
    unsigned flags;
} calls[] = {
    { SYS_openat, "openat", 3 },
    { SYS_write, "write", 0 },
    { SYS_writev, "writev", 0 },
    { SYS_pwrite64, "pwrite64", 0 },
    { SYS_pwritev, "pwritev", 0 },
    { SYS_pwritev2, "pwritev2", 0 },
    { SYS_copy_file_range, "copy_file_range", 0 },
    { SYS_ftruncate, "ftruncate", 0 },
    { SYS_fsync, "fsync", 0 },
    { SYS_fdatasync, "fdatasync", 0 },
    { SYS_renameat, "renameat", 0 },
    { SYS_renameat2, "renameat2", 0 },
    { SYS_linkat, "linkat", 0 },
    { SYS_unlinkat, "unlinkat", 0 },
    { SYS_mkdirat, "mkdirat", 0 },
#ifdef SYS_mkdir /* old ones, which new machines do not have */
    { SYS_mkdir, "mkdir", 0 },
    { SYS_rename, "rename", 0 },
    { SYS_unlink, "unlink", 0 },
#endif
    { SYS_io_uring_enter, "io_uring_enter", 0 },
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
    exit(FAILED);
}

/* What is opened to be read changes nothing. A file in /sys or /dev is not
 * created. */
static const struct call *find(const struct __ptrace_syscall_info *info)
{
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const struct call *call = &calls[i];
        if (call->number != info->entry.nr)
            continue;
        unsigned at = call->flags;
        return !at || info->entry.args[at - 1] & O_CREAT ? call : NULL;
    }
    return NULL;
}

/* The call that a thread stands before, if it is one of them. */
static const struct call *call_of(pid_t thread)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return NULL;
    return find(&info);
}

static pid_t start(char **argv)
{
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        raise(SIGSTOP); /* until we are ready */
        execvp(argv[0], argv);
        fail(argv[0]);
    }
    int status;
    const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE |
                         PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (waitpid(child, &status, WUNTRACED) < 0 ||
        ptrace(PTRACE_SEIZE, child, 0, options))
        fail("ptrace");
    kill(child, SIGCONT);
    return child;
}

/* Lets a thread run to its next stop. */
static void let_go(pid_t thread, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;
    bool ours = event || signal == (SIGTRAP | 0x80);
    if (event == PTRACE_EVENT_STOP && signal != SIGTRAP)
        ptrace(PTRACE_LISTEN, thread, 0, 0); /* it is stopped, and stays so */
    else
        ptrace(PTRACE_SYSCALL, thread, 0, ours ? 0 : signal);
}

/* It has ended when all its threads have; what it has started ends with us. */
static int end(pid_t child, const char *name, unsigned long count)
{
    pid_t thread;
    int status;
    fprintf(stderr, "kill_at: before call %lu, %s\n", count, name);
    kill(child, SIGKILL);
    while ((thread = waitpid(-1, &status, __WALL)) > 0)
        if (thread == child && !WIFSTOPPED(status))
            break;
    return KILLED;
}

int main(int argc, char **argv)
{
    unsigned long at = argc > 2 ? strtoul(argv[1], NULL, 10) : 0, count = 0;
    if (argc < 3) {
        fputs("usage: kill_at N COMMAND [ARGUMENT...]\n", stderr);
        return FAILED;
    }
    pid_t child = start(argv + 2), thread;
    int status;
    while ((thread = waitpid(-1, &status, __WALL)) > 0) {
        if (thread == child && !WIFSTOPPED(status)) {
            if (at == 0)
                fprintf(stderr, "kill_at: %lu calls\n", count);
            return WIFEXITED(status) ? WEXITSTATUS(status)
                                     : 128 + WTERMSIG(status);
        }
        if (!WIFSTOPPED(status))
            continue;
        bool call = WSTOPSIG(status) == (SIGTRAP | 0x80);
        const struct call *found = call ? call_of(thread) : NULL;
        if (found && ++count == at)
            return end(child, found->name, count);
        let_go(thread, status);
    }
    fail("waitpid");
}

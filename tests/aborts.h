/* aborts.h: what a mistake in the program comes to. It is tried in a process of
 * its own, which has only the thread that calls. */
#ifndef WEFT_TESTS_ABORTS_H
#define WEFT_TESTS_ABORTS_H
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* Whether fn aborts, and says "weft: " and the sentence on stderr, and no more.
 */
static inline bool aborts(bool (*fn)(void), const char *sentence)
{
    char said[1024] = "", expected[1024];
    int ends[2], status;
    size_t length = 0;

    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (!child) {
        const struct rlimit no_core = { 0 };
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGABRT, SIG_DFL); /* it may be the test runner's */
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n; length < sizeof said - 1; length += (size_t)n) {
        n = read(ends[0], said + length, sizeof said - 1 - length);
        if (n <= 0)
            break;
    }
    close(ends[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    snprintf(expected, sizeof expected, "weft: %s\n", sentence);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT &&
           !strcmp(said, expected);
}

/* Whether fn is treated as a mistake: in a debug build it aborts, and in a
 * release build it returns, and says whether what it saw is as documented. */
static inline bool is_misuse(bool (*fn)(void), const char *sentence)
{
#ifdef NDEBUG
    return fn();
#else
    return aborts(fn, sentence);
#endif
}
#endif

/* weave.h: runs a small concurrent test under many, or all, interleavings and
 * weak-memory outcomes, in one OS thread, each of which can be repeated. What
 * it models and what it cannot see is in README.md.
 *
 * The code under test, the project's own files, is compiled as it is, with the
 * compiler's instrumentation for ThreadSanitizer; in place of that library,
 * weave is what the instrumentation calls. So it sees each atomic operation
 * with its order and each plain access. */
#ifndef WEFT_TESTS_WEAVE_H
#define WEFT_TESTS_WEAVE_H
#include <stdbool.h>

enum { WEAVE_THREADS = 7 };

struct weave_test {
    const char *name; /* a claim */
    /* Before the threads; NULL: what is static is as the program began with. */
    void (*setup)(void);
    void (*threads[WEAVE_THREADS + 1])(void); /* up to a NULL */
    /* After all of them, whose effects it sees. */
    void (*check)(void);
    /* The bounds in which `--all` leaves nothing out: how often a thread is
     * interrupted though it could go on, and how many loads return what is not
     * the latest value. */
    unsigned interruptions, stale;
    /* The limit of what --all tries by default; 0: none. */
    unsigned long most;
};

/* The end is a test without a name. Gives the exit status of the program. */
int weave_main(const struct weave_test *tests, int argc, char **argv);

/* Ends the execution as a failure. */
void weave_fail(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

#define WEAVE_TEXT_(x) #x
#define WEAVE_TEXT(x)  WEAVE_TEXT_(x)
#define weave_assert(condition)                                                \
    do {                                                                       \
        if (!(condition))                                                      \
            weave_fail("%s, in %s, line %s", #condition, __FILE__,             \
                       WEAVE_TEXT(__LINE__));                                  \
    } while (0)

/* In a loop that waits for another thread, which then has a turn. */
void weave_yield(void);

/* All other threads execute a full barrier: membarrier(2). */
void weave_barrier_of_all(void);
#endif

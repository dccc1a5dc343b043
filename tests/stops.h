/* stops.h: this process is stopped, for a time. */
#ifndef WEFT_TESTS_STOPS_H
#define WEFT_TESTS_STOPS_H
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

/* Returns when it is over; meanwhile no thread runs. */
static inline void stop_for(unsigned ms)
{
    pid_t other = fork();

    cr_assert(other >= 0);
    if (!other) {
        usleep(ms * 1000);
        kill(getppid(), SIGCONT);
        _exit(0);
    }
    kill(getpid(), SIGSTOP);
    waitpid(other, NULL, 0); /* Criterion may have done that */
}
#endif

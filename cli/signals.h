/* signals.h: what the user's signals mean while a job runs.
 *
 *     SIGINT             drain: finish what is in flight; a second one aborts
 *     SIGTERM, SIGHUP    drain; more of them mean nothing more
 *     SIGTSTP            stop, as ^Z should, with the terminal in order
 *     SIGQUIT            as always, with the terminal in order
 *
 * A signal that was ignored when the process started stays ignored. */
#ifndef WEFT_CLI_SIGNALS_H
#define WEFT_CLI_SIGNALS_H
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

/* Called on a thread of their own. */
struct signal_actions {
    void (*drain)(void *ctx);
    void (*abort)(void *ctx);
    /* From one to the other nobody of us writes to it. */
    void (*leave_terminal)(void *ctx);
    void (*return_to_terminal)(void *ctx);
    void *ctx;
};

struct signals {
    struct signal_actions actions;
    sigset_t set;
    pthread_t thread;
    atomic_int first; /* SIGINT or SIGTERM, what came first; 0: none yet */
    atomic_uint interrupts;
    atomic_bool over;
};

/* Before any other thread exists: they inherit that signals are blocked. 0 or a
 * negative errno. */
int signals_start(struct signals *s, const struct signal_actions *actions);

/* Ends the thread. The signals stay blocked: the process is about to exit, and
 * how it ended is decided. */
void signals_stop(struct signals *s);

/* The signal that asked for the end, or 0; SIGHUP counts as SIGTERM. */
int signals_first(struct signals *s);
#endif

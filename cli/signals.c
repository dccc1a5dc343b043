/* signals.c: what the user's signals mean while a job runs.
 *
 * The signals are blocked everywhere and taken one by one by a thread that
 * waits for them: so what they do is ordinary code, which may lock, print and
 * call the library. */
#include "cli/signals.h"

#include <stdbool.h>
#include <stddef.h>

static bool is_ignored(int signal)
{
    struct sigaction action;
    return sigaction(signal, NULL, &action) == 0 &&
           action.sa_handler == SIG_IGN;
}

/* The default action, which needs the signal unblocked in one thread. */
static void deliver(int signal)
{
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    raise(signal);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL); /* delivered here */
    pthread_sigmask(SIG_BLOCK, &one, NULL);
}

static void drain(struct signals *s, int signal)
{
    int none = 0;
    atomic_compare_exchange_strong(&s->first, &none, signal);
    s->actions.drain(s->actions.ctx);
}

static void take(struct signals *s, int signal)
{
    switch (signal) {
    case SIGINT:
        if (atomic_fetch_add(&s->interrupts, 1) == 0)
            drain(s, SIGINT);
        else
            s->actions.abort(s->actions.ctx);
        break;
    case SIGTERM:
    case SIGHUP:
        drain(s, SIGTERM);
        break;
    case SIGTSTP:
    case SIGQUIT:
        s->actions.leave_terminal(s->actions.ctx);
        deliver(signal);
        s->actions.return_to_terminal(s->actions.ctx);
        break;
    case SIGCONT: /* others have used the terminal meanwhile */
        s->actions.leave_terminal(s->actions.ctx);
        s->actions.return_to_terminal(s->actions.ctx);
        break;
    }
}

static void *wait_for_signals(void *s_)
{
    struct signals *s = s_;
    int signal;

    while (sigwait(&s->set, &signal) == 0 && !atomic_load(&s->over))
        take(s, signal);
    return NULL;
}

int signals_start(struct signals *s, const struct signal_actions *actions)
{
    static const int wanted[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
    sigset_t before;

    s->actions = *actions;
    atomic_init(&s->first, 0);
    atomic_init(&s->interrupts, 0);
    atomic_init(&s->over, false);
    sigemptyset(&s->set);
    sigaddset(&s->set, SIGCONT);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (!is_ignored(wanted[i]))
            sigaddset(&s->set, wanted[i]);

    /* A reader that went away, a file that grew too large: errors of a write.
     */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);

    pthread_sigmask(SIG_BLOCK, &s->set, &before);
    int rc = pthread_create(&s->thread, NULL, wait_for_signals, s);
    if (rc)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* SIGCONT: always in the set, and to a process that runs it means nothing. */
void signals_stop(struct signals *s)
{
    atomic_store(&s->over, true);
    pthread_kill(s->thread, SIGCONT);
    pthread_join(s->thread, NULL);
}

int signals_first(struct signals *s) { return atomic_load(&s->first); }

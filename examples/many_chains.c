/* many_chains.c: a thousand chains of three pauses, all in flight at once, on
 * one worker. Together they take about as long as one: who pauses is in a list
 * of timers, and neither a worker nor a thread of its own waits for it.
 *
 * The pauses stand for what a program really waits for: a server, a child
 * process, a card. */
#include <stdio.h>
#include <time.h>
#include <weft/weft.h>

enum { CHAINS = 1000, STEPS = 3, PAUSE_MS = 1 };

/* One step of a chain: it is over when the pause is. */
static int begin_pause(weft_worker *self, int result, void *steps)
{
    weft_future *pause;
    int rc = weft_after_ns(weft_worker_sched(self), PAUSE_MS * 1000000u, &pause,
                           NULL);

    if (rc)
        return rc;
    ++*(unsigned *)steps;
    return weft_end_as(self, pause);
}

static int begin_chain(weft_worker *self, void *steps)
{
    return begin_pause(self, 0, steps);
}

/* The handle of the last step is there before the first one has begun. */
static int start_chain(weft_sched *sched, unsigned *steps, weft_future **last,
                       weft_error *why)
{
    int rc = weft_submit(sched, begin_chain, steps, last, why);

    for (int i = 1; !rc && i < STEPS; i++) {
        weft_future *before = *last;
        rc = weft_then(before,
                       weft_config(then, .fn = begin_pause, .ctx = steps), last,
                       why);
        if (!rc)
            weft_future_destroy(before);
    }
    return rc;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(void)
{
    static weft_future *chains[CHAINS];
    static unsigned steps[CHAINS];
    unsigned started = 0, ended = 0;
    weft_sched *sched = NULL;
    weft_error why;

    int rc = weft_sched_create(&sched, weft_config(sched, .workers = 1), &why);
    double start = now_ms();
    for (; !rc && started < CHAINS; started += !rc)
        rc = start_chain(sched, &steps[started], &chains[started], &why);
    if (!rc)
        rc = weft_wait_all(chains, CHAINS, -1, &why);
    double took = now_ms() - start;

    for (int i = 0; i < CHAINS; i++) {
        ended += steps[i] == STEPS;
        weft_future_destroy(chains[i]);
    }
    if (rc)
        fprintf(stderr, "many_chains: %s\n", why.text);
    else
        printf("%u chains ended, after pauses of %d ms in all\n"
               "it took %.0f ms\n",
               ended, CHAINS * STEPS * PAUSE_MS, took);
    weft_sched_destroy(sched);
    return rc != 0 || fflush(stdout);
}

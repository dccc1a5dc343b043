/* test_stop.c: graph/prun.c: a run is stopped, from any thread, at any instant,
 * whatever is in it. */
#include <pthread.h>
#include <sched.h>

#include "tests/entries.h"
#include "tests/world.h"

enum { STOPS = TIMES(900, 180), ALL_STOPS = 10000, SLOTS = 8 };

/* How a run comes to its end. */
enum way {
    CANCEL,
    DRAIN,
    DEADLINE,      /* of the run */
    STARVE,        /* its consumer takes no more, and cancels */
    FAIL,          /* too many items do */
    CANCEL_INSIDE, /* from a callback */
    DRAIN_CANCEL,  /* both, one after the other */
    CANCEL_CANCEL, /* both at the same time */
    ENDS_BY_ITSELF,
    WAYS
};

struct stop {
    struct world *w;
    struct weft_run *run;
    enum way way;
    uint64_t delay;        /* of whoever stops it */
    _Atomic unsigned told; /* on_end was called */
    _Atomic int result;
    uint64_t fed;
};

static void pass_time(uint64_t delay)
{
    for (volatile uint64_t i = 0; i < delay; i++)
        ;
}

static void *stop_it(void *ctx)
{
    struct stop *s = ctx;

    pass_time(s->delay);
    if (s->way == DRAIN || s->way == DRAIN_CANCEL)
        weft_drain(s->run);
    if (s->way == DRAIN_CANCEL)
        pass_time(s->delay);
    if (s->way == CANCEL || s->way == CANCEL_CANCEL || s->way == DRAIN_CANCEL)
        weft_cancel(s->run);
    return NULL;
}

/* Feeds until it is told that there is an end. Every third slot is given back,
 * and two are reserved at a time. */
static void *feed_all(void *ctx)
{
    struct stop *s = ctx;
    struct world *w = s->w;
    void *item[2];
    int rc = 0;

    for (uint64_t value = 0; value < w->end && !rc; value += 2) {
        unsigned n = 0;
        while (n < 2 && !(rc = weft_reserve(s->run, "hand", &item[n],
                                            value % 3 ? -1 : 1000, NULL)))
            n++;
        for (unsigned i = 0; i < n; i++) {
            if ((value + i) % 3 == 0) {
                weft_unreserve(item[i]);
                continue;
            }
            fill(w, item[i], value + i);
            weft_feed(item[i]);
            s->fed++;
        }
        if (!rc && value % 8 == 0)
            rc = weft_feed_epoch(s->run, "hand", -1, NULL);
    }
    cr_assert(!rc || rc == -EPIPE || rc == -ECANCELED);
    cr_assert_eq(weft_feed_end(s->run, "hand", NULL), 0);
    return NULL;
}

static void ended(struct weft_run *run, int result, void *ctx)
{
    struct stop *s = ctx;
    store_relaxed(&s->result, result);
    add_release(&s->told, 1); /* after the result */
}

/* Takes until the end, and holds an item until the next one comes, if that does
 * not wait for the bytes of the first. Where nobody else will stop the run, it
 * does so after so many items, or when nothing comes for a while. */
static void consume(struct stop *s)
{
    const int timeout[] = { -1, 5, 1 };
    bool stops = s->way == STARVE || s->way == CANCEL_INSIDE;
    uint64_t most = s->way == STARVE ? s->delay % 8 : UINT64_MAX;
    void *item, *held = NULL;
    int rc = 1;

    while (most &&
           (rc = weft_next(s->run, &item, timeout[held ? 2 : stops], NULL))) {
        if (!held && rc == -ETIMEDOUT)
            break;
        if (held)
            weft_release(held);
        held = rc == 1 ? item : NULL;
        most -= rc == 1;
    }
    if (rc && stops) {
        pass_time(s->delay);
        weft_cancel(s->run);
    }
    if (held)
        weft_release(held);
}

static int expected(enum way way, int result)
{
    switch (way) {
    case CANCEL:
    case CANCEL_INSIDE:
    case DRAIN_CANCEL:
    case CANCEL_CANCEL:
    case STARVE:
        return result == 0 || result == -ECANCELED;
    case DEADLINE:
        return result == 0 || result == -ETIMEDOUT;
    case FAIL:
        return result == 0 || result == -EIO;
    default:
        return result == 0;
    }
}

/* The run is known to whatever it calls. */
static void cancel_inside(struct world *w)
{
    struct stop *s = w->ctx;
    if (add_relaxed(&w->visits, 1) == s->delay)
        weft_cancel(s->run);
}

/* One run that is stopped at a time of its own. */
static void stop_once(struct stop s, weft_sched *sched, const weft_plan *plan)
{
    pthread_t stopper[2], feeder;
    unsigned stoppers = s.way == CANCEL_CANCEL ? 2 : 1;

    world_again(s.w);
    s.w->visit = s.way == CANCEL_INSIDE ? cancel_inside : NULL;
    s.w->ctx = &s;
    if (s.way == CANCEL_INSIDE)
        s.delay %= 500;
    cr_assert_eq(weft_start_with(&s.run, sched, plan,
                                 weft_config(run, .on_end = ended, .ctx = &s,
                                             .deadline_ms = s.way == DEADLINE),
                                 NULL),
                 0);
    for (unsigned i = 0; i < stoppers; i++)
        pthread_create(&stopper[i], NULL, stop_it, &s);
    pthread_create(&feeder, NULL, feed_all, &s);
    consume(&s);
    for (unsigned i = 0; i < stoppers; i++)
        pthread_join(stopper[i], NULL);
    pthread_join(feeder, NULL);
    int rc = weft_wait(s.run, -1, NULL);
    cr_assert(expected(s.way, rc));
    while (!load_acquire(&s.told)) /* it may come after weft_wait */
        sched_yield();
    cr_assert_eq(s.told, 1);
    cr_assert_eq(s.result, rc);
    assert_all_is_back(s.w, s.run);
    struct weft_flow hand = flow_of(s.run, 2);
    cr_assert_eq(hand.fed, s.fed);
    weft_run_destroy(s.run);
    cr_assert_eq(s.w->finished, 5 * SLOTS + 3);
}

Test(stop, R24_a_stop_at_any_instant_releases_every_item_once, .timeout = 3000)
{
    const struct weft_failures policies[] = { { .policy = WEFT_DEFAULT },
                                              { .policy = WEFT_AT_MOST,
                                                .most = TOLERATED } };
    weft_sched_destroy(workers(1)); /* what comes with the first thread */
    int threads = entries_of("/proc/self/task");
    int fds = entries_of("/proc/self/fd");
    weft_sched *sched = workers(3);
    uint64_t random = 88172645463325252, cancels = 0;
    struct world w;
    weft_plan *plan[2][2];

    world_init(&w, sched);
    w.allocates = true;
    for (int i = 0; i < 4; i++) {
        w.for_ever = i / 2;
        plan[i / 2][i % 2] =
            pipeline_plan(draw_world(&w, SLOTS, &policies[i % 2]));
    }
    for (int i = 0; i < (is_long() ? ALL_STOPS : STOPS); i++) {
        struct stop s = { .w = &w, .way = (enum way)(i % WAYS) };
        bool waits = s.way == DRAIN || s.way == FAIL || s.way == ENDS_BY_ITSELF;
        s.delay = chance(&random) % 400000;
        w.for_ever = !waits;
        w.end = waits ? 50 : 100000;
        stop_once(s, sched, plan[w.for_ever][s.way == FAIL]);
        cancels += w.cancels;
    }
    cr_assert(cancels > 0);
    for (int i = 0; i < 4; i++)
        weft_plan_destroy(plan[i / 2][i % 2]);
    world_finish(&w);
    weft_sched_destroy(sched);
    cr_assert_eq(entries_of("/proc/self/fd"), fds);
    while (entries_of("/proc/self/task") > threads)
        usleep(1000); /* a joined thread may still be listed for a moment */
}

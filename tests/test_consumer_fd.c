/* test_consumer_fd.c: graph/consumer.c: the descriptor that is readable while
 * there is something to take, for the loops of others. */
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "tests/entries.h"
#include "tests/fed.h"

enum { FOREVER_MS = 60000 }; /* longer than any machine is busy */

/* What poll(2) says of the descriptor within so many milliseconds. */
static int readable(int fd, int timeout_ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    int n;
    do /* the test runner sends signals */
        n = poll(&p, 1, timeout_ms);
    while (n < 0 && errno == EINTR);
    cr_assert(n >= 0);
    cr_assert(!n || p.revents == POLLIN);
    return n;
}

static weft_plan *fed_plan(unsigned slots)
{
    weft_pipeline *p = fed_by_hand(slots);
    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

static void take(struct weft_run *run, uint64_t value)
{
    void *item;
    cr_assert_eq(weft_next(run, &item, 0, NULL), 1);
    cr_assert_eq(((struct fed *)item)->value, value);
    weft_release(item);
}

/* Until the sink has so many items: then nothing changes by itself. */
static void wait_until_ready(struct weft_run *run, unsigned items)
{
    struct weft_sink_stats s;
    do
        cr_assert_eq(weft_run_sink(run, &s), 0);
    while (s.ready < items);
}

Test(consumer_fd, is_readable_exactly_while_there_is_something_to_take)
{
    weft_sched *sched = workers(2);
    weft_plan *plan = fed_plan(4);
    struct weft_run *run = started(sched, plan);
    int fd = weft_consumer_fd(run, NULL);
    void *item;

    cr_assert(fd >= 0);
    cr_assert_eq(weft_consumer_fd(run, NULL), fd);
    for (uint64_t round = 0; round < 100; round++) {
        cr_assert_eq(readable(fd, 0), 0);
        cr_assert_eq(feed(run, 1, -1), 0);
        cr_assert_eq(readable(fd, FOREVER_MS), 1);
        cr_assert_eq(readable(fd, 0), 1); /* it is a level, not an edge */
        take(run, 1);
        cr_assert_eq(readable(fd, 0), 0);
        for (uint64_t i = 0; i < 3; i++)
            cr_assert_eq(feed(run, i, -1), 0);
        wait_until_ready(run, 3);
        for (uint64_t i = 0; i < 3; i++) {
            cr_assert_eq(readable(fd, 0), 1);
            take(run, i);
        }
        cr_assert_eq(readable(fd, 0), 0);
        cr_assert_eq(weft_feed_epoch(run, NULL, -1, NULL), 0);
        cr_assert_eq(readable(fd, FOREVER_MS), 1);
        cr_assert_eq(weft_next(run, &item, 0, NULL), WEFT_EPOCH);
        cr_assert_eq(readable(fd, 0), 0);
    }
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(readable(fd, FOREVER_MS), 1);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
        cr_assert_eq(readable(fd, 0), 1);
    }
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(readable(fd, 0), 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer_fd, is_readable_for_the_end_while_items_are_held)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = fed_plan(4);
    struct weft_run *run = started(sched, plan);
    int fd = weft_consumer_fd(run, NULL);
    void *item, *none;

    cr_assert_eq(feed(run, 1, -1), 0);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    cr_assert_eq(readable(fd, 0), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(readable(fd, FOREVER_MS), 1);
    cr_assert_eq(weft_next(run, &none, 0, NULL), 0);
    weft_release(item);
    cr_assert_eq(readable(fd, 0), 1);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int fails(weft_worker *self, void *item, void *ctx) { return -EIO; }

Test(consumer_fd, is_readable_for_the_error_and_for_ever_after)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = fed_by_hand(4);
    void *item;

    weft_stage(p, weft_config(stage, .name = "fails", .fn = fails));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    for (int cancel = 0; cancel < 2; cancel++) {
        struct weft_run *run = started(sched, plan);
        int fd = weft_consumer_fd(run, NULL);
        cr_assert_eq(readable(fd, 0), 0);
        if (cancel)
            weft_cancel(run);
        else
            cr_assert_eq(feed(run, 1, 0), 0);
        cr_assert_eq(readable(fd, FOREVER_MS), 1);
        cr_assert_eq(weft_next(run, &item, 0, NULL),
                     cancel ? -ECANCELED : -EIO);
        cr_assert_eq(readable(fd, 0), 1);
        cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
        cr_assert_eq(readable(fd, 0), 1);
        weft_wait(run, -1, NULL);
        cr_assert_eq(readable(fd, 0), 1);
        weft_run_destroy(run);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer_fd, may_be_asked_for_when_something_is_there_or_over)
{
    weft_sched *sched = workers(2);
    weft_plan *plan = fed_plan(4);
    int before = entries_of("/proc/self/fd");

    for (int over = 0; over < 2; over++) {
        struct weft_run *run = started(sched, plan);
        cr_assert_eq(feed(run, 1, 0), 0);
        cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
        wait_until_ready(run, 1);
        if (over)
            take(run, 1);
        cr_assert_eq(readable(weft_consumer_fd(run, NULL), FOREVER_MS), 1);
        if (!over)
            take(run, 1);
        cr_assert_eq(result_of(run), 0);
    }
    cr_assert_eq(entries_of("/proc/self/fd"), before);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer_fd, says_why_there_is_none_to_be_had)
{
    struct rlimit old, none;
    weft_sched *sched = workers(1);
    weft_plan *plan = fed_plan(1);
    struct weft_run *run = started(sched, plan);
    weft_error why;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = (struct rlimit){ .rlim_cur = 0, .rlim_max = old.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fd = weft_consumer_fd(run, &why);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    cr_assert_eq(fd, -EMFILE);
    cr_assert(says(&why, "no eventfd for the consumer: Too many open files"));
    cr_assert(weft_consumer_fd(run, NULL) >= 0);
    weft_drain(run);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- no wake-up is lost ------------------------------------------------ */

enum { ROUNDS = TIMES(100000, 5000), THREADS = 3 };

struct relay {
    struct weft_run *run;
    _Atomic uint64_t taken, sum;
};

static void *feed_one_by_one(void *ctx)
{
    struct relay *r = ctx;
    for (uint64_t i = 0; i < ROUNDS; i++)
        cr_assert_eq(feed(r->run, i, -1), 0);
    cr_assert_eq(weft_feed_end(r->run, NULL, NULL), 0);
    return NULL;
}

/* There is one slot: nothing else makes the descriptor readable meanwhile. */
Test(consumer_fd, epoll_sees_every_item, .timeout = 300)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = fed_plan(1);
    struct relay r = { .run = started(sched, plan) };
    struct epoll_event event = { .events = EPOLLIN };
    int fd = weft_consumer_fd(r.run, NULL), epoll = epoll_create1(0);
    pthread_t thread;
    void *item;
    int n;

    cr_assert_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), 0);
    pthread_create(&thread, NULL, feed_one_by_one, &r);
    for (uint64_t i = 0; i <= ROUNDS; i++) {
        while ((n = epoll_wait(epoll, &event, 1, FOREVER_MS)) < 0)
            cr_assert_eq(errno, EINTR);
        cr_assert_eq(n, 1);
        cr_assert_eq(event.events, EPOLLIN);
        if (i < ROUNDS)
            take(r.run, i);
        else
            cr_assert_eq(weft_next(r.run, &item, 0, NULL), 0);
    }
    pthread_join(thread, NULL);
    close(epoll);
    cr_assert_eq(result_of(r.run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void *poll_and_take(void *ctx)
{
    struct relay *r = ctx;
    int fd = weft_consumer_fd(r->run, NULL), rc;
    void *item;

    do {
        cr_assert_eq(readable(fd, FOREVER_MS), 1);
        rc = weft_next(r->run, &item, 0, NULL); /* or another was faster */
        cr_assert(rc == 1 || rc == 0 || rc == -ETIMEDOUT);
        if (rc == 1) {
            add_relaxed(&r->taken, 1);
            add_relaxed(&r->sum, ((struct fed *)item)->value);
            weft_release(item);
        }
    } while (rc);
    return NULL;
}

Test(consumer_fd, several_may_wait_for_it, .timeout = 300)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = fed_plan(2);
    struct relay r = { .run = started(sched, plan) };
    pthread_t feeder, thread[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, poll_and_take, &r);
    pthread_create(&feeder, NULL, feed_one_by_one, &r);
    pthread_join(feeder, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    cr_assert_eq(r.taken, ROUNDS);
    cr_assert_eq(r.sum, (uint64_t)ROUNDS * (ROUNDS - 1) / 2);
    cr_assert_eq(result_of(r.run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

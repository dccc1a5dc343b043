/* test_simulation.c: a pipeline of timers whose figures follow from arithmetic.
 *
 * Stages of 10, 25 and 40 ms with one token each, a consumer of 30 ms, and ONE
 * worker: 40 ms an item, so 25 items/s; the consumer waits for 10 of them, and
 * all the slots that are left wait for the token of the slowest stage. The same
 * is worked out here item by item, from the first to the last. Times are never
 * less than that; how much more they are is the machine's affair, so shares of
 * the time are compared, and the best of several tries. */
#include <errno.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

enum { STAGES = 3, SLOTS = 8, ITEMS = 40, CONSUMER_MS = 30, TRIES = 10 };

static const unsigned stage_ms[STAGES] = { 10, 25, 40 };
static const char *const names[STAGES] = { "ten", "twenty-five", "forty" };

/* In milliseconds, of all items. */
struct split {
    double token[STAGES], pending[STAGES];
    double ready;    /* for the worker, in all stages */
    double outlet;   /* for the consumer */
    double borrowed; /* by it */
    double starved;  /* it waited for an item */
    double hungry;   /* the source waited for a slot */
    double in_all;   /* from first to last */
};

static double later(double a, double b) { return a > b ? a : b; }

static struct split worked_out(void)
{
    struct split s = { { 0 } };
    double free_at[STAGES] = { 0 }, released[ITEMS], last = 0;

    for (unsigned i = 0; i < ITEMS; i++) {
        double now = i < SLOTS ? 0 : released[i - SLOTS];
        s.hungry = now; /* it never had one left over */
        for (unsigned k = 0; k < STAGES; k++) {
            double begin = later(now, free_at[k]);
            s.token[k] += begin - now;
            s.pending[k] += stage_ms[k];
            now = free_at[k] = begin + stage_ms[k];
        }
        double taken = later(now, last);
        s.starved += later(now - last, 0);
        s.outlet += taken - now;
        s.borrowed += CONSUMER_MS;
        last = released[i] = taken + CONSUMER_MS;
    }
    s.in_all = last;
    return s;
}

struct nap {
    uint64_t number;
    struct weft_io io;
};

static int describe(weft_worker *self, void *item, struct weft_io **io,
                    void *ctx)
{
    struct nap *n = item;
    n->io =
        (struct weft_io){ .op = WEFT_IO_SLEEP,
                          .ns = *(const unsigned *)ctx * (uint64_t)1000000 };
    *io = &n->io;
    return 0;
}

static double ms(uint64_t ns) { return (double)ns / 1e6; }

static struct split measured(void)
{
    struct numbers source = { .end = ITEMS };
    struct weft_sink_stats sink;
    struct split s = { { 0 } };
    void *item;
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct nap), .slots = SLOTS }));
    weft_source(p, "numbers", number, &source);
    for (unsigned i = 0; i < STAGES; i++)
        weft_stage(p, weft_config(stage, .name = names[i], .kind = WEFT_IO,
                                  .describe = describe, .tokens = 1,
                                  .ctx = (void *)(uintptr_t)&stage_ms[i]));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    uint64_t begin = wf_now_ns();
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < ITEMS; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        cr_assert_eq(number_of(item), i);
        uint64_t until = wf_now_ns() + CONSUMER_MS * (uint64_t)1000000;
        for (uint64_t now; (now = wf_now_ns()) < until;)
            usleep((unsigned)((until - now) / 1000 + 1));
        weft_release(item);
    }
    s.in_all = ms(wf_now_ns() - begin);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    for (unsigned i = 0; i < STAGES; i++) {
        struct weft_stage_stats stats = stage_of(run, names[i]);
        s.token[i] = ms(stats.token_wait_ns);
        s.pending[i] = ms(stats.pending_wait_ns);
        s.ready += ms(stats.ready_wait_ns);
    }
    s.hungry = ms(stage_of(run, "numbers").output_wait_ns);
    cr_assert_eq(weft_run_sink(run, &sink), 0);
    s.outlet = ms(sink.ready_ns);
    s.borrowed = ms(sink.borrowed_ns);
    s.starved = ms(sink.starved_ns);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return s;
}

/* All that the items were in flight. */
static double whole(const struct split *s)
{
    double sum = s->ready + s->outlet + s->borrowed;
    for (unsigned i = 0; i < STAGES; i++)
        sum += s->token[i] + s->pending[i];
    return sum;
}

static bool is_near(const char *what, double is, double of, double should,
                    double should_of)
{
    double difference = is / of - should / should_of;
    fprintf(stderr, "  %-26s %5.1f %% of the time, %5.1f %% worked out\n", what,
            100 * is / of, 100 * should / should_of);
    return difference > -0.06 && difference < 0.06;
}

static bool as_worked_out(const struct split *m, const struct split *w)
{
    double is = whole(m), should = whole(w);
    char what[64];
    bool all = true;

    for (unsigned i = 0; i < STAGES; i++) {
        snprintf(what, sizeof what, "token of '%s'", names[i]);
        all &= is_near(what, m->token[i], is, w->token[i], should);
        snprintf(what, sizeof what, "timer of '%s'", names[i]);
        all &= is_near(what, m->pending[i], is, w->pending[i], should);
    }
    all &= is_near("the worker", m->ready, is, w->ready, should);
    all &= is_near("the consumer", m->outlet, is, w->outlet, should);
    all &= is_near("with the consumer", m->borrowed, is, w->borrowed, should);
    all &= is_near("consumer: for an item", m->starved, m->in_all, w->starved,
                   w->in_all);
    all &= is_near("source: for a slot", m->hungry, m->in_all, w->hungry,
                   w->in_all);
    return all;
}

Test(simulation, one_worker_does_what_arithmetic_says, .timeout = 120)
{
    struct split w = worked_out();
    bool done = false;

    for (int i = 0; i < TRIES && !done; i++) {
        struct split m = measured();
        fprintf(stderr,
                "%.1f items/s, of 25 in the long run; %.0f ms for %d "
                "items, of %.0f\n",
                1000 * ITEMS / m.in_all, m.in_all, ITEMS, w.in_all);
        cr_assert(m.in_all >= w.in_all);
        cr_assert(m.borrowed >= 0.99 * w.borrowed);
        for (unsigned k = 0; k < STAGES; k++)
            cr_assert(m.pending[k] >= 0.99 * w.pending[k]);
        done = as_worked_out(&m, &w) && m.in_all < w.in_all / 0.7;
    }
    cr_assert(done);
}

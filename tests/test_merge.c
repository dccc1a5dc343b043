/* test_merge.c: graph/merge.c: from which input the next item comes, and the
 * move of what it has grown. */
#include <stdlib.h>

#include "tests/pipes.h"

enum { MOST = 4 };

#define INPUT ((uint64_t)1000000) /* item 7 of input 2 is 2 000 007 */

static const char *const names[] = { "a", "b", "c", "d" };

/* An input that is only a source. */
static weft_pipeline *input_of(struct numbers *source, unsigned slots)
{
    weft_pipeline *p = drawing(slots);
    weft_source(p, "numbers", give, source);
    return p;
}

struct inputs {
    struct numbers source[MOST];
    struct weft_path path[MOST];
    unsigned count;
};

static void make_inputs(struct inputs *in, const uint64_t *lengths,
                        unsigned count, unsigned slots)
{
    *in = (struct inputs){ .count = count };
    for (unsigned i = 0; i < count; i++) {
        in->source[i] =
            (struct numbers){ .end = lengths[i], .base = i * INPUT };
        in->path[i] =
            (struct weft_path){ .name = names[i],
                                .stages = input_of(&in->source[i], slots) };
    }
}

static void destroy_inputs(struct inputs *in)
{
    for (unsigned i = 0; i < in->count; i++)
        weft_pipeline_destroy(in->path[i].stages);
}

/* Draws the merge; the inputs are destroyed. */
static void merge(weft_pipeline *p, struct inputs *in, int turn,
                  enum weft_order order)
{
    struct weft_merge_config c = { .size = sizeof c,
                                   .name = "merge",
                                   .inputs = in->path,
                                   .input_count = in->count,
                                   .order = order };
    c.turn = turn;
    weft_merge(p, &c);
    destroy_inputs(in);
}

/* ---- whose turn it is -------------------------------------------------- */

/* The next item when each input has its weight in turn, or 0: the end. */
struct model {
    uint64_t next[MOST], length[MOST];
    unsigned weight[MOST], count, turn, taken;
};

static bool next_of(struct model *m, uint64_t *value)
{
    for (unsigned i = 0; i <= m->count; i++) {
        unsigned t = m->turn;
        if (m->taken < m->weight[t] && m->next[t] < m->length[t]) {
            m->taken++;
            *value = t * INPUT + m->next[t]++;
            return true;
        }
        m->turn = (t + 1) % m->count;
        m->taken = 0;
    }
    return false;
}

static void in_turns(const uint64_t *lengths, const unsigned *weights,
                     unsigned count, unsigned slots, unsigned worker_count)
{
    struct model m = { .count = count };
    struct inputs in;
    struct number got;
    uint64_t value;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(slots);

    make_inputs(&in, lengths, count, slots);
    for (unsigned i = 0; i < count; i++) {
        m.length[i] = lengths[i];
        m.weight[i] = weights ? weights[i] : 1;
        in.path[i].weight = weights ? weights[i] : 5; /* does not count */
    }
    merge(p, &in, weights ? WEFT_WEIGHTED : WEFT_ROUND_ROBIN, WEFT_INPUT);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (next_of(&m, &value)) {
        cr_assert_eq(take(run, &got), 1);
        cr_assert_eq(got.value, value);
    }
    cr_assert_eq(take(run, &got), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static const uint64_t lengths[][MOST] = { { 5, 3, 9, 4 }, { 0, 6, 1, 0 },
                                          { 0, 0, 0, 0 }, { 1, 0, 0, 200 },
                                          { 7, 7, 7, 7 }, { 300, 2, 0, 1 } };
enum { LENGTHS = sizeof lengths / sizeof *lengths };

Test(merge, in_round_robin_one_of_each_comes_in_turn, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 5; slots += 2)
            for (unsigned i = 0; i < LENGTHS; i++)
                for (unsigned count = 1; count <= MOST; count++)
                    in_turns(lengths[i], NULL, count, slots, n);
}

Test(merge, with_weights_so_many_of_each_come_in_turn, .timeout = 120)
{
    const unsigned weights[][MOST] = { { 2, 1, 3, 1 }, { 1, 5, 1, 2 } };

    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 5; slots += 2)
            for (unsigned i = 0; i < LENGTHS * 2; i++)
                in_turns(lengths[i / 2], weights[i % 2], MOST, slots, n);
}

/* The second source is pending until it is let go, once for each item. */
struct slow {
    struct numbers numbers;
    _Atomic(void *) item;
};

static int give_slowly(weft_worker *self, void *item, void *ctx)
{
    struct slow *s = ctx;
    int rc = give(self, item, &s->numbers);

    if (rc)
        return rc;
    store_release(&s->item, item); /* filled */
    return WEFT_PENDING;
}

static void *wait_for_slow(struct slow *s)
{
    void *item;
    UNTIL((item = load_acquire(&s->item)) != NULL); /* filled */
    store_relaxed(&s->item, NULL);
    return item;
}

Test(merge, a_slow_input_is_waited_for_in_its_turn, .timeout = 60)
{
    const uint64_t length[] = { 10, 3 };
    struct slow slow = { .numbers = { .end = 3, .base = INPUT } };
    struct inputs in;
    struct number got;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(8), *b = drawing(2);

    make_inputs(&in, length, 2, 2);
    weft_pipeline_destroy(in.path[1].stages);
    weft_source(b, "slow", give_slowly, &slow);
    in.path[1].stages = b;
    merge(p, &in, WEFT_ROUND_ROBIN, WEFT_INPUT);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t i = 0; i < 3; i++) {
        void *item = wait_for_slow(&slow), *none;
        cr_assert_eq(take(run, &got), 1);
        cr_assert_eq(got.value, i);
        /* what else a has is in its slots, and stays there */
        UNTIL(flow_of(run, 0).delivered == i + 1 &&
              flow_of(run, 0).in_flight == 2);
        cr_assert_eq(weft_next(run, &none, 0, NULL), -ETIMEDOUT);
        weft_complete(NULL, item, 0);
        cr_assert_eq(take(run, &got), 1);
        cr_assert_eq(got.value, INPUT + i);
    }
    for (uint64_t i = 3; i < 10; i++) {
        cr_assert_eq(take(run, &got), 1);
        cr_assert_eq(got.value, i);
    }
    cr_assert_eq(take(run, &got), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- as they come ------------------------------------------------------ */

/* Items of each input come in its order, or at least once each. */
static void arrive(enum weft_order order, unsigned slots, unsigned worker_count)
{
    enum { N = TIMES(5000, 1000) };
    const uint64_t length[] = { N, N / 2, 0, N / 5 };
    static bool seen[MOST][N];
    uint64_t next[MOST] = { 0 }, taken = 0;
    struct inputs in;
    struct number got;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(slots);

    memset(seen, 0, sizeof seen);
    make_inputs(&in, length, MOST, slots);
    for (unsigned i = 0; i < MOST; i++)
        weft_stage(in.path[i].stages,
                   weft_config(stage, .name = "dawdle", .fn = dawdle));
    merge(p, &in, WEFT_ARRIVAL, order);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (; take(run, &got) == 1; taken++) {
        uint64_t i = got.value / INPUT, number = got.value % INPUT;
        cr_assert(!seen[i][number]);
        seen[i][number] = true;
        if (order == WEFT_INPUT)
            cr_assert_eq(number, next[i]++);
    }
    cr_assert_eq(taken, N + N / 2 + N / 5);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(merge, every_item_of_every_input_comes_once, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 8; slots += 7) {
            arrive(WEFT_ANY, slots, n);
            arrive(WEFT_INPUT, slots, n);
        }
}

/* Some items fail, some are filtered, in a stage before the merge. */
static int holes(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = value_of(item) % INPUT;
    dawdle(self, item, NULL);
    return value % 10 == 3 ? -EIO : value % 10 == 6 ? WEFT_FILTER : 0;
}

Test(merge, holes_in_an_input_cost_it_no_turn, .timeout = 60)
{
    enum { N = TIMES(10000, 1000) };
    const uint64_t length[] = { N, N };

    for (unsigned n = 1; n <= 3; n++) {
        struct inputs in;
        struct number got;
        uint64_t left = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = skipping(6);

        make_inputs(&in, length, 2, 6);
        weft_stage(in.path[0].stages,
                   weft_config(stage, .name = "holes", .fn = holes));
        merge(p, &in, WEFT_ROUND_ROBIN, WEFT_INPUT);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < N; i++) {
            for (; left % 10 == 3 || left % 10 == 6; left++)
                ;
            if (left < N) {
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(got.value, left++);
            }
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, INPUT + i);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* It joins in order, and the merge asks for none. */
Test(merge, what_a_router_joins_in_order_comes_in_order, .timeout = 120)
{
    enum { N = TIMES(100000, 5000) };
    const uint64_t length[] = { N };

    for (unsigned n = 2; n <= 4; n++) {
        struct inputs in;
        struct number got;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(32), *row = row_of(dawdle, NULL);
        struct weft_path paths[] = { { .name = "l", .stages = row },
                                     { .name = "r", .stages = row } };

        make_inputs(&in, length, 1, 32);
        weft_router(in.path[0].stages,
                    weft_config(router, .name = "router", .paths = paths,
                                .path_count = 2, .join = WEFT_INPUT));
        weft_pipeline_destroy(row);
        merge(p, &in, WEFT_ARRIVAL, WEFT_ANY);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < N; i++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* One input stands still, in a stage or in its source: all items of the other
 * one are delivered. Then it is let go, and all ends. */
static void stands_still(bool in_source, enum weft_order order,
                         unsigned worker_count)
{
    enum { N = TIMES(3000, 500), STILL = 5, SLOTS = 2 };
    const uint64_t length[] = { N, STILL };
    struct slow slow = { .numbers = { .end = STILL, .base = INPUT } };
    struct held held = HELD;
    struct inputs in;
    struct number got;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(4), *b = drawing(SLOTS);

    make_inputs(&in, length, 2, 4);
    weft_pipeline_destroy(in.path[1].stages);
    in.path[1].stages = b;
    weft_source(b, "source", in_source ? give_slowly : give, &slow);
    if (!in_source)
        weft_stage(b, weft_config(stage, .name = "hold", .fn = hold,
                                  .ctx = &held, .tokens = 4));
    merge(p, &in, WEFT_ARRIVAL, order);
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < N; i++) {
        cr_assert_eq(take(run, &got), 1);
        cr_assert(got.value < INPUT);
    }
    if (!in_source)
        UNTIL(held_by(&held) == SLOTS);
    cr_assert_eq(flow_of(run, 1).fed, in_source ? 0 : SLOTS);
    balanced(run);
    open_up(&held);
    for (unsigned i = 0; i < STILL; i++) {
        if (in_source)
            weft_complete(NULL, wait_for_slow(&slow), 0);
        cr_assert_eq(take(run, &got), 1);
        cr_assert(got.value >= INPUT);
    }
    cr_assert_eq(take(run, &got), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(merge, R23_a_stalled_input_does_not_stall_the_others, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++)
        for (int i = 0; i < 4; i++)
            stands_still(i % 2, i / 2 ? WEFT_INPUT : WEFT_ANY, n);
}

/* ---- failures ---------------------------------------------------------- */

/* The other input would never end by itself. */
Test(merge, an_input_that_fails_gives_its_good_items_then_the_error_once,
     .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        const uint64_t length[] = { 10, UINT64_MAX };
        struct inputs in;
        struct number got;
        weft_error why;
        void *item;
        uint64_t next[2] = { 0 };
        int rc;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4);

        make_inputs(&in, length, 2, 4);
        in.source[0].fails_with = -EIO;
        merge(p, &in, n % 2 ? WEFT_ARRIVAL : WEFT_ROUND_ROBIN, WEFT_INPUT);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        while ((rc = weft_next(run, &item, -1, &why)) == 1) {
            got = *(struct number *)item;
            cr_assert_eq(got.value % INPUT, next[got.value / INPUT]++);
            weft_release(item);
        }
        cr_assert_eq(rc, -EIO);
        cr_assert_eq(next[0], 10);
        cr_assert_eq(next[1], flow_of(run, 1).fed);
        cr_assert_eq(strcmp(why.text, "source 'a.numbers' failed on item 10, "
                                      "attempt 1: EIO: Input/output error"),
                     0);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
        ended(run, -EIO);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static int fail_at_7(weft_worker *self, void *item, void *ctx)
{
    return value_of(item) == 7 ? -EBADMSG : 0;
}

Test(merge, a_failure_in_an_input_stops_the_others_feeding, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        const uint64_t length[] = { UINT64_MAX, UINT64_MAX };
        struct inputs in;
        struct number got;
        uint64_t next[2] = { 0 };
        int rc;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4);

        make_inputs(&in, length, 2, 4);
        weft_stage(in.path[0].stages,
                   weft_config(stage, .name = "check", .fn = fail_at_7));
        merge(p, &in, WEFT_ARRIVAL, WEFT_INPUT);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        while ((rc = take(run, &got)) == 1) {
            uint64_t i = got.value / INPUT;
            if (next[i] < 7 || i)
                cr_assert_eq(got.value % INPUT, next[i]);
            cr_assert(got.value != 7);
            next[i] = got.value % INPUT + 1;
        }
        cr_assert_eq(rc, -EBADMSG);
        cr_assert(next[0] >= 7);
        cr_assert_eq(next[1], flow_of(run, 1).fed);
        cr_assert_eq(take(run, &got), 0);
        ended(run, -EBADMSG);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* test_order.c: order from end to end, around failures, holes and retries. */
#include <errno.h>
#include <stdbool.h>

#include "tests/flows.h"

enum { ITEMS = TIMES(1000000, 40000), SLOTS = 32 };

/* Of a number: what becomes of it, and how long it takes. */
static uint64_t random_of(uint64_t number)
{
    uint64_t x = (number + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool fails(uint64_t n) { return random_of(n) % 100 == 3; }
static bool filtered(uint64_t n) { return random_of(n) % 100 == 6; }
static bool is_good(uint64_t n) { return !fails(n) && !filtered(n); }

struct world {
    struct numbers numbers;
    struct gauge in_flight;
    uint64_t last; /* that entered the ordered stage; plain: one at a time */
    unsigned out_of_order;
};

static int number_in_flight(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    int rc = number(self, item, &w->numbers);
    if (!rc)
        enters(&w->in_flight);
    return rc;
}

static void land(void *item, void *ctx)
{
    leaves(&((struct world *)ctx)->in_flight);
}

static int take_random_time(weft_worker *self, void *item, void *ctx)
{
    uint64_t n = number_of(item), r = random_of(n);
    for (volatile unsigned i = r >> 32 & 63; i; i--)
        ;
    if (r % 1000 == 1) /* now and then one takes much longer */
        for (volatile unsigned i = 20000; i; i--)
            ;
    return fails(n) ? -EIO : filtered(n) ? WEFT_FILTER : 0;
}

static int note_order(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    w->out_of_order += number_of(item) + 1 <= w->last;
    w->last = number_of(item) + 1;
    return 0;
}

static void in_order(uint64_t items, unsigned worker_count,
                     enum weft_order stage_order)
{
    struct world w = { .numbers = { .end = items } };
    weft_sched *sched = workers(worker_count);
    uint64_t next = 0, wrong = 0;
    void *item;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = sizeof(uint64_t),
                               .slots = SLOTS,
                               .reset = land,
                               .ctx = &w }));
    weft_source(p, "numbers", number_in_flight, &w);
    weft_stage(p, weft_config(stage, .name = "random", .tokens = SLOTS,
                              .fn = take_random_time));
    if (stage_order == WEFT_INPUT)
        weft_stage(p, weft_config(stage, .name = "ordered", .fn = note_order,
                                  .ctx = &w, .tokens = 1, .order = WEFT_INPUT));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (weft_next(run, &item, -1, NULL) == 1) {
        while (!is_good(next))
            next++;
        wrong += number_of(item) != next++;
        if (next % 256 == 0)
            flow_of(run, 0); /* it balances, and is no more than the slots */
        weft_release(item);
    }
    cr_assert_eq(wrong, 0);
    cr_assert_eq(w.out_of_order, 0);
    cr_assert(w.in_flight.most <= SLOTS);
    struct weft_flow f = ended(run, 0);
    cr_assert_eq(w.in_flight.now, 0);
    while (next < items && !is_good(next))
        next++;
    cr_assert_eq(next, items); /* none is missing at the end */
    cr_assert_eq(f.fed, items);
    cr_assert(f.failed > items / 200 && f.filtered > items / 200);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(order, R14_ordered_output_equals_input_order, .timeout = 300)
{
    in_order(ITEMS / 5, 3, WEFT_ANY);
}

Test(order, R14_ordered_output_equals_input_order_behind_an_ordered_stage,
     .timeout = 300)
{
    in_order(ITEMS, 3, WEFT_INPUT);
}

Test(order, R14_ordered_output_equals_input_order_on_one_worker, .timeout = 300)
{
    in_order(ITEMS / 5, 1, WEFT_INPUT);
}

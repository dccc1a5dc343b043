/* test_plain.c: graph/plain.c: the short way counts and ends like the long one.
 */
#include "tests/pipes.h"
#include "tests/times.h"

enum { ITEMS = TIMES(100000, 10000), STAGES = 4 };

/* All that a stage can say. */
static int say(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = value_of(item) / 7 + (uintptr_t)ctx;

    switch (value % 100) {
    case 13:
        return weft_fail(item, -EIO, "thirteen");
    case 14:
        return WEFT_FILTER;
    case 15:
        weft_complete(self, item, 0);
        return WEFT_PENDING;
    case 16:
        weft_complete(self, item, WEFT_FILTER);
        return WEFT_PENDING;
    case 17:
        return weft_item_attempt(item) == 1 ? -EAGAIN : 0;
    default:
        return 0;
    }
}

static void nobody(const struct weft_attempt *attempt, void *item, void *ctx) {}

/* What all stages have counted. A hook makes them take the long way. */
static void counted(weft_hook_fn *hook, unsigned count, enum weft_order order,
                    struct weft_stage_stats out[])
{
    static const char *const names[STAGES] = { "a", "b", "c", "d" };
    struct numbers source = { .end = ITEMS };
    weft_sched *sched = workers(count);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(32), .hook = hook,
                    .failures = { .policy = WEFT_SKIP }));

    weft_source(p, "numbers", give, &source);
    for (uintptr_t i = 0; i < STAGES; i++)
        weft_stage(p, weft_config(stage, .name = names[i], .fn = say,
                                  .ctx = (void *)i, .order = order,
                                  .retry = { .attempts = 2, .first_ms = 1 }));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    for (unsigned i = 0; i < STAGES; i++)
        cr_assert_eq(weft_run_stage(run, i + 1, &out[i]), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(plain, the_short_way_counts_what_the_long_one_does, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (int ordered = 0; ordered < 2; ordered++) {
            struct weft_stage_stats a[STAGES], b[STAGES];
            enum weft_order order = ordered ? WEFT_INPUT : WEFT_ANY;

            counted(NULL, n, order, a);
            counted(nobody, n, order, b);
            for (unsigned i = 0; i < STAGES; i++) {
                cr_assert_eq(a[i].in, b[i].in);
                cr_assert_eq(a[i].done, b[i].done);
                cr_assert_eq(a[i].filtered, b[i].filtered);
                cr_assert_eq(a[i].failed, b[i].failed);
                cr_assert_eq(a[i].retried, b[i].retried);
                cr_assert_eq(a[i].running, 0);
            }
            cr_assert(a[0].filtered && a[0].failed && a[0].retried);
        }
}

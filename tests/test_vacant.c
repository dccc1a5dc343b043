/* test_vacant.c: graph/vacant.h: a worker gets the slots that it gave back. */
#include "sched/sched.h"
#include "tests/runs.h"

enum { ITEMS = TIMES(1000, 300) };

/* Where an item's slot was used before: the worker's number, and 1. */
struct place {
    uint64_t number;
    unsigned user;
};

static struct chase {
    uint64_t next;
    _Atomic uint64_t begun;
    _Atomic unsigned strangers;
} chase;

static int give(weft_worker *self, void *item, void *ctx)
{
    if (chase.next == ITEMS)
        return WEFT_END;
    ((struct place *)item)->number = chase.next++;
    return 0;
}

/* Longer than a tiny item, and not over before the next one has begun: so each
 * time the other worker calls the source, for which this one took a slot. */
static int wait_for_the_next(weft_worker *self, void *item, void *ctx)
{
    struct place *place = item;
    unsigned here = weft_worker_index(self) + 1;
    uint64_t end = wf_ticks() + 50000;

    if (place->user && place->user != here)
        add_relaxed(&chase.strangers, 1);
    place->user = here;
    add_relaxed(&chase.begun, 1);
    while (load_relaxed(&chase.begun) < place->number + 2 &&
           place->number + 1 < ITEMS)
        ;
    while (wf_ticks() < end)
        ;
    return 0;
}

Test(vacant, a_source_that_was_stolen_fills_a_slot_of_the_thief, .timeout = 60)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct place), .slots = 64 }));

    weft_source(p, "numbers", give, NULL);
    weft_stage(p, weft_config(stage, .name = "wait", .fn = wait_for_the_next));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, NULL), 0);
    cr_assert_eq(load_relaxed(&chase.begun), ITEMS);
    cr_assert(load_relaxed(&chase.strangers) < ITEMS / 10);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

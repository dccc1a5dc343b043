/* stages_weft.c: a pipeline whose stages have something to do, 10 us each: what
 * do workers make of it? */
#include "perf/empty_stages.h"
#include "perf/whole/whole.h"

enum { ITEMS = 20000, STAGES = 4, STAGE_US = 10, LOOKS = 50 };

/* So many steps take 10 us on an undisturbed core. */
static uint64_t steps_of_a_stage(void)
{
    const uint64_t steps = 100000;
    uint64_t fastest = UINT64_MAX;
    volatile uint64_t used;

    for (int i = 0; i < LOOKS; i++) {
        uint64_t began = wall_ns();
        used = work(steps + (uint64_t)i);
        uint64_t took = wall_ns() - began;
        fastest = took < fastest ? took : fastest;
    }
    return (void)used, steps * STAGE_US * 1000 / fastest;
}

int main(int argc, char **argv)
{
    struct whole w = whole_begin(argc, argv, "stages", "weft");
    struct job job = { .stages = STAGES, .counts_only = true };
    weft_sched *sched = sched_of(w.workers);

    job.steps = steps_of_a_stage();
    job.items = whole_size(&w, ITEMS / 10);
    cost_of(sched, &job); /* warm-up */
    job.items = whole_size(&w, ITEMS);
    double items = (double)job.items;
    whole_tell(&w, "10 us", "end to end", "items/s",
               items * 1e9 / (double)cost_of(sched, &job).wall);
    weft_sched_destroy(sched);
}

/* tiny_items.c: what does an item cost that does nothing, and does memory grow
 * with their number?
 *
 *     tiny_items [ITEMS [WORKERS]]
 *
 * Runs a tenth of the items through 4 empty stages, then all, then three times
 * as many. Peak memory never falls, so it is the same after each only if the
 * later runs needed no more than the first. Fails if they needed over 1 MiB. */
#include "perf/bench.h"
#include "weft/weft.h"

enum { ALLOWED_KIB = 1024 };

static const char *const stages[] = { "one", "two", "three", "four" };
enum { STAGES = sizeof stages / sizeof *stages };

static uint64_t fed, wanted;

static int source(weft_worker *self, void *item, void *ctx)
{
    if (fed == wanted)
        return WEFT_END;
    *(uint64_t *)item = fed++;
    return 0;
}

static int stage(weft_worker *self, void *item, void *ctx)
{
    ++*(uint64_t *)item;
    return 0;
}

static weft_plan *draw(void)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_error why = { "" };
    weft_plan *plan;

    weft_source(p, "count", source, NULL);
    for (int i = 0; i < STAGES; i++)
        weft_stage(p, weft_config(stage, .name = stages[i], .fn = stage));
    must(weft_pipeline_compile(&plan, p, &why), why.text);
    weft_pipeline_destroy(p);
    return plan;
}

static void measure(weft_sched *sched, const weft_plan *plan, uint64_t items)
{
    weft_error why = { "" };

    fed = 0;
    wanted = items;
    uint64_t wall = wall_ns(), cpu = cpu_ns();
    must(weft_run(sched, plan, &why), why.text);
    wall = wall_ns() - wall;
    cpu = cpu_ns() - cpu;
    double each = (double)items * STAGES;
    printf("%9" PRIu64 " items: %6.1f ns wall, %6.1f ns CPU per item and "
           "stage, peak %ld KiB\n",
           items, (double)wall / each, (double)cpu / each, peak_kib());
}

int main(int argc, char **argv)
{
    uint64_t items = argument(argc, argv, 1, 1000000);
    unsigned workers = (unsigned)argument(argc, argv, 2, 0);
    weft_error why = { "" };
    weft_sched *sched;

    must(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), &why),
        why.text);
    weft_plan *plan = draw();
    measure(sched, plan, items / 10);
    long first = peak_kib();
    measure(sched, plan, items);
    measure(sched, plan, items * 3);
    long grown = peak_kib() - first;
    printf("memory grew by %ld KiB\n", grown);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return grown > ALLOWED_KIB;
}

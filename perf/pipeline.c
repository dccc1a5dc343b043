/* pipeline.c: what does the engine cost, per item and stage, and how long does
 * an item take from its last stage to the consumer's hands?
 *
 *     pipeline [ITEMS [WORKERS]]
 *
 * The stages are empty, so all that is measured is the engine. Every line is
 * the median of several runs; the lines take turns, so that a change of the
 * machine meets all of them alike. */
#include <stdbool.h>

#include "perf/empty_stages.h"

enum { ROUNDS = 5 };

static const unsigned stages[] = { 1, 4, 8, 16 };
enum { SIZES = sizeof stages / sizeof *stages, KINDS = 4 };

static void measure_stages(weft_sched *sched, uint64_t items)
{
    double wall[KINDS][SIZES][ROUNDS], cpu[KINDS][SIZES][ROUNDS];

    for (int round = 0; round < ROUNDS; round++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int size = 0; size < SIZES; size++) {
                struct job job = { .items = items,
                                   .stages = stages[size],
                                   .order = kind & 1 ? WEFT_INPUT : WEFT_ANY,
                                   .counts_only = kind & 2 };
                struct cost cost = cost_of(sched, &job);
                double each = (double)items * stages[size];
                wall[kind][size][round] = (double)cost.wall / each;
                cpu[kind][size][round] = (double)cost.cpu / each;
            }

    printf("ns per item and stage: wall, CPU of all workers\n");
    printf("  %-24s", "stages");
    for (int size = 0; size < SIZES; size++)
        printf("%16u", stages[size]);
    for (int kind = 0; kind < KINDS; kind++) {
        printf("\n  %-5s, %-17s", kind & 1 ? "input" : "any",
               kind & 2 ? "counts only" : "with statistics");
        for (int size = 0; size < SIZES; size++)
            printf("%8.1f%8.1f", median(wall[kind][size], ROUNDS),
                   median(cpu[kind][size], ROUNDS));
    }
    printf("\n");
}

/* ---- to the consumer ---------------------------------------------------- */

static int stamp(weft_worker *self, void *item, void *ctx)
{
    *(uint64_t *)item = wall_ns();
    return 0;
}

static int stamp_later(weft_worker *self, void *item, void *ctx)
{
    struct timespec pause = { .tv_nsec = 200000 };

    nanosleep(&pause, NULL);
    return stamp(self, item, ctx);
}

/* Takes the items of a pipeline whose last stage says when it had them. */
static void measure_hand_off(weft_sched *sched, uint64_t items,
                             weft_stage_fn *last, const char *what)
{
    struct job job = { .items = items };
    weft_error why = { "" };
    struct weft_run *run;
    double *took = malloc(items * sizeof *took);
    void *item;

    must(took ? 0 : -ENOMEM, "no memory");
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_source(p, "numbers", next_number, &job);
    weft_stage(p, weft_config(stage, .name = "last", .fn = last, .tokens = 1));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = compiled(p);
    must(weft_start(&run, sched, plan, &why), why.text);
    for (uint64_t i = 0; i < items; i++) {
        must(weft_next(run, &item, -1, &why) == 1 ? 0 : -EIO, why.text);
        took[i] = (double)(wall_ns() - *(uint64_t *)item) / 1000;
        weft_release(item);
    }
    must(weft_wait(run, -1, &why), why.text);
    weft_run_destroy(run);
    weft_plan_destroy(plan);

    qsort(took, items, sizeof *took, by_value);
    printf("  %-34s p50 %7.1f us, p99 %7.1f us\n", what, took[items / 2],
           took[items * 99 / 100]);
    free(took);
}

int main(int argc, char **argv)
{
    uint64_t items = argument(argc, argv, 1, 200000);
    weft_sched *sched = sched_of((unsigned)argument(argc, argv, 2, 0));

    measure_stages(sched, items);
    printf("from the last stage to the consumer\n");
    measure_hand_off(sched, items / 100, stamp_later,
                     "it sleeps: an item in 200 us");
    measure_hand_off(sched, items, stamp, "it is busy: 64 slots, all full");
    weft_sched_destroy(sched);
    return 0;
}

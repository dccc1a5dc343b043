/* many_chains.c: a thousand chains of three pauses, all in flight at once, on
 * one worker. Together they take about as long as one: who pauses is in a list
 * of timers, and neither a worker nor a thread of its own waits for it.
 *
 * The pauses stand for what a program really waits for: a server, a child
 * process, a card. */
#include <stdio.h>
#include <time.h>
#include <weft/weft.h>

enum { CHAINS = 1000, STEPS = 3, PAUSE_MS = 1 };

struct chain {
    struct weft_io io; /* of the step that it is at */
    unsigned steps;    /* that are behind it */
};

static int start_chain(weft_worker *self, void *item, void *started)
{
    *(struct chain *)item = (struct chain){ .steps = 0 };
    return (*(unsigned *)started)++ < CHAINS ? 0 : WEFT_END;
}

static int begin_pause(weft_worker *self, void *item, struct weft_io **io,
                       void *ctx)
{
    struct chain *c = item;

    c->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = PAUSE_MS * 1000000u };
    *io = &c->io;
    return 0;
}

static int end_pause(weft_worker *self, void *item, void *ctx)
{
    ((struct chain *)item)->steps++;
    return 0;
}

/* One at a time: it has the only token of its stage. */
static int count_chain(weft_worker *self, void *item, void *ended)
{
    *(unsigned *)ended += ((struct chain *)item)->steps == STEPS;
    return 0;
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

int main(void)
{
    const char *const steps[STEPS] = { "ask", "wait", "look again" };
    unsigned started = 0, ended = 0;
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_error why;

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct chain), .slots = CHAINS }));
    weft_source(p, "start", start_chain, &started);
    for (int i = 0; i < STEPS; i++)
        weft_stage(p, weft_config(stage, .name = steps[i], .kind = WEFT_IO,
                                  .describe = begin_pause, .fn = end_pause,
                                  .tokens = WEFT_UNLIMITED));
    weft_stage(p, weft_config(stage, .name = "count", .fn = count_chain,
                              .ctx = &ended, .tokens = 1));

    int rc = weft_pipeline_compile(&plan, p, &why);
    if (!rc)
        rc = weft_sched_create(&sched, weft_config(sched, .workers = 1), &why);
    double start = now_ms();
    if (!rc)
        rc = weft_run(sched, plan, &why);
    double took = now_ms() - start;
    if (rc)
        fprintf(stderr, "many_chains: %s\n", why.text);
    else
        printf("%u chains ended, after pauses of %d ms in all\n"
               "it took %.0f ms\n",
               ended, CHAINS * STEPS * PAUSE_MS, took);

    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    return rc != 0 || fflush(stdout);
}

/* loader.c: two data sets are loaded at once, by two runs of one plan:
 *
 *     download -> decode -> batch -> transfer -> the consumer
 *
 * Downloads wait for the network, without a thread; some are tried again, one
 * is lost. A transfer runs on a thread of its own run, and needs the only token
 * of the card, which the runs share. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

enum { SETS = 2, EPOCHS = 2, PAGES = 10, BATCH = 4 };

/* What a run has to itself. */
struct set {
    const char *name;
    unsigned epoch, pages; /* of the source */
    _Atomic unsigned lost; /* workers count it */
};

struct page {
    struct weft_io io;
    char text[16];
    int value;
};

struct batch {
    int count, values[BATCH], sum;
};

static int card[BATCH]; /* used by who has the token */

static int next_page(weft_worker *self, void *item, void *ctx)
{
    struct set *set = weft_run_context(item);

    if (set->epoch == EPOCHS)
        return WEFT_END;
    if (set->pages == PAGES) {
        set->pages = 0;
        set->epoch++;
        return WEFT_EPOCH;
    }
    set->pages++;
    return 0;
}

static int ask(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct page *p = item;

    p->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 500000 };
    *io = &p->io;
    return 0;
}

static int arrive(weft_worker *self, void *item, void *ctx)
{
    uint64_t n = weft_item_number(item);

    if (n == 7 || (n % 5 == 3 && weft_item_attempt(item) == 1))
        return weft_fail(item, -EAGAIN, "page %" PRIu64 " got lost", n);
    snprintf(((struct page *)item)->text, 16, "page %" PRIu64, n);
    return 0;
}

static int decode(weft_worker *self, void *item, void *ctx)
{
    struct page *p = item;

    return sscanf(p->text, "page %d", &p->value) == 1 ? 0 : -EINVAL;
}

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct batch *b = batch;

    b->values[b->count++] = ((struct page *)item)->value;
    return 0;
}

static void clear(void *batch, void *ctx)
{
    memset(batch, 0, sizeof(struct batch));
}

static int transfer(weft_worker *none, void *item, void *ctx)
{
    struct batch *b = item;

    memcpy(card, b->values, sizeof card);
    for (int i = 0; i < b->count; i++)
        b->sum += card[i];
    return 0;
}

static void lose(const struct weft_failure *f, void *item, void *ctx)
{
    ((struct set *)weft_run_context(item))->lost++;
}

static weft_pipeline *draw(const struct weft_use *use)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct page) },
                    .failures = { .policy = WEFT_SKIP }, .on_failure = lose));

    weft_source(p, "pages", next_page, NULL);
    weft_stage(p, weft_config(stage, .name = "download", .kind = WEFT_IO,
                              .describe = ask, .fn = arrive,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    weft_stage(p, weft_config(stage, .name = "decode", .fn = decode));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = add,
                               .count = BATCH, .order = WEFT_INPUT,
                               .items = { .bytes = sizeof(struct batch),
                                          .slots = 4,
                                          .reset = clear }));
    weft_stage(p,
               weft_config(stage, .name = "transfer", .fn = transfer,
                           .kind = WEFT_PINNED, .uses = use, .use_count = 1));
    weft_consumer(p, WEFT_INPUT);
    return p;
}

/* Takes one epoch: 0, or what else ended it. */
static int train(struct weft_run *run, const char *name, weft_error *why)
{
    void *item;
    int rc;

    while ((rc = weft_next(run, &item, -1, why)) == 1) {
        const struct batch *b = item;
        printf("%s: epoch %" PRIu64 ", %d pages, sum %d\n", name,
               weft_item_epoch(item), b->count, b->sum);
        weft_release(item);
    }
    return rc == WEFT_EPOCH ? 0 : rc;
}

static void report(struct weft_run *run, const struct set *set)
{
    struct weft_stage_stats s;

    printf("%s: %u lost\n", set->name, set->lost);
    for (unsigned i = 0; !weft_run_stage(run, i, &s); i++)
        printf("    %-9s in %2" PRIu64 ", done %2" PRIu64 ", failed %" PRIu64
               ", retried %" PRIu64 "\n",
               s.name, s.in, s.done, s.failed, s.retried);
}

int main(void)
{
    struct set sets[SETS] = { { .name = "photos" }, { .name = "texts" } };
    struct weft_run *runs[SETS] = { NULL };
    struct weft_limit_stats stats;
    weft_sched *sched = NULL;
    weft_limit *limit = NULL;
    weft_plan *plan = NULL;
    weft_error why;

    int rc = weft_limit_create(
        &limit, weft_config(limit, .name = "card", .tokens = 1), &why);
    weft_pipeline *p = draw(&(struct weft_use){ .limit = limit });
    if (!rc)
        rc = weft_pipeline_compile(&plan, p, &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    for (int i = 0; !rc && i < SETS; i++)
        rc = weft_start_with(&runs[i], sched, plan,
                             weft_config(run, .ctx = &sets[i]), &why);
    for (int epoch = 0; epoch < EPOCHS; epoch++)
        for (int i = 0; !rc && i < SETS; i++)
            rc = train(runs[i], sets[i].name, &why);
    for (int i = 0; !rc && i < SETS; i++)
        rc = weft_wait(runs[i], -1, &why);
    for (int i = 0; !rc && i < SETS; i++)
        report(runs[i], &sets[i]);
    if (rc)
        fprintf(stderr, "loader: %s\n", why.text);
    for (int i = 0; i < SETS; i++) {
        if (rc && runs[i])
            weft_cancel(runs[i]);
        weft_run_destroy(runs[i]);
    }
    if (!rc) {
        weft_limit_stats(limit, &stats);
        printf("%s: %" PRIu64 " transfers, %u at a time\n", stats.name,
               stats.granted, stats.peak);
    }
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    weft_limit_destroy(limit);
    return rc != 0 || fflush(stdout);
}

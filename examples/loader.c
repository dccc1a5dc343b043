/* loader.c: one pipeline loads what a model is trained with, another what it is
 * validated with, at the same time and with one card:
 *
 *     pages -> download -> decode -> augment -> batch -> transfer -> consumer
 *     array -> download -> decode ------------> batch -> transfer -> score
 *
 * Downloads wait for the network, without a thread; some are tried again, one
 * is lost. Each pipeline has a thread that transfers, and a transfer needs the
 * only token of the card, which they share: what is in the card's memory is of
 * one batch at a time. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weft/weft.h>

enum { EPOCHS = 2, PAGES = 10, MOST = 4 };

struct page {
    int number;
    struct weft_io io;
    char text[16];
    int value;
};

struct batch {
    int count, values[MOST], sum;
};

struct card {
    weft_limit *token;
    _Atomic unsigned inside, transfers, overlaps; /* as transfer counts them */
    int memory[MOST];
};

struct training {
    int pages, epochs; /* that are behind the source */
    _Atomic unsigned lost;
};

/* ---- what both of them do ------------------------------------------------ */

static int ask(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct page *p = item;

    p->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 500000 };
    *io = &p->io;
    return 0;
}

static int arrive(weft_worker *self, void *item, void *ctx)
{
    struct page *p = item;

    if (p->number == 7 || (p->number % 5 == 3 && weft_item_attempt(item) == 1))
        return weft_fail(item, -EAGAIN, "page %d got lost", p->number);
    snprintf(p->text, sizeof p->text, "page %d", p->number);
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

static const struct weft_items batches = { .bytes = sizeof(struct batch),
                                           .slots = 4,
                                           .reset = clear };

static int transfer(weft_worker *none, void *item, void *ctx)
{
    struct card *card = ctx;
    struct batch *b = item;

    if (card->inside++) /* somebody else is */
        card->overlaps++;
    memcpy(card->memory, b->values, sizeof b->values);
    usleep(500);
    for (int i = 0; i < b->count; i++)
        b->sum += card->memory[i];
    card->transfers++;
    card->inside--;
    return 0;
}

static void draw_download(weft_pipeline *p)
{
    weft_stage(p, weft_config(stage, .name = "download", .kind = WEFT_IO,
                              .describe = ask, .fn = arrive,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    weft_stage(p, weft_config(stage, .name = "decode", .fn = decode));
}

static void draw_transfer(weft_pipeline *p, struct card *card,
                          enum weft_kind thread)
{
    const struct weft_use token = { .limit = card->token };

    weft_stage(p, weft_config(stage, .name = "transfer", .fn = transfer,
                              .ctx = card, .kind = thread, .uses = &token,
                              .use_count = 1));
}

/* ---- the one: in epochs, for who takes its batches ----------------------- */

static int next_page(weft_worker *self, void *item, void *ctx)
{
    struct training *t = ctx;

    if (t->epochs == EPOCHS)
        return WEFT_END;
    if (t->pages == (t->epochs + 1) * PAGES) {
        t->epochs++;
        return WEFT_EPOCH;
    }
    ((struct page *)item)->number = t->pages++;
    return 0;
}

static int augment(weft_worker *self, void *item, void *ctx)
{
    ((struct page *)item)->value *= 10;
    return 0;
}

static void lose(const struct weft_failure *f, void *item, void *ctx)
{
    ((struct training *)ctx)->lost++;
}

static weft_pipeline *draw_training(struct training *t, struct card *card)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct page) },
        .failures = { .policy = WEFT_SKIP }, .on_failure = lose, .ctx = t));

    weft_source(p, "pages", next_page, t);
    draw_download(p);
    weft_stage(p, weft_config(stage, .name = "augment", .fn = augment));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = add, .count = 4,
                               .order = WEFT_INPUT, .items = batches));
    draw_transfer(p, card, WEFT_PINNED);
    weft_consumer(p, WEFT_INPUT);
    return p;
}

/* Takes all batches: 0, or why there are no more. */
static int train(struct weft_run *run, weft_error *why)
{
    void *item;
    int rc;

    while ((rc = weft_next(run, &item, -1, why)) > 0) {
        if (rc == WEFT_EPOCH) {
            puts("training: an epoch has ended");
            continue;
        }
        const struct batch *b = item;
        printf("training: %d pages, sum %d\n", b->count, b->sum);
        weft_release(item);
    }
    return rc;
}

/* ---- the other: once, all that there is ---------------------------------- */

static int score(weft_worker *self, void *item, void *ctx)
{
    *(int *)ctx += ((struct batch *)item)->sum;
    return 0;
}

static weft_pipeline *draw_validation(int *sum, struct card *card)
{
    static const int pages[PAGES] = { 100, 101, 102, 103, 104,
                                      105, 106, 107, 108, 109 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct page) }));

    weft_source_array(p, "pages", pages, PAGES, sizeof *pages);
    draw_download(p);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = add, .count = 3,
                               .items = batches));
    draw_transfer(p, card, WEFT_BLOCKING);
    weft_stage(p, weft_config(stage, .name = "score", .fn = score, .ctx = sum,
                              .tokens = 1));
    return p;
}

/* ---- both ---------------------------------------------------------------- */

static void report(const char *name, struct weft_run *run)
{
    struct weft_stage_stats s;

    printf("%s\n", name);
    for (unsigned i = 0; !weft_run_stage(run, i, &s); i++)
        printf("    %-9s in %2" PRIu64 ", done %2" PRIu64 ", failed %" PRIu64
               ", retried %" PRIu64 "\n",
               s.name, s.in, s.done, s.failed, s.retried);
}

/* Runs both at once: 0, or what went wrong. */
static int load(weft_sched *sched, weft_plan *const plans[2], weft_error *why)
{
    static const char *const names[2] = { "training", "validation" };
    struct weft_run *runs[2] = { NULL };
    int rc = 0;

    for (int i = 0; !rc && i < 2; i++)
        rc = weft_start(&runs[i], sched, plans[i], why);
    if (!rc)
        rc = train(runs[0], why);
    for (int i = 0; !rc && i < 2; i++)
        rc = weft_wait(runs[i], -1, why);
    for (int i = 0; !rc && i < 2; i++)
        report(names[i], runs[i]);
    for (int i = 0; i < 2; i++) {
        if (rc && runs[i])
            weft_cancel(runs[i]);
        weft_run_destroy(runs[i]);
    }
    return rc;
}

int main(void)
{
    struct card card = { .token = NULL };
    struct training training = { .epochs = 0 };
    weft_pipeline *p[2] = { NULL };
    weft_plan *plans[2] = { NULL };
    weft_sched *sched = NULL;
    weft_error why;
    int sum = 0;

    int rc = weft_limit_create(
        &card.token, weft_config(limit, .name = "card", .tokens = 1), &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    p[0] = draw_training(&training, &card);
    p[1] = draw_validation(&sum, &card);
    for (int i = 0; !rc && i < 2; i++)
        rc = weft_pipeline_compile(&plans[i], p[i], &why);
    if (!rc)
        rc = load(sched, plans, &why);
    if (rc)
        fprintf(stderr, "loader: %s\n", why.text);
    else
        printf("%u lost, validated: %d\n"
               "card: %u transfers, %u overlapped\n",
               training.lost, sum, card.transfers, card.overlaps);

    weft_sched_destroy(sched);
    for (int i = 0; i < 2; i++) {
        weft_plan_destroy(plans[i]);
        weft_pipeline_destroy(p[i]);
    }
    weft_limit_destroy(card.token);
    return rc != 0 || fflush(stdout);
}

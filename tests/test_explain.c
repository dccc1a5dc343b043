/* test_explain.c: graph/explain.c, account.c and bounds.c: the bottleneck of a
 * run, and what more of it would give.
 *
 * Each case is built so that its bottleneck is known. It runs as it is, and as
 * the advice says, three times each. The gain that was predicted is compared
 * with the one that was measured: the medians. All of this, and all cases, run
 * at the same time: they sleep, and take nothing from each other. They sleep
 * for so long that being woken late does not matter. */
#include "tests/built.h"

/* ---- the cases --------------------------------------------------------- */

/* What is changed as the advice says. */
enum remedy { TOKEN, LIMIT_TOKEN, WORKER, SLOTS, KNOT_SLOTS, BYTES, ALL };

struct built {
    const char *fact;
    struct shape before;
    enum remedy remedy;
    unsigned knot; /* TOKEN, KNOT_SLOTS: whose */
    int what;
    const char *stage, *says; /* the sentence, up to the first figure */
    double least, most;       /* gain, if no thread ever were late */
    /* while it is measured */
    struct shape after;
    struct trial is[TRIES], becomes[TRIES];
    pthread_t threads[2 * TRIES];
};

static struct built cases[] = {
    { .fact = "a slow serial stage gets faster until the next one is it",
      .before = { .knots = { { NAP, "quick", 40, 4 },
                             { NAP, "slow", 100, 1 },
                             { NAP, "next", 70, 1 } } },
      .remedy = TOKEN,
      .knot = 1,
      .what = WEFT_BY_STAGE,
      .stage = "slow",
      .says = "stage 'slow' is the bottleneck: its one token was in use ",
      .least = 1.3,
      .most = 1.5 },
    { .fact = "one more of too few tokens",
      .before = { .knots = { { NAP, "fetch", 120, 3 } } },
      .remedy = TOKEN,
      .knot = 0,
      .what = WEFT_BY_STAGE,
      .stage = "fetch",
      .says = "stage 'fetch' is the bottleneck: its 3 tokens were in use ",
      .least = 1.3,
      .most = 1.4 },
    { .fact = "nothing helps against a slow source",
      .before = { .source_ms = 80, .knots = { { NAP, "fetch", 100, 2 } } },
      .remedy = ALL,
      .what = WEFT_BY_SOURCE,
      .stage = "source",
      .says = "source 'source' is the bottleneck: it was making an item ",
      .least = 1,
      .most = 1.02 },
    { .fact = "nothing helps against slow feeding",
      .before = { .source_ms = 80,
                  .fed = true,
                  .knots = { { NAP, "fetch", 100, 2 } } },
      .remedy = ALL,
      .what = WEFT_BY_SOURCE,
      .stage = "source",
      .says = "source 'source' is the bottleneck: it could have been fed ",
      .least = 1,
      .most = 1.02 },
    { .fact = "nothing helps against a slow consumer",
      .before = { .consumer_ms = 80, .knots = { { NAP, "fetch", 100, 2 } } },
      .remedy = ALL,
      .what = WEFT_BY_CONSUMER,
      .stage = "consumer",
      .says = "the consumer is the bottleneck: it did not wait for an item ",
      .least = 1,
      .most = 1.02 },
    /* Callbacks that sleep hold a worker, and leave the processor to others: so
     * the gain does not depend on how many cores this machine has to spare. */
    { .fact = "one more of too few workers",
      .before = { .workers = 1,
                  .knots = { { HOLD, "decode", 60 }, { HOLD, "resize", 30 } } },
      .remedy = WORKER,
      .what = WEFT_BY_WORKERS,
      .stage = "decode",
      .says = "the one worker is the bottleneck: ",
      .least = 1.95,
      .most = 2.05 },
    { .fact = "twice as many of too few slots",
      .before = { .slots = 4, .knots = { { NAP, "fetch", 160, 16 } } },
      .remedy = SLOTS,
      .what = WEFT_BY_SLOTS,
      .stage = "source",
      .says =
          "the slots behind 'source' are the bottleneck: items at work had ",
      .least = 1.9,
      .most = 2.1 },
    { .fact = "twice as many slots for batches",
      .before = { .knots = { { NAP, "read", 30, 2 },
                             { GATHER, "batch", .count = 4, .slots = 1 },
                             { NAP, "train", 100, 2 } } },
      .remedy = KNOT_SLOTS,
      .knot = 1,
      .what = WEFT_BY_SLOTS,
      .stage = "batch",
      .says = "the slots behind 'batch' are the bottleneck: items at work had ",
      .least = 1.5,
      .most = 1.8 },
    /* One of two slots has the batch that fills. */
    { .fact = "twice as many slots for batches that fill",
      .before = { .slots = 2,
                  .knots = { { NAP, "read", 20, 2 },
                             { GATHER, "batch", .count = 4, .slots = 2 },
                             { NAP, "train", 100, 2 } } },
      .remedy = KNOT_SLOTS,
      .knot = 1,
      .what = WEFT_BY_SLOTS,
      .stage = "batch",
      .says = "the slots behind 'batch' are the bottleneck: items at work had ",
      .least = 1.15,
      .most = 1.25 },
    { .fact = "twice as much room in a path",
      .before = { .knots = { { PATH, "fetch", 120, 8, .slots = 2 } } },
      .remedy = KNOT_SLOTS,
      .knot = 0,
      .what = WEFT_BY_SLOTS,
      .stage = "router",
      .says = "path 'only' of 'router' is the bottleneck: items at work had ",
      .least = 1.9,
      .most = 2.1 },
    { .fact = "twice the budget",
      .before = { .cost = 1000,
                  .budget = 3000,
                  .knots = { { NAP, "fetch", 120, 16 } } },
      .remedy = BYTES,
      .what = WEFT_BY_BUDGET,
      .stage = "",
      .says = "the budget is the bottleneck: items at work had ",
      .least = 1.9,
      .most = 2.1 },
    /* Two items fit, and then five. */
    { .fact = "twice a budget of which a part is too little for an item",
      .before = { .cost = 1000,
                  .budget = 2500,
                  .knots = { { NAP, "fetch", 120, 16 } } },
      .remedy = BYTES,
      .what = WEFT_BY_BUDGET,
      .stage = "",
      .says = "the budget is the bottleneck: items at work had ",
      .least = 2.4,
      .most = 2.6 },
    { .fact = "what an item has from a stage on takes the place of what it had",
      .before = { .slots = 7,
                  .budget = 9000,
                  .knots = { { NAP, "read", 80, 4, .bytes = 1000 },
                             { NAP, "decode", 120, 3, .bytes = 1500 } } },
      .remedy = TOKEN,
      .knot = 1,
      .what = WEFT_BY_STAGE,
      .stage = "decode",
      .says = "stage 'decode' is the bottleneck: its 3 tokens were in use ",
      .least = 1.25,
      .most = 1.4 },
    { .fact = "one more token of a limit that is shared with another run",
      .before = { .limit_tokens = 2,
                  .rival_ms = 60,
                  .knots = { { LIMIT, "copy", 40, 4 } } },
      .remedy = LIMIT_TOKEN,
      .what = WEFT_BY_LIMIT,
      .stage = "copy",
      .says = "limit 'gpu' is the bottleneck: it is shared, and ",
      .least = 1.4,
      .most = 1.6 },
    { .fact = "a token behind a gather gives batches",
      .before = { .slots = 5,
                  .knots = { { NAP, "read", 30, 2 },
                             { GATHER, "batch", .count = 4, .slots = 2 },
                             { NAP, "train", 100, 1 } } },
      .remedy = TOKEN,
      .knot = 2,
      .what = WEFT_BY_STAGE,
      .stage = "train",
      .says = "stage 'train' is the bottleneck: its one token was in use ",
      .least = 1.5,
      .most = 1.8 },
    { .fact = "a token behind a scatter gives pieces",
      .before = { .slots = 5,
                  .knots = { { NAP, "list", 100, 2 },
                             { SCATTER, "split", .count = 3, .slots = 8 },
                             { NAP, "piece", 60, 1 } } },
      .remedy = TOKEN,
      .knot = 2,
      .what = WEFT_BY_STAGE,
      .stage = "piece",
      .says = "stage 'piece' is the bottleneck: its one token was in use ",
      .least = 1.8,
      .most = 2.1 },
    /* One of four takes long, and the others wait for it, in three slots. */
    { .fact = "twice as many of the slots that are full of who waits its turn",
      .before = { .slots = 4,
                  .knots = { { NAP, "uneven", 10, 4, .late_ms = 360 },
                             { NAP, "serial", 60, 1, .in_order = true } } },
      .remedy = SLOTS,
      .what = WEFT_BY_SLOTS,
      .stage = "source",
      .says = "the slots behind 'source' are the bottleneck: ",
      .least = 1.7,
      .most = 1.8 },
    /* The stage is idle in between, but not for long. */
    { .fact = "twice as many slots for a stage that serves in bursts",
      .before = { .slots = 4,
                  .knots = { { NAP, "uneven", 10, 4, .late_ms = 270 },
                             { NAP, "serial", 60, 1, .in_order = true } } },
      .remedy = SLOTS,
      .what = WEFT_BY_SLOTS,
      .stage = "source",
      .says = "the slots behind 'source' are the bottleneck: ",
      .least = 1.3,
      .most = 1.4 },
    { .fact = "twice as many slots for a consumer that wants the order",
      .before = { .consumer_ms = 1,
                  .slots = 4,
                  .in_order = true,
                  .knots = { { NAP, "uneven", 10, 16, .late_ms = 400 } } },
      .remedy = SLOTS,
      .what = WEFT_BY_SLOTS,
      .stage = "source",
      .says = "the slots behind 'source' are the bottleneck: ",
      .least = 1.9,
      .most = 2.1 },
    /* Those before the gather are as full. */
    { .fact = "twice as many slots for batches that wait for their turn",
      .before = { .knots = { { GATHER, "batch", .count = 2, .slots = 4 },
                             { NAP, "uneven", 10, 4, .late_ms = 360 },
                             { NAP, "serial", 60, 1, .in_order = true } } },
      .remedy = KNOT_SLOTS,
      .knot = 0,
      .what = WEFT_BY_SLOTS,
      .stage = "batch",
      .says = "the slots behind 'batch' are the bottleneck: ",
      .least = 1.7,
      .most = 1.8 },
    { .fact = "twice the budget for items that wait for their turn",
      .before = { .slots = 8,
                  .cost = 1000,
                  .budget = 4000,
                  .knots = { { NAP, "uneven", 10, 4, .late_ms = 360 },
                             { NAP, "serial", 60, 1, .in_order = true } } },
      .remedy = BYTES,
      .what = WEFT_BY_BUDGET,
      .stage = "",
      .says = "the budget is the bottleneck: ",
      .least = 1.7,
      .most = 1.8 },
    { .fact = "one more helper thread is one more token",
      .before = { .knots = { { BLOCK, "query", 120, 2 } } },
      .remedy = TOKEN,
      .knot = 0,
      .what = WEFT_BY_STAGE,
      .stage = "query",
      .says = "stage 'query' is the bottleneck: its 2 tokens were in use ",
      .least = 1.4,
      .most = 1.6 },
    { .fact = "a pinned stage has one thread whatever its tokens",
      .before = { .knots = { { PIN, "sqlite", 80, 2 } } },
      .remedy = TOKEN,
      .knot = 0,
      .what = WEFT_BY_STAGE,
      .stage = "sqlite",
      .says = "the thread of 'sqlite' is the bottleneck: it was in a callback ",
      .least = 1,
      .most = 1.02 },
};

enum { CASES = sizeof cases / sizeof cases[0] };

static struct shape with(const struct built *b)
{
    struct shape s = b->before;

    switch (b->remedy) {
    case TOKEN:
        s.knots[b->knot].tokens++;
        break;
    case LIMIT_TOKEN:
        s.limit_tokens++;
        break;
    case WORKER:
        s.workers++;
        break;
    case SLOTS:
        s.slots *= 2;
        break;
    case KNOT_SLOTS:
        s.knots[b->knot].slots *= 2;
        break;
    case BYTES:
        s.budget *= 2;
        break;
    case ALL:
        s.knots[0].tokens++;
        s.slots = 32;
        break;
    }
    return s;
}

/* The gain that is predicted for it. */
static double predicted(const struct built *b, const struct weft_advice *a)
{
    const double *more[] = {
        [TOKEN] = &a->more_tokens,     [LIMIT_TOKEN] = &a->more_tokens,
        [WORKER] = &a->more_workers,   [SLOTS] = &a->more_slots,
        [KNOT_SLOTS] = &a->more_slots, [BYTES] = &a->more_bytes,
        [ALL] = &a->more_tokens,
    };

    return *more[b->remedy] / a->items_per_s;
}

static double median(const double *of)
{
    double low = of[0] < of[1] ? of[0] : of[1];
    double high = of[0] < of[1] ? of[1] : of[0];
    return of[2] < low ? low : of[2] > high ? high : of[2];
}

static void start_case(struct built *b, weft_sched *sched)
{
    b->after = with(b);
    for (int i = 0; i < TRIES; i++) {
        b->is[i] = (struct trial){ .shape = &b->before, .sched = sched };
        b->becomes[i] = (struct trial){ .shape = &b->after, .sched = sched };
        pthread_create(&b->threads[2 * i], NULL, measure, &b->is[i]);
        pthread_create(&b->threads[2 * i + 1], NULL, measure, &b->becomes[i]);
    }
}

/* More of anything gives nothing, says the advice. */
static bool nothing_helps(const struct weft_advice *a)
{
    return a->more_tokens < 1.02 * a->items_per_s &&
           a->more_workers < 1.02 * a->items_per_s &&
           a->more_slots < 1.02 * a->items_per_s &&
           a->more_bytes < 1.02 * a->items_per_s;
}

/* The advice names what is known to be too little. */
static bool is_right(const struct built *b, const struct trial *t)
{
    const struct weft_advice *a = &t->advice;
    bool shared = b->remedy == LIMIT_TOKEN;

    return (int)a->what == b->what && (int)t->whole.what == b->what &&
           strcmp(t->stage_name, b->stage) == 0 &&
           strncmp(a->sentence.text, b->says, strlen(b->says)) == 0 &&
           a->use > 0.7 && (b->remedy != ALL || nothing_helps(a)) &&
           strcmp(t->limit_name, shared ? "gpu" : "") == 0 &&
           (!shared || (a->others > 0.5 && a->others < 0.7)); /* 60 to 40 */
}

/* Returns whether the advice was right, and the gain as predicted. */
static bool finish_case(struct built *b)
{
    double p[TRIES], m[TRIES];
    bool right = true;

    for (int i = 0; i < 2 * TRIES; i++)
        pthread_join(b->threads[i], NULL);
    for (int i = 0; i < TRIES; i++) {
        p[i] = predicted(b, &b->is[i].advice);
        m[i] = b->becomes[i].items_per_s / b->is[i].items_per_s;
        right &= is_right(b, &b->is[i]);
    }
    printf("%s:\n    %s\n    predicted %.3f, measured %.3f\n", b->fact,
           b->is[0].advice.sentence.text, median(p), median(m));
    return right && median(p) > b->least - 0.2 && median(p) < b->most + 0.2 &&
           median(m) > 0.85 * median(p) && median(m) < 1.15 * median(p);
}

/* A case is built again if it does not come out: other programs may have had
 * the cores just when one of the two was measured. */
Test(explain, the_gain_that_is_predicted_is_the_one_that_is_measured,
     .timeout = 120)
{
    weft_sched *sched = loose_workers(4);
    bool done[CASES] = { false };
    unsigned right = 0;

    for (unsigned again = 0; again < 6 && right < CASES; again++) {
        for (unsigned i = 0; i < CASES; i++)
            if (!done[i])
                start_case(&cases[i], sched);
        for (unsigned i = 0; i < CASES; i++)
            if (!done[i])
                right += done[i] = finish_case(&cases[i]);
    }
    cr_assert_eq(right, CASES);
    weft_sched_destroy(sched);
}

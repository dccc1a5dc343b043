/* portrait.c: what a pipeline looks like, with what a run has done on it.
 *
 * Each segment is a group. A fork is not drawn: the paths lead out of their
 * router, under their names. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "graph/bounds.h"
#include "graph/line.h"
#include "graph/picture.h"

struct portrait {
    const struct picture *picture;
    const struct pipeline_plan *plan;
    struct pipeline_run *run;       /* or NULL, and then there is nothing of: */
    struct weft_stage_stats *stats; /* one a stage */
    double *use;                    /* of each: 0 .. 1; or -1 */
    struct weft_advice advice;
};

/* ---- what is said of a stage ------------------------------------------- */

static void put_count(struct line *line, unsigned n, const char *what)
{
    wf_put(line, "%u %s%s", n, what, n == 1 ? "" : "s");
}

static void put_tokens(struct line *line, const struct portrait *p, unsigned i)
{
    const struct stage *stage = &p->plan->stages[i];
    unsigned tokens = wf_stage_tokens(stage, 0);

    if (p->run)
        tokens = p->stats[i].tokens ? p->stats[i].tokens : WEFT_UNLIMITED;
    if (tokens == WEFT_UNLIMITED)
        wf_put(line, "unlimited");
    else if (!tokens)
        wf_put(line, "a token per worker");
    else
        put_count(line, tokens, "token");
}

static void put_stage(struct line *line, const struct portrait *p, unsigned i)
{
    static const char *const where[] = { [WEFT_CPU] = "",
                                         [WEFT_IO] = "I/O, ",
                                         [WEFT_BLOCKING] = "blocking, ",
                                         [WEFT_PINNED] = "pinned, " };
    const struct stage *stage = &p->plan->stages[i];

    wf_put(line, "%s", where[stage->where]);
    put_tokens(line, p, i);
    for (unsigned k = 0; k < stage->use_count; k++)
        wf_put(line, ", takes %u of '%s'", stage->uses[k].tokens,
               wf_limit_name(stage->uses[k].limit));
    if (stage->retry.attempts > 1)
        wf_put(line, ", %u attempts", stage->retry.attempts);
    if (stage->deadline_ms)
        wf_put(line, ", within %u ms", stage->deadline_ms);
}

static void put_source(struct line *line, const struct stage *stage)
{
    if (stage->array)
        wf_put(line, "array of %zu", stage->array_count);
    else
        wf_put(line, "%s", stage->fed ? "fed from outside" : "source");
}

static void put_kind(struct line *line, const struct portrait *p, unsigned i)
{
    const struct stage *stage = &p->plan->stages[i];

    switch (stage->kind) {
    case SOURCE:
        put_source(line, stage);
        break;
    case GATHER:
        if (stage->count)
            wf_put(line, "gathers %u", stage->count);
        else
            wf_put(line, "gathers until full");
        wf_put(line, stage->drop_rest ? ", drops the rest" : "");
        break;
    case SCATTER:
        wf_put(line, "scatters");
        break;
    case ROUTER:
        wf_put(line, "routes, ");
        put_tokens(line, p, i);
        break;
    case MERGE:
        wf_put(line, stage->in_turns ? "merges in turns" : "merges");
        break;
    case CONSUMER: /* its name says it */
    case JOIN:
        wf_put(line, stage->ordered ? "in order" : "");
        return;
    default:
        put_stage(line, p, i);
    }
    wf_put(line, stage->ordered ? ", in order" : "");
}

/* What the run has done there. */
static void put_run(struct line *line, const struct portrait *p, unsigned i)
{
    const struct weft_stage_stats *s = &p->stats[i];
    const struct {
        uint64_t count;
        const char *what;
    } also[] = { { s->filtered, "filtered" },
                 { s->failed, "failed" },
                 { s->retried, "retried" } };

    wf_put(line, "%s%" PRIu64 " in, %" PRIu64 " out", line->length ? "\n" : "",
           s->in, s->done);
    for (unsigned k = 0; k < sizeof also / sizeof also[0]; k++)
        if (also[k].count)
            wf_put(line, ", %" PRIu64 " %s", also[k].count, also[k].what);
    if (p->use[i] >= 0)
        wf_put(line, "\nin use %.0f %%", 100 * p->use[i]);
}

/* ---- the bottleneck ---------------------------------------------------- */

static bool is_marked(const struct portrait *p, unsigned i)
{
    const char *named = p->advice.stage;

    if (!p->run || !named || strcmp(named, p->plan->stages[i].name) != 0)
        return false;
    switch (p->advice.what) {
    case WEFT_BY_SOURCE:
    case WEFT_BY_STAGE:
    case WEFT_BY_LIMIT:
    case WEFT_BY_CONSUMER:
        return true;
    case WEFT_BY_SLOTS: /* of a path */
        return p->plan->stages[i].kind == ROUTER;
    default:
        return false;
    }
}

static bool is_group_marked(const struct portrait *p, unsigned segment)
{
    const char *feeder =
        p->plan->stages[p->plan->segments[segment].feeder].name;

    return p->run && p->advice.what == WEFT_BY_SLOTS &&
           strcmp(p->advice.stage, feeder) == 0;
}

/* ---- drawing ----------------------------------------------------------- */

static void draw_stage(const struct portrait *p, unsigned i)
{
    static const enum node_shape shapes[] = {
        [SOURCE] = ENDS,        [STAGE] = DOES,     [GATHER] = JOINS_MANY,
        [SCATTER] = MAKES_MANY, [ROUTER] = CHOOSES, [JOIN] = MEETS,
        [MERGE] = MERGES,       [CONSUMER] = ENDS,
    };
    const struct stage *stage = &p->plan->stages[i];
    struct line more = { "", 0 };

    if (stage->kind == FORK)
        return;
    put_kind(&more, p, i);
    if (p->run && stage->kind != JOIN)
        put_run(&more, p, i);
    wf_picture_node(p->picture, i, shapes[stage->kind],
                    stage->kind == JOIN ? "join" : stage->name, more.text,
                    is_marked(p, i));
}

static void draw_segment(const struct portrait *p, unsigned segment)
{
    const struct segment_plan *s = &p->plan->segments[segment];
    const struct stage *feeder = &p->plan->stages[s->feeder];
    struct line label = { "", 0 };
    struct weft_flow flow;

    wf_put(&label, "%s: ",
           feeder->kind == GATHER    ? "batches"
           : feeder->kind == SCATTER ? "pieces"
                                     : "items");
    put_count(&label, s->items.slots, "slot");
    if (s->items.cost)
        wf_put(&label, ", %" PRIu64 " bytes each", s->items.cost);
    if (p->run) {
        weft_run_flow(&p->run->run, segment, &flow);
        wf_put(&label, ", %" PRIu64 " in flight", flow.in_flight);
    }
    bool marked = is_group_marked(p, segment);
    wf_picture_group(p->picture, segment, label.text, marked);
    for (unsigned i = 0; i < p->plan->stage_count; i++)
        if (p->plan->stages[i].segment == segment)
            draw_stage(p, i);
    wf_picture_group_end(p->picture, segment, marked);
}

/* Out of a router into its paths. */
static void draw_paths(const struct portrait *p, unsigned fork)
{
    const struct stage *f = &p->plan->stages[fork];

    for (unsigned i = 0; i < f->lane_count; i++) {
        struct line label = { "", 0 };
        if (f->lanes[i].name)
            wf_put(&label, "%s: ", f->lanes[i].name);
        wf_put(&label, "at most %u", f->lanes[i].slots);
        wf_picture_edge(p->picture, fork - 1, f->lanes[i].first, label.text);
    }
}

static void draw_edge(const struct portrait *p, unsigned i)
{
    const struct stage *stage = &p->plan->stages[i];
    struct line label = { "", 0 };

    if (stage->kind == FORK) {
        draw_paths(p, i);
        return;
    }
    if (stage->next == NOWHERE || p->plan->stages[stage->next].kind == FORK)
        return;
    const struct stage *next = &p->plan->stages[stage->next];
    if (next->kind == MERGE) {
        unsigned from = stage->segment;
        if (stage->kind == GATHER || stage->kind == SCATTER)
            from = p->plan->segments[from].into;
        const struct lane *lane = &next->lanes[p->plan->segments[from].lane];
        wf_put(&label, "%s", lane->name ? lane->name : "");
        if (lane->weight > 1)
            wf_put(&label, "%sweight %u", lane->name ? ": " : "", lane->weight);
    }
    wf_picture_edge(p->picture, i, stage->next, label.text);
}

static void draw_all(const struct portrait *p)
{
    wf_picture_begin(p->picture, p->run ? p->advice.sentence.text : NULL);
    for (unsigned i = 0; i < p->plan->segment_count; i++)
        draw_segment(p, i);
    for (unsigned i = 0; i < p->plan->stage_count; i++)
        draw_edge(p, i);
    wf_picture_end(p->picture);
}

/* ---- the run ----------------------------------------------------------- */

/* What is known of the use of each stage, its thread, or the consumer. */
static int find_use(struct portrait *p)
{
    struct account a;
    unsigned n;
    int rc = wf_account_take(&a, p->run);

    if (rc)
        return rc;
    struct resource *r = wf_bounds(p->run, &a, &n);
    for (unsigned i = 0; r && i < n; i++) {
        bool is_stage = r[i].kind == OF_SOURCE || r[i].kind == OF_THREAD ||
                        r[i].kind == OF_STAGE || r[i].kind == OF_CONSUMER;
        double use = r[i].use < 1 ? r[i].use : 1;
        if (is_stage && use > p->use[r[i].stage])
            p->use[r[i].stage] = use;
    }
    free(r);
    wf_account_finish(&a);
    return r ? 0 : -ENOMEM;
}

static int read_run(struct portrait *p)
{
    const struct pipeline_plan *plan = p->plan;

    p->stats = calloc(plan->stage_count, sizeof *p->stats);
    p->use = calloc(plan->stage_count, sizeof *p->use);
    if (!p->stats || !p->use)
        return -ENOMEM;
    for (unsigned i = 0; i < plan->stage_count; i++)
        p->use[i] = -1;
    for (unsigned i = 0; i < plan->shown_count; i++)
        weft_run_stage(&p->run->run, i, &p->stats[plan->shown[i]]);
    int rc = weft_pipeline_explain(&p->run->run, NULL, &p->advice);
    if (rc == -ENODATA) { /* it has counts only */
        wf_error(&p->advice.sentence, 0, "no times are taken");
        return 0;
    }
    return rc ? rc : find_use(p);
}

int wf_pipeline_draw(const struct picture *picture, const weft_plan *plan,
                     struct weft_run *run)
{
    struct portrait p = { .picture = picture,
                          .plan = (const struct pipeline_plan *)plan,
                          .run = (struct pipeline_run *)run };
    int rc = run ? read_run(&p) : 0;

    if (!rc)
        draw_all(&p);
    free(p.stats);
    free(p.use);
    return rc;
}

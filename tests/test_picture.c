/* test_picture.c: graph/picture.c and portrait.c: plans as text for programs
 * that draw. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/drawn.h"
#include "tests/everything.h"

static const enum weft_picture both[] = { WEFT_DOT, WEFT_MERMAID };

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static int give_ten(weft_worker *self, void *item, void *ctx)
{
    return (*(unsigned *)ctx)++ < 10 ? 0 : WEFT_END;
}

static int fail_odd(weft_worker *self, void *item, void *ctx)
{
    return weft_item_number(item) % 2 ? -EIO : 0;
}

static int drop_fourth(weft_worker *self, void *item, void *ctx)
{
    return weft_item_number(item) % 4 ? 0 : WEFT_FILTER;
}

/* ---- exactly ----------------------------------------------------------- */

static weft_plan *small_plan(unsigned *made)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 4 },
                    .failures = { .policy = WEFT_SKIP }));

    weft_source(p, "make", give_ten, made);
    weft_stage(p,
               weft_config(stage, .name = "decode", .fn = fail_odd, .tokens = 2,
                           .order = WEFT_INPUT, .deadline_ms = 60000));
    weft_stage(p, weft_config(stage, .name = "store", .fn = drop_fourth));
    weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

Test(picture, a_small_pipeline_in_dot)
{
    weft_plan *plan = small_plan(NULL);

    is_text(drawn(plan, NULL, WEFT_DOT),
            "digraph weft {\n"
            "    rankdir=LR;\n"
            "    subgraph cluster_0 {\n"
            "        label=\"items: 4 slots\";\n"
            "        s0 [shape=ellipse label=\"make\\nsource\"];\n"
            "        s1 [shape=box label=\"decode\\n2 tokens, within 60000 ms, "
            "in order\"];\n"
            "        s2 [shape=box label=\"store\\na token per worker\"];\n"
            "        s3 [shape=ellipse label=\"consumer\\nin order\"];\n"
            "    }\n"
            "    s0 -> s1;\n"
            "    s1 -> s2;\n"
            "    s2 -> s3;\n"
            "}\n");
    weft_plan_destroy(plan);
}

Test(picture, a_small_pipeline_in_mermaid)
{
    weft_plan *plan = small_plan(NULL);

    is_text(drawn(plan, NULL, WEFT_MERMAID),
            "flowchart LR\n"
            "    subgraph g0[\"items: 4 slots\"]\n"
            "        s0([\"make<br/>source\"])\n"
            "        s1[\"decode<br/>2 tokens, within 60000 ms, in order\"]\n"
            "        s2[\"store<br/>a token per worker\"]\n"
            "        s3([\"consumer<br/>in order\"])\n"
            "    end\n"
            "    s0 --> s1\n"
            "    s1 --> s2\n"
            "    s2 --> s3\n");
    weft_plan_destroy(plan);
}

/* ---- of everything ----------------------------------------------------- */

/* Of the plan in everything.h: the nodes, and which leads to which. */
static const char *const nodes[] = {
    "ia.a\\nsource",
    "ia.fetch\\nI/O, 3 tokens, 3 attempts",
    "ia.kind\\nroutes, a token per worker",
    "ia.small.s\\nI/O, 64 tokens",
    "ia.large.l\\nblocking, 2 tokens, in order",
    "join\\nin order",
    "ib.b\\nsource",
    "ib.split\\nscatters",
    "ib.piece\\nI/O, 2 tokens",
    "both\\nmerges, in order",
    "work\\n2 tokens, takes 1 of 'gpu', in order",
    "batch\\ngathers 4",
    "train\\npinned, 1 token",
    "consumer\\nin order",
};

static const char *const edges[] = {
    "    s0 -> s1;\n",
    "    s1 -> s2;\n",
    "    s2 -> s4 [label=\"small: at most 4\"];\n",
    "    s2 -> s5 [label=\"large: at most 4\"];\n",
    "    s4 -> s6;\n",
    "    s5 -> s6;\n",
    "    s6 -> s10 [label=\"ia\"];\n",
    "    s7 -> s8;\n",
    "    s8 -> s9;\n",
    "    s9 -> s10 [label=\"ib\"];\n",
    "    s10 -> s11;\n",
    "    s11 -> s12;\n",
    "    s12 -> s13;\n",
    "    s13 -> s14;\n",
};

static const char *const groups[] = {
    "items: 8 slots", "items: 4 slots",   "pieces: 2 slots",
    "items: 6 slots", "batches: 3 slots",
};

enum {
    NODES = sizeof nodes / sizeof nodes[0],
    EDGES = sizeof edges / sizeof edges[0],
    GROUPS = sizeof groups / sizeof groups[0],
};

static struct world whole_world(weft_limit **limit)
{
    cr_assert_eq(
        weft_limit_create(limit, weft_config(limit, .name = "gpu", .tokens = 1),
                          NULL),
        0);
    return (struct world){ .items = 20,
                           .epochs = 1,
                           .nap_ns = 10000,
                           .limit = *limit,
                           .order = WEFT_INPUT };
}

Test(picture, has_every_stage_and_every_edge_once)
{
    weft_limit *limit;
    struct world w = whole_world(&limit);
    weft_plan *plan = everything(&w);
    char *dot = drawn(plan, NULL, WEFT_DOT);
    char *mermaid = drawn(plan, NULL, WEFT_MERMAID);

    for (int i = 0; i < NODES; i++)
        cr_assert_eq(times_in(dot, nodes[i]), 1);
    for (int i = 0; i < EDGES; i++)
        cr_assert_eq(times_in(dot, edges[i]), 1);
    for (int i = 0; i < GROUPS; i++) {
        cr_assert_eq(times_in(dot, groups[i]), 1);
        cr_assert_eq(times_in(mermaid, groups[i]), 1);
    }
    cr_assert_eq(times_in(dot, "shape="), NODES);
    cr_assert_eq(times_in(dot, " -> "), EDGES);
    cr_assert_eq(times_in(dot, "subgraph"), GROUPS);
    cr_assert_eq(times_in(mermaid, "<br/>"), NODES);
    cr_assert_eq(times_in(mermaid, " -->"), EDGES);
    cr_assert_eq(times_in(mermaid, "subgraph"), GROUPS);
    cr_assert_eq(times_in(mermaid, "    end\n"), GROUPS);
    free(dot);
    free(mermaid);
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
}

/* ---- with a run -------------------------------------------------------- */

static void take_all(struct weft_run *run)
{
    void *item;
    int rc;

    while ((rc = weft_next(run, &item, -1, NULL)) == 1 || rc == WEFT_EPOCH)
        if (rc == 1)
            weft_release(item);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
}

Test(picture, shows_what_a_run_has_done)
{
    unsigned made = 0;
    struct weft_run *run;
    weft_sched *sched = workers(2);
    weft_plan *plan = small_plan(&made);

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    take_all(run);
    for (int i = 0; i < 2; i++) {
        char *text = drawn(plan, run, both[i]);
        cr_assert_eq(times_in(text, "items: 4 slots, 0 in flight"), 1);
        cr_assert_eq(times_in(text, "10 in, 10 out"), 1);
        cr_assert_eq(times_in(text, "10 in, 5 out, 5 failed"), 1);
        cr_assert_eq(times_in(text, "5 in, 2 out, 3 filtered"), 1);
        cr_assert_eq(times_in(text, "2 in, 2 out"), 1);
        cr_assert_eq(
            times_in(text, "\\nin use ") + times_in(text, "<br/>in use "), 4);
        cr_assert_eq(times_in(text, "store\\n2 tokens") +
                         times_in(text, "store<br/>2 tokens"),
                     1);
        free(text);
    }
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* One stage has everybody wait. */
static int slow(weft_worker *self, void *item, void *ctx)
{
    usleep(20000);
    return 0;
}

static weft_plan *slow_plan(unsigned *made, unsigned tokens, unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = slots }));

    weft_source(p, "make", give_ten, made);
    weft_stage(p, weft_config(stage, .name = "slow", .fn = slow,
                              .tokens = tokens, .kind = WEFT_BLOCKING));
    weft_stage(p, weft_config(stage, .name = "next", .fn = pass));
    return pipeline_plan(p);
}

/* The only mark is in the line that has `where`. */
static void is_marked(char *text, const char *where, const char *mark)
{
    char *at = strstr(text, mark);

    cr_assert_eq(times_in(text, mark), 1);
    while (at > text && at[-1] != '\n')
        at--;
    *strchr(at, '\n') = '\0';
    cr_assert(strstr(at, where) != NULL);
    free(text);
}

Test(picture, marks_the_stage_that_is_the_bottleneck)
{
    unsigned made = 0;
    weft_sched *sched = workers(2);
    weft_plan *plan = slow_plan(&made, 1, 8);
    struct weft_run *run;

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    char *dot = drawn(plan, run, WEFT_DOT);
    cr_assert_eq(times_in(dot, "    label=\"stage 'slow' is the b"), 1);
    is_marked(dot, "slow\\nblocking, 1 token", " color=red penwidth=3];");
    is_marked(drawn(plan, run, WEFT_MERMAID), "slow<br/>blocking, 1 token",
              "]:::bottleneck");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(picture, marks_the_segment_whose_slots_are_the_bottleneck)
{
    unsigned made = 0;
    weft_sched *sched = workers(2);
    weft_plan *plan = slow_plan(&made, 8, 1);
    struct weft_run *run;

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    char *dot = drawn(plan, run, WEFT_DOT);
    cr_assert_eq(times_in(dot, "label=\"items: 1 slot, 0 in flight\";\n"
                               "        color=red;\n"),
                 1);
    cr_assert_eq(times_in(dot, "color=red"), 1);
    /* The slots that it fills are in use, not the source. */
    cr_assert_eq(times_in(dot, "source\\n10 in, 10 out\\nin use "), 1);
    cr_assert_eq(times_in(dot, "source\\n10 in, 10 out\\nin use 9"), 0);
    cr_assert_eq(times_in(dot, "source\\n10 in, 10 out\\nin use 8"), 0);
    free(dot);
    is_marked(drawn(plan, run, WEFT_MERMAID), "style g0 ",
              " stroke:#d00,"
              "stroke-width:4px\n"
              "    s0");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- names ------------------------------------------------------------- */

static void draws_as(const char *name, const char *dot, const char *mermaid)
{
    char wanted[256], *text;
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = { .bytes = 8 }));

    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = name, .fn = pass));
    weft_plan *plan = pipeline_plan(p);
    snprintf(wanted, sizeof wanted,
             " [shape=box label=\"%s\\na token per worker\"];\n", dot);
    text = drawn(plan, NULL, WEFT_DOT);
    if (times_in(text, wanted) != 1)
        printf("%s", text);
    cr_assert_eq(times_in(text, wanted), 1);
    free(text);
    snprintf(wanted, sizeof wanted,
             "        s1[\"%s<br/>a token per worker\"]\n", mermaid);
    text = drawn(plan, NULL, WEFT_MERMAID);
    if (times_in(text, wanted) != 1)
        printf("%s", text);
    cr_assert_eq(times_in(text, wanted), 1);
    free(text);
    weft_plan_destroy(plan);
}

Test(picture, names_are_escaped)
{
    draws_as("a \"b\"", "a \\\"b\\\"", "a #quot;b#quot;");
    draws_as("back\\N slash\\", "back\\\\N slash\\\\", "back#92;N slash#92;");
    draws_as("two\nlines", "two\\nlines", "two<br/>lines");
    draws_as("<b>&amp;</b>", "<b>&amp;amp;</b>",
             "#lt;b#gt;#amp;amp;#lt;/b#gt;");
    draws_as("#35; `x` %%{init}%%", "#35; `x` %%{init}%%",
             "#35;35; #96;x#96; #37;#37;{init}#37;#37;");
    draws_as("f[0](x){y}|z|;", "f[0](x){y}|z|;", "f[0](x){y}|z|;");
    draws_as("größe 日本 \xf0\x9f\x90\xa6", "größe 日本 \xf0\x9f\x90\xa6",
             "größe 日本 \xf0\x9f\x90\xa6");
}

Test(picture, what_is_no_text_is_shown_as_unknown)
{
#define U "\xef\xbf\xbd"
    draws_as("a\x1b[31m\x7f", "a" U "[31m" U, "a" U "[31m" U);
    draws_as("\xff\xc0\x80", U U U, U U U);         /* no UTF-8 */
    draws_as("\xe2\x82", U U, U U);                 /* cut off */
    draws_as("\xe0\x80\xaf", U U U, U U U);         /* overlong */
    draws_as("\xed\xa0\x80", U U U, U U U);         /* a surrogate */
    draws_as("\xf4\x90\x80\x80", U U U U, U U U U); /* beyond the last */
    draws_as("\xf0\x80\x80\x80", U U U U, U U U U);
}

/* ---- Graphviz ---------------------------------------------------------- */

/* Where it is installed. */
static void graphviz_accepts(const weft_plan *plan, struct weft_run *run)
{
    char *text = drawn(plan, run, WEFT_DOT);
    FILE *dot = popen("dot -Tsvg >/dev/null", "w");

    cr_assert(dot != NULL);
    cr_assert(fputs(text, dot) >= 0);
    cr_assert_eq(pclose(dot), 0);
    free(text);
}

Test(picture, graphviz_accepts_it, .timeout = 60)
{
    weft_limit *limit;
    struct world w = whole_world(&limit);
    weft_plan *plan = everything(&w);
    weft_sched *sched = workers(2);
    struct weft_run *run;

    if (system("command -v dot >/dev/null") == 0) {
        cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
        graphviz_accepts(plan, NULL);
        graphviz_accepts(plan, run);
        take_all(run);
        graphviz_accepts(plan, run);
        weft_run_destroy(run);
    } else {
        printf("skipped: there is no dot\n");
    }
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
}

/* ---- what cannot be drawn ---------------------------------------------- */

static void is_refused(const weft_plan *plan, struct weft_run *run, int format,
                       int error, const char *sentence)
{
    char *text = NULL;
    weft_error why;

    cr_assert_eq(
        weft_plan_draw(&text, plan, run, (enum weft_picture)format, &why),
        error);
    cr_assert_eq(text, NULL);
    cr_assert_eq(strcmp(why.text, sentence), 0);
}

Test(picture, a_run_of_another_plan_and_an_unknown_format_are_refused)
{
    unsigned made = 0;
    struct weft_run *run;
    weft_sched *sched = workers(1);
    weft_plan *plan = slow_plan(&made, 1, 1), *other = small_plan(NULL);

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    is_refused(other, run, WEFT_DOT, -EINVAL, "the run is one of another plan");
    is_refused(plan, run, 7, -EINVAL, "there is no picture format 7");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_plan_destroy(other);
    weft_sched_destroy(sched);
}

/* test_map.c: graph/map.c and critical.c: graphs as text for programs that
 * draw, when their tasks ran, and which of them set the time. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/drawn.h"

static struct weft_run *timed(weft_sched *s, const weft_plan *plan)
{
    struct weft_run *run = NULL;
    cr_assert_eq(
        weft_start_with(&run, s, plan, weft_config(run, .times = true), NULL),
        0);
    return run;
}

/* ---- exactly ----------------------------------------------------------- */

static int choose_first(weft_worker *self, unsigned *which, void *ctx)
{
    *which = *(unsigned *)ctx;
    return 0;
}

static int draw_nothing(weft_worker *self, weft_graph *g, void *ctx)
{
    return 0;
}

static int describe_nothing(weft_worker *self, struct weft_io **io, void *ctx)
{
    return 0;
}

/* One of each kind. */
struct kinds {
    weft_limit *limit;
    unsigned chosen;
    weft_plan *inner, *plan;
};

static void draw_kinds(struct kinds *k)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, NULL, nothing, NULL);
    k->inner = compiled(g);
    cr_assert_eq(
        weft_limit_create(&k->limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);

    g = weft_graph_create();
    weft_node start = weft_task(g, "start", nothing, NULL);
    weft_node load = weft_task_with(
        g, weft_config(task, .name = "load", .io = describe_nothing));
    weft_node parts = weft_task_plan(g, "parts", k->inner);
    weft_node more = weft_task_with(
        g,
        weft_config(task, .name = "more", .draw = draw_nothing, .use_count = 1,
                    .uses = &(struct weft_use){ k->limit, 2 }));
    weft_node test = weft_task_with(
        g, weft_config(task, .name = "test \"it\"", .choose = choose_first,
                       .ctx = &k->chosen, .priority = 3));
    weft_node done = weft_task(g, NULL, nothing, NULL);
    weft_after(g, load, start);
    weft_after(g, parts, load);
    weft_after(g, more, load);
    weft_after(g, test, parts, more);
    weft_choose(g, test, load, done);
    weft_choose(g, done, weft_task(g, "last", nothing, NULL));
    k->plan = compiled(g);
}

static void destroy_kinds(struct kinds *k)
{
    weft_plan_destroy(k->plan);
    weft_plan_destroy(k->inner);
    weft_limit_destroy(k->limit);
}

Test(map, a_graph_in_dot_and_mermaid)
{
    struct kinds k = { .chosen = 1 };
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node b =
        weft_task_with(g, weft_config(task, .name = "b", .choose = choose_first,
                                      .ctx = &k.chosen, .priority = 3));
    weft_node c = weft_task(g, NULL, nothing, NULL);
    weft_node start = weft_task(g, "start", nothing, NULL);
    weft_choose(g, start, a);
    weft_after(g, b, a);
    weft_choose(g, b, a, c);
    weft_plan *plan = compiled(g);

    is_text(drawn(plan, NULL, WEFT_DOT),
            "digraph weft {\n"
            "    rankdir=LR;\n"
            "        s0 [shape=box label=\"a\"];\n"
            "        s1 [shape=diamond label=\"b\\nchooses, priority 3\"];\n"
            "        s2 [shape=box label=\"#3\"];\n"
            "        s3 [shape=box label=\"start\"];\n"
            "    s0 -> s1;\n"
            "    s1 -> s0 [style=dashed label=\"0\"];\n"
            "    s1 -> s2 [style=dashed label=\"1\"];\n"
            "    s3 -> s0 [style=dashed];\n"
            "}\n");
    is_text(drawn(plan, NULL, WEFT_MERMAID),
            "flowchart LR\n"
            "        s0[\"a\"]\n"
            "        s1{\"b<br/>chooses, priority 3\"}\n"
            "        s2[\"#35;3\"]\n"
            "        s3[\"start\"]\n"
            "    s0 --> s1\n"
            "    s1 -.->|\"0\"| s0\n"
            "    s1 -.->|\"1\"| s2\n"
            "    s3 -.-> s0\n");
    weft_plan_destroy(plan);
}

Test(map, it_says_what_each_task_is)
{
    struct kinds k = { .chosen = 1 };
    draw_kinds(&k);
    char *dot = drawn(k.plan, NULL, WEFT_DOT);
    cr_assert_eq(times_in(dot, "label=\"load\\nI/O\""), 1);
    cr_assert_eq(times_in(dot, "label=\"parts\\nruns a plan\""), 1);
    cr_assert_eq(
        times_in(dot, "label=\"more\\ndraws a graph, takes 2 of 'gpu'\""), 1);
    cr_assert_eq(
        times_in(dot, "label=\"test \\\"it\\\"\\nchooses, priority 3\""), 1);
    cr_assert_eq(times_in(dot, " -> "), 8);
    free(dot);
    destroy_kinds(&k);
}

Test(map, the_joins_that_weft_has_added_are_not_drawn)
{
    weft_graph *g = weft_graph_create();
    weft_tasks(g, weft_config(task, .fn = nothing), 100, 0);
    weft_plan *plan = compiled(g);
    char *dot = drawn(plan, NULL, WEFT_DOT);
    cr_assert_eq(times_in(dot, "shape="), 100);
    cr_assert_eq(times_in(dot, " -> "), 0);
    free(dot);
    weft_plan_destroy(plan);
}

/* ---- the times of a run ------------------------------------------------ */

static int spin(weft_worker *self, void *ctx)
{
    for (volatile unsigned i = *(unsigned *)ctx; i; i--)
        ;
    return 0;
}

enum { MOST_NODES = 10 };

struct shape {
    unsigned n, spins[MOST_NODES];
    bool before[MOST_NODES][MOST_NODES]; /* [a][b]: a is before b */
    weft_node node[MOST_NODES];
};

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random >> 33) % n;
}

static weft_plan *invent(struct shape *s, uint64_t *random)
{
    weft_graph *g = weft_graph_create();

    memset(s, 0, sizeof *s);
    s->n = 1 + below(random, MOST_NODES);
    for (unsigned i = 0; i < s->n; i++) {
        s->spins[i] = below(random, 3) * 500;
        s->node[i] = weft_task(g, NULL, spin, &s->spins[i]);
        for (unsigned k = 0; k < i; k++)
            if (below(random, 3) == 0) {
                s->before[k][i] = true;
                weft_after(g, s->node[i], s->node[k]);
            }
    }
    return compiled(g);
}

static struct weft_task_stats stats_of(struct weft_run *run, weft_node node)
{
    struct weft_task_stats stats;
    cr_assert_eq(weft_run_task(run, node, &stats), 0);
    return stats;
}

/* The longest way to the end of node i, by looking at all of them. */
static uint64_t longest(const struct shape *s, const uint64_t *spent,
                        unsigned i)
{
    uint64_t most = 0;
    for (unsigned k = 0; k < i; k++)
        if (s->before[k][i]) {
            uint64_t way = longest(s, spent, k);
            most = way > most ? way : most;
        }
    return most + spent[i];
}

static void check_times(const struct shape *s, struct weft_run *run,
                        const char *dot)
{
    uint64_t spent[MOST_NODES], most = 0, marked = 0;
    unsigned marks = 0;
    char at[64];

    for (unsigned i = 0; i < s->n; i++) {
        struct weft_task_stats t = stats_of(run, s->node[i]);
        cr_assert_eq(t.runs, 1);
        cr_assert_eq(t.spent_ns, t.end_ns - t.begin_ns);
        for (unsigned k = 0; k < i; k++)
            if (s->before[k][i])
                cr_assert(stats_of(run, s->node[k]).end_ns <= t.begin_ns);
        spent[i] = t.spent_ns;
        uint64_t way = longest(s, spent, i);
        most = way > most ? way : most;
        snprintf(at, sizeof at, "        s%u [", i);
        const char *line = strstr(dot, at);
        cr_assert(line);
        if (memmem(line, strcspn(line, "\n"), "color=red", 9)) {
            marked += t.spent_ns;
            marks++;
        }
    }
    cr_assert_eq(marked, most);
    cr_assert(marks > 0);
    cr_assert_eq(times_in(dot, "color=red"), 2 * marks - 1); /* and edges */
}

Test(map, the_longest_of_all_paths_is_marked, .timeout = 60)
{
    uint64_t random = 77;
    weft_sched *s = workers(2);

    for (int i = 0; i < TIMES(300, 50); i++) {
        struct shape shape;
        weft_plan *plan = invent(&shape, &random);
        struct weft_run *run = timed(s, plan);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        char *dot = drawn(plan, run, WEFT_DOT);
        cr_assert_eq(times_in(dot, "; the critical path is marked: "), 1);
        check_times(&shape, run, dot);
        free(dot);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(s);
}

static int loops_thrice(weft_worker *self, unsigned *which, void *ctx)
{
    *which = ++*(unsigned *)ctx % 3 ? 0 : 1;
    return 0;
}

Test(map, executions_are_added_up_and_what_did_not_run_says_so, .timeout = 30)
{
    unsigned rounds = 0;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", nothing, NULL);
    weft_node loop =
        weft_task_with(g, weft_config(task, .name = "loop",
                                      .choose = loops_thrice, .ctx = &rounds));
    weft_node last = weft_task(g, "last", nothing, NULL);
    weft_node never = weft_task(g, "never", nothing, NULL);
    weft_after(g, loop, first);
    weft_choose(g, loop, loop, last, never);
    weft_plan *plan = compiled(g);
    struct weft_run *run = timed(s, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(stats_of(run, first).runs, 1);
    cr_assert_eq(stats_of(run, loop).runs, 3);
    cr_assert_eq(stats_of(run, last).runs, 1);
    cr_assert_eq(stats_of(run, never).runs, 0);
    cr_assert_eq(stats_of(run, never).spent_ns, 0);
    cr_assert_eq(strcmp(stats_of(run, loop).name, "loop"), 0);
    char *dot = drawn(plan, run, WEFT_DOT);
    cr_assert_eq(times_in(dot, "chooses\\n3 times, "), 1);
    cr_assert_eq(times_in(dot, "never\\ndid not run"), 1);
    free(dot);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static int nap(weft_worker *self, void *ctx)
{
    usleep(2000);
    return 0;
}

Test(map, a_task_that_runs_a_plan_has_the_time_of_that, .timeout = 30)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "nap", nap, NULL);
    weft_plan *inner = compiled(g);
    g = weft_graph_create();
    weft_node outer = weft_task_plan(g, "outer", inner);
    weft_plan *plan = compiled(g);
    weft_sched *s = workers(1);
    struct weft_run *run = timed(s, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert(stats_of(run, outer).spent_ns >= 2000000);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

/* ---- what cannot be told ----------------------------------------------- */

Test(map, a_run_without_times_says_so)
{
    struct weft_task_stats stats;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_plan *plan = compiled(g);
    struct weft_run *run = started(s, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_task(run, a, &stats), -ENODATA);
    cr_assert_eq(weft_run_task(run, (weft_node){ 2 }, &stats), -ERANGE);
    cr_assert_eq(weft_run_task(run, (weft_node){ 0 }, &stats), -ERANGE);
    char *dot = drawn(plan, run, WEFT_DOT);
    cr_assert_eq(times_in(dot, "no times were taken: ask for them with .times"),
                 1);
    free(dot);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(map, graphviz_accepts_it, .timeout = 60)
{
    struct kinds k = { .chosen = 1 };
    draw_kinds(&k);
    char *text = drawn(k.plan, NULL, WEFT_DOT);
    if (system("command -v dot >/dev/null") == 0) {
        FILE *dot = popen("dot -Tsvg >/dev/null", "w");
        cr_assert(dot != NULL);
        cr_assert(fputs(text, dot) >= 0);
        cr_assert_eq(pclose(dot), 0);
    } else {
        printf("skipped: there is no dot\n");
    }
    free(text);
    destroy_kinds(&k);
}

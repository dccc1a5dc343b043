/* test_roots.c: graph/roots.c: the first nodes of a run, which may be many. */
#include <unistd.h>

#include "tests/runs.h"

Test(roots, all_run_once_whatever_their_number, .timeout = 60)
{
    const unsigned numbers[] = { 1, 2, 31, 32, 33, 63, 64, 65, 500, 5000 };
    weft_sched *s[] = { workers(1), workers(2), workers(5) };

    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        _Atomic unsigned ran = 0;
        weft_graph *g = weft_graph_create();
        weft_tasks(g, weft_config(task, .fn = count, .ctx = &ran), numbers[i],
                   0);
        weft_plan *plan = compiled(g);
        for (unsigned again = 1; again <= 9; again++) {
            cr_assert_eq(weft_run(s[again % 3], plan, NULL), 0);
            cr_assert_eq(ran, again * numbers[i]);
        }
        weft_plan_destroy(plan);
    }
    for (int i = 0; i < 3; i++)
        weft_sched_destroy(s[i]);
}

static struct crowd {
    _Atomic unsigned ran;
    unsigned slow;
    char member[200];
} crowd;

/* The slow one waits for all others. Each knows its number by its address. */
static int run_or_wait(weft_worker *self, void *member)
{
    if (member == crowd.member + crowd.slow)
        while (load_relaxed(&crowd.ran) < sizeof crowd.member - 1)
            usleep(20);
    else
        add_relaxed(&crowd.ran, 1u);
    return 0;
}

Test(roots, none_is_hidden_behind_one_that_takes_long, .timeout = 60)
{
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_tasks(g, weft_config(task, .fn = run_or_wait, .ctx = crowd.member),
               sizeof crowd.member, 1);
    weft_plan *plan = compiled(g);

    for (crowd.slow = 0; crowd.slow < sizeof crowd.member; crowd.slow++) {
        store_relaxed(&crowd.ran, 0);
        cr_assert_eq(weft_run(s, plan, NULL), 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

struct two_runs {
    _Atomic unsigned ran, before;
    _Atomic int may_begin;
};

static int wait_or_count(weft_worker *self, void *ctx)
{
    struct two_runs *t = ctx;
    while (!load_relaxed(&t->may_begin))
        usleep(20);
    add_relaxed(&t->ran, 1u);
    return 0;
}

static int look_back(weft_worker *self, void *ctx)
{
    struct two_runs *t = ctx;
    store_relaxed(&t->before, load_relaxed(&t->ran));
    return 0;
}

Test(roots, another_run_does_not_wait_for_all_of_them, .timeout = 60)
{
    enum { MANY = 10000 };
    struct two_runs t = { .ran = 0 };
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_tasks(g, weft_config(task, .fn = wait_or_count, .ctx = &t), MANY, 0);
    weft_plan *many = compiled(g);
    g = weft_graph_create();
    weft_task(g, "one", look_back, &t);
    weft_plan *one = compiled(g);

    struct weft_run *first = started(s, many), *second = started(s, one);
    store_relaxed(&t.may_begin, 1);
    cr_assert_eq(weft_wait(second, -1, NULL), 0);
    cr_assert_eq(weft_wait(first, -1, NULL), 0);
    cr_assert_eq(t.ran, MANY);
    cr_assert(t.before < MANY / 2);
    weft_run_destroy(first);
    weft_run_destroy(second);
    weft_plan_destroy(many);
    weft_plan_destroy(one);
    weft_sched_destroy(s);
}

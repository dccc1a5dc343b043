/* converge.c: a loop: a square root is improved until it is good enough. */
#include <stdio.h>
#include <weft/weft.h>

struct root {
    double of, is;
    unsigned steps;
};

static int guess(weft_worker *self, void *ctx)
{
    struct root *r = weft_task_context(self); /* of this run */
    r->is = r->of;
    return 0;
}

static int improve(weft_worker *self, void *ctx)
{
    struct root *r = weft_task_context(self);
    r->is = (r->is + r->of / r->is) / 2;
    r->steps++;
    return 0;
}

static int is_good(weft_worker *self, unsigned *which, void *ctx)
{
    struct root *r = weft_task_context(self);
    double error = r->is * r->is - r->of;
    *which = error < 1e-9 && error > -1e-9; /* 0: again, 1: tell */
    return 0;
}

static int tell(weft_worker *self, void *ctx)
{
    struct root *r = weft_task_context(self);
    printf("%g %.6f %u steps\n", r->of, r->is, r->steps);
    return 0;
}

int main(void)
{
    enum { RUNS = 5 };
    struct root roots[RUNS] = { { 2 }, { 3 }, { 5 }, { 7 }, { 11 } };
    struct weft_run *run;
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "guess", guess, NULL);
    weft_node again =
        weft_task_with(g, weft_config(task, .name = "improve", .fn = improve,
                                      .choose = is_good));
    weft_after(g, again, first);
    weft_choose(g, again, again, weft_task(g, "tell", tell, NULL));

    int rc = weft_compile(&plan, g, &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    for (int i = 0; !rc && i < RUNS; i++) {
        rc = weft_start_with(&run, sched, plan,
                             weft_config(run, .ctx = &roots[i]), &why);
        if (rc)
            break;
        rc = weft_wait(run, -1, &why);
        weft_run_destroy(run);
    }
    if (rc)
        fprintf(stderr, "converge: %s\n", why.text);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_graph_destroy(g);
    return rc != 0;
}

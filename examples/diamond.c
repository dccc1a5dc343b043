/* diamond.c: four tasks; `join` waits for both sides. */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

static int say(weft_worker *self, void *name)
{
    unsigned w = weft_worker_index(self);
    return printf("%-5s on worker %u\n", (char *)name, w) < 0 ? -EIO : 0;
}

int main(void)
{
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_error why;

    weft_graph *g = weft_graph_create();
    weft_node load = weft_task(g, "load", say, "load");
    weft_node left = weft_task(g, "left", say, "left");
    weft_node right = weft_task(g, "right", say, "right");
    weft_node join = weft_task(g, "join", say, "join");
    weft_after(g, left, load);
    weft_after(g, right, load);
    weft_after(g, join, left, right);

    int rc = weft_compile(&plan, g, &why);
    if (!rc)
        rc = weft_sched_create(&sched, weft_config(sched, .workers = 4), &why);
    if (!rc)
        rc = weft_run(sched, plan, &why);
    if (rc)
        fprintf(stderr, "diamond: %s\n", why.text);

    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_graph_destroy(g);
    return rc != 0;
}

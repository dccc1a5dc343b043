/* test_nomem_pipeline.c: every allocation of a pipeline that contains
 * everything may fail, while it is drawn, compiled, or started. What leaks on
 * the way is found by LeakSanitizer. */
#include "tests/allocs.h"
#include "tests/entries.h"
#include "tests/world.h"

/* With the n-th allocation failing: 0 or a negative errno. */
static int draw_and_start(struct world *w, weft_sched *sched, int n)
{
    const struct weft_failures failures = { 0 };
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    weft_error why = { "" };

    world_again(w);
    left = n;
    weft_pipeline *p = draw_world(w, 4, &failures);
    int rc = weft_pipeline_compile(&plan, p, &why);
    cr_assert(!rc || !plan);
    if (!rc) {
        rc = weft_start_with(&run, sched, plan,
                             weft_config(run, .deadline_ms = 60000), &why);
        cr_assert(!rc || !run);
    }
    left = -1;
    weft_pipeline_destroy(p);
    /* For a part for which there was no memory there is no part. */
    cr_assert(!rc ||
              strstr(why.text, rc == -EINVAL ? "has no stages" : "no memory"));
    cr_assert(!rc || rc == -ENOMEM || rc == -EINVAL);
    if (!rc) {
        weft_cancel(run);
        cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
        assert_all_is_back(w, run);
        weft_run_destroy(run);
        cr_assert_eq(w->finished, 5 * 4 + 3);
    }
    weft_plan_destroy(plan);
    return rc;
}

static void fail_in_turn(struct world *w, weft_sched *sched)
{
    int fds = entries_of("/proc/self/fd"), n = 0;

    while (draw_and_start(w, sched, n))
        n++;
    cr_assert(n > 50);
    cr_assert_eq(entries_of("/proc/self/fd"), fds);
    printf("%d allocations\n", n);
}

Test(nomem_pipeline, says_so_wherever_memory_ends, .timeout = 120)
{
    struct world w;
    weft_sched *sched = workers(1);

    world_init(&w, sched);
    w.end = 20;
    fail_in_turn(&w, sched);
    weft_thread *thread = w.thread;
    w.thread = NULL; /* each run makes its own */
    fail_in_turn(&w, sched);
    for_good = true;
    fail_in_turn(&w, sched);
    for_good = false;
    w.thread = thread;
    world_finish(&w);
    weft_sched_destroy(sched);
}

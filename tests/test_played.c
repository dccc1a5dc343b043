/* test_played.c: sched/seeded.c and cast.c: orders of tasks, each of which is
 * one that may come; and threads outside, for which all stands still or goes
 * on. */
#include <pthread.h>
#include <unistd.h>

#include "sched/play.h"
#include "tests/stops.h"
#include "tests/trail.h"

/* ---- graphs ------------------------------------------------------------- */

enum { TASKS = 40 };

struct place {
    unsigned number;
    const unsigned *before; /* that have to be done, TASKS: no more */
    bool done;
};

static struct place places[TASKS];

static int do_in_order(weft_worker *self, void *ctx)
{
    struct place *p = ctx;
    for (const unsigned *b = p->before; *b < TASKS; b++)
        cr_assert(places[*b].done);
    p->done = true;
    step(weft_worker_index(self), p->number);
    return 0;
}

/* Each after up to three of those before it. */
static weft_plan *tangle(void)
{
    static unsigned before[TASKS][4];
    uint64_t random = 12345;
    weft_graph *g = weft_graph_create();

    for (unsigned i = 0; i < TASKS; i++)
        places[i] = (struct place){ i, before[i], false };
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = do_in_order, .ctx = places),
                   TASKS, sizeof places[0]);
    for (unsigned i = 0; i < TASKS; i++) {
        unsigned n = 0;
        for (unsigned j = 0; i > 3 && j < 3; j++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            unsigned other = (unsigned)(random >> 33) % i;
            if (random >> 63 || (n && before[i][n - 1] == other))
                continue;
            before[i][n++] = other;
            weft_after(g, weft_nth(first, i), weft_nth(first, other));
        }
        before[i][n] = TASKS;
    }
    return compiled(g);
}

static uint64_t run_tangle(unsigned worker_count, uint64_t seed)
{
    weft_sched *s = played(worker_count, seed);
    weft_plan *plan = tangle();

    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(trail.count, TASKS);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    return digest();
}

Test(played, another_seed_is_another_order_and_each_is_one_that_may_come,
     .timeout = 120)
{
    enum { SEEDS = TIMES(1000, 200) };
    static uint64_t orders[SEEDS];
    unsigned different = 0;

    for (unsigned i = 0; i < SEEDS; i++) {
        bool seen = false;
        orders[i] = run_tangle(3, i + 1);
        for (unsigned j = 0; j < i; j++)
            seen |= orders[j] == orders[i];
        different += !seen;
    }
    cr_assert_eq(different, SEEDS);
    cr_assert_eq(run_tangle(3, 1), orders[0]);
}

/* Two tasks that only add up their steps: each split of them comes. */
static int one_of_two(weft_worker *self, void *which)
{
    step(0, (uint64_t)(uintptr_t)which);
    return 0;
}

Test(played, all_orders_of_four_tasks_come, .timeout = 60)
{
    static bool seen[256];
    unsigned orders = 0;

    for (uint64_t seed = 1; seed <= 600; seed++) {
        weft_graph *g = weft_graph_create();
        for (uintptr_t i = 0; i < 4; i++)
            weft_task(g, NULL, one_of_two, (void *)i);
        weft_sched *s = played(4, seed);
        weft_plan *plan = compiled(g);
        unsigned order = 0;
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        for (unsigned i = 0; i < 4; i++)
            order = order * 4 + (unsigned)trail.step[i];
        orders += !seen[order];
        seen[order] = true;
        weft_plan_destroy(plan);
        weft_sched_destroy(s);
    }
    cr_assert_eq(orders, 24);
}

/* ---- who waits outside -------------------------------------------------- */

static int note(weft_worker *self, void *which)
{
    step(1, (uint64_t)(uintptr_t)which);
    return 0;
}

/* What is submitted comes in an order that does not depend on when: nothing
 * goes on before somebody waits. */
Test(played, nothing_happens_before_somebody_waits, .timeout = 60)
{
    struct trail once = { 0 };

    for (int again = 0; again < 2; again++) {
        weft_sched *s = played(3, 42);
        weft_future *f[20];
        for (uintptr_t i = 0; i < 20; i++) {
            cr_assert_eq(weft_submit(s, note, (void *)i, &f[i], NULL), 0);
            usleep(again ? 1000 : 0);
            cr_assert_eq(trail.count, 0);
        }
        cr_assert_eq(weft_future_wait(f[7], -1), 0);
        step(2, trail.count); /* as soon as that one was done */
        usleep(again ? 1000 : 0);
        cr_assert_eq(weft_wait_all(f, 20, -1, NULL), 0);
        cr_assert_eq(trail.count, 21);
        for (int i = 0; i < 20; i++)
            weft_future_destroy(f[i]);
        weft_sched_destroy(s);
        cr_assert(!again || is_as(&once));
        once = trail;
    }
}

Test(played, what_nobody_waited_for_is_done_at_the_end, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        weft_sched *s = played(2, seed);
        for (uintptr_t i = 0; i < 50; i++)
            cr_assert_eq(weft_submit(s, note, (void *)i, NULL, NULL), 0);
        weft_sched_destroy(s);
        cr_assert_eq(trail.count, 50);
    }
}

static int tell(weft_worker *self, void *told)
{
    store_release((_Atomic int *)told, 1); /* for the test */
    return 0;
}

enum { PATIENCE_MS = 150 };

static weft_sched *impatient(uint64_t seed)
{
    weft_sched *s = played(2, seed);
    wf_seeded_patience(wf_seeded_of(s), PATIENCE_MS * 1000000ull, NEVER);
    return s;
}

Test(played, a_program_that_waits_in_its_own_way_is_not_waited_for,
     .timeout = 60)
{
    weft_sched *s = impatient(1);
    _Atomic int told[2] = { 0 };

    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weft_submit(s, tell, &told[i], NULL, NULL), 0);
        while (!load_acquire(&told[i])) /* what came before it */
            usleep(1000);
    }
    weft_sched_destroy(s);
}

/* However slow it is, or how busy the machine: it may look for ever. */
Test(played, a_program_that_computes_is_waited_for, .timeout = 60)
{
    weft_sched *s = impatient(2);
    uint64_t start = wf_now_ns();

    cr_assert_eq(weft_submit(s, note, NULL, NULL, NULL), 0);
    while (wf_now_ns() - start < 3 * PATIENCE_MS * 1000000ull)
        cpu_pause();
    cr_assert_eq(trail.count, 0);
    weft_sched_destroy(s);
    cr_assert_eq(trail.count, 1);
}

Test(played, time_in_which_the_process_was_stopped_is_none_of_patience,
     .timeout = 60)
{
    weft_sched *s = impatient(2);
    uint64_t start = weft_sched_now_ns(s);
    weft_future *left, *first;

    cr_assert_eq(weft_after_ns(s, 1, &left, NULL), 0);
    cr_assert_eq(weft_submit(s, note, NULL, &first, NULL), 0);
    cr_assert_eq(weft_future_wait(first, -1), 0);
    stop_for(3 * PATIENCE_MS);
    usleep(10000); /* in which all might go on */
    cr_assert_eq(weft_sched_now_ns(s), start);
    weft_future_destroy(first);
    weft_future_destroy(left);
    weft_sched_destroy(s);
}

/* ---- from other threads ------------------------------------------------- */

struct promise {
    weft_sched *sched;
    weft_future *future;
};

static int wait_for_promise(weft_worker *self, void *ctx)
{
    struct promise *p = ctx;
    return weft_future_wait(p->future, -1);
}

static void *keep(void *ctx)
{
    struct promise *p = ctx;
    usleep(20000);
    weft_future_complete(p->future, 0);
    return NULL;
}

Test(played, a_callback_hears_what_another_thread_completes, .timeout = 60)
{
    struct promise p = { .sched = played(1, 3) };
    weft_future *f;
    pthread_t thread;

    cr_assert_eq(weft_promise(p.sched, &p.future, NULL), 0);
    cr_assert_eq(weft_submit(p.sched, wait_for_promise, &p, &f, NULL), 0);
    pthread_create(&thread, NULL, keep, &p);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    pthread_join(thread, NULL);
    weft_future_destroy(f);
    weft_future_destroy(p.future);
    weft_sched_destroy(p.sched);
}

/* A word that changes, and is then what it was; for many who wait for it. */
enum { LOOKERS = 32 };

struct flicker {
    _Atomic uint32_t word, done;
};

static int look_at_flicker(weft_worker *self, void *ctx)
{
    struct flicker *f = ctx;
    for (unsigned i = 0; i < TIMES(250, 25); i++)
        cr_assert_eq(wf_worker_sleep(self, &f->word, 0, -1), 0);
    add_relaxed(&f->done, 1);
    return 0;
}

static void *flicker(void *ctx)
{
    struct flicker *f = ctx;
    while (load_relaxed(&f->done) < LOOKERS)
        store_relaxed(&f->word, !load_relaxed(&f->word));
    return NULL;
}

Test(played, a_word_may_change_back_while_the_seed_chooses, .timeout = 60)
{
    weft_sched *s = played(1, 12);
    struct flicker f = { 0 };
    pthread_t thread;

    pthread_create(&thread, NULL, flicker, &f);
    for (int i = 0; i < LOOKERS; i++)
        cr_assert_eq(weft_submit(s, look_at_flicker, &f, NULL, NULL), 0);
    weft_sched_destroy(s);
    pthread_join(thread, NULL);
}

/* ---- how many may wait -------------------------------------------------- */

enum { WAITERS = 300, MOST_ON_WORKERS = 256 };

struct crowd {
    weft_future *last; /* has come */
    unsigned came, refused;
};

static int crowd_in(struct crowd *c)
{
    if (++c->came == WAITERS)
        weft_future_complete(c->last, 0);
    int rc = weft_future_wait(c->last, -1);
    c->refused += rc == -EAGAIN;
    return 0;
}

static int give_waiter(weft_worker *self, void *item, void *left)
{
    return (*(unsigned *)left)-- ? 0 : WEFT_END;
}

static int crowd_in_call(weft_worker *self, void *item, void *crowd)
{
    return crowd_in(crowd);
}

static int crowd_in_task(weft_worker *self, void *crowd)
{
    return crowd_in(crowd);
}

/* Where a wait has no result that says so, it is never refused. */
Test(played, any_number_of_blocking_calls_wait_for_the_last_of_them,
     .timeout = 30)
{
    weft_sched *s = played(2, 8);
    struct crowd c = { 0 };
    unsigned left = WAITERS;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 1, .slots = WAITERS }));

    cr_assert_eq(weft_promise(s, &c.last, NULL), 0);
    weft_source(p, "give", give_waiter, &left);
    weft_stage(p,
               weft_config(stage, .name = "wait", .kind = WEFT_BLOCKING,
                           .fn = crowd_in_call, .ctx = &c, .tokens = WAITERS));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(c.refused, 0);
    weft_plan_destroy(plan);
    weft_future_destroy(c.last);
    weft_sched_destroy(s);
}

Test(played, as_many_tasks_wait_on_workers_as_without_a_seed, .timeout = 30)
{
    weft_sched *s = played(2, 8);
    struct crowd c = { 0 };

    cr_assert_eq(weft_promise(s, &c.last, NULL), 0);
    for (int i = 0; i < WAITERS; i++)
        cr_assert_eq(weft_submit(s, crowd_in_task, &c, NULL, NULL), 0);
    weft_sched_destroy(s);
    cr_assert_eq(c.came, WAITERS);
    cr_assert_eq(c.refused, WAITERS - 1 - MOST_ON_WORKERS);
    weft_future_destroy(c.last);
}

/* ---- the end ------------------------------------------------------------ */

/* What a callback waits for may be nothing that holds its own scheduler. */
Test(played, the_end_waits_for_a_callback_that_waits_for_another_scheduler,
     .timeout = 10)
{
    weft_sched *s = played(2, 6), *other = workers(1);
    struct promise p = { .sched = other };
    pthread_t thread;

    cr_assert_eq(weft_promise(other, &p.future, NULL), 0);
    cr_assert_eq(weft_submit(s, wait_for_promise, &p, NULL, NULL), 0);
    pthread_create(&thread, NULL, keep, &p);
    weft_sched_destroy(s);
    cr_assert_eq(weft_future_wait(p.future, 0), 0);
    pthread_join(thread, NULL);
    weft_future_destroy(p.future);
    weft_sched_destroy(other);
}

/* ---- whose scheduler is gone -------------------------------------------- */

/* They are looked at in no scheduler, while another one is played. */
static void look_afterwards(weft_sched *gone)
{
    weft_sched *s = played(1, 5);
    weft_graph *g = weft_graph_create();
    weft_future *f[2];
    bool done[2];

    weft_task(g, NULL, note, NULL);
    weft_plan *plan = compiled(g);
    struct weft_run *run = started(gone, plan);
    for (uintptr_t i = 0; i < 2; i++)
        cr_assert_eq(weft_submit(gone, note, (void *)i, &f[i], NULL), 0);
    weft_sched_destroy(gone);
    cr_assert_eq(weft_wait(run, 1000, NULL), 0);
    cr_assert_eq(weft_future_wait(f[0], 1000), 0);
    cr_assert_eq(weft_wait_any(f, 2, done, 1000), 2);
    cr_assert_eq(weft_wait_all(f, 2, 1000, NULL), 0);
    for (int i = 0; i < 2; i++)
        weft_future_destroy(f[i]);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(played, who_looks_at_what_has_ended_needs_no_scheduler, .timeout = 60)
{
    look_afterwards(workers(1));
    look_afterwards(played(1, 4));
}

/* A thread waits while another one ends the scheduler: also of one that waits,
 * and finds what it waits for done, the scheduler is gone at any time. */
static void *wait_for_all(void *ctx)
{
    weft_future **f = ctx;
    for (int i = 0; i < 8; i++) {
        weft_future_wait(f[i], 60000);
        weft_future_destroy(f[i]);
    }
    return NULL;
}

Test(played, a_scheduler_ends_while_others_wait_for_its_tasks, .timeout = 60)
{
    weft_sched *other = played(1, 1);

    for (uint64_t seed = 1; seed <= TIMES(200, 50); seed++) {
        weft_sched *s = played(2, seed);
        weft_future *f[2][8];
        pthread_t thread[2];
        for (int i = 0; i < 2; i++) {
            for (uintptr_t j = 0; j < 8; j++)
                cr_assert_eq(weft_submit(s, note, (void *)j, &f[i][j], NULL),
                             0);
            pthread_create(&thread[i], NULL, wait_for_all, f[i]);
        }
        weft_sched_destroy(s);
        for (int i = 0; i < 2; i++)
            pthread_join(thread[i], NULL);
        cr_assert_eq(trail.count, 16);
    }
    weft_sched_destroy(other);
}

/* What such a task begins as all ends has turns as well. */
struct late_call {
    struct task task; /* its first member */
    weft_sched *sched;
    int result;
};

static struct task *wait_in_call(weft_worker *none, struct task *task)
{
    struct late_call *c = (struct late_call *)task;
    weft_future *f;

    cr_assert_eq(weft_submit(c->sched, note, NULL, &f, NULL), 0);
    c->result = weft_future_wait(f, 60000);
    weft_future_destroy(f);
    return NULL;
}

static int begin_call(weft_worker *self, void *call)
{
    return wf_offload(weft_worker_sched(self), call);
}

Test(played, a_call_that_begins_at_the_end_may_wait, .timeout = 30)
{
    weft_sched *s = played(2, 3);
    struct late_call c = { { .run = wait_in_call }, s, -1 };

    cr_assert_eq(weft_submit(s, begin_call, &c, NULL, NULL), 0);
    weft_sched_destroy(s);
    cr_assert_eq(c.result, 0);
    cr_assert_eq(trail.count, 1);
}

/* test_pinned.c: sched/pinned.c: what goes to a weft_thread runs there and
 * nowhere else, in order, and all of it. */
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/aborts.h"
#include "tests/entries.h"
#include "tests/starts.h"
#include "tests/test.h"
#include "tests/times.h"

enum { MANY = TIMES(20000, 2000), FEEDERS = 3 };

struct call {
    struct task task;
    weft_sched *sched;
    unsigned feeder, number;
    int worked; /* plain: one thread at a time has the call */
};

static struct call calls[FEEDERS][MANY];
static _Atomic uint32_t total;

/* Plain: written by the weft_thread alone, read when it has ended. */
static struct {
    pid_t thread;
    unsigned ran[FEEDERS]; /* of each feeder so far */
    unsigned elsewhere, disordered;
} seen;

static struct task *on_worker(weft_worker *self, struct task *task)
{
    struct call *c = (struct call *)task; /* its first member */
    cr_assert(self != NULL);
    cr_assert_eq(self, wf_worker_here());
    cr_assert_eq(weft_worker_sched(self), c->sched);
    c->worked++;
    add_release(&total, 1); /* for wait_for */
    return NULL;
}

static struct task *on_thread(weft_worker *self, struct task *task)
{
    struct call *c = (struct call *)task;
    cr_assert_eq(self, NULL);
    cr_assert_eq(wf_worker_here(), NULL);
    if (!seen.thread)
        seen.thread = gettid();
    seen.elsewhere += seen.thread != gettid();
    seen.disordered += c->number != seen.ran[c->feeder]++;
    task->run = on_worker;
    return task;
}

static void wait_for(uint32_t n)
{
    while (load_acquire(&total) < n) /* what was done before it counted */
        usleep(50);
}

static weft_sched *make_sched(unsigned workers)
{
    weft_sched *sched = NULL;
    store_relaxed(&total, 0);
    memset(&seen, 0, sizeof seen);
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), NULL),
        0);
    for (unsigned f = 0; f < FEEDERS; f++)
        for (unsigned i = 0; i < MANY; i++)
            calls[f][i] = (struct call){
                .task = { on_thread, NULL },
                .sched = sched,
                .feeder = f,
                .number = i,
            };
    return sched;
}

static weft_thread *make_thread(weft_sched *sched)
{
    weft_thread *thread = NULL;
    cr_assert_eq(weft_thread_create(&thread, sched, "test", NULL), 0);
    return thread;
}

Test(pinned, tasks_run_on_one_thread_in_order, .timeout = 60)
{
    weft_sched *sched = make_sched(2);
    weft_thread *thread = make_thread(sched);
    for (int i = 0; i < MANY; i++)
        wf_thread_run(thread, &calls[0][i].task);
    wait_for(MANY);
    weft_thread_destroy(thread);
    weft_sched_destroy(sched);
    cr_assert_eq(seen.ran[0], MANY);
    cr_assert_eq(seen.elsewhere, 0);
    cr_assert_eq(seen.disordered, 0);
    cr_assert(seen.thread != gettid());
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(calls[0][i].worked, 1);
}

static weft_thread *fed;

static void *feed(void *arg)
{
    struct call *own = arg;
    for (int i = 0; i < MANY; i++)
        wf_thread_run(fed, &own[i].task);
    return NULL;
}

static struct task *feed_from_worker(weft_worker *self, struct task *task)
{
    feed(calls[0]);
    return NULL;
}

Test(pinned, tasks_of_each_submitter_run_in_its_order, .timeout = 60)
{
    pthread_t th[FEEDERS];
    struct task feeder = { feed_from_worker, NULL };
    weft_sched *sched = make_sched(2);
    fed = make_thread(sched);
    wf_ready(sched, NULL, &feeder);
    for (int f = 1; f < FEEDERS; f++)
        pthread_create(&th[f], NULL, feed, calls[f]);
    for (int f = 1; f < FEEDERS; f++)
        pthread_join(th[f], NULL);
    wait_for(FEEDERS * MANY);
    weft_thread_destroy(fed);
    weft_sched_destroy(sched);
    for (int f = 0; f < FEEDERS; f++)
        cr_assert_eq(seen.ran[f], MANY);
    cr_assert_eq(seen.elsewhere, 0);
    cr_assert_eq(seen.disordered, 0);
}

Test(pinned, destroy_finishes_what_is_queued, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    weft_thread *thread = make_thread(sched);
    for (int i = 0; i < MANY; i++)
        wf_thread_run(thread, &calls[0][i].task);
    weft_thread_destroy(thread);
    cr_assert_eq(seen.ran[0], MANY);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&total), MANY);
}

static _Atomic uint32_t sched_gone;

static void *destroy_sched(void *sched)
{
    weft_sched_destroy(sched);
    store_release(&sched_gone, 1); /* after all that the scheduler did */
    return NULL;
}

Test(pinned, the_scheduler_waits_for_its_threads, .timeout = 60)
{
    pthread_t th;
    weft_sched *sched = make_sched(1);
    weft_thread *thread = make_thread(sched);
    store_relaxed(&sched_gone, 0);
    pthread_create(&th, NULL, destroy_sched, sched);
    usleep(20000);
    cr_assert_eq(load_acquire(&sched_gone), 0); /* from destroy_sched */
    wf_thread_run(thread, &calls[0][0].task);
    weft_thread_destroy(thread);
    pthread_join(th, NULL);
    cr_assert_eq(calls[0][0].worked, 1);
}

static char name_seen[16];
static cpu_set_t cpus_seen;

static struct task *look(weft_worker *self, struct task *task)
{
    pthread_getname_np(pthread_self(), name_seen, sizeof name_seen);
    sched_getaffinity(0, sizeof cpus_seen, &cpus_seen);
    return NULL;
}

static void look_on(weft_thread *thread)
{
    struct task task = { look, NULL };
    wf_thread_run(thread, &task);
    weft_thread_destroy(thread);
}

Test(pinned, a_long_name_is_cut_and_none_is_given_one, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    weft_thread *thread = NULL;
    cr_assert_eq(
        weft_thread_create(&thread, sched, "the only GPU of all", NULL), 0);
    look_on(thread);
    cr_assert_eq(strcmp(name_seen, "the only GPU of"), 0);
    cr_assert_eq(weft_thread_create(&thread, sched, NULL, NULL), 0);
    look_on(thread);
    cr_assert_eq(strcmp(name_seen, "weft/thread"), 0);
    weft_sched_destroy(sched);
}

Test(pinned, it_runs_where_its_maker_may_run, .timeout = 60)
{
    cpu_set_t all, one;
    int cpu = 0;
    weft_sched *sched = make_sched(1);
    sched_getaffinity(0, sizeof all, &all);
    while (!CPU_ISSET(cpu, &all))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    weft_thread *thread = make_thread(sched);
    sched_setaffinity(0, sizeof all, &all);
    look_on(thread);
    cr_assert(CPU_EQUAL(&cpus_seen, &one));
    look_on(make_thread(sched));
    cr_assert(CPU_EQUAL(&cpus_seen, &all));
    weft_sched_destroy(sched);
}

static struct task *make_on_worker(weft_worker *self, struct task *task)
{
    fed = make_thread(weft_worker_sched(self));
    add_release(&total, 1); /* for wait_for */
    return NULL;
}

Test(pinned, made_by_a_worker_it_is_not_on_that_core, .timeout = 60)
{
    cpu_set_t all;
    struct task task = { make_on_worker, NULL };
    weft_sched *sched = make_sched(2);
    sched_getaffinity(0, sizeof all, &all);
    wf_ready(sched, NULL, &task);
    wait_for(1);
    look_on(fed);
    cr_assert(CPU_EQUAL(&cpus_seen, &all));
    weft_sched_destroy(sched);
}

Test(pinned, many_cycles_leave_no_thread, .timeout = 120)
{
    enum { ROUNDS = TIMES(10000, 1000) };
    weft_sched *sched = make_sched(1);
    int before = entries_of("/proc/self/task");
    for (unsigned i = 0; i < ROUNDS; i++) {
        weft_thread *thread = make_thread(sched);
        if (i % 2)
            wf_thread_run(thread, &calls[0][i % MANY].task);
        weft_thread_destroy(thread);
        seen.thread = 0; /* each is another */
    }
    while (entries_of("/proc/self/task") > before)
        usleep(1000); /* a joined thread may still be listed for a moment */
    weft_sched_destroy(sched);
    cr_assert_eq(seen.ran[0], ROUNDS / 2);
    cr_assert_eq(load_relaxed(&total), ROUNDS / 2);
    weft_thread_destroy(NULL);
}

Test(pinned, without_a_thread_it_says_so_and_holds_nothing, .timeout = 60)
{
    weft_error why;
    weft_thread *thread = NULL;
    weft_sched *sched = make_sched(1);
    store_relaxed(&refuse_threads, true);
    cr_assert_eq(weft_thread_create(&thread, sched, "gpu", &why), -EAGAIN);
    store_relaxed(&refuse_threads, false);
    cr_assert_eq(thread, NULL);
    cr_assert_eq(strcmp(why.text, "thread 'gpu' could not be started: Resource "
                                  "temporarily unavailable"),
                 0);
    weft_sched_destroy(sched);
}

static bool destroy_fed(void)
{
    weft_thread_destroy(fed);
    return true;
}

static struct task *destroy_here(weft_worker *self, struct task *task)
{
    cr_assert(is_misuse(destroy_fed,
                        "weft_thread_destroy was called on the thread 'test' "
                        "itself: it would wait for its own end"));
    seen.ran[0]++;
    return NULL;
}

Test(pinned, it_does_not_destroy_itself, .timeout = 60)
{
    struct task task = { destroy_here, NULL };
    weft_sched *sched = make_sched(1);
    fed = make_thread(sched);
    wf_thread_run(fed, &task);
    weft_thread_destroy(fed);
    weft_sched_destroy(sched);
    cr_assert_eq(seen.ran[0], 1);
}

/* stress_claim.c: threads and tasks want tokens of several limits, in any
 * order, while the numbers change. A claim that is forgotten, or a deadlock,
 * hangs, and the test times out. Built with WEFT_CHAOS. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "graph/claim.h"
#include "graph/open.h"
#include "sched/sched.h"
#include "tests/runs.h"

enum {
    LIMITS = 3,
    MOST = 3, /* tokens of a limit, and of a use */
    THREADS = 4,
    CLAIMS = 100000, /* of each thread */
    POOL = 8,
    TASKS = 24,
    ROUNDS = 5000, /* of each task */
};

struct asker {
    struct task task;
    struct claim claim;
    weft_sched *sched;
    struct weft_use uses[LIMITS];
    unsigned count, random, left;
    bool has;
    bool alone; /* it has no claim */
    _Atomic bool busy;
};

static weft_limit *limits[LIMITS];
static _Atomic unsigned inside[LIMITS], asked[LIMITS], done;
static int alone; /* plain: of who has all of limit 0 */
static uint64_t began;

static unsigned below(unsigned n, unsigned *random)
{
    *random = *random * 1103515245 + 12345;
    return (*random >> 16) % n;
}

/* One to three of the limits, in any order. */
static void choose(struct asker *a)
{
    unsigned first = below(LIMITS, &a->random);
    unsigned step = 1 + below(2, &a->random);

    a->count = 1 + below(LIMITS, &a->random);
    for (unsigned i = 0; i < a->count; i++) {
        unsigned limit = (first + i * step) % LIMITS;
        a->uses[i] =
            (struct weft_use){ limits[limit], 1 + below(MOST, &a->random) };
        add_relaxed(&asked[limit], 1);
    }
}

static bool take(struct asker *a)
{
    return wf_claim_take(&a->claim, a->uses, a->count, a->sched, &a->task);
}

static unsigned number_of(const weft_limit *l)
{
    unsigned n = 0;
    while (limits[n] != l)
        n++;
    return n;
}

/* With all tokens: nobody has more than there may be. */
static void use(struct asker *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        unsigned n = number_of(a->uses[i].limit), tokens = a->uses[i].tokens;
        cr_assert(add_relaxed(&inside[n], tokens) + tokens <= MOST);
        if (n == 0 && tokens == MOST)
            alone++;
    }
    for (unsigned i = 0; i < a->count; i++)
        add_relaxed(&inside[number_of(a->uses[i].limit)], -a->uses[i].tokens);
    wf_claim_give(&a->claim);
}

static void begin(void)
{
    for (int i = 0; i < LIMITS; i++) {
        struct weft_limit_config *config =
            weft_config(limit, .name = "limit", .tokens = MOST);
        cr_assert_eq(weft_limit_create(&limits[i], config, NULL), 0);
        store_relaxed(&asked[i], 0);
    }
    store_relaxed(&done, 0);
    began = wf_now_ns();
}

/* All has come back, and everyone was served once for what they asked. */
static void end(void)
{
    for (int i = 0; i < LIMITS; i++) {
        struct weft_limit_stats s;
        weft_limit_stats(limits[i], &s);
        cr_assert_eq(s.in_use, 0);
        cr_assert_eq(s.waiting, 0);
        cr_assert_eq(s.granted, load_relaxed(&asked[i]));
        cr_assert_eq(s.peak, s.granted ? MOST : 0);
        /* One that is timed stands for its group, however long it lasts. */
        cr_assert(s.busy_ns <= GROUP * MOST * (wf_now_ns() - began));
        cr_assert(s.wait_ns <= s.granted * (wf_now_ns() - began));
        cr_assert_eq(inside[i], 0);
        weft_limit_destroy(limits[i]);
    }
}

/* Threads: an asker that has to wait is served by a worker, later. */

static struct asker pools[THREADS][POOL];

static struct task *serve(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;
    use(a);
    store_release(&a->busy, false);
    return NULL;
}

static void *ask(void *pool)
{
    for (int i = 0; i < CLAIMS; i++) {
        struct asker *a = (struct asker *)pool + i % POOL;
        while (load_acquire(&a->busy)) /* what its last round did */
            sched_yield();
        choose(a);
        store_relaxed(&a->busy, true);
        if (take(a))
            serve(NULL, &a->task);
    }
    return pool;
}

Test(claim, threads_claim_three_limits_in_any_order, .timeout = 110)
{
    pthread_t th[THREADS];
    weft_sched *sched = workers(2);

    begin();
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < POOL; i++)
            pools[t][i] = (struct asker){ .task = { serve, NULL },
                                          .sched = sched,
                                          .random = t * POOL + i };
        pthread_create(&th[t], NULL, ask, pools[t]);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(th[t], NULL);
    weft_sched_destroy(sched);
    end();
}

/* Tasks: each goes on as soon as it has what it asked for. */

static struct asker tasks[TASKS];

static struct task *go_on(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;

    if (a->has)
        use(a);
    a->has = true;
    for (; a->left; use(a)) {
        a->left--;
        choose(a);
        if (!take(a))
            return NULL; /* it may already run elsewhere */
    }
    add_release(&done, 1);
    return NULL;
}

static void *set_at_random(void *unused)
{
    unsigned random = 1;

    while (load_acquire(&done) < TASKS)
        for (int i = 0; i < LIMITS; i++)
            weft_limit_set(limits[i], 1 + below(MOST, &random));
    return unused;
}

Test(claim, tasks_of_two_schedulers_claim_while_numbers_change, .timeout = 110)
{
    weft_sched *scheds[] = { workers(2), workers(2) };
    pthread_t setter;

    begin();
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = (struct asker){ .task = { go_on, NULL },
                                   .sched = scheds[i % 2],
                                   .random = i,
                                   .left = ROUNDS };
        wf_ready(tasks[i].sched, NULL, &tasks[i].task);
    }
    pthread_create(&setter, NULL, set_at_random, NULL);
    pthread_join(setter, NULL);
    weft_sched_destroy(scheds[0]);
    weft_sched_destroy(scheds[1]);
    end();
}

/* One token, which comes and goes with and without the lock. */

static int guarded; /* plain: by the token */

static struct task *have(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;

    guarded++;
    if (a->alone)
        cr_assert(!wf_claim_give_alone(NULL, a->uses));
    else
        wf_claim_give(&a->claim);
    store_release(&a->busy, false);
    return NULL;
}

static void *ask_for_one(void *pool)
{
    for (int i = 0; i < CLAIMS; i++) {
        struct asker *a = (struct asker *)pool + i % POOL;
        while (load_acquire(&a->busy)) /* what its last round did */
            sched_yield();
        store_relaxed(&a->busy, true);
        a->alone = wf_claim_take_alone(a->uses);
        if (a->alone ||
            wf_claim_take(&a->claim, a->uses, 1, a->sched, &a->task))
            have(NULL, &a->task);
    }
    return pool;
}

Test(claim, a_token_is_nobodys_twice_with_and_without_the_lock, .timeout = 110)
{
    pthread_t th[THREADS];
    struct weft_limit_stats s;
    weft_sched *sched = workers(2);

    begin();
    for (unsigned t = 0; t < THREADS; t++) {
        for (unsigned i = 0; i < POOL; i++)
            pools[t][i] = (struct asker){ .task = { have, NULL },
                                          .sched = sched,
                                          .uses = { { limits[0], MOST } },
                                          .count = 1 };
        pthread_create(&th[t], NULL, ask_for_one, pools[t]);
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(th[t], NULL);
    weft_sched_destroy(sched);
    cr_assert_eq(guarded, THREADS * CLAIMS);
    weft_limit_stats(limits[0], &s);
    cr_assert_eq(s.granted, THREADS * CLAIMS);
    store_relaxed(&asked[0], THREADS * CLAIMS);
    end();
}

/* The narrow ones never stop while the wide one has rounds left. */

static struct task *narrow(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;

    if (a->has)
        use(a);
    a->has = true;
    if (load_acquire(&done)) {
        add_release(&done, 1);
        return NULL;
    }
    add_relaxed(&asked[0], 1);
    return take(a) ? task : NULL;
}

static struct task *wide(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;

    if (a->has)
        use(a);
    a->has = true;
    if (!a->left--) {
        store_release(&done, 1);
        return NULL;
    }
    add_relaxed(&asked[0], 1);
    return take(a) ? task : NULL;
}

Test(claim, a_stream_of_narrow_ones_does_not_starve_a_wide_one, .timeout = 110)
{
    weft_sched *sched = workers(2);

    begin();
    for (unsigned i = 0; i < TASKS; i++) {
        tasks[i] = (struct asker){ .task = { i ? narrow : wide, NULL },
                                   .sched = sched,
                                   .uses = { { limits[0], i ? 1 : MOST } },
                                   .count = 1,
                                   .left = ROUNDS };
        wf_ready(sched, NULL, &tasks[i].task);
    }
    while (load_acquire(&done) < TASKS)
        usleep(1000);
    weft_sched_destroy(sched);
    cr_assert(alone >= ROUNDS);
    end();
}

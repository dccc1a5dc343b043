/* stress_limit.c: takers and givers, while the number of tokens changes.
 *
 * Every round is served once, by whoever comes to have its token; `served` is
 * plain, so that two at a time are also a race for ThreadSanitizer. Built with
 * WEFT_CHAOS. */
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#include "graph/limit.h"
#include "tests/test.h"

enum { TAKERS = 3, SETTERS = 2, ROUNDS = 100000, MOST = 4 };

struct round {
    struct task task;
    int served;
};

static struct limit shared;
static struct round rounds[TAKERS][ROUNDS];
static _Atomic unsigned inside, takers;

/* 0 while the number is being changed; then how many may be inside, and above
 * it the number of the change: so that whoever reads the same twice was inside
 * while it held. */
static _Atomic uint64_t rule;

/* With a token: this round, and all that get the token after it. */
static void serve(struct task *task)
{
    while (task) {
        uint64_t before = load_seq_cst(&rule);
        unsigned with_me = add_seq_cst(&inside, 1) + 1;
        uint64_t after = load_seq_cst(&rule);

        cr_assert(with_me <= MOST);
        if (before && before == after)
            cr_assert(with_me <= (before & 0xff));
        ((struct round *)task)->served++;
        sub_seq_cst(&inside, 1);
        task = wf_limit_give(&shared);
    }
}

static void *take(void *arg)
{
    struct round *mine = arg;

    for (int i = 0; i < ROUNDS; i++)
        if (wf_limit_take(&shared) || wf_limit_wait(&shared, &mine[i].task))
            serve(&mine[i].task);
    sub_acq_rel(&takers, 1);
    return NULL;
}

static void set(unsigned tokens)
{
    struct task_list served = wf_limit_set(&shared, tokens);

    for (struct task *task; (task = task_list_take(&served));)
        serve(task);
}

/* Under the lock, for there the givers have done what they did inside. */
static unsigned tokens_out(void)
{
    pthread_mutex_lock(&shared.lock);
    unsigned out = wf_limit_in_use(&shared);
    pthread_mutex_unlock(&shared.lock);
    return out;
}

/* Sets a number, waits until no more tokens are out, and lets that be the rule.
 * `inside` does not tell it: who has a token may not have come in yet. */
static void *rule_them(void *unused)
{
    for (uint64_t change = 1; load_acquire(&takers); change++) {
        unsigned tokens = (unsigned)(change * 7 % MOST) + 1;
        set(tokens);
        while (tokens_out() > tokens)
            sched_yield();
        store_seq_cst(&rule, change << 8 | tokens);
        for (unsigned i = 0; i < 100 && load_acquire(&takers); i++)
            sched_yield();
        store_seq_cst(&rule, 0);
    }
    return unused;
}

static void *set_at_random(void *seed)
{
    unsigned random = *(unsigned *)seed;

    while (load_acquire(&takers)) {
        random = random * 1103515245 + 12345;
        set((random >> 16) % MOST + 1);
    }
    return seed;
}

static void contend(void *(*setter)(void *), int setters)
{
    pthread_t th[TAKERS + SETTERS];
    unsigned seeds[SETTERS] = { 1, 2 };

    wf_limit_init(&shared, MOST);
    store_relaxed(&takers, TAKERS);
    for (int i = 0; i < TAKERS; i++)
        pthread_create(&th[i], NULL, take, rounds[i]);
    for (int i = 0; i < setters; i++)
        pthread_create(&th[TAKERS + i], NULL, setter, &seeds[i]);
    for (int i = 0; i < TAKERS + setters; i++)
        pthread_join(th[i], NULL);

    for (int i = 0; i < TAKERS; i++)
        for (int j = 0; j < ROUNDS; j++) {
            cr_assert_eq(rounds[i][j].served, 1);
            rounds[i][j].served = 0;
        }
    cr_assert_eq(wf_limit_in_use(&shared), 0);
    cr_assert_eq(shared.owed, 0);
    cr_assert(shared.peak <= MOST);

    unsigned tokens = load_relaxed(&shared.tokens);
    for (unsigned i = 0; i < tokens; i++)
        cr_assert(wf_limit_take(&shared));
    cr_assert(!wf_limit_take(&shared));
    wf_limit_finish(&shared);
}

Test(limit, no_more_are_inside_than_was_last_set, .timeout = 100)
{
    contend(rule_them, 1);
}

Test(limit, two_that_set_it_lose_and_invent_no_token, .timeout = 100)
{
    contend(set_at_random, SETTERS);
}

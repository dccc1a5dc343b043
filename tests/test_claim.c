/* test_claim.c: graph/claim.c alone: who gets tokens of several limits, and
 * when. What is granted is known as soon as a call returns, so nothing here
 * waits for a task but to see that it runs, once, where it should. */
#include "graph/claim.h"

#include <unistd.h>

#include "sched/sched.h"
#include "tests/runs.h"

enum { A, B, C, LIMITS = 5 };

struct asker {
    struct task task;
    struct claim claim;
    weft_sched *ran_on;
    unsigned turn; /* its place among the tasks that have run; 0: not yet */
};

static weft_sched *sched;
static weft_limit *limits[LIMITS];
static _Atomic unsigned turns;

static struct task *served(weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task;
    a->ran_on = weft_worker_sched(self);
    a->turn = load_relaxed(&turns) + 1;
    add_release(&turns, 1); /* for wait_for */
    return NULL;
}

static void wait_for(unsigned n)
{
    while (load_acquire(&turns) < n) /* what the tasks did, in served() */
        usleep(100);
}

/* One worker, which runs tasks in the order in which they are made ready, and
 * so many tokens in each limit. */
static void begin(const unsigned tokens[LIMITS])
{
    store_relaxed(&turns, 0);
    sched = workers(1);
    for (int i = 0; i < LIMITS; i++) {
        struct weft_limit_config *config =
            weft_config(limit, .name = "limit", .tokens = tokens[i]);
        cr_assert_eq(weft_limit_create(&limits[i], config, NULL), 0);
    }
}

static struct weft_limit_stats stats_of(int limit)
{
    struct weft_limit_stats s;
    weft_limit_stats(limits[limit], &s);
    return s;
}

/* Every token has come back, and everyone who had waited has run. */
static void end(unsigned had_waited)
{
    weft_sched_destroy(sched);
    cr_assert_eq(turns, had_waited);
    for (int i = 0; i < LIMITS; i++) {
        cr_assert_eq(stats_of(i).in_use, 0);
        cr_assert_eq(stats_of(i).waiting, 0);
        weft_limit_destroy(limits[i]);
    }
}

#define BEGIN(...)         begin((const unsigned[LIMITS]){ __VA_ARGS__ })
#define USE(LIMIT, TOKENS) ((struct weft_use){ limits[LIMIT], TOKENS })
#define TAKE(ASKER, ...)                                                       \
    take(ASKER, (const struct weft_use[]){ __VA_ARGS__ },                      \
         sizeof((struct weft_use[]){ __VA_ARGS__ }) / sizeof(struct weft_use))

static bool take(struct asker *a, const struct weft_use *uses, size_t count)
{
    *a = (struct asker){ .task = { served, NULL } };
    return wf_claim_take(&a->claim, uses, (unsigned)count, sched, &a->task);
}

static void give(struct asker *a) { wf_claim_give(&a->claim); }

static void expect(int limit, unsigned in_use, unsigned waiting,
                   unsigned granted)
{
    struct weft_limit_stats s = stats_of(limit);
    cr_assert_eq(s.in_use, in_use);
    cr_assert_eq(s.waiting, waiting);
    cr_assert_eq(s.granted, granted);
}

Test(claim, tokens_of_all_limits_are_taken_and_given_back)
{
    struct asker a, b;
    BEGIN(3, 2, 1, 1, 1);
    cr_assert(TAKE(&a, USE(A, 2), USE(B, 0)));
    expect(A, 2, 0, 1);
    expect(B, 1, 0, 1);
    cr_assert(TAKE(&b, USE(B, 1), USE(A, 1), USE(C, 1)));
    expect(A, 3, 0, 2);
    expect(B, 2, 0, 2);
    give(&a);
    expect(A, 1, 0, 2);
    expect(B, 1, 0, 2);
    give(&b);
    cr_assert_eq(stats_of(A).peak, 3);
    cr_assert_eq(stats_of(B).peak, 2);
    cr_assert_eq(stats_of(C).peak, 1);
    end(0);
}

Test(claim, the_users_limits_and_the_stages_own_are_claimed_together)
{
    struct asker a, b;
    struct weft_use uses[WEFT_MOST_USES + 1];
    struct weft_limit own;
    BEGIN(1, 1, 1, 1, 1);
    wf_named_limit_init(&own, "stage", 2);
    cr_assert(!strcmp(wf_limit_name(&own), "stage"));
    uses[0] = (struct weft_use){ &own, 1 };
    for (int i = 0; i < WEFT_MOST_USES; i++)
        uses[i + 1] = USE(i, 1);
    cr_assert(take(&a, uses, WEFT_MOST_USES + 1));
    cr_assert(!take(&b, uses, WEFT_MOST_USES + 1));
    cr_assert_eq(own.in_use, 1);
    give(&a);
    cr_assert_eq(own.in_use, 1);
    give(&b);
    cr_assert_eq(own.in_use, 0);
    cr_assert_eq(own.granted, 2);
    end(1);
}

/* It could not run if it had the limit's token; others can. */
Test(claim, who_waits_for_its_stages_token_is_in_nobodys_way)
{
    struct asker first, second, other;
    struct weft_limit own;
    BEGIN(2, 1, 1, 1, 1);
    wf_named_limit_init(&own, "stage", 1);
    struct weft_use uses[] = { { &own, 1 }, USE(A, 1) };
    cr_assert(take(&first, uses, 2));
    cr_assert(!take(&second, uses, 2));
    expect(A, 1, 0, 1);
    cr_assert_eq(own.waiting, 1);
    cr_assert(TAKE(&other, USE(A, 1)));
    give(&first);
    expect(A, 2, 0, 3);
    cr_assert_eq(own.waiting, 0);
    give(&second);
    give(&other);
    cr_assert_eq(own.in_use, 0);
    end(1);
}

Test(claim, a_stages_token_is_kept_for_who_waits_for_a_limit)
{
    struct asker holder, first, second, third;
    struct weft_limit own;
    BEGIN(1, 1, 1, 1, 1);
    wf_named_limit_init(&own, "stage", 2);
    struct weft_use uses[] = { { &own, 1 }, USE(A, 1) };
    cr_assert(TAKE(&holder, USE(A, 1)));
    cr_assert(!take(&first, uses, 2));
    cr_assert(!take(&second, uses, 2));
    cr_assert(!take(&third, uses, 2));
    expect(A, 1, 2, 1); /* the third has not even a token */
    cr_assert_eq(own.in_use, 0);
    cr_assert_eq(own.waiting, 3);
    cr_assert_eq(wf_limit_reserved(&own), 2);
    weft_limit_set(&own, 1); /* what is kept stays */
    give(&holder);
    expect(A, 1, 1, 2);
    cr_assert_eq(own.in_use, 1);
    give(&first);
    expect(A, 1, 0, 3);
    cr_assert_eq(wf_limit_reserved(&own), 0);
    give(&second);
    expect(A, 1, 0, 4);
    give(&third);
    cr_assert_eq(own.in_use, 0);
    cr_assert_eq(own.peak, 1);
    cr_assert_eq(own.granted, 3);
    end(3);
}

Test(claim, more_tokens_of_a_stage_let_more_of_them_stand_in_line)
{
    struct asker a[4];
    struct weft_limit own;
    BEGIN(3, 1, 1, 1, 1);
    wf_named_limit_init(&own, "stage", 1);
    struct weft_use uses[] = { { &own, 1 }, USE(A, 1) };
    cr_assert(take(&a[0], uses, 2));
    for (int i = 1; i < 4; i++)
        cr_assert(!take(&a[i], uses, 2));
    weft_limit_set(&own, 5);
    expect(A, 3, 1, 3);
    cr_assert_eq(own.in_use, 3);
    for (int i = 0; i < 4; i++)
        give(&a[i]);
    end(3);
}

Test(claim, a_token_given_back_serves_one_and_it_is_the_oldest)
{
    enum { MANY = 200 };
    static struct asker first, many[MANY];
    struct weft_sched_stats s;
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&first, USE(A, 1)));
    for (int i = 0; i < MANY; i++)
        cr_assert(!TAKE(&many[i], USE(A, 1)));
    give(&first);
    for (unsigned i = 0; i < MANY; i++) {
        expect(A, 1, MANY - 1 - i, i + 2);
        wait_for(i + 1);
        cr_assert_eq(many[i].turn, i + 1);
        give(&many[i]);
    }
    cr_assert_eq(stats_of(A).peak, 1);
    weft_sched_stats(sched, &s);
    cr_assert(s.tasks <= MANY); /* nobody was made ready in vain */
    end(MANY);
}

Test(claim, a_queue_that_was_left_by_all_is_joined_again)
{
    struct asker a[4];
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&a[0], USE(A, 1)));
    for (int i = 1; i < 4; i++) {
        cr_assert(!TAKE(&a[i], USE(A, 1)));
        give(&a[i - 1]);
        expect(A, 1, 0, i + 1);
    }
    give(&a[3]);
    end(3);
}

Test(claim, who_waits_holds_no_tokens)
{
    struct asker holder, both, behind, beside;
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&holder, USE(A, 1)));
    cr_assert(!TAKE(&both, USE(A, 1), USE(B, 1)));
    expect(B, 0, 1, 0);
    cr_assert(TAKE(&beside, USE(C, 1))); /* no limit in common */
    cr_assert(!TAKE(&behind, USE(B, 1), USE(C, 1)));
    give(&beside);
    expect(C, 0, 1, 1);
    give(&holder);
    expect(A, 1, 0, 2);
    expect(B, 1, 1, 1);
    give(&both);
    expect(B, 1, 0, 2);
    expect(C, 1, 0, 2);
    give(&behind);
    end(2);
}

Test(claim, a_wide_one_is_served_after_what_was_before_it_and_nothing_else)
{
    struct asker before[3], wide, after[3];
    BEGIN(4, 1, 1, 1, 1);
    for (int i = 0; i < 3; i++)
        cr_assert(TAKE(&before[i], USE(A, 1)));
    cr_assert(!TAKE(&wide, USE(A, 4)));
    for (int i = 0; i < 3; i++)
        cr_assert(!TAKE(&after[i], USE(A, 1))); /* one token is free */
    for (int i = 0; i < 3; i++) {
        expect(A, 3 - i, 4, 3);
        give(&before[i]);
    }
    expect(A, 4, 3, 4);
    give(&wide);
    expect(A, 3, 0, 7);
    for (int i = 0; i < 3; i++)
        give(&after[i]);
    end(4);
}

Test(claim, overlapping_pairs_are_served_in_the_order_in_which_they_came)
{
    struct asker holder, pair[4];
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&holder, USE(A, 1), USE(B, 1), USE(C, 1)));
    cr_assert(!TAKE(&pair[0], USE(A, 1), USE(B, 1)));
    cr_assert(!TAKE(&pair[1], USE(B, 1), USE(C, 1)));
    cr_assert(!TAKE(&pair[2], USE(C, 1), USE(A, 1)));
    cr_assert(!TAKE(&pair[3], USE(B, 1), USE(A, 1)));
    give(&holder);
    expect(C, 0, 2, 1); /* what pair[1] lacks is B, and its place is kept */
    for (unsigned i = 0; i < 4; i++) {
        wait_for(i + 1);
        cr_assert_eq(pair[i].turn, i + 1);
        give(&pair[i]);
    }
    end(4);
}

/* The holder of A gives; who waits for B alone had not even been the oldest. */
Test(claim, who_is_served_may_clear_the_way_for_others_elsewhere)
{
    struct asker holder, first, second, third;
    BEGIN(1, 2, 1, 1, 1);
    cr_assert(TAKE(&holder, USE(A, 1)));
    cr_assert(!TAKE(&first, USE(A, 1), USE(B, 1)));
    cr_assert(!TAKE(&second, USE(B, 1), USE(C, 1)));
    cr_assert(!TAKE(&third, USE(C, 1), USE(B, 1)));
    give(&holder);
    expect(B, 2, 1, 2);
    expect(C, 1, 1, 1);
    give(&second);
    expect(B, 2, 0, 3);
    give(&first);
    give(&third);
    end(3);
}

Test(claim, more_tokens_serve_who_waits)
{
    struct asker a[4];
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&a[0], USE(A, 1)));
    for (int i = 1; i < 4; i++)
        cr_assert(!TAKE(&a[i], USE(A, 1)));
    weft_limit_set(limits[A], 3);
    expect(A, 3, 1, 3);
    weft_limit_set(limits[A], WEFT_UNLIMITED);
    expect(A, 4, 0, 4);
    cr_assert_eq(stats_of(A).tokens, WEFT_UNLIMITED);
    for (int i = 0; i < 4; i++)
        give(&a[i]);
    end(3);
}

Test(claim, with_fewer_tokens_what_has_them_goes_on)
{
    struct asker a[4];
    BEGIN(3, 1, 1, 1, 1);
    for (int i = 0; i < 3; i++)
        cr_assert(TAKE(&a[i], USE(A, 1)));
    weft_limit_set(limits[A], 0); /* as 1 */
    cr_assert_eq(stats_of(A).tokens, 1);
    cr_assert(!TAKE(&a[3], USE(A, 1)));
    expect(A, 3, 1, 3);
    give(&a[0]);
    give(&a[1]);
    expect(A, 1, 1, 3);
    give(&a[2]);
    expect(A, 1, 0, 4);
    give(&a[3]);
    end(1);
}

Test(claim, tokens_that_were_free_for_the_oldest_can_be_withdrawn)
{
    struct asker narrow, holder, wide;
    BEGIN(3, 1, 1, 1, 1);
    cr_assert(TAKE(&narrow, USE(A, 1)));
    cr_assert(TAKE(&holder, USE(B, 1)));
    cr_assert(!TAKE(&wide, USE(A, 2), USE(B, 1)));
    weft_limit_set(limits[A], 2);
    give(&holder);
    expect(A, 1, 1, 1);
    expect(B, 0, 1, 1);
    weft_limit_set(limits[A], 3);
    expect(A, 3, 0, 2);
    give(&narrow);
    give(&wide);
    end(1);
}

Test(claim, who_asks_for_more_than_there_are_now_runs_alone)
{
    struct asker narrow, wide, next, last;
    BEGIN(4, 1, 1, 1, 1);
    weft_limit_set(limits[A], 2);
    cr_assert(TAKE(&narrow, USE(A, 1)));
    cr_assert(!TAKE(&wide, USE(A, 3)));
    cr_assert(!TAKE(&next, USE(A, 1)));
    give(&narrow);
    expect(A, 3, 1, 2);
    weft_limit_set(limits[A], 1);
    expect(A, 3, 1, 2);
    give(&wide);
    expect(A, 1, 0, 3);
    give(&next);
    cr_assert(TAKE(&last, USE(A, 4))); /* nobody has any: at once */
    give(&last);
    cr_assert_eq(stats_of(A).peak, 4);
    end(2);
}

Test(claim, a_task_is_made_ready_on_its_own_scheduler)
{
    struct asker holder, here, there;
    BEGIN(2, 1, 1, 1, 1);
    weft_sched *mine = sched, *other = workers(1);
    cr_assert(TAKE(&holder, USE(A, 2)));
    cr_assert(!TAKE(&here, USE(A, 1)));
    sched = other;
    cr_assert(!TAKE(&there, USE(A, 1)));
    sched = mine;
    give(&holder); /* both are served */
    weft_sched_destroy(other);
    wait_for(2);
    cr_assert_eq(here.ran_on, mine);
    cr_assert_eq(there.ran_on, other);
    give(&here);
    give(&there);
    end(2);
}

/* Durations lie between those of clocks that are read around them. */
Test(claim, what_is_in_use_and_what_waits_is_added_up_over_time)
{
    struct asker a, b;
    struct weft_limit_stats s;
    BEGIN(3, 1, 1, 1, 1);
    s = stats_of(A);
    cr_assert(!s.wait_ns && !s.busy_ns);

    uint64_t t0 = wf_now_ns();
    cr_assert(TAKE(&a, USE(A, 3)));
    uint64_t t1 = wf_now_ns();
    cr_assert(!TAKE(&b, USE(A, 2)));
    uint64_t t2 = wf_now_ns();
    usleep(2000);
    uint64_t t3 = wf_now_ns();
    s = stats_of(A);
    uint64_t t4 = wf_now_ns();
    cr_assert(s.busy_ns >= 3 * (t3 - t1) && s.busy_ns <= 3 * (t4 - t0));
    cr_assert(s.wait_ns >= t3 - t2 && s.wait_ns <= t4 - t1);
    give(&a);
    uint64_t t5 = wf_now_ns();
    usleep(2000);
    uint64_t t6 = wf_now_ns();
    give(&b);
    uint64_t t7 = wf_now_ns();
    s = stats_of(A);
    cr_assert(s.busy_ns >= 3 * (t4 - t1) + 2 * (t6 - t5));
    cr_assert(s.busy_ns <= 3 * (t5 - t0) + 2 * (t7 - t4));
    cr_assert(s.wait_ns >= t4 - t2 && s.wait_ns <= t5 - t1);
    end(1);
}

/* Creates what must not be created; the sentence is as expected. */
static void not_created(const struct weft_limit_config *config,
                        const char *sentence)
{
    weft_limit *l = NULL;
    weft_error why;
    cr_assert_eq(weft_limit_create(&l, config, &why), -EINVAL);
    cr_assert_eq(l, NULL);
    cr_assert(!strcmp(why.text, sentence));
}

Test(claim, a_mistake_in_a_limit_is_a_sentence)
{
    not_created(NULL, "a limit has no name");
    not_created(weft_config(limit, .tokens = 1), "a limit has no name");
    not_created(weft_config(limit, .name = "", .tokens = 1),
                "a limit has no name");
    not_created(weft_config(limit, .name = "gpu"),
                "limit gpu has no tokens: at least 1 is needed");
}

Test(claim, a_limits_name_is_its_own)
{
    char name[] = "gpu";
    weft_limit *l = NULL;
    struct weft_limit_stats s;
    cr_assert_eq(weft_limit_create(
                     &l, weft_config(limit, .name = name, .tokens = 7), NULL),
                 0);
    name[0] = '-'; /* it was borrowed */
    weft_limit_stats(l, &s);
    cr_assert(!strcmp(s.name, "gpu"));
    cr_assert_eq(s.name, wf_limit_name(l));
    cr_assert_eq(s.tokens, 7);
    weft_limit_destroy(l);
    weft_limit_destroy(NULL);
}

Test(claim, who_is_hurried_has_nothing_and_is_in_nobodys_way)
{
    struct asker holder, wide, narrow, last;
    BEGIN(2, 2, 1, 1, 1);
    cr_assert(TAKE(&holder, USE(A, 1)));
    wf_claim_hurry(&holder.claim); /* it does not wait */
    expect(A, 1, 0, 1);
    cr_assert(!TAKE(&wide, USE(A, 2), USE(B, 2)));
    cr_assert(!TAKE(&narrow, USE(A, 1), USE(B, 1)));
    cr_assert(!TAKE(&last, USE(B, 2)));
    wf_claim_hurry(&wide.claim);
    wait_for(2); /* and the one behind it has its tokens */
    expect(A, 2, 0, 2);
    expect(B, 1, 1, 1);
    wf_claim_hurry(&wide.claim); /* for nothing: it does not wait any more */
    wf_claim_hurry(&narrow.claim);
    wf_claim_hurry(&last.claim); /* there is nobody left behind it */
    wait_for(3);
    expect(B, 1, 0, 1);
    give(&wide);
    give(&last);
    expect(A, 2, 0, 2);
    expect(B, 1, 0, 1);
    give(&narrow);
    give(&holder);
    cr_assert(TAKE(&last, USE(A, 2), USE(B, 2)));
    give(&last);
    end(3);
}

Test(claim, who_is_hurried_may_stand_anywhere_in_its_queue)
{
    struct asker holder, waits[4];
    BEGIN(1, 1, 1, 1, 1);
    cr_assert(TAKE(&holder, USE(A, 1)));
    for (int i = 0; i < 4; i++)
        cr_assert(!TAKE(&waits[i], USE(A, 1)));
    wf_claim_hurry(&waits[1].claim);
    wf_claim_hurry(&waits[3].claim);
    give(&holder);
    wait_for(3);
    expect(A, 1, 1, 2);
    wf_claim_hurry(&waits[2].claim);
    expect(A, 1, 0, 2);
    give(&waits[0]);
    expect(A, 0, 0, 2);
    uint64_t waited = stats_of(A).wait_ns;
    cr_assert(waited < (uint64_t)1 << 40); /* each wait has an end */
    cr_assert_eq(stats_of(A).wait_ns, waited);
    end(4);
}

Test(claim, who_is_hurried_gives_up_the_token_of_its_stage)
{
    struct asker holder, first, second, third;
    struct weft_limit own;
    BEGIN(1, 1, 1, 1, 1);
    wf_named_limit_init(&own, "stage", 1);
    const struct weft_use uses[] = { { &own, 1 }, USE(A, 1) };
    cr_assert(TAKE(&holder, USE(A, 1)));
    cr_assert(!take(&first, uses, 2)); /* has its stage's, wants the other */
    cr_assert(!take(&second, uses, 2));
    cr_assert(!take(&third, uses, 2));
    cr_assert_eq(wf_limit_reserved(&own), 1);
    expect(A, 1, 1, 1);
    wf_claim_hurry(&second.claim); /* wants its stage's */
    cr_assert_eq(wf_limit_reserved(&own), 1);
    wf_claim_hurry(&first.claim); /* the third comes up */
    cr_assert_eq(wf_limit_reserved(&own), 1);
    expect(A, 1, 1, 1);
    give(&holder);
    expect(A, 1, 0, 2);
    give(&first);
    give(&second);
    cr_assert_eq(wf_limit_reserved(&own), 0);
    struct weft_limit_stats s;
    weft_limit_stats(&own, &s);
    cr_assert_eq(s.in_use, 1);
    cr_assert_eq(s.waiting, 0);
    give(&third);
    weft_limit_stats(&own, &s);
    cr_assert_eq(s.in_use, 0);
    cr_assert_eq(s.granted, 1);
    end(3);
}

/* test_mazes.c: R16 again, by chance: pipelines of up to twelve elements,
 * routers inside of routers, merges of merges, parts inside of parts, gathers
 * and scatters, with epochs, retries, limits, budgets and holes. If nothing
 * moves for long, or not what must come comes, the seed is told. */
#include "tests/maze.h"

enum { PATIENCE_MS = 10000 };

static void expect(struct maze *m, bool right, const char *what, unsigned epoch)
{
    if (!right)
        printf("maze %lu: %s in epoch %u\n", (unsigned long)m->seed, what,
               epoch);
    fflush(stdout);
    cr_assert(right);
}

static uint64_t progress(struct weft_run *run)
{
    struct weft_flow f;
    uint64_t sum = 0;

    for (unsigned i = 0; !weft_run_flow(run, i, &f); i++)
        sum += f.fed + f.delivered + f.filtered + f.failed;
    return sum;
}

static void say(void *ctx, const char *what, const char *text)
{
    printf("%s %s\n", what, text);
}

/* As weft_next, but it tells when nothing moves any more. */
static int next(struct maze *m, struct weft_run *run, void **item)
{
    uint64_t before = UINT64_MAX, now;
    int rc;

    while ((rc = weft_next(run, item, PATIENCE_MS, NULL)) == -ETIMEDOUT &&
           (now = progress(run)) != before)
        before = now;
    if (rc == -ETIMEDOUT)
        weft_run_report(run, say, NULL);
    expect(m, rc != -ETIMEDOUT, "no progress", 0);
    return rc;
}

static void consume(struct maze *m, struct weft_run *run,
                    const struct items *items, bool in_order)
{
    unsigned count[EPOCHS + 1];
    uint64_t number = 0;
    void *item;

    survivors(items, count);
    for (unsigned e = 0; e <= items->epochs; e++) {
        for (unsigned i = 0; i < count[e]; i++) {
            expect(m, next(m, run, &item) == 1, "no item", e);
            expect(m, weft_item_epoch(item) == e, "another's item", e);
            uint64_t is = weft_item_number(item);
            expect(m, !in_order || is >= number, "an item out of order", e);
            number = is + 1;
            weft_release(item);
        }
        expect(m, next(m, run, &item) == (e < items->epochs ? WEFT_EPOCH : 0),
               "no end", e);
    }
}

/* Some items, then it is stopped: what it holds is released, whatever it was
 * doing. */
static int leave(struct maze *m, struct weft_run *run, const struct visit *v)
{
    void *item;
    int rc = 1;

    for (unsigned i = 0; rc && i < v->most; i++)
        if ((rc = next(m, run, &item)) == 1)
            weft_release(item);
    if (v->drains)
        weft_drain(run);
    else
        weft_cancel(run);
    while (v->drains && (rc = next(m, run, &item)) != 0)
        if (rc == 1)
            weft_release(item);
    rc = weft_wait(run, 6 * PATIENCE_MS, NULL);
    expect(m, !rc || (rc == -ECANCELED && !v->drains), "another result", 0);
    return rc;
}

/* Scatters one behind the other; all of those before a merge in turns. */
static unsigned scatters_in(const struct part *p, bool in_turns)
{
    unsigned own = 0, most = 0, all = 0;

    for (unsigned i = 0; i < p->count; i++) {
        own += p->elements[i]->kind == SCATTER;
        if (p->elements[i]->kind == EMBED)
            own += scatters_in(p->elements[i]->parts[0], in_turns);
    }
    in_turns |= p->turn != WEFT_ARRIVAL;
    for (unsigned i = 0; i < p->input_count; i++) {
        unsigned n = scatters_in(p->inputs[i], in_turns);
        most = n > most ? n : most;
        all += n;
    }
    return own + (in_turns ? all : most);
}

/* R18: the peak is the budget and one item; and one more for each scatter,
 * whose item stays while its pieces come. An item asks for at most MOST_BYTES,
 * to what another segment's items cost. */
static void expect_budget(struct maze *m, struct weft_run *run)
{
    uint64_t most = MOST_BYTES + COST;
    uint64_t items = 1 + scatters_in(&m->parts[0], false);
    struct weft_budget_stats b;

    cr_assert_eq(weft_run_budget(run, &b), 0);
    expect(m, b.peak <= m->budget + items * most, "more than the budget", 0);
    expect(m, !b.used && !b.waiting, "bytes in use", 0);
}

static void run_maze(uint64_t seed, weft_sched **scheds)
{
    struct maze *m = malloc(sizeof *m);
    struct items items;
    struct visit v;
    int rc = 0;
    weft_plan *plan = make_maze(m, seed, &items, &v);
    struct weft_run *run = started(scheds[v.workers - 1], plan);

    if (v.most)
        rc = leave(m, run, &v);
    else
        consume(m, run, &items, v.order == WEFT_INPUT);
    cr_assert_eq(weft_wait(run, -1, NULL), rc);
    if (m->budget)
        expect_budget(m, run);
    note_callback("time", weft_sched_now_ns(scheds[v.workers - 1]));
    ended(run, rc);
    finish_maze(m, plan);
    free(m);
}

/* A maze that fails tells its seed; `WEFT_MAZE=seed` runs that one alone. */
Test(mazes, R16_no_maze_deadlocks_or_loses_an_item, .timeout = 7200)
{
    const char *seed = getenv("WEFT_MAZE");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : 0;
    uint64_t count = seed ? 1 : is_long() ? 300000 : TIMES(5000, 2000);
    weft_sched *scheds[3];

    for (unsigned i = 0; i < 3; i++)
        scheds[i] = workers(i + 1);
    for (uint64_t i = 0; i < count; i++)
        run_maze(from + i, scheds);
    for (unsigned i = 0; i < 3; i++)
        weft_sched_destroy(scheds[i]);
    printf("%lu mazes\n", (unsigned long)count);
}

/* With this seed for the workers as well: what its callbacks were. */
static uint64_t play_maze(uint64_t seed)
{
    uint64_t digest = 0;
    weft_sched *scheds[3];

    for (unsigned w = 0; w < 3; w++)
        scheds[w] = workers_by(w + 1, seed + 1);
    maze_digest = &digest;
    run_maze(seed, scheds);
    maze_digest = NULL;
    for (unsigned w = 0; w < 3; w++)
        weft_sched_destroy(scheds[w]);
    return digest;
}

/* The same where another seed plays the workers, and time; and again, to the
 * last callback. */
Test(mazes, R16_no_maze_deadlocks_or_loses_an_item_by_seeds, .timeout = 600)
{
    const char *seed = getenv("WEFT_MAZE");
    uint64_t from = seed ? strtoull(seed, NULL, 10) : 0;
    uint64_t count = seed ? 1 : is_long() ? 10000 : TIMES(400, 100);

    for (uint64_t i = from; i < from + count; i++) {
        uint64_t once = play_maze(i), again = play_maze(i);
        if (once != again)
            printf("maze %lu: another order\n", (unsigned long)i);
        cr_assert_eq(once, again);
    }
}

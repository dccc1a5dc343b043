/* forkjoin_weft.c: children in the frames of those that wait for them. */
#include "perf/rows/forkjoin.h"
#include "weft/weft.h"

static weft_sched *sched;

/* ---- fib ----------------------------------------------------------------- */

struct half {
    uint64_t n, result;
};

static int run_fib(weft_worker *self, void *ctx);

static uint64_t fib(weft_worker *self, uint64_t n)
{
    if (n < 2)
        return n;
    struct half half = { n - 1, 0 };
    struct weft_child child = { .fn = run_fib, .ctx = &half };
    weft_spawn(self, &child);
    uint64_t other = fib(self, n - 2);
    must(weft_sync(self, &child), "a child");
    return half.result + other;
}

static int run_fib(weft_worker *self, void *ctx)
{
    struct half *half = ctx;
    half->result = fib(self, half->n);
    return 0;
}

/* ---- skynet -------------------------------------------------------------- */

static int run_actor(weft_worker *self, void *ctx)
{
    struct actor *a = ctx, child[TEN];
    struct weft_child children[TEN];
    struct weft_group group = { 0 };

    a->sum = a->number;
    if (a->size == 1)
        return 0;
    for (unsigned i = 0; i < TEN; i++) {
        child[i] = actor_child(a, i);
        children[i] = (struct weft_child){ .fn = run_actor, .ctx = &child[i] };
        weft_group_spawn(self, &group, &children[i]);
    }
    must(weft_group_sync(self, &group), "ten children");
    a->sum = 0;
    for (unsigned i = 0; i < TEN; i++)
        a->sum += child[i].sum;
    return 0;
}

/* ---- queens -------------------------------------------------------------- */

static int run_board(weft_worker *self, void *ctx)
{
    struct board *board = ctx, next[MOST_QUEENS];
    struct weft_child children[MOST_QUEENS];
    struct weft_group group = { 0 };

    if (board->row == QUEENS_ROWS) {
        count_solutions(board);
        return 0;
    }
    unsigned count = next_boards(board, next);
    for (unsigned i = 0; i < count; i++) {
        children[i] = (struct weft_child){ .fn = run_board, .ctx = &next[i] };
        weft_group_spawn(self, &group, &children[i]);
    }
    must(weft_group_sync(self, &group), "boards");
    for (unsigned i = 0; i < count; i++)
        board->solutions += next[i].solutions;
    return 0;
}

/* ---- a product ----------------------------------------------------------- */

static int run_product(weft_worker *self, void *ctx)
{
    struct product *p = ctx, part[4];
    struct weft_child children[4];
    struct weft_group group = { 0 };

    if (p->size == 1) {
        multiply_tile(p);
        return 0;
    }
    for (unsigned i = 0; i < 8; i++) {
        part[i % 4] = product_part(p, i);
        children[i % 4] =
            (struct weft_child){ .fn = run_product, .ctx = &part[i % 4] };
        weft_group_spawn(self, &group, &children[i % 4]);
        if (i % 4 == 3)
            must(weft_group_sync(self, &group), "four squares");
    }
    return 0;
}

/* -------------------------------------------------------------------------- */

static void open_sched(const struct row *row)
{
    weft_error why = { "" };
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static void call(weft_fn *fn, void *ctx)
{
    weft_error why = { "" };
    must(weft_call(sched, fn, ctx, &why), why.text);
}

static uint64_t call_fib(uint64_t n)
{
    struct half all = { n, 0 };
    call(run_fib, &all);
    return all.result;
}

static uint64_t call_skynet(uint64_t leaves)
{
    struct actor all = { 0, leaves, 0 };
    call(run_actor, &all);
    return all.sum;
}

static void call_queens(struct board *board) { call(run_board, board); }

static void call_product(struct product *p) { call(run_product, p); }

static void close_sched(void) { weft_sched_destroy(sched); }

static void measure(const struct row *row, const struct row_case *c)
{
    forkjoin_measure(row, c,
                     &(struct forkjoin){ open_sched, call_fib, call_skynet,
                                         call_queens, call_product, close_sched,
                                         38, 10000000 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = FORKJOIN_CASES(measure);
    struct row row = row_begin(argc, argv, "forkjoin", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}

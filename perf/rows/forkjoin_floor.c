/* forkjoin_floor.c: plain calls that are not inlined, on one thread. */
#include "perf/rows/forkjoin.h"

/* A child is called through a pointer that the compiler knows nothing of. */
typedef void child_fn(void *ctx);

static void call(child_fn *fn, void *ctx)
{
    __asm__ volatile("" : "+r"(fn));
    fn(ctx);
}

struct half {
    uint64_t n, result;
};

static void run_fib(void *ctx);

static __attribute__((noinline)) uint64_t fib(uint64_t n)
{
    struct half half = { n - 1, 0 };

    if (n < 2)
        return n;
    call(run_fib, &half);
    uint64_t other = fib(n - 2);
    __asm__ volatile("" : "+r"(other)); /* a call, and no loop */
    return half.result + other;
}

static void run_fib(void *ctx)
{
    struct half *half = ctx;
    half->result = fib(half->n);
}

static void run_actor(void *ctx)
{
    struct actor *a = ctx, child[TEN];

    a->sum = a->number;
    if (a->size == 1)
        return;
    a->sum = 0;
    for (unsigned i = 0; i < TEN; i++) {
        child[i] = actor_child(a, i);
        call(run_actor, &child[i]);
    }
    for (unsigned i = 0; i < TEN; i++)
        a->sum += child[i].sum;
}

static uint64_t skynet(uint64_t leaves)
{
    struct actor all = { 0, leaves, 0 };
    run_actor(&all);
    return all.sum;
}

static void multiply(struct product *p)
{
    if (p->size == 1) {
        multiply_tile(p);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        struct product part = product_part(p, i);
        multiply(&part);
    }
}

static void open_nothing(const struct row *row) {}

static void close_nothing(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    struct row one = *row;

    one.workers = 1;
    forkjoin_measure(&one, c,
                     &(struct forkjoin){ open_nothing, fib, skynet,
                                         count_solutions, multiply,
                                         close_nothing, 38, 10000000 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = FORKJOIN_CASES(measure);
    struct row row = row_begin(argc, argv, "forkjoin", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}

/* spawn.c: what a child costs: fib, with a child for every other call. */
#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/percentile.h"

struct fib {
    long n, result;
    int rc;
};

static long fib(weft_worker *self, long n, int *rc);

static int run_fib(weft_worker *self, void *fib_)
{
    struct fib *f = fib_;
    int rc = 0;
    f->result = fib(self, f->n, &rc);
    return rc;
}

static long fib(weft_worker *self, long n, int *rc)
{
    if (n < 2)
        return n;
    struct fib a = { .n = n - 1 };
    struct weft_child child = { .fn = run_fib, .ctx = &a };
    int spawned = weft_spawn(self, &child);
    long b = fib(self, n - 2, rc);
    int synced = spawned ? spawned : weft_sync(self, &child);
    if (synced)
        *rc = synced;
    return a.result + b;
}

/* Through a pointer, as a child is called: no compiler may inline it. */
static long plain_fib(long n)
{
    static long (*volatile again)(long n) = plain_fib;
    return n < 2 ? n : again(n - 1) + plain_fib(n - 2);
}

enum { RUNS = 15 };

struct runs {
    long n;
    double ns[RUNS]; /* each, of all */
    volatile long result;
};

static int plain_runs(weft_worker *self, void *runs_)
{
    struct runs *r = runs_;
    for (unsigned i = 0; i < RUNS; i++) {
        double start = now_ns();
        r->result = plain_fib(r->n);
        r->ns[i] = now_ns() - start;
    }
    return 0;
}

static int spawn_runs(weft_worker *self, void *runs_)
{
    struct runs *r = runs_;
    int rc = 0;
    for (unsigned i = 0; i < RUNS && rc == 0; i++) {
        double start = now_ns();
        r->result = fib(self, r->n, &rc);
        r->ns[i] = now_ns() - start;
    }
    return rc;
}

int bench_spawn(struct bench *b, weft_error *why)
{
    struct runs runs = { .n = b->quick ? 20 : 24 };
    /* fib(n) spawns fib(n + 1) - 1 children, and there are as many calls in
     * the plain one that are not leaves. */
    double children = (double)plain_fib(runs.n + 1) - 1;
    struct {
        weft_sched *sched;
        weft_fn *fn;
        double *out;
    } rows[] = {
        { b->one, plain_runs, &b->figures.spawn.call_ns },
        { b->one, spawn_runs, &b->figures.spawn.one_ns },
        { b->all, spawn_runs, &b->figures.spawn.all_ns },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int rc = weft_call(rows[i].sched, rows[i].fn, &runs, why);
        if (rc)
            return rc;
        *rows[i].out = median(runs.ns, RUNS) / children;
    }
    return 0;
}

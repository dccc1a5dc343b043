/* forkjoin.c: what does a child cost, and do loops, and a sort, get faster with
 * workers?
 *
 *     forkjoin [PERCENT [WORKERS]]
 *
 * Each thing is done by plain calls first: that is the floor. Then on one
 * worker, where nobody takes anything, and on all. A task is a spawn and a
 * sync, an index, or an element. PERCENT makes all of it smaller. */
#include "perf/bench.h"
#include "weft/weft.h"

static size_t percent;

/* One thing to measure: with the worker NULL by plain calls. */
struct question {
    const char *name;
    void (*run)(weft_worker *self, struct question *q);
    uint64_t tasks;
    long result; /* must be the same for all */
};

/* ---- fib: nothing but children ----------------------------------------- */

struct half {
    long n, result;
};

static int run_fib(weft_worker *self, void *ctx);

static long fib(weft_worker *self, long n)
{
    if (n < 2)
        return n;
    struct half a = { .n = n - 1 };
    struct weft_child child = { .fn = run_fib, .ctx = &a };
    weft_spawn(self, &child);
    long b = fib(self, n - 2);
    must(weft_sync(self, &child), "a child");
    return a.result + b;
}

static int run_fib(weft_worker *self, void *ctx)
{
    struct half *a = ctx;
    a->result = fib(self, a->n);
    return 0;
}

/* Through a pointer, as a child is called. */
static int plain_fib(weft_worker *none, void *ctx)
{
    static weft_fn *volatile again = plain_fib;
    struct half *all = ctx, a = { .n = all->n - 1 }, b = { .n = all->n - 2 };

    if (all->n < 2) {
        all->result = all->n;
        return 0;
    }
    again(none, &a);
    plain_fib(none, &b);
    all->result = a.result + b.result;
    return 0;
}

static void ask_fib(weft_worker *self, struct question *q)
{
    struct half all = { .n = percent < 100 ? 18 : 32 };

    if (self)
        run_fib(self, &all);
    else
        plain_fib(NULL, &all);
    q->result = all.result;
    /* A call of fib with n > 1 spawns one child: fib(n + 1) - 1 of them. */
    long a = 0, b = 1;
    for (long i = 0; i < all.n; i++) {
        long next = a + b;
        a = b;
        b = next;
    }
    q->tasks = (uint64_t)b - 1;
}

/* ---- skynet: ten children at a time, six levels deep ------------------- */

enum { TEN = 10 };

struct actor {
    long number, size, sum;
};

static int run_actor(weft_worker *self, void *ctx)
{
    struct actor *a = ctx, child[TEN];
    struct weft_child children[TEN];
    struct weft_group group = { 0 };

    a->sum = a->number;
    if (a->size == 1)
        return 0;
    for (int i = 0; i < TEN; i++) {
        long size = a->size / TEN;
        child[i] = (struct actor){ a->number + i * size, size, 0 };
        children[i] = (struct weft_child){ .fn = run_actor, .ctx = &child[i] };
        if (self)
            weft_group_spawn(self, &group, &children[i]);
        else
            run_actor(NULL, &child[i]);
    }
    if (self)
        must(weft_group_sync(self, &group), "ten children");
    a->sum = 0;
    for (int i = 0; i < TEN; i++)
        a->sum += child[i].sum;
    return 0;
}

static void ask_skynet(weft_worker *self, struct question *q)
{
    struct actor all = { .size = percent < 100 ? 1000 : 1000000 };

    run_actor(self, &all);
    q->result = all.sum;
    q->tasks = (uint64_t)all.size / 9 * 10;
}

/* ---- loops and a sort over arrays -------------------------------------- */

static size_t indices, elements;
static uint64_t *array, *scratch;

static uint64_t mixed(uint64_t i)
{
    i *= 0x9e3779b97f4a7c15u;
    return i ^ i >> 29;
}

static int fill(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++)
        array[i] = mixed(i);
    return 0;
}

static void ask_for(weft_worker *self, struct question *q)
{
    if (self)
        must(weft_for(self, 0, indices, fill, NULL, 0), "a loop");
    else
        fill(NULL, 0, indices, NULL);
    q->tasks = indices;
    q->result = (long)array[indices - 1];
}

static int add_up(weft_worker *self, size_t begin, size_t end, void *acc,
                  void *ctx)
{
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += mixed(i) % 1000;
    *(uint64_t *)acc += sum;
    return 0;
}

static void add_sums(void *into, const void *from, void *ctx)
{
    *(uint64_t *)into += *(const uint64_t *)from;
}

static void ask_reduce(weft_worker *self, struct question *q)
{
    const uint64_t zero = 0;
    uint64_t sum = 0;

    if (self)
        must(weft_reduce(self, &sum,
                         weft_config(reduce, .end = indices, .fold = add_up,
                                     .combine = add_sums, .identity = &zero,
                                     .bytes = sizeof zero)),
             "a sum");
    else
        add_up(NULL, 0, indices, &sum, NULL);
    q->tasks = indices;
    q->result = (long)sum;
}

static int fold(weft_worker *self, size_t begin, size_t end, void *acc,
                void *ctx)
{
    uint64_t sum = *(uint64_t *)acc;
    for (size_t i = begin; i < end; i++)
        sum += mixed(i) % 1000;
    *(uint64_t *)acc = sum;
    return 0;
}

static int write_sums(weft_worker *self, size_t begin, size_t end, void *acc,
                      void *ctx)
{
    uint64_t sum = *(uint64_t *)acc;
    for (size_t i = begin; i < end; i++)
        array[i] = sum += mixed(i) % 1000;
    *(uint64_t *)acc = sum;
    return 0;
}

static void ask_scan(weft_worker *self, struct question *q)
{
    const uint64_t zero = 0;
    uint64_t sum = 0;

    if (self)
        must(weft_scan(self, &sum,
                       weft_config(scan, .end = indices, .fold = fold,
                                   .write = write_sums, .combine = add_sums,
                                   .identity = &zero, .bytes = sizeof zero)),
             "prefixes");
    else
        write_sums(NULL, 0, indices, &sum, NULL);
    q->tasks = indices;
    q->result = (long)sum;
}

static int by_value(const void *a, const void *b, void *ctx)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void ask_sort(weft_worker *self, struct question *q)
{
    fill(NULL, 0, elements, NULL);
    if (self)
        must(weft_sort(self, array, elements, sizeof *array, by_value, NULL,
                       scratch),
             "a sort");
    else
        qsort_r(array, elements, sizeof *array, by_value, NULL);
    q->tasks = elements;
    q->result = (long)array[elements / 2];
}

/* ------------------------------------------------------------------------ */

static int ask_here(weft_worker *self, void *ctx)
{
    struct question *q = ctx;
    q->run(self, q);
    return 0;
}

/* The best of three, in nanoseconds for each task. */
static double best(weft_sched *sched, struct question *q)
{
    uint64_t least = UINT64_MAX;
    long first = 0;

    for (int i = 0; i < 3; i++) {
        uint64_t wall = wall_ns();
        if (sched)
            must(weft_call(sched, ask_here, q, NULL), q->name);
        else
            q->run(NULL, q);
        wall = wall_ns() - wall;
        least = wall < least ? wall : least;
        must(i && q->result != first ? -EIO : 0, "another result");
        first = q->result;
    }
    return (double)least / (double)q->tasks;
}

int main(int argc, char **argv)
{
    struct question questions[] = {
        { "fib", ask_fib, 0, 0 },   { "skynet", ask_skynet, 0, 0 },
        { "for", ask_for, 0, 0 },   { "reduce", ask_reduce, 0, 0 },
        { "scan", ask_scan, 0, 0 }, { "sort", ask_sort, 0, 0 },
    };
    weft_sched *one, *all;
    weft_error why = { "" };

    percent = argument(argc, argv, 1, 100);
    unsigned workers = (unsigned)argument(argc, argv, 2, 0);
    indices = 100000 * percent;
    elements = 10000 * percent;
    must(weft_sched_create(&one, weft_config(sched, .workers = 1), &why),
         why.text);
    must(weft_sched_create(&all, weft_config(sched, .workers = workers), &why),
         why.text);
    array = calloc(indices, sizeof *array);
    scratch = calloc(elements, sizeof *scratch);
    must(array && scratch ? 0 : -ENOMEM, "arrays");

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct question *q = &questions[i];
        double plain = best(NULL, q);
        long result = q->result;
        double alone = best(one, q), together = best(all, q);
        must(q->result == result ? 0 : -EIO, "another result");
        printf("%-6s %9" PRIu64 " tasks: %6.1f ns each by plain calls, %6.1f "
               "on 1 worker, %6.1f on %u\n",
               q->name, q->tasks, plain, alone, together,
               weft_sched_workers(all));
    }
    free(array);
    free(scratch);
    weft_sched_destroy(all);
    weft_sched_destroy(one);
    return 0;
}

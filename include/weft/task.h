/* task.h: fork and join: a function that divides its work, and loops, sums,
 * scans and sorts that do.
 *
 *     struct half { long n, result; };
 *
 *     static long fib(weft_worker *self, long n)
 *     {
 *         if (n < 20)
 *             return serial_fib(n);
 *         struct half a = { .n = n - 1 };
 *         struct weft_child child = { .fn = run_half, .ctx = &a };
 *         weft_spawn(self, &child);      // perhaps on another worker
 *         long b = fib(self, n - 2);     // meanwhile
 *         weft_sync(self, &child);       // now it has run
 *         return a.result + b;
 *     }
 *
 *     static int run_half(weft_worker *self, void *ctx)
 *     {
 *         struct half *a = ctx;
 *         a->result = fib(self, a->n);
 *         return 0;
 *     }
 *
 * All of it may be used in any callback that has a worker: stages, tasks,
 * children, as deep as you like. From outside, weft_call comes first.
 *
 * A child is part of the task that spawned it, whichever worker runs it, and so
 * is each call of a loop: weft_task_context, weft_future_self and
 * weft_is_cancelled answer as in its parent, and a wait for the future of its
 * own task is refused. How the task ends is for its own function to say, not
 * for a child: weft_task_pending, weft_continue and weft_end_as do nothing.
 *
 * Stack: a child that nobody took runs on top of whoever syncs it. Where little
 * stack is left it runs on another thread instead, and where that cannot be had
 * either, the call says -ENOBUFS: so a recursion that checks what weft_spawn
 * and weft_sync return ends with an error, however deep it goes. "Little" is an
 * eighth of the thread's stack, at most 256 KiB, at least 16 KiB. */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H
#include "weft/graph.h"

/* A function that may run on another worker while the one that spawned it goes
 * on. It lies on the stack of that one, zeroed but for fn and ctx, from
 * weft_spawn to weft_sync. To leave its scope in between is misuse. */
struct weft_child {
    weft_fn *fn;
    void *ctx;
    struct weft_child *before; /* of a group */
    void *weft[7];             /* weft's own between spawn and sync */
};

/* [worker] From now on the child may run. 0, or -ENOBUFS: there is too little
 * stack left to go deeper. The child then does not run; weft_sync says so again
 * but is not needed. Outside a worker: -EPERM, in the same way. */
int weft_spawn(weft_worker *self, struct weft_child *child);

/* [worker] Waits until the child has run, or runs it: what it returned, 0 or a
 * negative errno; -EINVAL for anything else. -ENOBUFS: it has not run, for lack
 * of stack. Whoever spawned it calls this, once, for the youngest child first;
 * another order works too, and is slower. While this waits it may execute what
 * the child has spawned, and nothing else; if that is not enough the thread
 * sleeps, and another one is the worker meanwhile. */
int weft_sync(weft_worker *self, struct weft_child *child);

/* Several children. Zeroed before its first use. */
struct weft_group {
    struct weft_child *last;
};

/* [worker] The same for the children of a group. weft_group_sync waits for all
 * of them: 0, or the error of the first one spawned that failed. The others run
 * all the same. The group is empty then. */
int weft_group_spawn(weft_worker *self, struct weft_group *group,
                     struct weft_child *child);
int weft_group_sync(weft_worker *self, struct weft_group *group);

/* [any] Calls fn(worker, ctx) on a worker and waits for it here: what it
 * returned, 0 or a negative errno. Not from a worker, which can call fn itself:
 * -EDEADLK. */
int weft_call(weft_sched *sched, weft_fn *fn, void *ctx, weft_error *why);

/* Called with begin < end, for begin .. end - 1. */
typedef int weft_range_fn(weft_worker *self, size_t begin, size_t end,
                          void *ctx);

/* [worker] Calls fn for ranges that together are begin .. end - 1, each index
 * once, in parallel. A range is divided when there is nothing that others could
 * take from this worker, so there is nothing to tune; with a grain, all calls
 * but the last are for so many indices. 0, or a negative errno: of the calls
 * that failed, what the one with the lowest index returned; no further call
 * begins then. -ENOBUFS: too little stack. -EPERM: outside a worker. */
int weft_for(weft_worker *self, size_t begin, size_t end, weft_range_fn *fn,
             void *ctx, size_t grain);

/* Puts begin .. end - 1 into an accumulator: acc = acc * [begin] * ... */
typedef int weft_fold_fn(weft_worker *self, size_t begin, size_t end, void *acc,
                         void *ctx);

/* into = into * from. The operator is associative: (a * b) * c = a * (b * c).
 * It need not be commutative: what is combined is always in order. */
typedef void weft_combine_fn(void *into, const void *from, void *ctx);

struct weft_reduce_config {
    size_t size; /* set by weft_config(reduce, ...) */
    size_t begin, end;
    weft_fold_fn *fold;
    weft_combine_fn *combine;
    void *ctx;
    const void *identity; /* what an accumulator is at first; borrowed */
    size_t bytes;         /* of an accumulator: plain data, copied */
    size_t grain;         /* default: divided as in weft_for; else in parts of
                             so many, combined in pairs: the result is the same,
                             to the last bit of a float, for any number of
                             workers */
};

/* [worker] All of begin .. end - 1 in one accumulator; the identity if there is
 * nothing. Errors as of weft_for; -ENOMEM; -EINVAL without fold, combine,
 * identity or bytes. *result is written on success only. */
int weft_reduce(weft_worker *self, void *result,
                const struct weft_reduce_config *config);

struct weft_scan_config {
    size_t size; /* set by weft_config(scan, ...) */
    size_t begin, end;
    weft_fold_fn *fold;
    weft_fold_fn *write;
    weft_combine_fn *combine;
    void *ctx;
    const void *identity;
    size_t bytes;
    size_t grain; /* as of weft_reduce; default: a few parts for each worker */
};

/* [worker] Every prefix of begin .. end - 1. `write` is called like `fold`, in
 * parallel, with an accumulator that has all before `begin`; it folds its range
 * too, and writes on the way:
 *
 *     for (size_t i = begin; i < end; i++)
 *         out[i] = *sum += in[i];                    // inclusive
 *
 *     for (size_t i = begin; i < end; i++)
 *         x = in[i], out[i] = *sum, *sum += x;       // exclusive; out may be
 * in
 *
 * Every index is folded once, unless all is one part, then written once. *total
 * (NULL: nobody asks) and the errors as of weft_reduce; after one, any part may
 * have been written. */
int weft_scan(weft_worker *self, void *total,
              const struct weft_scan_config *config);

/* Negative, 0 or positive: a is before, equal to or after b. Called from
 * several workers at once. */
typedef int weft_compare_fn(const void *a, const void *b, void *ctx);

/* [worker] Sorts `count` elements of `size` bytes, as qsort_r does, but in
 * parallel, and stable: what is equal keeps its order. `scratch` has as many
 * bytes; NULL: they are allocated meanwhile. -ENOMEM, -ENOBUFS as of weft_for:
 * nothing was moved. -EINVAL: the size is 0. */
int weft_sort(weft_worker *self, void *base, size_t count, size_t size,
              weft_compare_fn *compare, void *ctx, void *scratch);
#endif

/* for.c: a loop whose ranges are divided when somebody could use the other
 * half.
 *
 * How long an index takes nobody knows, so nothing is divided beforehand. A
 * range is executed in chunks; between two of them the worker looks whether its
 * deque has anything for others to take. If not, the upper half of what is left
 * becomes a child, and so does a half of that on the worker that takes it.
 * Nobody takes anything where all are busy, and the loop stays in one piece.
 *
 *     [ 1 | 2 |  4  |    8    |   lower half   |  child: upper half   ]
 *
 * A chunk costs a call and a look, so chunks grow: each is as long as all those
 * before it in this range, and the look comes after at most as much time as the
 * range has taken already; but it is at most an eighth of what is left, so that
 * the last chunks, for which others may have to wait, are small.
 *
 * (Lazy binary splitting: Tzannes, Caragea, Barua, Vishkin, PPoPP 2010.) */
#include <errno.h>

#include "graph/divide.h"
#include "graph/stack.h"
#include "weft/task.h"

struct loop {
    weft_range_fn *fn;
    void *ctx;
    size_t grain;
    _Atomic bool failed; /* no further chunk begins */
};

struct range {
    struct loop *loop;
    size_t begin, end;
};

int wf_may_divide(weft_worker *self, const char *what)
{
    if (self && self == wf_worker_here())
        return wf_stack_low() ? -ENOBUFS : 0;
    wf_misuse("%s was called outside a worker: use weft_call to get there",
              what);
    return -EPERM;
}

static int failed(struct loop *loop, int rc)
{
    store_relaxed(&loop->failed, true);
    return rc > 0 ? -EINVAL : rc;
}

static int divide(weft_worker *self, struct loop *loop, size_t begin,
                  size_t end);

static int run_range(weft_worker *self, void *ctx)
{
    struct range *r = ctx;
    struct loop *loop = r->loop;
    size_t grain = loop->grain, n;

    for (size_t i = r->begin; i < r->end; i += n) {
        size_t left = r->end - i;
        if (load_relaxed(&loop->failed))
            return 0;
        if (left > (grain ? grain : 1) && wf_may_share(self))
            return divide(self, loop, i, r->end);
        n = grain ? grain : next_chunk(i - r->begin, left);
        if (n > left)
            n = left;
        int rc = loop->fn(self, i, i + n, loop->ctx);
        if (rc)
            return failed(loop, rc);
    }
    return 0;
}

static int divide(weft_worker *self, struct loop *loop, size_t begin,
                  size_t end)
{
    size_t middle = middle_of(begin, end, loop->grain);
    struct range lower = { loop, begin, middle }, upper = { loop, middle, end };
    struct weft_child child = { .fn = run_range, .ctx = &upper };

    int rc = weft_spawn(self, &child);
    if (rc)
        return failed(loop, rc);
    rc = run_range(self, &lower);
    int other = weft_sync(self, &child);
    if (other)
        failed(loop, other);
    return rc ? rc : other;
}

int weft_for(weft_worker *self, size_t begin, size_t end, weft_range_fn *fn,
             void *ctx, size_t grain)
{
    struct loop loop = { .fn = fn, .ctx = ctx, .grain = grain };
    struct range all = { &loop, begin, end };

    int rc = wf_may_divide(self, "weft_for");
    return rc ? rc : run_range(self, &all);
}

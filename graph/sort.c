/* sort.c: a stable merge sort whose halves, and merges, are children.
 *
 * Halves are sorted into the other of two arrays, the elements and the scratch,
 * and merged back from there: nothing is moved twice. A merge is divided, too:
 * the middle of the longer side is looked for in the other one by bisection,
 * and what is below both places can be merged beside what is above.
 *
 *      left   [ . . . . m . . . . ]         out [ below | above ]
 *      right  [ . . | . . . ]               m is the first of `above`
 *
 * It is stable because of what is equal the left one is taken first. So if m is
 * of the left side, all of the right side that is equal to m is above; if m is
 * of the right side, all of the left side that is equal to it is below.
 *
 * A child that cannot run, for lack of stack, is no failure: what it would have
 * done is done here, and then nothing is divided any further. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/divide.h"
#include "weft/task.h"

enum {
    LEAF = 16,   /* sorted by insertion */
    ALONE = 2048 /* sorted or merged by one worker: tens of microseconds */
};

struct sort {
    size_t size;
    weft_compare_fn *compare;
    void *ctx;
};

/* Both have n elements; the result is in `to`. */
struct sorting {
    const struct sort *sort;
    char *from, *other; /* what is sorted, and as much room */
    size_t n;
    bool to_other; /* where the result is to be */
};

struct merging {
    const struct sort *sort;
    const char *left, *right;
    size_t lefts, rights;
    char *out;
};

/* Sizes known to the compiler are a few moves. */
static inline char *copy(const struct sort *s, char *to, const char *from,
                         size_t n)
{
    size_t bytes = n * s->size;

    if (bytes == 4)
        memcpy(to, from, 4);
    else if (bytes == 8)
        memcpy(to, from, 8);
    else if (bytes == 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, bytes);
    return to + bytes;
}

static bool is_after(const struct sort *s, const char *a, const char *b)
{
    return s->compare(a, b, s->ctx) > 0;
}

/* ---- merging ----------------------------------------------------------- */

static void merge_alone(const struct merging *m)
{
    const struct sort *s = m->sort;
    const char *left = m->left, *right = m->right;
    size_t lefts = m->lefts, rights = m->rights;
    char *out = m->out;

    /* What is in order already, as in an array that was sorted, is copied. */
    if (lefts && rights && !is_after(s, left + (lefts - 1) * s->size, right)) {
        out = copy(s, out, left, lefts);
        lefts = 0;
    }
    while (lefts && rights) {
        if (is_after(s, left, right)) {
            out = copy(s, out, right, 1);
            right += s->size;
            rights--;
        } else {
            out = copy(s, out, left, 1);
            left += s->size;
            lefts--;
        }
    }
    copy(s, copy(s, out, left, lefts), right, rights);
}

/* How many of the n are before x; or, if they are the left side, equal. */
static size_t count_below(const struct sort *s, const char *of, size_t n,
                          const char *x, bool are_left)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *e = of + middle * s->size;
        if (are_left ? !is_after(s, e, x) : is_after(s, x, e))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Cuts `m` to what is below; returns what is above. */
static struct merging cut(struct merging *m)
{
    const struct sort *s = m->sort;
    struct merging above = *m;
    size_t left, right;

    if (m->lefts >= m->rights) {
        left = m->lefts / 2;
        right = count_below(s, m->right, m->rights, m->left + left * s->size,
                            false);
    } else {
        right = m->rights / 2;
        left =
            count_below(s, m->left, m->lefts, m->right + right * s->size, true);
    }
    above.left += left * s->size;
    above.right += right * s->size;
    above.out += (left + right) * s->size;
    above.lefts -= left;
    above.rights -= right;
    m->lefts = left;
    m->rights = right;
    return above;
}

static int merge(weft_worker *self, void *ctx)
{
    struct merging below = *(const struct merging *)ctx;

    if (below.lefts + below.rights <= ALONE) {
        merge_alone(&below);
        return 0;
    }
    struct merging above = cut(&below);
    struct weft_child child = { .fn = merge, .ctx = &above };
    if (weft_spawn(self, &child)) {
        merge_alone(&below);
        merge_alone(&above);
        return 0;
    }
    merge(self, &below);
    if (weft_sync(self, &child))
        merge_alone(&above);
    return 0;
}

/* ---- sorting ----------------------------------------------------------- */

static void insert_all(const struct sorting *p)
{
    const struct sort *s = p->sort;
    char *to = p->to_other ? p->other : p->from;

    for (size_t i = 0; i < p->n; i++) {
        const char *x = p->from + i * s->size;
        char *end = to + i * s->size, *at = end;
        while (at > to && is_after(s, at - s->size, x))
            at -= s->size;
        if (at == x)
            continue;
        if (!p->to_other) { /* x is where others are moved to */
            copy(s, p->other, x, 1);
            x = p->other;
        }
        memmove(at + s->size, at, (size_t)(end - at));
        copy(s, at, x, 1);
    }
}

static struct sorting half_of(const struct sorting *p, bool upper)
{
    size_t lower = p->n / 2, skip = upper ? lower * p->sort->size : 0;

    return (struct sorting){ p->sort, p->from + skip, p->other + skip,
                             upper ? p->n - lower : lower, !p->to_other };
}

static struct merging merge_of(const struct sorting *p)
{
    size_t lower = p->n / 2;
    const char *from = p->to_other ? p->from : p->other;

    return (struct merging){
        p->sort, from,         from + lower * p->sort->size,
        lower,   p->n - lower, p->to_other ? p->other : p->from
    };
}

static void sort_alone(const struct sorting *p)
{
    if (p->n <= LEAF) {
        insert_all(p);
        return;
    }
    struct sorting lower = half_of(p, false), upper = half_of(p, true);
    struct merging m = merge_of(p);
    sort_alone(&lower);
    sort_alone(&upper);
    merge_alone(&m);
}

static int sort(weft_worker *self, void *ctx)
{
    const struct sorting *p = ctx;

    if (p->n <= ALONE) {
        sort_alone(p);
        return 0;
    }
    struct sorting lower = half_of(p, false), upper = half_of(p, true);
    struct weft_child child = { .fn = sort, .ctx = &upper };
    if (weft_spawn(self, &child)) {
        sort_alone(p);
        return 0;
    }
    sort(self, &lower);
    if (weft_sync(self, &child))
        sort_alone(&upper);
    struct merging m = merge_of(p);
    return merge(self, &m);
}

int weft_sort(weft_worker *self, void *base, size_t count, size_t size,
              weft_compare_fn *compare, void *ctx, void *scratch)
{
    const struct sort s = { size, compare, ctx };
    void *mine = NULL;
    size_t bytes;

    if (!size)
        return -EINVAL;
    int rc = wf_may_divide(self, "weft_sort");
    if (rc || count < 2)
        return rc;
    if (!scratch) {
        if (__builtin_mul_overflow(count, size, &bytes))
            return -ENOMEM;
        scratch = mine = malloc(bytes);
    }
    if (!scratch)
        return -ENOMEM;
    struct sorting all = { &s, base, scratch, count, false };
    sort(self, &all);
    free(mine);
    return 0;
}

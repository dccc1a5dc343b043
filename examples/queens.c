/* queens.c: in how many ways can n queens stand on a board of n x n?
 *
 * Each place of a queen in her row is a child: a function that may run on
 * another worker, with its data on the stack of the one that spawned it. */
#include <stdio.h>
#include <weft/weft.h>

enum { MOST = 10, PLAIN = 4 }; /* rows that are not worth a child */

struct board {
    unsigned n, row;
    unsigned columns, left, right; /* which fields of the row are attacked */
    unsigned long ways;
};

static struct board with_queen(const struct board *b, unsigned field)
{
    return (struct board){ b->n,
                           b->row + 1,
                           b->columns | field,
                           (b->left | field) << 1,
                           (b->right | field) >> 1,
                           0 };
}

static int count_ways(weft_worker *self, void *ctx)
{
    struct board *b = ctx, next[MOST];
    struct weft_child child[MOST];
    struct weft_group children = { 0 };
    unsigned placed = 0;

    for (unsigned field = 1; field < 1u << b->n; field <<= 1) {
        if (field & (b->columns | b->left | b->right))
            continue;
        next[placed] = with_queen(b, field);
        child[placed] =
            (struct weft_child){ .fn = count_ways, .ctx = &next[placed] };
        if (b->row + PLAIN < b->n)
            weft_group_spawn(self, &children, &child[placed]);
        else
            count_ways(self, &next[placed]);
        placed++;
    }
    int rc = weft_group_sync(self, &children);
    b->ways = b->row == b->n;
    for (unsigned i = 0; i < placed; i++)
        b->ways += next[i].ways;
    return rc;
}

int main(void)
{
    weft_sched *sched = NULL;
    weft_error why;
    int rc = weft_sched_create(&sched, NULL, &why);

    for (unsigned n = 1; !rc && n <= MOST; n++) {
        struct board empty = { .n = n };
        rc = weft_call(sched, count_ways, &empty, &why);
        if (!rc)
            printf("%u queens: %lu\n", n, empty.ways);
    }
    if (rc)
        fprintf(stderr, "queens: %s\n", why.text);
    weft_sched_destroy(sched);
    return rc != 0 || fflush(stdout);
}

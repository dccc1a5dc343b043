/* explore_spawn.c: children, of which some are taken by the other worker. */
#include "tests/weave/world.h"

static int sums[3]; /* plain: of each child its own */

static int leaf(weft_worker *self, void *sum)
{
    *(int *)sum = 1;
    return 0;
}

static int family(weft_worker *self, void *ctx)
{
    struct weft_child left = { .fn = leaf, .ctx = &sums[0] };
    struct weft_child right = { .fn = leaf, .ctx = &sums[1] };

    weft_spawn(self, &left);
    weft_spawn(self, &right);
    leaf(self, &sums[2]);
    weave_assert(!weft_sync(self, &right));
    weave_assert(sums[1] == 1);
    weave_assert(!weft_sync(self, &left));
    weave_assert(sums[0] == 1);
    return 0;
}

static int grandchild(weft_worker *self, void *ctx)
{
    struct weft_child child = { .fn = leaf, .ctx = ctx };

    weft_spawn(self, &child);
    return weft_sync(self, &child);
}

static int deep_family(weft_worker *self, void *ctx)
{
    struct weft_child left = { .fn = grandchild, .ctx = &sums[0] };

    weft_spawn(self, &left);
    grandchild(self, &sums[1]);
    weave_assert(!weft_sync(self, &left));
    return 0;
}

static void call(weft_fn *fn, unsigned children)
{
    weft_sched *sched = workers(2);

    weave_assert(!weft_call(sched, fn, 0, 0));
    for (unsigned i = 0; i < children; i++)
        weave_assert(sums[i] == 1);
    weft_sched_destroy(sched);
}

static void two_children(void) { call(family, 3); }
static void grandchildren(void) { call(deep_family, 2); }

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_parent_sees_what_its_children_did",
          .threads = { two_children } },
        { .name = "children_have_children", .threads = { grandchildren } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}

/* race.c: two accesses to the same bytes, one of which writes and one of which
 * is plain, have to be ordered; else the execution has failed. Each access is
 * stamped with how far its thread was: another one is behind it when its view
 * has got that far. */
#include "tests/weave/inner.h"

enum { CELLS = 1 << 14, KEPT = 12, GRANULE = 8 };

struct access {
    uint16_t epoch;
    uint8_t thread, bytes; /* a bit each */
    bool writes, atomic;
};

/* The accesses to eight bytes of memory: of each kind the last. */
static struct cell {
    uintptr_t granule;
    unsigned generation, count;
    struct access kept[KEPT];
} cells[CELLS];

static unsigned generation, used;

void race_begin(void) { generation++, used = 0; }

static struct cell *cell_of(uintptr_t granule)
{
    unsigned i = (unsigned)(granule * 0x9e3779b97f4a7c15u >> 50);

    for (;; i = (i + 1) % CELLS) {
        struct cell *c = &cells[i];
        if (c->generation != generation) {
            if (++used > CELLS / 2)
                weave_fail("too much memory is used");
            c->generation = generation;
            c->granule = granule;
            c->count = 0;
            return c;
        }
        if (c->granule == granule)
            return c;
    }
}

static void compare(const struct access *before, const struct access *now)
{
    const struct view *mine = thread_view(now->thread);

    if (!(before->bytes & now->bytes) || before->thread == now->thread ||
        (before->atomic && now->atomic) || !(before->writes || now->writes) ||
        mine->epochs[before->thread] >= before->epoch)
        return;
    weave_fail("data race: thread %u %s what thread %u %s, and nothing "
               "orders them",
               now->thread, now->writes ? "writes" : "reads", before->thread,
               before->writes ? "writes" : "reads");
}

static bool replaces(const struct access *now, const struct access *before)
{
    return now->thread == before->thread && now->writes == before->writes &&
           now->atomic == before->atomic &&
           (now->bytes & before->bytes) == before->bytes;
}

static void keep(struct cell *c, const struct access *now)
{
    for (unsigned i = 0; i < c->count; i++)
        if (replaces(now, &c->kept[i])) {
            c->kept[i] = *now;
            return;
        }
    if (c->count < KEPT)
        c->count++;
    c->kept[c->count - 1] = *now;
}

void race_check(const void *at, size_t size, bool writes, bool atomic)
{
    unsigned self = thread_self();
    uintptr_t begin = (uintptr_t)at, end = begin + size;

    if (!self)
        return;
    for (uintptr_t g = begin / GRANULE; g * GRANULE < end; g++) {
        unsigned from = g * GRANULE < begin ? (unsigned)(begin % GRANULE) : 0;
        unsigned to =
            (g + 1) * GRANULE > end ? (unsigned)(end % GRANULE) : GRANULE;
        struct access now = {
            .epoch = (uint16_t)(thread_view(self)->epochs[self] + 1),
            .thread = (uint8_t)self,
            .bytes = (uint8_t)(0xff << from & 0xff >> (GRANULE - to)),
            .writes = writes,
            .atomic = atomic,
        };
        struct cell *c = cell_of(g);
        for (unsigned i = 0; i < c->count; i++)
            compare(&c->kept[i], &now);
        keep(c, &now);
    }
}

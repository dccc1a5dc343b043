/* race.c: two accesses to the same bytes, one of which writes and one of which
 * is plain, have to be ordered; else the execution has failed. Each access is
 * stamped with how far its thread was: another one is behind it when its view
 * has got that far.
 *
 *  [C] Covers. A plain access covers one before it that it is behind, if
 *      whatever races with that one and comes later races with it, too. What is
 *      covered is forgotten. And of the same thread, which has published
 * nothing in between, one that an earlier one would cover is no news.
 *
 *  [B] Blocks. Who fills a block of memory, or frees it, covers all that was
 *      done there. So that is noted once, and each granule of the block that is
 *      looked at later begins with it. */
#include "tests/weave/inner.h"

#include <stdalign.h>

enum { CELL_BITS = 14, CELLS = 1 << CELL_BITS, KEPT = 12, GRANULE = 8 };

/* An access in a word: bytes, a bit each, how strong it is, and whose. */
typedef uint32_t access;
enum { BYTES = 0xff, PLAIN = 0x100, WRITES = 0x200, STRONG = PLAIN | WRITES };
enum { THREAD_AT = 10, EPOCH_AT = 16 };

static unsigned thread_of(access a) { return a >> THREAD_AT & 0x3f; }
static unsigned epoch_of(access a) { return a >> EPOCH_AT; }

/* The accesses to eight bytes of memory that none covers: a cache line. */
static struct cell {
    alignas(64) uintptr_t granule;
    unsigned generation;
    uint16_t next; /* of the same block: a cell, or CELLS */
    uint8_t count, plain;
    access kept[KEPT]; /* the plain ones first */
} cells[CELLS];
_Static_assert(THREADS <= 64, "a thread has six bits in an access");
_Static_assert(sizeof cells[0] == 64, "a cell is a cache line");

static struct block {
    unsigned generation;
    uint16_t first; /* of its cells, or CELLS */
    access all;     /* that covered it as a whole; 0: none did */
} blocks[BLOCKS];

static unsigned generation, used;

void race_begin(void) { generation++, used = 0; }

static struct block *begin_block(unsigned number)
{
    struct block *b = &blocks[number];

    if (b->generation != generation)
        *b = (struct block){ .generation = generation, .first = CELLS };
    return b;
}

/* `block`: that it is in, or 0. */
static struct cell *begin_cell(struct cell *c, uintptr_t granule,
                               unsigned block)
{
    if (++used > CELLS / 2)
        weave_fail("too much memory is used");
    c->generation = generation;
    c->granule = granule;
    c->count = c->plain = 0;
    if (!block)
        return c;
    struct block *b = begin_block(block);
    c->next = b->first;
    b->first = (uint16_t)(c - cells);
    if (b->all) /* [B] */
        c->kept[0] = b->all, c->count = c->plain = 1;
    return c;
}

static struct cell *find(uintptr_t granule, unsigned block)
{
    unsigned i = (unsigned)(granule * 0x9e3779b97f4a7c15u >> (64 - CELL_BITS));

    for (;; i = (i + 1) % CELLS) {
        struct cell *c = &cells[i];
        if (c->generation != generation)
            return begin_cell(c, granule, block);
        if (c->granule == granule)
            return c;
    }
}

static bool covers(access a, access b) /* [C] */
{
    return !(b & ~a & (BYTES | STRONG));
}

static bool is_behind(access now, access before)
{
    unsigned thread = thread_of(before);

    return thread == thread_of(now) ||
           thread_view(thread_of(now))->epochs[thread] >= epoch_of(before);
}

static void report(access before, access now)
{
    weave_fail("data race: thread %u %s what thread %u %s, and nothing "
               "orders them",
               thread_of(now), now & WRITES ? "writes" : "reads",
               thread_of(before), before & WRITES ? "writes" : "reads");
}

static void compare(access before, access now)
{
    if (before & now & BYTES && ((before | now) & STRONG) == STRONG &&
        !is_behind(now, before))
        report(before, now);
}

static void note_atomic(struct cell *c, access now)
{
    access alike = now & ((1u << EPOCH_AT) - 1);
    unsigned i;

    for (i = 0; i < c->plain; i++)
        compare(c->kept[i], now);
    while (i < c->count && (c->kept[i] & ((1u << EPOCH_AT) - 1)) != alike)
        i++;
    if (i == KEPT)
        i--; /* a race with that one may be missed */
    c->kept[i] = now;
    if (i == c->count)
        c->count++;
}

static bool is_news(const struct cell *c, access now) /* [C] */
{
    for (unsigned i = 0; i < c->plain; i++)
        if (c->kept[i] >> THREAD_AT == now >> THREAD_AT &&
            covers(c->kept[i], now))
            return false;
    return true;
}

static void note_plain(struct cell *c, access now)
{
    unsigned count = 0, plain = 0;

    for (unsigned i = 0; i < c->count; i++) {
        access before = c->kept[i];
        compare(before, now);
        if (covers(now, before) && is_behind(now, before)) /* [C] */
            continue;
        c->kept[count++] = before;
        plain += (before & PLAIN) != 0;
    }
    if (count == KEPT)
        count--; /* the same */
    if (plain > count)
        plain--;
    c->kept[count] = c->kept[plain];
    c->kept[plain] = now;
    c->count = (uint8_t)(count + 1);
    c->plain = (uint8_t)(plain + 1);
}

/* A plain write to all of it: [B]. */
static void note_all(unsigned block, access now)
{
    struct block *b = begin_block(block);

    now |= BYTES;
    for (unsigned i = b->first; i != CELLS; i = cells[i].next)
        note_plain(&cells[i], now);
    compare(b->all, now);
    b->all = now;
}

/* Of so many bytes, those in this granule: a bit each. */
static access bytes_in(uintptr_t granule, uintptr_t begin, uintptr_t end)
{
    uintptr_t first = granule * GRANULE;
    unsigned from = first < begin ? (unsigned)(begin % GRANULE) : 0;
    unsigned to = first + GRANULE > end ? (unsigned)(end % GRANULE) : GRANULE;

    return BYTES << from & BYTES >> (GRANULE - to);
}

void race_compare(const void *at, size_t size, bool writes, bool atomic)
{
    uintptr_t begin = (uintptr_t)at, end = begin + size;
    unsigned self = thread_self(), block = heap_block(at);
    access now = (thread_view(self)->epochs[self] + 1u) << EPOCH_AT |
                 self << THREAD_AT | (writes ? WRITES : 0) |
                 (atomic ? 0 : PLAIN);

    if (size > GRANULE && writes && heap_is_all(block, at, size)) {
        note_all(block, now);
        return;
    }
    for (uintptr_t g = begin / GRANULE; g * GRANULE < end; g++) {
        struct cell *c = find(g, block);
        access here = now | bytes_in(g, begin, end);
        if (atomic)
            note_atomic(c, here);
        else if (is_news(c, here))
            note_plain(c, here);
    }
}

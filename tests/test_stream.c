/* test_stream.c: the chain through memory, and that what is measured was done.
 */
#include "cli/bench/stream.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static size_t next(const char *memory, size_t at)
{
    memcpy(&at, memory + at, sizeof at);
    return at;
}

Test(stream, the_chain_is_one_circle_through_every_line)
{
    for (size_t lines = 1; lines < 2000; lines += 333) {
        char *memory = calloc(lines, STREAM_LINE);
        size_t at = 0, steps = 0;
        stream_link(memory, lines * STREAM_LINE);
        do {
            at = next(memory, at);
            cr_assert_eq(at % STREAM_LINE, 0);
            cr_assert(at < lines * STREAM_LINE);
        } while (++steps < lines && at != 0);
        cr_assert_eq(at, 0);
        cr_assert_eq(steps, lines);
        free(memory);
    }
}

Test(stream, the_chain_leads_hardly_ever_to_a_neighbour)
{
    enum { LINES = 10000 };
    char *memory = calloc(LINES, STREAM_LINE);
    unsigned near = 0;
    stream_link(memory, (size_t)LINES * STREAM_LINE);
    for (size_t i = 0; i + 1 < LINES; i++)
        near += next(memory, i * STREAM_LINE) == (i + 1) * STREAM_LINE;
    cr_assert(near < 20);
    free(memory);
}

/* Buffers of a node, one filled and one empty. */
struct buffers {
    struct machine *machine;
    struct streams streams;
};

static struct buffers buffers(size_t bytes)
{
    struct buffers b = { .machine = machine_load() };
    bool bound = true;
    cr_assert(b.machine);
    b.streams = (struct streams){
        .machine = b.machine,
        .cores = 1,
        .from = machine_alloc(b.machine, 0, bytes, &bound),
        .to = machine_alloc(b.machine, 0, bytes, &bound),
        .bytes = bytes,
        .ns = 20e6,
    };
    cr_assert(b.streams.from && b.streams.to);
    memset(b.streams.from, 0x5a, bytes);
    memset(b.streams.to, 0, bytes);
    return b;
}

static void free_buffers(struct buffers *b)
{
    machine_dealloc(b->machine, b->streams.from, b->streams.bytes);
    machine_dealloc(b->machine, b->streams.to, b->streams.bytes);
    machine_free(b->machine);
}

Test(stream, a_copy_reaches_the_end_of_every_part)
{
    struct buffers b = buffers(4 * (size_t)STREAM_PIECE);
    double rate = 0;
    b.streams.kind = STREAM_COPY;
    b.streams.cores = 2;
    b.streams.ns = 500e6;
    cr_assert_eq(stream_run(&b.streams, &rate), 0);
    cr_assert_eq(memcmp(b.streams.from, b.streams.to, b.streams.bytes), 0);
    cr_assert(rate > 0 && isfinite(rate));
    free_buffers(&b);
}

Test(stream, reads_and_the_chase_have_a_rate)
{
    struct buffers b = buffers(4 * (size_t)STREAM_PIECE);
    double rate = 0;
    b.streams.kind = STREAM_READ;
    cr_assert_eq(stream_run(&b.streams, &rate), 0);
    cr_assert(rate > 0.01 && rate < 10000);
    stream_link(b.streams.from, b.streams.bytes);
    b.streams.kind = STREAM_CHASE;
    cr_assert_eq(stream_run(&b.streams, &rate), 0);
    cr_assert(rate > 0.1 && rate < 100000);
    free_buffers(&b);
}

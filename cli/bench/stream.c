/* stream.c: the cores of one NUMA node, busy with memory.
 *
 * They read a buffer, or copy it to a second one, each a part of its own, again
 * and again. For the latency one core follows a chain through all lines, in an
 * order that nothing can guess, so that each read waits for the one before. */
#include "cli/bench/stream.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/clock.h"

struct gate {
    atomic_uint here;
    enum { SHUT, OPEN, OFF } _Atomic state;
};

struct stream {
    const struct streams *all;
    struct gate *gate;
    unsigned core;
    pthread_t thread;
    double count, begin, end; /* bytes, or lines of a chase */
};

/* Four sums: no read waits for the one before. */
static void read_piece(const char *from)
{
    typedef uint64_t pair __attribute__((vector_size(16)));
    const pair *p = (const void *)from;
    const pair *end = p + STREAM_PIECE / sizeof *p;
    pair a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
    for (; p < end; p += 4) {
        a += p[0];
        b += p[1];
        c += p[2];
        d += p[3];
    }
    a += b + c + d;
    __asm__ volatile("" : : "m"(a));
}

static bool goes_on(const struct stream *s)
{
    return now_ns() - s->begin < s->all->ns;
}

static void pass(struct stream *s)
{
    const struct streams *all = s->all;
    size_t part = all->bytes / all->cores / STREAM_PIECE * STREAM_PIECE;
    size_t first = part * s->core, at = 0;

    while (goes_on(s)) {
        const char *from = all->from + first + at;
        if (all->kind == STREAM_READ)
            read_piece(from);
        else
            memcpy(all->to + first + at, from, STREAM_PIECE);
        s->count += all->kind == STREAM_READ ? STREAM_PIECE : 2 * STREAM_PIECE;
        at = at + STREAM_PIECE < part ? at + STREAM_PIECE : 0;
    }
}

static void chase(struct stream *s)
{
    enum { AT_ONCE = 1000 };
    const char *base = s->all->from;
    size_t at = 0;

    for (; goes_on(s); s->count += AT_ONCE)
        for (unsigned i = 0; i < AT_ONCE; i++)
            memcpy(&at, base + at, sizeof at);
    __asm__ volatile("" : : "r"(at));
}

static void *run_one(void *s_)
{
    struct stream *s = s_;
    machine_bind(s->all->machine, s->all->node, s->core); /* or anywhere */
    atomic_fetch_add(&s->gate->here, 1);
    while (atomic_load(&s->gate->state) == SHUT)
        sched_yield();
    s->begin = now_ns();
    if (atomic_load(&s->gate->state) == OPEN)
        s->all->kind == STREAM_CHASE ? chase(s) : pass(s);
    s->end = now_ns();
    return NULL;
}

static double rate(const struct stream *s, unsigned count)
{
    double all = 0, begin = INFINITY, end = 0;
    for (unsigned i = 0; i < count; i++) {
        all += s[i].count;
        begin = fmin(begin, s[i].begin);
        end = fmax(end, s[i].end);
    }
    return s->all->kind == STREAM_CHASE ? (end - begin) / all
                                        : all / (end - begin);
}

int stream_run(const struct streams *streams, double *out)
{
    struct gate gate = { 0 };
    struct stream *s = calloc(streams->cores, sizeof *s);
    unsigned started = 0;
    int rc = s ? 0 : -ENOMEM;

    while (rc == 0 && started < streams->cores) {
        struct stream *next = &s[started];
        *next = (struct stream){ streams, &gate, started };
        rc = -pthread_create(&next->thread, NULL, run_one, next);
        started += rc == 0;
    }
    while (rc == 0 && atomic_load(&gate.here) < started)
        sched_yield();
    atomic_store(&gate.state, rc == 0 ? OPEN : OFF);
    for (unsigned i = 0; i < started; i++)
        pthread_join(s[i].thread, NULL);
    if (rc == 0)
        *out = rate(s, started);
    free(s);
    return rc;
}

static size_t link_of(const char *memory, size_t line)
{
    size_t to;
    memcpy(&to, memory + line * STREAM_LINE, sizeof to);
    return to;
}

static void set_link(char *memory, size_t line, size_t to)
{
    memcpy(memory + line * STREAM_LINE, &to, sizeof to);
}

/* Sattolo's shuffle: what comes out is one circle. */
void stream_link(char *memory, size_t bytes)
{
    size_t lines = bytes / STREAM_LINE;
    uint64_t random = 0x9e3779b97f4a7c15U;

    for (size_t i = 0; i < lines; i++)
        set_link(memory, i, i * STREAM_LINE);
    for (size_t i = lines; i-- > 1;) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        size_t other = random % i, to = link_of(memory, other);
        set_link(memory, other, link_of(memory, i));
        set_link(memory, i, to);
    }
}

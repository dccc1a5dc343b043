/* memory.c: bandwidth and latency of memory, between each two NUMA nodes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/bench.h"
#include "cli/bench/machine.h"
#include "cli/bench/stream.h"

static const uint64_t mib = 1 << 20;

/* What is free, or what a container may have at most: the limit of a cgroup
 * that is not at the root of what we see is not looked for. */
static uint64_t may_have(void)
{
    uint64_t bytes =
        (uint64_t)sysconf(_SC_AVPHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *limit = fopen("/sys/fs/cgroup/memory.max", "re");
    uint64_t most;

    if (limit && fscanf(limit, "%" SCNu64, &most) == 1 && most < bytes)
        bytes = most;
    if (limit)
        fclose(limit);
    return bytes;
}

/* Larger than the last cache, if that can be had in little time, and no more
 * than a part of what is free: whole pieces for every core. */
static uint64_t buffer_bytes(const struct bench *b)
{
    uint64_t cache = 0, most = b->quick ? 64 * mib : 256 * mib;
    uint64_t free = may_have();

    for (unsigned level = 0; level < CACHE_LEVELS; level++)
        if (b->figures.cache_bytes[level] > cache)
            cache = b->figures.cache_bytes[level];
    uint64_t bytes = 4 * cache < most ? 4 * cache : most;
    if (bytes < 64 * mib)
        bytes = 64 * mib;
    if (bytes > free / 8)
        bytes = free / 8;
    uint64_t least = b->figures.workers * (uint64_t)STREAM_PIECE;
    return bytes < least ? least : bytes / STREAM_PIECE * STREAM_PIECE;
}

static unsigned cores_of(const struct bench *b, unsigned node)
{
    unsigned cores = machine_cores(b->machine, node);
    return cores < b->figures.workers ? cores : b->figures.workers;
}

static int one_pair(struct bench *b, struct streams *s, double *figures[3],
                    weft_error *why)
{
    static const enum stream_kind kinds[] = { STREAM_CHASE, STREAM_READ,
                                              STREAM_COPY };
    unsigned cores = s->cores;
    int rc = 0;

    for (size_t i = 0; i < 3 && rc == 0; i++) {
        s->kind = kinds[i];
        s->cores = s->kind == STREAM_CHASE ? 1 : cores;
        rc = stream_run(s, figures[i]);
    }
    return rc ? bench_fail(why, rc, "threads that read memory") : 0;
}

/* From the cores of every node to the memory of this one. */
static int one_memory(struct bench *b, unsigned node, struct streams *s,
                      weft_error *why)
{
    struct figures *f = &b->figures;

    memset(s->to, 0, s->bytes);
    stream_link(s->from, s->bytes);
    for (s->node = 0; s->node < machine_nodes(b->machine); s->node++) {
        struct memory_figures *m = &f->memory[f->memory_count];
        s->cores = cores_of(b, s->node);
        if (s->cores == 0)
            continue;
        m->cores_of = machine_node_name(b->machine, s->node);
        m->memory_of = machine_node_name(b->machine, node);
        int rc = one_pair(
            b, s, (double *[]){ &m->latency_ns, &m->read_gb_s, &m->copy_gb_s },
            why);
        if (rc)
            return rc;
        f->memory_count++;
    }
    return 0;
}

int bench_memory(struct bench *b, weft_error *why)
{
    struct figures *f = &b->figures;
    unsigned nodes = machine_nodes(b->machine);
    double pairs = (double)nodes * nodes;
    struct streams s = {
        .machine = b->machine,
        .bytes = buffer_bytes(b),
        .ns = pairs > 4 ? b->slice_ns * 4 / pairs : b->slice_ns,
    };
    int rc = 0;

    f->memory_bytes = s.bytes;
    f->memory_bound = true;
    f->memory = calloc((size_t)nodes * nodes, sizeof f->memory[0]);
    if (!f->memory)
        return bench_fail(why, -ENOMEM, "the figures of the memory");
    for (unsigned node = 0; node < nodes && rc == 0; node++) {
        s.from = machine_alloc(b->machine, node, s.bytes, &f->memory_bound);
        s.to = machine_alloc(b->machine, node, s.bytes, &f->memory_bound);
        rc = s.from && s.to
                 ? one_memory(b, node, &s, why)
                 : bench_fail(why, -ENOMEM, "a buffer to measure memory with");
        machine_dealloc(b->machine, s.from, s.bytes);
        machine_dealloc(b->machine, s.to, s.bytes);
    }
    return rc;
}

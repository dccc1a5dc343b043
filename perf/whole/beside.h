/* beside.h: how much computing is lost while files are read cold beside it. */
#ifndef WEFT_PERF_BESIDE_H
#define WEFT_PERF_BESIDE_H
#include <stdatomic.h>

#include "perf/whole/files.h"

/* A chunk is some 100 us of work. */
enum { CHUNK_STEPS = 70000, CHUNKS = 5000 /* of a worker, alone */ };

struct beside {
    uint64_t chunks, ns, cpu;
};

/* Of the time of the workers: the share in which less was computed than alone;
 * that of the CPU that the reads took, as they must; and what is left of the
 * first without it, which is waiting. And how fast the files came. */
static inline void beside_tell(const struct whole *w, const struct files *f,
                               struct beside alone, struct beside beside)
{
    double chunk = (double)alone.ns / (double)alone.chunks;
    double lost = 1 - chunk * (double)beside.chunks / (double)beside.ns;
    double chunk_cpu = (double)alone.cpu / (double)alone.chunks;
    double reads = (double)beside.cpu - chunk_cpu * (double)beside.chunks;

    reads /= (double)beside.ns * w->workers;
    whole_tell(w, "cold", "compute lost beside", "%", 100 * lost);
    whole_tell(w, "cold", "CPU of the reads beside", "%", 100 * reads);
    whole_tell(w, "cold", "compute lost to waiting", "%", 100 * (lost - reads));
    whole_tell(w, "cold", "load beside", "files/s",
               files_per_second(f->count, beside.ns));
}
#endif

/* flat.c: a machine with one node and as many cores as are asked for, in place
 * of the one that hwloc finds. */
#include <stdlib.h>
#include <string.h>

#include "sched/topo.h"

struct topo {
    unsigned workers;
};

int wf_topo_load(struct topo **out, unsigned workers, enum weft_pin pin,
                 weft_error *why)
{
    *out = malloc(sizeof **out);
    (*out)->workers = workers;
    return 0;
}

void wf_topo_free(struct topo *topo) { free(topo); }
unsigned wf_topo_workers(const struct topo *topo) { return topo->workers; }
unsigned wf_topo_groups(const struct topo *topo) { return 1; }
unsigned wf_topo_group_of(const struct topo *topo, unsigned w) { return 0; }
unsigned wf_topo_group_here(const struct topo *topo) { return 0; }
void wf_topo_bind_worker(struct topo *topo, unsigned worker) {}
void wf_topo_bind_group(struct topo *topo, unsigned group) {}

unsigned wf_topo_group_of_memory(const struct topo *topo, const void *memory)
{
    return 0;
}

unsigned wf_topo_distance(const struct topo *topo, unsigned a, unsigned b)
{
    return 0;
}

void *wf_topo_alloc(const struct topo *topo, unsigned worker, size_t bytes)
{
    return memset(aligned_alloc(64, bytes), 0, bytes);
}

void wf_topo_dealloc(const struct topo *topo, void *memory, size_t bytes)
{
    free(memory);
}

void wf_topo_explain(const struct topo *topo, weft_say_fn *say, void *ctx) {}

/* topo.h: where the workers run: cores, caches and NUMA nodes, from hwloc. */
#ifndef WEFT_SCHED_TOPO_H
#define WEFT_SCHED_TOPO_H
#include <stddef.h>

#include "weft/sched.h"

struct topo; /* immutable once loaded */

/* Places `workers` of them (0: as many cores as the process may really use, its
 * affinity mask cut by the quotas of its cgroups, rounded down, at least 1).
 * Workers of one node have consecutive numbers; more workers than cores share
 * the cores evenly. */
int wf_topo_load(struct topo **out, unsigned workers, enum weft_pin pin,
                 weft_error *why);
void wf_topo_free(struct topo *topo);

unsigned wf_topo_workers(const struct topo *topo);

/* Groups: the NUMA nodes that have at least one worker, 0 .. groups - 1. CPUs
 * that belong to no node with memory form a group of their own. */
unsigned wf_topo_groups(const struct topo *topo);
unsigned wf_topo_group_of(const struct topo *topo, unsigned worker);
unsigned wf_topo_group_here(const struct topo *topo); /* of this thread's CPU */

/* Of the memory there, if it is known; else of this thread's CPU. */
unsigned wf_topo_group_of_memory(const struct topo *topo, const void *memory);

/* How far b is from a: 0 shares a cache, 1 the same node, 2 and up by the
 * distance of their nodes. The order in which to steal. */
unsigned wf_topo_distance(const struct topo *topo, unsigned a, unsigned b);

/* Pins the calling thread as the worker; or to all CPUs of a group (drivers). A
 * refusal is no failure: it is told by wf_topo_explain. */
void wf_topo_bind_worker(struct topo *topo, unsigned worker);
void wf_topo_bind_group(struct topo *topo, unsigned group);

/* Zeroed memory, a multiple of cache lines, on the worker's node; NULL: none.
 */
void *wf_topo_alloc(const struct topo *topo, unsigned worker, size_t bytes);
void wf_topo_dealloc(const struct topo *topo, void *memory, size_t bytes);

void wf_topo_explain(const struct topo *topo, weft_say_fn *say, void *ctx);
#endif

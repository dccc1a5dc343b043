/* machine.h: caches, cores and NUMA nodes, and memory that lies on one of them.
 *
 * The only place of the command that asks hwloc: the public headers tell in
 * words where the workers are, and a buffer is bound to a node here alone. */
#ifndef WEFT_CLI_BENCH_MACHINE_H
#define WEFT_CLI_BENCH_MACHINE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

/* NULL: there is no memory, or nothing is known of this machine. */
struct machine *machine_load(void);
void machine_free(struct machine *m);

/* Of a core's data cache of this level, from 1; 0: it has none. */
uint64_t machine_cache(const struct machine *m, unsigned level);

/* Of a CPU: UINT_MAX where that is not known. */
unsigned machine_core_of(const struct machine *m, unsigned cpu);
unsigned machine_node_of(const struct machine *m, unsigned cpu);

/* The NUMA nodes with memory, 0 .. nodes - 1, and what the system calls them.
 */
unsigned machine_nodes(const struct machine *m);
unsigned machine_node_name(const struct machine *m, unsigned node);

/* Cores of the node that this process may use; 0: a node of memory alone. */
unsigned machine_cores(const struct machine *m, unsigned node);

/* Binds the calling thread to one of those cores: a negative errno if it may
 * not be. */
int machine_bind(const struct machine *m, unsigned node, unsigned core);

/* Memory on the node, not touched yet. NULL: none. *bound becomes false where
 * it may lie anywhere. */
void *machine_alloc(const struct machine *m, unsigned node, size_t bytes,
                    bool *bound);
void machine_dealloc(const struct machine *m, void *memory, size_t bytes);
#endif

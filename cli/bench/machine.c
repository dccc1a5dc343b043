/* machine.c: caches, cores and NUMA nodes, and memory that lies on one. */
#include "cli/bench/machine.h"

#include <errno.h>
#include <hwloc.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

struct machine {
    hwloc_topology_t hw;
    hwloc_cpuset_t usable; /* CPUs that this process may use */
};

struct machine *machine_load(void)
{
    struct machine *m = calloc(1, sizeof *m);
    if (!m)
        return NULL;
    m->usable = hwloc_bitmap_alloc();
    if (!m->usable || hwloc_topology_init(&m->hw)) {
        hwloc_bitmap_free(m->usable);
        free(m);
        return NULL;
    }
    if (hwloc_topology_load(m->hw)) {
        machine_free(m);
        return NULL;
    }
    if (hwloc_get_cpubind(m->hw, m->usable, HWLOC_CPUBIND_PROCESS))
        hwloc_bitmap_copy(m->usable, hwloc_topology_get_allowed_cpuset(m->hw));
    return m;
}

void machine_free(struct machine *m)
{
    if (!m)
        return;
    hwloc_topology_destroy(m->hw);
    hwloc_bitmap_free(m->usable);
    free(m);
}

uint64_t machine_cache(const struct machine *m, unsigned level)
{
    static const hwloc_obj_type_t types[] = { HWLOC_OBJ_L1CACHE,
                                              HWLOC_OBJ_L2CACHE,
                                              HWLOC_OBJ_L3CACHE,
                                              HWLOC_OBJ_L4CACHE };
    hwloc_obj_t cache = hwloc_get_obj_by_type(m->hw, types[level - 1], 0);
    return cache ? cache->attr->cache.size : 0;
}

unsigned machine_core_of(const struct machine *m, unsigned cpu)
{
    hwloc_obj_t core = NULL;
    while ((core = hwloc_get_next_obj_by_type(m->hw, HWLOC_OBJ_CORE, core)))
        if (hwloc_bitmap_isset(core->cpuset, cpu))
            return core->logical_index;
    return UINT_MAX;
}

unsigned machine_node_of(const struct machine *m, unsigned cpu)
{
    hwloc_obj_t node = NULL;
    while ((node = hwloc_get_next_obj_by_type(m->hw, HWLOC_OBJ_NUMANODE, node)))
        if (hwloc_bitmap_isset(node->cpuset, cpu))
            return node->os_index;
    return UINT_MAX;
}

unsigned machine_nodes(const struct machine *m)
{
    int n = hwloc_get_nbobjs_by_type(m->hw, HWLOC_OBJ_NUMANODE);
    return n > 0 ? (unsigned)n : 0;
}

static hwloc_obj_t node_at(const struct machine *m, unsigned node)
{
    return hwloc_get_obj_by_type(m->hw, HWLOC_OBJ_NUMANODE, node);
}

unsigned machine_node_name(const struct machine *m, unsigned node)
{
    return node_at(m, node)->os_index;
}

/* The usable core of this number on a node; with UINT_MAX none is, and *count
 * tells how many there are. */
static hwloc_obj_t core_at(const struct machine *m, unsigned node,
                           unsigned wanted, unsigned *count)
{
    hwloc_const_cpuset_t there = node_at(m, node)->cpuset;
    hwloc_obj_t core = NULL;

    *count = 0;
    while ((core = hwloc_get_next_obj_by_type(m->hw, HWLOC_OBJ_CORE, core)))
        if (hwloc_bitmap_intersects(core->cpuset, there) &&
            hwloc_bitmap_intersects(core->cpuset, m->usable) &&
            (*count)++ == wanted)
            return core;
    return NULL;
}

unsigned machine_cores(const struct machine *m, unsigned node)
{
    unsigned count;
    core_at(m, node, UINT_MAX, &count);
    return count;
}

int machine_bind(const struct machine *m, unsigned node, unsigned core)
{
    unsigned count;
    hwloc_obj_t found = core_at(m, node, core, &count);
    hwloc_cpuset_t cpus = hwloc_bitmap_alloc();
    int rc = 0;

    if (!found || !cpus) {
        hwloc_bitmap_free(cpus);
        return found ? -ENOMEM : -EINVAL;
    }
    hwloc_bitmap_and(cpus, found->cpuset, m->usable);
    if (hwloc_set_cpubind(m->hw, cpus, HWLOC_CPUBIND_THREAD))
        rc = -errno;
    hwloc_bitmap_free(cpus);
    return rc;
}

void *machine_alloc(const struct machine *m, unsigned node, size_t bytes,
                    bool *bound)
{
    void *memory = hwloc_alloc(m->hw, bytes);
    if (!memory)
        return NULL;
    if (machine_nodes(m) > 1 &&
        hwloc_set_area_membind(m->hw, memory, bytes, node_at(m, node)->nodeset,
                               HWLOC_MEMBIND_BIND, HWLOC_MEMBIND_BYNODESET))
        *bound = false;
    /* With small pages the chase would measure the walks through their table.
     * Where there are no large ones, it does. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void machine_dealloc(const struct machine *m, void *memory, size_t bytes)
{
    if (memory)
        hwloc_free(m->hw, memory, bytes);
}

/* topo.c: where the workers run, from hwloc. The only file that uses it.
 *
 * A place is a core with the CPUs (hardware threads) of it that the process may
 * use. Places are found from the CPUs up, not from the NUMA nodes down: the
 * CPUs of a node without memory belong to no node that hwloc knows, and would
 * be left idle; and a node without CPUs shows the CPUs of its neighbour, which
 * would be used twice. So a place belongs to the group of places that have the
 * same CPUs around their node, or to the group of those without one.
 *
 * Fewer workers than places fill group after group: they share memory and
 * caches then, and leave whole nodes to others. Where a quota is the reason,
 * the same happens in each of the containers that share the machine. If all of
 * them began at the first core and stayed there, they would fight for it while
 * the others idle; so they begin with the node that they run on, and may use
 * all of its cores. */
#include "sched/topo.h"

#include <errno.h>
#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/atomic.h"
#include "sched/quota.h"
#include "sched/sched.h"

enum { NO_GROUP = -1 };

struct place {
    hwloc_obj_t pu;      /* the first that may be used */
    hwloc_cpuset_t cpus; /* all that may be used */
    hwloc_obj_t node;    /* NULL: none */
    int group;           /* NO_GROUP: no worker is there */
};

struct topo {
    hwloc_topology_t hw;
    bool owned; /* of this topo alone, not the shared one */
    struct place *places;
    unsigned place_count, group_count, worker_count;
    unsigned *place_of; /* of a worker */
    unsigned *group_of; /* of a CPU */
    unsigned cpu_count;
    bool asked; /* the number of workers was given */
    enum weft_pin pin;
    struct quota quota;
    struct hwloc_distances_s *distances; /* NULL: none are known */
    _Atomic int refused;                 /* errno of the last refused pinning */
};

static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static hwloc_topology_t shared; /* loading costs milliseconds: once a process */

static int load(hwloc_topology_t *out)
{
    hwloc_topology_t hw;

    if (hwloc_topology_init(&hw))
        return -ENOMEM;
    /* Whole: what we may use of it can change while it is kept. */
    hwloc_topology_set_flags(hw, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED);
    if (hwloc_topology_load(hw)) {
        hwloc_topology_destroy(hw);
        return -ENODEV;
    }
    *out = hw;
    return 0;
}

static int get_topology(struct topo *t)
{
    int rc = 0;

    if (getenv("HWLOC_SYNTHETIC") || getenv("HWLOC_XMLFILE")) {
        rc = load(&t->hw);
        t->owned = !rc;
        return rc;
    }
    pthread_mutex_lock(&shared_lock);
    if (!shared)
        rc = load(&shared);
    t->hw = shared;
    pthread_mutex_unlock(&shared_lock);
    return rc;
}

/* A mask as the kernel takes it. Affinity is asked and set with system calls:
 * hwloc's own functions for that crash where there is no memory for a mask. */
struct mask {
    unsigned long bits[8192 / 8 / sizeof(unsigned long)]; /* Linux's most */
};

/* The CPUs that this thread, and so the threads it starts, may run on. NULL: no
 * memory. */
static hwloc_cpuset_t usable_cpus(const struct topo *t)
{
    struct mask mask = { 0 };
    hwloc_cpuset_t cpus =
        hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(t->hw));
    hwloc_cpuset_t allowed = hwloc_bitmap_alloc();
    bool known = hwloc_topology_is_thissystem(t->hw) &&
                 !sched_getaffinity(0, sizeof mask, (void *)&mask);

    if (!cpus || !allowed ||
        (known && (hwloc_bitmap_from_ulongs(
                       allowed, sizeof mask / sizeof mask.bits[0], mask.bits) ||
                   hwloc_bitmap_and(cpus, cpus, allowed)))) {
        hwloc_bitmap_free(cpus);
        cpus = NULL;
    }
    hwloc_bitmap_free(allowed);
    return cpus;
}

/* The closest node; of several with the same CPUs the first by number: those
 * without CPUs of their own come later. */
static hwloc_obj_t node_of(const struct topo *t, hwloc_obj_t pu)
{
    hwloc_obj_t best = NULL, node = NULL;
    int least = 0;

    while (
        (node = hwloc_get_next_obj_by_type(t->hw, HWLOC_OBJ_NUMANODE, node))) {
        int weight = hwloc_bitmap_weight(node->cpuset);
        if (!hwloc_bitmap_isset(node->cpuset, pu->os_index))
            continue;
        if (!best || weight < least ||
            (weight == least && node->os_index < best->os_index)) {
            best = node;
            least = weight;
        }
    }
    return best;
}

static bool same_group(hwloc_obj_t a, hwloc_obj_t b)
{
    return a && b ? hwloc_bitmap_isequal(a->cpuset, b->cpuset) : a == b;
}

static int add_place(struct topo *t, hwloc_obj_t pu, hwloc_cpuset_t usable)
{
    hwloc_obj_t core =
        hwloc_get_ancestor_obj_by_type(t->hw, HWLOC_OBJ_CORE, pu);
    struct place *p = &t->places[t->place_count];

    p->pu = pu;
    p->node = node_of(t, pu);
    p->cpus = hwloc_bitmap_dup(core ? core->cpuset : pu->cpuset);
    if (!p->cpus)
        return -ENOMEM;
    hwloc_bitmap_and(p->cpus, p->cpus, usable);
    t->place_count++;
    return 0;
}

/* One place per core with a usable CPU, in the order of the machine. */
static int find_places(struct topo *t, hwloc_cpuset_t usable)
{
    hwloc_obj_t pu = NULL;
    int pus = hwloc_get_nbobjs_by_type(t->hw, HWLOC_OBJ_PU);

    t->places = calloc(pus > 0 ? (size_t)pus : 1, sizeof *t->places);
    if (!t->places)
        return -ENOMEM;
    while ((pu = hwloc_get_next_obj_by_type(t->hw, HWLOC_OBJ_PU, pu))) {
        bool known = !hwloc_bitmap_isset(usable, pu->os_index);
        for (unsigned i = 0; !known && i < t->place_count; i++)
            known = hwloc_bitmap_isset(t->places[i].cpus, pu->os_index);
        if (!known && add_place(t, pu, usable))
            return -ENOMEM;
    }
    return t->place_count ? 0 : -ENODEV;
}

/* The group of the first `count` places that this node belongs to. */
static int group_of_node(const struct topo *t, unsigned count, hwloc_obj_t node)
{
    for (unsigned i = 0; i < count; i++)
        if (same_group(t->places[i].node, node))
            return t->places[i].group;
    return NO_GROUP;
}

/* Numbers the groups in the order in which they occur, and brings the places of
 * a group together. Insertion: stable, and there are few. */
static void group_places(struct topo *t, unsigned used)
{
    t->group_count = 0;
    for (unsigned i = 0; i < used; i++) {
        struct place p = t->places[i];
        p.group = group_of_node(t, i, p.node);
        if (p.group == NO_GROUP)
            p.group = (int)t->group_count++;
        unsigned at = i;
        for (; at && t->places[at - 1].group > p.group; at--)
            t->places[at] = t->places[at - 1];
        t->places[at] = p;
    }
    for (unsigned i = used; i < t->place_count; i++)
        t->places[i].group = group_of_node(t, used, t->places[i].node);
}

/* Brings the places of the node that this thread runs on to the front. */
static void begin_here(struct topo *t)
{
    int cpu = sched_getcpu();
    unsigned first = 0;

    while (
        first < t->place_count &&
        (cpu < 0 || !hwloc_bitmap_isset(t->places[first].cpus, (unsigned)cpu)))
        first++;
    if (first == t->place_count)
        return;
    int group = t->places[first].group;
    while (t->places[0].group != group) {
        struct place p = t->places[0];
        memmove(t->places, t->places + 1,
                (t->place_count - 1) * sizeof *t->places);
        t->places[t->place_count - 1] = p;
    }
}

static bool cut_by_quota(const struct topo *t)
{
    return !t->asked && t->worker_count < t->place_count;
}

static int place_workers(struct topo *t, unsigned workers)
{
    unsigned cores = wf_quota_cores(&t->quota);

    t->asked = workers > 0;
    if (!workers)
        workers = cores < t->place_count ? cores : t->place_count;
    t->worker_count = workers;
    t->place_of = calloc(workers, sizeof *t->place_of);
    if (!t->place_of)
        return -ENOMEM;
    group_places(t, t->place_count);
    if (cut_by_quota(t))
        begin_here(t);
    unsigned used = workers < t->place_count ? workers : t->place_count;
    group_places(t, used); /* groups without a worker do not count */
    for (unsigned i = 0; i < workers; i++)
        t->place_of[i] = (unsigned)((uint64_t)i * used / workers);
    return 0;
}

/* For every CPU of the machine the group to go to from there: its own, or the
 * first if no worker is on its node. */
static int map_cpus(struct topo *t)
{
    hwloc_obj_t pu = NULL;
    int last = hwloc_bitmap_last(hwloc_topology_get_topology_cpuset(t->hw));

    t->cpu_count = (unsigned)(last + 1);
    t->group_of = calloc(t->cpu_count, sizeof *t->group_of);
    if (!t->group_of)
        return -ENOMEM;
    while ((pu = hwloc_get_next_obj_by_type(t->hw, HWLOC_OBJ_PU, pu))) {
        int group = group_of_node(t, t->place_count, node_of(t, pu));
        if (group != NO_GROUP)
            t->group_of[pu->os_index] = (unsigned)group;
    }
    return 0;
}

static int discover(struct topo *t, unsigned workers)
{
    unsigned n = 1;
    int rc = get_topology(t);

    if (rc)
        return rc;
    hwloc_cpuset_t usable = usable_cpus(t);
    rc = usable ? find_places(t, usable) : -ENOMEM;
    hwloc_bitmap_free(usable);
    if (rc)
        return rc;
    if (hwloc_topology_is_thissystem(t->hw))
        wf_quota_read(&t->quota, "/proc/self/cgroup", "/proc/self/mountinfo");
    if (hwloc_distances_get_by_type(t->hw, HWLOC_OBJ_NUMANODE, &n,
                                    &t->distances,
                                    HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0) ||
        n == 0)
        t->distances = NULL;
    rc = place_workers(t, workers);
    return rc ? rc : map_cpus(t);
}

int wf_topo_load(struct topo **out, unsigned workers, enum weft_pin pin,
                 weft_error *why)
{
    if ((unsigned)pin > WEFT_PIN_NONE)
        return wf_error(why, -EINVAL, "pin is %d: it is no enum weft_pin", pin);
    struct topo *t = calloc(1, sizeof *t);
    int rc = t ? discover(t, workers) : -ENOMEM;

    if (rc) {
        wf_topo_free(t);
        return wf_error(why, rc, "the topology of the machine: %s",
                        rc == -ENOMEM ? "no memory"
                                      : "hwloc finds no CPU to use");
    }
    t->pin = pin;
    *out = t;
    return 0;
}

void wf_topo_free(struct topo *t)
{
    if (!t)
        return;
    for (unsigned i = 0; i < t->place_count; i++)
        hwloc_bitmap_free(t->places[i].cpus);
    if (t->distances)
        hwloc_distances_release(t->hw, t->distances);
    if (t->owned)
        hwloc_topology_destroy(t->hw);
    free(t->places);
    free(t->place_of);
    free(t->group_of);
    free(t);
}

static const struct place *place_of(const struct topo *t, unsigned worker)
{
    return &t->places[t->place_of[worker]];
}

unsigned wf_topo_workers(const struct topo *t) { return t->worker_count; }
unsigned wf_topo_groups(const struct topo *t) { return t->group_count; }

unsigned wf_topo_group_of(const struct topo *t, unsigned worker)
{
    return (unsigned)place_of(t, worker)->group;
}

unsigned wf_topo_group_here(const struct topo *t)
{
    int cpu = sched_getcpu();

    return cpu >= 0 && (unsigned)cpu < t->cpu_count ? t->group_of[cpu] : 0;
}

unsigned wf_topo_group_of_memory(const struct topo *t, const void *memory)
{
    unsigned group = wf_topo_group_here(t);
    hwloc_nodeset_t nodes = hwloc_bitmap_alloc();

    if (nodes && t->group_count > 1 &&
        hwloc_get_area_memlocation(t->hw, memory, 1, nodes,
                                   HWLOC_MEMBIND_BYNODESET) == 0)
        for (unsigned i = 0; i < t->place_count; i++)
            if (t->places[i].node && t->places[i].group != NO_GROUP &&
                hwloc_bitmap_isset(nodes, t->places[i].node->os_index))
                group = (unsigned)t->places[i].group;
    hwloc_bitmap_free(nodes);
    return group;
}

/* How many different distances are nearer than that from a to b. */
static unsigned rank(const struct topo *t, hwloc_obj_t a, hwloc_obj_t b)
{
    struct hwloc_distances_s *d = t->distances;
    hwloc_uint64_t there, back;
    unsigned nearer = 0;

    if (!d || !a || !b ||
        hwloc_distances_obj_pair_values(d, a, b, &there, &back))
        return 0;
    int row = hwloc_distances_obj_index(d, a);
    const hwloc_uint64_t *from = &d->values[(unsigned)row * d->nbobjs];
    for (unsigned i = 0; i < d->nbobjs; i++) {
        bool first = from[i] < there && (int)i != row;
        for (unsigned k = 0; first && k < i; k++)
            first = from[k] != from[i];
        nearer += first;
    }
    return nearer;
}

unsigned wf_topo_distance(const struct topo *t, unsigned a, unsigned b)
{
    const struct place *pa = place_of(t, a), *pb = place_of(t, b);
    hwloc_obj_t common = hwloc_get_common_ancestor_obj(t->hw, pa->pu, pb->pu);

    while (common && !hwloc_obj_type_is_cache(common->type) &&
           common->type != HWLOC_OBJ_CORE && common->type != HWLOC_OBJ_PU)
        common = common->parent;
    if (common)
        return 0;
    return pa->group == pb->group ? 1 : 2 + rank(t, pa->node, pb->node);
}

static void bind(struct topo *t, hwloc_const_cpuset_t cpus)
{
    struct mask mask = { 0 };
    int n = hwloc_bitmap_nr_ulongs(cpus);

    if (!hwloc_topology_is_thissystem(t->hw))
        return;
    if (n < 0 || (size_t)n > sizeof mask / sizeof mask.bits[0])
        errno = EINVAL;
    else if (!hwloc_bitmap_to_ulongs(cpus, (unsigned)n, mask.bits) &&
             !sched_setaffinity(0, sizeof mask, (void *)&mask))
        return;
    store_relaxed(&t->refused, errno);
}

void wf_topo_bind_group(struct topo *t, unsigned group)
{
    hwloc_cpuset_t cpus = hwloc_bitmap_alloc();

    if (!cpus || t->pin == WEFT_PIN_NONE) {
        hwloc_bitmap_free(cpus);
        return;
    }
    for (unsigned i = 0; i < t->place_count; i++)
        if (t->places[i].group == (int)group)
            hwloc_bitmap_or(cpus, cpus, t->places[i].cpus);
    bind(t, cpus);
    hwloc_bitmap_free(cpus);
}

void wf_topo_bind_worker(struct topo *t, unsigned worker)
{
    if (t->pin == WEFT_PIN_CORE && !cut_by_quota(t))
        bind(t, place_of(t, worker)->cpus);
    else
        wf_topo_bind_group(t, wf_topo_group_of(t, worker));
}

/* With one node, any memory is on it. */
static bool any_memory_will_do(const struct topo *t)
{
    return !hwloc_topology_is_thissystem(t->hw) ||
           hwloc_get_nbobjs_by_type(t->hw, HWLOC_OBJ_NUMANODE) <= 1;
}

/* Where the memory of a node is: there, or on the nearest that has some. */
static hwloc_obj_t memory_of(const struct topo *t, hwloc_obj_t node)
{
    struct hwloc_distances_s *d = t->distances;
    hwloc_uint64_t least = UINT64_MAX;
    int row = d && node && !node->attr->numanode.local_memory
                  ? hwloc_distances_obj_index(d, node)
                  : -1;

    for (unsigned i = 0; row >= 0 && i < d->nbobjs; i++) {
        hwloc_uint64_t there = d->values[(unsigned)row * d->nbobjs + i];
        if (!d->objs[i]->attr->numanode.local_memory || there >= least)
            continue;
        least = there;
        node = d->objs[i];
    }
    return node;
}

void *wf_topo_alloc(const struct topo *t, unsigned worker, size_t bytes)
{
    size_t lines = (bytes + 63) / 64 * 64;
    hwloc_obj_t node = memory_of(t, place_of(t, worker)->node);
    void *memory;

    if (any_memory_will_do(t))
        memory = aligned_alloc(64, lines);
    else if (!node)
        memory = hwloc_alloc(t->hw, lines);
    else
        memory =
            hwloc_alloc_membind(t->hw, lines, node->nodeset, HWLOC_MEMBIND_BIND,
                                HWLOC_MEMBIND_BYNODESET);
    return memory ? memset(memory, 0, lines) : NULL;
}

void wf_topo_dealloc(const struct topo *t, void *memory, size_t bytes)
{
    if (any_memory_will_do(t))
        free(memory);
    else
        hwloc_free(t->hw, memory, (bytes + 63) / 64 * 64);
}

/* ---- what was decided, and why ------------------------------------------ */

static void explain_cores(const struct topo *t, weft_say_fn *say, void *ctx)
{
    int all = hwloc_get_nbobjs_by_type(t->hw, HWLOC_OBJ_CORE);
    hwloc_cpuset_t usable = hwloc_bitmap_alloc();
    char text[300], cpus[200] = "?";

    if (usable) {
        for (unsigned i = 0; i < t->place_count; i++)
            hwloc_bitmap_or(usable, usable, t->places[i].cpus);
        hwloc_bitmap_list_snprintf(cpus, sizeof cpus, usable);
    }
    hwloc_bitmap_free(usable);
    if (all > (int)t->place_count)
        snprintf(text, sizeof text,
                 "%u of the machine's %d: the affinity mask allows CPU %s",
                 t->place_count, all, cpus);
    else
        snprintf(text, sizeof text, "%u, all of the machine's", t->place_count);
    say(ctx, "cores", text);
}

static void explain_count(const struct topo *t, weft_say_fn *say, void *ctx)
{
    const struct quota *q = &t->quota;
    char text[700];

    if (q->limited)
        snprintf(text, sizeof text, "%.2f cores, rounded down to %u (%s)",
                 (double)q->quota_us / (double)q->period_us, wf_quota_cores(q),
                 q->file);
    else
        snprintf(text, sizeof text, "none");
    say(ctx, "quota", text);
    snprintf(text, sizeof text, "%u: %s", t->worker_count,
             t->asked          ? "as asked"
             : cut_by_quota(t) ? "as many as the quota allows"
                               : "one per core");
    say(ctx, "workers", text);
}

static void explain_pinning(const struct topo *t, weft_say_fn *say, void *ctx)
{
    static const char *const pins[] = { "each to its core",
                                        "to their NUMA node", "none" };
    int refused = load_relaxed(&t->refused);
    char text[128];

    if (refused)
        snprintf(text, sizeof text, "refused by the system: %s",
                 strerrordesc_np(refused));
    else if (!hwloc_topology_is_thissystem(t->hw))
        snprintf(text, sizeof text, "none: the topology is not this machine's");
    else if (t->pin == WEFT_PIN_CORE && cut_by_quota(t))
        snprintf(text, sizeof text,
                 "to their NUMA node: a quota shares its cores with others");
    else
        snprintf(text, sizeof text, "%s", pins[t->pin]);
    say(ctx, "pinning", text);
}

void wf_topo_explain(const struct topo *t, weft_say_fn *say, void *ctx)
{
    explain_cores(t, say, ctx);
    explain_count(t, say, ctx);
    explain_pinning(t, say, ctx);
    for (unsigned i = 0; i < t->worker_count; i++) {
        const struct place *p = place_of(t, i);
        hwloc_obj_t memory = memory_of(t, p->node);
        char name[32], cpus[64], text[160];
        snprintf(name, sizeof name, "worker %u", i);
        hwloc_bitmap_list_snprintf(cpus, sizeof cpus, p->cpus);
        if (!p->node)
            snprintf(text, sizeof text, "CPU %s, on no NUMA node", cpus);
        else if (memory == p->node)
            snprintf(text, sizeof text, "CPU %s, NUMA node %u", cpus,
                     p->node->os_index);
        else
            snprintf(text, sizeof text,
                     "CPU %s, NUMA node %u, which has no memory: that of %u",
                     cpus, p->node->os_index, memory->os_index);
        say(ctx, name, text);
    }
}

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
 * caches then, and leave whole nodes to others. */
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

struct place {
    hwloc_obj_t pu;      /* the first that may be used */
    hwloc_cpuset_t cpus; /* all that may be used */
    hwloc_obj_t node;    /* NULL: none */
    unsigned group;
};

struct topo {
    hwloc_topology_t hw;
    bool owned; /* of this topo alone, not the shared one */
    struct place *places;
    unsigned place_count, group_count, worker_count;
    unsigned *place_of; /* of a worker */
    bool asked;         /* the number of workers was given */
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

/* The CPUs that this thread, and so the threads it starts, may run on. */
static hwloc_cpuset_t usable_cpus(const struct topo *t)
{
    hwloc_cpuset_t cpus =
        hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(t->hw));
    hwloc_cpuset_t mask = hwloc_bitmap_alloc();

    if (cpus && mask && hwloc_topology_is_thissystem(t->hw) &&
        !hwloc_get_cpubind(t->hw, mask, HWLOC_CPUBIND_THREAD))
        hwloc_bitmap_and(cpus, cpus, mask);
    hwloc_bitmap_free(mask);
    return cpus;
}

static hwloc_obj_t node_of(const struct topo *t, hwloc_obj_t pu)
{
    hwloc_obj_t best = NULL, node = NULL;

    while ((node = hwloc_get_next_obj_by_type(t->hw, HWLOC_OBJ_NUMANODE, node)))
        if (hwloc_bitmap_isset(node->cpuset, pu->os_index) &&
            (!best || hwloc_bitmap_weight(node->cpuset) <
                          hwloc_bitmap_weight(best->cpuset)))
            best = node;
    return best;
}

static bool same_group(const struct place *a, const struct place *b)
{
    if (!a->node || !b->node)
        return a->node == b->node;
    return hwloc_bitmap_isequal(a->node->cpuset, b->node->cpuset);
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

/* Numbers the groups in the order in which they occur, and brings the places of
 * a group together. Insertion: stable, and there are few. */
static void group_places(struct topo *t, unsigned used)
{
    t->group_count = 0;
    for (unsigned i = 0; i < used; i++) {
        unsigned k = 0;
        while (k < i && !same_group(&t->places[k], &t->places[i]))
            k++;
        t->places[i].group = k < i ? t->places[k].group : t->group_count++;
        struct place p = t->places[i];
        unsigned at = i;
        for (; at && t->places[at - 1].group > p.group; at--)
            t->places[at] = t->places[at - 1];
        t->places[at] = p;
    }
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
    unsigned used = workers < t->place_count ? workers : t->place_count;
    group_places(t, used); /* groups without a worker do not count */
    for (unsigned i = 0; i < workers; i++)
        t->place_of[i] = (unsigned)((uint64_t)i * used / workers);
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
    wf_quota_read(&t->quota, "/proc/self/cgroup", "/proc/self/mountinfo");
    if (hwloc_distances_get_by_type(t->hw, HWLOC_OBJ_NUMANODE, &n,
                                    &t->distances, 0, 0) ||
        n == 0)
        t->distances = NULL;
    return place_workers(t, workers);
}

int wf_topo_load(struct topo **out, unsigned workers, enum weft_pin pin,
                 weft_error *why)
{
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
    return place_of(t, worker)->group;
}

unsigned wf_topo_group_here(const struct topo *t)
{
    int cpu = sched_getcpu();

    for (unsigned i = 0; cpu >= 0 && i < t->worker_count; i++)
        if (hwloc_bitmap_isset(place_of(t, i)->cpus, (unsigned)cpu))
            return place_of(t, i)->group;
    return 0;
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
    if (hwloc_set_cpubind(t->hw, cpus, HWLOC_CPUBIND_THREAD))
        store_relaxed(&t->refused, errno);
}

void wf_topo_bind_group(struct topo *t, unsigned group)
{
    hwloc_cpuset_t cpus = hwloc_bitmap_alloc();

    if (!cpus || t->pin == WEFT_PIN_NONE) {
        hwloc_bitmap_free(cpus);
        return;
    }
    for (unsigned i = 0; i < t->worker_count; i++)
        if (place_of(t, i)->group == group)
            hwloc_bitmap_or(cpus, cpus, place_of(t, i)->cpus);
    bind(t, cpus);
    hwloc_bitmap_free(cpus);
}

void wf_topo_bind_worker(struct topo *t, unsigned worker)
{
    if (t->pin == WEFT_PIN_CORE)
        bind(t, place_of(t, worker)->cpus);
    else
        wf_topo_bind_group(t, place_of(t, worker)->group);
}

/* With one group, any memory is on its node. */
void *wf_topo_alloc(const struct topo *t, unsigned worker, size_t bytes)
{
    size_t lines = (bytes + 63) / 64 * 64;
    hwloc_obj_t node = place_of(t, worker)->node;
    void *memory;

    if (t->group_count == 1)
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
    if (t->group_count == 1)
        free(memory);
    else
        hwloc_free(t->hw, memory, (bytes + 63) / 64 * 64);
}

/* ---- what was decided, and why ------------------------------------------ */

static void explain_count(const struct topo *t, weft_say_fn *say, void *ctx)
{
    const struct quota *q = &t->quota;
    char text[700];

    snprintf(text, sizeof text,
             "%u: the cores of this machine that the process may use",
             t->place_count);
    say(ctx, "cores", text);
    if (q->limited)
        snprintf(text, sizeof text, "%.2f cores, rounded down to %u (%s)",
                 (double)q->quota_us / (double)q->period_us, wf_quota_cores(q),
                 q->file);
    else
        snprintf(text, sizeof text, "none");
    say(ctx, "quota", text);
    snprintf(text, sizeof text, "%u: %s", t->worker_count,
             t->asked                           ? "as asked"
             : t->worker_count < t->place_count ? "as many as the quota allows"
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
    else
        snprintf(text, sizeof text, "%s", pins[t->pin]);
    say(ctx, "pinning", text);
}

void wf_topo_explain(const struct topo *t, weft_say_fn *say, void *ctx)
{
    explain_count(t, say, ctx);
    explain_pinning(t, say, ctx);
    for (unsigned i = 0; i < t->worker_count; i++) {
        const struct place *p = place_of(t, i);
        char name[32], cpus[64], text[160];
        snprintf(name, sizeof name, "worker %u", i);
        hwloc_bitmap_list_snprintf(cpus, sizeof cpus, p->cpus);
        if (p->node)
            snprintf(text, sizeof text, "CPU %s, NUMA node %u", cpus,
                     p->node->os_index);
        else
            snprintf(text, sizeof text, "CPU %s, on no NUMA node", cpus);
        say(ctx, name, text);
    }
}

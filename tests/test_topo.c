/* test_topo.c: sched/topo.c on machines that hwloc is told about, and on the
 * machine that we are on. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/topo.h"
#include "tests/test.h"

static struct topo *load(unsigned workers)
{
    struct topo *t = NULL;
    cr_assert_eq(wf_topo_load(&t, workers, WEFT_PIN_CORE, NULL), 0);
    return t;
}

static struct topo *load_shape(const char *shape, unsigned workers)
{
    setenv("HWLOC_SYNTHETIC", shape, 1);
    struct topo *t = load(workers);
    unsetenv("HWLOC_SYNTHETIC");
    return t;
}

/* All that is said about one thing, line after line. */
struct said {
    const char *what;
    char text[4096];
};

static void listen(void *ctx, const char *what, const char *text)
{
    struct said *s = ctx;
    size_t n = strlen(s->text);
    if (!strcmp(what, s->what))
        snprintf(s->text + n, sizeof s->text - n, "%s\n", text);
}

static bool says(const struct topo *t, const char *what, const char *part)
{
    struct said s = { .what = what };
    wf_topo_explain(t, listen, &s);
    return strstr(s.text, part) != NULL;
}

Test(topo, one_worker_per_core_not_per_hardware_thread)
{
    struct topo *t = load_shape("node:1 l3:1 core:4 pu:2", 0);
    cr_assert_eq(wf_topo_workers(t), 4);
    cr_assert_eq(wf_topo_groups(t), 1);
    cr_assert(says(t, "worker 0", "CPU 0-1,"));
    cr_assert(says(t, "worker 3", "CPU 6-7,"));
    cr_assert(says(t, "workers", "one per core"));
    wf_topo_free(t);
}

Test(topo, nodes_are_groups_with_consecutive_workers)
{
    struct topo *t = load_shape("pack:2 node:2 l3:1 core:4 pu:1", 0);
    cr_assert_eq(wf_topo_workers(t), 16);
    cr_assert_eq(wf_topo_groups(t), 4);
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(wf_topo_group_of(t, i), i / 4);
    wf_topo_free(t);
}

Test(topo, cpus_of_a_node_that_are_numbered_apart_are_one_group)
{
    /* As many machines do: the odd CPUs are on node 1. */
    struct topo *t =
        load_shape("node:2 core:4 pu:1(indexes=0,2,4,6,1,3,5,7)", 0);
    cr_assert_eq(wf_topo_groups(t), 2);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(wf_topo_group_of(t, i), i / 4);
    wf_topo_free(t);
}

Test(topo, fewer_workers_fill_node_after_node)
{
    struct topo *t = load_shape("node:4 core:4 pu:1", 6);
    cr_assert_eq(wf_topo_workers(t), 6);
    cr_assert_eq(wf_topo_groups(t), 2);
    cr_assert_eq(wf_topo_group_of(t, 3), 0);
    cr_assert_eq(wf_topo_group_of(t, 4), 1);
    cr_assert(says(t, "workers", "as asked"));
    wf_topo_free(t);
}

Test(topo, more_workers_than_cores_share_them_evenly)
{
    struct topo *t = load_shape("node:2 core:3 pu:1", 15);
    unsigned members[2] = { 0 };
    cr_assert_eq(wf_topo_workers(t), 15);
    for (unsigned i = 0; i < 15; i++) {
        members[wf_topo_group_of(t, i)]++;
        cr_assert(i == 0 ||
                  wf_topo_group_of(t, i - 1) <= wf_topo_group_of(t, i));
    }
    cr_assert(members[0] + 1 >= members[1] && members[1] + 1 >= members[0]);
    for (char cpu[] = "CPU 0,"; cpu[4] < '6'; cpu[4]++) {
        unsigned share = 0;
        for (unsigned i = 0; i < 15; i++) {
            char name[32];
            snprintf(name, sizeof name, "worker %u", i);
            share += says(t, name, cpu);
        }
        cr_assert(share == 2 || share == 3);
    }
    wf_topo_free(t);
}

Test(topo, distance_is_cache_then_node_then_the_rest)
{
    struct topo *t = load_shape("node:2 l3:2 core:2 pu:1", 0);
    cr_assert_eq(wf_topo_distance(t, 0, 1), 0); /* one cache */
    cr_assert_eq(wf_topo_distance(t, 0, 2), 1); /* one node */
    cr_assert_eq(wf_topo_distance(t, 0, 4), 2);
    cr_assert_eq(wf_topo_distance(t, 7, 0), 2);
    wf_topo_free(t);
}

Test(topo, workers_on_one_core_share_its_caches)
{
    struct topo *t = load_shape("node:1 core:2 pu:1", 4);
    cr_assert_eq(wf_topo_distance(t, 0, 1), 0);
    cr_assert_eq(wf_topo_distance(t, 1, 2), 1); /* no cache is known */
    wf_topo_free(t);
}

/* ---- shapes that only a file can tell ------------------------------------ */

static struct topo *load_xml(const char *objects, const char *rest,
                             unsigned workers)
{
    char name[] = "/tmp/weft-topo-XXXXXX";
    FILE *f = fdopen(mkstemp(name), "w");
    cr_assert(f != NULL);
    fprintf(f,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<!DOCTYPE topology SYSTEM \"hwloc2.dtd\">\n"
            "<topology version=\"2.0\">%s%s</topology>\n",
            objects, rest);
    cr_assert_eq(fclose(f), 0);
    setenv("HWLOC_XMLFILE", name, 1);
    struct topo *t = load(workers);
    unsetenv("HWLOC_XMLFILE");
    unlink(name);
    return t;
}

#define SETS(CPUS, NODES)                                                      \
    " cpuset=\"" CPUS "\" complete_cpuset=\"" CPUS "\" nodeset=\"" NODES       \
    "\" complete_nodeset=\"" NODES "\" "
#define MACHINE(CPUS, NODES)                                                   \
    "<object type=\"Machine\" os_index=\"0\"" SETS(                            \
        CPUS, NODES) "allowed_cpuset=\"" CPUS "\" allowed_nodeset=\"" NODES    \
                     "\" gp_index=\"1\">"
#define NODE(N, CPUS, NODES, BYTES)                                            \
    "<object type=\"NUMANode\" os_index=\"" N                                  \
    "\"" SETS(CPUS, NODES) "gp_index=\"1" N "\" local_memory=\"" BYTES "\"/>"
#define CORE(N, CPUS, NODES)                                                   \
    "<object type=\"Core\" os_index=\"" N                                      \
    "\"" SETS(CPUS, NODES) "gp_index=\"2" N                                    \
                           "\"><object type=\"PU\" os_index=\"" N              \
                           "\"" SETS(CPUS, NODES) "gp_index=\"3" N             \
                                                  "\"/></object>"
#define GROUP(N, CPUS, NODES)                                                  \
    "<object type=\"Group\" kind=\"1000\" subkind=\"0\"" SETS(                 \
        CPUS, NODES) "gp_index=\"4" N "\">"

Test(topo, cpus_of_a_node_without_memory_are_a_group_of_their_own)
{
    struct topo *t = load_xml(
        MACHINE("0x0000000f", "0x00000001")
            GROUP("0", "0x00000003", "0x00000001")
                NODE("0", "0x00000003", "0x00000001", "1073741824")
                    CORE("0", "0x00000001", "0x00000001")
                        CORE("1", "0x00000002", "0x00000001") "</object>" CORE(
                            "2", "0x00000004", "0x0")
                            CORE("3", "0x00000008", "0x0") "</object>",
        "", 0);
    cr_assert_eq(wf_topo_workers(t), 4);
    cr_assert_eq(wf_topo_groups(t), 2);
    cr_assert_eq(wf_topo_group_of(t, 1), 0);
    cr_assert_eq(wf_topo_group_of(t, 2), 1);
    cr_assert_eq(wf_topo_group_of(t, 3), 1);
    cr_assert(says(t, "worker 3", "on no NUMA node"));
    cr_assert_eq(wf_topo_distance(t, 0, 3), 2);
    void *memory = wf_topo_alloc(t, 3, 1000);
    cr_assert(memory != NULL);
    wf_topo_dealloc(t, memory, 1000);
    wf_topo_free(t);
}

Test(topo, a_node_without_cpus_is_no_second_group)
{
    struct topo *t = load_xml(
        MACHINE("0x00000003", "0x00000003")
            NODE("1", "0x00000003", "0x00000002", "1073741824")
                NODE("0", "0x00000003", "0x00000001", "1073741824")
                    CORE("0", "0x00000001", "0x00000003")
                        CORE("1", "0x00000002", "0x00000003") "</object>",
        "", 0);
    cr_assert_eq(wf_topo_workers(t), 2);
    cr_assert_eq(wf_topo_groups(t), 1);
    cr_assert(says(t, "worker 0", "NUMA node 0"));
    wf_topo_free(t);
}

/* Three nodes in a row: 0 - 2 - 1. */
static struct topo *load_row(const char *bytes_of_1)
{
    static const char before[] = MACHINE("0x00000007", "0x00000007")
        GROUP("0", "0x00000001", "0x00000001")
            NODE("0", "0x00000001", "0x00000001", "1073741824")
                CORE("0", "0x00000001", "0x00000001") "</object>" GROUP(
                    "1", "0x00000002", "0x00000002");
    static const char after[] =
        CORE("1", "0x00000002",
             "0x00000002") "</object>" GROUP("2", "0x00000004", "0x00000004")
            NODE("2", "0x00000004", "0x00000004", "1073741824")
                CORE("2", "0x00000004",
                     "0x00000004") "</object></object>"
                                   "<distances2 type=\"NUMANode\" nbobjs=\"3\" "
                                   "kind=\"5\" "
                                   "name=\"NUMALatency\" indexing=\"os\">"
                                   "<indexes length=\"6\">0 1 2 </indexes>"
                                   "<u64values length=\"27\">10 40 20 40 10 20 "
                                   "20 20 10 </u64values>"
                                   "</distances2>";
    char objects[4096];
    snprintf(objects, sizeof objects,
             "%s" NODE("1", "0x00000002", "0x00000002", "%s") "%s", before,
             bytes_of_1, after);
    return load_xml(objects, "", 0);
}

Test(topo, far_nodes_come_after_near_ones)
{
    struct topo *t = load_row("1073741824");
    cr_assert_eq(wf_topo_groups(t), 3);
    cr_assert_eq(wf_topo_distance(t, 0, 2), 2);
    cr_assert_eq(wf_topo_distance(t, 0, 1), 3);
    cr_assert_eq(wf_topo_distance(t, 2, 0), 2);
    cr_assert_eq(wf_topo_distance(t, 2, 1), 2);
    cr_assert(says(t, "worker 1", "NUMA node 1"));
    cr_assert(!says(t, "worker 1", "memory"));
    wf_topo_free(t);
}

Test(topo, a_node_without_memory_uses_that_of_the_nearest)
{
    struct topo *t = load_row("0");
    cr_assert_eq(wf_topo_groups(t), 3);
    cr_assert_eq(wf_topo_group_of(t, 1), 1);
    cr_assert(says(t, "worker 1", "node 1, which has no memory: that of 2"));
    cr_assert(!says(t, "worker 0", "memory"));
    wf_topo_free(t);
}

Test(topo, what_is_no_way_to_pin_is_an_error)
{
    struct topo *t = NULL;
    weft_error why;
    cr_assert_eq(wf_topo_load(&t, 1, (enum weft_pin)3, &why), -EINVAL);
    cr_assert_eq(t, NULL);
    cr_assert(strstr(why.text, "pin is 3") != NULL);
}

/* ---- this machine -------------------------------------------------------- */

static unsigned first_cpu(const cpu_set_t *set)
{
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, set))
            return i;
    return 0;
}

/* In a thread of its own: affinity is a thread's, and inherited by new ones. */
static void in_a_thread(void *(*fn)(void *), void *arg)
{
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
}

static void *with_one_cpu(void *unused)
{
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    unsigned cpu = first_cpu(&set);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    cr_assert_eq(sched_setaffinity(0, sizeof set, &set), 0);
    struct topo *t = load(0);
    cr_assert_eq(wf_topo_workers(t), 1);
    char text[32];
    snprintf(text, sizeof text, "CPU %u,", cpu);
    cr_assert(says(t, "worker 0", text));
    wf_topo_free(t);
    return unused;
}

Test(topo, the_affinity_mask_counts_also_when_it_changes)
{
    struct topo *before = load(0);
    in_a_thread(with_one_cpu, NULL);
    struct topo *after = load(0);
    cr_assert_eq(wf_topo_workers(before), wf_topo_workers(after));
    wf_topo_free(before);
    wf_topo_free(after);
}

static void *as_worker(void *arg)
{
    cpu_set_t set;
    wf_topo_bind_worker(arg, 0);
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    unsigned cpu = first_cpu(&set);
    cr_assert_eq((unsigned)sched_getcpu(), cpu);
    return NULL;
}

static void *as_driver(void *arg)
{
    cpu_set_t mine, groups;
    cr_assert_eq(sched_getaffinity(0, sizeof mine, &mine), 0);
    wf_topo_bind_group(arg, 0);
    cr_assert_eq(sched_getaffinity(0, sizeof groups, &groups), 0);
    CPU_AND(&mine, &mine, &groups);
    cr_assert(CPU_EQUAL(&mine, &groups)); /* nothing beyond what is allowed */
    return NULL;
}

Test(topo, workers_are_pinned_and_drivers_kept_on_their_node)
{
    cpu_set_t set;
    cr_assert_eq(sched_getaffinity(0, sizeof set, &set), 0);
    struct topo *t = NULL;
    cr_assert_eq(wf_topo_load(&t, 1, WEFT_PIN_CORE, NULL), 0);
    if (says(t, "worker 0", "-")) { /* a core of several hardware threads */
        wf_topo_free(t);
        return;
    }
    in_a_thread(as_worker, t);
    in_a_thread(as_driver, t);
    cr_assert(says(t, "pinning", "each to its core"));
    wf_topo_free(t);
}

static void *unpinned(void *arg)
{
    cpu_set_t before, after;
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    wf_topo_bind_worker(arg, 0);
    cr_assert_eq(sched_getaffinity(0, sizeof after, &after), 0);
    cr_assert(CPU_EQUAL(&before, &after));
    return NULL;
}

Test(topo, pin_none_leaves_threads_alone)
{
    struct topo *t = NULL;
    cr_assert_eq(wf_topo_load(&t, 2, WEFT_PIN_NONE, NULL), 0);
    in_a_thread(unpinned, t);
    wf_topo_free(t);
}

Test(topo, this_thread_is_in_some_group)
{
    struct topo *t = load(0);
    cr_assert(wf_topo_group_here(t) < wf_topo_groups(t));
    wf_topo_free(t);
    t = load_shape("node:64 core:1 pu:1", 1);
    cr_assert_eq(wf_topo_group_here(t), 0); /* no worker on the other nodes */
    wf_topo_free(t);
}

static void check_memory(const struct topo *t, size_t bytes)
{
    for (unsigned i = 0; i < wf_topo_workers(t); i++) {
        unsigned char *memory = wf_topo_alloc(t, i, bytes);
        cr_assert(memory != NULL);
        cr_assert_eq((uintptr_t)memory % 64, 0);
        for (size_t k = 0; k < bytes; k++)
            cr_assert_eq(memory[k], 0);
        memset(memory, 1, bytes);
        wf_topo_dealloc(t, memory, bytes);
    }
    wf_topo_dealloc(t, NULL, bytes);
}

Test(topo, memory_is_zeroed_and_begins_with_a_cache_line)
{
    struct topo *t = load(0);
    check_memory(t, 1);
    check_memory(t, 100000);
    wf_topo_free(t);
    t = load_shape("node:2 core:2 pu:1", 0);
    check_memory(t, 1);
    check_memory(t, 100000);
    wf_topo_free(t);
}

Test(topo, a_thousand_loads_cost_little)
{
    for (int i = 0; i < 1000; i++)
        wf_topo_free(load(0));
}

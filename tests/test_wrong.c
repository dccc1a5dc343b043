/* test_wrong.c: what is said of figures that are given. */
#include "cli/bench/wrong.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "tests/test.h"

enum { WORKERS = 8, NODES = 2 };

/* A quiet machine: nothing looks wrong. Tests change one thing. */
struct quiet {
    struct worker_figures each[WORKERS];
    struct memory_figures memory[NODES * NODES];
    char cores[80], quota[80], pinning[80], io[80];
    struct decision decisions[4];
    struct figures f;
};

static void init(struct quiet *q)
{
    *q = (struct quiet){
        .cores = "8, all of the machine's",
        .quota = "none",
        .pinning = "each to its core",
        .io = "io_uring, one driver per NUMA node",
    };
    for (unsigned i = 0; i < WORKERS; i++)
        q->each[i] = (struct worker_figures){ i, i, 0, 0.65, 0.65, 0.66, 1, 0 };
    for (unsigned i = 0; i < NODES * NODES; i++)
        q->memory[i] =
            (struct memory_figures){ i / NODES, i % NODES, 40, 50, 90 };
    q->decisions[0] = (struct decision){ "cores", q->cores };
    q->decisions[1] = (struct decision){ "quota", q->quota };
    q->decisions[2] = (struct decision){ "pinning", q->pinning };
    q->decisions[3] = (struct decision){ "I/O", q->io };
    q->f = (struct figures){
        .workers = WORKERS,
        .decisions = q->decisions,
        .decision_count = 4,
        .cache_bytes = { 48 << 10, 2 << 20, 32 << 20 },
        .each = q->each,
        .alone = 0.66,
        .wake = { .idle = { 10, 20 }, .bare = { 9, 18 } },
        .memory_bytes = 128 << 20,
        .memory_bound = true,
        .memory = q->memory,
        .memory_count = NODES * NODES,
        .point_count = 2,
        .points = { { 1, { 1, 1, 1 } }, { 8, { 7.8, 7.6, 7.4 } } },
    };
}

struct said {
    unsigned count;
    char text[4096]; /* a line each */
};

static void note(void *said_, const char *sentence)
{
    struct said *said = said_;
    size_t used = strlen(said->text);
    said->count++;
    snprintf(said->text + used, sizeof said->text - used, "%s\n", sentence);
}

static struct said find(const struct quiet *q)
{
    struct said said = { 0 };
    wrong_find(&q->f, note, &said);
    return said;
}

/* Exactly this is said, and nothing else. */
static bool only(const struct quiet *q, const char *sentence)
{
    struct said said = find(q);
    size_t size = strlen(sentence);
    bool same = said.count == 1 && strncmp(said.text, sentence, size) == 0 &&
                strcmp(said.text + size, "\n") == 0;
    if (!same)
        fprintf(stderr, "expected: %s\nsaid: %s", sentence, said.text);
    return same;
}

Test(wrong, nothing_is_said_of_a_quiet_machine)
{
    struct quiet q;
    init(&q);
    cr_assert_eq(find(&q).count, 0);
}

Test(wrong, a_worker_that_is_three_times_slower_is_named_with_its_cause)
{
    struct quiet q;
    init(&q);
    q.each[7].before = q.each[7].after = 0.65 / 3;
    q.each[7].share = 0.34;
    cr_assert(only(&q, "worker 7 is 3.0x slower: its core is shared, it got "
                       "34 % of CPU 7"));
}

Test(wrong, of_two_workers_the_slow_one_is_compared_with_the_other)
{
    struct quiet q;
    init(&q);
    q.f.workers = 2;
    q.f.points[1] = (struct point){ 2, { 2, 2, 2 } };
    q.each[0].before = q.each[0].after = 0.65 / 2;
    q.each[0].stolen = 0.5;
    cr_assert(only(&q, "worker 0 is 2.0x slower: the hypervisor took 50 % of "
                       "CPU 0"));
}

Test(wrong, a_slow_worker_without_a_cause_that_shows_has_a_slow_cpu)
{
    struct quiet q;
    init(&q);
    q.each[2].before = q.each[2].after = 0.65 / 2;
    cr_assert(only(&q, "worker 2 is 2.0x slower: CPU 2 has a lower frequency, "
                       "or something else runs on its core"));
}

Test(wrong, workers_on_one_core_are_told_as_siblings)
{
    struct quiet q;
    init(&q);
    q.each[3].core = 2;
    q.each[3].before = q.each[3].after = 0.4;
    cr_assert(only(&q, "worker 3 is 1.6x slower: worker 2 is on the same core, "
                       "an SMT sibling"));
}

Test(wrong, workers_on_one_cpu_are_told_as_such)
{
    struct quiet q;
    init(&q);
    q.each[3].core = 2;
    q.each[3].cpu = 2;
    q.each[3].share = 0.5;
    q.each[3].before = q.each[3].after = 0.325;
    cr_assert(only(&q, "worker 3 is 2.0x slower: worker 2 is on CPU 2 as "
                       "well"));
}

Test(wrong, a_worker_that_shares_its_cpu_is_named_though_it_is_not_slow)
{
    struct quiet q;
    init(&q);
    q.each[5].share = 0.85;
    cr_assert(only(&q, "worker 5 got only 85 % of CPU 5: something else runs "
                       "there"));
}

Test(wrong, time_that_the_hypervisor_took_is_told)
{
    struct quiet q;
    init(&q);
    q.each[1].stolen = 0.08;
    cr_assert(only(&q, "the hypervisor took 8 % of CPU 1, worker 1's"));
}

Test(wrong, many_slow_workers_are_named_in_part_and_counted)
{
    static struct worker_figures many[20];
    struct quiet q;
    init(&q);
    for (unsigned i = 0; i < 20; i++) {
        many[i] = q.each[7];
        many[i].cpu = many[i].core = i;
        if (i < 9)
            many[i].before = many[i].after = 0.3;
    }
    q.f.each = many;
    q.f.workers = 20;
    q.f.points[1] = (struct point){ 20, { 20, 20, 20 } };
    snprintf(q.cores, sizeof q.cores, "20, all of the machine's");
    struct said said = find(&q);
    cr_assert_eq(said.count, 5);
    cr_assert(strstr(said.text, "\n5 more workers are slower than most\n"));
}

Test(wrong, of_several_that_share_their_cpus_the_one_that_got_least_is_named)
{
    struct quiet q;
    init(&q);
    q.each[2].share = 0.8;
    q.each[5].share = 0.6;
    q.each[6].share = 0.7;
    cr_assert(only(&q, "3 workers got less than 90 % of their CPUs, worker 5 "
                       "60 % of CPU 5: something else runs there"));
}

Test(wrong, workers_whose_cores_are_not_known_are_no_siblings)
{
    struct quiet q;
    init(&q);
    for (unsigned i = 0; i < WORKERS; i++)
        q.each[i].core = UINT_MAX;
    q.each[2].before = q.each[2].after = 0.65 / 2;
    cr_assert(only(&q, "worker 2 is 2.0x slower: CPU 2 has a lower frequency, "
                       "or something else runs on its core"));
}

Test(wrong, a_quota_is_told_with_the_workers_that_came_of_it)
{
    struct quiet q;
    init(&q);
    snprintf(q.quota, sizeof q.quota, "6.50 cores, rounded down to 6 (f)");
    q.f.workers = 6;
    q.f.points[1] = (struct point){ 6, { 6, 6, 6 } };
    cr_assert(only(&q, "the quota is 6.50 cores, rounded down to 6 (f): 6 "
                       "workers were started"));
}

Test(wrong, more_workers_than_cores_are_told)
{
    struct quiet q;
    init(&q);
    snprintf(q.cores, sizeof q.cores, "4, all of the machine's");
    q.each[3].share = 0.5; /* which is no wonder then */
    q.each[3].before = q.each[3].after = 0.3;
    cr_assert(only(&q, "8 workers share 4 cores"));
}

Test(wrong, an_affinity_mask_is_told)
{
    struct quiet q;
    init(&q);
    snprintf(q.cores, sizeof q.cores,
             "8 of the machine's 64: the affinity mask allows CPU 0-7");
    cr_assert(only(&q, "not all cores may be used: 8 of the machine's 64: the "
                       "affinity mask allows CPU 0-7"));
}

Test(wrong, a_refused_pin_and_a_refused_ring_are_told)
{
    struct quiet q;
    init(&q);
    snprintf(q.pinning, sizeof q.pinning,
             "refused by the system: Operation not permitted");
    cr_assert(only(&q, "the workers are not pinned to their cores: refused by "
                       "the system: Operation not permitted"));
    init(&q);
    snprintf(q.io, sizeof q.io,
             "at once, else blocking threads: io_uring failed: No");
    cr_assert(only(&q, "reads and writes do not use io_uring: blocking "
                       "threads: io_uring failed: No"));
}

Test(wrong, a_machine_that_became_slower_or_faster_is_told)
{
    struct quiet q;
    init(&q);
    for (unsigned i = 0; i < WORKERS; i++)
        q.each[i].after = 0.65 * 0.88;
    cr_assert(only(&q, "the workers were 12 % slower after the measurements "
                       "than before: the figures are no more certain than "
                       "that"));
    for (unsigned i = 0; i < WORKERS; i++)
        q.each[i].after = 0.65 * 1.07;
    cr_assert(only(&q, "the workers were 7 % faster after the measurements "
                       "than before: the figures are no more certain than "
                       "that"));
}

Test(wrong, workers_that_slow_each_other_down_are_told)
{
    struct quiet q;
    init(&q);
    q.f.alone = 0.88;
    cr_assert(only(&q, "when all work, a worker has 75 % of the speed of one "
                       "alone: frequency, or SMT siblings"));
}

Test(wrong, the_load_of_other_programs_is_told)
{
    struct quiet q;
    init(&q);
    q.f.others_cores = 0.75;
    cr_assert(only(&q, "other programs used 0.8 cores meanwhile"));
}

Test(wrong, a_node_with_less_bandwidth_than_the_others_is_named)
{
    struct quiet q;
    init(&q);
    q.memory[1].read_gb_s = 10; /* far memory may be slower */
    q.memory[3].read_gb_s = 19.5;
    cr_assert(only(&q, "the memory of node 1 gives its cores 19.5 GB/s, that "
                       "of the best node 40.0 GB/s"));
}

Test(wrong, memory_that_was_not_bound_or_is_too_small_is_told)
{
    struct quiet q;
    init(&q);
    q.f.memory_bound = false;
    cr_assert(only(&q, "memory could not be bound to its node: which one was "
                       "measured is not certain"));
    init(&q);
    q.f.cache_bytes[2] = 300 << 20;
    cr_assert(only(&q, "a buffer of 128 MiB is small against the last cache, "
                       "300 MiB: what is said of memory is partly the "
                       "cache's"));
}

Test(wrong, a_wake_that_takes_much_longer_than_a_futex_is_told)
{
    struct quiet q;
    init(&q);
    q.f.wake.idle.p50_us = 45;
    cr_assert(only(&q, "submit and wait takes 45.0 us when idle, a bare futex "
                       "there and back 9.0 us"));
}

Test(wrong, work_that_does_not_get_faster_with_workers_is_named)
{
    struct quiet q;
    init(&q);
    q.f.points[1].speedup[1] = 3.9;
    cr_assert(only(&q, "dag with 8 workers is 3.90 times as fast as a plain "
                       "loop: 49 % efficiency"));
}

Test(wrong, a_build_that_is_slow_is_told)
{
    struct quiet q;
    init(&q);
    q.f.build = "built without optimisation";
    cr_assert(only(&q, "this weft is built without optimisation: a release "
                       "build is faster"));
}

Test(wrong, all_that_is_wrong_is_said)
{
    struct quiet q;
    init(&q);
    q.each[7].before = q.each[7].after = 0.3;
    q.f.others_cores = 2;
    q.f.wake.idle.p50_us = 100;
    cr_assert_eq(find(&q).count, 3);
}

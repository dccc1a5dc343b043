/* test_chaos.c: sched/chaos.c: the pauses of the chaos build can be repeated.
 */
#include "sched/chaos.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

enum { SEEDS = 16 };

struct seeds {
    uint64_t process, next[SEEDS];
};

/* The program again, with this in the environment: what seeds it has. */
static struct seeds seeds_with(const char *wanted)
{
    struct seeds seeds;
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert(child >= 0);
    if (child == 0) {
        setenv("WEFT_CHAOS_SEED", wanted, 1);
        seeds.process = wf_chaos_seed();
        for (int i = 0; i < SEEDS; i++)
            seeds.next[i] = wf_chaos_next_seed();
        _exit(write(ends[1], &seeds, sizeof seeds) != sizeof seeds);
    }
    int status = 1;
    close(ends[1]);
    cr_assert_eq(read(ends[0], &seeds, sizeof seeds), sizeof seeds);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    close(ends[0]);
    return seeds;
}

/* Nothing in this process has asked for a seed when it forks: it has no atomics
 * of its own. */
Test(chaos, a_seed_of_the_environment_gives_the_same_pauses)
{
    struct seeds once = seeds_with("12345"), again = seeds_with("12345"),
                 other = seeds_with("12346");

    cr_assert_eq(memcmp(&once, &again, sizeof once), 0);
    cr_assert_eq(once.process, 12345);
    for (int i = 0; i < SEEDS; i++) {
        cr_assert(once.next[i] != 0);
        cr_assert(once.next[i] != other.next[i]);
        for (int k = 0; k < i; k++)
            cr_assert(once.next[k] != once.next[i]);
    }
}

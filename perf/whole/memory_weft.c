/* memory_weft.c: does the memory of a pipeline grow with the number of items?
 *
 * Peak memory never falls, so each number of items has a process of its own. */
#include <sys/wait.h>
#include <unistd.h>

#include "perf/empty_stages.h"
#include "perf/whole/whole.h"

static const struct {
    const char *name;
    uint64_t items;
} cases[] = { { "1e5 items", 100000 },
              { "1e6 items", 1000000 },
              { "1e7 items", 10000000 } };
enum { CASES = sizeof cases / sizeof *cases, STAGES = 1 };

static void run(const struct whole *w, uint64_t items)
{
    struct job job = { .items = items, .stages = STAGES };
    weft_sched *sched = sched_of(w->workers);

    cost_of(sched, &job);
    weft_sched_destroy(sched);
}

static double peak_mib_of_a_child(const struct whole *w, uint64_t items)
{
    struct rusage usage;
    int status;
    pid_t child = fork();

    if (child == 0) {
        run(w, items);
        _exit(0);
    }
    must(child < 0 ? -errno : 0, "no process for a case");
    if (wait4(child, &status, 0, &usage) != child || status)
        must(-ECHILD, "a case failed");
    return (double)usage.ru_maxrss / 1024;
}

int main(int argc, char **argv)
{
    struct whole w = whole_begin(argc, argv, "memory", "weft");
    double fewest = 0;

    for (int i = 0; i < CASES; i++) {
        double peak = peak_mib_of_a_child(&w, whole_size(&w, cases[i].items));
        whole_tell(&w, cases[i].name, "peak", "MiB", peak);
        if (i == 0)
            fewest = peak;
        else
            whole_tell(&w, cases[i].name, "more than with the fewest", "MiB",
                       peak - fewest);
    }
}

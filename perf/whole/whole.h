/* whole.h: what the contestants of the rows of whole programs share: arguments
 * and results. */
#ifndef WEFT_PERF_WHOLE_H
#define WEFT_PERF_WHOLE_H
#include <sched.h>
#include <stdbool.h>

#include "perf/bench.h"

struct whole {
    const char *row, *by;
    unsigned workers, percent;
    const char *folder; /* where there is room for files; NULL: a temporary
                           one */
    const char *only;   /* a case, or NULL: all */
};

static inline struct whole whole_begin(int argc, char **argv, const char *row,
                                       const char *by)
{
    struct whole w = { .row = row, .by = by, .percent = 100 };
    cpu_set_t allowed;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && !strcmp(argv[i], "--workers"))
            w.workers = (unsigned)argument(argc, argv, i + 1, 0);
        else if (i + 1 < argc && !strcmp(argv[i], "--percent"))
            w.percent = (unsigned)argument(argc, argv, i + 1, 0);
        else if (i + 1 < argc && !strcmp(argv[i], "--folder"))
            w.folder = argv[i + 1];
        else if (i + 1 < argc && !strcmp(argv[i], "--case"))
            w.only = argv[i + 1];
        else {
            fprintf(stderr,
                    "usage: %s [--workers N] [--percent P] [--case NAME] "
                    "[--folder DIR]\n",
                    argv[0]);
            exit(2);
        }
    }
    if (!w.workers && !sched_getaffinity(0, sizeof allowed, &allowed))
        w.workers = (unsigned)CPU_COUNT(&allowed);
    return w;
}

static inline bool whole_wants(const struct whole *w, const char *name)
{
    return !w->only || !strcmp(w->only, name);
}

/* So much of it as was asked for, and at least 1. */
static inline uint64_t whole_size(const struct whole *w, uint64_t all)
{
    uint64_t part = all * w->percent / 100;
    return part ? part : 1;
}

static inline void whole_tell(const struct whole *w, const char *name,
                              const char *what, const char *unit, double value)
{
    printf("{\"row\":\"%s\",\"case\":\"%s\",\"what\":\"%s\",\"by\":\"%s\","
           "\"workers\":%u,\"unit\":\"%s\",\"value\":%.6g}\n",
           w->row, name, what, w->by, w->workers, unit, value);
    fflush(stdout);
}
#endif

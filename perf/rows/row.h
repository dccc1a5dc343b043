/* row.h: what every contestant of every row does alike: it reads its arguments,
 * measures each case in a process of its own, and prints what came out.
 *
 *     dag_weft [--workers N] [--percent P] [--case NAME]
 *
 * One call is a warm-up and one round. Each result is a line of JSON. What is
 * wrong is told on stderr, and the exit status is not 0. C++ reads this too. */
#ifndef WEFT_PERF_ROWS_ROW_H
#define WEFT_PERF_ROWS_ROW_H
#include <malloc.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perf/bench.h"

enum { ROW_ALL = 100 }; /* percent; less where it only has to work */

struct row {
    const char *name, *by;
    unsigned workers, percent;
    const char *only; /* a case, or NULL: all of them */
};

/* `value` of something that adds up; or, of latencies, all that were seen,
 * which then are sorted. */
struct row_result {
    const char *name; /* of the case */
    const char *what;
    const char *by; /* NULL: who the program is */
    const char *unit;
    double value;
    uint64_t size; /* of the work, where contestants do not have the same */
    double *seen;
    size_t count;
};

static inline void row_usage(const struct row *row)
{
    fprintf(stderr, "%s: [--workers N] [--percent P] [--case NAME]\n",
            row->name);
    exit(2);
}

static inline struct row row_begin(int argc, char **argv, const char *name,
                                   const char *by)
{
    struct row row = { name, by, 0, ROW_ALL, NULL };
    cpu_set_t allowed;

    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc)
            row_usage(&row);
        else if (!strcmp(argv[i], "--workers"))
            row.workers = (unsigned)argument(argc, argv, i + 1, 0);
        else if (!strcmp(argv[i], "--percent"))
            row.percent = (unsigned)argument(argc, argv, i + 1, 0);
        else if (!strcmp(argv[i], "--case"))
            row.only = argv[i + 1];
        else
            row_usage(&row);
    }
    if (!row.workers && !sched_getaffinity(0, sizeof allowed, &allowed))
        row.workers = (unsigned)CPU_COUNT(&allowed);
    return row;
}

/* So much of it as was asked for, and not less than `least`. */
static inline uint64_t row_size(const struct row *row, uint64_t all,
                                uint64_t least)
{
    uint64_t part = all * row->percent / ROW_ALL;
    return part > least ? part : least;
}

static inline int row_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double row_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, row_by_value);
    return values[count / 2];
}

static inline void row_tell(const struct row *row, struct row_result r)
{
    printf("{\"row\":\"%s\",\"case\":\"%s\",\"what\":\"%s\",\"by\":\"%s\",",
           row->name, r.name, r.what, r.by ? r.by : row->by);
    printf("\"workers\":%u,\"unit\":\"%s\"", row->workers, r.unit);
    if (r.size)
        printf(",\"size\":%" PRIu64, r.size);
    if (r.seen) {
        double median = row_median(r.seen, r.count);
        printf(",\"median\":%.3f,\"min\":%.3f,\"p99\":%.3f", median, r.seen[0],
               r.seen[r.count * 99 / 100]);
    } else {
        printf(",\"value\":%.6g", r.value);
    }
    printf("}\n");
    fflush(stdout);
}

static inline void row_check(bool right, const char *sentence)
{
    if (right)
        return;
    fprintf(stderr, "%s\n", sentence);
    exit(1);
}

/* What the process has of memory now, in bytes, without what malloc only keeps
 * for later. */
static inline double row_resident(void)
{
    long pages = 0;

    malloc_trim(0);
    FILE *statm = fopen("/proc/self/statm", "r");
    row_check(statm && fscanf(statm, "%*d %ld", &pages) == 1,
              "/proc/self/statm cannot be read");
    fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

struct row_case {
    const char *name;
    void (*measure)(const struct row *row, const struct row_case *self);
    unsigned which; /* for measure */
};

/* Each in a process of its own: what one leaves behind, memory and threads, is
 * not there for the next. Returns the exit status. */
static inline int row_measure(const struct row *row,
                              const struct row_case *cases, size_t count)
{
    bool found = false, failed = false;

    for (size_t i = 0; i < count; i++) {
        int status = 0;
        if (row->only && strcmp(row->only, cases[i].name))
            continue;
        found = true;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            cases[i].measure(row, &cases[i]);
            exit(0);
        }
        must(child < 0 ? -errno : 0, "no process for a case");
        waitpid(child, &status, 0);
        failed |= status != 0;
    }
    if (!found)
        fprintf(stderr, "%s: has no case '%s'\n", row->name, row->only);
    return failed || !found;
}

/* Between two looks at what another thread is going to write. */
static inline void row_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static inline void row_sleep_us(uint64_t us)
{
    struct timespec time = { (time_t)(us / 1000000),
                             (long)(us % 1000000) * 1000 };
    while (nanosleep(&time, &time) && errno == EINTR)
        ;
}
#endif

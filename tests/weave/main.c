/* main.c: how many executions, of which tests, and what became of them. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "tests/weave/choice.h"
#include "tests/weave/inner.h"
#include "tests/weave/kernel.h"

static struct {
    unsigned long random, pct, all, total, longest;
    uint64_t seed;
    bool trace, first;
    char **names;
} options = { .random = 20000, .pct = 20000, .all = 200000, .longest = 10000 };

static const char *const ways[] = { "--random 1 --pct 0 --all 0",
                                    "--random 0 --pct 1 --all 0",
                                    "--random 0 --pct 0" };

enum { KEY_PCT = 256, KEY_ALL, KEY_FIRST, KEY_LONGEST };

static const struct argp_option descriptions[] = {
    { "random", 'n', "N", 0, "executions whose choices are random", 0 },
    { "pct", KEY_PCT, "N", 0,
      "executions by priorities that change at a few steps", 0 },
    { "all", KEY_ALL, "N", 0,
      "so many, at most, of all that there are within a test's bounds", 0 },
    { "seed", 's', "SEED", 0, "of the first of them, and one more of each next",
      0 },
    { "first", KEY_FIRST, NULL, 0, "end with the first test that fails", 0 },
    { "longest", KEY_LONGEST, "MS", 0,
      "so much time of the processor in one of them is a loop without a step",
      0 },
    { "trace", 't', NULL, 0, "print what happens in the last one", 0 },
    { 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'n':
        options.random = strtoul(arg, NULL, 0);
        return 0;
    case KEY_PCT:
        options.pct = strtoul(arg, NULL, 0);
        return 0;
    case KEY_ALL:
        options.all = strtoul(arg, NULL, 0);
        return 0;
    case 's':
        options.seed = strtoull(arg, NULL, 0);
        return 0;
    case KEY_FIRST:
        options.first = true;
        return 0;
    case KEY_LONGEST:
        options.longest = strtoul(arg, NULL, 0);
        return 0;
    case 't':
        options.trace = true;
        return 0;
    case ARGP_KEY_ARGS:
        options.names = state->argv + state->next;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool is_wanted(const char *name)
{
    for (char **n = options.names; n && *n; n++)
        if (strstr(name, *n))
            return true;
    return !options.names;
}

/* An execution ends after so many steps at the latest, but a loop that takes
 * none would go on for ever: it is known by its time. */
static struct {
    const char *name;
    enum way way;
    uint64_t seed;
    unsigned long number, seen;
} volatile under_way;

static void look_whether_it_goes_on(int number)
{
    char text[300];

    if (under_way.seen != under_way.number) {
        under_way.seen = under_way.number;
        return;
    }
    int length = snprintf(text, sizeof text,
                          "%s: FAILED, no end, and no step\n"
                          "  again: %s --seed %llu '%s'\n",
                          under_way.name, ways[under_way.way],
                          (unsigned long long)under_way.seed, under_way.name);
    _exit(write(STDOUT_FILENO, text, (size_t)length) == length ? 1 : 2);
}

static void watch(void)
{
    struct sigaction look = { .sa_handler = look_whether_it_goes_on,
                              .sa_flags = SA_RESTART };
    struct timeval often = { .tv_sec = (time_t)options.longest / 1000,
                             .tv_usec = (long)options.longest % 1000 * 1000 };

    sigaction(SIGPROF, &look, NULL);
    setitimer(ITIMER_PROF, &(struct itimerval){ often, often }, NULL);
}

static bool execute(const struct weave_test *test, enum way way, uint64_t seed)
{
    under_way.name = test->name;
    under_way.way = way;
    under_way.seed = seed;
    under_way.number++;
    choice_begin(way, seed, test->interruptions, test->stale);
    memory_begin();
    race_begin();
    heap_begin();
    kernel_begin();
    sync_begin();
    system_begin();
    statics_begin();
    trace_begin();
    bool good = thread_run(test);
    statics_restore();
    return good;
}

static void report(const struct weave_test *test, enum way way, uint64_t seed)
{
    char why[300];

    snprintf(why, sizeof why, "%s", thread_failure());
    trace_on = true;
    execute(test, way, seed);
    trace_on = false;
    trace_print(stdout);
    printf("%s: %s\n  again: %s --seed %llu --trace '%s'\n", test->name, why,
           ways[way], (unsigned long long)seed, test->name);
}

static bool explore(const struct weave_test *test, enum way way,
                    unsigned long most, bool *all)
{
    uint64_t seed = options.seed;
    bool more = true;

    choice_begin_anew();
    for (unsigned long i = 0; i < most && more; i++, seed++) {
        trace_on = options.trace && i + 1 == most;
        options.total++;
        if (!execute(test, way, seed)) {
            report(test, way, seed);
            return false;
        }
        if (way == WAY_ALL)
            more = choice_next();
    }
    *all = !more;
    if (trace_on)
        trace_print(stdout);
    trace_on = false;
    return true;
}

static unsigned long least(unsigned long a, unsigned long b)
{
    return a < b ? a : b;
}

static bool try_all_ways(const struct weave_test *test)
{
    unsigned long before = options.total;
    bool all = false;
    bool good = explore(test, WAY_ALL, least(options.all, test->most), &all) &&
                explore(test, WAY_RANDOM, options.random, &(bool){ false }) &&
                explore(test, WAY_PCT, options.pct, &(bool){ false });

    printf("%s: %s, %lu executions%s\n", test->name, good ? "ok" : "FAILED",
           options.total - before,
           all ? ", among them all within its bounds" : "");
    fflush(stdout); /* the next one may end without */
    return good;
}

int weave_main(const struct weave_test *tests, int argc, char **argv)
{
    struct argp argp = { .options = descriptions,
                         .parser = parse,
                         .args_doc = "[TEST...]",
                         .doc = "weave: explores the interleavings of tests" };
    unsigned failed = 0;

    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    watch();
    for (; tests->name && !(options.first && failed); tests++)
        if (is_wanted(tests->name))
            failed += !try_all_ways(tests);
    printf("%lu executions, %u tests failed\n", options.total, failed);
    return failed ? 1 : 0;
}

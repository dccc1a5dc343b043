/* args.c: the command line, taken apart by glibc's argp.
 *
 * An option that changes the spec becomes a setting, so that it is checked with
 * the spec and a mistake in it is shown with the others. */
#include "cli/args.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/arena.h"

enum {
    KEY_SET = 0x100,
    KEY_INPUT,
    KEY_OUTPUT,
    KEY_WORKERS,
    KEY_JSON,
    KEY_QUIET,
    KEY_KEEP_GOING,
    KEY_FAIL_FAST,
    KEY_DRY_RUN,
    KEY_RESUME,
    KEY_RETRY_FAILED,
    KEY_SEED,
    KEY_SANDBOX,
    KEY_QUICK,
    KEY_SVG,
};

struct spec_options {
    struct arena *memory;
    struct spec_args args; /* room for a setting in every argument */
};

static struct spec_options spec_options(int argc)
{
    struct spec_options o = { .memory = arena_create() };
    o.args.settings =
        arena_alloc(o.memory, (size_t)argc * sizeof(*o.args.settings));
    return o;
}

static void add(struct spec_options *o, const char *origin, const char *key,
                const char *value, bool literal)
{
    o->args.settings[o->args.setting_count++] =
        (struct setting){ origin, key, value, literal };
}

static void add_set(struct spec_options *o, const char *arg,
                    struct argp_state *state)
{
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg) {
        argp_error(state,
                   "--set %s: write it as KEY=VALUE, such as "
                   "stages.read.inflight=128",
                   arg);
        return;
    }
    add(o, arena_format(o->memory, "--set %s", arg),
        arena_copy(o->memory, arg, (size_t)(equals - arg)), equals + 1, false);
}

static error_t parse_spec(int key, char *arg, struct argp_state *state)
{
    struct spec_options *o = state->input;

    switch (key) {
    case KEY_SET:
        add_set(o, arg, state);
        return 0;
    case KEY_INPUT:
        add(o, arena_format(o->memory, "--input %s", arg), "source.with.path",
            arg, true);
        return 0;
    case KEY_OUTPUT:
        o->args.output = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (o->args.path)
            argp_error(state, "one spec at a time: %s or %s?", o->args.path,
                       arg);
        o->args.path = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->args.path)
            argp_error(state, "which spec? Give the path of a YAML file");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option spec_option_list[] = {
    { "set", KEY_SET, "KEY=VALUE", 0,
      "Change the spec, such as stages.read.inflight=128 or "
      "stages.encode.with.quality=80; may be given again",
      1 },
    { "input", KEY_INPUT, "DIR", 0, "Read from DIR: the source's path", 1 },
    { "output", KEY_OUTPUT, "DIR", 0,
      "Write to DIR: the folder of the pattern of every sink", 1 },
    { 0 },
};

static const struct argp spec_parser = { .options = spec_option_list,
                                         .parser = parse_spec };
static const struct argp_child spec_child[] = { { &spec_parser, 0, NULL, 0 },
                                                { 0 } };

/* argp ends the process for --help and for mistakes; what it returns is an
 * error of the environment. */
static bool parsed(const struct argp *parser, int argc, char **argv,
                   void *options)
{
    int error = argp_parse(parser, argc, argv, 0, NULL, options);
    if (error)
        fprintf(stderr, "%s: cannot read the arguments: %s\n", argv[0],
                strerror(error));
    return error == 0;
}

struct run_options {
    struct spec_options spec;
    bool json, quiet, dry_run, sandbox;
    enum resume_mode mode;
    uint64_t seed;
};

static uint64_t seed_of(const char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(arg, &end, 10);
    if (errno || *end || *arg < '0' || *arg > '9' || n < 1)
        argp_error(state, "--seed %s: a number from 1 to %" PRIu64, arg,
                   UINT64_MAX);
    return n;
}

static error_t parse_run(int key, char *arg, struct argp_state *state)
{
    struct run_options *o = state->input;
    struct spec_options *spec = &o->spec;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = spec;
        return 0;
    case KEY_WORKERS:
        add(spec, arena_format(spec->memory, "--workers %s", arg), "workers",
            arg, false);
        return 0;
    case KEY_KEEP_GOING:
        add(spec, "--keep-going", "on_error", "skip", false);
        return 0;
    case KEY_FAIL_FAST:
        add(spec, "--fail-fast", "on_error", "stop", false);
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    case KEY_QUIET:
        o->quiet = true;
        return 0;
    case KEY_DRY_RUN:
        o->dry_run = true;
        return 0;
    case KEY_RESUME:
        if (o->mode == RESUME_NOT)
            o->mode = RESUME;
        return 0;
    case KEY_RETRY_FAILED:
        o->mode = RESUME_FAILED;
        return 0;
    case KEY_SEED:
        o->seed = seed_of(arg, state);
        return 0;
    case KEY_SANDBOX:
        o->sandbox = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int args_run(int argc, char **argv)
{
    static const struct argp_option list[] = {
        { "workers", KEY_WORKERS, "N", 0,
          "Worker threads; default: one per core that this process may use",
          2 },
        { "keep-going", KEY_KEEP_GOING, NULL, 0,
          "Report failed items and go on", 2 },
        { "fail-fast", KEY_FAIL_FAST, NULL, 0, "Stop at the first failed item",
          2 },
        { "dry-run", KEY_DRY_RUN, NULL, 0,
          "Show the plan and the number of items; write nothing", 2 },
        { "resume", KEY_RESUME, NULL, 0,
          "Go on with a run that was cut off: what is out stays, what failed "
          "stays left out",
          2 },
        { "retry-failed", KEY_RETRY_FAILED, NULL, 0,
          "The same, and do what failed again", 2 },
        { "seed", KEY_SEED, "N", 0,
          "Do all in an order that N decides, one thing at a time, the same "
          "each time, but for what commands of exec stages do; default: 4 "
          "workers",
          2 },
        { "sandbox", KEY_SANDBOX, NULL, 0,
          "Commands of exec stages can write, make and remove files below the "
          "output folder and TMPDIR only; not guarded are modes, owners and "
          "times of files, and the network; it takes Linux 6.2",
          2 },
        { "json", KEY_JSON, NULL, 0, "Print the report as JSON", 3 },
        { "quiet", KEY_QUIET, NULL, 0, "Print failures only", 3 },
        { 0 },
    };
    static const struct argp parser = {
        .options = list,
        .parser = parse_run,
        .args_doc = "SPEC",
        .doc =
            "Runs the pipeline that SPEC describes.\v"
            "Exit codes: 0 ok, 1 some items failed, 2 the command line or "
            "the spec is wrong, 3 the environment (disk full, no "
            "permission), 4 stopped by on_error, 75 stopped by a signal "
            "with work left, 130 or 143 aborted.\n\n"
            "Signals: the first SIGINT (^C), SIGTERM or SIGHUP finishes "
            "what is in flight and closes the files. A second SIGINT "
            "aborts; more of the others mean nothing more. The code of an "
            "abort tells which came first: 130 SIGINT, 143 SIGTERM or "
            "SIGHUP.\n\n"
            "What is out is noted in a hidden journal beside the outputs, "
            "which goes when all is out. After ^C, a crash or a power cut "
            "run the same command with --resume; without it a run that was not "
            "finished is left as it is, and one of which only failed items "
            "are not out is done anew.",
        .children = spec_child,
    };
    struct run_options o = { .spec = spec_options(argc) };
    int code = EXIT_ENVIRONMENT;

    if (parsed(&parser, argc, argv, &o))
        code = cmd_run(&(struct run_args){ .spec = o.spec.args,
                                           .json = o.json,
                                           .quiet = o.quiet,
                                           .dry_run = o.dry_run,
                                           .mode = o.mode,
                                           .seed = o.seed,
                                           .sandbox = o.sandbox });
    arena_destroy(o.spec.memory);
    return code;
}

static error_t parse_check(int key, char *arg, struct argp_state *state)
{
    if (key != ARGP_KEY_INIT)
        return ARGP_ERR_UNKNOWN;
    state->child_inputs[0] = state->input;
    return 0;
}

int args_check(int argc, char **argv)
{
    static const struct argp parser = {
        .parser = parse_check,
        .args_doc = "SPEC",
        .doc = "Checks SPEC and shows all mistakes at once.\v"
               "Exit codes: 0 ok, 2 the spec is wrong.",
        .children = spec_child,
    };
    struct spec_options o = spec_options(argc);
    int code = EXIT_ENVIRONMENT;

    if (parsed(&parser, argc, argv, &o))
        code = cmd_check(&o.args);
    arena_destroy(o.memory);
    return code;
}

static error_t parse_stages(int key, char *arg, struct argp_state *state)
{
    const char **name = state->input;

    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (*name)
        argp_error(state, "one operator at a time: %s or %s?", *name, arg);
    *name = arg;
    return 0;
}

int args_stages(int argc, char **argv)
{
    static const struct argp parser = {
        .parser = parse_stages,
        .args_doc = "[OPERATOR]",
        .doc = "Shows what a spec can use: the operators with their parameters "
               "and defaults, or one of them in full.",
    };
    const char *name = NULL;
    return parsed(&parser, argc, argv, &name) ? cmd_stages(name)
                                              : EXIT_ENVIRONMENT;
}

struct topo_options {
    unsigned workers;
    bool json;
};

static unsigned worker_count(const char *arg, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(arg, &end, 10);
    if (errno || *end || *arg < '0' || *arg > '9' || n < 1 || n > MAX_WORKERS)
        argp_error(state, "--workers %s: a number from 1 to %d", arg,
                   MAX_WORKERS);
    return (unsigned)n;
}

static error_t parse_topo(int key, char *arg, struct argp_state *state)
{
    struct topo_options *o = state->input;

    switch (key) {
    case KEY_WORKERS:
        o->workers = worker_count(arg, state);
        return 0;
    case KEY_JSON:
        o->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int args_topo(int argc, char **argv)
{
    static const struct argp_option list[] = {
        { "workers", KEY_WORKERS, "N", 0, "Show it for N workers", 0 },
        { "json", KEY_JSON, NULL, 0, "Print it as JSON", 0 },
        { 0 },
    };
    static const struct argp parser = {
        .options = list,
        .parser = parse_topo,
        .doc = "Shows how many workers there will be, where each is pinned, "
               "how reads and writes are done, and why.",
    };
    struct topo_options o = { 0 };
    return parsed(&parser, argc, argv, &o) ? cmd_topo(o.workers, o.json)
                                           : EXIT_ENVIRONMENT;
}

static error_t parse_bench(int key, char *arg, struct argp_state *state)
{
    struct bench_args *args = state->input;

    switch (key) {
    case KEY_WORKERS:
        args->workers = worker_count(arg, state);
        return 0;
    case KEY_QUICK:
        args->quick = true;
        return 0;
    case KEY_JSON:
        args->json = true;
        return 0;
    case KEY_SVG:
        if (!*arg)
            argp_error(state, "--svg: the name of a file is empty");
        args->svg = arg;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int args_bench(int argc, char **argv)
{
    static const struct argp_option list[] = {
        { "workers", KEY_WORKERS, "N", 0,
          "Measure with N workers; default: one per core that this process may "
          "use",
          1 },
        { "quick", KEY_QUICK, NULL, 0,
          "A few seconds instead of half a minute: figures are less certain",
          1 },
        { "json", KEY_JSON, NULL, 0, "Print the figures as JSON", 2 },
        { "svg", KEY_SVG, "FILE", 0,
          "Write a chart of the scaling curve to FILE", 2 },
        { 0 },
    };
    static const struct argp parser = {
        .options = list,
        .parser = parse_bench,
        .doc =
            "Measures what weft costs on this machine, its memory, and how "
            "far more workers help; and says what looks wrong.\v"
            "The machine should be doing nothing else meanwhile. Exit codes: "
            "0 ok, 2 the command line is wrong, 3 the environment (no "
            "memory, the chart cannot be written), 130 or 143 stopped by a "
            "signal.",
    };
    struct bench_args args = { 0 };
    return parsed(&parser, argc, argv, &args) ? cmd_bench(&args)
                                              : EXIT_ENVIRONMENT;
}

/* args.h: the command line, taken apart. */
#ifndef WEFT_CLI_ARGS_H
#define WEFT_CLI_ARGS_H
#include "cli/resume.h"

/* What the command returns. */
enum {
    EXIT_OK = 0,
    EXIT_FAILED_ITEMS = 1, /* some items failed, the others are delivered */
    EXIT_USAGE = 2,        /* the command line or the spec is wrong */
    EXIT_ENVIRONMENT = 3,  /* disk full, no memory, no permission */
    EXIT_POLICY = 4,       /* stopped by the failure policy */
    EXIT_WORK_LEFT = 75,   /* drained on a signal; EX_TEMPFAIL */
    EXIT_SIGNAL = 128,     /* aborted: plus the signal's number */
};

/* --workers, --set, --input, --keep-going and --fail-fast are settings: after
 * spec_load they are in the spec. */
struct run_args {
    struct spec_args spec;
    enum resume_mode mode;
    bool json;     /* the report as JSON on stdout */
    bool quiet;    /* nothing but failures on stderr, and no summary */
    bool dry_run;  /* the plan and the number of items; nothing is written */
    uint64_t seed; /* 0: none */
    bool sandbox;  /* what exec starts writes below the output folder only */
};

struct bench_args {
    unsigned workers; /* 0: one per core */
    bool quick, json;
    const char *svg; /* the file of the chart, or NULL */
};

/* Each gets its own name as argv[0] ("weft run") and returns the exit code. */
int cmd_run(const struct run_args *args);
int cmd_check(const struct spec_args *args);
int cmd_stages(const char *name); /* NULL: all of them */
int cmd_topo(unsigned workers, bool json);
int cmd_bench(const struct bench_args *args);

/* Parses the arguments of a command, argv[0] being "weft run", and calls it. On
 * --help prints and exits; on a mistake says so and exits with EXIT_USAGE. */
int args_run(int argc, char **argv);
int args_check(int argc, char **argv);
int args_stages(int argc, char **argv);
int args_topo(int argc, char **argv);
int args_bench(int argc, char **argv);
#endif

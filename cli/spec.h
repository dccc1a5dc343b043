/* spec.h: a pipeline as the user wrote it, read and checked.
 *
 * Everything in a loaded spec is right: the operators exist, their parameters
 * are within their limits, and every stage takes what the one before gives. */
#ifndef WEFT_CLI_SPEC_H
#define WEFT_CLI_SPEC_H
#include "cli/op.h"

enum { MAX_WORKERS = 1024 };

/* A value from the command line that replaces one of the spec's. The strings
 * are borrowed. */
struct setting {
    const char *origin; /* as written: "--set stages.read.inflight=128" */
    const char *key;    /* "stages.read.inflight" */
    const char *value;
    bool literal; /* a plain string, whatever it looks like */
};

/* Which spec, and what the command line changes in it. */
struct spec_args {
    const char *path;
    struct setting *settings; /* in the order of the command line */
    size_t setting_count;
    const char *output; /* instead of the folder of every pattern, or NULL */
};

struct stage_spec {
    const char *name;
    const struct op *op;
    void *params;    /* op->param_bytes, filled from op->params */
    unsigned tokens; /* 0: auto, one per worker */
    bool ordered;    /* order: input */
};

struct spec {
    const char *path;
    struct stage_spec source;
    struct stage_spec *stages; /* at least one, the last is a sink */
    size_t stage_count;
    enum weft_policy policy;
    unsigned max_failures; /* WEFT_AT_MOST */
    unsigned slots;        /* 0: see spec_slots */
    unsigned workers;      /* 0: one per core */
    struct arena *memory;  /* holds all of the above */
};

/* Prints every mistake to stderr, each with its line: 0, or the exit code 2 and
 * *out untouched. */
int spec_load(struct spec *out, const struct spec_args *args);
void spec_free(struct spec *spec);

/* How many items may be in flight in a segment (0: from the source to the first
 * gather): what the spec says, else enough for every token of the segment. */
unsigned spec_slots(const struct spec *spec, unsigned segment,
                    unsigned workers);
#endif

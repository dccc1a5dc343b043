/* op.h: what an operator is: the table from which check, stages and help come.
 *
 * One operator is one file in cli/ops/ with one `const struct op` in it, listed
 * in cli/ops/ops.c. Its parameters are a struct of its own; the table says
 * which key fills which member. Everything else follows from the table. */
#ifndef WEFT_CLI_OP_H
#define WEFT_CLI_OP_H
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/weft.h"

struct item;
struct journal;
struct resume;

struct strings {
    char **at;
    size_t count;
};

enum param_type {
    PARAM_STRING,  /* char * */
    PARAM_STRINGS, /* struct strings: a string or a list of strings */
    PARAM_COUNT,   /* uint64_t */
    PARAM_SIZE,    /* uint64_t: bytes, also written 64KiB, 10MB, 2GiB */
    PARAM_CHOICE,  /* unsigned: index into `choices` */
    PARAM_BOOL,    /* bool */
};

struct param {
    const char *name;
    enum param_type type;
    size_t offset; /* of the member in the operator's parameters */
    const char
        *fallback;     /* the default, as one would write it; NULL: required */
    const char *unit;  /* "pixels", "percent"; NULL: none */
    const char *help;  /* one line, no full stop */
    uint64_t min, max; /* COUNT and SIZE; max 0: no limit */
    const char *const *choices; /* CHOICE: ends with NULL */
};

/* What an item holds when it enters or leaves an operator. An item with bytes
 * or an image still has its path: it may go where a file is taken. */
enum carries {
    CARRIES_NOTHING,
    CARRIES_FILE,
    CARRIES_BYTES,
    CARRIES_IMAGE,
    CARRIES_BATCH
};

enum op_kind { OP_SOURCE, OP_STAGE, OP_GATHER };

/* What a running pipeline shares with its operators. */
struct job {
    weft_sched *sched;
    unsigned workers;
    bool dry;      /* nothing is written */
    uint64_t made; /* folders, from the outputs' up, that do not last yet */
    struct journal *journal; /* of what is published; NULL: dry */
    struct resume *resume;   /* gives the files their numbers */
    atomic_bool all_given;   /* the source has no more items */
    bool complete;           /* after the run: no item is left undone */
    bool in_order;           /* who puts items together: in the source's */
    int sandbox; /* of the commands that are started, or -1; who writes into a
                    folder allows it there */
    _Atomic uint64_t bytes_read, bytes_written;
    struct weft_run *_Atomic run; /* NULL until it has started */
    _Atomic int fatal;            /* the first error of the environment */
    char fatal_text[512];
};

/* [any] The environment failed (disk full, folder gone): the run is cancelled,
 * exit code 3. The first call's sentence is kept. Returns `error`. */
int job_fatal(struct job *job, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the sentence and returns `error`. */
int op_error(weft_error *why, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

struct op {
    const char *name; /* "image.jpeg" */
    const char *help; /* one line */
    enum op_kind kind;
    enum carries takes, gives;
    bool or_bytes; /* takes CARRIES_FILE, and an item with bytes as well */
    size_t param_bytes;
    const struct param *params; /* ends with a nameless one */

    /* The stage's own defaults. */
    const char *tokens_key; /* "workers", "inflight": what else `tokens` is
                               called here; NULL: only tokens */
    unsigned tokens;        /* 0: auto, one per worker */
    bool ordered;           /* order: input unless the spec says any */
    bool serial;            /* more than one token is a mistake */
    bool numbered;          /* Sinks: their `pattern` is (ops/pattern.h) */

    /* Says what is wrong with parameters that are right one by one: calls `bad`
     * with the parameter's name and what is said after it ("'path': is empty")
     * for each. May be NULL. */
    void (*check)(const void *params,
                  void (*bad)(void *ctx, const char *param, const char *text),
                  void *ctx);

    /* [main thread] Before the run: makes the state, which `fn` gets as ctx. A
     * negative errno and a sentence end with exit code 3. With job->dry nothing
     * may be created on disk. */
    int (*open)(void **state, struct job *job, const void *params,
                weft_error *why);
    weft_stage_fn *fn;                         /* OP_STAGE */
    weft_gather_fn *gather;                    /* OP_GATHER: (batch, item) */
    size_t (*batch_count)(const void *params); /* OP_GATHER: items per batch */
    bool (*drops_rest)(const void *params); /* OP_GATHER: a short last batch */

    /* OP_SOURCE: how many items there are, and each of them: sets its path and
     * key, the same ones whenever it is asked. */
    uint64_t (*total)(const void *state);
    void (*at)(const void *state, uint64_t number, struct item *item);

    /* Sinks, [main thread], after `open`: an earlier run has published this
     * item in a file of this name below the pattern's folder. 0 or a negative
     * errno. May be NULL. */
    int (*restore)(void *state, const struct item *item, const char *name);

    /* Sinks, [main thread], after `open`: how many numbers, from 0 on, are
     * taken by files that are there. NULL: it does not matter. */
    uint64_t (*older)(const void *state);

    /* Sinks, [main thread], after that: a negative errno and a sentence where
     * this run cannot go on with the earlier one. May be NULL. */
    int (*resume)(void *state, weft_error *why);

    /* [main thread] After the run: `commit` publishes what is unfinished, else
     * it is discarded. A negative errno and a sentence: exit code 3. With 0, a
     * sentence in `why` is a note for the summary. */
    int (*close)(void *state, bool commit, weft_error *why);

    /* [main thread] Some ten times a second during the run. May be NULL. */
    void (*watch)(void *state);

    /* [any] The user aborts: end what would take long. May be NULL. */
    void (*abort)(void *state);

    /* Sinks: how many items are safe on disk, and into how many files. */
    void (*published)(const void *state, uint64_t *items, uint64_t *files);

    void (*destroy)(void *state); /* [main thread] */
};

extern const struct op *const all_ops[]; /* ends with NULL */
const struct op *op_find(const char *name);
#endif

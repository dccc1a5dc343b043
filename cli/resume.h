/* resume.h: which items an earlier run of the job has done.
 *
 * An item is to be done, out, or failed. What was out or failed is not given
 * again; with RESUME_FAILED what failed is. */
#ifndef WEFT_CLI_RESUME_H
#define WEFT_CLI_RESUME_H
#include "cli/failures.h"
#include "cli/journal.h"
#include "cli/spec.h"

enum resume_mode {
    RESUME_NOT,    /* a new run */
    RESUME,        /* what is neither out nor has failed */
    RESUME_FAILED, /* what is not out */
};

struct resume {
    struct journal journal;
    bool found;     /* there was a journal, and it is this job's */
    bool whole;     /* every item is out or has failed, and it says so */
    uint64_t older; /* so many numbers, from 0 on, were taken before */
    uint64_t count, out, failed; /* of the source's items, before this run */
    bool failed_too;             /* what has failed is given again */
    unsigned char *states;       /* of each item */
    size_t *lines;               /* where in the journal that is said */
    uint64_t next;               /* that may have to be given */

    struct buffer numbers; /* of files that are out */
    uint64_t *units;       /* the same, ascending, each once */
    size_t unit_count;

    char note[PATH_MAX + 200]; /* for the user, or "" */
};

/* What a journal says of an item that is out: its name is taken. 0 or a
 * negative errno. */
typedef int resume_out_fn(void *ctx, uint64_t item, const char *name);

struct resume_config {
    const struct spec *spec;
    const void *source; /* its state */
    enum resume_mode mode;
    bool dry;      /* nothing is written */
    uint64_t made; /* so many folders, from the outputs' up, were not there */
    struct failures *failures;
    resume_out_fn *out;
    uint64_t (*older)(void *ctx); /* how many numbers, from 0 on, are taken */
    void *ctx;
};

/* Reads the journal, if there is one, and makes one, if there is none. A
 * negative errno and a sentence: the journal is of another job, another run is
 * at it, or this run would do again what is out. resume_finish is due all the
 * same. */
int resume_open(struct resume *r, const struct resume_config *config,
                weft_error *why);
void resume_finish(struct resume *r);

/* The next item to be given; r->count: there is none. One call at a time. */
uint64_t resume_next(struct resume *r);

/* Whether the item given last was the last. */
bool resume_is_last(struct resume *r);

/* [any] The number of the nth file, or batch, of this run: those that are out
 * keep theirs. */
uint64_t resume_unit(const struct resume *r, uint64_t nth);

/* Every item is out or has failed. 0 or a negative errno. */
int resume_end(struct resume *r);
#endif

/* job.h: a loaded spec at work: scheduler, operators, pipeline, run.
 *
 * job_open, job_start, job_wait ..., job_close, job_destroy: one thread, in
 * this order. job_drain and job_abort may come from any thread at any time
 * between job_init and job_destroy, as often as you like. */
#ifndef WEFT_CLI_JOB_H
#define WEFT_CLI_JOB_H
#include "cli/failures.h"
#include "cli/progress.h"
#include "cli/resume.h"
#include "cli/spec.h"

struct work {
    struct job job; /* what the operators see */
    const struct spec *spec;
    enum resume_mode mode;
    struct resume resume;
    uint64_t seed;
    bool sandboxed; /* set it before job_open */
    void **states;  /* of the operators, the source first */
    size_t opened;  /* so many of them are */
    weft_plan *plan;
    struct failures failures;
    _Atomic uint64_t cut_off; /* items that an abort made fail */
    weft_error note;          /* what an operator adds to the summary, or "" */
    struct progress progress;
    double started, next_sync; /* of the journal, in seconds of the run */

    pthread_mutex_t lock;           /* of the three below */
    atomic_bool draining, aborting; /* read without it */
    bool abortable;                 /* operators and run are there */
};

/* A seed that is not 0 decides in which order all is done. */
void job_init(struct work *w, const struct spec *spec, bool dry,
              enum resume_mode mode, uint64_t seed);

/* Makes the scheduler, opens the operators, reads the journal, compiles the
 * pipeline. A negative errno and a sentence. */
int job_open(struct work *w, weft_error *why);

/* How many items the source has, known before the run. */
uint64_t job_total(const struct work *w);

/* How many of them this run has to do. */
uint64_t job_left(const struct work *w);

/* A negative errno and a sentence; what was drained or aborted before does not
 * start, and that is no error. */
int job_start(struct work *w, weft_error *why);

/* Waits for the end of the run, at most so long: false if it goes on. Then *rc
 * is its result. Brings w->progress up to date. */
bool job_wait(struct work *w, int timeout_ms, int *rc, weft_error *why);

void job_drain(struct work *w); /* [any] */
void job_abort(struct work *w); /* [any] */

/* Lets every operator publish what is unfinished, or discard it: 0, or the
 * first error and its sentence. `complete`: no item is left undone. */
int job_close(struct work *w, bool commit, bool complete, weft_error *why);

/* After that: the journal says that no item is left undone. A negative errno is
 * fatal. */
int job_note_end(struct work *w);

/* What the last stage has on disk. False: it counts nothing. */
bool job_published(const struct work *w, uint64_t *items, uint64_t *files);

void job_destroy(struct work *w);

/* The stage of this number, 0 being the source. */
const struct stage_spec *job_stage(const struct spec *spec, size_t stage);

/* Seconds of the monotonic clock. */
double job_now(void);
#endif

/* account.h: what a run has used up to a moment, of everything it needs. */
#ifndef WEFT_GRAPH_ACCOUNT_H
#define WEFT_GRAPH_ACCOUNT_H
#include <stdint.h>

#include "weft/insight.h"

struct pipeline_run;

/* A limit that stages of a run take of, and how many token-nanoseconds all had
 * used when the run began and ended. */
struct limit_mark {
    weft_limit *limit;
    uint64_t began, ended;
};

/* Of one stage; nanoseconds, of all its items together. */
struct stage_account {
    double run, pending, ready, retry;
    double open;    /* who feeds: neither ended nor without a slot */
    double holding; /* had the tokens of its limits */
    double bytes, in, done;
};

struct account {
    double ns; /* since the start of the run, until its end */
    double delivered, starved, borrowed;
    struct stage_account *stages; /* one for each of the plan */
    double *blocked; /* its feeder had no slot; one for each segment */
    double *limits;  /* token-nanoseconds, of all who use them; one for each of
                        the run */
};

/* 0 or -ENOMEM. The run is about to start. */
int wf_account_begin(struct pipeline_run *run);

/* It has ended. */
void wf_account_end(struct pipeline_run *run);

/* [any] 0 or -ENOMEM; then it is to be finished. */
int wf_account_take(struct account *a, struct pipeline_run *run);
void wf_account_finish(struct account *a);

/* The account of the moment. */
const struct account *wf_account_of(const weft_moment *moment);

/* Less what was used up to then. */
void wf_account_subtract(struct account *a, const struct account *then,
                         const struct pipeline_run *run);
#endif

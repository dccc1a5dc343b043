/* report.h: what a run has done, for people and for programs. */
#ifndef WEFT_CLI_REPORT_H
#define WEFT_CLI_REPORT_H
#include <stdio.h>
#include <sys/resource.h>

#include "cli/job.h"

enum { FAILURES_SHOWN = 5 };

struct report {
    const struct work *work;
    int code;           /* the exit code */
    const char *status; /* it as a word: "complete", "drained" */
    char text[640];     /* why it ended early; empty if it did not */
    weft_error ring;    /* what became of io_uring, if it was given up; or "" */

    uint64_t total, in, out, filtered, failed, cancelled;
    uint64_t earlier;        /* out before this run */
    uint64_t earlier_failed; /* failed before, and left out */
    uint64_t left;           /* not taken from the source */
    uint64_t unfinished; /* went in, and neither came out nor is counted above:
                            in a shard or batch that was not finished */
    uint64_t files;
    double seconds, cpu_seconds;
    uint64_t peak_bytes;
    struct weft_advice advice; /* why it was not faster */
    bool advised;              /* there was a run */
};

/* Fills in the figures; `seconds` is the time from start to end. */
int report_init(struct report *r, const struct work *work, double seconds);

/* The first failures, and why the run ended early. */
void report_errors(const struct report *r, FILE *err);

void report_summary(const struct report *r, FILE *out);
void report_json(const struct report *r, FILE *out);

/* What would run. */
void report_plan(const struct work *w, FILE *out);
void report_plan_json(const struct work *w, FILE *out);
#endif

/* limit.h: tokens with a name, shared by whatever needs what they stand for:
 * stages, nodes, graphs, pipelines and runs.
 *
 *     weft_limit *gpu;
 *     weft_limit_create(&gpu, weft_config(limit, .name = "gpu", .tokens = 2),
 *                       &why);
 *
 * Whoever needs tokens of several limits gets all of them or none, and holds
 * none while it waits; so no two of them can wait for each other. A limit
 * serves who came first: a request for many tokens is not overtaken by small
 * ones. It keeps its place in the queues of all its limits meanwhile, so what
 * comes behind it in one of them waits for it, also where tokens are free. An
 * item stands in these queues once it has a token of its stage. */
#ifndef WEFT_LIMIT_H
#define WEFT_LIMIT_H
#include "weft/base.h"

typedef struct weft_limit weft_limit;

struct weft_limit_config {
    size_t size; /* set by weft_config(limit, ...) */
    const char *name;
    unsigned tokens;
};

/* [any] -EINVAL: no name, or no tokens. -ENOMEM. */
int weft_limit_create(weft_limit **out, const struct weft_limit_config *config,
                      weft_error *why);

/* [one] Once no plan that uses it has a run. */
void weft_limit_destroy(weft_limit *limit);

/* [any] Also while it is in use. From now on there are so many tokens, at least
 * 1 (0 is taken as 1). What has tokens goes on. A request for more than there
 * are now is served when nobody else has any: it runs alone. */
void weft_limit_set(weft_limit *limit, unsigned tokens);

/* [any] Exact at that instant. `in_use` is above `tokens` after these were
 * lowered, until enough are given back, and while a request runs alone. Where
 * requests come faster than one in 1.5 microseconds the times are those of one
 * in 32, and count for all; the numbers of requests are exact. */
struct weft_limit_stats {
    const char *name; /* lives as long as the limit */
    unsigned tokens;
    unsigned in_use;  /* tokens */
    unsigned waiting; /* requests */
    unsigned peak;    /* most tokens in use at one time */
    uint64_t granted; /* requests */
    uint64_t wait_ns; /* of all requests, added up; also of those that wait */
    uint64_t busy_ns; /* token-nanoseconds: in_use, added up over time */
    struct weft_latency wait_latency; /* of the requests that were granted: 0
                                         of one that did not have to wait */
    struct weft_latency hold_latency; /* of those that have given back */
};
void weft_limit_stats(weft_limit *limit, struct weft_limit_stats *out);

/* What a stage or a node needs in order to execute. */
struct weft_use {
    weft_limit *limit;
    unsigned tokens; /* default 1 */
};

enum { WEFT_MOST_USES = 4 }; /* of one stage or node */
#endif

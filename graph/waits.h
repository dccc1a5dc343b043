/* waits.h: what an item waits for, and who holds it, in words. */
#ifndef WEFT_GRAPH_WAITS_H
#define WEFT_GRAPH_WAITS_H
#include "graph/line.h"
#include "graph/look.h"

/* "item", "batch" or "piece"; or many of them: what a segment has. */
const char *wf_noun(const struct look *l, unsigned segment, bool many);

/* Adds "items 12, 15 and 3 more": those of a segment for which `holds` says so.
 * Returns how many there are. */
typedef bool wf_holds_fn(const struct look *l, const struct seen *s,
                         const void *what);
unsigned wf_put_holders(struct line *line, const struct look *l,
                        unsigned segment, wf_holds_fn *holds, const void *what);

/* Adds for how long it has been there, if that is known. */
void wf_put_time(struct line *line, const struct look *l, const struct seen *s);

/* Adds how many slots there are, of which none is free. */
void wf_put_full(struct line *line, const struct look *l, unsigned segment);

/* Adds the bytes that it wants, and who has most of the budget. */
void wf_put_budget(struct line *line, const struct look *l,
                   const struct seen *s);

/* The slot is its feeder's: it is to be filled, or that has begun. */
bool wf_is_filled(const struct look *l, const struct seen *s);

/* Adds what an item waits for, or what it does. Not for one that is to be
 * filled, or that the consumer has. */
void wf_put_wait(struct line *line, const struct look *l, const struct seen *s);
#endif

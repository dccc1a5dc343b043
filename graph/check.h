/* check.h: what is wrong with one element of a pipeline. */
#ifndef WEFT_GRAPH_CHECK_H
#define WEFT_GRAPH_CHECK_H
#include "graph/pdrawing.h"

/* The whole: 0, or -EINVAL and a sentence. */
int wf_check_config(const struct weft_pipeline_config *config, weft_error *why);

/* What was chosen for an element is among what there is. */
int wf_check_choice(const struct stage *drawn, weft_error *why);

/* One stage by itself, under its full name, in a segment of so many slots. */
int wf_check_stage(const struct stage *stage, unsigned slots, bool budgeted,
                   weft_error *why);

/* Items, of whom; -EINVAL and a sentence. */
int wf_check_items(const struct weft_items *items, const char *whose,
                   uint64_t budget, weft_error *why);

/* The budget is enough for an item of each segment at the same time. */
int wf_check_costs(const struct pipeline_plan *plan, weft_error *why);
#endif

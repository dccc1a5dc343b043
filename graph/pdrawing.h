/* pdrawing.h: a pipeline as it was drawn: its elements in the order of the
 * calls. Written by pipeline.c, read by layout.c. */
#ifndef WEFT_GRAPH_PDRAWING_H
#define WEFT_GRAPH_PDRAWING_H
#include "graph/pipeline.h"

/* A path of a router, an input of a merge, or an embedded part. */
struct drawn_part {
    char *name; /* or NULL: the names of its stages stay as they are */
    weft_pipeline *stages;
    bool itself; /* it would be a part of itself: `stages` is NULL */
    unsigned slots, weight;
};

struct element {
    struct stage stage;      /* what is known of it without the others */
    struct weft_items items; /* GATHER, SCATTER: what it makes */
    bool embeds;             /* it is nothing but its one part */
    bool joins_ordered;      /* ROUTER */
    struct drawn_part *parts;
    unsigned part_count;
};

struct weft_pipeline {
    unsigned users; /* whoever created it, and what it is a part of */
    struct weft_pipeline_config config;
    struct element *elements;
    unsigned count;
    bool no_memory; /* for something that was drawn */
};
#endif

/* map.h: a graph in the terms of picture.h. */
#ifndef WEFT_GRAPH_MAP_H
#define WEFT_GRAPH_MAP_H
#include "graph/picture.h"

/* As plan_kind wants it. */
int wf_graph_draw(const struct picture *picture, const weft_plan *plan,
                  struct weft_run *run);
#endif

/* picture.h: nodes, edges and groups of them, as text for programs that draw.
 *
 * It knows nothing of plans: a kind of plan says in these terms what it is. */
#ifndef WEFT_GRAPH_PICTURE_H
#define WEFT_GRAPH_PICTURE_H
#include <stdbool.h>
#include <stdio.h>

#include "weft/insight.h"

struct picture {
    FILE *to;
    enum weft_picture format;
};

enum node_shape { ENDS, DOES, JOINS_MANY, MAKES_MANY, CHOOSES, MEETS, MERGES };

/* `title` may be NULL. Groups do not nest; nodes come before the edges. */
void wf_picture_begin(const struct picture *p, const char *title);
void wf_picture_end(const struct picture *p);
void wf_picture_group(const struct picture *p, unsigned id, const char *label,
                      bool marked);
void wf_picture_group_end(const struct picture *p, unsigned id, bool marked);

/* `more` is a line below the name, or more of them; or "". */
void wf_picture_node(const struct picture *p, unsigned id,
                     enum node_shape shape, const char *name, const char *more,
                     bool marked);

/* `label` may be "". */
void wf_picture_edge(const struct picture *p, unsigned from, unsigned to,
                     const char *label);

enum edge_look { PLAIN, MARKED, MAY_BE };
void wf_picture_edge_as(const struct picture *p, unsigned from, unsigned to,
                        const char *label, enum edge_look look);
#endif

/* value.h: what a node of the spec says, as a C value.
 *
 * Each returns false, and leaves *out alone, after it has added a mistake. The
 * mistake names the node by its key. */
#ifndef WEFT_CLI_VALUE_H
#define WEFT_CLI_VALUE_H
#include <stdint.h>

#include "cli/node.h"
#include "cli/op.h"

struct limits {
    uint64_t min, max; /* max 0: none */
    const char *unit;  /* "pixels"; NULL: none */
    bool or_auto;      /* for the sentence: the caller has looked for it */
};

bool value_count(struct diag *diag, const struct node *node,
                 const struct limits *limits, uint64_t *out);
bool value_is_auto(const struct node *node);
bool value_size(struct diag *diag, const struct node *node,
                const struct limits *limits, uint64_t *out);
bool value_text(struct diag *diag, const struct node *node, char **out);
bool value_texts(struct diag *diag, const struct node *node,
                 struct strings *out);
bool value_choice(struct diag *diag, const struct node *node,
                  const char *const *choices, unsigned *out);
bool value_bool(struct diag *diag, const struct node *node, bool *out);
#endif

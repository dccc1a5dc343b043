/* spec_parts.h: the parts of spec_load, in the order in which they run.
 *
 * Mistakes go to the diag; only where nothing sensible can follow does a part
 * say so with false or NULL. */
#ifndef WEFT_CLI_SPEC_PARTS_H
#define WEFT_CLI_SPEC_PARTS_H
#include "cli/node.h"
#include "cli/spec.h"

/* Reads the file into diag->text: UTF-8, not too large. */
bool spec_text(struct diag *diag);

/* `exec: [...]` of a stage becomes `use: exec` and `with: { argv: [...] }`. */
void spec_expand(struct diag *diag, struct node *root);

/* Changes the tree as the command line asks. */
void spec_set(struct diag *diag, struct node *root,
              const struct spec_args *args);

/* From the tree to the structs. */
void spec_source(struct diag *diag, struct spec *spec, const struct node *node);
void spec_stages(struct diag *diag, struct spec *spec, const struct node *node);

/* Whether every stage takes what the one before gives. `at` are the places of
 * the stages; stages without an operator are mistakes already. */
void spec_flow(struct diag *diag, const struct spec *spec,
               const struct place *at);
#endif

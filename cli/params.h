/* params.h: an operator's parameters, from the mapping under `with`. */
#ifndef WEFT_CLI_PARAMS_H
#define WEFT_CLI_PARAMS_H
#include "cli/node.h"
#include "cli/op.h"

/* The filled struct, in diag->memory. What is missing takes its default; what
 * is missing and has none, unknown, of the wrong type or out of range, and what
 * op->check finds, are mistakes, at `place` where they have none of their own.
 * `with` may be NULL. */
void *params_fill(struct diag *diag, const struct op *op,
                  const struct node *with, struct place place);
#endif

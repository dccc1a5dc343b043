/* identity.h: whether two runs are of the same job. */
#ifndef WEFT_CLI_IDENTITY_H
#define WEFT_CLI_IDENTITY_H
#include "cli/record.h"
#include "cli/spec.h"

/* Hashes of all that decides what the outputs are and how they are called
 * below their folder: the stages with their parameters, and the keys that the
 * source gives. How fast it is done, where the inputs and outputs lie and what
 * becomes of failures is not in them. 0 or -ENOMEM. */
int identity_of(struct journal_head *out, const struct spec *spec,
                const void *source);

/* The pattern by which the last stage names its files. */
const char *identity_pattern(const struct spec *spec);
#endif

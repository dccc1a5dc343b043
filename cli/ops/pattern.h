/* pattern.h: numbered file names, such as out/train-%06d.tar. */
#ifndef WEFT_CLI_OPS_PATTERN_H
#define WEFT_CLI_OPS_PATTERN_H
#include <stddef.h>
#include <stdint.h>

/* NULL, or what is wrong with it. */
const char *pattern_problem(const char *pattern);

/* Writes the name of this number into `out`: -ENAMETOOLONG where it does not
 * fit. The pattern is a right one. */
int pattern_name(char *out, size_t size, const char *pattern, uint64_t number);
#endif

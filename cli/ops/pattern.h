/* pattern.h: the names of files, such as out/train-%06d.tar or out/{key}.jpg.
 *
 * One that is numbered has one %d, in the name and not in the folder, and %% is
 * a percent sign; in any other one that is a sign like others, and so are in a
 * numbered one the braces. */
#ifndef WEFT_CLI_OPS_PATTERN_H
#define WEFT_CLI_OPS_PATTERN_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How much of it is its folder, with the slash: what comes before the part that
 * has the first placeholder in it. */
size_t pattern_folder(const char *pattern, bool numbered);

/* Writes that folder's own name into `out`: -ENAMETOOLONG where it does not
 * fit. */
int pattern_folder_name(char *out, size_t size, const char *pattern,
                        bool numbered);

/* Numbered ones. */

/* NULL, or what is wrong with it. */
const char *pattern_problem(const char *pattern);

/* Writes the name of this number into `out`: -ENAMETOOLONG where it does not
 * fit. The pattern is a right one. */
int pattern_name(char *out, size_t size, const char *pattern, uint64_t number);
#endif

/* yaml.h: YAML, parsed into a tree. */
#ifndef WEFT_CLI_YAML_H
#define WEFT_CLI_YAML_H
#include "cli/node.h"

/* Parses one document. What is wrong goes to `diag`, at `origin` or, where that
 * is NULL, at its place in the text. NULL where nothing can be made of it. The
 * tree lives in diag->memory. */
struct node *yaml_parse(struct diag *diag, const char *text, size_t size,
                        const char *origin);
#endif

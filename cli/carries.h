/* carries.h: what an item holds, in words: "an image". */
#ifndef WEFT_CLI_CARRIES_H
#define WEFT_CLI_CARRIES_H
#include "cli/op.h"

const char *carries_name(enum carries what);
#endif

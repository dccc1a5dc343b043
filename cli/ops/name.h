/* name.h: from an input's path to names that any system can hold. */
#ifndef WEFT_CLI_OPS_NAME_H
#define WEFT_CLI_OPS_NAME_H
#include <stddef.h>

#include "cli/item.h"

enum {
    NAME_LONGEST = 240,    /* of a key's last part: leaves room for what is
                              put behind it */
    EXTENSION_LONGEST = 14 /* with its dot, that room */
};

/* Appends the key without its extension, one line of UTF-8 that leads nowhere
 * but down: control characters and what is not UTF-8 become %0A, the parts "."
 * and ".." become "_", a part that is too long is cut and ends in a checksum.
 * Dots in the last part become `dot`. 0 or -ENOMEM. */
int name_from_key(struct buffer *out, const char *key, char dot);

/* The extension if it is made of letters and digits and not too long, else
 * "bin". */
const char *name_extension(const char *extension);
#endif

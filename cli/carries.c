/* carries.c: what an item holds, in words. */
#include "cli/carries.h"

const char *carries_name(enum carries what)
{
    static const char *const names[] = {
        [CARRIES_NOTHING] = "nothing", [CARRIES_FILE] = "the path of a file",
        [CARRIES_BYTES] = "bytes",     [CARRIES_IMAGE] = "an image",
        [CARRIES_BATCH] = "a batch",
    };
    return names[what];
}

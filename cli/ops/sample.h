/* sample.h: what a WebDataset sample says about itself. */
#ifndef WEFT_CLI_OPS_SAMPLE_H
#define WEFT_CLI_OPS_SAMPLE_H
#include "cli/item.h"

/* Writes into `out`, in place of what it held:
 *
 *     {"source": "a/b.jpg", "width": 640, "height": 480, "bytes": 31337,
 *      "xxh3": "16 hex digits"}
 *
 * on one line. Width and height are of the photo as it is seen; what is not
 * known is left out. Where the path is not UTF-8, its other bytes are written
 * as %FF, and "source_base64" holds the path exactly. 0 or -ENOMEM. */
int sample_describe(struct buffer *out, const struct item *item);
#endif

/* item.h: what flows between the operators of the command.
 *
 * One struct for all, so that any operator can follow any other that gives what
 * it takes. Its buffers stay with the slot: in the steady state nothing is
 * allocated. */
#ifndef WEFT_CLI_ITEM_H
#define WEFT_CLI_ITEM_H
#include <stdbool.h>
#include <stdint.h>

#include "cli/buffer.h"
#include "weft/io.h"

/* Packed 8-bit RGB, rows without padding. */
struct image {
    struct buffer pixels;
    unsigned width, height;
};

struct item {
    uint64_t number;  /* of the source's items, in this run or a later one */
    const char *path; /* as opened; the source owns it until the run's end */
    const char *key;  /* the path below the source's folder, not escaped */

    struct buffer bytes; /* file contents, then whatever a stage made of them */
    const char *extension; /* what `bytes` are now: "jpg", "txt"; static */
    struct image image;

    uint64_t source_size, source_xxh3;    /* of the file as it was read */
    unsigned source_width, source_height; /* 0: not decoded */

    struct weft_io io; /* one operation at a time */
    void *op;          /* private to the stage that the item is in */
};

/* Several images of one size. */
struct batch {
    struct buffer pixels; /* count * height * width * 3 */
    unsigned count, width, height;
    bool full;             /* it was not ended by the end of the items */
    struct buffer numbers; /* of its items: uint64_t */
    struct buffer header;  /* for the operator that writes it */
    struct weft_io io;
    void *op;
};
#endif

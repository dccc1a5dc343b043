/* scaler.h: part of a photo becomes packed RGB of the wanted size. */
#ifndef WEFT_CLI_IMAGE_SCALER_H
#define WEFT_CLI_IMAGE_SCALER_H
#include <libavutil/pixfmt.h>
#include <stdint.h>

#include "cli/image/fit.h"

/* A decoded photo in the form that its decoder gives most cheaply. */
struct frame {
    enum AVPixelFormat format;
    struct size size;
    unsigned char *plane[3]; /* borrowed; readable for 64 bytes more */
    int stride[3];
};

enum { SCALER_KEPT = 16 };

/* Not shared between threads. Zero is a scaler. */
struct scaler {
    struct scaler_entry {
        struct SwsContext *context;
        enum AVPixelFormat format;
        struct size from, to;
        uint64_t used;
    } kept[SCALER_KEPT];
    uint64_t clock;
};

/* Fills `to` with to_size.width x to_size.height pixels; it has room for 64
 * bytes more. 0, -ENOMEM or -EINVAL. */
int scaler_run(struct scaler *scaler, const struct frame *from, enum fit fit,
               struct size to_size, unsigned char *to);
void scaler_finish(struct scaler *scaler);
#endif

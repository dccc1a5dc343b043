/* decode.h: what the decoders share: a request, and the memory to answer it. */
#ifndef WEFT_CLI_IMAGE_DECODE_H
#define WEFT_CLI_IMAGE_DECODE_H
#include <stdbool.h>
#include <turbojpeg.h>

#include "cli/image/codec.h"
#include "cli/image/scaler.h"

struct codec {
    tjhandle decoder; /* of one photo */
    tjhandle encoder; /* NULL: made when it is needed */
    struct scaler scaler;
    struct buffer pixels; /* of the decoded photo */
    struct buffer turned; /* the thumbnail before it is upright */
    char why[256];
};

/* A decoder says which way up the photo is, then decodes no more than
 * decode_box() needs. */
struct decoded {
    struct frame frame;
    struct size stored; /* before it is turned upright */
    unsigned orientation;
};

int jpeg_decode(struct codec *codec, const struct buffer *bytes,
                const struct thumbnail *want, struct decoded *out);
int png_decode(struct codec *codec, const struct buffer *bytes,
               const struct thumbnail *want, struct decoded *out);

/* Keeps the sentence and returns `error`. */
int decode_fail(struct codec *codec, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What libturbojpeg says where it finds no memory. */
bool decode_starved(const char *text);

/* -EFBIG with a sentence if the photo has more pixels than allowed. */
int decode_check(struct codec *codec, const struct thumbnail *want,
                 struct size size);

/* The size of the result before it is turned upright. */
struct size decode_result(const struct thumbnail *want, struct size stored,
                          unsigned orientation);

/* Room in codec->pixels, and what libswscale reads past it. */
int decode_reserve(struct codec *codec, size_t bytes);
#endif

/* codec.h: photos in, pixels out, and back.
 *
 * One codec for each worker: it keeps the encoder and the memory of a decoded
 * photo, so that neither is made again for each item. Nothing of a photo is
 * left for the next one. */
#ifndef WEFT_CLI_IMAGE_CODEC_H
#define WEFT_CLI_IMAGE_CODEC_H
#include "cli/image/fit.h"
#include "cli/item.h"

struct codec;

struct thumbnail {
    struct size box;
    enum fit fit;
    uint64_t max_pixels;
};

/* NULL: no memory. */
struct codec *codec_create(void);
void codec_destroy(struct codec *codec); /* NULL is fine */

/* Decodes a JPEG or PNG, upright, in the wanted size. `source` is the photo's
 * own size, upright. 0 or a negative errno; then codec_why says why. */
int codec_thumbnail(struct codec *codec, const struct buffer *bytes,
                    const struct thumbnail *want, struct image *out,
                    struct size *source);

/* `subsampling` is one of TJSAMP_444, TJSAMP_422, TJSAMP_420. */
int codec_jpeg(struct codec *codec, const struct image *image, int quality,
               int subsampling, struct buffer *out);

const char *codec_why(const struct codec *codec);
#endif

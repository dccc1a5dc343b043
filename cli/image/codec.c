/* codec.c: photos in, pixels out, and back.
 *
 * The decoder gives the photo as it is stored, reduced as far as is free; one
 * pass converts colour, crops and resizes; only the small result is turned
 * upright. So the wanted box is turned first where the photo lies on its side.
 */
#include "cli/image/codec.h"

#include <errno.h>
#include <libavutil/log.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/image/decode.h"
#include "cli/image/orient.h"

enum {
    LONGEST = INT_MAX / 4,   /* a row's bytes are an int to the libraries */
    SLACK = 64,              /* vector code reads and writes past the end */
    KEPT = 64 * 1024 * 1024, /* more than this is not kept for the next photo */
};

struct codec *codec_create(void)
{
    struct codec *codec = calloc(1, sizeof *codec);
    if (codec)
        av_log_set_level(AV_LOG_QUIET);
    return codec;
}

void codec_destroy(struct codec *codec)
{
    if (!codec)
        return;
    if (codec->encoder)
        tjDestroy(codec->encoder);
    scaler_finish(&codec->scaler);
    buffer_free(&codec->pixels);
    buffer_free(&codec->turned);
    free(codec);
}

const char *codec_why(const struct codec *codec) { return codec->why; }

int decode_fail(struct codec *codec, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(codec->why, sizeof codec->why, format, args);
    va_end(args);
    return error;
}

bool decode_starved(const char *text)
{
    return strstr(text, "nsufficient memory") ||
           strstr(text, "emory allocation failure");
}

int decode_check(struct codec *codec, const struct thumbnail *want,
                 struct size size)
{
    double pixels = (double)size.width * size.height;
    if (size.width > LONGEST || size.height > LONGEST)
        return decode_fail(codec, -EFBIG,
                           "%ux%u has a side over the limit of %d", size.width,
                           size.height, LONGEST);
    if (pixels <= (double)want->max_pixels)
        return 0;
    return decode_fail(codec, -EFBIG,
                       "%ux%u is %.4g megapixels, over the limit of %.4g "
                       "(max_pixels)",
                       size.width, size.height, pixels / 1e6,
                       (double)want->max_pixels / 1e6);
}

static struct size turned(struct size size, unsigned orientation)
{
    return orient_swaps(orientation) ? (struct size){ size.height, size.width }
                                     : size;
}

struct size decode_result(const struct thumbnail *want, struct size stored,
                          unsigned orientation)
{
    return fit_result(want->fit, stored, turned(want->box, orientation));
}

static int reserve(struct codec *codec, struct buffer *buffer, size_t bytes)
{
    if (!buffer_reserve(buffer, bytes + SLACK))
        return 0;
    return decode_fail(codec, -ENOMEM, "no memory for %zu bytes of pixels",
                       bytes);
}

int decode_reserve(struct codec *codec, size_t bytes)
{
    return reserve(codec, &codec->pixels, bytes);
}

static int decode(struct codec *codec, const struct buffer *bytes,
                  const struct thumbnail *want, struct decoded *out)
{
    static const unsigned char jpeg[] = { 0xff, 0xd8, 0xff };
    static const unsigned char png[] = "\x89PNG\r\n\x1a\n";
    if (!bytes->size)
        return decode_fail(codec, -EINVAL, "the file is empty");
    if (bytes->size >= sizeof jpeg && !memcmp(bytes->data, jpeg, sizeof jpeg))
        return jpeg_decode(codec, bytes, want, out);
    if (bytes->size >= sizeof png - 1 &&
        !memcmp(bytes->data, png, sizeof png - 1))
        return png_decode(codec, bytes, want, out);

    return decode_fail(
        codec, -EINVAL, "not a JPEG or PNG image: it starts with '%.*s'",
        bytes->size < 16 ? (int)bytes->size : 16, (const char *)bytes->data);
}

static int resize(struct codec *codec, const struct decoded *photo,
                  const struct thumbnail *want, struct image *out)
{
    struct size size = decode_result(want, photo->stored, photo->orientation);
    size_t bytes = (size_t)size.width * size.height * 3;
    int rc = reserve(codec, &out->pixels, bytes);
    if (rc)
        return rc;
    struct buffer *to = &out->pixels;
    if (photo->orientation != ORIENT_UPRIGHT) {
        to = &codec->turned;
        rc = reserve(codec, to, bytes);
        if (rc)
            return rc;
    }
    rc = scaler_run(&codec->scaler, &photo->frame, want->fit, size, to->data);
    if (rc)
        return decode_fail(codec, rc, "%s %ux%u to %ux%u",
                           rc == -ENOMEM ? "no memory to resize"
                                         : "cannot resize",
                           photo->frame.size.width, photo->frame.size.height,
                           size.width, size.height);
    if (photo->orientation != ORIENT_UPRIGHT)
        orient_apply(photo->orientation, out->pixels.data, to->data, size.width,
                     size.height);
    size = turned(size, photo->orientation);
    out->pixels.size = bytes;
    out->width = size.width;
    out->height = size.height;
    return 0;
}

int codec_thumbnail(struct codec *codec, const struct buffer *bytes,
                    const struct thumbnail *want, struct image *out,
                    struct size *source)
{
    struct decoded photo = { .orientation = ORIENT_UPRIGHT };
    int rc = decode(codec, bytes, want, &photo);
    if (!rc)
        rc = resize(codec, &photo, want, out);
    if (!rc)
        *source = turned(photo.stored, photo.orientation);
    if (codec->pixels.room > KEPT)
        buffer_free(&codec->pixels);
    return rc;
}

/* The encoder may be left half made. */
static int cannot_encode(struct codec *codec, int width, int height)
{
    const char *text = tjGetErrorStr2(codec->encoder);
    int rc =
        decode_starved(text)
            ? decode_fail(codec, -ENOMEM, "no memory for a JPEG of %dx%d",
                          width, height)
            : decode_fail(codec, -EINVAL, "cannot encode %dx%d as JPEG: %s",
                          width, height, text);
    tjDestroy(codec->encoder);
    codec->encoder = NULL;
    return rc;
}

int codec_jpeg(struct codec *codec, const struct image *image, int quality,
               int subsampling, struct buffer *out)
{
    int width = (int)image->width, height = (int)image->height;
    unsigned long size = tjBufSize(width, height, subsampling);
    if (!codec->encoder)
        codec->encoder = tjInitCompress();
    if (!codec->encoder || size == (unsigned long)-1 ||
        buffer_reserve(out, size))
        return decode_fail(codec, -ENOMEM, "no memory for a JPEG of %dx%d",
                           width, height);
    if (tjCompress2(codec->encoder, image->pixels.data, width, 0, height,
                    TJPF_RGB, &out->data, &size, subsampling, quality,
                    TJFLAG_NOREALLOC))
        return cannot_encode(codec, width, height);
    out->size = size;
    return 0;
}

/* png.c: PNG files, every kind of them, decoded to packed RGB.
 *
 * What is transparent becomes white, 16 bits become 8. libspng calls a photo
 * damaged for which zlib found no memory: so what it asks for is watched. */
#include <errno.h>
#include <spng.h>
#include <stdlib.h>
#include <string.h>

#include "cli/image/decode.h"
#include "cli/image/orient.h"

enum { CHUNK_MIB = 64 }; /* of text and profiles, which we ignore */

static _Thread_local bool starved; /* of the photo that is decoded */

static void *watched(void *memory)
{
    starved |= !memory;
    return memory;
}

static void *get(size_t bytes) { return watched(malloc(bytes)); }

static void *get_more(void *old, size_t bytes)
{
    return watched(realloc(old, bytes));
}

static void *get_zeroed(size_t n, size_t bytes)
{
    return watched(calloc(n, bytes));
}

static void flatten(unsigned char *pixels, size_t count)
{
    const unsigned char *from = pixels;
    for (size_t i = 0; i < count; i++, from += 4, pixels += 3) {
        unsigned alpha = from[3], white = 255 * (255 - alpha);
        for (int j = 0; j < 3; j++)
            pixels[j] = (unsigned char)((from[j] * alpha + white + 127) / 255);
    }
}

static int damaged(struct codec *c, int error)
{
    if (starved || error == SPNG_EMEM)
        return decode_fail(c, -ENOMEM, "no memory to decode it");
    if (error == SPNG_ECHUNK_LIMITS)
        return decode_fail(c, -EFBIG,
                           "its text or profile is over the limit of %d MiB",
                           CHUNK_MIB);
    return decode_fail(c, -EINVAL, "damaged PNG: %s", spng_strerror(error));
}

static uint32_t big_endian(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
           (uint32_t)at[2] << 8 | at[3];
}

/* What the header says, before anything is made of it: the library knows limits
 * of its own, and does not name them. */
static int check_size(struct codec *c, const struct buffer *bytes,
                      const struct thumbnail *want)
{
    enum { KIND = 12, WIDTH = 16, HEIGHT = 20, END = 24 };
    const unsigned char *data = bytes->data;
    if (bytes->size < END || memcmp(data + KIND, "IHDR", 4))
        return decode_fail(c, -EINVAL, "damaged PNG: it has no header");
    return decode_check(
        c, want,
        (struct size){ big_endian(data + WIDTH), big_endian(data + HEIGHT) });
}

static int decode(struct codec *c, spng_ctx *png, const struct thumbnail *want,
                  struct decoded *out)
{
    struct spng_ihdr head;
    struct spng_trns trns;
    struct spng_exif exif;
    int error = spng_get_ihdr(png, &head);
    if (error)
        return damaged(c, error);
    out->stored = (struct size){ head.width, head.height };
    error = spng_decode_chunks(png);
    if (error)
        return damaged(c, error);
    if (!spng_get_exif(png, &exif))
        out->orientation =
            orient_read((const unsigned char *)exif.data, exif.length);

    bool alpha = head.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA ||
                 head.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA ||
                 !spng_get_trns(png, &trns);
    size_t count = (size_t)head.width * head.height;
    size_t bytes = count * (alpha ? 4 : 3);
    int rc = decode_reserve(c, bytes);
    if (rc)
        return rc;
    error = spng_decode_image(png, c->pixels.data, bytes,
                              alpha ? SPNG_FMT_RGBA8 : SPNG_FMT_RGB8,
                              alpha ? SPNG_DECODE_TRNS : 0);
    if (error)
        return damaged(c, error);
    if (alpha)
        flatten(c->pixels.data, count);
    out->frame = (struct frame){ .format = AV_PIX_FMT_RGB24,
                                 .size = out->stored,
                                 .plane = { c->pixels.data },
                                 .stride = { (int)head.width * 3 } };
    return 0;
}

int png_decode(struct codec *c, const struct buffer *bytes,
               const struct thumbnail *want, struct decoded *out)
{
    struct spng_alloc memory = { get, get_more, get_zeroed, free };
    starved = false;
    int rc = check_size(c, bytes, want);
    spng_ctx *png = rc ? NULL : spng_ctx_new2(&memory, 0);
    if (!png)
        return rc ? rc : damaged(c, SPNG_EMEM);
    spng_set_chunk_limits(png, CHUNK_MIB << 20, CHUNK_MIB << 20);
    int error = spng_set_png_buffer(png, bytes->data, bytes->size);
    rc = error ? damaged(c, error) : decode(c, png, want, out);
    spng_ctx_free(png);
    return rc;
}

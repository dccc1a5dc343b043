/* jpeg.c: JPEG files, decoded as little as will do.
 *
 * The usual photo is YCbCr or grey. It stays so: its planes are what libswscale
 * wants, and the inverse DCT gives them in 1/2, 1/4 or 1/8 of the size for
 * less work than in full. (Other fractions exist; their code is slower than
 * decoding in full.) What has no such planes is decoded to RGB.
 *
 * A file that is cut short decodes with a warning and a grey remainder: that is
 * an error here. Warnings about what does no harm are not.
 *
 * Where libjpeg finds no memory its decoder keeps half-made tables, and calls
 * the next photos damaged: it is replaced. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "cli/image/decode.h"
#include "cli/image/orient.h"

struct markers {
    unsigned orientation;
    bool adobe;  /* Adobe stores CMYK inverted */
    size_t scan; /* where the first scan begins */
};

enum {
    RST0 = 0xd0,
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    APP1 = 0xe1,
    APP14 = 0xee
};

/* Progressive photos have some ten scans. Each of them goes over all pixels, so
 * that a small file of many takes as long as many photos. */
enum { MOST_SCANS = 100 };

/* Walks the segments before the first scan. */
static struct markers read_markers(const unsigned char *data, size_t size)
{
    struct markers found = { .orientation = ORIENT_UPRIGHT };
    size_t at = 2;
    while (size - at >= 4 && data[at] == 0xff) {
        if (data[at + 1] == 0xff) { /* fill */
            at++;
            continue;
        }
        unsigned kind = data[at + 1];
        size_t length = (size_t)data[at + 2] << 8 | data[at + 3];
        const unsigned char *body = data + at + 4;
        if (length < 2 || length > size - at - 2)
            break;
        if (kind == APP1 && length >= 8 && !memcmp(body, "Exif\0", 6))
            found.orientation = orient_read(body + 6, length - 8);
        if (kind == APP14 && length >= 7 && !memcmp(body, "Adobe", 5))
            found.adobe = true;
        at += 2 + length;
        if (kind == SOS)
            break;
    }
    found.scan = at;
    return found;
}

/* From the first scan to the end of the image; what lies behind it, such as a
 * film, is none of ours. In the data of a scan 0xff begins a marker, or stands
 * for itself and is followed by a zero. */
static unsigned count_scans(const unsigned char *data, size_t size, size_t at)
{
    unsigned scans = 1;
    const unsigned char *ff;
    while (at < size && (ff = memchr(data + at, 0xff, size - at))) {
        at = (size_t)(ff - data);
        unsigned kind = size - at >= 4 ? data[at + 1] : EOI;
        if (kind == EOI)
            break;
        if (kind == 0xff) { /* fill */
            at++;
        } else if (kind == 0 || (kind >= RST0 && kind < SOI)) {
            at += 2;
        } else {
            scans += kind == SOS;
            at += 2 + ((size_t)data[at + 2] << 8 | data[at + 3]);
        }
    }
    return scans;
}

static int check_scans(struct codec *c, const struct buffer *bytes, size_t from)
{
    unsigned scans = count_scans(bytes->data, bytes->size, from);
    if (scans <= MOST_SCANS)
        return 0;
    return decode_fail(c, -EFBIG,
                       "it is drawn in %u scans, over the limit of %d; save it "
                       "as a baseline JPEG",
                       scans, MOST_SCANS);
}

/* Whether the file ends as a JPEG does, perhaps with something behind it. */
static bool has_end(const struct buffer *bytes, size_t scan)
{
    return memmem(bytes->data + scan, bytes->size - scan, "\xff\xd9", 2);
}

/* Whether the library only complained. It keeps the text of the first warning;
 * behind a harmless one the end of the file may be missing. */
static bool harmless(struct codec *c, const struct buffer *bytes, size_t scan)
{
    const char *text = tjGetErrorStr2(c->decoder);
    return tjGetErrorCode(c->decoder) == TJERR_WARNING &&
           (strstr(text, "extraneous bytes before marker") ||
            strstr(text, "JFIF revision") ||
            strstr(text, "Adobe color transform")) &&
           has_end(bytes, scan);
}

static int damaged(struct codec *c)
{
    const char *text = tjGetErrorStr2(c->decoder);
    bool cut = strstr(text, "remature end");
    if (decode_starved(text))
        return decode_fail(c, -ENOMEM, "no memory to decode it");
    return decode_fail(c, -EINVAL, "damaged JPEG: %s%s", text,
                       cut ? " (it was cut short)" : "");
}

static enum AVPixelFormat planes_format(int subsampling)
{
    switch (subsampling) {
    case TJSAMP_444:
        return AV_PIX_FMT_YUV444P;
    case TJSAMP_422:
        return AV_PIX_FMT_YUV422P;
    case TJSAMP_420:
        return AV_PIX_FMT_YUV420P;
    case TJSAMP_440:
        return AV_PIX_FMT_YUV440P;
    case TJSAMP_411:
        return AV_PIX_FMT_YUV411P;
    case TJSAMP_GRAY:
        return AV_PIX_FMT_GRAY8;
    default:
        return AV_PIX_FMT_NONE;
    }
}

static int decode_planes(struct codec *c, const struct buffer *bytes,
                         int subsampling, struct frame *out)
{
    int planes = subsampling == TJSAMP_GRAY ? 1 : 3;
    size_t at[3], size = 0;
    for (int i = 0; i < planes; i++) {
        int width = tjPlaneWidth(i, (int)out->size.width, subsampling);
        int height = tjPlaneHeight(i, (int)out->size.height, subsampling);
        out->stride[i] = (width + 63) & ~63;
        at[i] = size;
        size += (size_t)out->stride[i] * (size_t)height;
    }
    int rc = decode_reserve(c, size);
    if (rc)
        return rc;
    for (int i = 0; i < planes; i++)
        out->plane[i] = c->pixels.data + at[i];
    return tjDecompressToYUVPlanes(
        c->decoder, bytes->data, bytes->size, out->plane, (int)out->size.width,
        out->stride, (int)out->size.height, TJFLAG_LIMITSCANS);
}

/* `inverted`: 255 is no ink. */
static void cmyk_to_rgb(unsigned char *pixels, size_t count, bool inverted)
{
    const unsigned char *from = pixels;
    unsigned char flip = inverted ? 0 : 255;
    for (size_t i = 0; i < count; i++, from += 4, pixels += 3) {
        unsigned k = from[3] ^ flip;
        for (int j = 0; j < 3; j++)
            pixels[j] = (unsigned char)(((from[j] ^ flip) * k + 127) / 255);
    }
}

static int decode_packed(struct codec *c, const struct buffer *bytes, bool cmyk,
                         bool inverted, struct frame *out)
{
    size_t count = (size_t)out->size.width * out->size.height;
    int rc = decode_reserve(c, count * (cmyk ? 4 : 3));
    if (rc)
        return rc;
    out->plane[0] = c->pixels.data;
    out->stride[0] = (int)out->size.width * 3;
    rc = tjDecompress2(c->decoder, bytes->data, bytes->size, out->plane[0],
                       (int)out->size.width, 0, (int)out->size.height,
                       cmyk ? TJPF_CMYK : TJPF_RGB, TJFLAG_LIMITSCANS);
    if (cmyk)
        cmyk_to_rgb(out->plane[0], count, inverted);
    return rc;
}

static int decode(struct codec *c, const struct buffer *bytes,
                  const struct thumbnail *want, struct decoded *out)
{
    struct markers markers = read_markers(bytes->data, bytes->size);
    int width = 0, height = 0, subsampling = -1, colours = -1;
    /* An unusual subsampling is an error to this call, and to no other; a file
     * of tables without an image is none. */
    int rc = tjDecompressHeader3(c->decoder, bytes->data, bytes->size, &width,
                                 &height, &subsampling, &colours);
    if (width <= 0 || height <= 0)
        return rc ? damaged(c)
                  : decode_fail(c, -EINVAL, "damaged JPEG: it has no image");
    out->stored = (struct size){ (unsigned)width, (unsigned)height };
    out->orientation = markers.orientation;
    rc = decode_check(c, want, out->stored);
    if (!rc)
        rc = check_scans(c, bytes, markers.scan);
    if (rc)
        return rc;

    struct frame *frame = &out->frame;
    int divisor = (int)fit_divisor(
        out->stored, decode_result(want, out->stored, out->orientation));
    tjscalingfactor scale = { 1, divisor };
    frame->size = (struct size){ (unsigned)TJSCALED(width, scale),
                                 (unsigned)TJSCALED(height, scale) };
    frame->format = planes_format(subsampling);
    bool planes = (colours == TJCS_YCbCr || colours == TJCS_GRAY) &&
                  frame->format != AV_PIX_FMT_NONE;
    if (planes) {
        rc = decode_planes(c, bytes, subsampling, frame);
    } else {
        frame->format = AV_PIX_FMT_RGB24;
        rc = decode_packed(c, bytes,
                           colours == TJCS_CMYK || colours == TJCS_YCCK,
                           markers.adobe, frame);
    }
    if (rc != -1) /* ours, not the library's */
        return rc;
    return harmless(c, bytes, markers.scan) ? 0 : damaged(c);
}

/* A decoder for each photo: a header that is damaged leaves it in the middle of
 * one, and a photo without tables would be decoded with those of the photo
 * before. */
int jpeg_decode(struct codec *c, const struct buffer *bytes,
                const struct thumbnail *want, struct decoded *out)
{
    c->decoder = tjInitDecompress();
    if (!c->decoder)
        return decode_fail(c, -ENOMEM, "no memory for a decoder");
    int rc = decode(c, bytes, want, out);
    tjDestroy(c->decoder);
    c->decoder = NULL;
    return rc;
}

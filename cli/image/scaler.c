/* scaler.c: part of a photo becomes packed RGB of the wanted size.
 *
 * libswscale converts colour and resizes in one pass over the pixels. Making a
 * context costs as much as using it on a small photo, and photos come in a few
 * sizes: the last SCALER_KEPT are kept, the one unused for longest goes.
 *
 * JPEG's YCbCr is BT.601 over the full range 0..255, its colour samples lie in
 * the middle of the pixels they stand for. Both are not the defaults here. */
#include "cli/image/scaler.h"

#include <errno.h>
#include <libavutil/opt.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>
#include <stdbool.h>

static bool same(struct size a, struct size b)
{
    return a.width == b.width && a.height == b.height;
}

/* The middle of 2^log2 pixels, in 1/256 of a pixel from that of the first. */
static int sample_position(unsigned log2) { return ((1 << log2) - 1) * 128; }

static struct SwsContext *make(const struct scaler_entry *e)
{
    struct SwsContext *c = sws_alloc_context();
    if (!c)
        return NULL;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(e->format);
    const struct {
        const char *name;
        int64_t value;
    } options[] = {
        { "srcw", e->from.width },
        { "srch", e->from.height },
        { "src_format", e->format },
        { "dstw", e->to.width },
        { "dsth", e->to.height },
        { "dst_format", AV_PIX_FMT_RGB24 },
        { "src_range", 1 },
        { "dst_range", 1 },
        { "src_h_chr_pos", sample_position(d->log2_chroma_w) },
        { "src_v_chr_pos", sample_position(d->log2_chroma_h) },
        { "sws_flags", SWS_BICUBIC | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT |
                           SWS_FULL_CHR_H_INP },
    };
    int rc = 0;
    for (unsigned i = 0; !rc && i < sizeof options / sizeof *options; i++)
        rc = av_opt_set_int(c, options[i].name, options[i].value, 0);
    if (!rc)
        rc = sws_init_context(c, NULL, NULL);
    const int *bt601 = sws_getCoefficients(SWS_CS_ITU601);
    if (rc >= 0)
        rc = sws_setColorspaceDetails(c, bt601, 1, bt601, 1, 0, 1 << 16,
                                      1 << 16);
    if (rc < 0) {
        sws_freeContext(c);
        return NULL;
    }
    return c;
}

static struct SwsContext *context_for(struct scaler *s,
                                      enum AVPixelFormat format,
                                      struct size from, struct size to)
{
    struct scaler_entry *oldest = s->kept;
    for (struct scaler_entry *e = s->kept; e < s->kept + SCALER_KEPT; e++) {
        if (e->context && e->format == format && same(e->from, from) &&
            same(e->to, to)) {
            e->used = ++s->clock;
            return e->context;
        }
        if (e->used < oldest->used)
            oldest = e;
    }
    sws_freeContext(oldest->context);
    *oldest = (struct scaler_entry){ NULL, format, from, to, ++s->clock };
    return oldest->context = make(oldest);
}

int scaler_run(struct scaler *scaler, const struct frame *from, enum fit fit,
               struct size to_size, unsigned char *to)
{
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(from->format);
    struct rect part = fit_part(fit, from->size, to_size,
                                1u << d->log2_chroma_w, 1u << d->log2_chroma_h);
    struct SwsContext *context =
        context_for(scaler, from->format,
                    (struct size){ part.width, part.height }, to_size);
    if (!context)
        return -ENOMEM;

    const unsigned char *plane[4] = { 0 };
    int stride[4] = { 0 };
    for (unsigned i = 0; i < 3 && from->plane[i]; i++) {
        unsigned x = i ? part.x >> d->log2_chroma_w : part.x;
        unsigned y = i ? part.y >> d->log2_chroma_h : part.y;
        stride[i] = from->stride[i];
        plane[i] = from->plane[i] + (size_t)y * (size_t)stride[i] +
                   (size_t)x * (size_t)d->comp[i].step;
    }
    int rows = sws_scale(context, plane, stride, 0, (int)part.height,
                         (unsigned char *[]){ to, NULL, NULL, NULL },
                         (int[]){ (int)to_size.width * 3, 0, 0, 0 });
    return rows == (int)to_size.height ? 0 : -EINVAL;
}

void scaler_finish(struct scaler *scaler)
{
    for (unsigned i = 0; i < SCALER_KEPT; i++)
        sws_freeContext(scaler->kept[i].context);
    *scaler = (struct scaler){ 0 };
}

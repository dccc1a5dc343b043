/* image_thumbnail.c: image.thumbnail, a photo decoded and resized. */
#include <errno.h>
#include <stdlib.h>

#include "cli/image/codecs.h"
#include "cli/ops/ops.h"

struct thumbnail_params {
    uint64_t width, height, max_pixels;
    unsigned fit; /* enum fit */
};

static const struct param params[] = {
    { "width", PARAM_COUNT, offsetof(struct thumbnail_params, width), "224",
      .unit = "pixels", .help = "width of the result", .min = 1, .max = 16384 },
    { "height", PARAM_COUNT, offsetof(struct thumbnail_params, height), "224",
      .unit = "pixels", .help = "height of the result", .min = 1,
      .max = 16384 },
    { "fit", PARAM_CHOICE, offsetof(struct thumbnail_params, fit), "cover",
      .help = "cover: fill and crop the centre; contain: fit inside, the "
              "result may be smaller; stretch: exactly, whatever the shape",
      .choices = (const char *const[]){ "cover", "contain", "stretch", NULL } },
    { "max_pixels", PARAM_COUNT, offsetof(struct thumbnail_params, max_pixels),
      "100000000", .unit = "pixels", .help = "a larger photo fails", .min = 1 },
    { 0 },
};

struct thumbnailer {
    struct codecs codecs;
    struct thumbnail want;
};

static int make_thumbnail(weft_worker *self, void *item_, void *state)
{
    struct thumbnailer *t = state;
    struct item *item = item_;
    struct codec *codec = codecs_here(&t->codecs, self);
    struct size source;
    if (!codec)
        return weft_fail(item, -ENOMEM, "no memory");
    int rc =
        codec_thumbnail(codec, &item->bytes, &t->want, &item->image, &source);
    if (rc)
        return weft_fail(item, rc, "%s", codec_why(codec));
    item->source_width = source.width;
    item->source_height = source.height;
    return 0;
}

static int thumbnail_open(void **state, struct job *job, const void *params_,
                          weft_error *why)
{
    const struct thumbnail_params *p = params_;
    struct thumbnailer *t = calloc(1, sizeof *t);
    if (!t || codecs_init(&t->codecs, job->workers)) {
        free(t);
        return op_error(why, -ENOMEM, "no memory");
    }
    t->want = (struct thumbnail){
        .box = { (unsigned)p->width, (unsigned)p->height },
        .fit = (enum fit)p->fit,
        .max_pixels = p->max_pixels,
    };
    *state = t;
    return 0;
}

static void thumbnail_destroy(void *state)
{
    struct thumbnailer *t = state;
    codecs_finish(&t->codecs);
    free(t);
}

const struct op op_image_thumbnail = {
    .name = "image.thumbnail",
    .help = "JPEG or PNG decoded and resized to RGB; EXIF orientation is "
            "applied, transparency becomes white",
    .kind = OP_STAGE,
    .takes = CARRIES_BYTES,
    .gives = CARRIES_IMAGE,
    .param_bytes = sizeof(struct thumbnail_params),
    .params = params,
    .tokens_key = "workers",
    .open = thumbnail_open,
    .fn = make_thumbnail,
    .destroy = thumbnail_destroy,
};

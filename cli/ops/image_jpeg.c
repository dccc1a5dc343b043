/* image_jpeg.c: image.jpeg, an image encoded as JPEG. */
#include <errno.h>
#include <stdlib.h>
#include <turbojpeg.h>

#include "cli/image/codecs.h"
#include "cli/ops/ops.h"

struct jpeg_params {
    uint64_t quality;
    unsigned subsampling;
};

static const struct param params[] = {
    { "quality", PARAM_COUNT, offsetof(struct jpeg_params, quality), "90",
      .unit = "percent", .help = "1 is the smallest file, 100 the best image",
      .min = 1, .max = 100 },
    { "subsampling", PARAM_CHOICE, offsetof(struct jpeg_params, subsampling),
      "420", .help = "of colour: 444 is none, 420 the smallest file",
      .choices = (const char *const[]){ "444", "422", "420", NULL } },
    { 0 },
};

struct encoder {
    struct codecs codecs;
    int quality, subsampling;
};

static int encode(weft_worker *self, void *item_, void *state)
{
    struct encoder *e = state;
    struct item *item = item_;
    struct codec *codec = codecs_here(&e->codecs, self);
    if (!codec)
        return weft_fail(item, -ENOMEM, "no memory");
    int rc = codec_jpeg(codec, &item->image, e->quality, e->subsampling,
                        &item->bytes);
    if (rc)
        return weft_fail(item, rc, "%s", codec_why(codec));
    item->extension = "jpg";
    return 0;
}

static int jpeg_open(void **state, struct job *job, const void *params_,
                     weft_error *why)
{
    static const int samplings[] = { TJSAMP_444, TJSAMP_422, TJSAMP_420 };
    const struct jpeg_params *p = params_;
    struct encoder *e = calloc(1, sizeof *e);
    if (!e || codecs_init(&e->codecs, job->workers)) {
        free(e);
        return op_error(why, -ENOMEM, "no memory");
    }
    e->quality = (int)p->quality;
    e->subsampling = samplings[p->subsampling];
    *state = e;
    return 0;
}

static void jpeg_destroy(void *state)
{
    struct encoder *e = state;
    codecs_finish(&e->codecs);
    free(e);
}

const struct op op_image_jpeg = {
    .name = "image.jpeg",
    .help = "each image encoded as JPEG",
    .kind = OP_STAGE,
    .takes = CARRIES_IMAGE,
    .gives = CARRIES_BYTES,
    .param_bytes = sizeof(struct jpeg_params),
    .params = params,
    .tokens_key = "workers",
    .open = jpeg_open,
    .fn = encode,
    .destroy = jpeg_destroy,
};

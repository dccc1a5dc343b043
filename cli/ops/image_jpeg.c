/* image_jpeg.c: image.jpeg, an image encoded as JPEG. */
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

const struct op op_image_jpeg = {
    .name = "image.jpeg",
    .help = "each image encoded as JPEG",
    .kind = OP_STAGE,
    .takes = CARRIES_IMAGE,
    .gives = CARRIES_BYTES,
    .param_bytes = sizeof(struct jpeg_params),
    .params = params,
    .tokens_key = "workers",
};

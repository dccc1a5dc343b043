/* image_thumbnail.c: image.thumbnail, a photo decoded and resized. */
#include "cli/ops/ops.h"

struct thumbnail_params {
    uint64_t width, height, max_pixels;
    unsigned fit;
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
};

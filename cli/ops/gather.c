/* gather.c: gather, images of one size collected into batches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ops/ops.h"

struct gather_params {
    uint64_t count;
    unsigned rest;
};

enum { REST_FLUSH, REST_DROP };

static const struct param params[] = {
    { "count", PARAM_COUNT, offsetof(struct gather_params, count), "32",
      .unit = "images", .help = "images in a batch", .min = 1, .max = 1 << 20 },
    { "rest", PARAM_CHOICE, offsetof(struct gather_params, rest), "flush",
      .help = "what to do with a last batch that is not full",
      .choices = (const char *const[]){ "flush", "drop", NULL } },
    { 0 },
};

/* The first image decides the size, and makes room for all. */
static int add(weft_worker *self, void *batch_, void *item, void *state)
{
    const struct gather_params *p = state;
    struct batch *batch = batch_;
    const struct image *image = &((struct item *)item)->image;
    size_t size = (size_t)image->width * image->height * 3;
    if (batch->count == 0) {
        if (p->count > SIZE_MAX / size ||
            buffer_reserve(&batch->pixels, p->count * size))
            return weft_fail(
                item, -ENOMEM, "no memory for a batch of %llu images of %ux%u",
                (unsigned long long)p->count, image->width, image->height);
        batch->full = false;
        batch->numbers.size = 0;
        batch->width = image->width;
        batch->height = image->height;
    }
    if (image->width != batch->width || image->height != batch->height)
        return weft_fail(item, -EINVAL,
                         "%ux%u in a batch of %ux%u; image.thumbnail gives one "
                         "size with fit: cover or stretch",
                         image->width, image->height, batch->width,
                         batch->height);
    if (buffer_add(&batch->numbers, ((struct item *)item)->number))
        return weft_fail(item, -ENOMEM, "no memory");
    memcpy(batch->pixels.data + batch->count * size, image->pixels.data, size);
    batch->count++;
    batch->full = batch->count == p->count;
    batch->pixels.size = batch->count * size;
    return 0;
}

static int gather_open(void **state, struct job *job, const void *params_,
                       weft_error *why)
{
    struct gather_params *p = malloc(sizeof *p);
    if (!p)
        return op_error(why, -ENOMEM, "no memory");
    memcpy(p, params_, sizeof *p);
    *state = p;
    return 0;
}

static size_t batch_count(const void *params_)
{
    const struct gather_params *p = params_;
    return p->count;
}

static bool drops_rest(const void *params_)
{
    const struct gather_params *p = params_;
    return p->rest == REST_DROP;
}

const struct op op_gather = {
    .name = "gather",
    .help = "images of one size collected into batches",
    .kind = OP_GATHER,
    .takes = CARRIES_IMAGE,
    .gives = CARRIES_BATCH,
    .param_bytes = sizeof(struct gather_params),
    .params = params,
    .tokens = 1,
    .ordered = true,
    .serial = true,
    .open = gather_open,
    .gather = add,
    .batch_count = batch_count,
    .drops_rest = drops_rest,
    .destroy = free,
};

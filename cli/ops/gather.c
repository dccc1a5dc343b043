/* gather.c: gather, images of one size collected into batches. */
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
    .batch_count = batch_count,
    .drops_rest = drops_rest,
};

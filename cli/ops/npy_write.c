/* npy_write.c: npy.write, each batch as an array that numpy loads. */
#include "cli/ops/ops.h"

struct npy_params {
    char *pattern;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct npy_params, pattern),
      .help = "the files' names, with one %d for their number, such as "
              "out/batch-%06d.npy" },
    { 0 },
};

const struct op op_npy_write = {
    .name = "npy.write",
    .help = "a .npy file for each batch: uint8, images x height x width x RGB",
    .kind = OP_STAGE,
    .takes = CARRIES_BATCH,
    .gives = CARRIES_NOTHING,
    .param_bytes = sizeof(struct npy_params),
    .params = params,
    .tokens_key = "inflight",
    .tokens = 4,
};

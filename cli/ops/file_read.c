/* file_read.c: file.read, a file's contents and their checksum. */
#include "cli/ops/ops.h"

struct read_params {
    uint64_t max_bytes;
};

static const struct param params[] = {
    { "max_bytes", PARAM_SIZE, offsetof(struct read_params, max_bytes), "1GiB",
      .unit = "bytes", .help = "a larger file fails", .min = 1 },
    { 0 },
};

const struct op op_file_read = {
    .name = "file.read",
    .help = "the contents of each file",
    .kind = OP_STAGE,
    .takes = CARRIES_FILE,
    .gives = CARRIES_BYTES,
    .param_bytes = sizeof(struct read_params),
    .params = params,
    .tokens_key = "inflight",
    .tokens = 64,
};

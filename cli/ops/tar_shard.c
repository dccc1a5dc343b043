/* tar_shard.c: tar.shard, samples written to numbered tar files. */
#include "cli/ops/ops.h"

struct shard_params {
    char *pattern;
    uint64_t max_count, max_bytes;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct shard_params, pattern),
      .help = "the shards' names, with one %d for their number, such as "
              "out/train-%06d.tar" },
    { "max_count", PARAM_COUNT, offsetof(struct shard_params, max_count),
      "1000", .unit = "items",
      .help = "a shard with so many is full; 0: no "
              "limit" },
    { "max_bytes", PARAM_SIZE, offsetof(struct shard_params, max_bytes), "0",
      .unit = "bytes",
      .help = "a shard with so many or more is full; 0: no "
              "limit" },
    { 0 },
};

const struct op op_tar_shard = {
    .name = "tar.shard",
    .help = "WebDataset shards: for each item KEY.EXTENSION and KEY.json",
    .kind = OP_STAGE,
    .takes = CARRIES_BYTES,
    .gives = CARRIES_NOTHING,
    .param_bytes = sizeof(struct shard_params),
    .params = params,
    .tokens = 1,
    .ordered = true,
    .serial = true,
};

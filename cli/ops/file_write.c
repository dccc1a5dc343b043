/* file_write.c: file.write, a file for each item. */
#include "cli/ops/ops.h"

struct write_params {
    char *pattern;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct write_params, pattern),
      .help = "the files' names; {key} is the item's path without its "
              "extension, {ext} what its bytes are: out/{key}.{ext}" },
    { 0 },
};

const struct op op_file_write = {
    .name = "file.write",
    .help = "the bytes of each item as a file",
    .kind = OP_STAGE,
    .takes = CARRIES_BYTES,
    .gives = CARRIES_NOTHING,
    .param_bytes = sizeof(struct write_params),
    .params = params,
    .tokens_key = "inflight",
    .tokens = 16,
};

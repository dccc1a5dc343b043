/* exec.c: exec, an external command for each item. */
#include "cli/ops/ops.h"

struct exec_params {
    struct strings argv;
    unsigned standard_input;
    char *extension;
    uint64_t max_bytes;
};

enum { STDIN_NONE, STDIN_BYTES };

static const struct param params[] = {
    { "argv", PARAM_STRINGS, offsetof(struct exec_params, argv),
      .help = "the program and its arguments, never a shell; {path} and {key} "
              "stand for the item's" },
    { "stdin", PARAM_CHOICE, offsetof(struct exec_params, standard_input),
      "none", .help = "what the program reads: nothing, or the item's bytes",
      .choices = (const char *const[]){ "none", "bytes", NULL } },
    { "extension", PARAM_STRING, offsetof(struct exec_params, extension), "out",
      .help = "what its output is, for file names" },
    { "max_bytes", PARAM_SIZE, offsetof(struct exec_params, max_bytes), "1GiB",
      .unit = "bytes", .help = "an item with more output fails", .min = 1 },
    { 0 },
};

const struct op op_exec = {
    .name = "exec",
    .help = "an external command for each item; its output is the new bytes",
    .kind = OP_STAGE,
    .takes = CARRIES_FILE,
    .or_bytes = true,
    .gives = CARRIES_BYTES,
    .param_bytes = sizeof(struct exec_params),
    .params = params,
    .tokens_key = "processes",
};

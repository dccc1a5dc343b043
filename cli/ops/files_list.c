/* files_list.c: files.list, the source that lists the files below a folder. */
#include "cli/ops/ops.h"

struct list_params {
    char *path;
    struct strings match;
    unsigned order;
};

enum { ORDER_PATH, ORDER_NONE };

static const struct param params[] = {
    { "path", PARAM_STRING, offsetof(struct list_params, path),
      .help = "the folder to list, with all folders below it" },
    { "match", PARAM_STRINGS, offsetof(struct list_params, match), "*",
      .help = "patterns for the file name such as *.jpg; upper and lower case "
              "are the same" },
    { "order", PARAM_CHOICE, offsetof(struct list_params, order), "path",
      .help = "path: byte order of the paths; none: as the folders hold them",
      .choices = (const char *const[]){ "path", "none", NULL } },
    { 0 },
};

const struct op op_files_list = {
    .name = "files.list",
    .help = "the files below a folder",
    .kind = OP_SOURCE,
    .gives = CARRIES_FILE,
    .param_bytes = sizeof(struct list_params),
    .params = params,
    .tokens = 1,
    .ordered = true,
    .serial = true,
};

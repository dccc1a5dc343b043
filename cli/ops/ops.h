/* ops.h: the operators, by name. */
#ifndef WEFT_CLI_OPS_H
#define WEFT_CLI_OPS_H
#include "cli/item.h"
#include "cli/op.h"

extern const struct op op_files_list, op_file_read, op_image_thumbnail,
    op_image_jpeg, op_gather, op_exec, op_tar_shard, op_npy_write,
    op_file_write;

/* Opens the folder that a sink's files go below, makes it where it is not
 * there, and lets commands write there. In a dry run nothing is done, and *fd
 * is -1. 0, or a negative errno and a sentence. */
int op_folder(int *fd, struct job *job, const char *pattern, bool numbered,
              weft_error *why);
#endif

/* ops.c: the list of all operators, in the order in which help shows them. */
#include "cli/ops/ops.h"

#include <string.h>

const struct op *const all_ops[] = {
    &op_files_list, &op_file_read, &op_image_thumbnail, &op_image_jpeg,
    &op_gather,     &op_exec,      &op_tar_shard,       &op_npy_write,
    &op_file_write, NULL,
};

const struct op *op_find(const char *name)
{
    for (const struct op *const *op = all_ops; *op; op++)
        if (!strcmp((*op)->name, name))
            return *op;
    return NULL;
}

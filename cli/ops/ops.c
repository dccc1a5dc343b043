/* ops.c: the list of all operators, in the order in which help shows them, and
 * what they share. */
#include "cli/ops/ops.h"

#include <stdarg.h>
#include <stdio.h>
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

int op_error(weft_error *why, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    return error;
}

/* ops.c: the list of all operators, in the order in which help shows them, and
 * what they share. */
#include "cli/ops/ops.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/ops/pattern.h"
#include "cli/publish.h"
#include "cli/sandbox.h"

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

int op_folder(int *fd, struct job *job, const char *pattern, bool numbered,
              weft_error *why)
{
    char path[PATH_MAX];
    *fd = -1;
    if (job->dry)
        return 0;
    int rc = pattern_folder_name(path, sizeof path, pattern, numbered);
    if (!rc)
        rc = *fd = publish_folder(path, &job->made);
    if (rc >= 0)
        rc = sandbox_allow(job->sandbox, *fd);
    return rc ? op_error(why, rc, "cannot create the folder of %s: %s", pattern,
                         strerror(-rc))
              : 0;
}

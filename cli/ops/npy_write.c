/* npy_write.c: npy.write, each batch as an array that numpy loads.
 *
 * A file's number is its batch's, so that it does not depend on which of
 * several batches is written first. A batch that a drain ended early is not
 * noted in the journal: who resumes makes it again, full. The header goes
 * first, then the pixels, as the batch holds them. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/ops/ops.h"
#include "cli/ops/pattern.h"
#include "cli/ops/pool.h"
#include "cli/publish.h"
#include "cli/resume.h"

struct npy_params {
    char *pattern;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct npy_params, pattern),
      .help = "the files' names, with one %d for their number, such as "
              "out/batch-%06d.npy" },
    { 0 },
};

enum { HEADER = 128 }; /* numpy wants a multiple of 64 */

struct arrays {
    struct job *job;
    const struct npy_params *params;
    int folder;
    struct pool pool;
    _Atomic uint64_t items, files;
};

/* A batch on its way to the disk. */
struct array {
    struct pooled pooled;
    struct arrays *all;
    struct batch *batch;
    bool headed; /* the header is written */
    char path[PATH_MAX];
    char header[HEADER];
    struct publish file;
};

/* NumPy's format 1.0: a magic number, the length of what follows, and a Python
 * dictionary, filled up with spaces and ended by a newline. */
static void make_header(char *out, const struct batch *batch)
{
    static const char magic[] = { '\x93', 'N', 'U', 'M',         'P',
                                  'Y',    1,   0,   HEADER - 10, 0 };
    char text[HEADER];
    int size = snprintf(text, sizeof text,
                        "{'descr': '|u1', 'fortran_order': False, "
                        "'shape': (%u, %u, %u, 3), }",
                        batch->count, batch->height, batch->width);
    memset(out, ' ', HEADER);
    memcpy(out, magic, sizeof magic);
    memcpy(out + sizeof magic, text, (size_t)size);
    out[HEADER - 1] = '\n';
}

static int finish(struct array *a, int rc)
{
    struct arrays *all = a->all;
    if (rc) {
        job_fatal(all->job, rc, "cannot %s %s: %s; its %u images are not saved",
                  publish_doing(&a->file), a->path, strerror(-rc),
                  a->batch->count);
    } else {
        atomic_fetch_add(&all->items, a->batch->count);
        atomic_fetch_add(&all->files, 1);
        atomic_fetch_add(&all->job->bytes_written, a->file.size);
    }
    publish_discard(&a->file);
    pool_give(&all->pool, a);
    return rc;
}

static void note_items(struct array *a, uint64_t number)
{
    struct job *job = a->all->job;
    struct publish_note *note = &a->file.note;
    bool noted = a->batch->full || job->all_given;
    note->name = noted ? a->file.name : NULL;
    note->unit = number;
    note->items = buffer_sorted(&a->batch->numbers, &note->item_count);
    note->sync = !job->in_order;
}

/* The header, then the pixels. */
static int go_on(weft_worker *self, struct array *a)
{
    const struct buffer *pixels = &a->batch->pixels;
    int rc = 0;
    if (!a->headed) {
        a->headed = true;
        rc = publish_write(self, &a->file, a->header, HEADER, false);
    }
    return rc ? rc
              : publish_write(self, &a->file, pixels->data, pixels->size, true);
}

static void written(weft_worker *self, void *array, int rc)
{
    struct array *a = array;
    struct batch *batch = a->batch;
    if (!rc && a->file.fd >= 0) /* that was the header */
        rc = go_on(self, a);
    if (rc != WEFT_PENDING)
        weft_complete(self, batch, finish(a, rc));
}

static int write_batch(weft_worker *self, void *batch_, void *state)
{
    struct arrays *all = state;
    struct batch *batch = batch_;
    struct array *a = pool_take(&all->pool);
    if (!a)
        return weft_fail(batch, -ENOMEM, "no memory");
    a->all = all;
    a->batch = batch;
    a->headed = false;
    make_header(a->header, batch);
    uint64_t number = resume_unit(all->job->resume, weft_item_number(batch));
    int rc =
        pattern_name(a->path, sizeof a->path, all->params->pattern, number);
    if (!rc)
        rc = publish_init(&a->file, all->folder, a->path, all->job->journal);
    if (rc) {
        pool_give(&all->pool, a);
        return job_fatal(all->job, rc, "cannot create %s: %s",
                         all->params->pattern, strerror(-rc));
    }
    note_items(a, number);
    a->file.done = written;
    a->file.ctx = a;
    rc = go_on(self, a);
    return rc == WEFT_PENDING ? rc : finish(a, rc);
}

static void npy_destroy(void *state)
{
    struct arrays *all = state;
    if (all->folder >= 0)
        close(all->folder);
    pool_finish(&all->pool);
    free(all);
}

static int npy_open(void **state, struct job *job, const void *params_,
                    weft_error *why)
{
    const struct npy_params *p = params_;
    struct arrays *all = calloc(1, sizeof *all);
    if (!all)
        return op_error(why, -ENOMEM, "no memory");
    all->job = job;
    all->params = p;
    pool_init(&all->pool, sizeof(struct array), NULL);
    int rc = op_folder(&all->folder, job, p->pattern, true, why);
    if (rc) {
        npy_destroy(all);
        return rc;
    }
    *state = all;
    return 0;
}

static void npy_published(const void *state, uint64_t *items, uint64_t *files)
{
    const struct arrays *all = state;
    *items = all->items;
    *files = all->files;
}

static void npy_check(const void *params_,
                      void (*bad)(void *ctx, const char *param,
                                  const char *text),
                      void *ctx)
{
    const struct npy_params *p = params_;
    const char *problem = pattern_problem(p->pattern);
    if (problem)
        bad(ctx, "pattern", problem);
}

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
    .numbered = true,
    .check = npy_check,
    .open = npy_open,
    .fn = write_batch,
    .published = npy_published,
    .destroy = npy_destroy,
};

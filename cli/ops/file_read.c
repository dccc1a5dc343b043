/* file_read.c: file.read, a file's contents and their checksum. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <xxhash.h>

#include "cli/ops/ops.h"
#include "cli/text.h"

struct read_params {
    uint64_t max_bytes;
    bool direct;
};

static const struct param params[] = {
    { "max_bytes", PARAM_SIZE, offsetof(struct read_params, max_bytes), "1GiB",
      .unit = "bytes", .help = "a larger file fails", .min = 1 },
    { "direct", PARAM_BOOL, offsetof(struct read_params, direct), "false",
      .help = "past the page cache, where the file system can" },
    { 0 },
};

struct reader {
    struct job *job;
    uint64_t max_bytes;
    int flags; /* to open with */
};

static int fail(struct item *item, const struct reader *r, int error)
{
    char size[32];
    struct rlimit files;
    const char *text = strerror(-error);
    switch (-error) {
    case ENOENT:
        return weft_fail(item, error,
                         "%s (deleted since it was listed, or a link that "
                         "leads nowhere)",
                         text);
    case EMFILE:
        getrlimit(RLIMIT_NOFILE, &files);
        return weft_fail(item, error,
                         "%s: the limit is %llu (see ulimit -n, or lower "
                         "inflight)",
                         text, (unsigned long long)files.rlim_cur);
    case EFBIG:
        return weft_fail(item, error, "larger than %s (max_bytes)",
                         text_bytes(size, sizeof size, r->max_bytes));
    case EINVAL:
        return weft_fail(item, error, "not a regular file");
    default:
        return weft_fail(item, error, "%s", text);
    }
}

/* What follows the last dot of the name, as it is written there. */
static const char *extension(const char *key)
{
    const char *slash = strrchr(key, '/');
    const char *name = slash ? slash + 1 : key;
    const char *dot = strrchr(name, '.');
    return dot && dot != name && dot[1] ? dot + 1 : "bin";
}

/* The buffer may have moved, whether or not the file could be read. */
static int finish(struct item *item, int rc)
{
    const struct reader *r = item->op;
    item->bytes.data = item->io.data;
    item->bytes.room = item->io.room;
    item->bytes.size = rc ? 0 : item->io.bytes;
    if (rc)
        return fail(item, r, rc);
    item->extension = extension(item->key);
    item->source_size = item->bytes.size;
    item->source_xxh3 = XXH3_64bits(item->bytes.data, item->bytes.size);
    atomic_fetch_add_explicit(&r->job->bytes_read, item->bytes.size,
                              memory_order_relaxed);
    return 0;
}

static void done(weft_worker *self, struct weft_io *io, int rc)
{
    weft_complete(self, io->ctx, finish(io->ctx, rc));
}

static int read_item(weft_worker *self, void *item_, void *state)
{
    struct reader *r = state;
    struct item *item = item_;
    item->op = r;
    item->io = (struct weft_io){ .op = WEFT_IO_LOAD,
                                 .path = item->path,
                                 .flags = r->flags,
                                 .data = item->bytes.data,
                                 .room = item->bytes.room,
                                 .limit = r->max_bytes,
                                 .done = done,
                                 .ctx = item };
    int rc = weft_io_start(self, &item->io);
    return rc == WEFT_PENDING ? rc : finish(item, rc);
}

static int read_open(void **state, struct job *job, const void *params_,
                     weft_error *why)
{
    const struct read_params *p = params_;
    struct reader *r = malloc(sizeof *r);
    if (!r)
        return op_error(why, -ENOMEM, "no memory");
    *r = (struct reader){ job, p->max_bytes, p->direct ? O_DIRECT : 0 };
    *state = r;
    return 0;
}

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
    .open = read_open,
    .fn = read_item,
    .destroy = free,
};

/* file_write.c: file.write, a file for each item.
 *
 * What the key may do is decided in name.c: it leads down from the pattern's
 * folder, never out of it. Folders are made as they are needed, and no link
 * that somebody has put there is followed (beneath.c). Of two items
 * with one name the first to come is written; which one that is depends on the
 * order only where the stage has one token and keeps the input's. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/beneath.h"
#include "cli/ops/claims.h"
#include "cli/ops/name.h"
#include "cli/ops/ops.h"
#include "cli/ops/pattern.h"
#include "cli/ops/pool.h"
#include "cli/publish.h"
#include "cli/resume.h"

struct write_params {
    char *pattern;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct write_params, pattern),
      .help = "the files' names, such as out/{key}.{ext}; {key} is the path "
              "below the source without its extension, {ext} what the bytes "
              "are" },
    { 0 },
};

struct files {
    struct job *job;
    const struct write_params *params;
    int folder;    /* above the first placeholder; -1: none, in a dry run */
    size_t prefix; /* of the pattern: what names that folder */
    struct pool pool;
    pthread_mutex_t lock; /* of the claims */
    struct claims claims;
    _Atomic uint64_t written;
};

/* An item on its way to the disk. */
struct file {
    struct pooled pooled;
    struct files *all;
    struct item *item;
    uint64_t number; /* the item's */
    struct buffer path;
    struct publish out;
};

static void free_file(void *file)
{
    struct file *f = file;
    buffer_free(&f->path);
}

/* The pattern with the item's words in their places. */
static int make_path(struct file *f, const struct item *item)
{
    static const char key[] = "{key}", ext[] = "{ext}";
    const char *c = f->all->params->pattern;
    const char *extension = name_extension(item->extension);
    int rc = 0;
    f->path.size = 0;
    while (!rc && *c) {
        if (!strncmp(c, key, sizeof key - 1)) {
            rc = name_from_key(&f->path, item->key, '.');
            c += sizeof key - 1;
        } else if (!strncmp(c, ext, sizeof ext - 1)) {
            rc = buffer_append(&f->path, extension, strlen(extension));
            c += sizeof ext - 1;
        } else {
            rc = buffer_append(&f->path, c++, 1);
        }
    }
    return rc ? rc : buffer_append(&f->path, "", 1);
}

static int claim(struct file *f, struct item *item)
{
    struct files *all = f->all;
    const char *path = (const char *)f->path.data, *other = NULL;
    const char *name = path + all->prefix;
    pthread_mutex_lock(&all->lock);
    int rc = claims_take(&all->claims, name, strlen(name), item->key, &other);
    pthread_mutex_unlock(&all->lock);
    if (rc == -EEXIST)
        return weft_fail(item, rc, "%s is already that of %s", path, other);
    return rc;
}

/* The file that the item came from is not replaced: it would be gone. */
static int spare_source(struct file *f, struct item *item)
{
    const char *path = (const char *)f->path.data;
    struct stat source, target;
    if (!fstatat(f->out.folder, f->out.name, &target, 0) &&
        !stat(item->path, &source) && target.st_dev == source.st_dev &&
        target.st_ino == source.st_ino)
        return weft_fail(item, -EEXIST,
                         "%s is the file it was made from; write to another "
                         "folder, or change the pattern",
                         path);
    return 0;
}

static int fail(struct file *f, int rc)
{
    const char *path = (const char *)f->path.data;
    const char *doing = publish_doing(&f->out), *reason = strerror(-rc);
    if (rc == -ELOOP)
        return weft_fail(f->item, rc,
                         "cannot create %s: a folder of it is a symbolic link, "
                         "and below the output folder none is followed",
                         path);
    if (publish_is_fatal(rc))
        job_fatal(f->all->job, rc, "cannot %s %s: %s", doing, path, reason);
    return weft_fail(f->item, rc, "cannot %s %s: %s", doing, path, reason);
}

static int finish(struct file *f, int rc)
{
    struct files *all = f->all;
    if (rc) {
        fail(f, rc);
    } else {
        atomic_fetch_add(&all->written, 1);
        atomic_fetch_add(&all->job->bytes_written, f->out.size);
    }
    publish_discard(&f->out);
    close(f->out.folder);
    pool_give(&all->pool, f);
    return rc;
}

static void written(weft_worker *self, void *file, int rc)
{
    struct file *f = file;
    struct item *item = f->item;
    weft_complete(self, item, finish(f, rc));
}

/* What the journal is to say of it. */
static void note(struct file *f, const struct item *item, const char *name)
{
    f->number = item->number;
    f->out.note = (struct publish_note){
        .name = name, .unit = f->number, .items = &f->number, .item_count = 1
    };
}

static int begin(struct file *f, struct item *item)
{
    int rc = make_path(f, item);
    if (rc)
        return weft_fail(item, rc, "no memory");
    rc = claim(f, item);
    if (rc)
        return rc;
    const char *path = (const char *)f->path.data;
    int folder = beneath_folder(f->all->folder, path + f->all->prefix);
    rc = folder;
    if (folder >= 0)
        rc = publish_init(&f->out, folder, path, f->all->job->journal);
    if (rc) {
        f->out.step = PUBLISH_OPEN;
        rc = fail(f, rc);
    } else {
        note(f, item, path + f->all->prefix);
        rc = spare_source(f, item);
    }
    if (rc && folder >= 0)
        close(folder);
    return rc;
}

static int write_item(weft_worker *self, void *item_, void *state)
{
    struct files *all = state;
    struct item *item = item_;
    struct file *f = pool_take(&all->pool);
    if (!f)
        return weft_fail(item, -ENOMEM, "no memory");
    f->all = all;
    f->item = item;
    int rc = begin(f, item);
    if (rc) {
        pool_give(&all->pool, f);
        return rc;
    }
    f->out.done = written;
    f->out.ctx = f;
    rc = publish_write(self, &f->out, item->bytes.data, item->bytes.size, true);
    return rc == WEFT_PENDING ? rc : finish(f, rc);
}

static void write_destroy(void *state)
{
    struct files *all = state;
    if (all->folder >= 0)
        close(all->folder);
    pool_finish(&all->pool);
    claims_finish(&all->claims);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static int write_restore(void *state, const struct item *item, const char *name)
{
    struct files *all = state;
    const char *other;
    int rc = claims_take(&all->claims, name, strlen(name), item->key, &other);
    return rc == -EEXIST ? 0 : rc;
}

static int write_open(void **state, struct job *job, const void *params_,
                      weft_error *why)
{
    const struct write_params *p = params_;
    struct files *all = calloc(1, sizeof *all);
    if (!all)
        return op_error(why, -ENOMEM, "no memory");
    all->job = job;
    all->params = p;
    all->prefix = pattern_folder(p->pattern, false);
    pool_init(&all->pool, sizeof(struct file), free_file);
    pthread_mutex_init(&all->lock, NULL);
    int rc = op_folder(&all->folder, job, p->pattern, false, why);
    if (rc) {
        write_destroy(all);
        return rc;
    }
    *state = all;
    return 0;
}

static void write_published(const void *state, uint64_t *items, uint64_t *files)
{
    const struct files *all = state;
    *items = *files = all->written;
}

/* Behind the first placeholder; before it the user says where to write. */
static bool goes_up(const char *pattern)
{
    for (const char *part = pattern + pattern_folder(pattern, false); part;) {
        if (!strncmp(part, "..", 2) && (part[2] == '/' || !part[2]))
            return true;
        const char *slash = strchr(part, '/');
        part = slash ? slash + 1 : NULL;
    }
    return false;
}

static void write_check(const void *params_,
                        void (*bad)(void *ctx, const char *param,
                                    const char *text),
                        void *ctx)
{
    const struct write_params *p = params_;
    size_t length = strlen(p->pattern);
    if (!strstr(p->pattern, "{key}"))
        bad(ctx, "pattern", "needs {key}, or all items would have one name");
    else if (p->pattern[length - 1] == '/')
        bad(ctx, "pattern", "names a folder; a file's name must follow");
    else if (goes_up(p->pattern))
        bad(ctx, "pattern",
            "has a '..' behind its first {...}, which would lead out of its "
            "folder");
}

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
    .check = write_check,
    .open = write_open,
    .fn = write_item,
    .restore = write_restore,
    .published = write_published,
    .destroy = write_destroy,
};

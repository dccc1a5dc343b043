/* tar_shard.c: tar.shard, samples written to numbered tar files.
 *
 * Items come one at a time and in order, and what is written depends on them
 * alone, not on when they came: the same input gives the same bytes. libarchive
 * writes into a buffer; when that holds FLUSH bytes, or the shard is full, the
 * item that filled it waits for the disk, and with it the stage's only token.
 *
 * A shard of which a part cannot be written is lost with all its items, though
 * some of them were delivered before: it ends the run. One that a drain ended
 * early is published, but not noted in the journal: who resumes makes it again,
 * full, with the same items and more. The format is GNU's tar: its names are
 * bytes, whatever the locale.
 *
 * Where it finds no memory for a name libarchive ends the process, with a
 * sentence and the status 1, which here means that some items failed. Nobody
 * else does while shards are open: then the status becomes the right one. */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/ops/claims.h"
#include "cli/ops/name.h"
#include "cli/ops/ops.h"
#include "cli/ops/pattern.h"
#include "cli/ops/sample.h"
#include "cli/publish.h"
#include "cli/resume.h"

struct shard_params {
    char *pattern;
    uint64_t max_count, max_bytes;
};

static const struct param params[] = {
    { "pattern", PARAM_STRING, offsetof(struct shard_params, pattern),
      .help = "the shards' names, with one %d for their number, such as "
              "out/train-%06d.tar" },
    { "max_count", PARAM_COUNT, offsetof(struct shard_params, max_count),
      "1000", .unit = "items",
      .help = "a shard with so many is full; 0: no "
              "limit" },
    { "max_bytes", PARAM_SIZE, offsetof(struct shard_params, max_bytes), "0",
      .unit = "bytes",
      .help = "a shard with so many or more is full; 0: no "
              "limit" },
    { 0 },
};

enum { FLUSH = 1 << 20 };

struct shards {
    struct job *job;
    const struct shard_params *params;
    int folder;
    struct claims claims;
    struct buffer name, description; /* of the item that is being added */

    uint64_t begun;          /* shards, by this run */
    uint64_t number;         /* of the shard */
    struct buffer numbers;   /* of its items */
    char path[PATH_MAX];     /* its final name */
    struct archive *archive; /* NULL: between shards */
    struct archive_entry *entry;
    struct buffer waiting; /* bytes of it, not yet written */
    struct publish file;
    uint64_t count, size;
    bool lost; /* there was no memory for some of these bytes */
    bool last; /* the write under way completes it */
    bool broken;
    struct item *item; /* waits for the disk */

    _Atomic uint64_t items, files; /* published */
};

static struct shards *_Atomic open_shards;

static void end_as_environment(void)
{
    struct shards *s = open_shards;
    if (!s)
        return;
    publish_discard(&s->file);
    _exit(EXIT_ENVIRONMENT);
}

/* libarchive is not told of it: where a write has failed it does not free all
 * of the archive. */
static la_ssize_t collect(struct archive *a, void *state, const void *data,
                          size_t size)
{
    struct shards *s = state;
    if (!s->lost && buffer_append(&s->waiting, data, size))
        s->lost = true;
    s->size += size;
    return (la_ssize_t)size;
}

/* An archive that is thrown away gets its end as well: after archive_write_fail
 * libarchive would not free all of it either. */
static void end_archive(struct shards *s)
{
    archive_write_free(s->archive);
    s->archive = NULL;
    s->waiting.size = 0;
    s->numbers.size = 0;
    s->count = s->size = 0;
    s->lost = false;
}

/* The shard cannot be saved, nor can the run. */
static int lose(struct shards *s, int error, const char *doing,
                const char *reason)
{
    if (s->file.step == PUBLISH_NOTE || s->file.step == PUBLISH_SYNC_NOTE)
        job_fatal(s->job, error, "cannot %s %s: %s", doing, s->path, reason);
    else
        job_fatal(s->job, error,
                  "cannot %s %s: %s; its %" PRIu64 " items are not saved",
                  doing, s->path, reason, s->count);
    publish_discard(&s->file);
    if (s->archive)
        end_archive(s);
    s->broken = true;
    return error;
}

static int lose_archive(struct shards *s)
{
    const char *text = s->archive ? archive_error_string(s->archive) : NULL;
    return lose(s, -ENOMEM, "make", text ? text : "no memory");
}

static int begin(struct shards *s)
{
    s->number = resume_unit(s->job->resume, s->begun++);
    int rc =
        pattern_name(s->path, sizeof s->path, s->params->pattern, s->number);
    if (!rc)
        rc = publish_init(&s->file, s->folder, s->path, s->job->journal);
    if (rc)
        return lose(s, rc, "create", strerror(-rc));
    s->archive = archive_write_new();
    if (!s->archive || archive_write_set_format_gnutar(s->archive) ||
        archive_write_set_bytes_per_block(s->archive, 0) ||
        archive_write_open(s->archive, s, NULL, collect, NULL))
        return lose_archive(s);
    return 0;
}

/* Everything that could differ between two runs is left at zero. */
static int add_file(struct shards *s, const char *extension,
                    const struct buffer *bytes)
{
    size_t size = s->name.size;
    if (buffer_append(&s->name, ".", 1) ||
        buffer_append(&s->name, extension, strlen(extension) + 1))
        return -ENOMEM;
    archive_entry_clear(s->entry);
    archive_entry_set_pathname(s->entry, (const char *)s->name.data);
    archive_entry_set_size(s->entry, (la_int64_t)bytes->size);
    archive_entry_set_filetype(s->entry, AE_IFREG);
    archive_entry_set_perm(s->entry, 0644);
    archive_entry_set_mtime(s->entry, 0, 0);
    s->name.size = size;
    if (archive_write_header(s->archive, s->entry) != ARCHIVE_OK ||
        archive_write_data(s->archive, bytes->data, bytes->size) < 0 ||
        archive_write_finish_entry(s->archive) != ARCHIVE_OK)
        return -ENOMEM;
    return s->lost ? -ENOMEM : 0;
}

static bool is_full(const struct shards *s)
{
    const struct shard_params *p = s->params;
    return (p->max_count && s->count >= p->max_count) ||
           (p->max_bytes && s->size >= p->max_bytes);
}

/* The bytes that were waiting are on disk, or will never be. */
static int written(struct shards *s, int rc)
{
    if (rc)
        return lose(s, rc, publish_doing(&s->file), strerror(-rc));
    atomic_fetch_add_explicit(&s->job->bytes_written, s->waiting.size,
                              memory_order_relaxed);
    s->waiting.size = 0;
    if (!s->last)
        return 0;
    atomic_fetch_add_explicit(&s->items, s->count, memory_order_relaxed);
    atomic_fetch_add_explicit(&s->files, 1, memory_order_relaxed);
    end_archive(s);
    return 0;
}

static void flushed(weft_worker *self, void *state, int rc)
{
    struct shards *s = state;
    struct item *item = s->item; /* the next one comes when it is completed */
    weft_complete(self, item, written(s, rc));
}

/* Short: ended by the end of the items, or by a drain. */
static void note_items(struct shards *s)
{
    struct publish_note *note = &s->file.note;
    bool noted = is_full(s) || s->job->complete;
    note->name = noted ? s->file.name : NULL;
    note->unit = s->number;
    note->items = buffer_sorted(&s->numbers, &note->item_count);
    note->sync = !s->job->in_order;
}

/* On the main thread, with self NULL, it waits. */
static int flush(weft_worker *self, struct shards *s, bool last)
{
    if (last && (archive_write_close(s->archive) != ARCHIVE_OK || s->lost))
        return lose_archive(s);
    if (last)
        note_items(s);
    s->last = last;
    s->file.done = flushed;
    s->file.ctx = s;
    int rc =
        publish_write(self, &s->file, s->waiting.data, s->waiting.size, last);
    return rc == WEFT_PENDING ? rc : written(s, rc);
}

/* Chooses the sample's names; they may be taken. */
static int claim(struct shards *s, struct item *item)
{
    const char *other = NULL;
    s->name.size = 0;
    int rc = name_from_key(&s->name, item->key, '_');
    if (!rc)
        rc = claims_take(&s->claims, (const char *)s->name.data, s->name.size,
                         item->key, &other);
    if (!rc)
        rc = sample_describe(&s->description, item);
    if (rc == -EEXIST)
        return weft_fail(item, rc, "its key %.*s is that of %s",
                         (int)s->name.size, (const char *)s->name.data, other);
    return rc ? weft_fail(item, rc, "no memory") : 0;
}

static int put(weft_worker *self, void *item_, void *state)
{
    struct shards *s = state;
    struct item *item = item_;
    const char *extension = name_extension(item->extension);
    if (s->broken)
        return weft_fail(item, -EIO, "%s could not be written", s->path);
    if (!strcmp(extension, "json"))
        return weft_fail(item, -EINVAL,
                         "its bytes are json, which is the name of the "
                         "sample's description");
    int rc = claim(s, item);
    if (rc)
        return rc;
    if (!s->archive)
        rc = begin(s);
    if (rc)
        return rc;
    if (add_file(s, extension, &item->bytes) ||
        add_file(s, "json", &s->description) ||
        buffer_add(&s->numbers, item->number))
        return lose_archive(s);
    s->count++;
    s->item = item;
    bool full = is_full(s);
    return full || s->waiting.size >= FLUSH ? flush(self, s, full) : 0;
}

static void shard_destroy(void *state)
{
    struct shards *s = state;
    open_shards = NULL;
    archive_entry_free(s->entry);
    claims_finish(&s->claims);
    buffer_free(&s->name);
    buffer_free(&s->description);
    buffer_free(&s->waiting);
    buffer_free(&s->numbers);
    if (s->folder >= 0)
        close(s->folder);
    free(s);
}

static int shard_open(void **state, struct job *job, const void *params_,
                      weft_error *why)
{
    const struct shard_params *p = params_;
    struct shards *s = calloc(1, sizeof *s);
    if (!s || atexit(end_as_environment)) {
        free(s);
        return op_error(why, -ENOMEM, "no memory");
    }
    s->job = job;
    s->params = p;
    s->folder = -1;
    s->file.fd = -1;
    open_shards = s;
    s->entry = archive_entry_new();
    int rc = s->entry ? op_folder(&s->folder, job, p->pattern, true, why)
                      : op_error(why, -ENOMEM, "no memory");
    if (rc) {
        shard_destroy(s);
        return rc;
    }
    *state = s;
    return 0;
}

static bool has_shard(const struct shards *s, uint64_t number,
                      char path[PATH_MAX])
{
    struct stat st;
    return !pattern_name(path, PATH_MAX, s->params->pattern, number) &&
           !lstat(path, &st);
}

static int shard_restore(void *state, const struct item *item, const char *name)
{
    struct shards *s = state;
    const char *other;
    s->name.size = 0;
    int rc = name_from_key(&s->name, item->key, '_');
    if (!rc)
        rc = claims_take(&s->claims, (const char *)s->name.data, s->name.size,
                         item->key, &other);
    return rc == -EEXIST ? 0 : rc;
}

static uint64_t shard_older(const void *state)
{
    const struct shards *s = state;
    char path[PATH_MAX];
    uint64_t count = 0;
    while (!s->job->in_order && has_shard(s, count, path))
        count++;
    return count;
}

/* A shard that the journal has not heard of is replaced. In the order of the
 * source it gets the same items. In any other its items go to the shards that
 * are made now, and there may be fewer of those: then some would be in two.
 * There is at most one such shard, unless the journal has lost lines; what is
 * older than the run is no sign of that. */
static int shard_resume(void *state, weft_error *why)
{
    struct shards *s = state;
    const struct resume *resume = s->job->resume;
    char path[PATH_MAX];
    uint64_t nth = 1;
    while (resume_unit(resume, nth) < resume->older)
        nth++;
    if (s->job->in_order || !has_shard(s, resume_unit(resume, nth), path))
        return 0;
    return op_error(why, -EEXIST,
                    "%s is not in the journal, and its items may be given "
                    "again; move it away, or, to do all again, remove the "
                    "journal",
                    path);
}

/* An earlier, longer run may have left shards that this one did not replace. It
 * is not ours to remove them, nor to keep quiet about them. */
static void note_leftovers(const struct shards *s, weft_error *why)
{
    char path[PATH_MAX];
    if (has_shard(s, resume_unit(s->job->resume, s->begun), path))
        op_error(why, 0, "%s was there before; it is not of this run", path);
}

static int shard_close(void *state, bool commit, weft_error *why)
{
    struct shards *s = state;
    why->text[0] = '\0';
    if (s->archive && !commit) {
        publish_discard(&s->file);
        end_archive(s);
    }
    int rc = s->archive ? flush(NULL, s, true) : 0;
    if (rc)
        return op_error(why, rc, "%s", s->job->fatal_text);
    if (commit && !s->broken && s->folder >= 0)
        note_leftovers(s, why);
    return 0;
}

static void shard_published(const void *state, uint64_t *items, uint64_t *files)
{
    const struct shards *s = state;
    *items = s->items;
    *files = s->files;
}

static void shard_check(const void *params_,
                        void (*bad)(void *ctx, const char *param,
                                    const char *text),
                        void *ctx)
{
    const struct shard_params *p = params_;
    const char *problem = pattern_problem(p->pattern);
    if (problem)
        bad(ctx, "pattern", problem);
}

const struct op op_tar_shard = {
    .name = "tar.shard",
    .help = "WebDataset shards: for each item KEY.EXTENSION and KEY.json",
    .kind = OP_STAGE,
    .takes = CARRIES_BYTES,
    .gives = CARRIES_NOTHING,
    .param_bytes = sizeof(struct shard_params),
    .params = params,
    .tokens = 1,
    .ordered = true,
    .serial = true,
    .numbered = true,
    .check = shard_check,
    .open = shard_open,
    .fn = put,
    .restore = shard_restore,
    .older = shard_older,
    .resume = shard_resume,
    .close = shard_close,
    .published = shard_published,
    .destroy = shard_destroy,
};

/* publish.c: a file appears under its name whole, or not at all.
 *
 * The file is written under a temporary name in the same folder, synced, then
 * renamed: a rename replaces the name at one instant, and after a crash the
 * name stands for the old file or for the new one, with all its bytes. Syncing
 * the folder makes the rename itself last. Only then the journal hears of it.
 *
 * The temporary name is random, not made of the process id: containers that
 * share a folder all have process 1. The random part of a run with a journal is
 * the journal's, so that who goes on with it after a kill finds what the killed
 * one was writing, and writes that anew. Of a long name there is only room for
 * its beginning, which others may share: a hash of all of it is in the rest. */
#include "cli/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "cli/full.h"
#include "cli/journal.h"

/* All above it exist. Below one that was made all count. */
static int make_one(const char *path, uint64_t *made)
{
    bool is_made = !mkdir(path, 0777);
    if (!is_made && errno != EEXIST)
        return -errno;
    *made += is_made || *made;
    return 0;
}

static int make_all(char *path, uint64_t *made)
{
    for (char *slash = strchr(path + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = make_one(path, made);
        *slash = '/';
        if (rc)
            return rc;
    }
    return make_one(path, made);
}

int publish_folders_last(int folder, uint64_t made)
{
    int rc = 0, below = -1;
    for (; !rc && made; made--) {
        int above = openat(below < 0 ? folder : below, "..",
                           O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = above < 0 ? -errno : full_sync(above);
        if (below >= 0)
            close(below);
        below = above;
    }
    if (below >= 0)
        close(below);
    return rc;
}

int publish_folder(const char *path, uint64_t *made)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    if (slash) {
        size_t length = slash == path ? 1 : (size_t)(slash - path);
        if (length >= sizeof folder)
            return -ENAMETOOLONG;
        memcpy(folder, path, length);
        folder[length] = '\0';
    }
    int fd = open(folder, flags);
    if (made)
        *made = 0;
    if (fd < 0 && errno == ENOENT && made) {
        int rc = make_all(folder, made);
        if (rc)
            return rc;
        fd = open(folder, flags);
    }
    return fd < 0 ? -errno : fd;
}

static void name_temporary(struct publish *p, uint64_t random)
{
    uint64_t own = XXH3_64bits_withSeed(p->name, strlen(p->name), random);
    snprintf(p->temporary, sizeof p->temporary, ".%.200s.%016" PRIx64 ".tmp",
             p->name, own);
}

int publish_init(struct publish *p, int folder, const char *path,
                 struct journal *journal)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    uint64_t random = journal ? journal->id : 0;
    if (!*name)
        return -EINVAL;
    if (strlen(name) > NAME_MAX)
        return -ENAMETOOLONG;
    if (!journal && getrandom(&random, sizeof random, 0) < 0)
        return -errno;
    p->folder = folder;
    p->fd = -1;
    p->size = 0;
    p->exists = false;
    p->step = PUBLISH_OPEN;
    p->journal = journal;
    p->note = (struct publish_note){ 0 };
    snprintf(p->name, sizeof p->name, "%s", name);
    name_temporary(p, random);
    return 0;
}

static void done(weft_worker *self, struct weft_io *io, int rc);

static void prepare(struct publish *p)
{
    p->io = (struct weft_io){ .fd = p->fd, .done = done, .ctx = p };
    switch (p->step) {
    case PUBLISH_OPEN:
        p->io.op = WEFT_IO_OPEN;
        p->io.fd = p->folder;
        p->io.path = p->temporary;
        p->io.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
        p->io.mode = 0666;
        break;
    case PUBLISH_WRITE:
        p->io.op = WEFT_IO_WRITE;
        /* Only read. */
        p->io.data = (void *)(uintptr_t)p->data;
        p->io.bytes = p->bytes;
        p->io.offset = p->size;
        break;
    case PUBLISH_RENAME:
        p->io.op = WEFT_IO_RENAME;
        p->io.fd = p->folder;
        p->io.path = p->temporary;
        p->io.path2 = p->name;
        break;
    case PUBLISH_SYNC_FOLDER:
        p->io.fd = p->folder;
        p->io.op = WEFT_IO_FSYNC;
        break;
    case PUBLISH_SYNC_NOTE:
        p->io.fd = p->journal->fd;
        p->io.op = WEFT_IO_FSYNC;
        break;
    default:
        p->io.op = WEFT_IO_FSYNC;
    }
}

static int perform_once(struct weft_io *io)
{
    switch (io->op) {
    case WEFT_IO_OPEN:
        io->result = openat(io->fd, io->path, io->flags, io->mode);
        return io->result < 0 ? -errno : 0;
    case WEFT_IO_WRITE:
        return full_pwrite(io->fd, io->data, io->bytes, (off_t)io->offset);
    case WEFT_IO_RENAME:
        return renameat(io->fd, io->path, io->fd, io->path2) ? -errno : 0;
    default:
        return full_sync(io->fd);
    }
}

/* What weft_io_start does, for the main thread, which may wait. */
static int perform_here(struct weft_io *io)
{
    int rc;
    do
        rc = perform_once(io);
    while (rc == -EINTR); /* it has done nothing */
    return rc;
}

/* A step has succeeded: which is next? */
static enum publish_step after(struct publish *p)
{
    switch (p->step) {
    case PUBLISH_OPEN:
        p->fd = (int)p->io.result;
        p->exists = true;
        return PUBLISH_WRITE;
    case PUBLISH_WRITE:
        p->size += p->bytes;
        p->bytes = 0;
        return p->last ? PUBLISH_SYNC : PUBLISH_DONE;
    case PUBLISH_SYNC:
        close(p->fd);
        p->fd = -1;
        return PUBLISH_RENAME;
    case PUBLISH_RENAME:
        p->exists = false;
        return PUBLISH_SYNC_FOLDER;
    case PUBLISH_SYNC_FOLDER:
        return p->note.name ? PUBLISH_NOTE : PUBLISH_DONE;
    case PUBLISH_NOTE:
        return p->note.sync ? PUBLISH_SYNC_NOTE : PUBLISH_DONE;
    default:
        return PUBLISH_DONE;
    }
}

/* A line into the page cache: no worker waits for a disk. */
static int put_note(const struct publish *p)
{
    return journal_put(p->journal,
                       &(struct record){ .kind = RECORD_OUT,
                                         .unit = (int64_t)p->note.unit,
                                         .items = p->note.items,
                                         .item_count = p->note.item_count,
                                         .text = p->note.name });
}

static int take_step(weft_worker *self, struct publish *p)
{
    if (p->step == PUBLISH_WRITE && !p->bytes)
        return 0;
    if (p->step == PUBLISH_NOTE)
        return put_note(p);
    prepare(p);
    return self ? weft_io_start(self, &p->io) : perform_here(&p->io);
}

/* A step has ended: does it go on? Of a file that is there already the run that
 * this one goes on with was killed while it wrote it: what it left goes. */
static bool moves(struct publish *p, int rc)
{
    if (!rc) {
        p->step = after(p);
        return true;
    }
    if (p->step == PUBLISH_SYNC_NOTE && rc != WEFT_PENDING)
        journal_break(p->journal, rc);
    return rc == -EEXIST && p->step == PUBLISH_OPEN && p->journal &&
           !unlinkat(p->folder, p->temporary, 0);
}

static int go_on(weft_worker *self, struct publish *p)
{
    while (p->step != PUBLISH_DONE) {
        int rc = take_step(self, p);
        if (!moves(p, rc))
            return rc;
    }
    return 0;
}

static void done(weft_worker *self, struct weft_io *io, int rc)
{
    struct publish *p = io->ctx;
    if (moves(p, rc))
        rc = go_on(self, p);
    if (rc != WEFT_PENDING)
        p->done(self, p->ctx, rc);
}

int publish_write(weft_worker *self, struct publish *p, const void *data,
                  size_t bytes, bool last)
{
    p->data = data;
    p->bytes = bytes;
    p->last = last;
    p->step = p->fd < 0 ? PUBLISH_OPEN : PUBLISH_WRITE;
    return go_on(self, p);
}

const char *publish_doing(const struct publish *p)
{
    static const char *const words[] = {
        [PUBLISH_OPEN] = "create",       [PUBLISH_WRITE] = "write",
        [PUBLISH_SYNC] = "sync",         [PUBLISH_RENAME] = "rename",
        [PUBLISH_SYNC_FOLDER] = "sync",  [PUBLISH_NOTE] = "journal",
        [PUBLISH_SYNC_NOTE] = "journal", [PUBLISH_DONE] = "write",
    };
    return words[p->step];
}

void publish_discard(struct publish *p)
{
    if (p->fd >= 0)
        close(p->fd);
    if (p->exists)
        unlinkat(p->folder, p->temporary, 0);
    p->fd = -1;
    p->exists = false;
}

bool publish_is_fatal(int error)
{
    return error != -ENAMETOOLONG && error != -EISDIR && error != -ENOTDIR &&
           error != -ELOOP;
}

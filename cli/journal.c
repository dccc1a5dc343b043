/* journal.c: the file in which a run notes what it has published.
 *
 * Its head is on disk, and its name in its folder, before anything is written
 * for the job: temporary files are named after it, and if it were lost nobody
 * would know them. A line that was noted after what it tells of was on disk is
 * right whenever it is found, and one that is lost costs the time to do it
 * again. So lines are written at once, for a process that is killed keeps them,
 * but synced only now and then, beside the work: the first time with what the
 * folders that were made for the outputs lie in, for without these there is
 * neither a journal nor what it tells of. An error is for good: after a short
 * write a line would follow half a line, and after an fsync that failed nobody
 * knows what is on the disk. */
#include "cli/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/full.h"
#include "cli/publish.h"

void journal_init(struct journal *j, const char *path)
{
    *j = (struct journal){ .folder = -1, .fd = -1 };
    snprintf(j->path, sizeof j->path, "%s", path);
    pthread_mutex_init(&j->lock, NULL);
}

static void close_file(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void journal_finish(struct journal *j)
{
    close_file(&j->fd);
    close_file(&j->folder);
    buffer_free(&j->line);
    pthread_mutex_destroy(&j->lock);
}

static const char *name_of(const struct journal *j)
{
    const char *slash = strrchr(j->path, '/');
    return slash ? slash + 1 : j->path;
}

/* Where there are no locks, it is taken without. */
static int lock(int fd)
{
    if (!flock(fd, LOCK_EX | LOCK_NB) || errno == ENOLCK || errno == ENOSYS ||
        errno == EOPNOTSUPP)
        return 0;
    return -errno;
}

/* Between opening and locking, the run that had it may have removed it. */
static bool is_removed(int fd)
{
    struct stat st;
    return !fstat(fd, &st) && !st.st_nlink;
}

static int open_file(struct journal *j, int flags)
{
    if (j->folder < 0)
        j->folder = publish_folder(j->path, NULL);
    if (j->folder < 0)
        return j->folder;
    int fd =
        openat(j->folder, name_of(j), O_CLOEXEC | O_NOFOLLOW | flags, 0666);
    return fd < 0 ? -errno : fd;
}

static int open_locked(struct journal *j, int flags)
{
    for (;;) {
        int fd = open_file(j, O_RDWR | O_APPEND | flags);
        if (fd < 0)
            return fd;
        int rc = lock(fd);
        if (!rc && !is_removed(fd)) {
            j->fd = fd;
            return 0;
        }
        close(fd);
        if (rc)
            return rc;
    }
}

int journal_open(struct journal *j) { return open_locked(j, 0); }

int journal_open_to_read(struct journal *j)
{
    int fd = open_file(j, O_RDONLY);
    if (fd < 0)
        return fd;
    j->fd = fd;
    return 0;
}

int journal_load(struct journal *j, struct buffer *out)
{
    enum { STEP = 1 << 16 };
    out->size = 0;
    for (;;) {
        if (buffer_reserve(out, out->size + STEP))
            return -ENOMEM;
        ssize_t n = pread(j->fd, out->data + out->size, STEP, (off_t)out->size);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        out->size += n > 0 ? (size_t)n : 0;
    }
}

/* What all else that the run writes relies on. */
static int settle(struct journal *j)
{
    int rc = full_sync(j->fd);
    return rc ? rc : full_sync(j->folder);
}

int journal_cut(struct journal *j, const struct journal_head *head,
                uint64_t size, uint64_t chain)
{
    if (ftruncate(j->fd, (off_t)size))
        return -errno;
    j->id = head->id;
    j->above = head->made;
    j->chain = chain;
    j->kept = true;
    j->dirty = j->is_new = true; /* who was killed may not have come to it */
    return settle(j);
}

static int append(struct journal *j)
{
    int rc = full_write(j->fd, j->line.data, j->line.size);
    j->line.size = 0;
    j->dirty = true;
    return rc;
}

static int fill(struct journal *j, const struct journal_head *head)
{
    j->id = head->id;
    j->above = head->made;
    j->chain = 0;
    j->line.size = 0;
    int rc = ftruncate(j->fd, 0) ? -errno : 0;
    if (!rc)
        rc = record_put_head(&j->line, &j->chain, head);
    if (!rc)
        rc = append(j);
    j->is_new = true;
    return rc;
}

int journal_create(struct journal *j, struct journal_head *head)
{
    int rc = j->fd >= 0 ? 0 : open_locked(j, O_CREAT | O_EXCL);
    if (rc) /* a write may be told -EAGAIN, too: that is no lock */
        return rc == -EWOULDBLOCK ? -EEXIST : rc;
    if (getrandom(&head->id, sizeof head->id, 0) < 0)
        return -errno;
    rc = fill(j, head);
    if (!rc)
        rc = settle(j);
    if (rc)
        unlinkat(j->folder, name_of(j), 0);
    return rc;
}

int journal_put(struct journal *j, const struct record *record)
{
    pthread_mutex_lock(&j->lock);
    int rc = j->broken;
    if (!rc)
        rc = record_put(&j->line, &j->chain, record);
    if (!rc)
        rc = append(j);
    j->kept |= !rc;
    j->broken = rc;
    pthread_mutex_unlock(&j->lock);
    return rc;
}

void journal_break(struct journal *j, int error)
{
    pthread_mutex_lock(&j->lock);
    if (!j->broken)
        j->broken = error;
    pthread_mutex_unlock(&j->lock);
}

static int sync_all(struct journal *j, bool is_new)
{
    int rc = full_sync(j->fd);
    return rc || !is_new ? rc : publish_folders_last(j->folder, j->above);
}

int journal_sync(struct journal *j)
{
    pthread_mutex_lock(&j->lock);
    bool dirty = j->dirty, is_new = j->is_new;
    int rc = j->broken;
    j->dirty = j->is_new = false;
    pthread_mutex_unlock(&j->lock);
    if (rc || !dirty)
        return rc;
    rc = sync_all(j, is_new);
    if (rc)
        journal_break(j, rc);
    return rc;
}

int journal_remove(struct journal *j)
{
    return unlinkat(j->folder, name_of(j), 0) ? -errno : 0;
}

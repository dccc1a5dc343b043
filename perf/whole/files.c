/* files.c: makes the files, and asks each contestant the same. */
#include "perf/whole/files.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char *text(const char *format, const char *folder, unsigned long n)
{
    char *made;

    if (asprintf(&made, format, folder, n) < 0)
        must(-ENOMEM, "no memory for a name");
    return made;
}

static uint64_t size_of(size_t i)
{
    uint64_t x = i * 6364136223846793005u + 1442695040888963407u;
    return FILE_LEAST + (x >> 33) % (FILE_MOST - FILE_LEAST + 1);
}

static void write_file(const char *path, uint64_t bytes)
{
    static char data[1 << 20];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        must(-errno, path);
    for (size_t i = 0; i < sizeof data; i += 8)
        memcpy(data + i, &(uint64_t){ i * 0x9e3779b97f4a7c15u + bytes }, 8);
    while (bytes) {
        size_t part = bytes < sizeof data ? bytes : sizeof data;
        ssize_t wrote = write(fd, data, part);
        if (wrote < 0)
            must(-errno, path);
        bytes -= (uint64_t)wrote;
    }
    if (close(fd))
        must(-errno, path);
}

/* Under their final name they are all there, and on the disk. */
static void make(const struct files *f)
{
    char *now = text("%s.new-%lu", f->folder, (unsigned long)getpid());

    if (mkdir(now, 0700))
        must(-errno, now);
    for (size_t i = 0; i < f->count; i++) {
        char *path = text("%s/%05lu", now, i);
        write_file(path, size_of(i));
        free(path);
    }
    char *large = text("%s/large", now, 0);
    write_file(large, (uint64_t)f->blocks * BLOCK);
    free(large);
    sync();
    if (rename(now, f->folder))
        must(-errno, f->folder);
    free(now);
}

struct files files_open(const struct whole *w)
{
    struct files f = { .count = whole_size(w, FILES), .blocks = BLOCKS };
    char own[] = "/var/tmp/weft-files-XXXXXX";

    f.temporary = !w->folder;
    if (f.temporary && !mkdtemp(own))
        must(-errno, own);
    while (f.blocks > MOST_DEPTH && f.blocks > whole_size(w, BLOCKS))
        f.blocks /= 2;
    f.folder = text("%s/files-%lu", w->folder ? w->folder : own, w->percent);
    f.large = text("%s/large", f.folder, 0);
    f.paths = calloc(f.count, sizeof *f.paths);
    must(f.paths ? 0 : -ENOMEM, "no memory for the names");
    for (size_t i = 0; i < f.count; i++) {
        f.paths[i] = text("%s/%05lu", f.folder, i);
        f.bytes += size_of(i);
    }
    if (access(f.folder, F_OK))
        make(&f);
    return f;
}

static int remove_one(const char *path, const struct stat *st, int type,
                      struct FTW *ftw)
{
    return remove(path);
}

void files_close(struct files *f)
{
    if (f->temporary) {
        *strrchr(f->folder, '/') = '\0';
        nftw(f->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    }
    for (size_t i = 0; i < f->count; i++)
        free(f->paths[i]);
    free(f->paths);
    free(f->folder);
    free(f->large);
}

static void evict(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        must(-errno, path);
    must(-posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), path);
    close(fd);
}

void files_evict(const struct files *f)
{
    for (size_t i = 0; i < f->count; i++)
        evict(f->paths[i]);
}

void files_evict_large(const struct files *f) { evict(f->large); }

void files_check(const struct files *f, uint64_t bytes_read)
{
    must(bytes_read == f->bytes ? 0 : -EIO, "not all files were read whole");
}

void files_tell_loads(const struct whole *w, const struct files *f,
                      files_load_fn *fn)
{
    fn(w, f); /* warm-up: threads, buffers, and the names in the cache */
    files_evict(f);
    for (int warm = 0; warm < 2; warm++) {
        const char *name = warm ? "cached" : "cold";
        uint64_t cpu = cpu_ns(), ns = fn(w, f);
        cpu = cpu_ns() - cpu;
        whole_tell(w, name, "load", "files/s", files_per_second(f->count, ns));
        whole_tell(w, name, "CPU", "us/file",
                   (double)cpu / 1e3 / (double)f->count);
    }
}

static void tell_depth(const struct whole *w, const struct files *f,
                       struct reads *r, files_reads_fn *fn)
{
    char name[64];
    int fd = open(f->large, O_RDONLY | O_CLOEXEC | r->flags);

    if (fd < 0 && errno == EINVAL && r->flags & O_DIRECT)
        return; /* a file system that cannot do it */
    if (fd < 0)
        must(-errno, f->large);
    must(-posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM), f->large);
    r->count = (uint32_t)whole_size(w, MOST_READS);
    if (r->count > r->depth * 1024)
        r->count = r->depth * 1024; /* one at a time they take long */
    if (r->count < r->depth)
        r->count = r->depth;
    if (r->count > f->blocks)
        r->count = f->blocks;
    files_evict_large(f);
    uint64_t ns = fn(w, f, r, fd);
    close(fd);
    snprintf(name, sizeof name, "%s, depth %u", r->name, r->depth);
    whole_tell(w, name, "read 4 KiB", "reads/s",
               files_per_second(r->count, ns));
}

void files_tell_reads(const struct whole *w, const struct files *f,
                      files_reads_fn *fn)
{
    struct reads ways[] = { { .name = "buffered", .flags = 0 },
                            { .name = "direct", .flags = O_DIRECT } };

    for (int i = 0; i < 2; i++)
        for (unsigned depth = 1; depth <= MOST_DEPTH; depth *= 4) {
            ways[i].depth = depth;
            tell_depth(w, f, &ways[i], fn);
        }
}

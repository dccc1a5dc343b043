/* files_threads.c: files and blocks by threads that block, as one would write
 * it without a library: 16 for files, and 32, as many as the depth for blocks;
 * and a plain loop on each core, which is the floor where nothing has to be
 * waited for. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "perf/whole/files.h"

enum { THREADS = 16, MORE_THREADS = 32 };

/* What the threads share. */
struct crew {
    const struct files *files;
    _Atomic uint64_t next, bytes;
    uint64_t count;
    int fd;
};

static ssize_t load_one(const char *path, char *room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        must(-errno, path);
    ssize_t all = 0, got;
    while ((got = read(fd, room + all, (size_t)(FILE_MOST + 1 - all))) > 0)
        all += got;
    if (got < 0)
        must(-errno, path);
    close(fd);
    return all;
}

static void *load_some(void *crew_)
{
    struct crew *crew = crew_;
    char *room = malloc(FILE_MOST + 1);
    uint64_t i, bytes = 0;

    must(room ? 0 : -ENOMEM, "no memory for a file");
    while ((i = atomic_fetch_add(&crew->next, 1)) < crew->count)
        bytes += (uint64_t)load_one(crew->files->paths[i], room);
    atomic_fetch_add(&crew->bytes, bytes);
    free(room);
    return NULL;
}

static void *read_some(void *crew_)
{
    struct crew *crew = crew_;
    void *room = aligned_alloc(BLOCK, BLOCK);
    uint64_t i;

    must(room ? 0 : -ENOMEM, "no memory for a block");
    while ((i = atomic_fetch_add(&crew->next, 1)) < crew->count) {
        uint64_t offset = files_offset(crew->files, (uint32_t)i);
        if (pread(crew->fd, room, BLOCK, (off_t)offset) != BLOCK)
            must(-EIO, "a block cannot be read");
    }
    free(room);
    return NULL;
}

static uint64_t together(struct crew *crew, unsigned count,
                         void *(*fn)(void *crew))
{
    pthread_t threads[MOST_DEPTH];
    uint64_t began = wall_ns();

    for (unsigned i = 0; i < count; i++)
        must(-pthread_create(&threads[i], NULL, fn, crew), "no thread");
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    return wall_ns() - began;
}

static uint64_t load(const struct files *f, unsigned count)
{
    struct crew crew = { .files = f, .count = f->count };
    uint64_t ns = together(&crew, count, load_some);

    files_check(f, crew.bytes);
    return ns;
}

static uint64_t load_by_threads(const struct whole *w, const struct files *f)
{
    return load(f, THREADS);
}

static uint64_t load_by_more(const struct whole *w, const struct files *f)
{
    return load(f, MORE_THREADS);
}

static uint64_t load_by_loops(const struct whole *w, const struct files *f)
{
    return load(f, w->workers < MOST_DEPTH ? w->workers : MOST_DEPTH);
}

static uint64_t read_blocks(const struct whole *w, const struct files *f,
                            const struct reads *r, int fd)
{
    struct crew crew = { .files = f, .count = r->count, .fd = fd };
    return together(&crew, r->depth, read_some);
}

int main(int argc, char **argv)
{
    struct whole w = whole_begin(argc, argv, "files", "threads");
    struct whole more = w, loop = w;
    struct files f = files_open(&w);

    more.by = "threads, 32";
    loop.by = "plain loop";
    files_tell_loads(&w, &f, load_by_threads);
    files_tell_loads(&more, &f, load_by_more);
    files_tell_loads(&loop, &f, load_by_loops);
    files_tell_reads(&w, &f, read_blocks);
    files_close(&f);
}

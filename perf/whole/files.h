/* files.h: the files of the row: many small ones, to be read whole, and a large
 * one, to be read here and there. Made once, and the same each time. */
#ifndef WEFT_PERF_FILES_H
#define WEFT_PERF_FILES_H
#include "perf/whole/whole.h"

enum {
    FILES = 20000,
    FILE_LEAST = 10 << 10,
    FILE_MOST = 100 << 10,
    FILES_IN_FLIGHT = 64,
    BLOCK = 4096,
    BLOCKS = 1 << 17, /* of the large file: 512 MiB */
    MOST_DEPTH = 256,
    MOST_READS = 8192,
};

struct files {
    char *folder, *large;
    char **paths;
    size_t count;
    uint64_t bytes;  /* of all paths */
    uint32_t blocks; /* a power of two */
    bool temporary;
};

/* Finds them, or makes them. */
struct files files_open(const struct whole *w);
void files_close(struct files *f);

/* Out of the page cache with their contents; names and inodes stay. */
void files_evict(const struct files *f);
void files_evict_large(const struct files *f);

/* Fails where a contestant has not read it all. */
void files_check(const struct files *f, uint64_t bytes_read);

/* The i-th block that is read: no two are the same, nor near. */
static inline uint64_t files_offset(const struct files *f, uint32_t i)
{
    uint32_t mask = f->blocks - 1, x = i & mask;

    for (int turn = 0; turn < 3; turn++) {
        x = (x * 0x9e3779b1u + 0x7f4a7c15u) & mask;
        x ^= x >> 5;
    }
    return (uint64_t)x * BLOCK;
}

/* How a row of reads of the large file is done. */
struct reads {
    const char *name; /* "direct" or "buffered" */
    int flags;        /* to open it with */
    unsigned depth;
    uint32_t count;
};

/* Reads the blocks, and says how many nanoseconds it took. */
typedef uint64_t files_reads_fn(const struct whole *w, const struct files *f,
                                const struct reads *r, int fd);

/* Measures all depths, buffered and direct, cold. */
void files_tell_reads(const struct whole *w, const struct files *f,
                      files_reads_fn *fn);

/* Loads all files, and says how many nanoseconds it took. */
typedef uint64_t files_load_fn(const struct whole *w, const struct files *f);

/* Measures "cold", then "cached". */
void files_tell_loads(const struct whole *w, const struct files *f,
                      files_load_fn *fn);

static inline double files_per_second(uint64_t count, uint64_t ns)
{
    return (double)count * 1e9 / (double)ns;
}
#endif

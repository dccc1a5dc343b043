/* bare_loop.c: how fast are the codecs alone, on one thread?
 *
 *     bare_loop FOLDER
 *
 * Reads, decodes, resizes and encodes every JPEG below the folder, one after
 * the other, with the command's own codec: what the main job does to a photo,
 * and nothing else. No scheduler, no hash, no shards. */
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <strings.h>
#include <turbojpeg.h>
#include <unistd.h>

#include "cli/image/codec.h"
#include "cli/image/heap.h"
#include "perf/bench.h"

static char **paths;
static size_t path_count;

static int note(const char *path, const struct stat *st, int type,
                struct FTW *ftw)
{
    const char *dot = strrchr(path, '.');

    if (type != FTW_F || !dot ||
        (strcasecmp(dot, ".jpg") && strcasecmp(dot, ".jpeg")))
        return 0;
    paths = realloc(paths, (path_count + 1) * sizeof *paths);
    if (!paths || !(paths[path_count++] = strdup(path)))
        must(-ENOMEM, "no memory for the list of photos");
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_file(const char *path, struct buffer *bytes)
{
    struct stat st;
    ssize_t got = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    if (!fstat(fd, &st) && !buffer_reserve(bytes, (size_t)st.st_size))
        got = read(fd, bytes->data, (size_t)st.st_size);
    close(fd);
    bytes->size = got > 0 ? (size_t)got : 0;
    return got < 0 ? -EIO : 0;
}

/* What a slot of the pipeline keeps from photo to photo. */
struct kept {
    struct codec *codec;
    struct buffer bytes, jpeg;
    struct image image;
};

static bool convert(struct kept *k, const char *path)
{
    static const struct thumbnail want = { .box = { 224, 224 },
                                           .fit = FIT_COVER,
                                           .max_pixels = 100000000 };
    struct size source;

    return !read_file(path, &k->bytes) &&
           !codec_thumbnail(k->codec, &k->bytes, &want, &k->image, &source) &&
           !codec_jpeg(k->codec, &k->image, 90, TJSAMP_420, &k->jpeg);
}

static void destroy(struct kept *k)
{
    codec_destroy(k->codec);
    buffer_free(&k->bytes);
    buffer_free(&k->jpeg);
    buffer_free(&k->image.pixels);
    for (size_t i = 0; i < path_count; i++)
        free(paths[i]);
    free(paths);
}

int main(int argc, char **argv)
{
    struct kept kept = { .codec = codec_create() };
    size_t good = 0;

    if (argc != 2 || !kept.codec) {
        fprintf(stderr, "usage: bare_loop FOLDER\n");
        return 2;
    }
    heap_keep();
    if (nftw(argv[1], note, 16, 0))
        must(-errno, argv[1]);
    qsort(paths, path_count, sizeof *paths, by_name);

    uint64_t wall = wall_ns();
    for (size_t i = 0; i < path_count; i++)
        good += convert(&kept, paths[i]);
    double seconds = (double)(wall_ns() - wall) / 1e9;
    printf("%zu of %zu photos in %.3f s: %.1f photos/s\n", good, path_count,
           seconds, (double)good / seconds);

    destroy(&kept);
    return good < path_count;
}

/* files_floor.c: files and blocks by io_uring alone.
 *
 * A ring for each worker, with fixed buffers. A file is two entries in a
 * chain: open into a slot of the ring's own table, where the last file is
 * closed by that, and read. For blocks there is one ring. */
#include <fcntl.h>
#include <liburing.h>
#include <pthread.h>

#include "perf/empty_stages.h"
#include "perf/whole/beside.h"

enum { MOST_WORKERS = 256, NOT_INSTALLED = 77 /* an exit status */ };

/* One thread's ring; its slots are files or blocks under way. */
struct reader {
    struct io_uring ring;
    const struct files *files;
    struct iovec *room;
    unsigned slots, of; /* this one takes every of-th file */
    uint64_t next, count, bytes;
    int fd; /* of the blocks */
    pthread_t thread;
};

static void reader_open(struct reader *r, size_t room)
{
    must(
        io_uring_queue_init(2 * r->slots, &r->ring, IORING_SETUP_SINGLE_ISSUER),
        "no ring");
    r->room = calloc(r->slots, sizeof *r->room);
    must(r->room ? 0 : -ENOMEM, "no memory for buffers");
    for (unsigned i = 0; i < r->slots; i++) {
        r->room[i] = (struct iovec){ aligned_alloc(BLOCK, room), room };
        must(r->room[i].iov_base ? 0 : -ENOMEM, "no memory for a buffer");
    }
    must(io_uring_register_buffers(&r->ring, r->room, r->slots),
         "buffers cannot be fixed");
    must(io_uring_register_files_sparse(&r->ring, r->slots),
         "the ring has no table of files");
}

static void reader_close(struct reader *r)
{
    io_uring_queue_exit(&r->ring);
    for (unsigned i = 0; i < r->slots; i++)
        free(r->room[i].iov_base);
    free(r->room);
}

static void start_file(struct reader *r, unsigned slot)
{
    struct io_uring_sqe *open = io_uring_get_sqe(&r->ring);
    struct io_uring_sqe *read = io_uring_get_sqe(&r->ring);

    io_uring_prep_openat_direct(open, AT_FDCWD, r->files->paths[r->next],
                                O_RDONLY, 0, slot);
    open->flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    open->user_data = slot;
    io_uring_prep_read_fixed(read, (int)slot, r->room[slot].iov_base,
                             (unsigned)r->room[slot].iov_len, 0, (int)slot);
    read->flags |= IOSQE_FIXED_FILE;
    read->user_data = slot;
    r->next += r->of;
}

static void start_block(struct reader *r, unsigned slot)
{
    struct io_uring_sqe *read = io_uring_get_sqe(&r->ring);

    io_uring_prep_read_fixed(read, r->fd, r->room[slot].iov_base, BLOCK,
                             files_offset(r->files, (uint32_t)r->next),
                             (int)slot);
    read->user_data = slot;
    r->next += r->of;
}

static void read_all(struct reader *r,
                     void (*start)(struct reader *r, unsigned slot))
{
    unsigned busy = 0;

    while (busy < r->slots && r->next < r->count)
        start(r, busy++);
    while (busy) {
        struct io_uring_cqe *cqe;
        unsigned head, seen = 0;
        int rc = io_uring_submit_and_wait(&r->ring, 1);
        must(rc < 0 ? rc : 0, "the ring does not submit");
        io_uring_for_each_cqe(&r->ring, head, cqe)
        {
            must(cqe->res < 0 ? cqe->res : 0, "a read failed");
            r->bytes += (uint64_t)cqe->res;
            if (r->next < r->count)
                start(r, (unsigned)cqe->user_data);
            else
                busy--;
            seen++;
        }
        io_uring_cq_advance(&r->ring, seen);
    }
}

static void *load_some(void *reader_)
{
    struct reader *r = reader_;

    reader_open(r, (FILE_MOST / BLOCK + 1) * BLOCK);
    read_all(r, start_file);
    reader_close(r);
    return NULL;
}

static uint64_t load_with(const struct files *f, unsigned rings)
{
    struct reader readers[MOST_WORKERS] = { 0 };
    uint64_t bytes = 0, began = wall_ns();

    for (unsigned i = 0; i < rings; i++) {
        struct reader *r = &readers[i];
        unsigned slots = FILES_IN_FLIGHT / rings;
        *r = (struct reader){ .files = f,
                              .slots = slots ? slots : 1,
                              .of = rings,
                              .next = i,
                              .count = f->count };
        must(-pthread_create(&r->thread, NULL, load_some, r), "no thread");
    }
    for (unsigned i = 0; i < rings; i++) {
        pthread_join(readers[i].thread, NULL);
        bytes += readers[i].bytes;
    }
    uint64_t ns = wall_ns() - began;
    files_check(f, bytes);
    return ns;
}

static uint64_t load(const struct whole *w, const struct files *f)
{
    return load_with(f, w->workers < MOST_WORKERS ? w->workers : MOST_WORKERS);
}

static uint64_t read_blocks(const struct whole *w, const struct files *f,
                            const struct reads *r, int fd)
{
    struct reader reader = {
        .files = f, .slots = r->depth, .of = 1, .count = r->count, .fd = fd
    };

    reader_open(&reader, BLOCK);
    uint64_t began = wall_ns();
    read_all(&reader, start_block);
    uint64_t ns = wall_ns() - began;
    reader_close(&reader);
    must(reader.bytes == (uint64_t)r->count * BLOCK ? 0 : -EIO,
         "a block was not read whole");
    return ns;
}

/* ---- computing beside: a thread a worker, and one ring ------------------ */

struct compute {
    pthread_t thread;
    uint64_t most;
    _Atomic uint64_t done;
    atomic_bool stop;
};

static void *compute_some(void *compute_)
{
    struct compute *c = compute_;
    volatile uint64_t used;

    while (!atomic_load(&c->stop) && c->done < c->most) {
        used = work(CHUNK_STEPS);
        c->done++;
    }
    return (void)used, NULL;
}

static void start(struct compute *c, unsigned count, uint64_t most)
{
    for (unsigned i = 0; i < count; i++) {
        c[i].most = most;
        c[i].done = 0;
        must(-pthread_create(&c[i].thread, NULL, compute_some, &c[i]),
             "no thread");
    }
}

static uint64_t join(struct compute *c, unsigned count)
{
    uint64_t done = 0;

    for (unsigned i = 0; i < count; i++) {
        pthread_join(c[i].thread, NULL);
        done += c[i].done;
    }
    return done;
}

static void tell_beside(const struct whole *w, const struct files *f)
{
    static struct compute c[MOST_WORKERS];
    unsigned count = w->workers < MOST_WORKERS ? w->workers : MOST_WORKERS;
    struct beside alone = { .ns = wall_ns(), .cpu = cpu_ns() }, beside;

    start(c, count, whole_size(w, CHUNKS));
    alone.chunks = join(c, count);
    alone.ns = wall_ns() - alone.ns;
    alone.cpu = cpu_ns() - alone.cpu;
    files_evict(f);
    beside = (struct beside){ .ns = wall_ns(), .cpu = cpu_ns() };
    start(c, count, UINT64_MAX);
    load_with(f, 1);
    for (unsigned i = 0; i < count; i++)
        atomic_store(&c[i].stop, true);
    beside.ns = wall_ns() - beside.ns;
    beside.cpu = cpu_ns() - beside.cpu;
    beside.chunks = join(c, count);
    beside_tell(w, f, alone, beside);
}

/* As much of io_uring as this needs: Linux 6.0. */
static void need_a_ring(void)
{
    struct io_uring ring;
    int rc = io_uring_queue_init(2, &ring, IORING_SETUP_SINGLE_ISSUER);

    if (rc) {
        fprintf(stderr, "no ring is to be had (%s)\n", strerror(-rc));
        exit(NOT_INSTALLED);
    }
    io_uring_queue_exit(&ring);
}

int main(int argc, char **argv)
{
    struct whole w = whole_begin(argc, argv, "files", "floor");
    struct files f;

    need_a_ring();
    f = files_open(&w);
    files_tell_loads(&w, &f, load);
    files_tell_reads(&w, &f, read_blocks);
    tell_beside(&w, &f);
    files_close(&f);
}

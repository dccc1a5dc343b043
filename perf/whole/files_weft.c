/* files_weft.c: files and blocks through pipelines with an I/O stage. */
#include <fcntl.h>

#include "perf/empty_stages.h"
#include "perf/whole/beside.h"

static weft_sched *sched;

static void run(const weft_plan *plan)
{
    weft_error why = { "" };
    must(weft_run(sched, plan, &why), why.text);
}

/* ---- whole files ------------------------------------------------------- */

/* The path comes from the array, the buffer stays with the slot. */
struct file {
    const char *path;
    struct weft_io io;
};

static int describe_load(weft_worker *self, void *item, struct weft_io **io,
                         void *ctx)
{
    struct file *file = item;

    file->io = (struct weft_io){ .op = WEFT_IO_LOAD,
                                 .path = file->path,
                                 .data = file->io.data,
                                 .room = file->io.room };
    *io = &file->io;
    return 0;
}

static int count_bytes(weft_worker *self, void *item, void *bytes)
{
    const struct file *file = item;
    atomic_fetch_add_explicit((_Atomic uint64_t *)bytes, file->io.bytes,
                              memory_order_relaxed);
    return 0;
}

static void free_buffer(void *item, void *ctx)
{
    free(((struct file *)item)->io.data);
}

static uint64_t load(const struct whole *w, const struct files *f)
{
    _Atomic uint64_t bytes = 0;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline,
                    .items = { .bytes = sizeof(struct file),
                               .slots = FILES_IN_FLIGHT,
                               .finish = free_buffer },
                    .statistics = WEFT_COUNTS_ONLY));

    weft_source_array(p, "paths", f->paths, f->count, sizeof *f->paths);
    weft_stage(p, weft_config(stage, .name = "read", .kind = WEFT_IO,
                              .describe = describe_load, .fn = count_bytes,
                              .ctx = &bytes, .tokens = FILES_IN_FLIGHT));
    weft_plan *plan = compiled(p);
    uint64_t began = wall_ns();
    run(plan);
    uint64_t ns = wall_ns() - began;
    weft_plan_destroy(plan);
    files_check(f, bytes);
    return ns;
}

/* ---- blocks of the large file ------------------------------------------ */

struct blocks {
    const struct files *files;
    uint32_t next, count;
    int fd;
};

struct block {
    uint64_t offset;
    void *data;
    struct weft_io io;
};

static int next_block(weft_worker *self, void *item, void *ctx)
{
    struct blocks *b = ctx;

    if (b->next == b->count)
        return WEFT_END;
    ((struct block *)item)->offset = files_offset(b->files, b->next++);
    return 0;
}

static int describe_read(weft_worker *self, void *item, struct weft_io **io,
                         void *ctx)
{
    struct block *block = item;

    if (!block->data && !(block->data = aligned_alloc(BLOCK, BLOCK)))
        return -ENOMEM;
    block->io = (struct weft_io){ .op = WEFT_IO_READ,
                                  .fd = ((struct blocks *)ctx)->fd,
                                  .data = block->data,
                                  .bytes = BLOCK,
                                  .offset = block->offset };
    *io = &block->io;
    return 0;
}

static int check_block(weft_worker *self, void *item, void *ctx)
{
    return ((struct block *)item)->io.result == BLOCK ? 0 : -EIO;
}

static void free_block(void *item, void *ctx)
{
    free(((struct block *)item)->data);
}

static uint64_t read_blocks(const struct whole *w, const struct files *f,
                            const struct reads *r, int fd)
{
    struct blocks b = { .files = f, .count = r->count, .fd = fd };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline,
                    .items = { .bytes = sizeof(struct block),
                               .slots = r->depth,
                               .finish = free_block },
                    .statistics = WEFT_COUNTS_ONLY));

    weft_source(p, "blocks", next_block, &b);
    weft_stage(p, weft_config(stage, .name = "read", .kind = WEFT_IO,
                              .describe = describe_read, .fn = check_block,
                              .ctx = &b, .tokens = r->depth));
    weft_plan *plan = compiled(p);
    uint64_t began = wall_ns();
    run(plan);
    uint64_t ns = wall_ns() - began;
    weft_plan_destroy(plan);
    return ns;
}

/* ---- computing beside -------------------------------------------------- */

struct compute {
    uint64_t left;
    _Atomic uint64_t done;
    atomic_bool stop;
};

static int next_chunk(weft_worker *self, void *item, void *ctx)
{
    struct compute *c = ctx;
    return atomic_load(&c->stop) || !c->left-- ? WEFT_END : 0;
}

static int compute_chunk(weft_worker *self, void *item, void *ctx)
{
    struct compute *c = ctx;

    *(volatile uint64_t *)item = work(CHUNK_STEPS);
    atomic_fetch_add_explicit(&c->done, 1, memory_order_relaxed);
    return 0;
}

static weft_plan *plan_of_compute(struct compute *c)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) },
                    .statistics = WEFT_COUNTS_ONLY));

    weft_source(p, "chunks", next_chunk, c);
    weft_stage(p, weft_config(stage, .name = "compute", .fn = compute_chunk,
                              .ctx = c));
    return compiled(p);
}

static void tell_beside(const struct whole *w, const struct files *f)
{
    struct compute c = { .left = whole_size(w, CHUNKS) * w->workers };
    weft_plan *plan = plan_of_compute(&c);
    struct beside alone = { .ns = wall_ns(), .cpu = cpu_ns() }, beside;
    weft_error why = { "" };
    struct weft_run *run_of_it;

    run(plan);
    alone =
        (struct beside){ c.done, wall_ns() - alone.ns, cpu_ns() - alone.cpu };
    files_evict(f);
    c.left = UINT64_MAX;
    beside = (struct beside){ c.done, wall_ns(), cpu_ns() };
    must(weft_start(&run_of_it, sched, plan, &why), why.text);
    load(w, f);
    beside = (struct beside){ c.done - beside.chunks, wall_ns() - beside.ns,
                              cpu_ns() - beside.cpu };
    atomic_store(&c.stop, true);
    must(weft_wait(run_of_it, -1, &why), why.text);
    weft_run_destroy(run_of_it);
    weft_plan_destroy(plan);
    beside_tell(w, f, alone, beside);
}

int main(int argc, char **argv)
{
    struct whole w = whole_begin(argc, argv, "files", "weft");
    struct files f = files_open(&w);

    sched = sched_of(w.workers);
    files_tell_loads(&w, &f, load);
    files_tell_reads(&w, &f, read_blocks);
    tell_beside(&w, &f);
    weft_sched_destroy(sched);
    files_close(&f);
}

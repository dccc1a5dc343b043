/* heap.c: what an execution allocates. Nothing is given out twice, so each use
 * of what was freed is seen; what is not freed at the end is a failure. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/weave/inner.h"

enum { ARENA = 1 << 20, UNIT = 16, BLOCKS = 1024, GARBAGE = 0xa5 };

static struct {
    char *arena; /* one unit is left free between two blocks */
    size_t used;
    bool live[ARENA / UNIT]; /* a unit each */
    struct block {
        char *at;
        size_t size;
    } blocks[BLOCKS];
    unsigned count, left;
} heap;

void heap_begin(void)
{
    if (!heap.arena)
        heap.arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(heap.live, 0, heap.used / UNIT);
    heap.used = heap.count = heap.left = 0;
}

void heap_end(void)
{
    if (heap.left)
        weave_fail("%u of %u blocks of memory are not freed", heap.left,
                   heap.count);
}

static bool is_ours(const void *at)
{
    return (const char *)at >= heap.arena &&
           (const char *)at < heap.arena + ARENA;
}

static size_t unit_of(const void *at)
{
    return (size_t)((const char *)at - heap.arena) / UNIT;
}

void heap_check(const void *at, size_t size, bool writes)
{
    if (is_ours(at) && (!heap.live[unit_of(at)] ||
                        !heap.live[unit_of((const char *)at + size - 1)]))
        weave_fail("thread %u %s memory that is freed, or nobody's",
                   thread_self(), writes ? "writes" : "reads");
}

static void *take(size_t alignment, size_t size)
{
    size_t at = (heap.used + UNIT + alignment - 1) & ~(alignment - 1);
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);

    if (at + whole > ARENA || heap.count == BLOCKS)
        weave_fail("the test allocates too much");
    memset(heap.live + at / UNIT, true, whole / UNIT);
    heap.used = at + whole;
    heap.blocks[heap.count++] =
        (struct block){ .at = heap.arena + at, .size = size };
    heap.left++;
    return memset(heap.arena + at, GARBAGE, size);
}

/* In place of the library's: woven.h. */
void *weave_malloc(size_t size);
void *weave_calloc(size_t n, size_t size);
void *weave_realloc(void *old, size_t size);
void *weave_aligned_alloc(size_t alignment, size_t size);
int weave_posix_memalign(void **out, size_t alignment, size_t size);
void weave_free(void *at);
char *weave_strdup(const char *text);
char *weave_strndup(const char *text, size_t most);

void *weave_malloc(size_t size) { return take(UNIT, size ? size : 1); }

void *weave_calloc(size_t n, size_t size)
{
    size_t bytes = n * size;

    return memset(take(UNIT, bytes ? bytes : 1), 0, bytes);
}

void *weave_aligned_alloc(size_t alignment, size_t size)
{
    return take(alignment > UNIT ? alignment : UNIT, size);
}

int weave_posix_memalign(void **out, size_t alignment, size_t size)
{
    *out = weave_aligned_alloc(alignment, size);
    return 0;
}

char *weave_strndup(const char *text, size_t most)
{
    size_t n = strnlen(text, most);
    char *copy = weave_malloc(n + 1);

    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

char *weave_strdup(const char *text)
{
    return weave_strndup(text, strlen(text));
}

static struct block *block_at(const void *at)
{
    for (unsigned i = 0; i < heap.count; i++)
        if (heap.blocks[i].at == at)
            return &heap.blocks[i];
    weave_fail("thread %u frees what was not allocated", thread_self());
}

void *weave_realloc(void *old, size_t size)
{
    void *new = weave_malloc(size);

    if (old) {
        size_t before = block_at(old)->size;
        memcpy(new, old, before < size ? before : size);
        weave_free(old);
    }
    return new;
}

void weave_free(void *at)
{
    if (!at)
        return;
    struct block *b = block_at(at);
    if (!heap.live[unit_of(at)])
        weave_fail("thread %u frees what is freed already", thread_self());
    race_check(at, b->size, true, false); /* nobody uses it meanwhile */
    memory_forget(at, b->size);
    memset(heap.live + unit_of(at), false, (b->size + UNIT - 1) / UNIT);
    heap.left--;
}

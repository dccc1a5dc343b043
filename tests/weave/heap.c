/* heap.c: what an execution allocates. Nothing is given out twice, so each use
 * of what was freed is seen; what is not freed at the end is a failure. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/weave/inner.h"

enum { GARBAGE = 0xa5, NOBODY = 0 };

char *heap_arena; /* one unit is left free between two blocks */
uint16_t heap_owners[ARENA / UNIT]; /* of a unit: its block, or NOBODY */
static struct {
    size_t used;
    struct block {
        char *at;
        size_t size;
    } blocks[BLOCKS]; /* from 1 */
    unsigned count, left;
} heap;

void heap_begin(void)
{
    if (!heap_arena)
        heap_arena = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(heap_owners, NOBODY, heap.used / UNIT * sizeof *heap_owners);
    heap.used = heap.count = heap.left = 0;
}

void heap_end(void)
{
    if (heap.left)
        weave_fail("%u of %u blocks of memory are not freed", heap.left,
                   heap.count);
}

bool heap_is_all(unsigned block, const void *at, size_t size)
{
    return block != NOBODY && heap.blocks[block].at == at &&
           heap.blocks[block].size == size;
}

void heap_fail(bool writes)
{
    weave_fail("thread %u %s memory that is freed, or nobody's", thread_self(),
               writes ? "writes" : "reads");
}

static void give_to(const void *at, size_t size, unsigned owner)
{
    uint16_t *first = &heap_owners[heap_unit(at)];

    for (size_t i = 0; i < (size + UNIT - 1) / UNIT; i++)
        first[i] = (uint16_t)owner;
}

static void *take(size_t alignment, size_t size)
{
    size_t at = (heap.used + UNIT + alignment - 1) & ~(alignment - 1);
    size_t whole = (size + UNIT - 1) & ~(size_t)(UNIT - 1);

    if (at + whole > ARENA || heap.count + 1 == BLOCKS)
        weave_fail("the test allocates too much");
    heap.used = at + whole;
    heap.left++;
    heap.blocks[++heap.count] =
        (struct block){ .at = heap_arena + at, .size = size };
    give_to(heap_arena + at, size, heap.count);
    return memset(heap_arena + at, GARBAGE, size);
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
    unsigned block = heap_block(at);

    if (block == NOBODY || heap.blocks[block].at != at)
        weave_fail("thread %u frees what is freed already, or was never "
                   "allocated",
                   thread_self());
    return &heap.blocks[block];
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
    race_check(at, b->size, true, false); /* nobody uses it meanwhile */
    memory_forget(at, b->size);
    give_to(at, b->size, NOBODY);
    heap.left--;
}

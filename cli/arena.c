/* arena.c: memory that is freed all at once.
 *
 * Blocks in a list, the newest first, filled from their front. What does not
 * fit into a common block gets one of its own. */
#include "cli/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"

enum { BLOCK_BYTES = 16 << 10 };

struct block {
    struct block *next;
    size_t used, room;
    alignas(max_align_t) unsigned char data[];
};

struct arena {
    struct block *newest;
};

void arena_no_memory(void)
{
    fputs("weft: out of memory before anything was started\n", stderr);
    exit(EXIT_ENVIRONMENT);
}

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    if (!memory)
        arena_no_memory();
    return memory;
}

struct arena *arena_create(void) { return zeroed(sizeof(struct arena)); }

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    struct block *block = arena->newest;

    size = (size + align - 1) / align * align;
    if (!block || block->room - block->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block = zeroed(sizeof(*block) + room);
        block->room = room;
        block->next = arena->newest;
        arena->newest = block;
    }
    block->used += size;
    return block->data + block->used - size;
}

char *arena_copy(struct arena *arena, const char *text, size_t size)
{
    char *copy = arena_alloc(arena, size + 1);
    return memcpy(copy, text, size);
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list list, again;
    va_start(list, format);
    va_copy(again, list);
    int size = vsnprintf(NULL, 0, format, list);
    char *text = arena_alloc(arena, (size_t)(size < 0 ? 0 : size) + 1);
    if (size > 0)
        vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    va_end(list);
    return text;
}

void arena_destroy(struct arena *arena)
{
    if (!arena)
        return;
    for (struct block *next, *block = arena->newest; block; block = next) {
        next = block->next;
        free(block);
    }
    free(arena);
}

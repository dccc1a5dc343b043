/* buffer.c: bytes that grow and stay with their slot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/item.h"

/* Half as much again, so that slowly growing needs settle soon. */
int buffer_reserve(struct buffer *buffer, size_t size)
{
    if (size <= buffer->room)
        return 0;
    size_t room = buffer->room + buffer->room / 2;
    if (room < size)
        room = size;
    unsigned char *data = realloc(buffer->data, room);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->room = room;
    return 0;
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){ 0 };
}

int buffer_add(struct buffer *buffer, uint64_t number)
{
    if (buffer_reserve(buffer, buffer->size + sizeof number))
        return -ENOMEM;
    memcpy(buffer->data + buffer->size, &number, sizeof number);
    buffer->size += sizeof number;
    return 0;
}

static int by_number(const void *a_, const void *b_)
{
    uint64_t a = *(const uint64_t *)a_, b = *(const uint64_t *)b_;
    return (a > b) - (a < b);
}

uint64_t *buffer_sorted(struct buffer *buffer, size_t *count)
{
    uint64_t *numbers = (uint64_t *)(void *)buffer->data;
    *count = buffer->size / sizeof *numbers;
    if (*count)
        qsort(numbers, *count, sizeof *numbers, by_number);
    return numbers;
}

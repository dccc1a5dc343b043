/* buffer.c: bytes that grow and stay with their slot. */
#include "cli/buffer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int buffer_append(struct buffer *buffer, const void *bytes, size_t size)
{
    if (buffer_reserve(buffer, buffer->size + size))
        return -ENOMEM;
    if (size)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    return 0;
}

/* Where there is room for it, as nearly always, it is printed once. */
int buffer_print(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    size_t room = buffer->room - buffer->size;
    char *end = room ? (char *)buffer->data + buffer->size : NULL;
    size_t size = (size_t)vsnprintf(end, room, format, args);
    int rc = buffer_reserve(buffer, buffer->size + size + 1); /* and its NUL */
    if (!rc && size >= room)
        vsnprintf((char *)buffer->data + buffer->size, size + 1, format, again);
    if (!rc)
        buffer->size += size;
    va_end(again);
    va_end(args);
    return rc;
}

int buffer_add(struct buffer *buffer, uint64_t number)
{
    return buffer_append(buffer, &number, sizeof number);
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

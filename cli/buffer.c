/* buffer.c: bytes that grow and stay with their slot. */
#include <errno.h>
#include <stdlib.h>

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

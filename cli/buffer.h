/* buffer.h: bytes that grow. */
#ifndef WEFT_CLI_BUFFER_H
#define WEFT_CLI_BUFFER_H
#include <stddef.h>
#include <stdint.h>

struct buffer {
    unsigned char *data; /* malloc'ed */
    size_t size, room;
};

/* Makes room for `size` bytes, keeping what is there. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t size);
void buffer_free(struct buffer *buffer);

/* Appends bytes, or text without its NUL. 0 or -ENOMEM. */
int buffer_append(struct buffer *buffer, const void *bytes, size_t size);
int buffer_print(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A buffer of numbers. 0 or -ENOMEM. */
int buffer_add(struct buffer *buffer, uint64_t number);
uint64_t *buffer_sorted(struct buffer *buffer, size_t *count);
#endif

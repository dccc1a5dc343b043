/* utf8.h: reading text that may not be UTF-8. */
#ifndef WEFT_CLI_UTF8_H
#define WEFT_CLI_UTF8_H
#include <stddef.h>
#include <stdint.h>

#define UTF8_INVALID UINT32_MAX

/* The character at the start of `text`, `size` > 0 bytes long, and how many
 * bytes it takes. A byte that starts none is UTF8_INVALID and takes one. */
size_t utf8_decode(const char *text, size_t size, uint32_t *out);

/* How many bytes of `text` come before the first that is not UTF-8. */
size_t utf8_span(const char *text, size_t size);

/* How many columns of a terminal a character takes: 0, 1 or 2. */
unsigned utf8_width(uint32_t c);
#endif

/* text.h: names and figures as people read them. */
#ifndef WEFT_CLI_TEXT_H
#define WEFT_CLI_TEXT_H
#include <stddef.h>
#include <stdint.h>

/* A file's name for a terminal: what would move the cursor, colour the screen
 * or is not UTF-8 is written \n, \t or \x1b, a backslash is doubled. Cut to
 * `size`, never inside a character. Returns `out`. */
char *text_escape(char *out, size_t size, const char *name);

/* How many columns it takes; `text` is UTF-8. */
unsigned text_width(const char *text);

/* Cuts `text` to so many columns, never inside a character. Returns `text`. */
char *text_cut(char *text, unsigned columns);

/* "512 bytes", "31.2 MB". Returns `out`. */
char *text_bytes(char *out, size_t size, uint64_t bytes);

/* "4.21 s", "3:07", "1:02:45". Returns `out`. */
char *text_seconds(char *out, size_t size, double seconds);

/* "0.25", "7.4", "143": three digits are enough for a rate. Returns `out`. */
char *text_rate(char *out, size_t size, double rate);
#endif

/* term.h: a terminal, and a block of lines on it that is drawn again and again.
 */
#ifndef WEFT_CLI_TERM_H
#define WEFT_CLI_TERM_H
#include <stdbool.h>
#include <stddef.h>

/* What is drawn: a wider terminal stays empty on the right. */
enum { TERM_COLUMNS = 120, TERM_ROWS = 100 };

enum term_style { TERM_PLAIN, TERM_DIM, TERM_BOLD, TERM_YELLOW, TERM_RED };

struct term {
    int fd;
    bool live;   /* lines can be drawn again */
    bool colour; /* unless NO_COLOR is set */
    bool utf8;   /* else ASCII has to do */
    unsigned columns, rows;

    /* The block on the screen. */
    unsigned drawn, width[TERM_ROWS];
    bool cursor_hidden;

    /* The block that is being composed. */
    unsigned lines, left, next_width[TERM_ROWS];
    size_t used;
    char text[TERM_ROWS * (TERM_COLUMNS * 4 + 64)];
};

void term_init(struct term *t, int fd);

/* Begins a block: reads the size of the terminal anew. False: not now, because
 * we are in the background. */
bool term_begin(struct term *t);
void term_add(struct term *t, enum term_style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void term_end_line(struct term *t);
void term_draw(struct term *t); /* in place of the block on the screen */

void term_erase(struct term *t); /* the block */

/* Leaves the block where it is and shows the cursor. */
void term_leave(struct term *t);
#endif

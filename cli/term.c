/* term.c: a terminal, and a block of lines on it that is drawn again and again.
 *
 * The block ends in a newline, so the cursor is below it and what anybody else
 * prints comes after it. To draw it again we go up by its height, which is more
 * than its lines once the terminal has become narrower than they are. A block
 * goes out in one write: it does not flicker. */
#include "cli/term.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/text.h"

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && *value;
}

static bool speaks_utf8(void)
{
    const char *names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (is_set(names[i])) /* the first that is set decides */
            return strcasestr(getenv(names[i]), "utf-8") ||
                   strcasestr(getenv(names[i]), "utf8");
    return false;
}

void term_init(struct term *t, int fd)
{
    const char *kind = getenv("TERM");

    *t = (struct term){ .fd = fd };
    t->live = isatty(fd) && kind && *kind && strcmp(kind, "dumb") != 0;
    t->colour = t->live && !is_set("NO_COLOR");
    t->utf8 = speaks_utf8();
}

static void read_size(struct term *t)
{
    struct winsize size;
    bool known = ioctl(t->fd, TIOCGWINSZ, &size) == 0;

    t->columns = known && size.ws_col > 0 ? size.ws_col : 80;
    t->rows = known && size.ws_row > 0 ? size.ws_row : 24;
    if (t->columns > TERM_COLUMNS)
        t->columns = TERM_COLUMNS;
    if (t->rows > TERM_ROWS)
        t->rows = TERM_ROWS;
}

/* Not every terminal is the one that controls us. */
static bool in_background(const struct term *t)
{
    pid_t group = tcgetpgrp(t->fd);
    return group > 0 && group != getpgrp();
}

static void put(struct term *t, const char *text)
{
    size_t n = strlen(text);
    if (n > sizeof t->text - t->used)
        return;
    memcpy(t->text + t->used, text, n);
    t->used += n;
}

/* Where nobody listens any more, nothing is drawn any more. */
static void flush(struct term *t)
{
    for (size_t at = 0; at < t->used;) {
        ssize_t n = write(t->fd, t->text + at, t->used - at);
        if (n < 0) {
            t->live = false;
            break;
        }
        at += (size_t)n;
    }
    t->used = 0;
}

static void go_up(struct term *t)
{
    unsigned height = 0;
    char move[32];

    for (unsigned i = 0; i < t->drawn; i++)
        height += t->width[i] > t->columns
                      ? (t->width[i] + t->columns - 1) / t->columns
                      : 1;
    t->drawn = 0;
    if (height == 0)
        return;
    snprintf(move, sizeof move, "\r\033[%uA\033[J", height);
    put(t, move);
}

/* The last column stays free: some terminals wrap when it is written. */
static void begin_line(struct term *t) { t->left = t->columns - 1; }

bool term_begin(struct term *t)
{
    if (!t->live || in_background(t))
        return false;
    read_size(t);
    t->used = 0;
    t->lines = 0;
    go_up(t);
    if (!t->cursor_hidden)
        put(t, "\033[?25l");
    t->cursor_hidden = true;
    begin_line(t);
    return true;
}

void term_add(struct term *t, enum term_style style, const char *format, ...)
{
    static const char *const codes[] = { "", "\033[2m", "\033[1m", "\033[33m",
                                         "\033[31m" };
    char text[TERM_COLUMNS * 4 + 1];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    if (t->lines == TERM_ROWS)
        return;
    t->left -= text_width(text_cut(text, t->left));

    bool styled = t->colour && style != TERM_PLAIN && *text;
    put(t, styled ? codes[style] : "");
    put(t, text);
    put(t, styled ? "\033[0m" : "");
}

void term_end_line(struct term *t)
{
    if (t->lines == TERM_ROWS)
        return;
    put(t, "\n");
    t->next_width[t->lines++] = t->columns - 1 - t->left;
    begin_line(t);
}

void term_draw(struct term *t)
{
    flush(t);
    t->drawn = t->lines;
    memcpy(t->width, t->next_width, sizeof t->width);
}

void term_leave(struct term *t)
{
    t->drawn = 0;
    t->used = 0;
    if (t->cursor_hidden)
        put(t, "\033[?25h");
    t->cursor_hidden = false;
    flush(t);
}

void term_erase(struct term *t)
{
    if (!t->cursor_hidden) /* nothing was drawn, or somebody else writes here */
        return;
    read_size(t);
    t->used = 0;
    go_up(t);
    flush(t);
}

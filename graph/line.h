/* line.h: a line of text that is put together piece by piece. */
#ifndef WEFT_GRAPH_LINE_H
#define WEFT_GRAPH_LINE_H
#include <stddef.h>

/* What does not fit is cut. */
struct line {
    char text[512];
    size_t length;
};

void wf_put(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#endif

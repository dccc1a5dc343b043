/* line.c: a line of text that is put together piece by piece. */
#include "graph/line.h"

#include <stdarg.h>
#include <stdio.h>

void wf_put(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->length;
    va_list args;

    va_start(args, format);
    int n = vsnprintf(line->text + line->length, room, format, args);
    va_end(args);
    if (n > 0)
        line->length += (size_t)n < room ? (size_t)n : room - 1;
}

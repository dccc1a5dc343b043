/* misuse.c: a call that is a mistake in the program, whatever its data.
 *
 * The library never prints and never exits, but for this one place, and here
 * only in a debug build. An error is a value because a program can meet it and
 * go on; a mistake is not met, it is removed. Who calls [worker] functions
 * elsewhere, or releases an item twice, would not look at the return value
 * either, and the damage would show later and far away. So a debug build ends
 * where the mistake is, with the stack that shows it. A release build (NDEBUG)
 * returns, and the caller then does what its header says: something that is
 * defined, and harmless where that is possible.
 *
 * The sentence is written with one system call past stdio, whose locks the
 * thread may hold, and which nobody would flush. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched.h"

void wf_misuse(const char *format, ...)
{
#ifndef NDEBUG
    char text[512];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    dprintf(STDERR_FILENO, "weft: %s\n", text);
    abort();
#endif
}

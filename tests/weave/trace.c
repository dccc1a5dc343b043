/* trace.c: what happened in an execution, with the line of source of each. */
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/weave/inner.h"
#include "tests/weave/trace.h"

enum { EVENTS = 400, TEXT = 100, ADDRESS = 20 };

static struct {
    const void *caller;
    char text[TEXT];
} events[EVENTS]; /* the last ones */
static unsigned count;
static const void *at[THREADS]; /* of each thread */
bool trace_on;

void trace_at(const void *caller) { at[thread_self()] = caller; }

void trace_begin(void) { count = 0; }

void(trace)(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    events[count % EVENTS].caller = at[thread_self()];
    vsnprintf(events[count++ % EVENTS].text, TEXT, format, args);
    va_end(args);
}

static int find_base(struct dl_phdr_info *info, size_t size, void *base)
{
    *(uintptr_t *)base = info->dlpi_addr;
    return 1; /* the first is the program */
}

/* Where they are, as addr2line says, from the root of the sources: a line for
 * each event. One for all, for to start it takes longer than most tests. */
static FILE *find_lines(unsigned first)
{
    static char command[100 + EVENTS * ADDRESS];
    uintptr_t base = 0;

    dl_iterate_phdr(find_base, &base);
    int length = snprintf(command, sizeof command,
                          "addr2line -s -e /proc/%d/exe", (int)getpid());
    for (unsigned i = first; i < count; i++)
        length += snprintf(
            command + length, sizeof command - (size_t)length, " %#lx",
            (unsigned long)((uintptr_t)events[i % EVENTS].caller - base - 1));
    return popen(command, "r");
}

void trace_print(FILE *out)
{
    unsigned first = count > EVENTS ? count - EVENTS : 0;
    FILE *lines = count ? find_lines(first) : NULL; /* else it would ask */

    for (unsigned i = first; i < count; i++) {
        char line[100];
        if (!lines || !fgets(line, sizeof line, lines))
            snprintf(line, sizeof line, "?");
        line[strcspn(line, "\n")] = '\0';
        fprintf(out, "    %-52s %s\n", events[i % EVENTS].text, line);
    }
    if (lines)
        pclose(lines);
}

/* trace.c: what happened in an execution, with the line of source of each. */
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/weave/inner.h"
#include "tests/weave/trace.h"

enum { EVENTS = 400, TEXT = 100 };

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

/* Where it is, as addr2line says, from the root of the sources. */
static void find_line(const void *caller, char *line, size_t size)
{
    uintptr_t base = 0;
    char command[100];

    dl_iterate_phdr(find_base, &base);
    snprintf(command, sizeof command, "addr2line -s -e /proc/%d/exe %#lx",
             (int)getpid(), (unsigned long)((uintptr_t)caller - base - 1));
    FILE *answer = popen(command, "r");
    if (!answer || !fgets(line, (int)size, answer))
        snprintf(line, size, "?");
    if (answer)
        pclose(answer);
    line[strcspn(line, "\n")] = '\0';
}

void trace_print(FILE *out)
{
    unsigned first = count > EVENTS ? count - EVENTS : 0;

    for (unsigned i = first; i < count; i++) {
        char line[100];
        find_line(events[i % EVENTS].caller, line, sizeof line);
        fprintf(out, "    %-52s %s\n", events[i % EVENTS].text, line);
    }
}

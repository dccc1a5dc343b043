/* output.c: what went to standard output has arrived, or it is said.
 *
 * A stream keeps its error, so that asking once, after the last line, is enough
 * for all of them. */
#include "cli/output.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"

static bool said;

int output_flush(void)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EXIT_OK;
    if (!said)
        fprintf(stderr, "weft: cannot write to standard output%s%s\n",
                errno ? ": " : "", errno ? strerror(errno) : "");
    said = true;
    return EXIT_ENVIRONMENT;
}

void output_at_exit(void)
{
    if (!said && output_flush() != EXIT_OK)
        _exit(EXIT_ENVIRONMENT);
}

/* child.h: a child process with its input and output in memory. */
#ifndef WEFT_CLI_OPS_CHILD_H
#define WEFT_CLI_OPS_CHILD_H
#include <stdbool.h>
#include <sys/types.h>

#include "cli/item.h"

struct child {
    pid_t pid; /* of its process group too */
    int pidfd; /* readable when it has ended */
    int out, err;
};

/* Whether the program is there, in PATH unless it has a slash. */
bool child_can_run(const char *program);

/* Starts argv[0] with these arguments, and `input` or nothing to read, in the
 * sandbox unless that is -1. 0 or a negative errno; then there is nothing to
 * close. */
int child_start(struct child *child, char **argv, const struct buffer *input,
                int sandbox);

/* Kills the whole group. Not after child_wait. */
void child_kill(const struct child *child);

/* Waits for the end: 0 if the exit status is, else -ECHILD, with the status or
 * the signal in `why`, and the first line that it wrote to stderr. */
int child_wait(const struct child *child, char *why, size_t size);

/* How much it has written to stdout or stderr, whichever is more. */
uint64_t child_written(const struct child *child);

/* What it wrote to stdout: 0 or a negative errno. */
int child_output(const struct child *child, struct buffer *out);

void child_close(struct child *child);
#endif

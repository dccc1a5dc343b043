/* stream.h: the cores of one NUMA node, busy with memory. */
#ifndef WEFT_CLI_BENCH_STREAM_H
#define WEFT_CLI_BENCH_STREAM_H
#include "cli/bench/machine.h"
#include "weft/weft.h"

enum {
    STREAM_LINE = 64,       /* bytes: a link of the chain is in each line */
    STREAM_PIECE = 1 << 20, /* every core has at least one of these */
};

struct streams {
    const struct machine *machine;
    unsigned node, cores; /* which, and how many of them */
    enum stream_kind {
        STREAM_READ,
        STREAM_COPY,  /* counts what is read and what is written */
        STREAM_CHASE, /* follows the chain: one core */
    } kind;
    char *from, *to; /* of `bytes` each */
    size_t bytes;
    double ns; /* how long */
};

/* Bytes a nanosecond, which are GB/s; of a chase, nanoseconds a line. 0 or a
 * negative errno: a thread could not be started. */
int stream_run(const struct streams *streams, double *out);

/* Makes a chain of all lines of the buffer, in a random order: each holds where
 * the next one is. */
void stream_link(char *memory, size_t bytes);
#endif

/* base.h: what every part of weft shares.
 *
 * Errors   0 is success, a negative errno is failure; `why`, unless NULL, then
 *          holds a sentence such as "cycle: parse -> link -> parse". An out
 *          parameter is written on success only.
 * Owners   _create gives you an object, _destroy takes it back (NULL is fine).
 *          Names and configs are copied; `ctx` is borrowed, never freed.
 * Threads  [any] any thread. [one] one thread at a time. [worker] only inside
 *          a callback: nobody else has a weft_worker.
 * Misuse   is no error: where weft sees a mistake in the program, such as a
 *          [worker] function called with NULL, a debug build of weft says so on
 *          stderr and aborts. A release build (NDEBUG) goes on, and does what
 *          the function's comment says.
 * Zero     in a config means "the default". Units are part of the name. */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

#define WEFT_VERSION "0.1.0"

typedef struct weft_sched weft_sched;   /* the worker threads */
typedef struct weft_worker weft_worker; /* "this thread", inside a callback */

typedef struct weft_error {
    char text[256];
} weft_error;

/* How long something took: half of the times were no longer than p50_ns. Each
 * is exact to an eighth. */
struct weft_latency {
    uint64_t p50_ns, p90_ns, p99_ns, max_ns;
};

/* What a callback may return beside 0 and a negative errno. Each callback says
 * which of them it accepts. What completes a pending one: weft_complete an item
 * (pipeline.h), weft_task_complete a task of a graph, weft_future_complete a
 * loose one (future.h). */
enum {
    WEFT_END = 1, /* a source: there is no more input */
    WEFT_FILTER,  /* a stage: drop this item, it is no failure */
    WEFT_PENDING, /* not done yet: a completion will come, from any thread */
    WEFT_FULL,    /* a gather: this item was the last of its batch */
    WEFT_EPOCH,   /* a source: an epoch ends here; weft_next: one has ended */
};

/* As many tokens as anyone asks for. */
#define WEFT_UNLIMITED UINT_MAX

/* A configuration, written like named arguments: weft_config(sched, .workers
 * = 4). Its `size` lets the struct grow without breaking old callers. */
#define weft_config(KIND, ...)                                                 \
    (&(struct weft_##KIND##_config){                                           \
        .size = sizeof(struct weft_##KIND##_config), __VA_ARGS__ })
#endif

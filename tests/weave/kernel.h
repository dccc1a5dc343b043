/* kernel.h: the kernel that the code under test has, for tests of I/O. */
#ifndef WEFT_TESTS_WEAVE_KERNEL_H
#define WEFT_TESTS_WEAVE_KERNEL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What may happen, at any call that it can happen to; at first nothing does.
 * The numbers are how often. */
extern struct kernel_ways {
    bool cached;     /* what must not wait may succeed, else it never does */
    unsigned shorts; /* fewer bytes are moved than there are */
    unsigned errors; /* EIO */
    unsigned interruptions; /* EINTR */
    unsigned rings;         /* that can be had, then ENOMEM; at first any */
    bool refusals;          /* from some moment on no ring can be entered */
} kernel;

/* A descriptor of a file, whose bytes are 1, 2, 3 and so on. */
int kernel_file(const char *name, size_t bytes);
/* How often the byte at this offset was written. */
unsigned kernel_written(int fd, size_t offset);

/* A descriptor to be polled: it is not ready, and then it is for good. */
int kernel_pipe(void);
void kernel_make_ready(int fd); /* one of pipe2: its end has come */

/* An execution: the end fails if a descriptor is open that those above did not
 * give, or a ring. */
void kernel_begin(void);
void kernel_end(void);

/* What calls and ring have in common. A result, or a negative errno. */
int64_t kernel_open(const char *name);
int64_t kernel_move(int fd, void *data, size_t bytes, uint64_t offset,
                    bool writes);
int64_t kernel_outcome(void); /* of what moves nothing */
short kernel_events(int fd, short wanted);
void kernel_sleep(bool timeout); /* until something happens here */
void kernel_happens(void);

/* uring.c */
void uring_begin(void);
void uring_end(void);
void uring_let_go(void); /* what a closed ring has under way ends */
#endif

/* stack.c: how much of its stack this thread has left.
 *
 * A fault at the end of a stack ends the process, so whoever may be called in
 * any depth asks here first. The bounds of a thread's stack never change: it
 * asks the system once. Should that fail, for lack of memory, the bounds are
 * taken to be near until it works.
 *
 * Low is an eighth of the stack, which is much for a callback of a large stack
 * and leaves most of a small one. */
#include "graph/stack.h"

#include <pthread.h>
#include <stdint.h>

enum {
    PART = 8,
    LEAST = 16 * 1024, /* but at most a quarter of the stack */
    MOST = 256 * 1024,
};

/* Addresses: it grows down. */
_Thread_local uintptr_t wf_stack_low_from = UINTPTR_MAX;
static _Thread_local uintptr_t half, out;

/* In a frame of its own, so that a caller that it is part of has one too. */
__attribute__((noinline)) static uintptr_t here(void)
{
    return (uintptr_t)__builtin_frame_address(0);
}

static bool look(void)
{
    pthread_attr_t attr;
    void *bottom;
    size_t bytes;

    if (pthread_getattr_np(pthread_self(), &attr))
        return false;
    pthread_attr_getstack(&attr, &bottom, &bytes);
    pthread_attr_destroy(&attr);
    size_t reserve = bytes / PART;
    if (reserve > MOST)
        reserve = MOST;
    if (reserve < LEAST)
        reserve = bytes / 4 < LEAST ? bytes / 4 : LEAST;
    half = (uintptr_t)bottom + bytes / 2;
    wf_stack_low_from = (uintptr_t)bottom + reserve;
    out = (uintptr_t)bottom + reserve / 2;
    return true;
}

bool wf_stack_half(void) { return (!half && !look()) || here() < half; }

bool wf_stack_low(void)
{
    return (!out && !look()) || here() < wf_stack_low_from;
}

bool wf_stack_out(void) { return (!out && !look()) || here() < out; }

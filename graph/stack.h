/* stack.h: how much of its stack this thread has left. */
#ifndef WEFT_GRAPH_STACK_H
#define WEFT_GRAPH_STACK_H
#include <stdbool.h>
#include <stdint.h>

/* In stack.c: where the stack of this thread begins to be low; where that is
 * not known yet, anywhere. */
extern _Thread_local uintptr_t wf_stack_low_from
    __attribute__((tls_model("initial-exec"))); /* each child looks at it */

/* False: it is low, or that has to be looked at. */
static inline bool wf_stack_is_ample(void)
{
#ifdef __x86_64__
    uintptr_t here; /* without a frame pointer in each that asks */
    __asm__("mov %%rsp, %0" : "=r"(here));
#else
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
#endif
    return here >= wf_stack_low_from;
}

/* Half of it is used: the rest is for what runs last. */
bool wf_stack_half(void);

/* Too little to run just anything on top of this. */
bool wf_stack_low(void);

/* Half of that: nobody should go deeper. */
bool wf_stack_out(void);
#endif

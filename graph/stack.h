/* stack.h: how much of its stack this thread has left. */
#ifndef WEFT_GRAPH_STACK_H
#define WEFT_GRAPH_STACK_H
#include <stdbool.h>

/* Half of it is used: the rest is for what runs last. */
bool wf_stack_half(void);

/* Too little to run just anything on top of this. */
bool wf_stack_low(void);

/* Half of that: nobody should go deeper. */
bool wf_stack_out(void);
#endif

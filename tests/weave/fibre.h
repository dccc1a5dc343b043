/* fibre.h: stacks to go to and fro between, in one OS thread. */
#ifndef WEFT_TESTS_WEAVE_FIBRE_H
#define WEFT_TESTS_WEAVE_FIBRE_H
#include <stddef.h>

/* Stores where it is, and goes on where `to` was stored, or begins there. */
void fibre_switch(void **from, void *to);

/* The beginning of one on this stack, whose function must not return. */
void *fibre_on(char *stack, size_t size, void (*function)(void));
#endif

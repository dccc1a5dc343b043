/* choice.h: which of several ways an execution takes. */
#ifndef WEFT_TESTS_WEAVE_CHOICE_H
#define WEFT_TESTS_WEAVE_CHOICE_H
#include <stdbool.h>
#include <stdint.h>

enum way {
    WAY_RANDOM, /* each choice by itself */
    WAY_PCT,    /* by priorities of threads, which change at a few steps */
    WAY_ALL,    /* depth first, within bounds */
};

/* Before an execution. */
void choice_begin(enum way way, uint64_t seed, unsigned interruptions,
                  unsigned stale);

/* The next of WAY_ALL is the first of all. */
void choice_begin_anew(void);

/* After an execution of WAY_ALL: false when there is no other. */
bool choice_next(void);

/* One of 0 .. n-1; 0 comes first. */
unsigned choice_of(unsigned n);

/* How many places behind the latest value a load looks, of at most so many. */
unsigned choice_stale(unsigned most);

/* Which of n threads that could goes on; `self` is the place in the list of
 * the one that has the turn, or -1 when it cannot go on. `threads` has their
 * numbers. */
unsigned choice_of_thread(const unsigned *threads, unsigned n, int self);

/* This thread waits for others: from now on it comes after them. */
void choice_last(unsigned thread);
#endif

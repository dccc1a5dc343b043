/* atomic.h: C11 atomics with the order in the name, so it can be grepped.
 *
 * There is no default order: seq_cst has to be asked for like any other. With
 * WEFT_CHAOS (tests only) a thread sometimes pauses or yields before an atomic
 * operation, which makes rare interleavings common. The pauses of a process
 * come from one seed, that of the environment variable WEFT_CHAOS_SEED or a new
 * one each time, which the tests print: see chaos.c. */
#ifndef WEFT_SCHED_ATOMIC_H
#define WEFT_SCHED_ATOMIC_H
#include <stdatomic.h>

#ifdef WEFT_CHAOS
#include <sched.h>
#include <stdint.h>

#include "sched/chaos.h"
static inline void chaos(void)
{
    static _Thread_local uint64_t seed;
    if (!seed)
        seed = wf_chaos_next_seed();
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    if (seed % 64 == 0)
        sched_yield();
    else if (seed % 4 == 0)
        for (volatile unsigned spin = seed >> 56; spin; spin--)
            ;
}
#else
#define chaos() ((void)0)
#endif

/* In a loop that waits for another thread. */
#ifdef WEFT_WEAVE
void weave_yield(void);
#endif
static inline void cpu_pause(void)
{
#ifdef WEFT_WEAVE
    weave_yield();
#elif defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* clang-format off */
#define load_relaxed(p)     (chaos(), atomic_load_explicit(p, memory_order_relaxed))
#define load_acquire(p)     (chaos(), atomic_load_explicit(p, memory_order_acquire))
#define load_seq_cst(p)     (chaos(), atomic_load_explicit(p, memory_order_seq_cst))
#define store_relaxed(p, v) (chaos(), atomic_store_explicit(p, v, memory_order_relaxed))
#define store_release(p, v) (chaos(), atomic_store_explicit(p, v, memory_order_release))
#define store_seq_cst(p, v) (chaos(), atomic_store_explicit(p, v, memory_order_seq_cst))
#define add_relaxed(p, v)   (chaos(), atomic_fetch_add_explicit(p, v, memory_order_relaxed))
#define add_acquire(p, v)   (chaos(), atomic_fetch_add_explicit(p, v, memory_order_acquire))
#define add_release(p, v)   (chaos(), atomic_fetch_add_explicit(p, v, memory_order_release))
#define add_acq_rel(p, v)   (chaos(), atomic_fetch_add_explicit(p, v, memory_order_acq_rel))
#define add_seq_cst(p, v)   (chaos(), atomic_fetch_add_explicit(p, v, memory_order_seq_cst))
#define sub_relaxed(p, v)   (chaos(), atomic_fetch_sub_explicit(p, v, memory_order_relaxed))
#define sub_release(p, v)   (chaos(), atomic_fetch_sub_explicit(p, v, memory_order_release))
#define sub_acq_rel(p, v)   (chaos(), atomic_fetch_sub_explicit(p, v, memory_order_acq_rel))
#define sub_seq_cst(p, v)   (chaos(), atomic_fetch_sub_explicit(p, v, memory_order_seq_cst))
#define or_relaxed(p, v)    (chaos(), atomic_fetch_or_explicit(p, v, memory_order_relaxed))
#define or_acq_rel(p, v)    (chaos(), atomic_fetch_or_explicit(p, v, memory_order_acq_rel))
#define or_seq_cst(p, v)    (chaos(), atomic_fetch_or_explicit(p, v, memory_order_seq_cst))
#define and_seq_cst(p, v)   (chaos(), atomic_fetch_and_explicit(p, v, memory_order_seq_cst))
#define swap_acquire(p, v)  (chaos(), atomic_exchange_explicit(p, v, memory_order_acquire))
#define swap_release(p, v)  (chaos(), atomic_exchange_explicit(p, v, memory_order_release))
#define swap_acq_rel(p, v)  (chaos(), atomic_exchange_explicit(p, v, memory_order_acq_rel))
#define swap_seq_cst(p, v)  (chaos(), atomic_exchange_explicit(p, v, memory_order_seq_cst))
#define cas_relaxed(p, expected, v) (chaos(), \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_relaxed, memory_order_relaxed))
#define cas_acquire(p, expected, v) (chaos(), \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_acquire, memory_order_acquire))
#define cas_acq_rel(p, expected, v) (chaos(), \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_acq_rel, memory_order_acquire))
#define cas_seq_cst(p, expected, v) (chaos(), \
    atomic_compare_exchange_strong_explicit(p, expected, v, memory_order_seq_cst, memory_order_relaxed))
/* clang-format on */
#endif

/* inner.h: what the parts of weave know of each other. Thread 0 is the test
 * itself: its setup and its check. */
#ifndef WEFT_TESTS_WEAVE_INNER_H
#define WEFT_TESTS_WEAVE_INNER_H
#include <stddef.h>
#include <stdint.h>

#include "tests/weave/trace.h"
#include "tests/weave/weave.h"

enum {
    THREADS = WEAVE_THREADS + 1,
    LOCATIONS = 320, /* atomic variables and locks of an execution */
    STEPS = 20000,   /* of an execution */
};

/* What a thread has to know of: of each atomic variable how many of its values
 * are past, and of each thread how far it was. Beyond `count` all is 0. */
struct view {
    unsigned count;
    uint16_t epochs[THREADS];
    uint16_t seen[LOCATIONS];
};

void view_empty(struct view *v);
void view_join(struct view *to, const struct view *from);
/* Only what it says of variables. */
void view_join_seen(struct view *to, const struct view *from);
void view_see(struct view *to, unsigned location, unsigned time);
static inline unsigned view_seen(const struct view *v, unsigned location)
{
    return location < v->count ? v->seen[location] : 0;
}

/* thread.c: whose turn it is, and what each thread knows. */
extern unsigned thread_current;
extern struct view thread_views[THREADS];
static inline unsigned thread_self(void) { return thread_current; }
static inline struct view *thread_view(unsigned thread)
{
    return &thread_views[thread];
}
/* A step: another one may have a turn before it. */
void thread_step(void);
/* Memory has changed: who has yielded may look again. Until then it has no turn
 * unless nobody else can go on: else two that wait for a third would take turns
 * for ever. */
void thread_changed(void);
/* Sleeps until woken, or, with a timeout, until that is chosen: false. */
bool thread_sleep(const void *on, bool timeout);
/* Wakes as many of those who sleep there, in any order. */
void thread_wake(const void *on, unsigned most);
/* One more, beside those of the test. */
unsigned thread_start(void *(*function)(void *), void *arg);
void *thread_join(unsigned thread);
char *thread_stack(size_t *size);
/* Runs the threads of a test; false: weave_fail() was called. */
bool thread_run(const struct weave_test *test);
const char *thread_failure(void);

/* memory.c: atomic variables. A size of 1, 2, 4 or 8. */
enum order { RELAXED, CONSUME, ACQUIRE, RELEASE, ACQ_REL, SEQ_CST };
uint64_t memory_load(const void *at, unsigned size, int order);
void memory_store(void *at, unsigned size, uint64_t value, int order);
/* Gives the value before. */
uint64_t memory_change(void *at, unsigned size, uint64_t operand, int order,
                       uint64_t (*change)(uint64_t, uint64_t));
bool memory_cas(void *at, unsigned size, uint64_t *expected, uint64_t value,
                int order, int failing);
/* They are plain memory from here on. */
void memory_forget(const void *at, size_t size);
void memory_begin(void);

/* race.c: plain accesses that nothing orders. */
void race_compare(const void *at, size_t size, bool writes, bool atomic);
void race_begin(void);
static inline void race_check(const void *at, size_t size, bool writes,
                              bool atomic)
{
    if (thread_self()) /* the setup and the check are alone */
        race_compare(at, size, writes, atomic);
}

/* heap.c: what the test allocates. */
enum { ARENA = 1 << 20, UNIT = 16, BLOCKS = 1024 };
extern char *heap_arena;
extern uint16_t heap_owners[ARENA / UNIT];
static inline bool heap_has(const void *at)
{
    return (uintptr_t)at - (uintptr_t)heap_arena < ARENA;
}
static inline size_t heap_unit(const void *at)
{
    return ((uintptr_t)at - (uintptr_t)heap_arena) / UNIT;
}
/* From 1; 0: it is in none. */
static inline unsigned heap_block(const void *at)
{
    return heap_has(at) ? heap_owners[heap_unit(at)] : 0;
}
void heap_fail(bool writes) __attribute__((noreturn));
static inline void heap_check(const void *at, size_t size, bool writes)
{
    if (heap_has(at) &&
        (!heap_block(at) || !heap_block((const char *)at + size - 1)))
        heap_fail(writes);
}
bool heap_is_all(unsigned block, const void *at, size_t size);
void heap_begin(void);
void heap_end(void); /* fails if something was not freed */

/* statics.c: as the program began with, before each execution. */
void statics_write_down(const void *at, size_t size);
void statics_restore(void);
void statics_swap(unsigned from, unsigned to); /* thread-local ones */
void statics_begin(void);

extern char __data_start[], _end[]; /* of the program, by the linker */
extern struct statics_local {
    char *at;
    size_t size;
} statics_local;
static inline bool statics_is_local(const void *at)
{
    return (uintptr_t)at - (uintptr_t)statics_local.at < statics_local.size;
}
static inline void statics_will_write(const void *at, size_t size)
{
    if ((uintptr_t)at - (uintptr_t)__data_start <
        (uintptr_t)_end - (uintptr_t)__data_start)
        statics_write_down(at, size);
}

/* sync.c: locks and time. */
void sync_begin(void);
/* Until woken, or until then: false. */
bool sync_sleep(const void *on, uint64_t until);
uint64_t sync_in(int64_t ns); /* from now; negative: never */

/* system.c: what a thread has for itself. */
void system_begin(void);
void system_end_thread(void);
#endif

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

void view_join(struct view *to, const struct view *from);
/* Only what it says of variables. */
void view_join_seen(struct view *to, const struct view *from);
void view_see(struct view *to, unsigned location, unsigned time);
static inline unsigned view_seen(const struct view *v, unsigned location)
{
    return location < v->count ? v->seen[location] : 0;
}

/* thread.c: whose turn it is. */
unsigned thread_self(void);
struct view *thread_view(unsigned thread);
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
void race_check(const void *at, size_t size, bool writes, bool atomic);
void race_begin(void);

/* heap.c: what the test allocates. */
void heap_check(const void *at, size_t size, bool writes);
void heap_begin(void);
void heap_end(void); /* fails if something was not freed */

/* statics.c: as the program began with, before each execution. */
void statics_will_write(const void *at, size_t size);
void statics_restore(void);
void statics_swap(unsigned from, unsigned to); /* thread-local ones */
bool statics_is_local(const void *at);
void statics_begin(void);

/* sync.c: locks. */
void sync_begin(void);

/* system.c: what a thread has for itself. */
void system_begin(void);
void system_end_thread(void);
#endif

/* thread.c: whose turn it is. Threads are fibres; a turn passes only before an
 * atomic operation or one on a lock, and where a thread cannot go on. */
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "tests/weave/choice.h"
#include "tests/weave/fibre.h"
#include "tests/weave/inner.h"
#include "tests/weave/kernel.h"

enum { STACK = 256 << 10 };

static struct thread {
    void *place; /* where it goes on */
    char *stack;
    const void *asleep_on;
    bool timeout; /* it may be woken by the clock */
    bool timed_out, yielded, done;
} threads[THREADS];

static const struct weave_test *test;
static struct {
    void *(*function)(void *); /* NULL: the test's */
    void *arg, *result;
} starts[THREADS];
unsigned thread_current;
struct view thread_views[THREADS];
static unsigned count, steps;
static void *outside; /* where who called thread_run() goes on */
static bool failed;
static char failure[300];

const char *thread_failure(void) { return failure; }

void weave_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(failure, sizeof failure, format, args);
    va_end(args);
    failed = true;
    fibre_switch(&threads[thread_current].place, outside);
    __builtin_unreachable();
}

static void go_to(unsigned next)
{
    unsigned from = thread_current;

    if (next == from)
        return;
    statics_swap(from, next);
    thread_current = next;
    fibre_switch(&threads[from].place, threads[next].place);
}

static bool can_run(const struct thread *t)
{
    return !t->done && !t->yielded && (!t->asleep_on || t->timeout);
}

static unsigned list_ready(unsigned ready[])
{
    unsigned n = 0;

    for (unsigned i = 1; i <= count; i++)
        if (can_run(&threads[i]))
            ready[n++] = i;
    return n;
}

void thread_changed(void)
{
    for (unsigned i = 1; i <= count; i++)
        threads[i].yielded = false;
}

static bool all_done(void)
{
    for (unsigned i = 1; i <= count; i++)
        if (!threads[i].done)
            return false;
    return true;
}

static void wake_up(struct thread *t, bool timed_out)
{
    t->asleep_on = NULL;
    t->timed_out = timed_out;
}

/* Gives the turn to one that can go on; perhaps to the one that has it. */
static void pass_on(void)
{
    unsigned ready[THREADS], n = list_ready(ready);
    int place = -1;

    if (!n) {
        thread_changed();
        n = list_ready(ready);
    }
    if (!n && all_done()) {
        go_to(0);
        return;
    }
    if (!n)
        weave_fail("deadlock: every thread that is left sleeps");
    if (++steps > STEPS)
        weave_fail("no end after %u steps", STEPS);
    for (unsigned i = 0; i < n; i++)
        if (ready[i] == thread_current && !threads[thread_current].asleep_on)
            place = (int)i;
    unsigned next = ready[choice_of_thread(ready, n, place)];
    if (threads[next].asleep_on) {
        trace("thread %u: the time of its sleep is over", next);
        wake_up(&threads[next], true);
    }
    go_to(next);
}

void thread_step(void)
{
    if (thread_current)
        pass_on();
}

bool thread_sleep(const void *on, bool timeout)
{
    struct thread *t = &threads[thread_current];

    if (!thread_current)
        weave_fail("the setup or the check would sleep");
    t->asleep_on = on;
    t->timeout = timeout;
    choice_last(thread_current);
    pass_on();
    return !t->timed_out;
}

void thread_wake(const void *on, unsigned most)
{
    for (; most; most--) {
        unsigned asleep[THREADS], n = 0;
        for (unsigned i = 1; i <= count; i++)
            if (threads[i].asleep_on == on)
                asleep[n++] = i;
        if (!n)
            return;
        /* Where all are woken the order makes no difference. */
        wake_up(&threads[asleep[n > most ? choice_of(n) : 0]], false);
    }
}

void weave_yield(void)
{
    if (!thread_current)
        weave_fail("the setup or the check would wait");
    threads[thread_current].yielded = true;
    choice_last(thread_current);
    pass_on();
}

static void play(void)
{
    unsigned self = thread_current;

    if (starts[self].function)
        starts[self].result = starts[self].function(starts[self].arg);
    else
        test->threads[self - 1]();
    system_end_thread();
    thread_views[self].epochs[self]++; /* who joins it comes after */
    threads[self].done = true;
    thread_changed();
    thread_wake(&threads[self], THREADS);
    pass_on();
    __builtin_trap();
}

static void begin_thread(unsigned i, void (*play_it)(void))
{
    struct thread *t = &threads[i];
    char *stack = t->stack;

    if (!stack)
        stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *t = (struct thread){ .stack = stack,
                          .place = fibre_on(stack, STACK, play_it) };
    view_empty(&thread_views[i]);
    starts[i].function = NULL;
}

unsigned thread_start(void *(*function)(void *), void *arg)
{
    if (count == WEAVE_THREADS)
        weave_fail("too many threads");
    unsigned i = ++count; /* others start some in the step below */
    begin_thread(i, play);
    starts[i].function = function;
    starts[i].arg = arg;
    thread_views[thread_current].epochs[thread_current]++;
    view_join(&thread_views[i], &thread_views[thread_current]);
    thread_step();
    return i;
}

void *thread_join(unsigned thread)
{
    thread_step();
    while (!threads[thread].done)
        thread_sleep(&threads[thread], false);
    view_join(&thread_views[thread_current], &thread_views[thread]);
    return starts[thread].result;
}

char *thread_stack(size_t *size)
{
    *size = STACK;
    return threads[thread_current].stack;
}

/* Thread 0. */
static void play_test(void)
{
    if (test->setup)
        test->setup();
    for (unsigned i = 1; i <= count; i++)
        view_join(&thread_views[i], &thread_views[0]);
    pass_on();
    for (unsigned i = 1; i <= count; i++)
        view_join(&thread_views[0], &thread_views[i]);
    if (test->check)
        test->check();
    heap_end();
    kernel_end();
    void *here;
    fibre_switch(&here, outside);
    __builtin_unreachable();
}

bool thread_run(const struct weave_test *the_test)
{
    test = the_test;
    failed = false;
    thread_current = steps = 0;
    for (count = 0; test->threads[count]; count++)
        ;
    for (unsigned i = 0; i <= count; i++)
        begin_thread(i, i ? play : play_test);
    for (unsigned i = count + 1; i < THREADS; i++)
        thread_views[i].count = 0; /* a barrier of all has told it things */
    fibre_switch(&outside, threads[0].place);
    return !failed;
}

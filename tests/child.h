/* child.h: a child of which it is certain who runs it. */
#ifndef WEFT_TESTS_CHILD_H
#define WEFT_TESTS_CHILD_H
#include <pthread.h>
#include <semaphore.h>

#include "tests/runs.h"

struct sure_child {
    weft_fn *fn;
    void *ctx;
    sem_t begun;
    pthread_t thread;
};

static inline int begin_sure_child(weft_worker *self, void *ctx)
{
    struct sure_child *c = ctx;
    c->thread = pthread_self();
    sem_post(&c->begun);
    return c->fn(self, c->ctx);
}

/* Calls fn as a child. Taken: another worker does, for which one must have
 * nothing else to do. Else all others must be busy. */
static inline int as_child(weft_worker *self, bool taken, weft_fn *fn,
                           void *ctx)
{
    struct sure_child c = { .fn = fn, .ctx = ctx };
    struct weft_child child = { .fn = begin_sure_child, .ctx = &c };

    sem_init(&c.begun, 0, 0);
    cr_assert_eq(weft_spawn(self, &child), 0);
    if (taken)
        sem_wait(&c.begun);
    int rc = weft_sync(self, &child);
    cr_assert_eq(!pthread_equal(c.thread, pthread_self()), taken);
    sem_destroy(&c.begun);
    return rc;
}
#endif

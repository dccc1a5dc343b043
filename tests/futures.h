/* futures.h: what the tests of futures share. */
#ifndef WEFT_TESTS_FUTURES_H
#define WEFT_TESTS_FUTURES_H
#include "tests/runs.h"

static inline weft_future *submitted(weft_sched *s, weft_fn *fn, void *ctx)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_submit(s, fn, ctx, &f, NULL), 0);
    return f;
}

static inline int wait_and_destroy(weft_future *f)
{
    int rc = weft_future_wait(f, -1);
    weft_future_destroy(f);
    return rc;
}

static inline weft_future *promised(weft_sched *s)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_promise(s, &f, NULL), 0);
    return f;
}

/* After f, which is destroyed. */
static inline weft_future *then(weft_future *f, enum weft_on on,
                                weft_then_fn *fn, void *ctx)
{
    weft_future *out = NULL;
    cr_assert_eq(weft_then(f, weft_config(then, .fn = fn, .ctx = ctx, .on = on),
                           &out, NULL),
                 0);
    weft_future_destroy(f);
    return out;
}

/* The sentence of a future that has failed like this. */
static inline bool says(weft_future *f, int error, const char *sentence)
{
    weft_error why = { "" };
    int rc = weft_future_why(f, &why);
    if (rc != error || strcmp(why.text, sentence))
        fprintf(stderr, "%d: %s\n", rc, why.text);
    return rc == error && !strcmp(why.text, sentence);
}

/* Tasks. */
static inline int count_then(weft_worker *self, int result, void *counter)
{
    return count(self, counter);
}
#endif

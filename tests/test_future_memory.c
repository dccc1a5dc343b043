/* test_future_memory.c: what futures allocate, and that each of these
 * allocations may fail.
 *
 * The n-th allocation of this thread fails, for n = 0, 1, 2 ... until nothing
 * fails any more. Each time the call that needed memory says -ENOMEM and leaves
 * its result alone. What leaks on the way is found by LeakSanitizer. */
#include <stdlib.h>

#include "tests/allocs.h"
#include "tests/futures.h"

static weft_future *some[2];
static _Atomic unsigned ran;

static int submit(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_submit(s, count, &ran, out, why);
}

static int submit_named(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_submit_with(
        s, weft_config(submit, .name = "task", .fn = count, .ctx = &ran), out,
        why);
}

static int come_after(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_then(some[0], weft_config(then, .fn = count_then, .ctx = &ran),
                     out, why);
}

static int come_after_named(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_then(
        some[0],
        weft_config(then, .name = "task", .fn = count_then, .ctx = &ran), out,
        why);
}

static int promise(weft_sched *s, weft_future **out, weft_error *why)
{
    int rc = weft_promise(s, out, why);
    if (!rc)
        weft_future_complete(*out, 0);
    return rc;
}

static int when_all(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_when_all(s, some, 2, out, why);
}

static int when_any(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_when_any(s, some, 2, out, why);
}

static int pause_1us(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_after_ns(s, 1000, out, why);
}

static struct weft_io sleep_1us = { .op = WEFT_IO_SLEEP, .ns = 1000 };
static struct weft_io load_null = { .op = WEFT_IO_LOAD, .path = "/dev/null" };

static int perform(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_future_io(s, &sleep_1us, out, why);
}

static int perform_named(weft_sched *s, weft_future **out, weft_error *why)
{
    return weft_future_io(s, &load_null, out, why);
}

static const struct {
    int (*make)(weft_sched *s, weft_future **out, weft_error *why);
    uint64_t allocations;
} calls[] = {
    { submit, 1 },        { submit_named, 2 }, { come_after, 1 },
    { promise, 1 },       { when_all, 1 },     { come_after_named, 2 },
    { when_any, 1 },      { pause_1us, 1 },    { perform, 1 },
    { perform_named, 2 },
};

Test(future_memory, each_future_takes_one_allocation_and_one_for_a_name,
     .timeout = 60)
{
    weft_sched *s = workers(1);

    cr_assert_eq(weft_future_wait(some[0] = submitted(s, nothing, NULL), -1),
                 0);
    some[1] = some[0];
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++)
        for (int twice = 0; twice < 2; twice++) { /* threads are there then */
            weft_future *f = NULL;
            uint64_t before = load_relaxed(&allocations);
            cr_assert_eq(calls[i].make(s, &f, NULL), 0);
            weft_future_wait(f, -1);
            weft_future_destroy(f);
            cr_assert(!twice || load_relaxed(&allocations) - before ==
                                    calls[i].allocations);
        }
    weft_future_destroy(some[0]);
    weft_sched_destroy(s);
}

Test(future_memory, each_call_says_so_wherever_memory_ends, .timeout = 60)
{
    weft_sched *s = workers(1);

    cr_assert_eq(weft_future_wait(some[0] = submitted(s, nothing, NULL), -1),
                 0);
    some[1] = some[0];
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        int rc = -1, n = 0;
        for (; rc; n++) {
            weft_future *f = NULL;
            weft_error why = { "" };
            left = n;
            rc = calls[i].make(s, &f, &why);
            left = -1;
            cr_assert(!rc ||
                      (rc == -ENOMEM && !f && strstr(why.text, "no memory")));
            if (f)
                weft_future_wait(f, -1);
            weft_future_destroy(f);
        }
        cr_assert_eq(n, (int)calls[i].allocations + 1);
    }
    weft_future_destroy(some[0]);
    weft_sched_destroy(s);
}

Test(future_memory, waiting_says_so, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s);
    weft_set *set = NULL;
    weft_error why;

    left = 0;
    cr_assert_eq(weft_wait_any(&p, 1, NULL, -1), -ENOMEM);
    left = 0;
    cr_assert_eq(weft_wait_all(&p, 1, -1, &why), -ENOMEM);
    cr_assert_eq(strcmp(why.text, "no memory to wait"), 0);
    left = 0;
    cr_assert_eq(weft_set_create(&set, &why), -ENOMEM);
    left = -1;
    cr_assert_eq(set, NULL);
    cr_assert_eq(weft_set_create(&set, NULL), 0);
    left = 0;
    cr_assert_eq(weft_set_add(set, p, NULL, &why), -ENOMEM);
    left = -1;
    cr_assert_eq(weft_set_next(set, (void *[]){ NULL }, NULL, -1), 0);
    weft_set_destroy(set);
    weft_future_complete(p, 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

static int end_as_without_memory(weft_worker *self, void *ctx)
{
    weft_future *f = promised(weft_worker_sched(self));
    left = 0;
    int rc = weft_end_as(self, f);
    left = -1;
    weft_future_complete(f, 0); /* who completes it has it still */
    return rc;
}

Test(future_memory, ending_as_another_says_so, .timeout = 60)
{
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, end_as_without_memory, NULL)),
                 -ENOMEM);
    weft_sched_destroy(s);
}

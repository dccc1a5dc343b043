/* stands.h: runs that are brought to a stand, and reading what is said of them.
 *
 * Nothing moves any more then, so the report is exact; until it stands, it is
 * asked for again. */
#ifndef WEFT_TESTS_STANDS_H
#define WEFT_TESTS_STANDS_H
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/everything.h"

enum { LINES = 64, SHELF = 64 };

/* ---- reading it -------------------------------------------------------- */

struct lines {
    char text[LINES][640];
    unsigned count;
};

static inline void add_line(void *ctx, const char *what, const char *text)
{
    struct lines *l = ctx;
    cr_assert(l->count < LINES);
    snprintf(l->text[l->count++], sizeof l->text[0], "%s %s", what, text);
}

/* Of a line, all up to a time, which varies. */
static inline bool is_line(const char *line, const char *wanted)
{
    return strncmp(line, wanted, strlen(wanted)) == 0;
}

static inline bool are_lines(const struct lines *l, const char *const *wanted,
                             unsigned count)
{
    if (l->count != count)
        return false;
    for (unsigned i = 0; i < count; i++)
        if (!is_line(l->text[i], wanted[i]))
            return false;
    return true;
}

static inline void comes_to(struct weft_run *run, const char *const *wanted,
                            unsigned count)
{
    struct lines l;

    for (int i = 0; i < 20000; i++) {
        l.count = 0;
        cr_assert_eq(weft_run_report(run, add_line, &l), 0);
        if (are_lines(&l, wanted, count))
            return;
        usleep(1000);
    }
    for (unsigned i = 0; i < l.count; i++)
        printf("%s\n", l.text[i]);
    cr_assert(are_lines(&l, wanted, count));
}

/* The report is these lines, in this order. */
#define COMES_TO(run, ...)                                                     \
    comes_to(run, (const char *const[]){ __VA_ARGS__ },                        \
             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *))

/* ---- what makes it stand ----------------------------------------------- */

/* Pending items, by their number. */
struct shelf {
    _Atomic(void *) item[SHELF];
    unsigned made, end, epoch_after;
    int from, to; /* items that `pass_some` keeps: from .. to */
};

static inline int make(weft_worker *self, void *item, void *ctx)
{
    struct shelf *s = ctx;
    if (s->made == s->end)
        return WEFT_END;
    if (s->epoch_after && s->made == s->epoch_after) {
        s->epoch_after = 0;
        return WEFT_EPOCH;
    }
    *(uint64_t *)item = s->made++;
    return 0;
}

static inline int keep(weft_worker *self, void *item, void *ctx)
{
    struct shelf *s = ctx;
    /* With all that was done to it: for let_go. */
    store_release(&s->item[weft_item_number(item)], item);
    return WEFT_PENDING;
}

static inline int pass_some(weft_worker *self, void *item, void *ctx)
{
    struct shelf *s = ctx;
    int number = (int)weft_item_number(item);
    return number >= s->from && number <= s->to ? keep(self, item, ctx) : 0;
}

static inline void let_go_with(struct shelf *s, unsigned number, int rc)
{
    void *item;
    while (!(item = load_acquire(&s->item[number]))) /* keep */
        usleep(100);
    store_relaxed(&s->item[number], NULL); /* before it may be kept again */
    weft_complete(NULL, item, rc);
}

static inline void let_go(struct shelf *s, unsigned number)
{
    let_go_with(s, number, 0);
}

static inline void let_all_go(struct shelf *s)
{
    for (unsigned i = 0; i < SHELF; i++)
        if (load_acquire(&s->item[i])) /* keep */
            let_go(s, i);
}

static inline int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static inline int fail(weft_worker *self, void *item, void *ctx)
{
    return -EAGAIN;
}

static inline int collect_one(weft_worker *self, void *batch, void *item,
                              void *ctx)
{
    return 0;
}

static inline int split_for_ever(weft_worker *self, void *item, void *piece,
                                 void *ctx)
{
    return 0;
}

static inline struct weft_items numbers(unsigned slots)
{
    return (struct weft_items){ .bytes = sizeof(uint64_t), .slots = slots };
}

static inline weft_pipeline *drawing(unsigned slots)
{
    return weft_pipeline_create(weft_config(pipeline, .items = numbers(slots)));
}

/* A run of what was drawn, which is destroyed. */
struct stand {
    weft_sched *sched;
    weft_plan *plan;
    struct weft_run *run;
};

static inline struct stand start(weft_pipeline *p, unsigned worker_count)
{
    struct stand s = { .sched = workers(worker_count) };
    weft_error why;
    int rc = weft_pipeline_compile(&s.plan, p, &why);

    if (rc)
        printf("%s\n", why.text);
    cr_assert_eq(rc, 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&s.run, s.sched, s.plan, NULL), 0);
    return s;
}

static inline void stop(struct stand *s, struct shelf *shelf)
{
    weft_cancel(s->run);
    if (shelf)
        let_all_go(shelf);
    cr_assert_eq(weft_wait(s->run, -1, NULL), -ECANCELED);
    COMES_TO(s->run, "the run has ended");
    weft_run_destroy(s->run);
    weft_plan_destroy(s->plan);
    weft_sched_destroy(s->sched);
}
#endif

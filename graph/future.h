/* future.h: the object behind a handle, for the files that make futures. The
 * arguments for its state are in future.c. */
#ifndef WEFT_GRAPH_FUTURE_H
#define WEFT_GRAPH_FUTURE_H
#include "graph/here.h"
#include "sched/atomic.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "weft/future.h"

/* The state of a future: these, and references. */
enum {
    DONE = 1 << 0,      /* its result is there */
    WAITED = 1 << 1,    /* threads sleep on the state */
    LISTENED = 1 << 2,  /* it has, or had, listeners */
    READY = 1 << 3,     /* what it waits for is done, it may run */
    CLAIMED = 1 << 4,   /* it runs, or has a result, of the one who did this */
    QUEUED = 1 << 5,    /* its task is in a queue, or about to be put there */
    OPEN = 1 << 6,      /* its task has asked for itself: it may pend */
    COMPLETED = 1 << 7, /* weft_future_complete was called, */
    GIVEN = 1 << 8,     /* and its result is there */
    RETURNED = 1 << 9,  /* the task has returned WEFT_PENDING */
    FOLLOWS = 1 << 10,  /* it ends as another one does, in `ctx` */
    HOLDS = 1 << 11,    /* it holds its scheduler until it is done */
    CANCELLED = 1 << 12,
    ASKING = 1 << 13, /* somebody asks it to end: who ends it meanwhile, */
    HELD = 1 << 14,   /* leaves the rest to them */
    REF = 1 << 15,    /* one reference */
    ALONE = READY | CLAIMED | REF, /* nobody else has it */
};

/* Whether nobody has the future any more whose state this is. */
static inline bool is_last(uint32_t state)
{
    return state < REF && !(state & QUEUED);
}

/* Who failed, in a sentence: "task 'parse'". */
struct subject {
    _Atomic uint32_t refs; /* 0: it is for ever */
    const char *text;
};

extern struct subject wf_a_task;

/* A copy of "noun 'name'", with one reference; NULL: no memory. */
struct subject *wf_subject(const char *noun, const char *name);
struct subject *wf_subject_hold(struct subject *subject);
void wf_subject_drop(struct subject *subject);

/* What comes out of a result: futures that are ready to run, and those that
 * have a result now without having run. */
struct settling {
    weft_worker *self; /* NULL: on no worker */
    weft_sched *sched; /* of those that are ready */
    struct task_list ready;
    weft_future *through;
    weft_future *holding; /* done; they hold their schedulers until the end */
};

/* Is told of a result once; on any thread, with no lock. */
struct listener {
    struct listener *next, *before; /* in a ring; NULL: in none */
    void (*hear)(struct listener *listener, weft_future *source,
                 struct settling *s);
};

/* How kinds of futures differ. All of it may be NULL. */
struct future_kind {
    /* It was claimed by a cancel, and is done: nothing else needs to come. */
    void (*withdraw)(weft_future *f);
    /* Asks its task to end, once, between its start and its completion. */
    void (*ask)(weft_future *f);
    bool asks_early; /* also before it has returned WEFT_PENDING */
    /* The first that it waits for of those from a number on, which becomes that
     * of the next; with a reference. NULL: nothing that can be said. */
    weft_future *(*waits_for)(weft_future *f, size_t *from);
    bool waits_for_one;                /* another one may do as well */
    void (*finish)(weft_future *f);    /* before it is freed */
    void (*give_back)(weft_future *f); /* its memory; NULL: free() */
};

struct weft_future {
    struct task task;
    weft_fn *fn;
    void *ctx;
    weft_fn *then; /* the continuation */
    union {
        void *then_ctx;
        weft_future *next; /* in struct settling: it does not go on */
    };
    weft_sched *sched;
    const struct future_kind *kind;
    struct subject *subject;    /* of what failed, once it is done */
    struct listener *listeners; /* the first of the ring */
    _Atomic uint32_t state;
    int result;
};

/* ---- future.c ---------------------------------------------------------- */

/* Of `bytes`, zeroed from the end of weft_future on; with no function, and a
 * reference to the subject, which it takes. NULL: no memory; the subject is
 * dropped. */
weft_future *wf_future_create(weft_sched *sched, const struct future_kind *kind,
                              struct subject *subject, size_t bytes,
                              uint32_t state);

/* Without a handle, and ready to run. NULL: no memory. */
weft_future *wf_future_loose(weft_sched *sched, weft_fn *fn, void *ctx);

/* The same in memory of the caller's, which the kind's `give_back` gets. */
void wf_future_make_loose(weft_future *f, const struct future_kind *kind,
                          weft_sched *sched, weft_fn *fn, void *ctx);
void wf_future_drop(weft_future *f);
void wf_future_free(weft_future *f); /* nobody has it any more */

/* Whether it had not been claimed: then it is ours. */
bool wf_future_claim(weft_future *f);

/* Its task is in no queue, or is about to be put in one. */
void wf_future_submit(weft_future *f);

/* For a future that is GIVEN and RETURNED: whether its continuation was queued;
 * else it is to be settled, with f->result. */
bool wf_future_goes_on(weft_future *f);

/* Runs a future that this worker has claimed to its end, or until it pends. */
void wf_future_run_here(weft_worker *self, weft_future *f);

/* A task that runs, on top of others that wait for it. */
struct frame {
    weft_future *f;
    const struct frame *below;
};

/* The one that runs here; or where a child does, that which it is part of, on
 * whatever thread. NULL: none. */
const struct frame *wf_frames(void);

/* ---- settle.c ---------------------------------------------------------- */

/* A claimed future has this result. All that follows without running has it
 * too when this returns, and what is ready to run is queued. */
void wf_settle(weft_future *f, int result);

/* The same with f->result, on the worker that has run it; returns what it runs
 * next. */
struct task *wf_settle_and_go_on(weft_worker *self, weft_future *f);

/* False: it is done, and `hear` will not be called. */
bool wf_listen(weft_future *f, struct listener *l);

/* True: it will not be called any more; it has not been. `f` may be gone if
 * this was never listened to, or has heard. */
bool wf_unlisten(weft_future *f, struct listener *l);

/* Takes a reference if it still listens. */
bool wf_hold_source(weft_future *f, const struct listener *l);

/* In `hear`: who listens may run; or has the result of the source, also if it
 * fails. Both give back the reference of its listener. */
void wf_settling_ready(struct settling *s, weft_future *f);
void wf_settling_pass(struct settling *s, weft_future *f, weft_future *source);

/* It is claimed, and has f->result. */
void wf_settling_add(struct settling *s, weft_future *f);

/* What f fails as, from now on, is what the source did. */
void wf_future_blame(weft_future *f, weft_future *source);

/* Around a call of `hear` for a source that was done already. */
struct settling wf_settling_begin(void);
void wf_settling_end(struct settling *s);

/* ---- promise.c --------------------------------------------------------- */

/* The task has returned WEFT_PENDING; returns what its worker runs next. */
struct task *wf_future_pends(weft_worker *self, weft_future *f);

/* After ASKING was set: asks, and does what was left to us. */
void wf_future_ask(weft_future *f);

/* The future that it ends as, with a reference; or NULL. */
weft_future *wf_future_followed(weft_future *f);

/* ---- helpwait.c -------------------------------------------------------- */

enum help {
    HELPED,  /* something was run */
    NOTHING, /* there is nothing to be run here */
    OWN,     /* it waits for what waits for this call */
};
enum help wf_help(weft_worker *self, weft_future *f);

/* The same for any future. */
weft_future *wf_future_next(weft_future *f, uint32_t state, size_t *from);

/* Sleeps while *word == seen, on a worker, or not, of this scheduler or not,
 * waiting for all of n futures: 0, -EAGAIN or -EDEADLK. */
int wf_wait_on(const weft_sched *sched, weft_worker *self,
               weft_future *const futures[], size_t n, _Atomic uint32_t *word,
               uint32_t seen, int64_t left);

/* ---- circle.c ---------------------------------------------------------- */

/* The same on a worker. */
int wf_sleep_in_task(weft_worker *self, weft_future *const futures[], size_t n,
                     _Atomic uint32_t *word, uint32_t seen, int64_t left);
#endif

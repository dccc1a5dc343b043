/* seeded.h: a seed plays all workers, one thread at a time. Inside sched/ only.
 */
#ifndef WEFT_SCHED_SEEDED_H
#define WEFT_SCHED_SEEDED_H
#include "sched/atomic.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "weft/io.h"

struct seeded;
struct seededio;

/* Where a thread waits for its turn; in its frame. */
struct cue {
    struct cue *next;
    _Atomic uint32_t go;
};

/* The seed is not 0. 0 or a negative errno; to be destroyed in either case,
 * unless it is NULL. */
int wf_seeded_create(struct seeded **out, weft_sched *sched, uint64_t seed);

/* For how long those are waited for that wait in a way of their own; and for
 * what never comes. For tests, before anything is left to do. */
void wf_seeded_patience(struct seeded *s, uint64_t loose_ns, uint64_t stuck_ns);

/* The workers are there: they are played. */
int wf_seeded_start(struct seeded *s);

/* Nobody holds the scheduler. Plays what is left, and ends the threads. NULL is
 * fine. */
void wf_seeded_destroy(struct seeded *s);

/* [any] The time, which passes only when nothing else is left to do. */
uint64_t wf_seeded_now(const struct seeded *s);

/* [its turn] */
uint64_t wf_seeded_random(struct seeded *s);

/* [any] Whether there is such a scheduler, which has a seed; if so, its time.
 */
bool wf_played_now(const weft_sched *sched, uint64_t *now);

/* [any] The same, and as wf_wait_while, in its time. */
bool wf_played_wait(const weft_sched *sched, _Atomic uint32_t *word,
                    uint32_t seen, int64_t timeout_ns);

/* [its turn] As wf_worker_sleep, in this time. */
int wf_seeded_sleep(struct seeded *s, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns);

/* [any] As wf_offload. It cannot fail. */
void wf_seeded_call(struct seeded *s, struct task *task);

/* A thread of its own that has its turn when one of its tasks is chosen. */
struct bound {
    struct cue cue;
    struct bound *next;
    struct task_list queue;
    struct task *task;      /* that it runs; NULL in its turn: it is to end */
    _Atomic uint32_t count; /* of tasks that have not ended */
};

/* [any] */
void wf_seeded_bind(struct seeded *s, struct bound *b);
void wf_seeded_run_bound(struct seeded *s, struct bound *b, struct task *task);

/* [any] Waits until it has done all that is queued, and lets it end. */
void wf_seeded_unbind(struct seeded *s, struct bound *b);

/* The thread, until it is to end. */
void wf_seeded_serve(struct seeded *s, struct bound *b);

/* ---- operations: seededio.c --------------------------------------------- */

int wf_seededio_create(struct seededio **out);
void wf_seededio_destroy(struct seededio *io);

/* [worker, its turn] As weft_io_start, but a SLEEP. */
int wf_seeded_io_start(struct seeded *s, struct weft_io *io);

/* How many can be done, those included whose descriptors are ready if it looks
 * at them; and whether some wait for descriptors. */
unsigned wf_seededio_count(struct seededio *io, bool looks);
bool wf_seededio_polls(struct seededio *io);

/* Whether one that waits for a descriptor could be done. It changes nothing. */
bool wf_seededio_has_news(struct seededio *io);

/* [its turn] Does one of those. False: there is none, or it cannot be done
 * after all, and waits again. */
bool wf_seededio_perform(struct seeded *s);

/* [its turn] Sleeps so long, or until a descriptor that is waited for has
 * something to tell. */
void wf_seededio_idle(struct seededio *io, uint64_t ns);
#endif

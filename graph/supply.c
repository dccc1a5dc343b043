/* supply.c: a source that is fed from outside, by any thread, while it runs.
 *
 * A thread reserves a slot, fills it, and feeds it; so nothing is copied, and
 * what the slot has grown is used again. As many are in flight as there are
 * slots: then a thread waits, or is told at once. The input ends when somebody
 * says so, or when the run is drained or stopped; what is reserved then may
 * still be fed.
 *
 *  [P] A thread that waits for bytes of the budget sleeps on a word of its
 *      slot. The task that the budget makes ready stores it with release, so
 *      the thread sees the budget's grant; it wakes by the address alone. A
 *      thread that stops waiting withdraws; if it comes too late for that, the
 *      task is on its way, and is waited for. When the input ends,
 * wf_segment_end withdraws in its place, under the segment's lock. A thread
 * that asks passes that lock afterwards, so it is seen there or sees the end.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "graph/pipeline.h"

/* The segment that the source of this name feeds; or NOWHERE and a sentence. */
static unsigned find(const struct pipeline_run *run, const char *name,
                     weft_error *why)
{
    const struct pipeline_plan *plan = run ? run->plan : NULL;
    unsigned found = NOWHERE, count = 0;

    for (unsigned i = 0; plan && i < plan->segment_count; i++) {
        const struct stage *source = &plan->stages[plan->segments[i].feeder];
        if (!source->fed || (name && strcmp(name, source->name)))
            continue;
        found = i;
        count++;
    }
    if (count == 1)
        return found;
    if (count)
        wf_error(why, 0, "%u sources are fed from outside: say which", count);
    else if (name)
        wf_error(why, 0, "no source '%s' is fed from outside", name);
    else
        wf_error(why, 0, "no source is fed from outside: use weft_source_fed");
    return NOWHERE;
}

static int has_ended(struct pipeline_run *run, weft_error *why)
{
    if (load_relaxed(&run->run.error))
        return wf_error(why, -ECANCELED, "the run was stopped");
    return wf_error(why, -EPIPE, "the input has ended");
}

/* The budget has the bytes that a slot waits for; [P]. */
static struct task *paid(weft_worker *self, struct task *task)
{
    _Atomic uint32_t *word = &slot_of_task(task)->refs;

    store_release(word, PAID); /* [P] */
    wf_wake_all(word);
    return NULL;
}

/* Sleeps until the budget has granted what the slot waits for: PAID. Or until
 * it will not: UNPAID after the deadline, TOO_LATE after the end. */
static enum payment wait_for_bytes(struct slot *slot, struct deadline *deadline)
{
    struct budget *budget = &slot->run->budget;
    weft_sched *sched = slot->run->run.sched;
    uint32_t word;

    if (wf_segment_ended(segment_of(slot)) && /* [P] */
        wf_budget_withdraw(budget, slot))
        return TOO_LATE;
    while ((word = load_acquire(&slot->refs)) == UNPAID) { /* [P] */
        int64_t left = deadline_left(sched, deadline);
        if (!left && wf_budget_withdraw(budget, slot))
            return UNPAID;
        wf_wait_while(sched, &slot->refs, UNPAID, left ? left : -1);
    }
    return (enum payment)word;
}

/* The cost of an item, where it has a fixed one. */
static enum payment pay(struct slot *slot, int timeout_ms,
                        struct deadline *deadline)
{
    struct budget *budget = &slot->run->budget;
    uint64_t cost = segment_of(slot)->items.cost;

    if (!cost || wf_budget_try(budget, slot, cost))
        return PAID;
    if (!timeout_ms)
        return UNPAID;
    slot->task.run = paid;
    store_relaxed(&slot->refs, UNPAID);
    put_at(slot, WANTS_COST);
    wf_segment_block(segment_of(slot), true);
    enum payment payment = wf_budget_ask(budget, slot, cost, NULL)
                               ? PAID
                               : wait_for_bytes(slot, deadline);
    wf_segment_block(segment_of(slot), false);
    put_at(slot, RESERVED);
    return payment;
}

static void give_back(struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    weft_worker *self = wf_worker_here();
    unsigned segment = slot->segment;
    struct task_list back = { 0 };

    if (run->plan->budgeted) {
        struct budget_news opens = wf_budget_leave(&run->budget, slot);
        wf_flow_budget(run, self, &opens);
    }
    task_list_add(&back, &slot->task);
    wf_feed_news(run, self, segment,
                 wf_segment_return(&run->segments[segment], &back));
}

static int reserve(struct pipeline_run *run, unsigned segment,
                   struct slot **out, int timeout_ms, weft_error *why)
{
    struct deadline deadline = deadline_in(run->run.sched, timeout_ms);
    bool ended;
    int rc;

    if (wf_worker_here() && timeout_ms)
        return wf_error(why, -EDEADLK,
                        "a worker may not wait for a slot: use timeout 0");
    *out = wf_segment_reserve(&run->segments[segment], run->run.sched,
                              &deadline, &ended);
    if (ended)
        return has_ended(run, why);
    if (!*out)
        return wf_error(why, -ETIMEDOUT, "no slot was free within %d ms",
                        timeout_ms);
    switch (pay(*out, timeout_ms, &deadline)) {
    case PAID:
        return 0;
    case TOO_LATE:
        rc = has_ended(run, why);
        break;
    default:
        rc = wf_error(why, -ETIMEDOUT,
                      "the budget had no bytes left within %d ms", timeout_ms);
    }
    give_back(*out);
    return rc;
}

int weft_reserve(struct weft_run *base, const char *source, void **item,
                 int timeout_ms, weft_error *why)
{
    struct pipeline_run *run = pipeline_of(base);
    unsigned segment = find(run, source, why);
    struct slot *slot;

    if (segment == NOWHERE)
        return -EINVAL;
    int rc = reserve(run, segment, &slot, timeout_ms, why);
    if (!rc)
        *item = slot->item;
    return rc;
}

static void feed(struct slot *slot, bool marker)
{
    struct pipeline_run *run = slot->run;
    unsigned source = run->plan->segments[slot->segment].feeder;

    add_relaxed(&run->stages[source].fed, !marker);
    wf_feed_filled(slot, marker, false, ticks_of(slot));
    wf_ready(run->run.sched, wf_worker_here(), &slot->task);
}

/* It was reserved, and is not any more: who comes twice is told. */
static bool give_up(struct slot *slot, const char *call)
{
    uint64_t at = load_relaxed(&slot->at);

    if ((at & 0xff) == RESERVED &&
        cas_relaxed(&slot->at, &at, at - RESERVED + IN_HAND))
        return true;
    wf_misuse("%s: item %" PRIu64 " is not reserved: it was fed before, or "
              "never taken with weft_reserve",
              call, slot->number);
    return false;
}

void weft_feed(void *item)
{
    struct slot *slot = slot_of_item(item);

    if (give_up(slot, "weft_feed"))
        feed(slot, false);
}

void weft_unreserve(void *item)
{
    struct slot *slot = slot_of_item(item);

    if (give_up(slot, "weft_unreserve"))
        give_back(slot);
}

int weft_feed_epoch(struct weft_run *base, const char *source, int timeout_ms,
                    weft_error *why)
{
    struct pipeline_run *run = pipeline_of(base);
    unsigned segment = find(run, source, why);
    struct slot *slot;

    if (segment == NOWHERE)
        return -EINVAL;
    int rc = reserve(run, segment, &slot, timeout_ms, why);
    if (!rc)
        feed(slot, true);
    return rc;
}

int weft_feed_end(struct weft_run *base, const char *source, weft_error *why)
{
    struct pipeline_run *run = pipeline_of(base);
    unsigned segment = find(run, source, why);

    if (segment == NOWHERE)
        return -EINVAL;
    wf_feed_ended(run, wf_worker_here(), segment, NULL);
    return 0;
}

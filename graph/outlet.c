/* outlet.c: where the good items of a segment wait for the consumer, and who
 * sleeps there.
 *
 * The outlet is a part of its segment, under the segment's lock: so the
 * consumer is told that nothing will come any more in the step in which that
 * becomes true. */
#include "graph/outlet.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "graph/times.h"
#include "graph/wait.h"

int wf_outlet_init(struct outlet *o, unsigned slots, bool ordered)
{
    uint64_t places = 1;

    while (places < slots)
        places *= 2;
    *o = (struct outlet){ .event = -1, .mask = places - 1 };
    if (ordered && !(o->early = calloc(places, sizeof *o->early)))
        return -ENOMEM;
    return 0;
}

void wf_outlet_finish(struct outlet *o)
{
    free(o->early);
    if (o->event >= 0)
        close(o->event);
}

bool wf_segment_dry(const struct segment *s)
{
    if (load_relaxed(&s->cancel_from) == 0 && !s->out.list.first)
        return true;
    return s->ended && s->free.count + s->out.borrowed == s->items.slots;
}

/* Under the lock: the descriptor is readable while there is something to say.
 */
static void signal_event(struct segment *s)
{
    bool wanted = s->out.list.first || wf_segment_dry(s);
    eventfd_t ignored;

    if (s->out.event < 0 || wanted == s->out.signalled)
        return;
    if (wanted)
        eventfd_write(s->out.event, 1);
    else
        eventfd_read(s->out.event, &ignored);
    s->out.signalled = wanted;
}

void wf_segment_unlock(struct segment *s, bool changed, bool freed)
{
    bool wake = changed && s->out.takers, feed = freed && s->reservers;

    assert(wf_segment_balances(s));
    signal_event(s);
    if (wf_segment_dry(s))
        got(&s->out.starved);
    if (changed)
        add_relaxed(&s->out.changed, 1);
    if (feed)
        add_relaxed(&s->freed, 1);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        wf_wake_all(&s->out.changed);
    if (feed)
        wf_wake_all(&s->freed);
}

/* Under the lock. */
static void let_out(struct segment *s, struct slot *slot,
                    struct task_list *refused)
{
    bool cancelled = wf_segment_cancelled(s, slot->ticket[0]);

    if (cancelled && slot->outcome == GOOD)
        slot->outcome = CANCELLED;
    bool good =
        slot->outcome == GOOD || (slot->outcome == MARKER && !cancelled);
    if (good)
        put_at(slot, IN_OUTLET);
    s->out.marks += good && slot->outcome == MARKER;
    task_list_add(good ? &s->out.list : refused, &slot->task);
}

struct segment_news wf_segment_offer(struct segment *s, struct slot *slot,
                                     struct task_list *refused)
{
    struct segment_news news = { 0 };
    struct outlet *o = &s->out;

    pthread_mutex_lock(&s->lock);
    wf_segment_pass(s, slot, &news);
    if (!o->early) {
        let_out(s, slot, refused);
    } else {
        o->early[slot->ticket[0] & o->mask] = slot;
        for (struct slot *next; (next = o->early[o->next & o->mask]);) {
            o->early[o->next++ & o->mask] = NULL;
            let_out(s, next, refused);
        }
    }
    if (o->list.first)
        got(&o->starved);
    wf_segment_unlock(s, o->list.first, false);
    return news;
}

/* Under the lock, which it leaves: something may come soon. */
static void look_out(struct segment *s, const weft_sched *sched,
                     struct deadline *deadline)
{
    uint32_t seen = load_relaxed(&s->out.changed);
    int64_t left = deadline_left(sched, deadline);

    if (!left)
        return;
    pthread_mutex_unlock(&s->lock);
    wf_spin_while(&s->out.changed, ~(uint32_t)0, seen, left);
    pthread_mutex_lock(&s->lock);
}

struct slot *wf_segment_take_out(struct segment *s, weft_sched *sched,
                                 struct deadline *deadline, bool *is_dry)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&s->lock);
    if (!s->out.list.first && !wf_segment_dry(s)) {
        want(s->times, &s->out.starved);
        look_out(s, sched, deadline);
    }
    for (int64_t left; !s->out.list.first && !wf_segment_dry(s) &&
                       (left = deadline_left(sched, deadline));)
        wf_segment_sleep(s, sched, &s->out.changed, &s->out.takers, left);
    struct task *task = task_list_take(&s->out.list);
    if (task) {
        slot = slot_of_task(task);
        bool marker = slot->outcome == MARKER;
        put_at(slot, BORROWED);
        s->out.borrowed++;
        s->out.marks -= marker;
        s->out.taken += !marker;
        uint64_t now = marker ? 0 : ticks_of(slot);
        count_duration(&s->out.ready, slot, slot->arrived, now);
        slot->arrived = now;
        note_time(s, slot, now);
        if (!s->out.list.first && s->out.takers)
            want(s->times, &s->out.starved);
    }
    *is_dry = wf_segment_dry(s);
    /* Who takes the last item tells those who wait for another one. */
    wf_segment_unlock(s, *is_dry, false);
    return slot;
}

void wf_segment_sink(struct segment *s, double ns_per_tick,
                     struct weft_sink_stats *out)
{
    pthread_mutex_lock(&s->lock);
    *out = (struct weft_sink_stats){
        .ready = (unsigned)s->out.list.count - s->out.marks,
        .borrowed = s->out.borrowed,
        .taken = s->out.taken,
        .starved_ns = (uint64_t)((double)wanted(&s->out.starved) * ns_per_tick),
    };
    wf_durations_tell(&s->out.ready, ns_per_tick, &out->ready_ns,
                      &out->ready_latency);
    wf_durations_tell(&s->out.held, ns_per_tick, &out->borrowed_ns,
                      &out->borrowed_latency);
    pthread_mutex_unlock(&s->lock);
}

int wf_segment_event(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->out.event < 0)
        s->out.event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int event = s->out.event < 0 ? -errno : s->out.event;
    signal_event(s);
    pthread_mutex_unlock(&s->lock);
    return event;
}

/* pipeline_floor.c: the least that it takes for items to pass stages on several
 * threads.
 *
 * An array of slots, used in turn. One read-modify-write a stage: in any order
 * of the slot's own count; in order of a flag, where the item and its turn
 * meet, and whoever comes second goes on with the item. No lists, no errors, no
 * sleep.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "perf/rows/pipe.h"

struct slot {
    _Alignas(64) struct pipe_item item;
    atomic_uint stage;
    atomic_bool busy;
    bool granted; /* it has its turn in this stage already */
    atomic_uchar met[PIPE_MOST_STAGES];
};

static struct slot *slots;
static unsigned workers;
static struct pipe_job *job;
static pthread_spinlock_t source;
static atomic_uint head; /* the slot of the next item */
static atomic_bool fed_all;

struct thread {
    _Alignas(64) pthread_t id;
    uint64_t ended;
    unsigned turns, count;
    struct slot **turn;  /* a stack of items that have their turn */
    struct slot **taken; /* from the source, in order */
};

/* True for the second to come: it finds a 1, and is alone. */
static bool meet(atomic_uchar *met)
{
    if (!atomic_load_explicit(met, memory_order_acquire) &&
        !atomic_exchange_explicit(met, 1, memory_order_acq_rel))
        return false;
    atomic_store_explicit(met, 0, memory_order_relaxed);
    return true;
}

/* Takes its share of the items at a time, where they find slots, so that the
 * source goes to and fro less often. */
static void take_items(struct thread *self)
{
    unsigned next = head;

    if (atomic_load_explicit(&slots[next].busy, memory_order_relaxed) ||
        pthread_spin_trylock(&source))
        return;
    unsigned share = job->tokens > workers ? job->tokens / workers : 1;
    for (; share && job->fed < job->items; share--) {
        struct slot *slot = &slots[job->fed % job->tokens];
        if (atomic_load_explicit(&slot->busy, memory_order_acquire))
            break;
        pipe_source(job, &slot->item);
        atomic_store_explicit(&slot->stage, 0, memory_order_relaxed);
        atomic_store_explicit(&slot->busy, true, memory_order_relaxed);
        self->taken[self->count++] = slot;
    }
    head = (unsigned)(job->fed % job->tokens);
    fed_all = job->fed == job->items;
    pthread_spin_unlock(&source);
}

/* As far as it comes. */
static void pass(struct thread *self, struct slot *slot)
{
    unsigned i = atomic_load_explicit(&slot->stage, memory_order_relaxed);

    for (; i < job->stages; i++) {
        if (!pipe_is_ordered(job, i)) {
            pipe_any(&job->stage[i], &slot->item);
            atomic_fetch_add_explicit(&slot->stage, 1, memory_order_acq_rel);
            continue;
        }
        if (!slot->granted && !meet(&slot->met[i]))
            return;
        slot->granted = false;
        pipe_ordered(&job->stage[i], &slot->item);
        atomic_store_explicit(&slot->stage, i + 1, memory_order_relaxed);
        struct slot *behind = &slots[(slot->item.number + 1) % job->tokens];
        if (meet(&behind->met[i])) {
            behind->granted = true;
            self->turn[self->turns++] = behind;
        }
    }
    self->ended++;
    atomic_store_explicit(&slot->busy, false, memory_order_release);
}

static void *work(void *ctx)
{
    struct thread *self = ctx;

    for (unsigned spins = 1; !fed_all; spins++) {
        self->count = 0;
        take_items(self);
        for (unsigned i = 0; i < self->count; i++)
            for (pass(self, self->taken[i]); self->turns;)
                pass(self, self->turn[--self->turns]);
        if (self->count)
            continue;
        if (spins % 1024)
            row_pause();
        else
            sched_yield();
    }
    return NULL;
}

static void *memory(size_t count, size_t each)
{
    void *memory = aligned_alloc(64, (count * each + 63) / 64 * 64);
    row_check(memory != NULL, "no memory");
    return memset(memory, 0, count * each);
}

static uint64_t run(struct pipe_job *this)
{
    struct thread *thread = memory(workers, sizeof *thread);
    uint64_t ended = 0;

    job = this;
    fed_all = false;
    head = 0;
    slots = memory(job->tokens, sizeof *slots);
    for (unsigned i = 0; i < job->stages; i++)
        slots[0].met[i] = 1; /* the first item has its turn */
    for (unsigned i = 0; i < workers; i++) {
        thread[i].turn = memory(job->tokens, sizeof(struct slot *));
        thread[i].taken = memory(job->tokens, sizeof(struct slot *));
        must(i ? -pthread_create(&thread[i].id, NULL, work, &thread[i]) : 0,
             "no thread");
    }
    work(&thread[0]);
    for (unsigned i = 0; i < workers; i++) {
        if (i)
            pthread_join(thread[i].id, NULL);
        ended += thread[i].ended;
        free(thread[i].turn);
        free(thread[i].taken);
    }
    free(slots);
    free(thread);
    return ended;
}

static void open_threads(const struct row *row)
{
    workers = row->workers;
    pthread_spin_init(&source, PTHREAD_PROCESS_PRIVATE);
}

static void close_threads(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    pipe_measure(
        row, c,
        &(struct pipe_contestant){ open_threads, run, close_threads, NULL });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = PIPE_CASES(measure);
    struct row row = row_begin(argc, argv, "pipeline", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}

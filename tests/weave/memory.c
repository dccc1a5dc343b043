/* memory.c: atomic variables, each with all values that it has had, and with
 * what a thread has to know once it has acquired one of them. A load returns
 * any of the values that its thread does not know to be past.
 *
 * This is the view machine of Kang, Hur, Lahav, Vafeiadis, Dreyer, POPL 2017,
 * without its promises: the order of the stores to a variable is that of their
 * execution. */
#include "tests/weave/choice.h"
#include "tests/weave/inner.h"

#include <string.h>
#include <sys/mman.h>

enum { VALUES = 256, MESSAGES = 8192, BUCKETS = 1024 };

struct message {
    uint64_t value;
    struct view view; /* for who acquires it */
};

static struct location {
    const char *at; /* NULL: forgotten */
    unsigned size, count;
    int next; /* in its bucket, or -1 */
    struct message *values[VALUES];
} locations[LOCATIONS];

static unsigned count;
static struct {
    unsigned generation;
    int first;
} buckets[BUCKETS];
static unsigned generation;
static struct message *messages; /* MESSAGES of them */
static unsigned used;
static struct view sequential; /* what the seq_cst operations have seen */

/* Lets it know of so many variables. */
static void extend(struct view *v, unsigned to)
{
    if (v->count < to) {
        memset(v->seen + v->count, 0, (to - v->count) * sizeof *v->seen);
        v->count = to;
    }
}

void view_see(struct view *to, unsigned location, unsigned time)
{
    extend(to, location + 1);
    if (time > to->seen[location])
        to->seen[location] = (uint16_t)time;
}

void view_join_seen(struct view *to, const struct view *from)
{
    extend(to, from->count);
    for (unsigned i = 0; i < from->count; i++)
        if (from->seen[i] > to->seen[i])
            to->seen[i] = from->seen[i];
}

void view_join(struct view *to, const struct view *from)
{
    view_join_seen(to, from);
    for (unsigned i = 0; i < THREADS; i++)
        if (from->epochs[i] > to->epochs[i])
            to->epochs[i] = from->epochs[i];
}

void view_empty(struct view *v)
{
    v->count = 0;
    memset(v->epochs, 0, sizeof v->epochs);
}

void memory_begin(void)
{
    generation++;
    count = used = 0;
    view_empty(&sequential);
    if (!messages)
        messages =
            mmap(NULL, MESSAGES * sizeof *messages, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int *bucket_of(const void *at)
{
    uintptr_t granule = (uintptr_t)at >> 3;
    unsigned i = (unsigned)((granule ^ granule >> 10) % BUCKETS);

    if (buckets[i].generation != generation) {
        buckets[i].generation = generation;
        buckets[i].first = -1;
    }
    return &buckets[i].first;
}

static struct message *add_value(struct location *l, uint64_t value)
{
    if (l->count == VALUES || used == MESSAGES)
        weave_fail("too many stores to one variable, or to all");
    struct message *m = &messages[used++];
    m->value = value;
    view_empty(&m->view);
    l->values[l->count++] = m;
    return m;
}

static uint64_t value_at(const void *at, unsigned size)
{
    uint64_t value = 0;

    memcpy(&value, at, size); /* little end first */
    return value;
}

/* The variable: it may be new, and has the value that is there. */
static struct location *find(const void *at, unsigned size)
{
    int *first = bucket_of(at);

    for (int i = *first; i >= 0; i = locations[i].next)
        if (locations[i].at == at) {
            if (locations[i].size != size)
                weave_fail("an atomic variable is used in two sizes");
            return &locations[i];
        }
    if (count == LOCATIONS)
        weave_fail("too many atomic variables");
    struct location *l = &locations[count];
    l->at = at;
    l->size = size;
    l->count = 0;
    l->next = *first;
    *first = (int)count++;
    add_value(l, value_at(at, size));
    return l;
}

static void forget_bucket(const char *at, size_t size, const char *granule)
{
    for (int i = *bucket_of(granule); i >= 0; i = locations[i].next) {
        struct location *l = &locations[i];
        if (l->at && l->at < at + size && at < l->at + l->size)
            l->at = NULL;
    }
}

void memory_forget(const void *at, size_t size)
{
    const char *begin = at, *end = begin + size;

    if (!count)
        return;
    if (size > BUCKETS) { /* quicker this way */
        for (unsigned i = 0; i < count; i++)
            if (locations[i].at >= begin && locations[i].at < end)
                locations[i].at = NULL;
        return;
    }
    for (uintptr_t g = (uintptr_t)begin & ~(uintptr_t)7; g < (uintptr_t)end;
         g += 8)
        forget_bucket(begin, size, (const char *)g);
}

static bool acquires(int order) { return order != RELAXED && order != RELEASE; }

static bool releases(int order) { return order >= RELEASE; }

/* What every operation does first. */
static struct location *touch(const void *at, unsigned size, bool writes)
{
    thread_step();
    heap_check(at, size, writes);
    race_check(at, size, writes, true);
    return find(at, size);
}

static const char *name_of(int order)
{
    static const char *const names[] = { "relaxed", "consume", "acquire",
                                         "release", "acq_rel", "seq_cst" };
    return names[order];
}

#define NUMBER(l) ((unsigned)((l)-locations))

static uint64_t receive(struct location *l, unsigned time, int order)
{
    struct view *mine = thread_view(thread_self());
    struct message *m = l->values[time];

    view_see(mine, NUMBER(l), time);
    if (acquires(order))
        view_join(mine, &m->view);
    return m->value;
}

static void send(struct location *l, uint64_t value, int order,
                 const struct view *carried)
{
    struct view *mine = thread_view(thread_self());
    unsigned time = l->count, number = NUMBER(l);
    struct message *m = add_value(l, value);

    mine->epochs[thread_self()]++;
    view_see(mine, number, time);
    if (releases(order))
        view_join(&m->view, mine);
    if (carried)
        view_join(&m->view, carried);
    view_see(&m->view, number, time);
    if (order == SEQ_CST)
        view_see(&sequential, number, time);
    thread_changed();
    statics_will_write(l->at, l->size);
    memcpy((void *)(uintptr_t)l->at, &value, l->size);
}

uint64_t memory_load(const void *at, unsigned size, int order)
{
    struct location *l = touch(at, size, false);
    struct view *mine = thread_view(thread_self());
    unsigned number = NUMBER(l), last = l->count - 1;

    if (order == SEQ_CST)
        view_see(mine, number, view_seen(&sequential, number));
    unsigned back = choice_stale(last - view_seen(mine, number));
    uint64_t value = receive(l, last - back, order);
    trace("thread %u: load a%u %s: %lld%s", thread_self(), number,
          name_of(order), (long long)value,
          back ? ", no longer the latest" : "");
    return value;
}

void memory_store(void *at, unsigned size, uint64_t value, int order)
{
    struct location *l = touch(at, size, true);

    trace("thread %u: store a%u %s: %lld", thread_self(), NUMBER(l),
          name_of(order), (long long)value);
    send(l, value, order, NULL);
}

uint64_t memory_change(void *at, unsigned size, uint64_t operand, int order,
                       uint64_t (*change)(uint64_t, uint64_t))
{
    struct location *l = touch(at, size, true);
    unsigned last = l->count - 1;
    uint64_t before = receive(l, last, order);
    uint64_t mask = ~(uint64_t)0 >> (64 - 8 * size);
    uint64_t after = change(before, operand) & mask;

    trace("thread %u: change a%u %s: %lld, was %lld", thread_self(), NUMBER(l),
          name_of(order), (long long)after, (long long)before);
    send(l, after, order, &l->values[last]->view);
    return before;
}

bool memory_cas(void *at, unsigned size, uint64_t *expected, uint64_t value,
                int order, int failing)
{
    struct location *l = touch(at, size, true);
    unsigned last = l->count - 1;
    uint64_t now = l->values[last]->value;

    if (now != *expected) {
        *expected = receive(l, last, failing);
        trace("thread %u: cas a%u fails: %lld", thread_self(), NUMBER(l),
              (long long)now);
        return false;
    }
    receive(l, last, order);
    trace("thread %u: cas a%u %s: %lld, was %lld", thread_self(), NUMBER(l),
          name_of(order), (long long)value, (long long)now);
    send(l, value, order, &l->values[last]->view);
    return true;
}

void weave_barrier_of_all(void)
{
    thread_step();
    for (unsigned i = 0; i < THREADS; i++)
        view_join_seen(&sequential, thread_view(i));
    for (unsigned i = 0; i < THREADS; i++)
        view_join_seen(thread_view(i), &sequential);
    trace("thread %u: barrier of all threads", thread_self());
}

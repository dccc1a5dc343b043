/* uring.c: an io_uring, in place of liburing's functions that are not inline;
 * those that are see the memory of a ring.
 *
 * A ring of the first flavour, and nothing else: who enters the kernel to wait
 * is also who completes. There operations that are under way and can be
 * completed are, at least one, in any order, perhaps after a sleep in which
 * anything else may happen. A place in the submission queue is executed in its
 * turn. What is asked to end is either asked too late, or ends with ECANCELED,
 * or, once the kernel has begun to wait for a device, with EINTR. Which of them
 * is known at once, and told like all else: by the answer to the request, and
 * by what has ended, whichever comes first.
 *
 * From some moment on it may refuse to be entered. What is under way then is
 * done, or not, after the ring was closed; nobody is told, but a pipe comes to
 * its end when there is nothing left. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/weave/choice.h"
#include "tests/weave/inner.h"
#include "tests/weave/kernel.h"

enum { PLACES = 8, COMPLETIONS = 16, UNDER_WAY = 16 };

struct operation {
    struct io_uring_sqe entry;
    bool is_asked; /* to end */
    bool is_known; /* what it comes to: */
    int64_t result;
};

static struct {
    struct io_uring *user; /* NULL: there is none */
    struct io_uring_sqe places[PLACES];
    struct io_uring_cqe completions[COMPLETIONS];
    unsigned submitted, head, tail, posted;
    struct operation under_way[UNDER_WAY];
    unsigned count;
    bool registered; /* the pipe */
    bool refuses;
} ring;

static struct {
    struct io_uring_probe head;
    struct io_uring_probe_op ops[IORING_OP_LAST];
} probe = { .head.last_op = IORING_OP_LAST - 1 };

void uring_begin(void)
{
    ring.user = NULL;
    ring.submitted = ring.head = ring.tail = ring.posted = ring.count = 0;
    ring.registered = ring.refuses = false;
}

void uring_end(void)
{
    if (ring.user)
        weave_fail("a ring is not closed");
    if (ring.count)
        weave_fail("nobody has waited for what a closed ring has under way");
}

int io_uring_queue_init(unsigned entries, struct io_uring *user, unsigned flags)
{
    if (!kernel.rings)
        return -ENOMEM;
    kernel.rings--;
    if (ring.user)
        weave_fail("two rings at a time");
    memset(user, 0, sizeof *user);
    memory_forget(&ring.submitted, sizeof ring.submitted);
    memory_forget(&ring.head, sizeof ring.head);
    memory_forget(&ring.tail, sizeof ring.tail);
    uring_begin();
    ring.user = user;
    user->flags = flags;
    user->features = IORING_FEAT_EXT_ARG;
    user->sq.khead = &ring.submitted;
    user->sq.sqes = ring.places;
    user->sq.ring_entries = PLACES;
    user->sq.ring_mask = PLACES - 1;
    user->cq.khead = &ring.head;
    user->cq.ktail = &ring.tail;
    user->cq.cqes = ring.completions;
    user->cq.ring_entries = COMPLETIONS;
    user->cq.ring_mask = COMPLETIONS - 1;
    return 0;
}

/* Nothing is to come then, not even an answer to a request, which would write
 * to nobody's memory: who closes the ring has no exceptions. */
void io_uring_queue_exit(struct io_uring *user)
{
    if (ring.count && !(ring.refuses && ring.registered))
        weave_fail("a ring is closed with %u operations under way, whose "
                   "memory the kernel may still write to",
                   ring.count);
    ring.user = NULL;
}

int io_uring_register_files(struct io_uring *user, const int *files, unsigned n)
{
    ring.registered = true;
    return 0;
}

int io_uring_ring_dontfork(struct io_uring *user) { return 0; }

struct io_uring_probe *io_uring_get_probe_ring(struct io_uring *user)
{
    for (unsigned i = 0; i < IORING_OP_LAST; i++)
        probe.ops[i].flags = IO_URING_OP_SUPPORTED;
    return &probe.head;
}

void io_uring_free_probe(struct io_uring_probe *p) {}

static void complete(unsigned i, int64_t result)
{
    uint64_t user_data = ring.under_way[i].entry.user_data;

    ring.under_way[i] = ring.under_way[--ring.count];
    if (ring.posted - ring.head == COMPLETIONS)
        weave_fail("the completion queue is full");
    ring.completions[ring.posted++ % COMPLETIONS] =
        (struct io_uring_cqe){ .user_data = user_data, .res = (int)result };
    trace("thread %u: the ring completes %#llx: %lld", thread_self(),
          (unsigned long long)user_data, (long long)result);
}

static void *memory_of(uint64_t address) { return (void *)(uintptr_t)address; }

static int64_t result_of(const struct operation *o)
{
    const struct io_uring_sqe *s = &o->entry;

    if (o->is_known)
        return o->result;
    switch (s->opcode) {
    case IORING_OP_OPENAT:
        return kernel_open(memory_of(s->addr));
    case IORING_OP_READ:
    case IORING_OP_WRITE:
        return kernel_move(s->fd, memory_of(s->addr), s->len, s->off,
                           s->opcode == IORING_OP_WRITE);
    case IORING_OP_POLL_ADD:
        return kernel_events(s->fd, (short)s->poll32_events);
    default:
        return kernel_outcome();
    }
}

/* Polls, and reads of what is no file. */
static bool waits_for_others(const struct operation *o)
{
    const struct io_uring_sqe *s = &o->entry;
    bool waits = s->opcode == IORING_OP_POLL_ADD || s->opcode == IORING_OP_READ;

    return waits && !o->is_known && !kernel_events(s->fd, POLLIN);
}

static struct operation *add(const struct io_uring_sqe *s)
{
    if (ring.count == UNDER_WAY)
        weave_fail("more operations are under way than weave has room for");
    ring.under_way[ring.count] = (struct operation){ .entry = *s };
    return &ring.under_way[ring.count++];
}

static void end_with(struct operation *o, int64_t result)
{
    o->is_known = true;
    o->result = result;
}

static struct operation *find(uint64_t user_data)
{
    for (unsigned i = 0; i < ring.count; i++)
        if (ring.under_way[i].entry.user_data == user_data)
            return &ring.under_way[i];
    return NULL;
}

/* Once is enough: who asks again lets others wait for a place. */
static void cancel(const struct io_uring_sqe *request)
{
    struct operation *o = find(request->addr);

    if (!o) {
        end_with(add(request), -ENOENT);
        return;
    }
    if (o->is_asked)
        weave_fail("an operation is asked to end a second time");
    o->is_asked = true;
    bool waits = o->entry.opcode == IORING_OP_POLL_ADD || waits_for_others(o);
    unsigned how = waits ? 1 : choice_of(3);
    if (how)
        end_with(o, how == 1 ? -ECANCELED : -EINTR);
    end_with(add(request), how ? 0 : -EALREADY);
}

static void execute(const struct io_uring_sqe *s)
{
    if (s->opcode == IORING_OP_ASYNC_CANCEL)
        cancel(s);
    else
        add(s);
}

static void show_completions(void)
{
    if (ring.posted == ring.tail)
        return;
    memory_store(&ring.tail, sizeof ring.tail, ring.posted, RELEASE);
}

int io_uring_submit(struct io_uring *user)
{
    unsigned n = user->sq.sqe_tail - user->sq.sqe_head;

    for (unsigned i = 0; i < n; i++)
        execute(&ring.places[user->sq.sqe_head++ % PLACES]);
    if (n)
        memory_store(&ring.submitted, sizeof ring.submitted, user->sq.sqe_head,
                     RELEASE);
    show_completions();
    return (int)n;
}

void uring_let_go(void)
{
    if (ring.user)
        weave_fail("a ring is waited for that is not closed");
    while (ring.count) {
        const struct operation *o = &ring.under_way[--ring.count];
        if (!o->is_known && !waits_for_others(o) && choice_of(2))
            result_of(o);
    }
}

/* Those that can be completed: how many. */
static unsigned list_able(unsigned able[])
{
    unsigned n = 0;

    for (unsigned i = 0; i < ring.count; i++)
        if (!waits_for_others(&ring.under_way[i]))
            able[n++] = i;
    return n;
}

static bool complete_one(void)
{
    unsigned able[UNDER_WAY], n = list_able(able);

    if (!n)
        return false;
    unsigned i = able[choice_of(n)];
    complete(i, result_of(&ring.under_way[i]));
    return true;
}

/* Until there is a completion that nobody has seen: 0, or -EINTR. */
static int wait_for_one(void)
{
    unsigned able[UNDER_WAY];

    while (ring.posted == ring.head && !list_able(able))
        kernel_sleep(false);
    if (kernel.interruptions && choice_of(2)) {
        kernel.interruptions--;
        return -EINTR;
    }
    if (ring.posted == ring.head) {
        kernel_sleep(true); /* the device takes its time */
        complete_one();
    }
    while (list_able(able) && choice_of(2))
        complete_one();
    show_completions();
    return 0;
}

/* An interruption is told only if nothing was submitted. */
int io_uring_submit_and_wait(struct io_uring *user, unsigned least)
{
    thread_step();
    if (kernel.refusals && (ring.refuses |= choice_of(2))) {
        trace("thread %u: the ring is refused", thread_self());
        return -EPERM;
    }
    int submitted = io_uring_submit(user);
    int rc = wait_for_one();
    return submitted ? submitted : rc;
}

/* Of io_uring_wait_cqe and io_uring_peek_cqe, which found none. */
int __io_uring_get_cqe(struct io_uring *user, struct io_uring_cqe **out,
                       unsigned submits, unsigned least, sigset_t *mask)
{
    *out = NULL;
    if (!least)
        return -EAGAIN;
    thread_step();
    int rc = wait_for_one();
    if (!rc)
        *out = &ring.completions[ring.head % COMPLETIONS];
    return rc;
}

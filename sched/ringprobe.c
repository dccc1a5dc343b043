/* ringprobe.c: whether this kernel has an io_uring that works, and which.
 *
 * One thread issues and reaps, so completions can be deferred to its own
 * waiting (DEFER_TASKRUN, 6.1): the kernel interrupts nobody. Older kernels get
 * a ring with fewer flags. */
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sched/ioways.h"

#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13) /* from the kernel's uapi */
#endif

static const struct {
    unsigned flags;
    const char *name;
} flavours[] = {
    { IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
          IORING_SETUP_DEFER_TASKRUN,
      "single issuer, deferred task work" },
    { IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
      "cooperative task work" },
    { 0, "plain" },
};
enum { FLAVOURS = sizeof flavours / sizeof flavours[0] };

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static int probe_result;
static unsigned flavour; /* that works; of the probe */
static weft_error probe_why;

/* The best flavour that this kernel knows. */
static int find_flavour(struct io_uring *uring)
{
    int rc = -EINVAL;

    for (unsigned f = 0; f < FLAVOURS && rc == -EINVAL; f++) {
        rc = io_uring_queue_init(4, uring, flavours[f].flags);
        flavour = f;
    }
    return rc;
}

static bool knows_all(struct io_uring *uring)
{
    static const int needed[] = { IORING_OP_OPENAT,      IORING_OP_READ,
                                  IORING_OP_WRITE,       IORING_OP_FSYNC,
                                  IORING_OP_RENAMEAT,    IORING_OP_POLL_ADD,
                                  IORING_OP_ASYNC_CANCEL };
    struct io_uring_probe *probe = io_uring_get_probe_ring(uring);
    bool all = probe;

    for (unsigned i = 0; all && i < sizeof needed / sizeof needed[0]; i++)
        all = io_uring_opcode_supported(probe, needed[i]);
    io_uring_free_probe(probe);
    return all;
}

/* A real read, and the one that everything depends on: of an eventfd. */
static int smoke_test(struct io_uring *uring)
{
    uint64_t count = 0;
    struct io_uring_cqe *cqe;
    int event = eventfd(1, EFD_CLOEXEC);

    if (event < 0)
        return -errno;
    io_uring_prep_read(io_uring_get_sqe(uring), event, &count, sizeof count, 0);
    int rc = io_uring_submit(uring);
    if (rc >= 0)
        do
            rc = io_uring_wait_cqe(uring, &cqe);
        while (rc == -EINTR); /* the read is under way: it writes to `count` */
    if (!rc) {
        rc = cqe->res == sizeof count && count == 1 ? 0 : -EIO;
        io_uring_cqe_seen(uring, cqe);
    }
    close(event);
    return rc;
}

static void probe(void)
{
    struct io_uring uring;
    int rc = find_flavour(&uring);

    if (rc) {
        const char *name = strerrorname_np(-rc);
        probe_result = wf_error(&probe_why, rc, "io_uring is refused (%s)",
                                name ? name : "unknown");
        return;
    }
    if (!knows_all(&uring))
        probe_result =
            wf_error(&probe_why, -ENOSYS, "the kernel's io_uring is too old");
    else if ((rc = smoke_test(&uring)))
        probe_result = wf_error(&probe_why, rc, "io_uring cannot read: %s",
                                strerrordesc_np(-rc));
    io_uring_queue_exit(&uring);
}

int wf_ring_probe(weft_error *why)
{
    pthread_once(&probed, probe);
    return probe_result ? wf_error(why, probe_result, "%s", probe_why.text) : 0;
}

const char *wf_ring_flavour(void) { return flavours[flavour].name; }

unsigned wf_ring_flags(void) { return flavours[flavour].flags; }

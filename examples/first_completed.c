/* first_completed.c: whoever answers first decides what is done next.
 *
 * Three mirrors are asked how many parts a page has. The first answer is taken:
 * its mirror is asked for the parts, while the other questions are still under
 * way. When the parts are there nobody needs those any more: they are
 * cancelled, and end at once. */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

enum { MIRRORS = 3, MOST_PARTS = 8 };

struct mirror {
    const char *name;
    unsigned delay_ms;
    int parts;
};

static const struct mirror mirrors[MIRRORS] = {
    { "north", 3600000, 2 },
    { "east", 20, 4 },
    { "south", 3600000, 3 },
};

struct request {
    const struct mirror *mirror;
    int part; /* 0: how many are there? */
    int answer;
    weft_future *network, *done;
};

static int receive(weft_worker *self, int result, void *ctx)
{
    struct request *r = ctx;

    r->answer = r->part ? r->part * 100 : r->mirror->parts;
    return 0;
}

/* The pause stands for the network. */
static int ask(weft_sched *sched, struct request *r, weft_error *why)
{
    int rc = weft_after_ns(sched, r->mirror->delay_ms * UINT64_C(1000000),
                           &r->network, why);

    if (!rc)
        rc = weft_then(r->network, weft_config(then, .fn = receive, .ctx = r),
                       &r->done, why);
    return rc;
}

/* True: it was still under way. */
static bool leave(struct request *r)
{
    int rc = 0;

    if (r->network)
        weft_future_cancel(r->network);
    if (r->done)
        rc = weft_future_wait(r->done, -1);
    weft_future_destroy(r->network);
    weft_future_destroy(r->done);
    return rc == -ECANCELED;
}

static int ask_all(weft_sched *sched, struct request r[], int n,
                   weft_future *done[], weft_error *why)
{
    int rc = 0;

    for (int i = 0; !rc && i < n; i++) {
        rc = ask(sched, &r[i], why);
        done[i] = r[i].done;
    }
    return rc;
}

/* The number of the mirror that answers first. */
static int first_of(weft_sched *sched, struct request r[MIRRORS],
                    weft_error *why)
{
    weft_future *done[MIRRORS], *any;
    int rc = ask_all(sched, r, MIRRORS, done, why);

    if (!rc)
        rc = weft_when_any(sched, done, MIRRORS, &any, why);
    if (rc)
        return rc;
    weft_future_wait(any, -1);
    rc = weft_future_why(any, why);
    if (!rc)
        rc = (int)weft_future_which(any);
    weft_future_destroy(any);
    return rc;
}

static int fetch_page(weft_sched *sched, struct request question[MIRRORS],
                      struct request part[MOST_PARTS], weft_error *why)
{
    weft_future *done[MOST_PARTS];
    int first = first_of(sched, question, why), bytes = 0;

    if (first < 0)
        return first;
    int n = question[first].answer;
    printf("%s is first: %d parts\n", mirrors[first].name, n);

    for (int i = 0; i < n; i++)
        part[i] = (struct request){ &mirrors[first], .part = i + 1 };
    int rc = ask_all(sched, part, n, done, why);
    if (!rc)
        rc = weft_wait_all(done, (size_t)n, -1, why);
    for (int i = 0; i < n; i++)
        bytes += part[i].answer;
    if (!rc)
        printf("all parts of %s: %d bytes\n", mirrors[first].name, bytes);
    return rc;
}

int main(void)
{
    struct request question[MIRRORS] = { { 0 } }, part[MOST_PARTS] = { { 0 } };
    weft_sched *sched = NULL;
    weft_error why;
    int left = 0;

    for (int i = 0; i < MIRRORS; i++)
        question[i].mirror = &mirrors[i];
    int rc = weft_sched_create(&sched, NULL, &why);
    if (!rc)
        rc = fetch_page(sched, question, part, &why);
    if (rc)
        fprintf(stderr, "first_completed: %s\n", why.text);
    for (int i = 0; i < MIRRORS; i++)
        left += leave(&question[i]);
    for (int i = 0; i < MOST_PARTS; i++)
        leave(&part[i]);
    if (!rc)
        printf("%d questions were left\n", left);
    weft_sched_destroy(sched);
    return rc != 0 || fflush(stdout);
}

/* first_completed.c: whoever answers first decides what is done next.
 *
 * Three mirrors are asked how many parts a page has. The first answer is taken:
 * its mirror is asked for the parts, while the other questions are still under
 * way. When the parts are there nobody needs those any more: the run is
 * cancelled, and they end at once. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <weft/weft.h>

enum { MIRRORS = 3 };

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
    struct weft_io io; /* the pause that stands for the network */
    const struct mirror *mirror;
    int part; /* 0: how many are there? */
    int answer;
};

static int send(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct request *r = item;

    r->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = r->mirror->delay_ms * UINT64_C(1000000) };
    *io = &r->io;
    return 0;
}

static int receive(weft_worker *self, void *item, void *ctx)
{
    struct request *r = item;

    r->answer = r->part ? r->part * 100 : r->mirror->parts;
    return 0;
}

static int ask(struct weft_run *run, const struct mirror *mirror, int part,
               weft_error *why)
{
    void *item;
    int rc = weft_reserve(run, "requests", &item, -1, why);

    if (rc)
        return rc;
    *(struct request *)item =
        (struct request){ .mirror = mirror, .part = part };
    weft_feed(item);
    return 0;
}

/* Takes the next answer, whoever it is from. */
static int hear(struct weft_run *run, struct request *answer, weft_error *why)
{
    void *item;
    int rc = weft_next(run, &item, -1, why);

    if (rc != 1)
        return rc ? rc : -ENODATA;
    *answer = *(struct request *)item;
    weft_release(item);
    return 0;
}

static int fetch_page(struct weft_run *run, weft_error *why)
{
    struct request first, part;
    int rc = 0, bytes = 0;

    for (int i = 0; !rc && i < MIRRORS; i++)
        rc = ask(run, &mirrors[i], 0, why);
    if (rc || (rc = hear(run, &first, why)))
        return rc;
    printf("%s is first: %d parts\n", first.mirror->name, first.answer);

    for (int i = 1; !rc && i <= first.answer; i++)
        rc = ask(run, first.mirror, i, why);
    for (int i = 1; !rc && i <= first.answer; i++) {
        rc = hear(run, &part, why);
        bytes += rc ? 0 : part.answer;
    }
    if (!rc)
        printf("all parts of %s: %d bytes\n", first.mirror->name, bytes);
    return rc;
}

int main(void)
{
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    struct weft_flow flow = { 0 };
    weft_error why = { "the answers have ended" };

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct request) }));
    weft_source_fed(p, "requests");
    weft_stage(p, weft_config(stage, .name = "network", .kind = WEFT_IO,
                              .describe = send, .fn = receive));
    weft_consumer(p, WEFT_ANY);

    int rc = weft_pipeline_compile(&plan, p, &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    if (!rc)
        rc = weft_start(&run, sched, plan, &why);
    if (!rc)
        rc = fetch_page(run, &why);
    if (rc)
        fprintf(stderr, "first_completed: %s\n", why.text);

    if (run) {
        weft_cancel(run);
        int result = weft_wait(run, -1, &why);
        if (!rc && (result != -ECANCELED || weft_run_flow(run, 0, &flow)))
            rc = -EPROTO;
        printf("%" PRIu64 " questions were left\n", flow.cancelled);
    }
    weft_run_destroy(run);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    return rc != 0 || fflush(stdout);
}

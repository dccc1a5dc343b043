/* chain.c: requests that go through three steps; each may fail at one of them.
 *
 * A step is called only for what the steps before it have done, and a request
 * that fails says at which step and why. The others go on. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/weft.h>

enum { STEPS = 3, REQUESTS = 4 };

/* What is asked for, and what the steps make of it. */
struct request {
    const char *text; /* such as "6 * 7" */
    long left, right, result;
    char sign;
};

/* What became of a request. Each has one of its own: nothing is shared. */
struct answer {
    long result;
    char error[128];
};

static _Atomic unsigned calls[STEPS];

static int parse(weft_worker *self, void *item, void *ctx)
{
    struct request *r = item;

    atomic_fetch_add(&calls[0], 1);
    if (sscanf(r->text, "%ld %c %ld", &r->left, &r->sign, &r->right) != 3)
        return weft_fail(item, -EINVAL, "'%s' is no sum", r->text);
    return 0;
}

static int check(weft_worker *self, void *item, void *ctx)
{
    struct request *r = item;

    atomic_fetch_add(&calls[1], 1);
    if (!strchr("+-*/", r->sign))
        return weft_fail(item, -EOPNOTSUPP, "nobody knows '%c'", r->sign);
    return 0;
}

static int compute(weft_worker *self, void *item, void *ctx)
{
    struct request *r = item;

    atomic_fetch_add(&calls[2], 1);
    if (r->sign == '/' && !r->right)
        return weft_fail(item, -EDOM, "%ld is divided by 0", r->left);
    r->result = r->sign == '+'   ? r->left + r->right
                : r->sign == '-' ? r->left - r->right
                : r->sign == '*' ? r->left * r->right
                                 : r->left / r->right;
    ((struct answer *)ctx)[weft_item_number(item)].result = r->result;
    return 0;
}

static void failed(const struct weft_failure *f, void *item, void *ctx)
{
    struct answer *a = &((struct answer *)ctx)[f->item];

    snprintf(a->error, sizeof a->error, "%s: %s (%s)", f->stage, f->text,
             strerrorname_np(-f->error));
}

int main(void)
{
    const char *const texts[REQUESTS] = { "6 * 7", "six", "6 ? 7", "6 / 0" };
    struct answer answers[REQUESTS] = { 0 };
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_error why;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct request) },
                    .failures = { .policy = WEFT_SKIP }, .on_failure = failed,
                    .ctx = answers));
    weft_source_array(p, "requests", texts, REQUESTS, sizeof texts[0]);
    weft_stage(p, weft_config(stage, .name = "parse", .fn = parse));
    weft_stage(p, weft_config(stage, .name = "check", .fn = check));
    weft_stage(p, weft_config(stage, .name = "compute", .fn = compute,
                              .ctx = answers));

    int rc = weft_pipeline_compile(&plan, p, &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    if (!rc)
        rc = weft_run(sched, plan, &why);
    if (rc)
        fprintf(stderr, "chain: %s\n", why.text);

    for (int i = 0; !rc && i < REQUESTS; i++) {
        if (answers[i].error[0])
            printf("%-5s  %s\n", texts[i], answers[i].error);
        else
            printf("%-5s  %ld\n", texts[i], answers[i].result);
    }
    if (!rc)
        printf("parse %u, check %u, compute %u\n", calls[0], calls[1],
               calls[2]);

    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    return rc != 0 || fflush(stdout);
}

/* lines.c: read | hash | print. Hashing is parallel; the order is kept. */
#include <errno.h>
#include <stdio.h>
#include <weft/weft.h>

struct line {
    char text[256];
    unsigned hash;
};

static int read_line(weft_worker *self, void *item, void *file)
{
    struct line *l = item;
    return fgets(l->text, sizeof l->text, file) ? 0 : WEFT_END;
}

static int hash_line(weft_worker *self, void *item, void *ctx)
{
    struct line *l = item;
    l->hash = 5381;
    for (const char *c = l->text; *c; c++)
        l->hash = l->hash * 33 + (unsigned char)*c;
    return 0;
}

static int print_line(weft_worker *self, void *item, void *ctx)
{
    struct line *l = item;
    return printf("%08x %s", l->hash, l->text) < 0 ? -EIO : 0;
}

int main(void)
{
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_error why;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct line) }));
    weft_source(p, "read", read_line, stdin);
    weft_stage(p, weft_config(stage, .name = "hash", .fn = hash_line));
    weft_stage(p, weft_config(stage, .name = "print", .fn = print_line,
                              .tokens = 1, .order = WEFT_INPUT));

    int rc = weft_pipeline_compile(&plan, p, &why);
    if (!rc)
        rc = weft_sched_create(&sched, NULL, &why);
    if (!rc)
        rc = weft_run(sched, plan, &why);
    if (rc)
        fprintf(stderr, "lines: %s\n", why.text);

    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    return rc != 0;
}

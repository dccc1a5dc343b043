/* spec_flow.c: whether every stage takes what the one before gives. */
#include "cli/carries.h"
#include "cli/spec_parts.h"

static const char *stage_title(struct diag *diag,
                               const struct stage_spec *stage)
{
    if (!stage->name || stage->op->kind == OP_SOURCE)
        return stage->op->name;
    return arena_format(diag->memory, "'%s' (%s)", stage->name,
                        stage->op->name);
}

/* A path stays with its item when bytes come to it. */
static bool fits(enum carries gives, const struct op *op)
{
    return gives == op->takes || (op->or_bytes && op->takes == CARRIES_FILE &&
                                  gives == CARRIES_BYTES);
}

/* "; put a or b between them", or "" where no one operator would do. */
static const char *between(struct diag *diag, enum carries from,
                           enum carries to)
{
    const char *list = "";
    for (const struct op *const *op = all_ops; *op; op++)
        if (fits(from, *op) && (*op)->gives == to && from != to)
            list = arena_format(diag->memory, "%s%s%s", list,
                                *list ? " or " : "; put ", (*op)->name);
    return *list ? arena_format(diag->memory, "%s between them", list) : "";
}

static const char *sinks(struct diag *diag, enum carries from)
{
    const char *list = "";
    for (const struct op *const *op = all_ops; *op; op++)
        if ((*op)->takes == from && (*op)->gives == CARRIES_NOTHING)
            list = arena_format(diag->memory, "%s%s%s", list,
                                *list ? " or " : "; end with ", (*op)->name);
    return list;
}

void spec_flow(struct diag *diag, const struct spec *spec,
               const struct place *at)
{
    const struct stage_spec *before = &spec->source;

    for (size_t i = 0; i < spec->stage_count; i++) {
        const struct stage_spec *stage = &spec->stages[i];
        enum carries gives = before->op->gives, takes = stage->op->takes;
        if (gives == CARRIES_NOTHING)
            diag_at(diag, at[i], "nothing comes here: %s is the end",
                    stage_title(diag, before));
        else if (!fits(gives, stage->op))
            diag_at(diag, at[i], "%s takes %s, but %s gives %s%s",
                    stage_title(diag, stage), carries_name(takes),
                    stage_title(diag, before), carries_name(gives),
                    between(diag, gives, takes));
        before = stage;
    }
    if (before->op->gives != CARRIES_NOTHING)
        diag_at(diag, at[spec->stage_count - 1],
                "nothing is written: %s, the last stage, gives %s%s",
                stage_title(diag, before), carries_name(before->op->gives),
                sinks(diag, before->op->gives));
}

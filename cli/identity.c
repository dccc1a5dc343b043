/* identity.c: whether two runs are of the same job.
 *
 * Everything goes into one hash after the other, each text with its NUL, so
 * that no two lists of them are the same bytes. */
#include "cli/identity.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "cli/item.h"
#include "cli/ops/pattern.h"

static void add(XXH3_state_t *h, const void *bytes, size_t size)
{
    XXH3_64bits_update(h, bytes, size);
}

static void add_text(XXH3_state_t *h, const char *text)
{
    add(h, text, strlen(text) + 1);
}

static bool is_pattern(const struct param *p)
{
    return p->type == PARAM_STRING && strcmp(p->name, "pattern") == 0;
}

static void add_param(XXH3_state_t *h, const struct param *p,
                      const void *params, bool numbered)
{
    const void *member = (const char *)params + p->offset;
    const struct strings *list = member;

    add_text(h, p->name);
    switch (p->type) {
    case PARAM_STRING: {
        const char *text = *(char *const *)member;
        add_text(h,
                 text + (is_pattern(p) ? pattern_folder(text, numbered) : 0));
        break;
    }
    case PARAM_STRINGS:
        add(h, &list->count, sizeof list->count);
        for (size_t i = 0; i < list->count; i++)
            add_text(h, list->at[i]);
        break;
    case PARAM_COUNT:
    case PARAM_SIZE:
        add(h, member, sizeof(uint64_t));
        break;
    case PARAM_CHOICE:
        add(h, member, sizeof(unsigned));
        break;
    case PARAM_BOOL:
        add(h, member, sizeof(bool));
        break;
    }
}

static void add_stage(XXH3_state_t *h, const struct stage_spec *stage)
{
    add_text(h, stage->name);
    add_text(h, stage->op->name);
    add(h, &stage->ordered, sizeof stage->ordered);
    for (const struct param *p = stage->op->params; p && p->name; p++)
        add_param(h, p, stage->params, stage->op->numbered);
}

int identity_of(struct journal_head *out, const struct spec *spec,
                const void *source)
{
    const struct op *op = spec->source.op;
    XXH3_state_t *h = XXH3_createState();
    if (!h)
        return -ENOMEM;

    XXH3_64bits_reset(h);
    add_text(h, WEFT_VERSION);
    for (size_t i = 0; i < spec->stage_count; i++)
        add_stage(h, &spec->stages[i]);
    out->spec = XXH3_64bits_digest(h);

    XXH3_64bits_reset(h);
    out->count = op->total(source);
    for (uint64_t n = 0; n < out->count; n++) {
        struct item item;
        op->at(source, n, &item);
        add_text(h, item.key);
    }
    out->inputs = XXH3_64bits_digest(h);
    XXH3_freeState(h);
    return 0;
}

const char *identity_pattern(const struct spec *spec)
{
    const struct stage_spec *sink = &spec->stages[spec->stage_count - 1];
    for (const struct param *p = sink->op->params; p && p->name; p++) {
        if (!is_pattern(p))
            continue;
        const void *member = (const char *)sink->params + p->offset;
        return *(char *const *)member;
    }
    return NULL;
}

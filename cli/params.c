/* params.c: an operator's parameters, from the mapping under `with`.
 *
 * The table of the operator is all that is known about them. A default goes the
 * way of a value from the spec, so the two cannot mean different things. */
#include "cli/params.h"

#include <assert.h>
#include <string.h>

#include "cli/keys.h"
#include "cli/value.h"
#include "cli/yaml.h"

static bool store(struct diag *diag, const struct param *param,
                  const struct node *node, void *params)
{
    void *member = (char *)params + param->offset;
    struct limits limits = { param->min, param->max, param->unit };

    switch (param->type) {
    case PARAM_STRING:
        return value_text(diag, node, member);
    case PARAM_STRINGS:
        return value_texts(diag, node, member);
    case PARAM_COUNT:
        return value_count(diag, node, &limits, member);
    case PARAM_SIZE:
        return value_size(diag, node, &limits, member);
    case PARAM_CHOICE:
        return value_choice(diag, node, param->choices, member);
    case PARAM_BOOL:
        return value_bool(diag, node, member);
    }
    return false;
}

static void store_default(struct diag *diag, const struct param *param,
                          void *params)
{
    struct place place = { .origin = "a default" };
    bool list = param->fallback[0] == '[';
    struct node *node = list ? yaml_parse(diag, param->fallback,
                                          strlen(param->fallback), place.origin)
                             : node_scalar(diag, place, param->fallback);
    node->key = param->name;
    bool stored = store(diag, param, node, params);
    assert(stored && "a default fits its own parameter");
    (void)stored;
}

static const char *const *names(struct diag *diag, const struct op *op)
{
    size_t n = 0;
    while (op->params && op->params[n].name)
        n++;
    const char **all = arena_alloc(diag->memory, (n + 1) * sizeof(*all));
    for (size_t i = 0; i < n; i++)
        all[i] = op->params[i].name;
    return all;
}

struct complaint {
    struct diag *diag;
    const struct node *with;
    struct place place;
};

static void complain(void *ctx, const char *param, const char *text)
{
    struct complaint *c = ctx;
    const struct node *node = node_find(c->with, param);
    diag_at(c->diag, node ? node->place : c->place, "'%s': %s", param, text);
}

void *params_fill(struct diag *diag, const struct op *op,
                  const struct node *with, struct place place)
{
    void *params = arena_alloc(diag->memory, op->param_bytes + 1);
    const char *const *keys = names(diag, op);
    static const struct node nothing = { .kind = NODE_MAP };
    size_t before = diag->count;

    if (with && with->kind != NODE_MAP && with->kind != NODE_NULL) {
        diag_at(diag, with->place, "'with' is a mapping of parameters, not %s",
                node_kind_name(with));
        return params;
    }
    if (with && with->kind == NODE_MAP)
        place = with->place;
    else
        with = &nothing;
    keys_check(diag, with, keys,
               arena_format(diag->memory, "%s has no parameter", op->name));
    for (const struct param *p = op->params; p && p->name; p++) {
        const struct node *node = node_find(with, p->name);
        if (node)
            store(diag, p, node, params);
        else if (p->fallback)
            store_default(diag, p, params);
        else if (!keys_misspelt(with, keys, p->name))
            diag_at(diag, place, "%s needs '%s': %s", op->name, p->name,
                    p->help);
    }
    if (op->check && diag->count == before)
        op->check(params, complain, &(struct complaint){ diag, with, place });
    return params;
}

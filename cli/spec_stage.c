/* spec_stage.c: the source and the stages of a spec. */
#include <string.h>

#include "cli/keys.h"
#include "cli/params.h"
#include "cli/spec_parts.h"
#include "cli/suggest.h"
#include "cli/value.h"

enum { MAX_TOKENS = 1 << 16, MAX_STAGES = 64, MAX_NAME = 32, MAX_KEYS = 8 };

/* The operator that `use` names, of the right kind. */
static const struct op *find_op(struct diag *diag, const struct node *map,
                                bool source)
{
    const struct node *use = node_find(map, "use");
    const char *what = source ? "source" : "stage";
    struct suggest meant = { 0 };

    if (!use) {
        diag_at(diag, map->place,
                "this %s needs 'use: OPERATOR'; 'weft stages' lists them",
                what);
        return NULL;
    }
    if (use->kind != NODE_SCALAR) {
        diag_at(diag, use->place, "'use' is the name of an operator, not %s",
                node_kind_name(use));
        return NULL;
    }
    meant.word = use->text;
    for (const struct op *const *op = all_ops; *op; op++) {
        if (((*op)->kind == OP_SOURCE) == source)
            suggest_try(&meant, (*op)->name);
    }
    const struct op *op = op_find(use->text);
    if (!op)
        diag_at(diag, use->place, "there is no operator %s%s",
                diag_quote(diag, use->text),
                meant.best ? diag_meant(diag, meant.best)
                           : "; 'weft stages' lists them");
    else if ((op->kind == OP_SOURCE) != source)
        diag_at(diag, use->place,
                source ? "%s is a stage, no source; 'weft stages' lists them"
                       : "%s is a source; it goes under 'source'",
                op->name);
    else
        return op;
    return NULL;
}

static bool is_mapping(struct diag *diag, const struct node *node,
                       const char *what)
{
    if (node->kind == NODE_MAP)
        return true;
    diag_at(diag, node->place, "%s is a mapping such as { use: ... }, not %s",
            what, node_kind_name(node));
    return false;
}

/* Strict keys; what is a parameter is told to move. */
static void check_keys(struct diag *diag, const struct node *map,
                       const struct op *op, const char *const *keys,
                       const char *lead)
{
    struct node rest = { .kind = NODE_MAP };
    struct node **end = &rest.first;

    for (const struct node *n = map->first; n; n = n->next) {
        const struct param *p = op ? op->params : NULL;
        while (p && p->name && strcmp(p->name, n->key) != 0)
            p++;
        bool known = false;
        for (const char *const *key = keys; *key; key++)
            known |= strcmp(*key, n->key) == 0;
        if (!known && p && p->name) {
            diag_at(diag, n->key_place,
                    "'%s' is a parameter of %s: write it as with: { %s: ... }",
                    n->key, op->name, n->key);
        } else {
            *end = arena_alloc(diag->memory, sizeof(**end));
            **end = *n;
            (*end)->next = NULL;
            end = &(*end)->next;
        }
    }
    keys_check(diag, &rest, keys, lead);
}

void spec_source(struct diag *diag, struct spec *spec, const struct node *node)
{
    static const char *const keys[] = { "use", "with", NULL };

    if (!is_mapping(diag, node, "'source'"))
        return;
    const struct op *op = find_op(diag, node, true);
    check_keys(diag, node, op, keys, "a source has no key");
    spec->source = (struct stage_spec){
        .name = "source", .op = op, .tokens = 1, .ordered = true
    };
    if (op)
        spec->source.params =
            params_fill(diag, op, node_find(node, "with"), node->place);
}

static const char *stage_name(struct diag *diag, const struct spec *spec,
                              const struct node *map)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    const struct node *node = node_find(map, "name");

    if (!node) {
        diag_at(diag, map->place, "this stage needs a 'name'");
        return NULL;
    }
    size_t size = node->kind == NODE_SCALAR ? strlen(node->text) : 0;
    if (size == 0 || size > MAX_NAME || strspn(node->text, letters) != size) {
        diag_at(diag, node->place,
                "a stage's name is 1 to %d of a-z, 0-9, '_' and '-'", MAX_NAME);
        return NULL;
    }
    bool taken = strcmp(node->text, "source") == 0;
    for (size_t i = 0; i < spec->stage_count; i++) {
        const char *other = spec->stages[i].name;
        taken |= other && strcmp(other, node->text) == 0;
    }
    if (taken)
        diag_at(diag, node->place, "the name '%s' is taken already",
                node->text);
    return node->text;
}

/* Tokens under any of their names; more than one name is a mistake. */
static void stage_tokens(struct diag *diag, struct stage_spec *stage,
                         const struct node *map)
{
    const struct op *op = stage->op;
    const struct node *plain = node_find(map, "tokens");
    const struct node *own =
        op->tokens_key ? node_find(map, op->tokens_key) : NULL;
    const struct node *node = own ? own : plain;
    struct limits limits = { .min = 1, .max = MAX_TOKENS, .or_auto = true };
    uint64_t n = 0;

    stage->tokens = op->serial ? 1 : op->tokens;
    if (!node)
        return;
    if (plain && own)
        diag_at(diag, plain->key_place,
                "'tokens' and '%s' are the same here; keep one of them",
                own->key);
    if (value_is_auto(node)) {
        if (!op->serial)
            stage->tokens = 0;
    } else if (value_count(diag, node, &limits, &n)) {
        stage->tokens = (unsigned)n;
        if (op->serial && n > 1)
            diag_at(diag, node->place,
                    "%s takes one item at a time: '%s' cannot be %s", op->name,
                    node->key, node->text);
    }
}

static void read_stage(struct diag *diag, struct spec *spec,
                       const struct node *map)
{
    static const char *const orders[] = { "any", "input", NULL };
    struct stage_spec stage = { .name = stage_name(diag, spec, map),
                                .op = find_op(diag, map, false) };
    const char *keys[MAX_KEYS] = { "name", "use", "with", "order", "tokens" };
    const struct node *order = node_find(map, "order");
    unsigned way;

    if (stage.op) {
        keys[5] = stage.op->tokens_key;
        check_keys(diag, map, stage.op, keys, "this stage has no key");
        stage.params =
            params_fill(diag, stage.op, node_find(map, "with"), map->place);
        stage_tokens(diag, &stage, map);
        stage.ordered = stage.op->ordered;
    }
    if (order && value_choice(diag, order, orders, &way))
        stage.ordered = way == 1;
    spec->stages[spec->stage_count++] = stage;
}

void spec_stages(struct diag *diag, struct spec *spec, const struct node *node)
{
    size_t count = 0;

    if (node->kind != NODE_LIST || !node->first) {
        diag_at(diag, node->place, "'stages' is a list of stages, not %s",
                node->kind == NODE_LIST ? "an empty one"
                                        : node_kind_name(node));
        return;
    }
    for (const struct node *n = node->first; n; n = n->next)
        count++;
    if (count > MAX_STAGES) {
        diag_at(diag, node->place, "%zu stages; at most %d are possible", count,
                MAX_STAGES);
        return;
    }
    spec->stages = arena_alloc(diag->memory, count * sizeof(*spec->stages));
    struct place *at = arena_alloc(diag->memory, count * sizeof(*at));
    bool whole = spec->source.op;
    for (const struct node *n = node->first; n; n = n->next) {
        at[spec->stage_count] = n->place;
        if (is_mapping(diag, n, "a stage"))
            read_stage(diag, spec, n);
        else
            spec->stage_count++;
        const struct node *use = node_find(n, "use");
        if (use)
            at[spec->stage_count - 1] = use->place;
        whole &= spec->stages[spec->stage_count - 1].op != NULL;
    }
    if (whole)
        spec_flow(diag, spec, at);
}

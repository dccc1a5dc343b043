/* spec.c: a pipeline as the user wrote it, read and checked.
 *
 * The text becomes a tree, the command line changes the tree, and the tree
 * becomes the structs: a setting is checked as if it stood in the file. All
 * mistakes are collected; only then is anything printed. */
#include "cli/spec.h"

#include <string.h>

#include "cli/args.h"
#include "cli/keys.h"
#include "cli/spec_parts.h"
#include "cli/value.h"
#include "cli/yaml.h"

enum { MAX_SLOTS = 1 << 16 };

/* False where the rest of the file may mean something else. */
static bool version(struct diag *diag, const struct node *root)
{
    const struct node *node = node_find(root, "weft");
    uint64_t number;

    if (!node) {
        diag_at(diag, root->place,
                "'weft: 1' is missing, the version of the format");
        return true;
    }
    if (!value_count(diag, node, &(struct limits){ 0 }, &number))
        return true;
    if (number != 1)
        diag_at(diag, node->place,
                "weft " WEFT_VERSION " reads version 1 of the format, not %s",
                node->text);
    return number == 1;
}

static void on_error(struct diag *diag, struct spec *spec,
                     const struct node *node)
{
    static const char *const words[] = { "stop", "skip", NULL };
    static const char *const keys[] = { "at_most", NULL };
    unsigned word;
    uint64_t n;

    spec->policy = WEFT_SKIP;
    if (!node)
        return;
    if (node->kind != NODE_MAP) {
        if (node->kind != NODE_SCALAR)
            diag_at(diag, node->place,
                    "'on_error' is stop, skip or { at_most: N }, not %s",
                    node_kind_name(node));
        else if (value_choice(diag, node, words, &word))
            spec->policy = word == 0 ? WEFT_STOP : WEFT_SKIP;
        return;
    }
    keys_check(diag, node, keys, "'on_error' has no key");
    const struct node *most = node_find(node, "at_most");
    if (!most && !keys_misspelt(node, keys, "at_most")) {
        diag_at(diag, node->place, "'on_error' needs at_most: N here");
    } else if (most &&
               value_count(diag, most,
                           &(struct limits){ 1, UINT32_MAX, "items" }, &n)) {
        spec->policy = WEFT_AT_MOST;
        spec->max_failures = (unsigned)n;
    }
}

/* A count or `auto`; 0 where it is auto or not given. */
static unsigned count_or_auto(struct diag *diag, const struct node *node,
                              uint64_t max)
{
    uint64_t n = 0;
    if (node && !value_is_auto(node))
        value_count(diag, node,
                    &(struct limits){ .min = 1, .max = max, .or_auto = true },
                    &n);
    return (unsigned)n;
}

static void read_tree(struct diag *diag, struct spec *spec,
                      const struct node *root)
{
    static const char *const keys[] = { "weft",     "source", "stages",
                                        "on_error", "slots",  "workers",
                                        NULL };
    if (!version(diag, root))
        return;
    keys_check(diag, root, keys, "a spec has no key");
    const struct node *source = node_find(root, "source");
    if (source)
        spec_source(diag, spec, source);
    else if (!keys_misspelt(root, keys, "source"))
        diag_at(diag, root->place,
                "'source' is missing: where the items come from");
    const struct node *stages = node_find(root, "stages");
    if (stages)
        spec_stages(diag, spec, stages);
    else if (!keys_misspelt(root, keys, "stages"))
        diag_at(diag, root->place,
                "'stages' is missing: what happens to the items");
    on_error(diag, spec, node_find(root, "on_error"));
    spec->slots = count_or_auto(diag, node_find(root, "slots"), MAX_SLOTS);
    spec->workers =
        count_or_auto(diag, node_find(root, "workers"), MAX_WORKERS);
}

static void load(struct diag *diag, struct spec *spec,
                 const struct spec_args *args)
{
    struct node *root;

    if (!spec_text(diag))
        return;
    root = yaml_parse(diag, diag->text, diag->size, NULL);
    if (!root)
        return;
    if (root->kind == NODE_NULL) {
        diag_file(diag, "is empty; a spec starts with 'weft: 1'");
    } else if (root->kind != NODE_MAP) {
        diag_at(diag, root->place,
                "a spec is a mapping (weft: 1, source, stages), not %s",
                node_kind_name(root));
    } else {
        spec_expand(diag, root);
        spec_set(diag, root, args);
        read_tree(diag, spec, root);
    }
}

int spec_load(struct spec *out, const struct spec_args *args)
{
    struct arena *memory = arena_create();
    struct diag diag = { .memory = memory, .path = args->path };
    struct spec spec = { .path = args->path, .memory = memory };

    load(&diag, &spec, args);
    if (diag.count > 0) {
        diag_print(&diag, stderr);
        arena_destroy(memory);
        return EXIT_USAGE;
    }
    *out = spec;
    return EXIT_OK;
}

void spec_free(struct spec *spec)
{
    arena_destroy(spec->memory);
    *spec = (struct spec){ 0 };
}

unsigned spec_slots(const struct spec *spec, unsigned segment, unsigned workers)
{
    uint64_t sum = 1; /* one that waits to be admitted */
    unsigned at = 0;

    if (segment == 0 && spec->slots > 0)
        return spec->slots;
    for (size_t i = 0; i < spec->stage_count; i++) {
        const struct stage_spec *stage = &spec->stages[i];
        if (at == segment)
            sum += stage->tokens > 0 ? stage->tokens : workers;
        if (stage->op->kind == OP_GATHER)
            at++;
    }
    return sum < MAX_SLOTS ? (unsigned)sum : MAX_SLOTS;
}

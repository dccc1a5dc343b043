/* spec_set.c: what the command line changes in the tree of a spec.
 *
 * A setting names its place with dots: workers, on_error.at_most,
 * source.path, stages.read.inflight, stages.encode.with.quality. In a source or
 * a stage, what is no key of theirs is a parameter, so `with` may be left out.
 * Names of operators and parameters are checked later, with the rest. */
#include <stdlib.h>
#include <string.h>

#include "cli/ops/pattern.h"
#include "cli/spec_parts.h"
#include "cli/suggest.h"
#include "cli/yaml.h"

static struct node *new_map(struct diag *diag, struct place place)
{
    struct node *map = arena_alloc(diag->memory, sizeof(*map));
    map->kind = NODE_MAP;
    map->place = place;
    return map;
}

/* The map under `key`, made where there is none; NULL where something else is
 * in its place, which is a mistake of the file. */
static struct node *map_under(struct diag *diag, struct node *parent,
                              const char *key, struct place place)
{
    struct node *map = node_find(parent, key);
    if (!map || map->kind == NODE_NULL) {
        map = new_map(diag, place);
        node_set(parent, key, place, map);
    }
    return map->kind == NODE_MAP ? map : NULL;
}

static void expand(struct diag *diag, struct node *stage)
{
    struct node *argv = node_find(stage, "exec");
    if (!argv)
        return;
    struct place place = argv->key_place;
    if (node_find(stage, "use")) {
        diag_at(diag, place,
                "'exec: [...]' means 'use: exec'; "
                "a stage has one of them");
        return;
    }
    struct node *with = map_under(diag, stage, "with", place);
    if (!with)
        return;
    if (node_find(with, "argv"))
        diag_at(diag, place,
                "'exec: [...]' means 'argv: [...]'; "
                "keep one of them");
    node_take(stage, "exec");
    node_set(with, "argv", place, argv);
    node_set(stage, "use", place, node_scalar(diag, place, "exec"));
}

void spec_expand(struct diag *diag, struct node *root)
{
    struct node *stages = node_find(root, "stages");
    if (!stages || stages->kind != NODE_LIST)
        return;
    for (struct node *n = stages->first; n; n = n->next)
        if (n->kind == NODE_MAP)
            expand(diag, n);
}

static bool is_token_key(const char *key)
{
    if (strcmp(key, "tokens") == 0)
        return true;
    for (const struct op *const *op = all_ops; *op; op++)
        if ((*op)->tokens_key && strcmp((*op)->tokens_key, key) == 0)
            return true;
    return false;
}

static const char *const stage_keys[] = { "name", "use", "order", "tokens" };
enum { STAGE_KEYS = sizeof(stage_keys) / sizeof(stage_keys[0]) };

static bool is_stage_key(const char *key)
{
    for (size_t i = 0; i < STAGE_KEYS; i++)
        if (strcmp(stage_keys[i], key) == 0)
            return true;
    return is_token_key(key);
}

/* The key of the stage itself that `key` is closer to than to any parameter, or
 * NULL. Unseen it would be taken for an unknown parameter. */
static const char *stage_key_meant(const struct node *stage, const char *key)
{
    const struct node *use = node_find(stage, "use");
    const struct op *op =
        use && use->kind == NODE_SCALAR ? op_find(use->text) : NULL;
    struct suggest meant = { .word = key };

    for (const struct param *p = op ? op->params : NULL; p && p->name; p++)
        suggest_try(&meant, p->name);
    const char *parameter = meant.best;
    for (size_t i = 0; i < STAGE_KEYS; i++)
        suggest_try(&meant, stage_keys[i]);
    if (op && op->tokens_key)
        suggest_try(&meant, op->tokens_key);
    return meant.best != parameter ? meant.best : NULL;
}

/* The part of the path up to the next dot, and the path behind it: NULL at the
 * end. */
static const char *part(struct diag *diag, const char **path)
{
    const char *start = *path;
    size_t size = strcspn(start, ".");
    *path = start[size] ? start + size + 1 : NULL;
    return arena_copy(diag->memory, start, size);
}

static struct node *find_stage(struct diag *diag, struct node *root,
                               const char *name, struct place place)
{
    struct node *stages = node_find(root, "stages");
    struct suggest meant = { .word = name };

    if (!stages || stages->kind != NODE_LIST)
        return NULL; /* a mistake of the file */
    for (struct node *n = stages->first; n; n = n->next) {
        struct node *named = node_find(n, "name");
        if (!named || named->kind != NODE_SCALAR)
            continue;
        if (strcmp(named->text, name) == 0)
            return n;
        suggest_try(&meant, named->text);
    }
    diag_at(diag, place, "there is no stage %s%s", diag_quote(diag, name),
            diag_meant(diag, meant.best));
    return NULL;
}

/* A stage has one number of tokens, whatever it was called before. */
static void drop_tokens(struct node *map)
{
    for (struct node *n = map->first, *next; n; n = next) {
        next = n->next;
        if (is_token_key(n->key))
            node_take(map, n->key);
    }
}

/* `path` below the map of a source or a stage. */
static void set_in_stage(struct diag *diag, struct node *map, const char *path,
                         struct place place, struct node *value, bool source)
{
    const char *key = part(diag, &path);
    bool own = source ? strcmp(key, "use") == 0 : is_stage_key(key);

    if (strcmp(key, "with") == 0) {
        key = path ? part(diag, &path) : "";
    } else if (own) {
        if (is_token_key(key))
            drop_tokens(map);
    } else if (!source && strcmp(key, "exec") == 0) {
        key = "argv";
    } else if (!source && stage_key_meant(map, key)) {
        diag_at(diag, place, "this stage has no key %s%s",
                diag_quote(diag, key),
                diag_meant(diag, stage_key_meant(map, key)));
        return;
    }
    if (path) {
        diag_at(diag, place, "the place ends with %s; nothing is below it",
                diag_quote(diag, key));
        return;
    }
    if (!*key) {
        diag_at(diag, place, "name the parameter: with.NAME=VALUE");
        return;
    }
    if (!own)
        map = map_under(diag, map, "with", place);
    if (map)
        node_set(map, key, place, value);
}

static void set(struct diag *diag, struct node *root, const char *path,
                struct place place, struct node *value)
{
    const char *key = part(diag, &path);
    struct node *map;

    if (strcmp(key, "source") == 0 && path) {
        map = node_find(root, "source");
        if (map && map->kind == NODE_MAP)
            set_in_stage(diag, map, path, place, value, true);
    } else if (strcmp(key, "stages") == 0 && path) {
        map = find_stage(diag, root, part(diag, &path), place);
        if (map && path)
            set_in_stage(diag, map, path, place, value, false);
        else if (map)
            diag_at(diag, place, "say what to set: stages.NAME.KEY=VALUE");
    } else if (strcmp(key, "source") == 0 || strcmp(key, "stages") == 0) {
        diag_at(diag, place,
                "say what to set: source.KEY=VALUE or "
                "stages.NAME.KEY=VALUE");
    } else if (strcmp(key, "on_error") == 0 && path) {
        map = new_map(diag, place);
        node_set(map, path, place, value);
        node_set(root, key, place, map);
    } else if (path) {
        struct suggest meant = { .word = key };
        suggest_try(&meant, "source");
        suggest_try(&meant, "stages");
        suggest_try(&meant, "on_error");
        diag_at(diag, place, "%s has nothing below it%s", diag_quote(diag, key),
                diag_meant(diag, meant.best));
    } else {
        node_set(root, key, place, value);
    }
}

/* Lists, mappings and quoted text are YAML; all else is what it looks like, so
 * that a shell needs no second pair of quotes. */
static struct node *setting_value(struct diag *diag,
                                  const struct setting *setting)
{
    struct place place = { .origin = setting->origin };
    if (!setting->literal && *setting->value &&
        strchr("[{\"'", setting->value[0]))
        return yaml_parse(diag, setting->value, strlen(setting->value),
                          setting->origin);
    struct node *node = node_scalar(diag, place, setting->value);
    node->quoted = setting->literal;
    if (!*setting->value && !setting->literal)
        node->kind = NODE_NULL;
    return node;
}

static bool writes_files(const struct op *op)
{
    for (const struct param *p = op ? op->params : NULL; p && p->name; p++)
        if (strcmp(p->name, "pattern") == 0)
            return true;
    return false;
}

/* --output: the folder of every pattern, whatever it was. */
static void set_output(struct diag *diag, struct node *root, const char *folder)
{
    const struct node *stages = node_find(root, "stages");
    struct place place = { .origin = arena_format(diag->memory, "--output %s",
                                                  folder) };
    bool found = false;

    if (*folder == '\0' || strpbrk(folder, "%{")) {
        diag_at(diag, place,
                *folder ? "a folder with '%%' or '{' in its name "
                          "cannot be part of a pattern"
                        : "the folder has no name");
        return;
    }
    for (struct node *n = stages ? stages->first : NULL; n; n = n->next) {
        const struct node *use = node_find(n, "use");
        struct node *pattern = node_find(node_find(n, "with"), "pattern");
        const struct op *op = use && use->text ? op_find(use->text) : NULL;
        if (!writes_files(op))
            continue;
        found = true;
        if (pattern && pattern->kind == NODE_SCALAR) {
            size_t old = pattern_folder(pattern->text, op->numbered);
            pattern->text = arena_format(diag->memory, "%s/%s", folder,
                                         pattern->text + old);
            pattern->place = place;
        }
    }
    if (!found)
        diag_at(diag, place, "no stage has a 'pattern' for its files");
}

void spec_set(struct diag *diag, struct node *root,
              const struct spec_args *args)
{
    for (size_t i = 0; i < args->setting_count; i++) {
        const struct setting *setting = &args->settings[i];
        struct place place = { .origin = setting->origin };
        struct node *value = setting_value(diag, setting);
        if (value)
            set(diag, root, setting->key, place, value);
    }
    if (args->output)
        set_output(diag, root, args->output);
}

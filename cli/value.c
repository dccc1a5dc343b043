/* value.c: what a node of the spec says, as a C value. */
#include "cli/value.h"

#include <inttypes.h>
#include <string.h>

#include "cli/suggest.h"

/* "a list", or what the text is. */
static const char *shown(struct diag *diag, const struct node *node)
{
    return node->kind == NODE_SCALAR ? diag_quote(diag, node->text)
                                     : node_kind_name(node);
}

static const char *in_unit(struct diag *diag, const char *unit)
{
    return unit ? arena_format(diag->memory, " (%s)", unit) : "";
}

/* The digits at the start of `text`; NULL where there are none, or too many. */
static const char *digits(const char *text, uint64_t *out)
{
    uint64_t sum = 0;
    const char *s = text;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (unsigned)(*s - '0'), &sum))
            return NULL;
    *out = sum;
    return s == text ? NULL : s;
}

static bool within(struct diag *diag, const struct node *node,
                   const struct limits *limits, uint64_t value)
{
    bool small = value < limits->min;
    const char *range;

    if (!small && (limits->max == 0 || value <= limits->max))
        return true;
    if (limits->max)
        range = arena_format(diag->memory, "%" PRIu64 " to %" PRIu64,
                             limits->min, limits->max);
    else
        range = arena_format(diag->memory, "%" PRIu64 " or more", limits->min);
    diag_at(diag, node->place, "'%s' is %s%s%s%s; %s is too %s", node->key,
            range, limits->unit ? " " : "", limits->unit ? limits->unit : "",
            limits->or_auto ? " or auto" : "", node->text,
            small ? "small" : "large");
    return false;
}

bool value_count(struct diag *diag, const struct node *node,
                 const struct limits *limits, uint64_t *out)
{
    uint64_t value;
    const char *rest = NULL;

    if (node->kind == NODE_SCALAR && !node->quoted)
        rest = digits(node->text, &value);
    if (!rest || *rest) {
        diag_at(diag, node->place, "'%s' is a whole number%s%s, not %s%s",
                node->key, in_unit(diag, limits->unit),
                limits->or_auto ? " or auto" : "", shown(diag, node),
                node->quoted ? " in quotes" : "");
        return false;
    }
    if (!within(diag, node, limits, value))
        return false;
    *out = value;
    return true;
}

bool value_is_auto(const struct node *node)
{
    return node->kind == NODE_SCALAR && strcmp(node->text, "auto") == 0;
}

/* What stands after the number: bytes in one of it, 0: unknown. */
static uint64_t size_unit(const char *name)
{
    static const struct {
        const char *name;
        uint64_t bytes;
    } units[] = {
        { "", 1 },
        { "B", 1 },
        { "KB", 1000 },
        { "MB", 1000000 },
        { "GB", 1000000000 },
        { "TB", 1000000000000 },
        { "KiB", UINT64_C(1) << 10 },
        { "MiB", UINT64_C(1) << 20 },
        { "GiB", UINT64_C(1) << 30 },
        { "TiB", UINT64_C(1) << 40 },
    };
    while (*name == ' ')
        name++;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(name, units[i].name) == 0)
            return units[i].bytes;
    return 0;
}

bool value_size(struct diag *diag, const struct node *node,
                const struct limits *limits, uint64_t *out)
{
    uint64_t value = 0, unit = 0;
    const char *rest = NULL;

    if (node->kind == NODE_SCALAR && !node->quoted)
        rest = digits(node->text, &value);
    if (rest)
        unit = size_unit(rest);
    if (unit == 0 || __builtin_mul_overflow(value, unit, &value)) {
        diag_at(diag, node->place,
                "'%s' is a size such as 65536, 64KiB, 10MB or 2GiB, not %s%s",
                node->key, shown(diag, node), node->quoted ? " in quotes" : "");
        return false;
    }
    if (!within(diag, node, limits, value))
        return false;
    *out = value;
    return true;
}

/* `what` is the value's key, or says which part of it this is. */
static bool is_text(struct diag *diag, const struct node *node,
                    const char *what)
{
    if (node->kind == NODE_SCALAR)
        return true;
    diag_at(diag, node->place, "%s is text, not %s", what,
            node_kind_name(node));
    return false;
}

bool value_text(struct diag *diag, const struct node *node, char **out)
{
    if (!is_text(diag, node, diag_quote(diag, node->key)))
        return false;
    *out = arena_copy(diag->memory, node->text, strlen(node->text));
    return true;
}

bool value_texts(struct diag *diag, const struct node *node,
                 struct strings *out)
{
    bool list = node->kind == NODE_LIST, good = true;
    const struct node *first = list ? node->first : node;
    size_t count = 0, n = 0;

    if (!list && node->kind != NODE_SCALAR) {
        diag_at(diag, node->place, "'%s' is text or a list of texts, not %s",
                node->key, node_kind_name(node));
        return false;
    }
    const char *what =
        arena_format(diag->memory, "an entry of '%s'", node->key);
    for (const struct node *e = first; e; e = list ? e->next : NULL, count++)
        good &= is_text(diag, e, what);
    if (!good)
        return false;
    char **at = arena_alloc(diag->memory, (count + 1) * sizeof(*at));
    for (const struct node *e = first; n < count; e = e->next)
        at[n++] = arena_copy(diag->memory, e->text, strlen(e->text));
    *out = (struct strings){ at, count };
    return true;
}

bool value_choice(struct diag *diag, const struct node *node,
                  const char *const *choices, unsigned *out)
{
    struct suggest meant = { .word = node->text ? node->text : "" };
    const char *list = "";

    for (unsigned i = 0; choices[i]; i++) {
        if (node->kind == NODE_SCALAR && strcmp(node->text, choices[i]) == 0) {
            *out = i;
            return true;
        }
        suggest_try(&meant, choices[i]);
        list = arena_format(diag->memory, "%s%s%s", list,
                            i == 0           ? ""
                            : choices[i + 1] ? ", "
                                             : " or ",
                            choices[i]);
    }
    diag_at(diag, node->place, "'%s' is %s, not %s%s", node->key, list,
            shown(diag, node), diag_meant(diag, meant.best));
    return false;
}

bool value_bool(struct diag *diag, const struct node *node, bool *out)
{
    static const char *const words[] = { "false", "true", NULL };
    unsigned word;
    if (!value_choice(diag, node, words, &word))
        return false;
    *out = word == 1;
    return true;
}

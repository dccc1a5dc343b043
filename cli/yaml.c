/* yaml.c: a small YAML document as a tree, from the events of libfyaml.
 *
 * Events, not libfyaml's own documents: the parser is then lazy, so that limits
 * on the depth and on the number of values end it before it has taken memory
 * for a document made to hurt. An alias is a copy, and copies count as well.
 *
 * Where it finds no memory libfyaml ends the document, or gives an empty value,
 * and says nothing: errno tells. */
#include "cli/yaml.h"

#include <errno.h>
#include <libfyaml.h>
#include <string.h>

#include "cli/source_line.h"
#include "cli/utf8.h"

enum { DEPTH = 32, NODES = 20000 };

struct anchor {
    struct anchor *next;
    const char *name;
    const struct node *node;
};

struct parser {
    struct fy_parser *fy;
    struct fy_event *event; /* not used up yet */
    struct diag *diag;
    const char *origin;
    const char *text;
    size_t size;
    struct anchor *anchors;
    size_t nodes;
    bool failed; /* a mistake was added; nothing more is read */
};

static struct place place_of(const struct parser *p, struct fy_event *event)
{
    const struct fy_mark *mark = event ? fy_event_start_mark(event) : NULL;
    return (struct place){ p->origin, mark ? mark->input_pos : 0 };
}

/* One mistake is enough: what follows it has lost its meaning. */
#define FAIL(p, place, ...)                                                    \
    do {                                                                       \
        if (!(p)->failed)                                                      \
            diag_at((p)->diag, place, __VA_ARGS__);                            \
        (p)->failed = true;                                                    \
    } while (0)

static enum fy_event_type advance(struct parser *p)
{
    if (p->event)
        fy_parser_event_free(p->fy, p->event);
    errno = 0;
    p->event = p->failed ? NULL : fy_parser_parse(p->fy);
    if (errno == ENOMEM)
        arena_no_memory();
    if (!p->event)
        p->failed = true;
    return p->event ? p->event->type : FYET_NONE;
}

static struct node *make(struct parser *p, enum node_kind kind,
                         struct place place)
{
    struct node *node = arena_alloc(p->diag->memory, sizeof(*node));
    node->kind = kind;
    node->place = place;
    if (++p->nodes > NODES)
        FAIL(p, place, "more than %d values: this is no spec", NODES);
    return node;
}

static struct node *copy(struct parser *p, const struct node *from,
                         struct place place)
{
    struct node *to = make(p, from->kind, place);
    to->text = from->text;
    to->quoted = from->quoted;
    struct node **end = &to->first;
    for (const struct node *n = from->first; n && !p->failed; n = n->next) {
        *end = copy(p, n, n->place);
        (*end)->key = n->key;
        (*end)->key_place = n->key_place;
        end = &(*end)->next;
    }
    return to;
}

static bool is_quoted(struct fy_token *token)
{
    return token && fy_token_scalar_style(token) == FYSS_DOUBLE_QUOTED;
}

static const char *token_copy(struct parser *p, struct fy_token *token,
                              struct place place)
{
    size_t size = 0;
    errno = 0;
    const char *text = token ? fy_token_get_text(token, &size) : "";
    if (!text || errno == ENOMEM)
        arena_no_memory();
    /* In an empty block libfyaml counts the end of the text. */
    if (memchr(text, 0, size) && is_quoted(token))
        FAIL(p, place, "text cannot contain a NUL");
    return arena_copy(p->diag->memory, text, size);
}

static bool stands_for_null(const char *text)
{
    return strcmp(text, "") == 0 || strcmp(text, "~") == 0 ||
           strcmp(text, "null") == 0;
}

static struct node *scalar(struct parser *p, struct place place)
{
    struct fy_token *token = p->event->scalar.value;
    struct node *node = make(p, NODE_SCALAR, place);
    node->text = token_copy(p, token, place);
    node->quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
    if (node->quoted && place.offset > 0 &&
        strchr("'\"", p->text[place.offset - 1]))
        node->place.offset--; /* libfyaml points behind the quote */
    if (!node->quoted && stands_for_null(node->text))
        node->kind = NODE_NULL;
    return node;
}

static struct node *alias(struct parser *p, struct place place)
{
    const char *name = token_copy(p, p->event->alias.anchor, place);
    for (struct anchor *a = p->anchors; a; a = a->next)
        if (strcmp(a->name, name) == 0)
            return copy(p, a->node, place);
    if (place.offset > 0)
        place.offset--; /* libfyaml points behind the star */
    FAIL(p, place, "no &%s comes before this *%s", name, name);
    return make(p, NODE_NULL, place);
}

static void add_key(struct parser *p, const struct node *map, struct node *key,
                    struct node *value)
{
    if (node_find(map, key->text))
        diag_at(p->diag, key->place, "%s is given twice; keep one of them",
                diag_quote(p->diag, key->text));
    value->key = key->text;
    value->key_place = key->place;
}

static struct node *value(struct parser *p, unsigned depth);

static void children(struct parser *p, struct node *parent, unsigned depth)
{
    struct node **end = &parent->first;
    bool map = parent->kind == NODE_MAP;
    enum fy_event_type last = map ? FYET_MAPPING_END : FYET_SEQUENCE_END;

    while (!p->failed && advance(p) != last && !p->failed) {
        struct node *key = NULL;
        if (map) {
            struct place place = place_of(p, p->event);
            if (p->event->type != FYET_SCALAR) {
                FAIL(p, place, "a key is a word, not a list or an alias");
                return;
            }
            key = scalar(p, place);
            advance(p);
        }
        if (p->failed)
            return;
        struct node *child = value(p, depth + 1);
        if (key)
            add_key(p, parent, key, child);
        *end = child;
        end = &child->next;
    }
}

/* What the current event starts. Afterwards its last event is current. */
static struct node *value(struct parser *p, unsigned depth)
{
    struct place place = place_of(p, p->event);
    struct fy_token *anchor = NULL, *tag = NULL;
    const char *name = NULL;
    struct node *node;

    if (depth > DEPTH)
        FAIL(p, place, "nested more than %d deep: this is no spec", DEPTH);
    if (p->failed)
        return make(p, NODE_NULL, place);
    switch (p->event->type) {
    case FYET_ALIAS:
        return alias(p, place);
    case FYET_SCALAR:
        anchor = p->event->scalar.anchor;
        tag = p->event->scalar.tag;
        break;
    case FYET_SEQUENCE_START:
        anchor = p->event->sequence_start.anchor;
        tag = p->event->sequence_start.tag;
        break;
    default:
        anchor = p->event->mapping_start.anchor;
        tag = p->event->mapping_start.tag;
    }
    if (tag)
        FAIL(p, place, "a spec has no tags (!...): write the value alone");
    if (anchor)
        name = token_copy(p, anchor, place);
    if (p->event->type == FYET_SCALAR) {
        node = scalar(p, place);
    } else {
        bool list = p->event->type == FYET_SEQUENCE_START;
        node = make(p, list ? NODE_LIST : NODE_MAP, place);
        children(p, node, depth);
    }
    if (name) {
        struct anchor *a = arena_alloc(p->diag->memory, sizeof(*a));
        *a = (struct anchor){ p->anchors, name, node };
        p->anchors = a;
    }
    return node;
}

static struct node *document(struct parser *p)
{
    struct node *root = NULL;

    advance(p); /* the stream starts */
    if (advance(p) == FYET_DOCUMENT_START) {
        advance(p);
        if (!p->failed)
            root = value(p, 0);
        advance(p); /* the document ends */
        if (advance(p) == FYET_DOCUMENT_START)
            FAIL(p, place_of(p, p->event),
                 "a second document starts here; a spec is one");
    }
    if (!p->failed && !root)
        root = make(p, NODE_NULL, place_of(p, NULL));
    return p->failed ? NULL : root;
}

/* What libfyaml had to say, as mistakes of ours. */
static void report(struct parser *p, struct fy_diag *fy)
{
    struct place place = { .origin = p->origin };
    struct fy_diag_error *e;
    void *at = NULL;

    while ((e = fy_diag_errors_iterate(fy, &at))) {
        if (e->type != FYET_ERROR || !e->msg)
            continue;
        size_t line = e->line > 0 ? (size_t)e->line : 1;
        size_t column = e->column > 0 ? (size_t)e->column : 1;
        place.offset = source_offset(p->text, p->size, line, column);
        diag_at(p->diag, place, "not YAML: %s", e->msg);
    }
}

static struct node *parse(struct diag *diag, const char *text, size_t size,
                          const char *origin)
{
    struct parser p = {
        .diag = diag, .origin = origin, .text = text, .size = size
    };
    struct fy_diag_cfg said = { .level = FYET_ERROR,
                                .module_mask = ~0U }; /* no stream: collected */
    struct fy_diag *fy = fy_diag_create(&said);
    struct fy_parse_cfg config = { .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG |
                                            FYPCF_DEFAULT_VERSION_1_2 |
                                            FYPCF_JSON_NONE,
                                   .diag = fy };
    struct node *root = NULL;
    size_t before = diag->count;

    if (fy)
        fy_diag_set_collect_errors(fy, true);
    p.fy = fy ? fy_parser_create(&config) : NULL;
    if (!p.fy || fy_parser_set_string(p.fy, text, size))
        arena_no_memory();
    root = document(&p);
    if (p.event)
        fy_parser_event_free(p.fy, p.event);
    report(&p, fy);
    if (!root && diag->count == before) /* it does not always say why */
        diag_at(diag, (struct place){ .origin = origin },
                "libfyaml cannot read this as YAML 1.2");
    fy_parser_destroy(p.fy);
    fy_diag_destroy(fy);
    return root;
}

struct node *yaml_parse(struct diag *diag, const char *text, size_t size,
                        const char *origin)
{
    size_t good = utf8_span(text, size);
    if (good == size)
        return parse(diag, text, size, origin);
    /* libfyaml would not come to an end if it stands in a directive. */
    diag_at(diag, (struct place){ origin, good },
            "the byte 0x%02x is not UTF-8, and YAML is",
            (unsigned)(unsigned char)text[good]);
    return NULL;
}

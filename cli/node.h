/* node.h: a small document as a tree. */
#ifndef WEFT_CLI_NODE_H
#define WEFT_CLI_NODE_H
#include <stdbool.h>

#include "cli/diag.h"

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
    enum node_kind kind;
    struct place place;
    const char *text;   /* NODE_SCALAR; no NUL inside */
    bool quoted;        /* '90' is text, 90 may be a number */
    struct node *first; /* of a list or a map, in the order written */

    struct node *next; /* in the list or map that this is in */
    const char *key;   /* in a map */
    struct place key_place;
};

/* The entry of a map, or NULL. */
struct node *node_find(const struct node *map, const char *key);

/* "a list", "text": for sentences. */
const char *node_kind_name(const struct node *node);

/* A new scalar; `text` is borrowed. */
struct node *node_scalar(struct diag *diag, struct place place,
                         const char *text);

/* Puts `value` into a map under `key`, in place of what is there. */
void node_set(struct node *map, const char *key, struct place place,
              struct node *value);

/* Takes an entry out of a map; NULL where there is none. */
struct node *node_take(struct node *map, const char *key);
#endif

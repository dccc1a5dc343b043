/* node.c: looking into a tree, and changing it. */
#include "cli/node.h"

#include <string.h>

struct node *node_find(const struct node *map, const char *key)
{
    if (!map || map->kind != NODE_MAP)
        return NULL;
    for (struct node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

const char *node_kind_name(const struct node *node)
{
    static const char *const names[] = { "nothing", "text", "a list",
                                         "a mapping" };
    return names[node->kind];
}

struct node *node_scalar(struct diag *diag, struct place place,
                         const char *text)
{
    struct node *node = arena_alloc(diag->memory, sizeof(*node));
    node->kind = NODE_SCALAR;
    node->place = place;
    node->text = text;
    return node;
}

void node_set(struct node *map, const char *key, struct place place,
              struct node *value)
{
    struct node **at = &map->first;
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    value->next = *at ? (*at)->next : NULL;
    value->key = key;
    value->key_place = place;
    *at = value;
}

struct node *node_take(struct node *map, const char *key)
{
    for (struct node **at = &map->first; *at; at = &(*at)->next)
        if (strcmp((*at)->key, key) == 0) {
            struct node *taken = *at;
            *at = taken->next;
            taken->next = NULL;
            return taken;
        }
    return NULL;
}

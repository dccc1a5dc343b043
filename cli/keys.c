/* keys.c: strict keys. */
#include "cli/keys.h"

#include <string.h>

#include "cli/suggest.h"

static bool known(const char *const *keys, const char *key)
{
    while (*keys && strcmp(*keys, key) != 0)
        keys++;
    return *keys;
}

static const char *meant(const char *const *keys, const char *key)
{
    struct suggest s = { .word = key };
    for (; *keys; keys++)
        suggest_try(&s, *keys);
    return s.best;
}

/* "; it has name, use, with" */
static const char *listed(struct diag *diag, const char *const *keys)
{
    const char *list = "";
    for (; *keys; keys++)
        list = arena_format(diag->memory, "%s%s%s", list,
                            *list ? ", " : "; it has ", *keys);
    return list;
}

void keys_check(struct diag *diag, const struct node *map,
                const char *const *keys, const char *lead)
{
    for (const struct node *n = map->first; n; n = n->next) {
        if (known(keys, n->key))
            continue;
        const char *best = meant(keys, n->key);
        diag_at(diag, n->key_place, "%s %s%s", lead, diag_quote(diag, n->key),
                best ? diag_meant(diag, best) : listed(diag, keys));
    }
}

bool keys_misspelt(const struct node *map, const char *const *keys,
                   const char *key)
{
    for (const struct node *n = map->first; n; n = n->next) {
        const char *best = known(keys, n->key) ? NULL : meant(keys, n->key);
        if (best && strcmp(best, key) == 0)
            return true;
    }
    return false;
}

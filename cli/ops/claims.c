/* claims.c: which input has an output name, so that no second one takes it.
 *
 * An open hash table of 128-bit hashes: the names are not kept, for two names
 * with one such hash do not occur. */
#include "cli/ops/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>

/* Where it is, or the free place where it belongs; one is always free. */
static struct claim *find(const struct claims *c, const uint64_t hash[2])
{
    size_t at = hash[0] & (c->room - 1);
    while (c->at[at].key &&
           (c->at[at].hash[0] != hash[0] || c->at[at].hash[1] != hash[1]))
        at = (at + 1) & (c->room - 1);
    return &c->at[at];
}

/* At most half of the places are taken, so that searches are short. */
static int grow(struct claims *c)
{
    struct claims larger = { .count = c->count,
                             .room = c->room ? c->room * 2 : 64 };
    larger.at = calloc(larger.room, sizeof *larger.at);
    if (!larger.at)
        return -ENOMEM;
    for (size_t i = 0; i < c->room; i++)
        if (c->at[i].key)
            *find(&larger, c->at[i].hash) = c->at[i];
    free(c->at);
    *c = larger;
    return 0;
}

int claims_take(struct claims *c, const char *name, size_t size,
                const char *key, const char **other)
{
    if (c->count * 2 >= c->room && grow(c))
        return -ENOMEM;
    XXH128_hash_t h = XXH3_128bits(name, size);
    struct claim claim = { { h.low64, h.high64 }, key };
    struct claim *place = find(c, claim.hash);
    if (place->key) {
        *other = place->key;
        return -EEXIST;
    }
    *place = claim;
    c->count++;
    return 0;
}

void claims_finish(struct claims *c)
{
    free(c->at);
    *c = (struct claims){ 0 };
}

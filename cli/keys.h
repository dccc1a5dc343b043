/* keys.h: strict keys. */
#ifndef WEFT_CLI_KEYS_H
#define WEFT_CLI_KEYS_H
#include "cli/node.h"

/* Every key of `map` that is not in `keys`, which ends with NULL, is a mistake:
 * "a spec has no key 'stage'; did you mean 'stages'?", `lead` being what comes
 * before the key. */
void keys_check(struct diag *diag, const struct node *map,
                const char *const *keys, const char *lead);

/* Whether one of those mistakes is a misspelling of `key`: then it need not be
 * said that `key` is missing. */
bool keys_misspelt(const struct node *map, const char *const *keys,
                   const char *key);
#endif

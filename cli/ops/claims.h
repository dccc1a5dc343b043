/* claims.h: which input has an output name, so that no second one takes it. */
#ifndef WEFT_CLI_OPS_CLAIMS_H
#define WEFT_CLI_OPS_CLAIMS_H
#include <stddef.h>
#include <stdint.h>

/* Not shared between threads. Zero is empty. */
struct claims {
    struct claim {
        uint64_t hash[2];
        const char *key; /* NULL: free; the source owns it until the end */
    } * at;
    size_t count, room; /* room is a power of two */
};

/* `key` claims `name`: 0, -ENOMEM, or -EEXIST and who has it already. */
int claims_take(struct claims *claims, const char *name, size_t size,
                const char *key, const char **other);
void claims_finish(struct claims *claims);
#endif

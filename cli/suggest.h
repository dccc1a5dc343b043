/* suggest.h: did you mean ...? */
#ifndef WEFT_CLI_SUGGEST_H
#define WEFT_CLI_SUGGEST_H

/* Start with { .word = what was written }, try every candidate; `best` is the
 * closest one, or NULL where none is close enough to be meant. */
struct suggest {
    const char *word;
    const char *best;
    unsigned distance;
};

void suggest_try(struct suggest *s, const char *candidate);
#endif

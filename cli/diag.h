/* diag.h: the mistakes in a spec, collected and shown together.
 *
 *     photos.yaml:6:34: image.jpeg has no 'qualty'; did you mean 'quality'?
 *       - { name: encode, use: image.jpeg, with: { qualty: 90 } }
 *                                                  ^ */
#ifndef WEFT_CLI_DIAG_H
#define WEFT_CLI_DIAG_H
#include <stddef.h>
#include <stdio.h>

#include "cli/arena.h"

/* Where something was written. */
struct place {
    const char *origin; /* "--set workers=0"; NULL: in the file */
    size_t offset;      /* in bytes */
};

struct diag {
    struct arena *memory;
    const char *path; /* of the spec */
    const char *text; /* its contents, or NULL while there are none */
    size_t size;
    struct mistake *newest;
    size_t count;
};

/* Adds a mistake: a sentence without a full stop. */
void diag_at(struct diag *diag, struct place place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A mistake that concerns the file as a whole. */
void diag_file(struct diag *diag, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* 'text', shortened where it is long: for sentences. */
const char *diag_quote(struct diag *diag, const char *text);

/* "; did you mean 'best'?", or "" where best is NULL. */
const char *diag_meant(struct diag *diag, const char *best);

/* All of them, in the order of the file and then of the command line; after
 * some twenty it says how many more there are. */
void diag_print(const struct diag *diag, FILE *out);
#endif

/* fuzz.h: what the fuzz targets have in common.
 *
 * A target is one function that libFuzzer calls with one input after the other;
 * replay.c calls it with the inputs in corpus/. What must hold is a CHECK. */
#ifndef WEFT_TESTS_FUZZ_FUZZ_H
#define WEFT_TESTS_FUZZ_FUZZ_H
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(holds)                                                           \
    do {                                                                       \
        if (!(holds)) {                                                        \
            dprintf(2, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds);     \
            abort();                                                           \
        }                                                                      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy that ends with a NUL, of its own size, so that a byte too far is
 * noticed. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    CHECK(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
#endif

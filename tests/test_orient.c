/* test_orient.c: which way up a photo is. */
#include <string.h>

#include "cli/image/orient.h"
#include "tests/test.h"

/* A TIFF block of one entry, in the byte order of Motorola. */
static const unsigned char motorola[] = {
    'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0,
};
static const unsigned char intel[] = {
    'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 8, 0, 0, 0,
};

Test(orient, is_read_in_both_byte_orders)
{
    cr_assert_eq(orient_read(motorola, sizeof motorola), 6);
    cr_assert_eq(orient_read(intel, sizeof intel), 8);
}

Test(orient, a_block_that_ends_anywhere_is_upright)
{
    for (size_t size = 0; size < sizeof intel; size++)
        cr_assert_eq(orient_read(intel, size), ORIENT_UPRIGHT);
}

Test(orient, a_directory_outside_the_block_is_upright)
{
    unsigned char block[sizeof intel];
    memcpy(block, intel, sizeof block);
    for (unsigned high = 0; high < 256; high++) {
        block[4] = block[7] = (unsigned char)high;
        if (high)
            cr_assert_eq(orient_read(block, sizeof block), ORIENT_UPRIGHT);
    }
}

Test(orient, an_impossible_number_is_upright)
{
    unsigned char block[sizeof intel];
    memcpy(block, intel, sizeof block);
    block[18] = 9;
    cr_assert_eq(orient_read(block, sizeof block), ORIENT_UPRIGHT);
    block[18] = 0;
    cr_assert_eq(orient_read(block, sizeof block), ORIENT_UPRIGHT);
}

/* A photo of 3 x 2 pixels, each with a letter: what must be seen of
 *     abc
 *     def
 * by the definition in the EXIF standard: where row 0 and column 0 go. */
Test(orient, turns_as_the_standard_says)
{
    static const char *const seen[] = {
        NULL,     "abcdef", "cbafed", "fedcba", "defabc",
        "adbecf", "daebfc", "fcebda", "cfbead",
    };
    unsigned char from[18], to[18];
    for (unsigned i = 0; i < 6; i++)
        memset(from + i * 3, (int)('a' + i), 3);
    for (unsigned n = 1; n <= 8; n++) {
        orient_apply(n, to, from, 3, 2);
        cr_assert_eq(orient_swaps(n), n >= 5);
        for (unsigned i = 0; i < 6; i++)
            cr_assert(to[i * 3] == seen[n][i] && to[i * 3 + 2] == seen[n][i]);
    }
}

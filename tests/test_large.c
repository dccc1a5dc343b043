/* test_large.c: large arrays keep what is in them, and take what they need. */
#include "graph/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/test.h"

enum { MIB = 1 << 20 };

Test(large, array_that_grows_keeps_what_is_in_it)
{
    size_t had = 0, used = 0;
    uint32_t *array = NULL;

    while (used < 40 * MIB / sizeof *array) {
        size_t bytes = had ? 2 * had : 64;
        array = wf_large_grow(array, had, &bytes);
        cr_assert(array);
        for (size_t i = 0; i < used; i++)
            cr_assert(array[i] == i);
        had = bytes / 24 * 24; /* what is left over need not be said */
        for (; used < had / sizeof *array; used++)
            array[used] = (uint32_t)used;
    }
    wf_large_free(array, had);
}

Test(large, array_without_bytes_can_be_freed)
{
    wf_large_free(NULL, 0);
    free(wf_large_alloc(0));
}

Test(large, all_bytes_of_an_array_can_be_written)
{
    static const size_t sizes[] = {
        1, MIB - 1, MIB, MIB + 1, 3 * MIB - 1, 3 * MIB, 5 * MIB, 8 * MIB + 8
    };
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *array = wf_large_alloc(sizes[i]);
        cr_assert(array);
        memset(array, 1, sizes[i]);
        free(array);
    }
}

Test(large, more_than_there_is_is_refused)
{
    size_t bytes = 16, too_many = SIZE_MAX / 4;
    char *array = wf_large_grow(NULL, 0, &bytes);

    array[0] = 'a';
    cr_assert(!wf_large_grow(array, bytes, &too_many));
    cr_assert_eq(array[0], 'a');
    wf_large_free(array, bytes);
}

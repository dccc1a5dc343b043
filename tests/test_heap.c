/* test_heap.c: cli/image/heap.c: what was freed is there for the next photo. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "cli/image/heap.h"
#include "tests/test.h"

enum { PHOTOS = 100, BLOCKS = 8, BLOCK = 1 << 20, PAGE = 4096 };

/* As a codec does for each photo; a worker has an arena of its own. */
static void *decode_all(void *unused)
{
    for (unsigned i = 0; i < PHOTOS; i++) {
        char *block[BLOCKS];
        for (unsigned k = 0; k < BLOCKS; k++) {
            block[k] = malloc(BLOCK);
            cr_assert(block[k] != NULL);
            memset(block[k], (int)i, BLOCK);
        }
        for (unsigned k = BLOCKS; k-- > 0;)
            free(block[k]);
    }
    return NULL;
}

static long faults(void)
{
    struct rusage usage;

    cr_assert_eq(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

Test(heap, what_was_freed_costs_no_page_faults_again)
{
    pthread_t worker;

    heap_keep();
    long before = faults();
    cr_assert_eq(pthread_create(&worker, NULL, decode_all, NULL), 0);
    cr_assert_eq(pthread_join(worker, NULL), 0);
    cr_assert(faults() - before < 2 * BLOCKS * BLOCK / PAGE);
}

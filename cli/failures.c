/* failures.c: the items that failed, in the order of the source.
 *
 * Kept sorted, so that those which are kept, and so what is reported, do not
 * depend on which worker was faster. Failures come nearly in order: an
 * insertion moves little. */
#include "cli/failures.h"

#include <stdlib.h>
#include <string.h>

void failures_init(struct failures *f)
{
    pthread_mutex_init(&f->lock, NULL);
    f->kept_count = 0;
    f->count = 0;
}

static void clear(struct failure *failure)
{
    free(failure->path);
    free(failure->text);
}

void failures_finish(struct failures *f)
{
    for (unsigned i = 0; i < f->kept_count; i++)
        clear(&f->kept[i]);
    pthread_mutex_destroy(&f->lock);
}

static bool is_before(const struct failure *a, const struct failure *b)
{
    return a->segment != b->segment ? a->segment < b->segment
                                    : a->item < b->item;
}

/* Without memory the failure is counted all the same, and listed with less. */
static void insert(struct failures *f, const struct failure *failure)
{
    unsigned at = f->kept_count;

    while (at > 0 && is_before(failure, &f->kept[at - 1]))
        at--;
    if (at == FAILURES_KEPT)
        return;
    if (f->kept_count == FAILURES_KEPT)
        clear(&f->kept[--f->kept_count]);
    memmove(&f->kept[at + 1], &f->kept[at],
            (f->kept_count - at) * sizeof f->kept[0]);
    f->kept[at] = *failure;
    f->kept[at].path = failure->path ? strdup(failure->path) : NULL;
    f->kept[at].text = failure->text ? strdup(failure->text) : NULL;
    f->kept_count++;
}

void failures_add(struct failures *f, const struct failure *failure)
{
    pthread_mutex_lock(&f->lock);
    f->count++;
    insert(f, failure);
    pthread_mutex_unlock(&f->lock);
}

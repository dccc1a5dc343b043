/* stress_park.c: a producer posts one task at a time, and only when the one
 * before has been taken: so a single lost wake-up hangs, and the test times
 * out.
 *
 * The takers are workers without a deque: they search, park, and are woken by
 * the protocol of park.c. Built with WEFT_CHAOS. */
#include <pthread.h>

#include "sched/park.h"
#include "tests/test.h"

enum { WORKERS = 3, POSTS = 20000 };

static struct park park;
static _Atomic int work, taken;
static unsigned numbers[WORKERS];

static bool visible(void *unused) { return load_seq_cst(&work) > 0; }

static bool take(void)
{
    int n = load_relaxed(&work);
    while (n > 0)
        if (cas_seq_cst(&work, &n, n - 1))
            return true;
    return false;
}

static void *worker(void *number)
{
    unsigned self = *(unsigned *)number;
    bool searching = wf_park_start_search(&park);

    while (!wf_park_closed(&park)) {
        bool found = searching && take();
        if (!found) {
            wf_park_sleep(&park, self, searching);
            searching = true;
            continue;
        }
        wf_park_end_search(&park);
        do
            add_relaxed(&taken, 1);
        while (take());
        searching = wf_park_start_search(&park);
    }
    return NULL;
}

/* Posts 1 to 3 at a time, so that the last searcher has someone to wake. */
static void post(int n)
{
    for (int i = 0; i < n; i++) {
        add_seq_cst(&work, 1); /* published before the state is read: [W] */
        wf_park_notify(&park, (unsigned)i);
    }
}

Test(park, no_wake_up_is_lost, .timeout = 100)
{
    pthread_t th[WORKERS];
    int posted = 0;

    cr_assert_eq(wf_park_init(&park, WORKERS, visible, NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        numbers[i] = i;
        pthread_create(&th[i], NULL, worker, &numbers[i]);
    }
    for (int i = 0; i < POSTS; i++) {
        post(i % 3 + 1);
        posted += i % 3 + 1;
        while (load_relaxed(&taken) < posted)
            sched_yield();
    }
    wf_park_close(&park);
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(th[i], NULL);
    cr_assert_eq(taken, posted);
    cr_assert(park.most_searchers <= 1);
    wf_park_finish(&park);
}

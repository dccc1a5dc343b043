/* test_park.c: sched/park.c alone, in one thread but for those who sleep. */
#include <pthread.h>
#include <unistd.h>

#include "sched/park.h"
#include "tests/test.h"

static bool nothing(void *unused) { return false; }
static bool something(void *unused) { return true; }

Test(park, at_most_half_of_the_workers_search)
{
    struct park p;
    for (unsigned workers = 1; workers <= 9; workers++) {
        unsigned searching = 0;
        cr_assert_eq(wf_park_init(&p, workers, nothing, NULL), 0);
        while (searching < workers && wf_park_start_search(&p))
            searching++;
        cr_assert_eq(searching, workers < 2 ? 1 : workers / 2);
        wf_park_end_search(&p);
        cr_assert(wf_park_start_search(&p));
        wf_park_finish(&p);
    }
}

static void *sleep_there(void *park)
{
    wf_park_sleep(park, 70, false);
    return NULL;
}

static unsigned sleepers(struct park *p)
{
    return (unsigned)(load_relaxed(&p->state) >> 32);
}

Test(park, nobody_is_woken_while_somebody_searches, .timeout = 10)
{
    struct park p;
    pthread_t th;
    cr_assert_eq(wf_park_init(&p, 100, nothing, NULL), 0);
    cr_assert(wf_park_start_search(&p));
    pthread_create(&th, NULL, sleep_there, &p);
    while (!sleepers(&p))
        usleep(100);
    wf_park_notify(&p, 3);
    cr_assert_eq(p.wakes, 0);
    cr_assert_eq(sleepers(&p), 1);

    wf_park_end_search(&p);
    wf_park_notify(&p, 99); /* it sleeps before 99, in another word than 3 */
    pthread_join(th, NULL);
    cr_assert_eq(p.wakes, 1);
    cr_assert_eq(p.state, 1); /* who was woken is the searcher */
    wf_park_finish(&p);
}

Test(park, the_last_searcher_wakes_another_if_it_sees_work, .timeout = 10)
{
    struct park p;
    pthread_t th;
    cr_assert_eq(wf_park_init(&p, 100, something, NULL), 0);
    cr_assert(wf_park_start_search(&p));
    cr_assert(wf_park_start_search(&p));
    pthread_create(&th, NULL, sleep_there, &p);
    while (!sleepers(&p))
        usleep(100);
    wf_park_end_search(&p);
    cr_assert_eq(p.wakes, 0);
    wf_park_end_search(&p);
    pthread_join(th, NULL);
    cr_assert_eq(p.wakes, 1);
    wf_park_finish(&p);
}

Test(park, who_sees_work_when_it_goes_to_sleep_does_not_sleep, .timeout = 10)
{
    struct park p;
    cr_assert_eq(wf_park_init(&p, 2, something, NULL), 0);
    cr_assert(wf_park_start_search(&p));
    wf_park_sleep(&p, 1, true); /* returns */
    cr_assert_eq(p.state, 1);
    wf_park_finish(&p);
}

Test(park, closing_wakes_everyone_for_good, .timeout = 10)
{
    struct park p;
    pthread_t th;
    cr_assert_eq(wf_park_init(&p, 100, nothing, NULL), 0);
    pthread_create(&th, NULL, sleep_there, &p);
    wf_park_close(&p);
    pthread_join(th, NULL);
    wf_park_sleep(&p, 5, false);
    cr_assert(wf_park_closed(&p));
    wf_park_finish(&p);
}

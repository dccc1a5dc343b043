/* seeds.c: a test that finds a race, and shows it again.
 *
 * Bookings go through two stages: `check` sees whether the flight has a seat
 * left, `book` takes it. Both lock what they touch, so no two threads ever meet
 * there, and ThreadSanitizer has nothing to say; but between the two stages
 * another booking may take the last seat. Few orders show that. So the test is
 * run with one seed after the other, each of which is another order; and the
 * one that fails does so again, step by step the same, as often as you like. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <weft/weft.h>

enum { FLIGHTS = 12, SEATS = 3, BOOKINGS = 40, SEEDS = 1000 };

struct booking {
    unsigned number, flight;
};

struct office {
    pthread_mutex_t lock; /* of what follows */
    unsigned sold[FLIGHTS], next;
    char steps[BOOKINGS * 16]; /* "c12 b12 ": booking 12 is checked, booked */
};

static void note(struct office *o, char step, unsigned booking)
{
    size_t length = strlen(o->steps);
    snprintf(o->steps + length, sizeof o->steps - length, "%c%u ", step,
             booking);
}

static int come(weft_worker *self, void *item, void *ctx)
{
    struct office *o = ctx;
    struct booking *b = item;

    if (o->next == BOOKINGS)
        return WEFT_END;
    *b = (struct booking){ .number = o->next, .flight = o->next * 7 % FLIGHTS };
    o->next++;
    return 0;
}

static int check(weft_worker *self, void *item, void *ctx)
{
    struct office *o = ctx;
    struct booking *b = item;

    pthread_mutex_lock(&o->lock);
    bool has_seat = o->sold[b->flight] < SEATS;
    note(o, 'c', b->number);
    pthread_mutex_unlock(&o->lock);
    return has_seat ? 0 : WEFT_FILTER;
}

static int book(weft_worker *self, void *item, void *ctx)
{
    struct office *o = ctx;
    struct booking *b = item;

    pthread_mutex_lock(&o->lock);
    o->sold[b->flight]++;
    note(o, 'b', b->number);
    pthread_mutex_unlock(&o->lock);
    return 0;
}

/* The test: a flight that is overbooked, or FLIGHTS. A negative errno. */
static int run(struct office *o, uint64_t seed, weft_error *why)
{
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct booking), .slots = 8 }));

    *o = (struct office){ .lock = PTHREAD_MUTEX_INITIALIZER };
    weft_source(p, "come", come, o);
    weft_stage(p, weft_config(stage, .name = "check", .fn = check, .ctx = o));
    weft_stage(p, weft_config(stage, .name = "book", .fn = book, .ctx = o));
    int rc = weft_pipeline_compile(&plan, p, why);
    if (!rc)
        rc = weft_sched_create(&sched, weft_config(sched, .seed = seed), why);
    if (!rc)
        rc = weft_run(sched, plan, why);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);

    int flight = 0;
    while (flight < FLIGHTS && o->sold[flight] <= SEATS)
        flight++;
    return rc ? rc : flight;
}

int main(void)
{
    static struct office o, again;
    uint64_t seed = 0;
    weft_error why;
    int flight;

    do
        flight = run(&o, ++seed, &why);
    while (flight == FLIGHTS && seed < SEEDS);
    if (flight >= 0 && flight < FLIGHTS) {
        printf("seed %" PRIu64 ": flight %d has %d seats, %u were sold\n", seed,
               flight, SEATS, o.sold[flight]);
        flight = run(&again, seed, &why);
        printf("again with seed %" PRIu64 ": %s\n", seed,
               strcmp(o.steps, again.steps) ? "another order"
                                            : "the same order");
        printf("%s\n", again.steps);
    } else if (flight == FLIGHTS) {
        printf("%d seeds, and no flight was overbooked\n", SEEDS);
    }
    if (flight < 0)
        fprintf(stderr, "seeds: %s\n", why.text);
    return flight < 0 || fflush(stdout);
}

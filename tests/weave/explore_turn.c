/* explore_turn.c: numbered tasks take their turn, whoever comes first. */
#include "graph/turn.h"
#include "tests/weave/weave.h"

enum { WINDOW = 2, MOST = 4 };

static struct turn turn;
static struct task tasks[MOST];
static unsigned passed; /* plain: of who has the turn */
static _Atomic unsigned done;

static void set_up(void) { weave_assert(!wf_turn_init(&turn, WINDOW)); }

/* With the turn of this number; then of all that waited behind it. */
static void go_on(uint64_t number)
{
    for (struct task *next = &tasks[number]; next; number++) {
        weave_assert(next == &tasks[number]);
        weave_assert(passed++ == number);
        add_relaxed(&done, 1);
        next = wf_turn_pass(&turn, number);
    }
}

static void arrive(uint64_t number)
{
    if (wf_turn_arrive(&turn, number, &tasks[number]))
        go_on(number);
}

static void arrive_first(void) { arrive(0); }
static void arrive_second(void) { arrive(1); }

/* Their places in the ring are those of 0 and 1. */
static void arrive_third(void)
{
    while (load_acquire(&done) < 1)
        weave_yield();
    arrive(2);
}

static void arrive_fourth(void)
{
    while (load_acquire(&done) < 2)
        weave_yield();
    arrive(3);
}

static void two_have_passed(void)
{
    weave_assert(passed == 2);
    wf_turn_finish(&turn);
}

static void all_have_passed(void)
{
    weave_assert(passed == MOST);
    wf_turn_finish(&turn);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "each_of_two_passes_once_in_order",
          .setup = set_up,
          .threads = { arrive_first, arrive_second },
          .check = two_have_passed,
          .interruptions = 6,
          .stale = 3,
          .most = 1000000 },
        { .name = "a_place_in_the_ring_is_used_again",
          .setup = set_up,
          .threads = { arrive_first, arrive_second, arrive_third,
                       arrive_fourth },
          .check = all_have_passed,
          .interruptions = 2,
          .stale = 1,
          .most = 1000000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}

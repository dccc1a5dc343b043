/* explore_loose.c: the memory of tasks without a handle, [B] in graph/loose.c,
 * and what workers count, [O] in graph/counts.c. */
#include "graph/counts.h"
#include "graph/loose.h"
#include "tests/weave/weave.h"

enum { WORKERS = 2, STAGES = 1 };

static weft_future *given; /* out, and for another thread to give back */
static struct counts counts;
static _Atomic bool is_given, has_come;

static void give_back(weft_future *f)
{
    f->result++;
    wf_loose_kind.give_back(f);
}

/* As it ends what it may still give out is given back. */
static void make_two(void)
{
    weft_future *own = wf_loose_alloc();

    given = wf_loose_alloc();
    weave_assert(own && given);
    own->result = given->result = 0;
    store_release(&is_given, true);
    give_back(own);
}

static void wait_until(_Atomic bool *that)
{
    while (!load_acquire(that))
        weave_yield();
}

static void end_another(void)
{
    wait_until(&is_given);
    give_back(given);
}

static void begin_to_count(void)
{
    weave_assert(!wf_counts_init(&counts, WORKERS, STAGES));
}

/* An item that enters a stage, begins, and leaves it on another worker. */
static void enter(void)
{
    struct stage_counts *mine = wf_counts_of(&counts, 0, 0);

    count(&mine->in, 1);
    count_past(&mine->started, 1);
    store_release(&has_come, true);
}

static void leave(void)
{
    wait_until(&has_come);
    count_past(&wf_counts_of(&counts, 1, 0)->done, 1);
}

static void add_up(void)
{
    struct weft_stage_stats stats = { 0 };
    uint64_t started = wf_counts_add_up(&counts, 0, 1, &stats);

    weave_assert(stats.done <= started && started <= stats.in);
}

static void free_counts(void) { wf_counts_finish(&counts); }

static const struct weave_test tests[] = {
    { .name = "a_block_is_freed_when_the_last_of_its_tasks_has_ended",
      .threads = { make_two, end_another },
      .interruptions = 4,
      .stale = 1,
      .most = 20000 },
    { .name = "no_item_is_seen_to_leave_before_it_has_come",
      .setup = begin_to_count,
      .threads = { enter, leave, add_up },
      .check = free_counts,
      .interruptions = 4,
      .stale = 3,
      .most = 20000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }

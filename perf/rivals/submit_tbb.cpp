// submit_tbb.cpp: tasks that are enqueued into an arena, or run by a task_group
// of the thread that waits; items through a concurrent_bounded_queue.
#include <atomic>
#include <optional>
#include <tbb/concurrent_queue.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>

#include "perf/rows/submit.h"

static std::optional<tbb::global_control> control;
static std::optional<tbb::task_arena> arena;

// The thread that submits is one of the threads of TBB, but takes no part.
static void open_arena(const row *row)
{
    control.emplace(tbb::global_control::max_allowed_parallelism,
                    row->workers + 1);
    arena.emplace(static_cast<int>(row->workers), 0);
}

static void close_arena()
{
    arena.reset();
    control.reset();
}

static void enqueue(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        arena->enqueue([] { count_one(); });
}

static void call()
{
    std::atomic<bool> done = false;

    arena->enqueue([&] {
        count_one();
        done.store(true);
        done.notify_one();
    });
    done.wait(false);
}

static void items(const row *, double *took, size_t count, uint64_t us)
{
    tbb::concurrent_bounded_queue<uint64_t> queue;
    std::atomic<bool> done = false;
    uint64_t stamp = 0;

    queue.set_capacity(64);
    arena->enqueue([&] {
        for (size_t i = 0; i < count; i++)
            queue.push(submit_stamp(us));
        done = true;
    });
    for (size_t i = 0; i < count; i++) {
        queue.pop(stamp);
        took[i] = submit_since(stamp);
    }
    while (!done)
        row_sleep_us(20);
}

// The thread that submits takes part when it waits.
static void open_group(const row *row)
{
    control.emplace(tbb::global_control::max_allowed_parallelism, row->workers);
}

static void close_group() { control.reset(); }

static void group_tasks(uint64_t count)
{
    tbb::task_group group;

    for (uint64_t i = 0; i < count; i++)
        group.run([] { count_one(); });
    group.wait();
}

static void measure(const row *row, const row_case *c)
{
    submit enqueued = { open_arena, enqueue, call, items, close_arena, nullptr, 1 };
    submit grouped = { open_group, group_tasks, nullptr,
                       nullptr,    close_group, "tbb task_group", 1 };

    submit_measure(row, c, &enqueued);
    if (c->which == FROM_ONE || c->which == FROM_FOUR)
        submit_measure(row, c, &grouped);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = SUBMIT_CASES(measure);
    row row = row_begin(argc, argv, "submit", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}

// pipeline_tbb.cpp: parallel_pipeline, with parallel and serial_in_order
// filters. A stage gets a pointer to an item; all of them are there before.
#include <atomic>
#include <optional>
#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <vector>

#include "perf/rows/pipe.h"

using item = pipe_item *;
using tbb::filter_mode;

static std::optional<tbb::global_control> control;
static std::vector<pipe_item> items;

static void open_threads(const row *row)
{
    items.resize(pipe_items(row));
    control.emplace(tbb::global_control::max_allowed_parallelism, row->workers);
}

static void close_threads() { control.reset(); }

static filter_mode mode(const pipe_job *job, unsigned i)
{
    return pipe_is_ordered(job, i) ? filter_mode::serial_in_order
                                   : filter_mode::parallel;
}

static void pass(pipe_job *job, unsigned i, item it)
{
    if (pipe_is_ordered(job, i))
        pipe_ordered(&job->stage[i], it);
    else
        pipe_any(&job->stage[i], it);
}

static uint64_t run(pipe_job *job)
{
    uint64_t ended = 0;

    tbb::filter<void, item> all = tbb::make_filter<void, item>(
        filter_mode::serial_in_order, [&](tbb::flow_control &control) -> item {
            if (job->fed == job->items) {
                control.stop();
                return nullptr;
            }
            item next = &items[job->fed];
            pipe_source(job, next);
            return next;
        });
    for (unsigned i = 0; i + 1 < job->stages; i++)
        all = all & tbb::make_filter<item, item>(mode(job, i), [=](item it) {
                  pass(job, i, it);
                  return it;
              });
    tbb::parallel_pipeline(
        job->tokens,
        all & tbb::make_filter<item, void>(
                  mode(job, job->stages - 1),
                  [=](item it) { pass(job, job->stages - 1, it); }));
    for (uint64_t i = 0; i < job->items; i++)
        ended += items[i].seen == job->stages;
    return ended;
}

static void measure(const row *row, const row_case *c)
{
    pipe_contestant tbb = { open_threads, run, close_threads, nullptr };
    pipe_measure(row, c, &tbb);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = PIPE_CASES(measure);
    row row = row_begin(argc, argv, "pipeline", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}

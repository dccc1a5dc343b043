/* load.c: which part of a pipeline sets its speed.
 *
 * When the workers have been busy all the time, more tokens would help nobody:
 * the limit is the workers, whatever waits. Else a stage whose tokens are all
 * in use while items wait for them is the limit; of several, the one with the
 * most waiting. Items that wait in an ordered stage for their turn do not
 * count: its tokens are then free. */
#include "cli/load.h"

#include <stdbool.h>

static const double nearly_all = 0.9, something = 0.25;

static bool is_short_of_tokens(const struct load *l)
{
    return l->tokens > 0 && l->in_use >= nearly_all * l->tokens &&
           l->waiting >= something;
}

struct limit load_limit(const struct load *loads, size_t n, unsigned workers)
{
    struct limit limit = { LIMIT_UNKNOWN, 0 };
    double running = 0;
    size_t busiest = 0;

    for (size_t i = 0; i < n; i++) {
        running += loads[i].running;
        if (loads[i].running > loads[busiest].running)
            busiest = i;
    }
    if (running >= nearly_all * workers)
        return (struct limit){ LIMIT_WORKERS, busiest };

    for (size_t i = 0; i < n; i++) {
        if (!is_short_of_tokens(&loads[i]))
            continue;
        if (limit.kind == LIMIT_UNKNOWN ||
            loads[i].waiting > loads[limit.stage].waiting)
            limit = (struct limit){ LIMIT_TOKENS, i };
    }
    return limit;
}

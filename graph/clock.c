/* clock.c: what a tick of the statistics is in nanoseconds.
 *
 * Ticks and nanoseconds of the run so far give the one in terms of the other:
 * nothing is calibrated beforehand. Who reads the two clocks may lose the
 * processor between them, which would make all times wrong by as much; so they
 * are read several times, and the pair that was closest together counts.
 *
 * Once the run is old enough the answer is kept: a time that stands still must
 * not seem to go back because the length of a tick was found a little different
 * the next time. */
#include <string.h>

#include "graph/pipeline.h"

enum { TRIES = 3 };

#define OLD_ENOUGH ((uint64_t)10000000) /* ns: exact to 1 in 100 000 */

void wf_read_clocks(uint64_t *ticks, uint64_t *ns)
{
    uint64_t closest = UINT64_MAX;

    *ticks = *ns = 0;
    for (int i = 0; i < TRIES; i++) {
        uint64_t before = wf_ticks(), now = wf_now_ns(), after = wf_ticks();
        if (since(before, after) >= closest)
            continue;
        closest = since(before, after);
        *ticks = before + closest / 2;
        *ns = now;
    }
}

double wf_pipeline_ns_per_tick(struct pipeline_run *run)
{
    uint64_t ticks, ns, bits = load_relaxed(&run->ns_per_tick);
    double length;

    if (bits) {
        memcpy(&length, &bits, sizeof length);
        return length;
    }
    wf_read_clocks(&ticks, &ns);
    uint64_t age = since(run->start_ns, ns);
    ticks = since(run->start_ticks, ticks);
    length = ticks ? (double)age / (double)ticks : 0;
    if (age < OLD_ENOUGH)
        return length;
    memcpy(&bits, &length, sizeof bits);
    uint64_t kept = 0;
    if (!cas_relaxed(&run->ns_per_tick, &kept, bits))
        memcpy(&length, &kept, sizeof length); /* another was first */
    return length;
}

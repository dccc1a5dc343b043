/* tally.h: the failures that one policy answers for: of a stage, of a run, or,
 * where it is a rate, of the run's items in one segment. */
#ifndef WEFT_GRAPH_TALLY_H
#define WEFT_GRAPH_TALLY_H
#include <stdbool.h>

#include "sched/atomic.h"
#include "weft/base.h"

struct tally {
    _Atomic uint64_t failures;
    _Atomic bool sampled; /* a rate: the sample was complete once */
    int error;            /* the last one before that: under the run's lock */
    weft_error last;
};
#endif

/* pause.h: what a thread has to do before it sleeps in a callback. Inside
 * graph/ only.
 *
 * It lends its worker then, for as long as it may be, and so must not keep what
 * others of the run need. */
#ifndef WEFT_GRAPH_PAUSE_H
#define WEFT_GRAPH_PAUSE_H
#include "weft/base.h"

struct pause {
    void (*run)(weft_worker *self, struct pause *me);
};

/* In future.c; or NULL. */
extern _Thread_local struct pause *wf_pause_here;

static inline void wf_pause(weft_worker *self)
{
    if (wf_pause_here)
        wf_pause_here->run(self, wf_pause_here);
}
#endif

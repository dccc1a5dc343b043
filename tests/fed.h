/* fed.h: pipelines that are fed from outside. */
#ifndef WEFT_TESTS_FED_H
#define WEFT_TESTS_FED_H
#include "tests/ends.h"

struct fed {
    uint64_t value;
    unsigned feeder;
};

/* A pipeline that is fed with struct fed. */
static inline weft_pipeline *fed_by_hand(unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct fed), .slots = slots }));
    weft_source_fed(p, "hand");
    return p;
}

/* Reserves, fills and feeds: what weft_reserve returned. */
static inline int feed(struct weft_run *run, uint64_t value, int timeout_ms)
{
    void *item;
    int rc = weft_reserve(run, NULL, &item, timeout_ms, NULL);
    if (rc)
        return rc;
    ((struct fed *)item)->value = value;
    weft_feed(item);
    return 0;
}

static inline int nothing_to(weft_worker *self, void *item, void *ctx)
{
    return 0;
}
#endif

/* item.c: what a callback may ask of its item, and say of it. */
#include <stdarg.h>
#include <stdio.h>

#include "graph/pipeline.h"
#include "graph/subplan.h"

uint64_t weft_item_number(const void *item)
{
    return slot_of_item(item)->number;
}

uint64_t weft_item_epoch(const void *item) { return slot_of_item(item)->epoch; }

uint64_t weft_item_origin(const void *item)
{
    return slot_of_item(item)->origin;
}

unsigned weft_item_attempt(const void *item)
{
    return slot_of_item(item)->attempt;
}

void *weft_run_context(const void *item)
{
    return wf_run_context(&slot_of_item(item)->run->run);
}

int weft_fail(void *item, int error, const char *format, ...)
{
    struct slot *slot = slot_of_item(item);
    va_list args;

    va_start(args, format);
    vsnprintf(slot->why, sizeof slot->why, format, args);
    va_end(args);
    slot->told = true;
    return error;
}

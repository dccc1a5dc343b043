/* codecs.h: a codec for each worker, made when it is first needed. */
#ifndef WEFT_CLI_IMAGE_CODECS_H
#define WEFT_CLI_IMAGE_CODECS_H
#include "cli/image/codec.h"
#include "weft/sched.h"

struct codecs {
    unsigned workers;
    struct codec **at;
};

/* 0 or -ENOMEM. */
int codecs_init(struct codecs *codecs, unsigned workers);
void codecs_finish(struct codecs *codecs);

/* [worker] This worker's; it made it, so the memory is near. NULL: no memory.
 */
struct codec *codecs_here(struct codecs *codecs, const weft_worker *self);
#endif

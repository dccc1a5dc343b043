/* codecs.c: a codec for each worker, made when it is first needed. */
#include "cli/image/codecs.h"

#include <errno.h>
#include <stdlib.h>

int codecs_init(struct codecs *codecs, unsigned workers)
{
    codecs->at = calloc(workers, sizeof(struct codec *));
    if (!codecs->at)
        return -ENOMEM;
    codecs->workers = workers;
    return 0;
}

void codecs_finish(struct codecs *codecs)
{
    for (unsigned i = 0; i < codecs->workers; i++)
        codec_destroy(codecs->at[i]);
    free(codecs->at);
}

struct codec *codecs_here(struct codecs *codecs, const weft_worker *self)
{
    struct codec **codec = &codecs->at[weft_worker_index(self)];
    if (!*codec)
        *codec = codec_create();
    return *codec;
}

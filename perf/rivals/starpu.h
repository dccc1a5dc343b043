/* starpu.h: as many CPU workers of StarPU as a row has, and tasks for them. */
#ifndef WEFT_PERF_RIVALS_STARPU_H
#define WEFT_PERF_RIVALS_STARPU_H
#include <starpu.h>

#include "perf/rows/row.h"

static inline void starpu_open(const struct row *row)
{
    struct starpu_conf conf;

    setenv("STARPU_SILENT", "1", 1);
    must(starpu_conf_init(&conf), "no configuration of StarPU");
    conf.ncpus = (int)row->workers;
    conf.ncuda = conf.nopencl = 0;
    must(starpu_init(&conf), "StarPU does not start");
}

/* Of a codelet without data. It is kept until it is destroyed. */
static inline struct starpu_task *starpu_make(struct starpu_codelet *codelet,
                                              void *ctx)
{
    struct starpu_task *task = starpu_task_create();

    row_check(task != NULL, "no memory");
    task->cl = codelet;
    task->cl_arg = ctx;
    task->destroy = 0;
    return task;
}
#endif

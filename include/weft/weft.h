/* weft.h: describe work as a graph or a pipeline; weft runs it on every core.
 */
#ifndef WEFT_H
#define WEFT_H
#include "weft/base.h"
#include "weft/future.h"
#include "weft/graph.h"
#include "weft/insight.h"
#include "weft/io.h"
#include "weft/limit.h"
#include "weft/pipeline.h"
#include "weft/run.h"
#include "weft/sched.h"
#include "weft/task.h"
#endif

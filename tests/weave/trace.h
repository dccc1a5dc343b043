/* trace.h: what happened in an execution, with the line of source of each. */
#ifndef WEFT_TESTS_WEAVE_TRACE_H
#define WEFT_TESTS_WEAVE_TRACE_H
#include <stdbool.h>
#include <stdio.h>

extern bool trace_on;

void trace(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define trace(...) (trace_on ? trace(__VA_ARGS__) : (void)0)

/* Where in the source the operation is that this thread does next. */
void trace_at(const void *caller);

void trace_begin(void);
void trace_print(FILE *out);
#endif

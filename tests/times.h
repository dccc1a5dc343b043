/* times.h: how often a test repeats what it does: TIMES(often, seldom). Seldom
 * where every atomic operation is slow: under ThreadSanitizer and in the chaos
 * build. In the suite `long` a test does all that is_long() lets it do. */
#ifndef WEFT_TESTS_TIMES_H
#define WEFT_TESTS_TIMES_H
#include <stdbool.h>
#include <stdlib.h>

static inline bool is_long(void) { return getenv("WEFT_LONG"); }

#if defined __SANITIZE_THREAD__ || defined WEFT_CHAOS
#define TIMES(often, seldom) (seldom)
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define TIMES(often, seldom) (seldom)
#endif
#endif
#ifndef TIMES
#define TIMES(often, seldom) (often)
#endif
#endif

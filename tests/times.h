/* times.h: how often a test repeats what it does: TIMES(often, seldom). Seldom
 * where every atomic operation is slow, under ThreadSanitizer and in the chaos
 * build; and in clang's build, which is there for what that compiler makes of
 * the code, not for one more round. In the suite `long` a test does all that
 * is_long() lets it do. */
#ifndef WEFT_TESTS_TIMES_H
#define WEFT_TESTS_TIMES_H
#include <stdbool.h>
#include <stdlib.h>

static inline bool is_long(void) { return getenv("WEFT_LONG"); }

#if defined __SANITIZE_THREAD__ || defined WEFT_CHAOS || defined __clang__
#define TIMES(often, seldom) (seldom)
#else
#define TIMES(often, seldom) (often)
#endif
#endif

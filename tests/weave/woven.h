/* woven.h: included before the code under test, whose memory is weave's. What
 * copies memory is not instrumented, so it is named here as well. */
#ifndef WEFT_TESTS_WEAVE_WOVEN_H
#define WEFT_TESTS_WEAVE_WOVEN_H
#define malloc         weave_malloc
#define calloc         weave_calloc
#define realloc        weave_realloc
#define aligned_alloc  weave_aligned_alloc
#define posix_memalign weave_posix_memalign
#define free           weave_free
#define memcpy         weave_memcpy
#define memmove        weave_memmove
#define memset         weave_memset
#define strdup         weave_strdup
#define strndup        weave_strndup
#endif

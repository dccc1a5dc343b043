/* wrapped.c: weft itself, linked so that one of its own allocations fails, or
 * that one and all that follow: those of the libraries that it uses do not. So
 * the sanitizer sees, whose allocator nothing may come before, what is lost.
 * How it is told which: nomem.h. */
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/faults/nomem.h"

#define WRAPPED(type, name, failed, given, ...)                                \
    type __real_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__);                                           \
    type __wrap_##name(__VA_ARGS__)                                            \
    {                                                                          \
        return fails() ? (failed) : __real_##name given;                       \
    }

WRAPPED(void *, malloc, NULL, (n), size_t n)
WRAPPED(void *, calloc, NULL, (n, size), size_t n, size_t size)
WRAPPED(void *, realloc, NULL, (old, n), void *old, size_t n)
WRAPPED(void *, aligned_alloc, NULL, (to, n), size_t to, size_t n)
WRAPPED(int, posix_memalign, ENOMEM, (out, to, n), void **out, size_t to,
        size_t n)
WRAPPED(char *, strdup, NULL, (text), const char *text)
WRAPPED(void *, mmap, MAP_FAILED, (where, n, may, how, fd, from), void *where,
        size_t n, int may, int how, int fd, off_t from)

int __wrap_asprintf(char **out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    if (fails())
        return -1;
    va_start(args, format);
    int rc = vasprintf(out, format, args);
    va_end(args);
    return rc;
}

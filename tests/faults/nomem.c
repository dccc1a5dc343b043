/* nomem.c: a library for LD_PRELOAD that fails one allocation of a program, or
 * that one and all that follow. How it is told which: nomem.h.
 *
 * What libraries allocate counts too, down to stdio's buffers. Excepted is what
 * hwloc 2.9 allocates to load the topology, and libfyaml 0.7.12 as it gets a
 * text: on some of those they crash. Nor does the C library's own mmap for a
 * thread's stack come here. */
#include <dlfcn.h>
#include <hwloc.h>
#include <libfyaml.h>
#include <sys/mman.h>

#include "tests/faults/nomem.h"

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) { return fails() ? NULL : __libc_malloc(bytes); }

void *calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : __libc_calloc(n, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **out, size_t alignment, size_t bytes)
{
    void *memory = fails() ? NULL : __libc_memalign(alignment, bytes);
    if (!memory)
        return ENOMEM;
    *out = memory;
    return 0;
}

void *mmap(void *where, size_t bytes, int protection, int flags, int fd,
           off_t offset)
{
    if (fails())
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, where, bytes, protection, flags, fd,
                           offset);
}

/* Where libraries crash by themselves. */
#define EXCEPTED(type, name, ...)                                              \
    __typeof__(name) *real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name);      \
    excepted = true;                                                           \
    type result = real(__VA_ARGS__);                                           \
    excepted = false;                                                          \
    return result

int hwloc_topology_init(hwloc_topology_t *topology)
{
    EXCEPTED(int, hwloc_topology_init, topology);
}

int hwloc_topology_load(hwloc_topology_t topology)
{
    EXCEPTED(int, hwloc_topology_load, topology);
}

int fy_parser_set_string(struct fy_parser *parser, const char *text,
                         size_t bytes)
{
    EXCEPTED(int, fy_parser_set_string, parser, text, bytes);
}

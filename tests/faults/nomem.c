/* nomem.c: a library for LD_PRELOAD that fails one allocation of a program, or
 * that one and all that follow.
 *
 *     FAULT_AT=N    the N-th fails, counted from 1 over all threads
 *     FAULT_ON=1    and so do all after it
 *     FAULT_TOLD=FILE  gets a line at the end: how many there were
 *
 * What libraries allocate counts too, down to stdio's buffers. Excepted is what
 * hwloc 2.9 allocates to load the topology, and libfyaml 0.7.12 as it gets a
 * text: on some of those they crash. Nor does the C library's own mmap for a
 * thread's stack come here. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <libfyaml.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t n, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

static atomic_long count;
static long at; /* 0: none fails */
static bool on, counts;
static _Thread_local bool excepted __attribute__((tls_model("initial-exec")));

static bool fails(void)
{
    if (!counts || excepted)
        return false;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (!at || n < at || (n > at && !on))
        return false;
    errno = ENOMEM;
    return true;
}

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

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAULT_AT");
    at = text ? atol(text) : 0;
    on = getenv("FAULT_ON");
    counts = true;
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_TOLD");
    char line[32];
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666) : -1;
    if (fd < 0)
        return;
    int length = snprintf(line, sizeof line, "%ld\n", (long)count);
    if (write(fd, line, (size_t)length) != length)
        _exit(125);
    close(fd);
}

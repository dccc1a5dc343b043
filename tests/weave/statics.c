/* statics.c: an execution finds what is static as the program began with: what
 * the code under test writes is written down before, and undone. What is
 * thread-local each thread has for itself: it is exchanged when the turn
 * passes. */
#include <link.h>
#include <string.h>

#include "tests/weave/inner.h"

enum { WORD = 8, WRITES = 1 << 16, LOCAL = 4096 };

extern char __data_start[], _end[]; /* of the program, by the linker */

static struct {
    char *at;
    unsigned size;
    char before[WORD];
} writes[WRITES];
static unsigned count;

static struct {
    char *at;
    size_t size;
    char fresh[LOCAL], of[THREADS][LOCAL];
} local;

static int find_local(struct dl_phdr_info *info, size_t size, void *unused)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            local.at = info->dlpi_tls_data;
            local.size = info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program; the others are libraries */
}

void statics_begin(void)
{
    if (!local.at) {
        dl_iterate_phdr(find_local, NULL);
        if (local.size > LOCAL)
            weave_fail("too much is thread-local");
        memcpy(local.fresh, local.at, local.size);
    }
    memcpy(local.at, local.fresh, local.size);
    for (unsigned i = 0; i < THREADS; i++)
        memcpy(local.of[i], local.fresh, local.size);
}

void statics_swap(unsigned from, unsigned to)
{
    memcpy(local.of[from], local.at, local.size);
    memcpy(local.at, local.of[to], local.size);
}

bool statics_is_local(const void *at)
{
    return (const char *)at >= local.at &&
           (const char *)at < local.at + local.size;
}

void statics_will_write(const void *at, size_t size)
{
    char *begin = (char *)(uintptr_t)at, *end = begin + size;

    if (begin < __data_start || begin >= _end)
        return;
    for (; begin < end; begin += WORD) {
        if (count == WRITES)
            weave_fail("too much that is static is written");
        unsigned n = end - begin < WORD ? (unsigned)(end - begin) : WORD;
        writes[count].at = begin;
        writes[count].size = n;
        memcpy(writes[count++].before, begin, n);
    }
}

void statics_restore(void)
{
    while (count) {
        count--;
        memcpy(writes[count].at, writes[count].before, writes[count].size);
    }
}

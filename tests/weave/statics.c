/* statics.c: an execution finds what is static as the program began with: what
 * the code under test writes is written down before, and undone. What is
 * thread-local each thread has for itself: it is exchanged when the turn
 * passes. */
#include <link.h>
#include <string.h>

#include "tests/weave/inner.h"

enum { WORD = 8, WRITES = 1 << 16, LOCAL = 4096 };

static struct {
    char *at;
    unsigned size;
    char before[WORD];
} writes[WRITES];
static unsigned count;

struct statics_local statics_local;
static char fresh[LOCAL], of[THREADS][LOCAL];

static int find_local(struct dl_phdr_info *info, size_t size, void *unused)
{
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            statics_local.at = info->dlpi_tls_data;
            statics_local.size = info->dlpi_phdr[i].p_memsz;
        }
    return 1; /* the first is the program; the others are libraries */
}

void statics_begin(void)
{
    if (!statics_local.at) {
        dl_iterate_phdr(find_local, NULL);
        if (statics_local.size > LOCAL)
            weave_fail("too much is thread-local");
        memcpy(fresh, statics_local.at, statics_local.size);
    }
    memcpy(statics_local.at, fresh, statics_local.size);
    for (unsigned i = 0; i < THREADS; i++)
        memcpy(of[i], fresh, statics_local.size);
}

void statics_swap(unsigned from, unsigned to)
{
    memcpy(of[from], statics_local.at, statics_local.size);
    memcpy(statics_local.at, of[to], statics_local.size);
}

void statics_write_down(const void *at, size_t size)
{
    char *begin = (char *)(uintptr_t)at, *end = begin + size;

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

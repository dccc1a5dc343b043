/* entries.h: how many entries a folder has: descriptors and threads are counted
 * in /proc/self/fd and /proc/self/task. */
#ifndef WEFT_TESTS_ENTRIES_H
#define WEFT_TESTS_ENTRIES_H
#include <dirent.h>

static inline int entries_of(const char *name)
{
    DIR *d = opendir(name);
    int n = 0;
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}
#endif

/* asleep.h: what the threads of this process are doing, as the kernel says. */
#ifndef WEFT_TESTS_ASLEEP_H
#define WEFT_TESTS_ASLEEP_H
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct status {
    char state;
    long sleeps; /* how often it has gone to sleep */
};

static inline struct status status_of(const char *thread)
{
    char path[300], line[128];
    struct status status = { 0 };
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        sscanf(line, "State: %c", &status.state);
        sscanf(line, "voluntary_ctxt_switches: %ld", &status.sleeps);
    }
    if (f)
        fclose(f);
    return status;
}

/* One of them, which is about to sleep for long. */
static inline void wait_until_asleep(long thread)
{
    char name[32];

    snprintf(name, sizeof name, "%ld", thread);
    for (int calm = 0; calm < 3; calm++) {
        usleep(200);
        if (status_of(name).state != 'S')
            calm = 0;
    }
}

/* All threads but this one. */
static inline bool others_sleep(void)
{
    bool all = true;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && atoi(e->d_name) != getpid())
            all &= status_of(e->d_name).state == 'S';
    closedir(d);
    return all;
}

/* One that has not gone to sleep yet may have been without a core for long, and
 * one that sleeps may have waited for a lock. */
static inline void wait_until_idle(void)
{
    for (int calm = 0; calm < 2; calm = others_sleep() ? calm + 1 : 0)
        usleep(20000);
}
#endif

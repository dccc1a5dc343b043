/* asleep.c: whether a process does nothing, as /proc tells. What its threads
 * have computed would tell less: on a busy machine one may not run for long,
 * and yet does not wait for anything. */
#include "sched/asleep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The letter behind the name, which is in brackets and may have some itself. */
static char state_of(const char *thread)
{
    char path[64], text[256];

    snprintf(path, sizeof path, "/proc/self/task/%s/stat", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 'X'; /* it has ended */
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *name = strrchr(text, ')');
    return name && name[1] ? name[2] : 'X';
}

bool wf_others_sleep(void)
{
    DIR *threads = opendir("/proc/self/task");
    bool sleep = true;

    if (!threads)
        return true;
    for (struct dirent *d; sleep && (d = readdir(threads));)
        if (d->d_name[0] != '.' && atoi(d->d_name) != gettid())
            sleep = !strchr("RD", state_of(d->d_name));
    closedir(threads);
    return sleep;
}

/* quota.h: how much CPU time the cgroups of this process allow it. */
#ifndef WEFT_SCHED_QUOTA_H
#define WEFT_SCHED_QUOTA_H
#include <stdbool.h>

struct quota {
    bool limited;
    unsigned long long quota_us, period_us; /* of the tightest limit */
    char file[512]; /* that says so, cut if its name is longer */
};

/* The tightest quota of the process's cgroups, of version 2 and of version 1,
 * and all their ancestors. The files are /proc/self/cgroup and
 * /proc/self/mountinfo, but for tests. What cannot be read limits nothing. */
void wf_quota_read(struct quota *out, const char *cgroup,
                   const char *mountinfo);

/* In whole cores: rounded down, at least 1. */
unsigned wf_quota_cores(const struct quota *quota);
#endif

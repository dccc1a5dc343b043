/* quota.c: how much CPU time the cgroups of this process allow it.
 *
 * A limit of any ancestor binds as well as one's own, so the way is walked from
 * the process's group up to the mount point. Rounded down: a worker more than
 * the quota is throttled together with all the others. */
#include "sched/quota.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The path of the v2 group: the line "0::PATH". */
static bool find_group(const char *file, char path[PATH_MAX])
{
    char line[PATH_MAX + 16];
    bool found = false;
    FILE *f = fopen(file, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f))
        if (!strncmp(line, "0::/", 4)) {
            size_t n = strcspn(line + 3, "\n");
            found = n < PATH_MAX;
            memcpy(path, line + 3, found ? n : 0);
            path[found ? n : 0] = '\0';
        }
    fclose(f);
    return found;
}

/* The kernel writes blanks and backslashes as \040 and the like. */
static void unescape(char *s)
{
    char *to = s;

    for (; *s; s++, to++) {
        unsigned code;
        *to = *s;
        if (*s == '\\' && sscanf(s + 1, "%3o", &code) == 1) {
            *to = (char)code;
            s += 3;
        }
    }
    *to = '\0';
}

/* Where cgroup2 is mounted, and which group is its root. */
static bool find_mount(const char *file, char root[PATH_MAX],
                       char point[PATH_MAX])
{
    char line[3 * PATH_MAX];
    bool found = false;
    FILE *f = fopen(file, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        /* id parent major:minor root point options ... - type ... */
        const char *type = strstr(line, " - ");
        found = type && !strncmp(type, " - cgroup2 ", 11) &&
                sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) == 2;
    }
    fclose(f);
    if (found) {
        unescape(root);
        unescape(point);
    }
    return found;
}

/* The part of `path` below `root`: "" or "/a/b". A group outside of the mount,
 * as a cgroup namespace shows it ("/.."), counts as the mount point itself. */
static const char *below(const char *path, const char *root)
{
    size_t n = strcmp(root, "/") ? strlen(root) : 0;

    if (strncmp(path, root, n) || (path[n] && path[n] != '/') ||
        !strncmp(path + n, "/..", 3) || !strcmp(path + n, "/"))
        return "";
    return path + n;
}

static void read_limit(struct quota *q, const char *folder)
{
    char file[sizeof q->file];
    unsigned long long quota, period;

    if (snprintf(file, sizeof file, "%s/cpu.max", folder) >= (int)sizeof file)
        return;
    FILE *f = fopen(file, "re");
    if (!f)
        return;
    bool limit = fscanf(f, "%llu %llu", &quota, &period) == 2 && period;
    fclose(f);
    if (!limit)
        return;
    if (q->limited && (double)quota / (double)period >=
                          (double)q->quota_us / (double)q->period_us)
        return;
    q->limited = true;
    q->quota_us = quota;
    q->period_us = period;
    memcpy(q->file, file, sizeof file);
}

void wf_quota_read(struct quota *out, const char *cgroup, const char *mountinfo)
{
    char path[PATH_MAX], root[PATH_MAX], folder[2 * PATH_MAX];

    *out = (struct quota){ 0 };
    if (!find_group(cgroup, path) || !find_mount(mountinfo, root, folder))
        return;
    size_t top = strlen(folder);
    snprintf(folder + top, sizeof folder - top, "%s", below(path, root));
    for (;;) {
        read_limit(out, folder);
        if (strlen(folder) <= top)
            return;
        *strrchr(folder, '/') = '\0';
    }
}

unsigned wf_quota_cores(const struct quota *q)
{
    unsigned long long cores =
        q->limited ? q->quota_us / q->period_us : UINT_MAX;
    return cores < 1 ? 1 : cores > UINT_MAX ? UINT_MAX : (unsigned)cores;
}

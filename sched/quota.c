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

/* The part of `path` below `root`: "" or "/a/b"; NULL: it is not below. A mount
 * from outside of a cgroup namespace has a root like "/../..": it is one of our
 * ancestors, but what lies between has no name that we could know. */
static const char *below(const char *path, const char *root)
{
    size_t n = strcmp(root, "/") ? strlen(root) : 0;
    const char *up = root;

    while (!strncmp(up, "/..", 3))
        up += 3;
    if (!strncmp(path, "/..", 3))
        return NULL;
    if (n && !*up)
        return "";
    if (strncmp(path, root, n) || (path[n] && path[n] != '/'))
        return NULL;
    return strcmp(path + n, "/") ? path + n : "";
}

/* Where cgroup2 is mounted so that `path` is below it: the mount point, and the
 * part of the path that is below that. */
static bool find_mount(const char *file, const char *path, char point[PATH_MAX],
                       const char **rest)
{
    char line[3 * PATH_MAX], root[PATH_MAX];
    bool found = false;
    FILE *f = fopen(file, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        /* id parent major:minor root point options ... - type ... */
        const char *type = strstr(line, " - ");
        if (!type || strncmp(type, " - cgroup2 ", 11) ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", root, point) != 2)
            continue;
        unescape(root);
        unescape(point);
        *rest = below(path, root);
        found = *rest;
    }
    fclose(f);
    return found;
}

static void read_limit(struct quota *q, const char *folder)
{
    char file[2 * PATH_MAX + 16];
    unsigned long long quota, period;

    snprintf(file, sizeof file, "%s/cpu.max", folder);
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
    snprintf(q->file, sizeof q->file, "%.*s", (int)sizeof q->file - 1, file);
}

void wf_quota_read(struct quota *out, const char *cgroup, const char *mountinfo)
{
    char path[PATH_MAX], folder[2 * PATH_MAX];
    const char *rest;

    *out = (struct quota){ 0 };
    if (!find_group(cgroup, path) ||
        !find_mount(mountinfo, path, folder, &rest))
        return;
    size_t top = strlen(folder);
    snprintf(folder + top, sizeof folder - top, "%s", rest);
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

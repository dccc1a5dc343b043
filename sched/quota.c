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

/* Version 2 has all controllers in one hierarchy, version 1 one for each, or
 * for a few: then who has "cpu" among its controllers is meant. */
struct hierarchy {
    const char *controller; /* "": version 2 */
    const char *type;       /* of its mount */
    void (*read)(struct quota *q, const char *folder);
};

static bool has_word(const char *list, const char *end, const char *word)
{
    size_t n = strlen(word);

    for (; list < end; list += strcspn(list, ",") + 1)
        if (!strncmp(list, word, n) && (list + n == end || list[n] == ','))
            return true;
    return false;
}

/* The path of our group: the line "ID:CONTROLLERS:PATH". */
static bool find_group(const struct hierarchy *h, const char *file,
                       char path[PATH_MAX])
{
    char line[PATH_MAX + 256];
    bool found = false;
    FILE *f = fopen(file, "re");

    if (!f)
        return false;
    while (!found && fgets(line, sizeof line, f)) {
        char *list = strchr(line, ':'),
             *end = list ? strchr(++list, ':') : NULL;
        if (!end || (*h->controller ? !has_word(list, end, h->controller)
                                    : strncmp(line, "0::", 3)))
            continue;
        size_t n = strcspn(end + 1, "\n");
        found = n && n < PATH_MAX;
        memcpy(path, end + 1, found ? n : 0);
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

/* " - TYPE SOURCE OPTIONS" is the hierarchy's; version 1 names its controllers
 * among the options. */
static bool is_of(const struct hierarchy *h, const char *type)
{
    char name[32], options[256];

    return sscanf(type, " - %31s %*s %255s", name, options) == 2 &&
           !strcmp(name, h->type) &&
           (!*h->controller ||
            has_word(options, options + strlen(options), h->controller));
}

/* Where it is mounted so that `path` is below it: the mount point, and the part
 * of the path that is below that. */
static bool find_mount(const struct hierarchy *h, const char *file,
                       const char *path, char point[PATH_MAX],
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
        if (!type || !is_of(h, type) ||
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

/* The numbers that the file begins with: how many there are, at most two. */
static int read_numbers(const char *folder, const char *name,
                        long long number[2])
{
    char file[2 * PATH_MAX + 32];

    snprintf(file, sizeof file, "%s/%s", folder, name);
    FILE *f = fopen(file, "re");
    int found = f ? fscanf(f, "%lld %lld", &number[0], &number[1]) : 0;
    if (f)
        fclose(f);
    return found;
}

/* It limits, if it is one, and tighter than what is known. */
static void add_limit(struct quota *q, long long quota, long long period,
                      const char *folder, const char *name)
{
    if (quota <= 0 || period <= 0 ||
        (q->limited && (double)quota / (double)period >=
                           (double)q->quota_us / (double)q->period_us))
        return;
    q->limited = true;
    q->quota_us = (unsigned long long)quota;
    q->period_us = (unsigned long long)period;
    snprintf(q->file, sizeof q->file, "%.*s/%s",
             (int)(sizeof q->file - strlen(name) - 2), folder, name);
}

/* "max PERIOD": no limit. */
static void read_max(struct quota *q, const char *folder)
{
    long long number[2];

    if (read_numbers(folder, "cpu.max", number) == 2)
        add_limit(q, number[0], number[1], folder, "cpu.max");
}

/* -1: no limit. */
static void read_cfs_quota(struct quota *q, const char *folder)
{
    long long quota[2], period[2];

    if (read_numbers(folder, "cpu.cfs_quota_us", quota) >= 1 &&
        read_numbers(folder, "cpu.cfs_period_us", period) >= 1)
        add_limit(q, quota[0], period[0], folder, "cpu.cfs_quota_us");
}

static const struct hierarchy hierarchies[] = {
    { "", "cgroup2", read_max },
    { "cpu", "cgroup", read_cfs_quota },
};

static void read_hierarchy(const struct hierarchy *h, struct quota *out,
                           const char *cgroup, const char *mountinfo)
{
    char path[PATH_MAX], folder[2 * PATH_MAX];
    const char *rest;

    if (!find_group(h, cgroup, path) ||
        !find_mount(h, mountinfo, path, folder, &rest))
        return;
    size_t top = strlen(folder);
    snprintf(folder + top, sizeof folder - top, "%s", rest);
    for (;;) {
        h->read(out, folder);
        if (strlen(folder) <= top)
            return;
        *strrchr(folder, '/') = '\0';
    }
}

void wf_quota_read(struct quota *out, const char *cgroup, const char *mountinfo)
{
    *out = (struct quota){ 0 };
    for (size_t i = 0; i < sizeof hierarchies / sizeof *hierarchies; i++)
        read_hierarchy(&hierarchies[i], out, cgroup, mountinfo);
}

unsigned wf_quota_cores(const struct quota *q)
{
    unsigned long long cores =
        q->limited ? q->quota_us / q->period_us : UINT_MAX;
    return cores < 1 ? 1 : cores > UINT_MAX ? UINT_MAX : (unsigned)cores;
}

/* test_quota.c: sched/quota.c on folders that look like /proc and a cgroup
 * tree.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/quota.h"
#include "tests/test.h"

static char base[64]; /* a folder of this test alone */

static char *path_of(const char *name)
{
    static char path[2][4096];
    static int turn;
    char *p = path[turn++ % 2];
    snprintf(p, sizeof path[0], "%s/%s", base, name);
    return p;
}

static void start(void)
{
    strcpy(base, "/tmp/weft-quota-XXXXXX");
    cr_assert(mkdtemp(base) != NULL);
}

static void finish(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", base);
    cr_assert_eq(system(command), 0);
}

static void put(const char *name, const char *format, ...)
{
    FILE *f = fopen(path_of(name), "we");
    va_list args;
    cr_assert(f != NULL);
    va_start(args, format);
    cr_assert(vfprintf(f, format, args) >= 0);
    va_end(args);
    cr_assert_eq(fclose(f), 0);
}

static void folder(const char *name)
{
    cr_assert_eq(mkdir(path_of(name), 0700), 0);
}

/* A mount of cgroup2 at base/cg whose root is `root`, after two others. */
static void mounted(const char *root)
{
    folder("cg");
    put("mountinfo",
        "22 1 0:21 / /proc rw - proc proc rw\n"
        "32 31 0:29 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu\n"
        "41 31 0:38 %s %s/cg rw,relatime shared:7 - cgroup2 cgroup2 rw\n",
        root, base);
}

static struct quota quota(void)
{
    struct quota q;
    wf_quota_read(&q, path_of("cgroup"), path_of("mountinfo"));
    return q;
}

Test(quota, no_limit_anywhere_is_none)
{
    start();
    mounted("/");
    folder("cg/a");
    put("cgroup", "9:name=systemd:/x\n0::/a\n");
    put("cg/a/cpu.max", "max 100000\n");
    struct quota q = quota();
    cr_assert(!q.limited);
    cr_assert(wf_quota_cores(&q) > 1000000);
    finish();
}

Test(quota, is_rounded_down)
{
    start();
    mounted("/");
    folder("cg/a");
    put("cgroup", "0::/a\n");
    put("cg/a/cpu.max", "299999 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    cr_assert_eq(strcmp(q.file, path_of("cg/a/cpu.max")), 0);
    finish();
}

Test(quota, of_less_than_a_core_is_one)
{
    start();
    mounted("/");
    folder("cg/a");
    put("cgroup", "0::/a\n");
    put("cg/a/cpu.max", "5000 100000\n");
    struct quota q = quota();
    cr_assert(q.limited);
    cr_assert_eq(wf_quota_cores(&q), 1);
    finish();
}

Test(quota, the_tightest_ancestor_counts)
{
    start();
    mounted("/");
    folder("cg/a"), folder("cg/a/b"), folder("cg/a/b/c");
    put("cgroup", "0::/a/b/c\n");
    put("cg/cpu.max", "900000 100000\n");
    put("cg/a/cpu.max", "30000 10000\n"); /* 3, with another period */
    put("cg/a/b/cpu.max", "max 100000\n");
    put("cg/a/b/c/cpu.max", "700000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 3);
    cr_assert_eq(strcmp(q.file, path_of("cg/a/cpu.max")), 0);
    finish();
}

Test(quota, the_mount_point_itself_counts)
{
    start(); /* as in a container with its own cgroup namespace */
    mounted("/");
    put("cgroup", "0::/\n");
    put("cg/cpu.max", "250000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    finish();
}

Test(quota, a_mount_of_a_subtree_is_followed)
{
    start();
    mounted("/docker/abc");
    folder("cg/in");
    put("cgroup", "0::/docker/abc/in\n");
    put("cg/cpu.max", "200000 100000\n");
    put("cg/in/cpu.max", "400000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    put("cg/in/cpu.max", "100000 100000\n");
    q = quota();
    cr_assert_eq(wf_quota_cores(&q), 1);
    finish();
}

Test(quota, a_mount_of_another_subtree_says_nothing_about_us)
{
    start();
    mounted("/docker/ab"); /* a prefix of the letters, not of the path */
    put("cgroup", "0::/docker/abc\n");
    put("cg/cpu.max", "100000 100000\n");
    cr_assert(!quota().limited);
    put("cgroup", "0::/../neighbour\n");
    cr_assert(!quota().limited);
    finish();
}

Test(quota, a_mount_above_the_namespace_is_an_ancestor)
{
    start();
    mounted("/../..");
    folder("cg/a");
    put("cgroup", "0::/a\n");
    put("cg/cpu.max", "300000 100000\n");
    put("cg/a/cpu.max", "100000 100000\n"); /* another a, not ours */
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 3);
    finish();
}

Test(quota, names_with_blanks_are_found)
{
    start();
    folder("c g"), folder("c g/a b");
    put("mountinfo", "41 31 0:38 / %s/c\\040g rw - cgroup2 none rw\n", base);
    put("cgroup", "0::/a b\n");
    put("c g/a b/cpu.max", "200000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    finish();
}

Test(quota, the_second_mount_is_tried_where_the_first_is_not_above_us)
{
    start();
    folder("other"), folder("cg"), folder("cg/a");
    put("mountinfo",
        "40 31 0:38 /b %s/other rw - cgroup2 cgroup2 rw\n"
        "41 31 0:38 / %s/cg rw - cgroup2 cgroup2 rw\n",
        base, base);
    put("cgroup", "0::/a\n");
    put("other/cpu.max", "100000 100000\n");
    put("cg/a/cpu.max", "400000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 4);
    finish();
}

Test(quota, a_group_that_was_deleted_leaves_its_ancestors)
{
    start();
    mounted("/");
    folder("cg/a");
    put("cgroup", "0::/a/gone (deleted)\n");
    put("cg/a/cpu.max", "200000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    finish();
}

/* The cpu controller of version 1 at base/cg, behind one that is not it. */
static void mounted_v1(const char *root)
{
    folder("cg");
    put("mountinfo",
        "31 1 0:28 / %s/acct rw - cgroup cgroup rw,cpuacct\n"
        "32 1 0:29 %s %s/cg rw shared:9 - cgroup cgroup rw,cpuset,cpu\n",
        base, root, base);
}

Test(quota, of_version_1_counts_too)
{
    start();
    mounted_v1("/");
    folder("cg/a"), folder("cg/a/b");
    put("cgroup", "5:cpuacct:/x\n4:cpuset,cpu:/a/b\n0::/\n");
    put("cg/cpu.cfs_quota_us", "-1\n");
    put("cg/cpu.cfs_period_us", "100000\n");
    put("cg/a/cpu.cfs_quota_us", "250000\n");
    put("cg/a/cpu.cfs_period_us", "100000\n");
    put("cg/a/b/cpu.cfs_quota_us", "60000\n");
    put("cg/a/b/cpu.cfs_period_us", "20000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    cr_assert_eq(strcmp(q.file, path_of("cg/a/cpu.cfs_quota_us")), 0);
    finish();
}

Test(quota, the_tightest_of_both_versions_counts)
{
    start();
    folder("cg"), folder("cg2");
    put("mountinfo",
        "32 1 0:29 / %s/cg rw - cgroup cgroup rw,cpu,cpuacct\n"
        "41 1 0:38 / %s/cg2 rw - cgroup2 cgroup2 rw\n",
        base, base);
    put("cgroup", "4:cpu,cpuacct:/\n0::/\n");
    put("cg/cpu.cfs_quota_us", "300000\n");
    put("cg/cpu.cfs_period_us", "100000\n");
    put("cg2/cpu.max", "200000 100000\n");
    struct quota q = quota();
    cr_assert_eq(wf_quota_cores(&q), 2);
    put("cg2/cpu.max", "400000 100000\n");
    q = quota();
    cr_assert_eq(wf_quota_cores(&q), 3);
    finish();
}

Test(quota, what_cannot_be_read_limits_nothing)
{
    start();
    cr_assert(!quota().limited); /* no files at all */
    mounted("/");
    put("cgroup", "3:cpu:/a\n"); /* mounted, with no quota in it */
    cr_assert(!quota().limited);
    put("cgroup", "0::/a\n");
    put("cg/cpu.max", "rubbish\n");
    cr_assert(!quota().limited);
    put("cg/cpu.max", "100000 0\n");
    cr_assert(!quota().limited);
    finish();
}

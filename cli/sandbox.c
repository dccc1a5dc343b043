/* sandbox.c: processes that may write into some folders and nowhere else.
 *
 * Landlock is the kernel's way for a process to give up rights, which its
 * children then lack as well. We give up all that changes files and folders,
 * but below the folders that are allowed, and nothing that reads. Truncation
 * came with version 3 of it: with less, a command could empty any file, and a
 * sandbox that leaks is worse than none.
 *
 * It takes the right to gain rights first, so that a setuid program stays who
 * it is. Landlock knows nothing of modes, owners and times, and we do not ask
 * it about the network. */
#include "cli/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/op.h"

/* Headers may be older than the kernel. */
enum { VERSION = 3 };
static const uint64_t right_to_truncate = UINT64_C(1) << 14;

static uint64_t rights_of_file(void)
{
    return LANDLOCK_ACCESS_FS_WRITE_FILE | right_to_truncate;
}

static uint64_t rights_of_folder(void)
{
    return rights_of_file() | LANDLOCK_ACCESS_FS_REMOVE_DIR |
           LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
           LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
           LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
           LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
           LANDLOCK_ACCESS_FS_REFER;
}

static int fail(weft_error *why, int error, const char *doing, const char *what)
{
    return op_error(why, error, "--sandbox: cannot %s %s: %s", doing, what,
                    strerror(-error));
}

static int allow(int sandbox, int fd, uint64_t rights)
{
    struct landlock_path_beneath_attr rule = { .allowed_access = rights,
                                               .parent_fd = fd };
    return syscall(SYS_landlock_add_rule, sandbox, LANDLOCK_RULE_PATH_BENEATH,
                   &rule, 0)
               ? -errno
               : 0;
}

static int allow_path(int sandbox, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = allow(sandbox, fd, rights);
    close(fd);
    return rc;
}

/* What commands write to without leaving a trace, or are told to. */
static int allow_usual(int sandbox, weft_error *why)
{
    const char *temporary = getenv("TMPDIR");
    if (!temporary || !*temporary)
        temporary = "/tmp";
    int rc = allow_path(sandbox, temporary, rights_of_folder());
    if (rc)
        return fail(why, rc, "allow to write into TMPDIR,", temporary);
    rc = allow_path(sandbox, "/dev/null", rights_of_file());
    return rc ? fail(why, rc, "allow to write to", "/dev/null") : 0;
}

int sandbox_create(weft_error *why)
{
    struct landlock_ruleset_attr all = { .handled_access_fs =
                                             rights_of_folder() };
    int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
                               LANDLOCK_CREATE_RULESET_VERSION);
    if (version < VERSION) {
        int error = version < 0 ? -errno : -EOPNOTSUPP;
        char here[80];
        if (version < 0)
            snprintf(here, sizeof here, "there is none (%s)", strerror(-error));
        else
            snprintf(here, sizeof here, "it is version %d", version);
        return op_error(
            why, error,
            "--sandbox needs version %d of Landlock, which Linux has since "
            "6.2; here %s; leave --sandbox out to run without",
            VERSION, here);
    }
    int sandbox = (int)syscall(SYS_landlock_create_ruleset, &all,
                               sizeof all.handled_access_fs, 0);
    if (sandbox < 0)
        return fail(why, -errno, "create", "the sandbox");
    int rc = allow_usual(sandbox, why);
    if (!rc)
        return sandbox;
    close(sandbox);
    return rc;
}

int sandbox_allow(int sandbox, int folder)
{
    return sandbox < 0 ? 0 : allow(sandbox, folder, rights_of_folder());
}

int sandbox_enter(int sandbox)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        syscall(SYS_landlock_restrict_self, sandbox, 0))
        return -errno;
    return 0;
}

/* beneath.c: folders below a folder, by a way that does not lead out of it.
 *
 * The way is gone one folder at a time, each opened in the one before and none
 * through a symbolic link. Who changes the names meanwhile changes where we
 * get, but not that it lies in a folder that we have opened: there is no
 * instant between a check and its use. openat2 would promise no more, and is
 * not everywhere. */
#include "cli/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/full.h"

/* The kernel calls a link that is no folder the same as any other file. */
static int reason(int above, const char *name)
{
    struct stat st;
    int error = errno;
    if (error == ENOTDIR && !fstatat(above, name, &st, AT_SYMLINK_NOFOLLOW) &&
        S_ISLNK(st.st_mode))
        return -ELOOP;
    return -error;
}

static int enter(int above, const char *name, bool make)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(above, name, flags);
    if (fd < 0 && errno == ENOENT && make) {
        if (!mkdirat(above, name, 0777)) {
            int rc = full_sync(above); /* so that the folder lasts */
            if (rc)
                return rc;
        } else if (errno != EEXIST) {
            return -errno;
        }
        fd = openat(above, name, flags);
    }
    return fd < 0 ? reason(above, name) : fd;
}

static int descend(int root, const char *path, bool make)
{
    const char *slash;
    int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    for (; (slash = strchr(path, '/')); path = slash + 1) {
        char name[NAME_MAX + 1];
        size_t length = (size_t)(slash - path);
        if (!length || (length == 1 && *path == '.'))
            continue;
        int next = -ENAMETOOLONG;
        if (length == 2 && !memcmp(path, "..", 2)) {
            next = -EXDEV;
        } else if (length < sizeof name) {
            memcpy(name, path, length);
            name[length] = '\0';
            next = enter(fd, name, make);
        }
        close(fd);
        if (next < 0)
            return next;
        fd = next;
    }
    return fd;
}

int beneath_folder(int root, const char *path)
{
    return descend(root, path, true);
}

static bool means_absent(int error)
{
    return error == -ENOENT || error == -ENOTDIR || error == -ELOOP;
}

int beneath_has_file(int root, const char *path)
{
    struct stat st;
    const char *slash = strrchr(path, '/');
    int folder = slash ? descend(root, path, false) : root;
    if (folder < 0)
        return means_absent(folder) ? 0 : folder;
    const char *name = slash ? slash + 1 : path;
    int rc = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW)
                 ? -errno
                 : S_ISREG(st.st_mode);
    if (slash)
        close(folder);
    return means_absent(rc) ? 0 : rc;
}

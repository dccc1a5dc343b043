/* files_list.c: files.list, the source that lists the files below a folder.
 *
 * All is listed before the run, so that the order does not depend on the file
 * system and the number of items is known. Whatever is not a folder and has a
 * matching name is an item: a link that leads nowhere fails later, with its
 * reason, and is not passed over. So is a folder that cannot be read, whatever
 * its name. Links to folders are followed, except to one that we are in. */
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/ops/ops.h"

struct list_params {
    char *path;
    struct strings match;
    unsigned order;
};

enum { ORDER_PATH, ORDER_NONE };

static const struct param params[] = {
    { "path", PARAM_STRING, offsetof(struct list_params, path),
      .help = "the folder to list, with all folders below it" },
    { "match", PARAM_STRINGS, offsetof(struct list_params, match), "*",
      .help = "patterns for the file name such as *.jpg; upper and lower case "
              "are the same" },
    { "order", PARAM_CHOICE, offsetof(struct list_params, order), "path",
      .help = "path: byte order of the paths; none: as the folders hold them",
      .choices = (const char *const[]){ "path", "none", NULL } },
    { 0 },
};

struct paths {
    char **at; /* each is malloc'ed */
    size_t count, room;
};

struct list {
    const struct list_params *params;
    struct paths files;
    size_t prefix; /* where the key begins in each path */
};

/* The folders that we are in, the innermost first. */
struct inside {
    const struct inside *up;
    dev_t device;
    ino_t inode;
};

static int paths_add(struct paths *p, char *path)
{
    if (!path)
        return -ENOMEM;
    if (p->count == p->room) {
        size_t room = p->room ? p->room * 2 : 64;
        char **at = realloc(p->at, room * sizeof *at);
        if (!at) {
            free(path);
            return -ENOMEM;
        }
        p->at = at;
        p->room = room;
    }
    p->at[p->count++] = path;
    return 0;
}

static void paths_free(struct paths *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->at[i]);
    free(p->at);
}

/* NULL: no memory. */
static char *join(const char *folder, const char *name)
{
    size_t length = strlen(folder);
    const char *slash = length && folder[length - 1] == '/' ? "" : "/";
    char *path = NULL;
    return asprintf(&path, "%s%s%s", folder, slash, name) < 0 ? NULL : path;
}

static bool matches(const struct list *l, const char *name)
{
    for (size_t i = 0; i < l->params->match.count; i++)
        if (!fnmatch(l->params->match.at[i], name, FNM_CASEFOLD))
            return true;
    return false;
}

static bool is_folder(DIR *dir, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
        return entry->d_type == DT_DIR;
    return !fstatat(dirfd(dir), entry->d_name, &st, 0) && S_ISDIR(st.st_mode);
}

/* Adds the matching files, and collects the folders: a folder is closed before
 * those in it are opened, however deep they lie. */
static int read_folder(struct list *l, DIR *dir, const char *folder,
                       struct paths *folders)
{
    const struct dirent *entry;
    for (errno = 0; (entry = readdir(dir)); errno = 0) {
        const char *name = entry->d_name;
        int rc = 0;
        if (!strcmp(name, ".") || !strcmp(name, ".."))
            continue;
        if (is_folder(dir, entry))
            rc = paths_add(folders, join(folder, name));
        else if (matches(l, name))
            rc = paths_add(&l->files, join(folder, name));
        if (rc)
            return rc;
    }
    return -errno;
}

static bool is_inside(const struct inside *in, const struct stat *st)
{
    for (; in; in = in->up)
        if (in->device == st->st_dev && in->inode == st->st_ino)
            return true;
    return false;
}

static int list_folder(struct list *l, const char *folder,
                       const struct inside *up)
{
    struct stat st;
    struct paths folders = { 0 };
    DIR *dir = opendir(folder);
    if (!dir)
        return -errno;
    if (fstat(dirfd(dir), &st)) {
        int rc = -errno;
        closedir(dir);
        return rc;
    }
    bool again = is_inside(up, &st);
    int rc = again ? 0 : read_folder(l, dir, folder, &folders);
    closedir(dir);

    struct inside here = { up, st.st_dev, st.st_ino };
    for (size_t i = 0; !rc && i < folders.count; i++) {
        rc = list_folder(l, folders.at[i], &here);
        if (rc && rc != -ENOMEM) /* reading it will fail with the reason */
            rc = paths_add(&l->files, strdup(folders.at[i]));
    }
    paths_free(&folders);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_destroy(void *state)
{
    struct list *l = state;
    paths_free(&l->files);
    free(l);
}

static int list_open(void **state, struct job *job, const void *params_,
                     weft_error *why)
{
    const struct list_params *p = params_;
    struct list *l = calloc(1, sizeof *l);
    char *first = join(p->path, "");
    int rc = -ENOMEM;
    if (l && first) {
        l->params = p;
        l->prefix = strlen(first);
        rc = list_folder(l, p->path, NULL);
    }
    free(first);
    if (rc) {
        if (l)
            list_destroy(l);
        return op_error(why, rc, "cannot list %s: %s%s", p->path, strerror(-rc),
                        rc == -ENOENT ? "; --input names another folder" : "");
    }
    if (p->order == ORDER_PATH && l->files.count)
        qsort(l->files.at, l->files.count, sizeof *l->files.at, by_path);
    *state = l;
    return 0;
}

static void list_at(const void *state, uint64_t number, struct item *item)
{
    const struct list *l = state;
    item->path = l->files.at[number];
    item->key = item->path + l->prefix;
}

static uint64_t list_total(const void *state)
{
    const struct list *l = state;
    return l->files.count;
}

/* A wrong folder or pattern looks like success, but for this. */
static int list_close(void *state, bool commit, weft_error *why)
{
    const struct list *l = state;
    if (!l->files.count)
        snprintf(why->text, sizeof why->text,
                 "no file below %s has a name that 'match' takes",
                 l->params->path);
    return 0;
}

static void list_check(const void *params_,
                       void (*bad)(void *ctx, const char *param,
                                   const char *text),
                       void *ctx)
{
    const struct list_params *p = params_;
    if (!*p->path)
        bad(ctx, "path", "is empty; \".\" is the current folder");
    if (!p->match.count)
        bad(ctx, "match", "holds no pattern, so that nothing would match");
}

const struct op op_files_list = {
    .name = "files.list",
    .help = "the files below a folder",
    .kind = OP_SOURCE,
    .gives = CARRIES_FILE,
    .param_bytes = sizeof(struct list_params),
    .params = params,
    .tokens = 1,
    .ordered = true,
    .serial = true,
    .check = list_check,
    .open = list_open,
    .total = list_total,
    .at = list_at,
    .close = list_close,
    .destroy = list_destroy,
};

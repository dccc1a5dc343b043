/* publish.h: a file appears under its name whole, or not at all.
 *
 *     publish_init(&p, folder, "out/a.tar", journal); // or NULL
 *     publish_write(self, &p, data, bytes, false); // as often as you like
 *     publish_write(self, &p, data, bytes, true);  // now it is out/a.tar
 *     publish_discard(&p);                         // always, at the end
 *
 * Each call is done at once or, returning WEFT_PENDING, ends with a call of
 * p->done; before that there may be no other. */
#ifndef WEFT_CLI_PUBLISH_H
#define WEFT_CLI_PUBLISH_H
#include <limits.h>
#include <stdbool.h>

#include "weft/io.h"

struct journal;

/* What the journal is told of a file when that has its name. */
struct publish_note {
    const char *name;      /* what it calls the file; NULL: nothing is noted */
    uint64_t unit;         /* the file's number */
    const uint64_t *items; /* in it, ascending */
    size_t item_count;
    bool sync; /* before anything else happens the note is on disk as well */
};

struct publish {
    int folder; /* borrowed */
    char name[NAME_MAX + 1], temporary[NAME_MAX + 1];
    int fd; /* -1: not open */
    uint64_t size;
    bool exists;              /* under its temporary name */
    struct journal *journal;  /* NULL: there is none */
    struct publish_note note; /* what it points to is borrowed */

    enum publish_step {
        PUBLISH_OPEN,
        PUBLISH_WRITE,
        PUBLISH_SYNC,
        PUBLISH_RENAME,
        PUBLISH_SYNC_FOLDER,
        PUBLISH_NOTE,
        PUBLISH_SYNC_NOTE,
        PUBLISH_DONE,
    } step;
    const void *data;
    size_t bytes;
    bool last;
    struct weft_io io;

    void (*done)(weft_worker *self, void *ctx, int rc); /* yours */
    void *ctx;
};

/* Opens the folder that `path` lies in. Unless `made` is NULL it is created,
 * with those above it, and *made says of how many folders, from this one up, it
 * does not last yet that they are there. A descriptor, or a negative errno. */
int publish_folder(const char *path, uint64_t *made);

/* Makes that last, of a folder and those above it. 0 or a negative errno. */
int publish_folders_last(int folder, uint64_t made);

/* Nothing is created yet. With a journal the temporary name is that journal's
 * own; fill in p->note before the last write. -ENAMETOOLONG; -EINVAL: the path
 * names no file. */
int publish_init(struct publish *p, int folder, const char *path,
                 struct journal *journal);

/* Adds `bytes` to the file; with `last` it is synced and gets its name. With
 * self NULL it waits. 0, WEFT_PENDING or a negative errno. */
int publish_write(weft_worker *self, struct publish *p, const void *data,
                  size_t bytes, bool last);

/* What failed, for a sentence: "write", "rename". */
const char *publish_doing(const struct publish *p);

/* Closes; what has not got its name is removed. As often as you like. */
void publish_discard(struct publish *p);

/* Whether an error is the place's and not the file's: a full disk, a folder
 * that is gone. The next file would fail as well. */
bool publish_is_fatal(int error);
#endif

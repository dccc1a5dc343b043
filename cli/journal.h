/* journal.h: the file in which a run notes what it has published.
 *
 * It lies beside the outputs and is only appended to. One run at a time has
 * it: who opens it locks it, until it is closed or the process has ended. */
#ifndef WEFT_CLI_JOURNAL_H
#define WEFT_CLI_JOURNAL_H
#include <limits.h>
#include <pthread.h>

#include "cli/record.h"

struct journal {
    char path[PATH_MAX];
    int folder, fd; /* -1: not open */
    uint64_t id;
    uint64_t above; /* so many folders, from its own up, are as new as it */

    pthread_mutex_t lock; /* of all below */
    uint64_t chain;
    struct buffer line;
    int broken; /* what failed for good: nothing is written any more */
    bool kept;  /* something is noted in it, or may have been left by its run */
    bool dirty; /* something was appended since the last sync */
    bool is_new; /* what the folders that were made lie in was never synced */
};

/* Nothing is opened yet. */
void journal_init(struct journal *j, const char *path);
void journal_finish(struct journal *j);

/* Opens and locks the one that is there, to read and to append. 0; -ENOENT:
 * there is none; -EWOULDBLOCK: another run has it; a negative errno. */
int journal_open(struct journal *j);

/* The same, only to read: whoever has it is not disturbed, nor in the way. */
int journal_open_to_read(struct journal *j);

/* All that it holds. 0 or a negative errno. */
int journal_load(struct journal *j, struct buffer *out);

/* It is gone on with, and on disk: what follows the first `size` bytes is cut
 * off; `chain` is the checksum of the last line before. 0 or a negative errno.
 */
int journal_cut(struct journal *j, const struct journal_head *head,
                uint64_t size, uint64_t chain);

/* Makes a new one, which is on disk then; the one that was opened becomes it.
 * -EEXIST: another run was faster, and has it; or another negative errno. */
int journal_create(struct journal *j, struct journal_head *head);

/* [any] Appends; it is there if this process is killed, and after journal_sync
 * if the power fails. 0 or a negative errno: then for good. */
int journal_put(struct journal *j, const struct record *record);

/* [any] Who syncs it by itself says that it failed. */
void journal_break(struct journal *j, int error);

/* Makes what was appended last. 0 or a negative errno: then for good. */
int journal_sync(struct journal *j);

/* Nobody needs it any more, nor minds if the power fails and it is back. 0 or a
 * negative errno. */
int journal_remove(struct journal *j);
#endif

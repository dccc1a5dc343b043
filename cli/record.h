/* record.h: the lines of a journal: what was published, what failed.
 *
 *     b0a3f1c2d4e5f607 weft-journal 2 ID SPEC COUNT INPUTS OLDER MADE
 *     07f6e5d4c2f1a3b0 out 3 600-799 train-000003.tar
 *     5a5a0f0f12345678 failed - 801 decode 74 no JPEG
 *     1c1c2d2d3e3e4f4f end
 *
 * A line begins with a checksum of the rest of it and of the checksum before:
 * a line that is whole, but not where it was written, is none. */
#ifndef WEFT_CLI_RECORD_H
#define WEFT_CLI_RECORD_H
#include <stdbool.h>

#include "cli/buffer.h"

/* Which job a journal is of. */
struct journal_head {
    uint64_t id;     /* random, of this journal */
    uint64_t spec;   /* hash of all that decides the bytes of the outputs */
    uint64_t count;  /* of the source's items */
    uint64_t inputs; /* hash of their keys, in order */
    uint64_t older;  /* so many numbers, from 0 on, were taken before */
    uint64_t made; /* so many folders, from the journal's up, were not there */
};

enum { NO_UNIT = -1 };

struct record {
    enum record_kind { RECORD_OUT, RECORD_FAILED, RECORD_END } kind;
    int64_t unit;          /* number of the file, or of the batch that failed;
                              NO_UNIT: an item that failed by itself */
    const uint64_t *items; /* what is in it: numbers of the source, ascending */
    size_t item_count;
    const char *text;  /* OUT: the file's name; FAILED: why */
    const char *stage; /* FAILED: where */
    int error;         /* FAILED: a negative errno */
};

/* Appends a line; *chain is the checksum before and becomes that of the line;
 * it starts at 0. 0 or -ENOMEM. */
int record_put_head(struct buffer *out, uint64_t *chain,
                    const struct journal_head *head);
int record_put(struct buffer *out, uint64_t *chain, const struct record *r);

/* Takes lines apart. `data` is borrowed and may hold anything. */
struct record_reader {
    const char *data;
    size_t size, at; /* what is before `at` is whole */
    uint64_t chain;
    uint64_t count;   /* of the source's items: set by the head */
    bool only_counts; /* records have an item_count, and no items */
    struct buffer line, items;
};

/* 0; -EBADMSG: there is no such line here, or it is damaged; -ENOMEM. */
int record_read_head(struct record_reader *r, struct journal_head *head);

/* The same; the record is borrowed until the next call. At the end -ENODATA. */
int record_read(struct record_reader *r, struct record *out);
void record_reader_finish(struct record_reader *r);
#endif

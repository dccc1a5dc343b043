/* resume.c: which items an earlier run of the job has done.
 *
 * The journal is read twice: to see what it is and whether it may be touched,
 * then for what it says. What it does not say is done again, under the same
 * name: so it may lack what was published last, and loses only time. */
#include "cli/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/beneath.h"
#include "cli/identity.h"
#include "cli/item.h"
#include "cli/ops/pattern.h"

enum { TO_DO, OUT, FAILED };

static int no_memory(weft_error *why)
{
    return op_error(why, -ENOMEM, "no memory");
}

/* out/.weft-train-%06d.tar.journal for out/train-%06d.tar. */
static int make_path(char *out, size_t size, const struct spec *spec)
{
    bool numbered = spec->stages[spec->stage_count - 1].op->numbered;
    const char *pattern = identity_pattern(spec);
    int rc = pattern_folder_name(out, size, pattern, numbered);
    if (rc)
        return rc;
    char *name = out + strlen(out);
    size_t room = size - (size_t)(name - out);
    int length = snprintf(name, room, ".weft-%.200s.journal",
                          pattern + pattern_folder(pattern, numbered));
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '_';
    return (size_t)length < room ? 0 : -ENAMETOOLONG;
}

/* What a journal is, before anything is taken from it. */
struct survey {
    struct journal_head head;
    bool named;   /* it has a head */
    bool started; /* something is noted in it */
    bool whole;   /* the last thing is that all was done */
    uint64_t out;
    uint64_t size, chain; /* where what is right ends */
};

/* Of whatever job: one with more items than ours must not cost their memory. */
static int look(struct survey *s, const struct buffer *text)
{
    struct record_reader reader = { .data = (const char *)text->data,
                                    .size = text->size,
                                    .only_counts = true };
    struct record record;
    *s = (struct survey){ 0 };
    int rc = record_read_head(&reader, &s->head);
    s->named = rc == 0;
    while (!rc && !(rc = record_read(&reader, &record))) {
        s->started = true;
        s->whole = record.kind == RECORD_END;
        s->out += record.kind == RECORD_OUT ? record.item_count : 0;
    }
    s->size = reader.at;
    s->chain = reader.chain;
    record_reader_finish(&reader);
    return rc == -ENOMEM ? rc : 0;
}

/* Marks the items; false where the record cannot be of a run: what is out
 * stays out. */
static bool mark(struct resume *r, const struct record *record, size_t line)
{
    for (size_t i = 0; i < record->item_count; i++) {
        uint64_t item = record->items[i];
        unsigned char *state = &r->states[item];
        if (*state == OUT)
            return false;
        r->failed -= *state == FAILED;
        *state = record->kind == RECORD_OUT ? OUT : FAILED;
        r->out += *state == OUT;
        r->failed += *state == FAILED;
        r->lines[item] = line;
    }
    return true;
}

/* A batch that failed and was tried again has its number twice. */
static void sort_units(struct resume *r)
{
    size_t numbers, count = 0;
    r->units = buffer_sorted(&r->numbers, &numbers);
    for (size_t i = 0; i < numbers; i++)
        if (!count || r->units[count - 1] != r->units[i])
            r->units[count++] = r->units[i];
    r->unit_count = count;
}

static int take(struct resume *r, const struct resume_config *c,
                const struct record *record, size_t line)
{
    bool out = record->kind == RECORD_OUT;
    int rc = 0;
    if (!mark(r, record, line))
        return -EBADMSG;
    if (record->unit != NO_UNIT && (out || c->mode == RESUME))
        rc = buffer_add(&r->numbers, (uint64_t)record->unit);
    for (size_t i = 0; out && !rc && i < record->item_count; i++)
        rc = c->out(c->ctx, record->items[i], record->text);
    return rc;
}

/* What failed in an earlier run has failed in this one, unless it is done
 * again. It is told once, as it was the last time. */
static int tell(struct resume *r, const struct resume_config *c,
                const struct record *record, size_t line)
{
    const struct spec *spec = c->spec;
    bool batch = record->unit != NO_UNIT;
    struct item item;
    if (record->kind != RECORD_FAILED)
        return 0;
    uint64_t first = record->items[0];
    if (r->states[first] != FAILED || r->lines[first] != line)
        return 0;
    spec->source.op->at(c->source, first, &item);
    struct failure f = { .item = batch ? (uint64_t)record->unit : first,
                         .segment = batch,
                         .error = record->error };
    for (size_t i = 0; i < spec->stage_count; i++)
        if (strcmp(spec->stages[i].name, record->stage) == 0)
            f.stage = (unsigned)i + 1;
    /* Copied, and not changed. */
    f.path = batch ? NULL : (char *)(uintptr_t)item.path;
    f.text = (char *)(uintptr_t)record->text;
    failures_add(c->failures, &f);
    return 0;
}

typedef int record_fn(struct resume *r, const struct resume_config *c,
                      const struct record *record, size_t line);

static int for_each(struct resume *r, const struct resume_config *c,
                    const struct buffer *text, const struct survey *s,
                    record_fn *fn)
{
    struct record_reader reader = { .data = (const char *)text->data,
                                    .size = s->size };
    struct journal_head head;
    struct record record;
    int rc = record_read_head(&reader, &head);
    size_t line = reader.at;
    while (!rc && !(rc = record_read(&reader, &record))) {
        rc = record.kind == RECORD_END ? 0 : fn(r, c, &record, line);
        line = reader.at;
    }
    record_reader_finish(&reader);
    return rc == -ENODATA ? 0 : rc;
}

struct outputs {
    uint64_t count, gone;
    char first[128]; /* that is gone, or cannot be looked for */
    int error;       /* why it cannot */
};

static void look_for(struct outputs *o, int folder, const char *name)
{
    int there = beneath_has_file(folder, name);
    if (there < 0)
        o->error = there;
    if (there < 0 || (!there && !o->gone))
        snprintf(o->first, sizeof o->first, "%s", name);
    o->count++;
    o->gone += there == 0;
}

/* Who removes the outputs by hand does not see the journal. What is gone is not
 * done again: if it was only moved away, its items would be in two files. */
static int find_outputs(const struct resume *r, const struct buffer *text,
                        const struct survey *s, weft_error *why)
{
    struct record_reader reader = { .data = (const char *)text->data,
                                    .size = s->size,
                                    .only_counts = true };
    struct outputs o = { 0 };
    struct journal_head head;
    struct record record;
    int rc = record_read_head(&reader, &head);
    while (!rc && !o.error && !(rc = record_read(&reader, &record)))
        if (record.kind == RECORD_OUT)
            look_for(&o, r->journal.folder, record.text);
    record_reader_finish(&reader);
    if (o.error)
        return op_error(why, o.error, "cannot look for %s, which is out: %s",
                        o.first, strerror(-o.error));
    if (rc != -ENODATA)
        return no_memory(why);
    return o.gone ? op_error(why, -ENOENT,
                             "%" PRIu64 " of %" PRIu64
                             " files that are out cannot be found, first %s; "
                             "put them back, or, to do all again, remove %s",
                             o.gone, o.count, o.first, r->journal.path)
                  : 0;
}

/* It is this job's, and may be gone on with. */
static int go_on(struct resume *r, const struct resume_config *c,
                 const struct buffer *text, const struct survey *s,
                 weft_error *why)
{
    int rc = for_each(r, c, text, s, take);
    if (!rc && c->mode == RESUME)
        rc = for_each(r, c, text, s, tell);
    if (rc == -EBADMSG)
        return op_error(
            why, rc,
            "%s is damaged: it says of an item twice that it is out; "
            "to do all again, remove that file",
            r->journal.path);
    if (rc)
        return no_memory(why);
    rc = find_outputs(r, text, s, why);
    if (rc)
        return rc;
    sort_units(r);
    r->older = s->head.older;
    r->found = s->started || c->mode != RESUME_NOT;
    r->whole = s->whole && (c->mode == RESUME || !r->failed);
    if (c->mode == RESUME_FAILED)
        r->failed = 0;
    if (text->size > s->size)
        snprintf(r->note, sizeof r->note,
                 "%s ended in %zu bytes that are no record; what they were "
                 "about is done again",
                 r->journal.path, (size_t)(text->size - s->size));
    rc = c->dry ? 0 : journal_cut(&r->journal, &s->head, s->size, s->chain);
    return rc ? op_error(why, rc, "cannot write to %s: %s", r->journal.path,
                         strerror(-rc))
              : 0;
}

static const char *difference(const struct journal_head *a,
                              const struct journal_head *b)
{
    if (a->spec != b->spec)
        return "the stages, a parameter or weft's version";
    if (a->count != b->count)
        return "the number of inputs";
    return a->inputs != b->inputs ? "the names of the inputs, or their order,"
                                  : NULL;
}

static int create(struct resume *r, const struct resume_config *c,
                  struct journal_head *head, weft_error *why)
{
    r->older = head->older = c->older(c->ctx);
    head->made = c->made;
    int rc = journal_create(&r->journal, head);
    if (rc == -EEXIST)
        return op_error(why, rc, "another run of this job has just begun: %s",
                        r->journal.path);
    return rc ? op_error(why, rc, "cannot create %s: %s", r->journal.path,
                         strerror(-rc))
              : 0;
}

/* There is a journal: what does that mean for this run? One in which nothing is
 * noted is gone on with whether that was asked for or not: its run may have
 * left temporary files, whose names are made of the journal's own number. */
static int meet(struct resume *r, const struct resume_config *c,
                struct journal_head *head, const struct buffer *text,
                weft_error *why)
{
    const char *path = r->journal.path;
    struct survey s;
    if (look(&s, text))
        return no_memory(why);
    bool empty =
        !s.named && (!text->size || !memchr(text->data, '\n', text->size));
    if (!s.named && !empty)
        return op_error(
            why, -EBADMSG,
            "%s is no journal, or its first line is damaged, so that "
            "nobody knows what is out; to do all again, remove that "
            "file",
            path);
    const char *other = empty ? NULL : difference(&s.head, head);
    if (empty || (other && !s.started) || (c->mode == RESUME_NOT && s.whole))
        return c->dry ? 0 : create(r, c, head, why);
    if (other)
        return op_error(why, -EINVAL,
                        "%" PRIu64 " of %" PRIu64
                        " items of another job are out: "
                        "since it was begun, %s changed; go on with it as it "
                        "was by --resume, or, to do all again, remove %s",
                        s.out, s.head.count, other, path);
    if (c->mode == RESUME_NOT && s.started)
        return op_error(why, -EEXIST,
                        "an earlier run was not finished: %" PRIu64
                        " of %" PRIu64 " items are out; --resume goes on with "
                        "it; to do all again, remove %s",
                        s.out, s.head.count, path);
    return go_on(r, c, text, &s, why);
}

static int prepare(struct resume *r, const struct resume_config *c,
                   struct journal_head *head)
{
    int rc = identity_of(head, c->spec, c->source);
    r->count = head->count;
    r->states = calloc(r->count + 1, sizeof *r->states);
    r->lines = calloc(r->count + 1, sizeof *r->lines);
    return rc || !r->states || !r->lines ? -ENOMEM : 0;
}

int resume_open(struct resume *r, const struct resume_config *c,
                weft_error *why)
{
    struct journal_head head;
    struct buffer text = { 0 };
    char path[PATH_MAX];
    int rc = make_path(path, sizeof path, c->spec);
    if (rc)
        return op_error(why, rc, "cannot name the journal of %s: %s",
                        identity_pattern(c->spec), strerror(-rc));
    *r = (struct resume){ .failed_too = c->mode == RESUME_FAILED };
    journal_init(&r->journal, path);
    if (prepare(r, c, &head))
        return no_memory(why);

    rc = c->dry ? journal_open_to_read(&r->journal) : journal_open(&r->journal);
    if (rc == -ENOENT)
        return c->dry ? 0 : create(r, c, &head, why);
    if (rc == -EWOULDBLOCK)
        return op_error(
            why, rc, "another run of this job is at work: it holds %s", path);
    if (!rc)
        rc = journal_load(&r->journal, &text);
    rc = rc ? op_error(why, rc, "cannot read %s: %s", path, strerror(-rc))
            : meet(r, c, &head, &text, why);
    buffer_free(&text);
    return rc;
}

void resume_finish(struct resume *r)
{
    if (r->journal.path[0]) /* it was opened */
        journal_finish(&r->journal);
    free(r->states);
    free(r->lines);
    buffer_free(&r->numbers);
    *r = (struct resume){ 0 };
}

static bool is_done(const struct resume *r, uint64_t item)
{
    return r->states[item] == OUT ||
           (r->states[item] == FAILED && !r->failed_too);
}

uint64_t resume_next(struct resume *r)
{
    while (r->next < r->count && is_done(r, r->next))
        r->next++;
    return r->next < r->count ? r->next++ : r->count;
}

bool resume_is_last(struct resume *r)
{
    while (r->next < r->count && is_done(r, r->next))
        r->next++;
    return r->next == r->count;
}

/* Before units[i] there are units[i] - i numbers that are free. */
uint64_t resume_unit(const struct resume *r, uint64_t nth)
{
    size_t low = 0, high = r->unit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (r->units[middle] - middle <= nth)
            low = middle + 1;
        else
            high = middle;
    }
    return nth + low;
}

int resume_end(struct resume *r)
{
    int rc = 0;
    if (!r->whole)
        rc = journal_put(&r->journal, &(struct record){ .kind = RECORD_END });
    r->whole = true;
    return rc;
}

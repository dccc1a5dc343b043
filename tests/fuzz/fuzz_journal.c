/* fuzz_journal.c: any lines as the journal of a job of eight items.
 *
 * Nobody guesses a checksum, so here it is the length of all lines until then,
 * and each gets the one that it needs; one that begins with '!' goes without.
 * "head OLDER MADE" stands for the head of our own job, and the first byte of
 * all says how it is gone on with. Every output is there but those whose names
 * begin with "gone". */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/identity.h"
#include "cli/item.h"
#include "cli/resume.h"
#include "tests/fuzz/fuzz.h"

enum { ITEMS = 8, LONGEST_STAGE = 64 };

static uint64_t total(const void *state) { return ITEMS; }

static void at(const void *state, uint64_t number, struct item *item)
{
    static const char *const keys[] = {
        "a", "b", "c", "d", "e", "f", "g", "h"
    };
    CHECK(number < ITEMS);
    item->key = item->path = keys[number];
}

static const struct op source = { .name = "source", .total = total, .at = at };
static const struct param pattern_only[] = {
    { "pattern", PARAM_STRING, .help = "" }, { 0 }
};
static const struct op sink = { .name = "sink",
                                .params = pattern_only,
                                .numbered = true };
static char folder[] = "/dev/shm/weft-fuzz-XXXXXX", pattern[64], journal[64];
static char *params = pattern;
static struct stage_spec stage = { "write", &sink, &params, 1, true };
static const struct spec spec = { .source = { "list", &source, NULL, 1, true },
                                  .stages = &stage,
                                  .stage_count = 1 };

/* Nothing here has to outlive the power. A folder is synced for each that was
 * made above it, and no path has as many as that. */
static unsigned syncs;

int fsync(int fd)
{
    CHECK(fd >= 0 && ++syncs < PATH_MAX);
    return 0;
}

static bool missed; /* an output that is not there was looked for */

int fstatat(int fd, const char *name, struct stat *st, int flags)
{
    CHECK(fd >= 0 && flags == AT_SYMLINK_NOFOLLOW);
    st->st_mode = S_IFREG;
    if (strncmp(name, "gone", 4) != 0)
        return 0;
    missed = true;
    errno = ENOENT;
    return -1;
}

static void make_folder(void)
{
    CHECK(mkdtemp(folder));
    snprintf(pattern, sizeof pattern, "%s/%%d.out", folder);
    snprintf(journal, sizeof journal, "%s/.weft-%%d.out.journal", folder);
}

/* Whether the line stands for the head of our job. */
static bool is_head(const char *line, struct journal_head *head)
{
    *head = (struct journal_head){ .id = 1 };
    CHECK(!identity_of(head, &spec, NULL));
    return sscanf(line, "head %" SCNu64 " %" SCNu64, &head->older,
                  &head->made) == 2;
}

/* In the place of libxxhash's. */
uint64_t XXH3_64bits_withSeed(const void *line, size_t size, uint64_t chain);

uint64_t XXH3_64bits_withSeed(const void *line, size_t size, uint64_t chain)
{
    return chain + size;
}

static void seal(struct buffer *text, uint64_t *chain, const char *line)
{
    *chain = XXH3_64bits_withSeed(line, strlen(line), *chain);
    CHECK(!buffer_print(text, "%016" PRIx64 " %s\n", *chain, line));
}

static void make_text(struct buffer *text, char *lines)
{
    uint64_t chain = 0;
    struct journal_head head;
    for (char *line; (line = strsep(&lines, "\n"));) {
        if (is_head(line, &head))
            CHECK(!record_put_head(text, &chain, &head));
        else if (*line == '!')
            CHECK(!buffer_print(text, "%s%s", line + 1, lines ? "\n" : ""));
        else
            seal(text, &chain, line);
    }
}

static void write_journal(const struct buffer *text)
{
    int fd = open(journal, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, text->data, text->size) == (ssize_t)text->size);
    close(fd);
}

static void read_journal(struct buffer *text)
{
    struct stat st;
    int fd = open(journal, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && !fstat(fd, &st));
    text->size = (size_t)st.st_size;
    CHECK(!buffer_reserve(text, text->size + 1));
    CHECK(read(fd, text->data, text->size) == st.st_size);
    close(fd);
}

/* What is read and written again is what is there. */
static void check_written(const struct record *record)
{
    struct buffer line = { 0 };
    struct record again;
    struct record_reader reader = { .count = UINT64_MAX };
    uint64_t chain = 0;
    if (record->stage && strlen(record->stage) > LONGEST_STAGE)
        return;
    CHECK(!record_put(&line, &chain, record));
    reader.data = (const char *)line.data;
    reader.size = line.size;
    CHECK(!record_read(&reader, &again) && reader.at == line.size);
    CHECK(again.kind == record->kind && again.unit == record->unit);
    CHECK(again.error == record->error);
    CHECK(again.item_count == record->item_count);
    for (size_t i = 0; i < again.item_count; i++)
        CHECK(again.items[i] == record->items[i]);
    CHECK(!again.text || strcmp(again.text, record->text) == 0);
    CHECK(!again.stage || strcmp(again.stage, record->stage) == 0);
    record_reader_finish(&reader);
    buffer_free(&line);
}

/* Where the journal of our job ends that is right. */
static size_t check_records(const struct buffer *text)
{
    struct journal_head head;
    struct record record;
    struct record_reader reader = { .data = (const char *)text->data,
                                    .size = text->size };
    int rc = record_read_head(&reader, &head);
    while (!rc && head.count == ITEMS &&
           !(rc = record_read(&reader, &record))) {
        CHECK(record.kind == RECORD_END || record.item_count);
        for (size_t i = 0; i < record.item_count; i++) {
            CHECK(record.items[i] < ITEMS);
            CHECK(!i || record.items[i - 1] < record.items[i]);
        }
        check_written(&record);
    }
    CHECK(reader.at <= text->size);
    record_reader_finish(&reader);
    return reader.at;
}

static uint64_t older(void *ctx) { return 3; }

static int is_out(void *ctx, uint64_t item, const char *name)
{
    CHECK(item < ITEMS && name);
    return 0;
}

/* Each item once, or done already; each file has a number of its own. */
static void check_resume(struct resume *r)
{
    uint64_t given = 0, last = 0;
    for (uint64_t item; (item = resume_next(r)) != r->count; given++) {
        CHECK(item < ITEMS && (!given || last < item));
        last = item;
    }
    CHECK(resume_is_last(r));
    CHECK(given + r->out + r->failed == ITEMS);
    for (uint64_t nth = 0; nth < ITEMS; nth++) {
        uint64_t unit = resume_unit(r, nth);
        CHECK(nth == 0 || resume_unit(r, nth - 1) < unit);
        for (size_t i = 0; i < r->unit_count; i++)
            CHECK(r->units[i] != unit);
    }
}

/* Whoever refuses it, or only looks, leaves it as it is; else what is in it
 * then is right. */
static void check_journal(const struct buffer *before, bool touched)
{
    struct buffer after = { 0 };
    read_journal(&after);
    if (touched)
        CHECK(check_records(&after) == after.size && after.size);
    else
        CHECK(before->size == after.size &&
              (!after.size || !memcmp(before->data, after.data, after.size)));
    buffer_free(&after);
}

static void go_on(const struct buffer *text, unsigned how)
{
    static struct failures failures;
    struct resume r = { 0 };
    weft_error why = { "" };
    const struct resume_config config = { .spec = &spec,
                                          .mode = (enum resume_mode)(how % 3),
                                          .dry = how / 3 % 2,
                                          .made = 1,
                                          .failures = &failures,
                                          .out = is_out,
                                          .older = older };
    failures_init(&failures);
    missed = false;
    int rc = resume_open(&r, &config, &why);
    CHECK(rc || !missed);
    if (rc) {
        CHECK(*why.text && rc != -ENOMEM);
    } else {
        check_resume(&r);
        CHECK(config.dry || !journal_sync(&r.journal));
    }
    resume_finish(&r);
    check_journal(text, !rc && !config.dry);
    failures_finish(&failures);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer text = { 0 };
    if (!*pattern)
        make_folder();
    if (!size)
        return 0;
    char *lines = fuzz_string(data + 1, size - 1);
    syncs = 0;
    make_text(&text, lines);
    write_journal(&text);
    check_records(&text);
    go_on(&text, data[0]);
    CHECK(unlink(journal) == 0);
    buffer_free(&text);
    free(lines);
    return 0;
}

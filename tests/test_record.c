/* test_record.c: a journal's lines are read as they were written, or not. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/record.h"
#include "tests/test.h"

enum { COUNT = 100 };

static const struct journal_head head = { 0xab, 2, COUNT, UINT64_MAX, 3, 1 };
static const uint64_t some[] = { 3, 5, 6, 7, 99 }, one[] = { 0 };
static const struct record records[] = {
    { .kind = RECORD_OUT,
      .unit = 7,
      .items = some,
      .item_count = 5,
      .text = "a b%\n.tar" },
    { .kind = RECORD_FAILED,
      .unit = NO_UNIT,
      .items = one,
      .item_count = 1,
      .text = "two\nlines, 100 %",
      .stage = "decode",
      .error = -EBADMSG },
    { .kind = RECORD_FAILED,
      .unit = 0,
      .items = some,
      .item_count = 1,
      .text = "",
      .stage = "write",
      .error = -ENOMEM },
    { .kind = RECORD_END, .unit = NO_UNIT },
};
enum { RECORDS = sizeof records / sizeof *records };

static struct buffer written(void)
{
    struct buffer out = { 0 };
    uint64_t chain = 0;
    cr_assert_eq(record_put_head(&out, &chain, &head), 0);
    for (unsigned i = 0; i < RECORDS; i++)
        cr_assert_eq(record_put(&out, &chain, &records[i]), 0);
    return out;
}

static bool is_same(const struct record *a, const struct record *b)
{
    return a->kind == b->kind && a->unit == b->unit && a->error == b->error &&
           a->item_count == b->item_count &&
           (!a->item_count ||
            !memcmp(a->items, b->items, a->item_count * sizeof *a->items)) &&
           !strcmp(a->text ? a->text : "", b->text ? b->text : "") &&
           !strcmp(a->stage ? a->stage : "", b->stage ? b->stage : "");
}

/* How many records are read before the first that is none; what is read is as
 * it was written. -1: the head is none. */
static int count(const struct buffer *text)
{
    struct record_reader reader = { .data = (const char *)text->data,
                                    .size = text->size };
    struct journal_head found;
    struct record record;
    int n = -1;
    if (!record_read_head(&reader, &found)) {
        cr_assert(!memcmp(&found, &head, sizeof head));
        for (n = 0; !record_read(&reader, &record); n++)
            cr_assert(n < RECORDS && is_same(&record, &records[n]));
    }
    cr_assert(reader.at <= text->size);
    record_reader_finish(&reader);
    return n;
}

/* How many lines are whole when the first `size` bytes are there, less one. */
static int lines(const struct buffer *text, size_t size)
{
    int n = -1;
    for (size_t i = 0; i < size; i++)
        n += text->data[i] == '\n';
    return n;
}

Test(record, lines_are_read_as_they_were_written)
{
    struct buffer text = written();
    cr_assert_eq(count(&text), RECORDS);
    buffer_free(&text);
}

Test(record, a_torn_tail_is_no_record)
{
    struct buffer text = written();
    for (size_t size = 0; size <= text.size; size++) {
        /* Of its own size, so that a read too far is seen. */
        struct buffer part = { malloc(size + 1), size, size };
        memcpy(part.data, text.data, size);
        cr_assert_eq(count(&part), lines(&text, size));
        buffer_free(&part);
    }
    buffer_free(&text);
}

Test(record, a_bit_that_flips_ends_what_is_right)
{
    struct buffer text = written();
    for (size_t at = 0; at < text.size; at++) {
        int whole = lines(&text, at);
        for (unsigned bit = 0; bit < 8; bit++) {
            text.data[at] ^= 1u << bit;
            cr_assert_eq(count(&text), whole);
            text.data[at] ^= 1u << bit;
        }
    }
    buffer_free(&text);
}

Test(record, a_line_in_another_place_is_none)
{
    struct buffer text = written(), swapped = { 0 };
    const char *first = strchr((char *)text.data, '\n') + 1;
    const char *second = strchr(first, '\n') + 1;
    size_t head_size = (size_t)(first - (char *)text.data);
    cr_assert_eq(buffer_reserve(&swapped, text.size), 0);
    memcpy(swapped.data, text.data, head_size);
    size_t rest = text.size - (size_t)(second - (char *)text.data);
    memcpy(swapped.data + head_size, second, rest);
    swapped.size = head_size + rest;
    cr_assert_eq(count(&swapped), 0);
    buffer_free(&text);
    buffer_free(&swapped);
}

/* The checksum is right: whoever writes such a line is not us. */
static void check_refused(const struct record *record)
{
    struct buffer out = { 0 };
    uint64_t chain = 0;
    cr_assert_eq(record_put_head(&out, &chain, &head), 0);
    cr_assert_eq(record_put(&out, &chain, record), 0);
    cr_assert_eq(count(&out), 0);
    buffer_free(&out);
}

Test(record, items_that_the_source_does_not_have_are_refused)
{
    const uint64_t far[] = { COUNT }, twice[] = { 4, 4 }, down[] = { 4, 3 };
    check_refused(&(struct record){
        .kind = RECORD_OUT, .items = far, .item_count = 1, .text = "a" });
    check_refused(&(struct record){
        .kind = RECORD_OUT, .items = twice, .item_count = 2, .text = "a" });
    check_refused(&(struct record){
        .kind = RECORD_OUT, .items = down, .item_count = 2, .text = "a" });
    check_refused(&(struct record){ .kind = RECORD_OUT, .text = "a" });
}

/* Who follows such a number up from a folder never comes to its end. */
Test(record, more_folders_than_a_path_has_are_refused)
{
    struct buffer out = { 0 };
    struct journal_head deep = head;
    uint64_t chain = 0;
    deep.made = PATH_MAX;
    cr_assert_eq(record_put_head(&out, &chain, &deep), 0);
    cr_assert_eq(count(&out), -1);
    buffer_free(&out);
}

Test(record, a_reader_that_only_counts_keeps_no_items)
{
    struct buffer text = written();
    struct record_reader reader = { .data = (const char *)text.data,
                                    .size = text.size,
                                    .only_counts = true };
    struct journal_head found;
    struct record record;
    cr_assert_eq(record_read_head(&reader, &found), 0);
    for (unsigned i = 0; i < RECORDS; i++) {
        cr_assert_eq(record_read(&reader, &record), 0);
        cr_assert_eq(record.item_count, records[i].item_count);
        cr_assert(!record.items);
    }
    cr_assert_eq(reader.items.room, 0);
    cr_assert_eq(record_read(&reader, &record), -ENODATA);
    record_reader_finish(&reader);
    buffer_free(&text);
}

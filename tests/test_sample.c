/* test_sample.c: what a WebDataset sample says about itself. */
#include <stdbool.h>
#include <string.h>

#include "cli/ops/sample.h"
#include "tests/test.h"

static bool says(const struct item *item, const char *want)
{
    struct buffer out = { 0 };
    bool same = !sample_describe(&out, item) && out.size == strlen(want) &&
                !memcmp(out.data, want, out.size);
    buffer_free(&out);
    return same;
}

Test(sample, tells_where_it_is_from)
{
    struct item item = { .key = "a/b.jpg",
                         .source_width = 640,
                         .source_height = 480,
                         .source_size = 31337,
                         .source_xxh3 = 0xabc };
    cr_assert(says(&item, "{\"source\": \"a/b.jpg\", \"width\": 640, "
                          "\"height\": 480, \"bytes\": 31337, "
                          "\"xxh3\": \"0000000000000abc\"}\n"));
}

Test(sample, leaves_out_what_is_not_known)
{
    struct item item = { .key = "a" };
    cr_assert(says(&item, "{\"source\": \"a\"}\n"));
}

Test(sample, an_empty_file_is_known_to_be_empty)
{
    struct item item = { .key = "a", .source_xxh3 = 0x2d06800538d394c2 };
    cr_assert(says(&item, "{\"source\": \"a\", \"bytes\": 0, "
                          "\"xxh3\": \"2d06800538d394c2\"}\n"));
}

Test(sample, is_json_whatever_the_name)
{
    struct item item = { .key = "a\"b\\c\nd\177\303\274" };
    cr_assert(says(&item, "{\"source\": "
                          "\"a\\\"b\\\\c\\u000ad\\u007f\303\274\"}\n"));
}

Test(sample, keeps_the_bytes_of_a_name_that_is_not_utf8)
{
    struct item one = { .key = "\374" }, two = { .key = "a\374" },
                three = { .key = "ab\374" };
    cr_assert(says(&one, "{\"source\": \"%FC\", \"source_base64\": "
                         "\"/A==\"}\n"));
    cr_assert(says(&two, "{\"source\": \"a%FC\", \"source_base64\": "
                         "\"Yfw=\"}\n"));
    cr_assert(says(&three, "{\"source\": \"ab%FC\", \"source_base64\": "
                           "\"YWL8\"}\n"));
}

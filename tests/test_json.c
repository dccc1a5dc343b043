/* test_json.c: cli/json.c: what is written is JSON, whatever it is about. */
#include "cli/json.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

struct written {
    char *text;
    size_t size;
    struct json json;
};

static void begin(struct written *w)
{
    *w = (struct written){ 0 };
    w->json.out = open_memstream(&w->text, &w->size);
    cr_assert(w->json.out);
}

static bool is(struct written *w, const char *expected)
{
    fclose(w->json.out);
    bool same = strcmp(w->text, expected) == 0;
    free(w->text);
    return same;
}

Test(json, members_are_separated_and_indented)
{
    struct written w;
    begin(&w);
    json_object(&w.json, NULL);
    json_count(&w.json, "items", UINT64_MAX);
    json_array(&w.json, "stages");
    json_string(&w.json, NULL, "read");
    json_bool(&w.json, NULL, true);
    json_null(&w.json, NULL);
    json_end(&w.json);
    json_number(&w.json, "rate", 0.5);
    json_end(&w.json);
    cr_assert(is(&w, "{\n"
                     "  \"items\": 18446744073709551615,\n"
                     "  \"stages\": [\n"
                     "    \"read\",\n"
                     "    true,\n"
                     "    null\n"
                     "  ],\n"
                     "  \"rate\": 0.5\n"
                     "}\n"));
}

Test(json, what_is_empty_stays_on_its_line)
{
    struct written w;
    begin(&w);
    json_object(&w.json, NULL);
    json_array(&w.json, "none");
    json_end(&w.json);
    json_object(&w.json, "nothing");
    json_end(&w.json);
    json_end(&w.json);
    cr_assert(is(&w, "{\n  \"none\": [],\n  \"nothing\": {}\n}\n"));
}

Test(json, strings_are_escaped_and_always_utf_8)
{
    struct written w;
    begin(&w);
    json_string(&w.json, NULL, "a\"b\\c\nd\x01\x7f\xff\xc3\xa4/");
    cr_assert(is(&w, "\"a\\\"b\\\\c\\nd\\u0001\\u007f\\ufffd\xc3\xa4/\""));
}

Test(json, a_number_that_json_has_not_is_null)
{
    struct written w;
    begin(&w);
    json_array(&w.json, NULL);
    json_number(&w.json, NULL, NAN);
    json_number(&w.json, NULL, INFINITY);
    json_number(&w.json, NULL, -1e300);
    json_end(&w.json);
    cr_assert(is(&w, "[\n  null,\n  null,\n  -1e+300\n]\n"));
}

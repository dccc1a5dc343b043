/* test_name.c: from an input's path to names that any system can hold. */
#include <stdbool.h>
#include <string.h>

#include "cli/ops/name.h"
#include "tests/test.h"

static bool becomes(const char *key, char dot, const char *want)
{
    struct buffer out = { 0 };
    bool same = !name_from_key(&out, key, dot) && out.size == strlen(want) &&
                !memcmp(out.data, want, out.size);
    buffer_free(&out);
    return same;
}

Test(name, loses_its_extension_and_keeps_its_folders)
{
    cr_assert(becomes("a/b.c/d.jpg", '_', "a/b.c/d"));
    cr_assert(becomes("d", '_', "d"));
    cr_assert(becomes("gr\303\274n 1.jpg", '_', "gr\303\274n 1"));
}

Test(name, has_no_dot_in_its_last_part_where_readers_split)
{
    cr_assert(becomes("a.b/c.d.e.jpg", '_', "a.b/c_d_e"));
    cr_assert(becomes("a.b/c.d.e.jpg", '.', "a.b/c.d.e"));
    cr_assert(becomes(".hidden", '_', "_hidden"));
    cr_assert(becomes(".hidden.jpg", '_', "_hidden"));
}

Test(name, is_one_line_of_utf8)
{
    cr_assert(becomes("a\nb\r.jpg", '_', "a%0Ab%0D"));
    cr_assert(becomes("\033[31m/\177.jpg", '_', "%1B[31m/%7F"));
    cr_assert(becomes("latin-\374.jpg", '_', "latin-%FC"));
    cr_assert(becomes("\302\205.jpg", '_', "%C2%85"));
    cr_assert(becomes("100%.jpg", '_', "100%"));
}

Test(name, leads_nowhere_but_down)
{
    cr_assert(becomes("../../etc/passwd", '.', "_/_/etc/passwd"));
    cr_assert(becomes("/etc/./x.jpg", '.', "_/etc/_/x"));
    cr_assert(becomes("..", '.', "_"));
    cr_assert(becomes("...jpg", '.', "_"));
    cr_assert(becomes("..hidden/x", '.', "..hidden/x"));
}

/* `c` repeated: two bytes of UTF-8. */
static void make_long(char *key, size_t bytes, const char *c, const char *end)
{
    for (size_t i = 0; i < bytes; i += 2)
        memcpy(key + i, c, 2);
    strcpy(key + bytes, end);
}

Test(name, that_is_too_long_is_cut_and_stays_its_own)
{
    struct buffer one = { 0 }, two = { 0 };
    char key[300];
    make_long(key, 250, "\303\274", "1.jpg");
    cr_assert_eq(name_from_key(&one, key, '_'), 0);
    make_long(key, 250, "\303\274", "2.jpg");
    cr_assert_eq(name_from_key(&two, key, '_'), 0);
    cr_assert(one.size <= NAME_LONGEST && one.size > NAME_LONGEST - 4);
    cr_assert_eq(one.size, two.size);
    cr_assert(memcmp(one.data, two.data, one.size) != 0);
    cr_assert_eq(one.data[one.size - 17], '-');
    cr_assert_eq(one.data[one.size - 18], 0274); /* a whole character */
    buffer_free(&one);
    buffer_free(&two);
}

Test(name, an_extension_is_a_few_letters_and_digits)
{
    cr_assert(!strcmp(name_extension("jpg"), "jpg"));
    cr_assert(!strcmp(name_extension("JP2"), "JP2"));
    cr_assert(!strcmp(name_extension("a b"), "bin"));
    cr_assert(!strcmp(name_extension("../x"), "bin"));
    cr_assert(!strcmp(name_extension("\374"), "bin"));
    cr_assert(!strcmp(name_extension(""), "bin"));
    cr_assert(!strcmp(name_extension(NULL), "bin"));
    cr_assert(!strcmp(name_extension("abcdefghijklmn"), "bin"));
}

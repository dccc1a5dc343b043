/* test_pattern.c: file names with a number in them, and their folders. */
#include <errno.h>
#include <string.h>

#include "cli/ops/pattern.h"
#include "tests/test.h"

static int names(const char *pattern, uint64_t number, const char *want)
{
    char name[64];
    return !pattern_name(name, sizeof name, pattern, number) &&
           !strcmp(name, want);
}

Test(pattern, one_number_in_the_file_name_is_right)
{
    cr_assert_eq(pattern_problem("out/train-%06d.tar"), NULL);
    cr_assert_eq(pattern_problem("%d"), NULL);
    cr_assert_eq(pattern_problem("50%% of/all %3d%%"), NULL);
}

Test(pattern, everything_else_is_told)
{
    static const char *const wrong[] = {
        "",     "out/train.tar", "a%d-%d",  "a%s",   "a%",   "a%x%d",
        "%d/a", "a%6",           "a%-6d",   "a%99d", "a%*d", "a%ld",
        "%%d",  "a%d/",          "a%n%06d", "%1$d",
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_assert(pattern_problem(wrong[i]) != NULL);
}

Test(pattern, the_number_goes_where_it_belongs)
{
    cr_assert(names("out/train-%06d.tar", 42, "out/train-000042.tar"));
    cr_assert(names("%d", 1234567, "1234567"));
    cr_assert(names("%02d", 100, "100"));
    cr_assert(names("50%% %3d%%", 7, "50%   7%"));
    cr_assert(names("%020d", UINT64_MAX, "18446744073709551615"));
}

Test(pattern, a_name_that_does_not_fit_is_an_error)
{
    char name[8] = "before";
    cr_assert_eq(pattern_name(name, 5, "%04d", 1), 0);
    cr_assert_eq(pattern_name(name, 4, "%04d", 1), -ENAMETOOLONG);
}

static int folder_is(const char *pattern, bool numbered, const char *want,
                     const char *rest)
{
    char name[64];
    return !pattern_folder_name(name, sizeof name, pattern, numbered) &&
           !strcmp(name, want) &&
           !strcmp(pattern + pattern_folder(pattern, numbered), rest);
}

Test(pattern, its_folder_ends_where_names_are_filled_in)
{
    cr_assert(folder_is("out/train-%06d.tar", true, "out/", "train-%06d.tar"));
    cr_assert(folder_is("%d", true, "", "%d"));
    cr_assert(folder_is("/a/50%%/{key}/%d", true, "/a/50%/{key}/", "%d"));
    cr_assert(folder_is("out/{key}.jpg", false, "out/", "{key}.jpg"));
    cr_assert(folder_is("50%/a%%/x{key}/y", false, "50%/a%%/", "x{key}/y"));
    cr_assert(folder_is("{key}", false, "", "{key}"));
}

Test(pattern, a_folder_that_does_not_fit_is_an_error)
{
    char name[8] = "before";
    cr_assert_eq(pattern_folder_name(name, 4, "%%%%/%d", true), 0);
    cr_assert_eq(pattern_folder_name(name, 3, "%%%%/%d", true), -ENAMETOOLONG);
}

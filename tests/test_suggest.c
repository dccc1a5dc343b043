/* test_suggest.c: cli/suggest.c: what may have been meant. */
#include "cli/suggest.h"

#include <string.h>

#include "tests/test.h"

static const char *meant(const char *word)
{
    static const char *const words[] = { "width", "height", "fit", "max_pixels",
                                         "workers" };
    struct suggest s = { .word = word };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        suggest_try(&s, words[i]);
    return s.best ? s.best : "";
}

Test(suggest, a_slip_of_the_hand_is_understood)
{
    cr_assert(strcmp(meant("wdith"), "width") == 0); /* swapped */
    cr_assert(strcmp(meant("widh"), "width") == 0);  /* left out */
    cr_assert(strcmp(meant("hheight"), "height") == 0);
    cr_assert(strcmp(meant("hejght"), "height") == 0);
    cr_assert(strcmp(meant("Width"), "width") == 0);
    cr_assert(strcmp(meant("max-pixels"), "max_pixels") == 0);
    cr_assert(strcmp(meant("worker"), "workers") == 0);
}

Test(suggest, another_word_is_not_guessed)
{
    cr_assert(strcmp(meant("depth"), "") == 0);
    cr_assert(strcmp(meant("foo"), "") == 0);
    cr_assert(strcmp(meant("f"), "") == 0);
    cr_assert(strcmp(meant(""), "") == 0);
    cr_assert(strcmp(meant("w"), "") == 0);
}

Test(suggest, a_word_of_any_length_is_safe)
{
    char word[5000];
    memset(word, 'w', sizeof(word));
    word[sizeof(word) - 1] = '\0';
    cr_assert(strcmp(meant(word), "") == 0);
}

Test(suggest, the_closest_wins_and_of_two_the_first)
{
    struct suggest s = { .word = "abcdef" };
    suggest_try(&s, "abcdxy");
    cr_assert(strcmp(s.best, "abcdxy") == 0);
    suggest_try(&s, "abcdex");
    cr_assert(strcmp(s.best, "abcdex") == 0);
    suggest_try(&s, "xbcdef");
    cr_assert(strcmp(s.best, "abcdex") == 0);
}

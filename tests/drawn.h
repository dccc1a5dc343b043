/* drawn.h: plans as DOT and Mermaid, compared with what they should be. */
#ifndef WEFT_TESTS_DRAWN_H
#define WEFT_TESTS_DRAWN_H
#include <stdlib.h>

#include "tests/runs.h"

static inline char *drawn(const weft_plan *plan, struct weft_run *run,
                          enum weft_picture format)
{
    static char
        *text; /* gcc 12 takes what is found in the text to point here */
    cr_assert_eq(weft_plan_draw(&text, plan, run, format, NULL), 0);
    return text;
}

/* Where they differ is printed. */
static inline void is_text(char *text, const char *wanted)
{
    if (strcmp(text, wanted) != 0)
        printf("%s", text);
    cr_assert_eq(strcmp(text, wanted), 0);
    free(text);
}

static inline unsigned times_in(const char *text, const char *what)
{
    unsigned n = 0;
    for (; (text = strstr(text, what)); text += strlen(what))
        n++;
    return n;
}
#endif

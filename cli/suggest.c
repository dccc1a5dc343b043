/* suggest.c: did you mean ...?
 *
 * The distance counts letters inserted, left out, replaced, or swapped with
 * their neighbour; capitals do not count. A third of the word may be wrong:
 * "wdith" means width, "foo" does not mean fit. */
#include "cli/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { LONGEST = 40 };

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

static unsigned distance(const char *a, size_t n, const char *b, size_t m)
{
    unsigned d[LONGEST + 1][LONGEST + 1];

    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            unsigned change = same(a[i - 1], b[j - 1]) ? 0 : 1;
            d[i][j] = least(d[i - 1][j - 1] + change,
                            least(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
                same(a[i - 2], b[j - 1]))
                d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
        }
    return d[n][m];
}

void suggest_try(struct suggest *s, const char *candidate)
{
    size_t n = strlen(s->word), m = strlen(candidate);
    if (n == 0 || n > LONGEST || m > LONGEST)
        return;
    unsigned found = distance(s->word, n, candidate, m);
    if (found > (n < 3 ? 1 : n / 3) || found >= m)
        return;
    if (!s->best || found < s->distance) {
        s->best = candidate;
        s->distance = found;
    }
}

/* diag.c: the mistakes in a spec, collected and shown together. */
#include "cli/diag.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cli/source_line.h"
#include "cli/utf8.h"

enum { PRINTED = 20, QUOTED = 48, SENTENCE = 1024 };

struct mistake {
    struct mistake *older;
    size_t number; /* in the order they were found */
    bool nowhere;  /* about the file as a whole */
    struct place place;
    const char *text;
};

static void add(struct diag *diag, const struct place *place,
                const char *format, va_list list)
{
    char text[SENTENCE];
    struct mistake *m = arena_alloc(diag->memory, sizeof(*m));

    vsnprintf(text, sizeof(text), format, list);
    m->text = arena_copy(diag->memory, text, strlen(text));
    m->number = diag->count++;
    m->nowhere = !place;
    if (place)
        m->place = *place;
    m->older = diag->newest;
    diag->newest = m;
}

void diag_at(struct diag *diag, struct place place, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(diag, &place, format, list);
    va_end(list);
}

void diag_file(struct diag *diag, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    add(diag, NULL, format, list);
    va_end(list);
}

const char *diag_quote(struct diag *diag, const char *text)
{
    size_t size = strlen(text), kept = 0;
    uint32_t c;
    if (size <= QUOTED)
        return arena_format(diag->memory, "'%s'", text);
    while (kept < QUOTED)
        kept += utf8_decode(text + kept, size - kept, &c);
    return arena_format(diag->memory, "'%.*s...'", (int)kept, text);
}

const char *diag_meant(struct diag *diag, const char *best)
{
    return best ? arena_format(diag->memory, "; did you mean '%s'?", best) : "";
}

static int compare(const void *a, const void *b)
{
    const struct mistake *x = *(const struct mistake *const *)a;
    const struct mistake *y = *(const struct mistake *const *)b;
    bool x_late = x->place.origin, y_late = y->place.origin;

    if (x_late != y_late)
        return x_late ? 1 : -1;
    if (!x_late && x->place.offset != y->place.offset)
        return x->place.offset < y->place.offset ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static void print(const struct diag *diag, const struct mistake *m, FILE *out)
{
    const char *where = m->place.origin ? m->place.origin : diag->path;
    bool shown = !m->nowhere && !m->place.origin && diag->text;
    struct source_line line = { 0 };

    visible_print(where, strlen(where), out);
    if (shown) {
        line = source_line_at(diag->text, diag->size, m->place.offset);
        fprintf(out, ":%zu:%zu", line.line, line.column);
    }
    fputs(": ", out);
    visible_print(m->text, strlen(m->text), out);
    fputc('\n', out);
    if (shown)
        source_line_print(&line, out);
}

void diag_print(const struct diag *diag, FILE *out)
{
    if (diag->count == 0)
        return;
    const struct mistake **all =
        arena_alloc(diag->memory, diag->count * sizeof(struct mistake *));
    size_t n = 0;
    for (const struct mistake *m = diag->newest; m; m = m->older)
        all[n++] = m;
    qsort(all, n, sizeof(*all), compare);
    for (size_t i = 0; i < n && i < PRINTED; i++)
        print(diag, all[i], out);
    if (n > PRINTED)
        fprintf(out, "and %zu more\n", n - PRINTED);
}

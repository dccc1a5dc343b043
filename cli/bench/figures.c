/* figures.c: what `weft bench` measures. */
#include "cli/bench/figures.h"

#include <stdlib.h>
#include <string.h>

const char *const work_names[WORKS] = { "fork-join", "dag", "pipeline" };

const char *figures_decision(const struct figures *f, const char *what)
{
    for (size_t i = 0; i < f->decision_count; i++)
        if (strcmp(f->decisions[i].what, what) == 0)
            return f->decisions[i].text;
    return "";
}

void figures_finish(struct figures *f)
{
    for (size_t i = 0; i < f->decision_count; i++)
        free(f->decisions[i].text);
    free(f->decisions);
    free(f->each);
    free(f->memory);
}

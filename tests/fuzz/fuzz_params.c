/* fuzz_params.c: any mapping as the parameters of an operator.
 *
 * The first line names the operator, what follows is the value of `with`. The
 * numbered names that a good pattern makes fit into a path, or are refused. */
#include <errno.h>
#include <limits.h>

#include "cli/ops/pattern.h"
#include "cli/params.h"
#include "cli/yaml.h"
#include "tests/fuzz/fuzz.h"

/* `pattern` is a member of many; what is a pattern with a number is tried. */
static void use_patterns(const struct op *op, const void *params)
{
    char path[PATH_MAX];
    for (const struct param *p = op->params; p && p->name; p++) {
        if (p->type != PARAM_STRING)
            continue;
        const char *text = *(char *const *)((const char *)params + p->offset);
        CHECK(text);
        if (pattern_problem(text))
            continue;
        int rc = pattern_name(path, sizeof path, text, UINT64_MAX);
        CHECK(rc == -ENAMETOOLONG || (rc == 0 && strlen(path) < sizeof path));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_string(data, size), *rest = text;
    const struct op *op = op_find(strsep(&rest, "\n"));

    if (op && rest) {
        struct diag diag = { .memory = arena_create(), .path = "params" };
        diag.text = rest;
        diag.size = strlen(rest);
        const struct node *with = yaml_parse(&diag, rest, diag.size, NULL);
        if (with) {
            const void *params =
                params_fill(&diag, op, with, (struct place){ 0 });
            if (diag.count == 0)
                use_patterns(op, params);
        }
        FILE *nowhere = fopen("/dev/null", "w");
        CHECK(nowhere);
        diag_print(&diag, nowhere);
        fclose(nowhere);
        arena_destroy(diag.memory);
    }
    free(text);
    return 0;
}

/* cmd_check.c: weft check. */
#include <stdio.h>

#include "cli/args.h"

int cmd_check(const struct spec_args *args)
{
    struct spec spec;
    int code = spec_load(&spec, args);

    if (code != EXIT_OK)
        return code;
    printf("%s: ok, 1 source and %zu stage%s\n", spec.path, spec.stage_count,
           spec.stage_count == 1 ? "" : "s");
    spec_free(&spec);
    return EXIT_OK;
}

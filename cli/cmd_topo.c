/* cmd_topo.c: weft topo: what a scheduler found and decided, and why. */
#include <stdio.h>

#include "cli/args.h"
#include "cli/json.h"

static void say_line(void *ctx, const char *what, const char *text)
{
    printf("%-10s %s\n", what, text);
}

static void say_json(void *ctx, const char *what, const char *text)
{
    struct json *json = ctx;
    json_object(json, NULL);
    json_string(json, "what", what);
    json_string(json, "text", text);
    json_end(json);
}

static void print_json(const weft_sched *sched)
{
    struct json json = { .out = stdout };
    json_object(&json, NULL);
    json_string(&json, "version", WEFT_VERSION);
    json_count(&json, "workers", weft_sched_workers(sched));
    json_array(&json, "decisions");
    weft_sched_explain(sched, say_json, &json);
    json_end(&json);
    json_end(&json);
}

int cmd_topo(unsigned workers, bool json)
{
    weft_sched *sched;
    weft_error why;

    if (weft_sched_create(&sched, weft_config(sched, .workers = workers),
                          &why) != 0) {
        fprintf(stderr, "weft topo: %s\n", why.text);
        return EXIT_ENVIRONMENT;
    }
    if (json)
        print_json(sched);
    else
        weft_sched_explain(sched, say_line, NULL);
    weft_sched_destroy(sched);
    return EXIT_OK;
}

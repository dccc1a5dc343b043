/* fuzz_spec.c: any text as a spec, with settings from the command line.
 *
 * A line "#set KEY=VALUE" of the text is a --set, "#output DIR" an --output: a
 * comment to YAML, so that an input is a spec that `weft check` takes too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/spec.h"
#include "tests/fuzz/fuzz.h"

enum { SETTINGS = 8 };

/* What is said of the text is written, but not shown. */
static void be_quiet(void)
{
    static FILE *nowhere;
    if (nowhere)
        return;
    nowhere = fopen("/dev/null", "w");
    CHECK(nowhere);
    stderr = nowhere;
}

/* A file with this text; its name holds the descriptor. */
static void write_text(char *path, size_t size, const uint8_t *text,
                       size_t bytes)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("spec", MFD_CLOEXEC);
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0);
    CHECK(pwrite(fd, text, bytes, 0) == (ssize_t)bytes);
    snprintf(path, size, "/proc/self/fd/%d", fd);
}

static void read_line(struct spec_args *args, char *line)
{
    static const char set[] = "#set ", output[] = "#output ";
    char *value = strchr(line, '=');
    if (strncmp(line, output, sizeof output - 1) == 0)
        args->output = line + sizeof output - 1;
    if (strncmp(line, set, sizeof set - 1) || !value ||
        args->setting_count == SETTINGS)
        return;
    *value++ = '\0';
    args->settings[args->setting_count++] =
        (struct setting){ .origin = "--set",
                          .key = line + sizeof set - 1,
                          .value = value,
                          .literal = args->setting_count % 2 == 1 };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct setting settings[SETTINGS];
    char path[32];
    struct spec_args args = { .path = path, .settings = settings };
    struct spec spec = { 0 };
    char *lines = fuzz_string(data, size), *rest = lines, *line;

    be_quiet();
    write_text(path, sizeof path, data, size);
    while ((line = strsep(&rest, "\n")))
        read_line(&args, line);
    if (spec_load(&spec, &args) == 0) {
        CHECK(spec.stage_count > 0 && spec.source.op);
        CHECK(spec_slots(&spec, 0, 2) > 0);
        spec_free(&spec);
    }
    free(lines);
    return 0;
}

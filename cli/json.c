/* json.c: writes JSON to a stream.
 *
 * Nothing is built in memory: the commas and the indentation follow from the
 * depth and from whether something was written at it. */
#include "cli/json.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/utf8.h"

static void quoted(FILE *out, const char *text)
{
    fputc('"', out);
    for (const char *end = text + strlen(text); text < end;) {
        uint32_t c;
        size_t size = utf8_decode(text, (size_t)(end - text), &c);
        if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (int)c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < 0x20 || c == 0x7f || c == UTF8_INVALID)
            fprintf(out, "\\u%04x", c == UTF8_INVALID ? 0xfffd : c);
        else
            fwrite(text, 1, size, out);
        text += size;
    }
    fputc('"', out);
}

/* Up to where the value comes. */
static void lead(struct json *j, const char *key)
{
    if (j->depth > 0) {
        fprintf(j->out, "%s\n%*s", j->used[j->depth - 1] ? "," : "",
                (int)j->depth * 2, "");
        j->used[j->depth - 1] = true;
    }
    if (key) {
        quoted(j->out, key);
        fputs(": ", j->out);
    }
}

static void open_with(struct json *j, const char *key, char opens, char closes)
{
    assert(j->depth < JSON_DEPTH);
    lead(j, key);
    fputc(opens, j->out);
    j->used[j->depth] = false;
    j->close[j->depth++] = closes;
}

void json_object(struct json *j, const char *key)
{
    open_with(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
    open_with(j, key, '[', ']');
}

void json_end(struct json *j)
{
    assert(j->depth > 0);
    j->depth--;
    if (j->used[j->depth])
        fprintf(j->out, "\n%*s", (int)j->depth * 2, "");
    fputc(j->close[j->depth], j->out);
    if (j->depth == 0)
        fputc('\n', j->out);
}

void json_string(struct json *j, const char *key, const char *text)
{
    lead(j, key);
    quoted(j->out, text);
}

void json_count(struct json *j, const char *key, uint64_t value)
{
    lead(j, key);
    fprintf(j->out, "%" PRIu64, value);
}

void json_number(struct json *j, const char *key, double value)
{
    lead(j, key);
    if (isfinite(value))
        fprintf(j->out, "%.9g", value);
    else
        fputs("null", j->out); /* JSON has no infinity */
}

void json_bool(struct json *j, const char *key, bool value)
{
    lead(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
    lead(j, key);
    fputs("null", j->out);
}

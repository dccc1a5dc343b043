/* json.h: writes JSON to a stream, indented, one member a line.
 *
 *     struct json j = { .out = stdout };
 *     json_object(&j, NULL);
 *     json_count(&j, "items", 615);
 *     json_array(&j, "stages");
 *     json_string(&j, NULL, "read");
 *     json_end(&j);
 *     json_end(&j);
 *
 * The key is NULL inside an array and at the top. Strings may hold any bytes:
 * what is not UTF-8 is written as U+FFFD. */
#ifndef WEFT_CLI_JSON_H
#define WEFT_CLI_JSON_H
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_DEPTH = 16 };

struct json {
    FILE *out;
    unsigned depth;
    bool used[JSON_DEPTH];  /* something was written at this depth */
    char close[JSON_DEPTH]; /* what ends it */
};

void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* of the innermost; the last ends the line */

void json_string(struct json *j, const char *key, const char *text);
void json_count(struct json *j, const char *key, uint64_t value);
void json_number(struct json *j, const char *key, double value);
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);
#endif

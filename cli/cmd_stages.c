/* cmd_stages.c: weft stages: what a spec can use, from the operators' tables.
 *
 * All of them with a line for each parameter, or one in full. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/carries.h"
#include "cli/suggest.h"

enum { COLUMNS = 78 };

/* Words up to the edge, the lines after the first indented. */
static void wrap(const char *text, size_t indent, size_t column)
{
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > indent && column + 1 + word > COLUMNS) {
            printf("\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            putchar(' ');
            column++;
        }
        fwrite(text, 1, word, stdout);
        column += word;
        text += word + strspn(text + word, " ");
    }
    putchar('\n');
}

static void print_range(const struct param *p)
{
    if (p->max)
        printf("%" PRIu64 " to %" PRIu64, p->min, p->max);
    else
        printf("%" PRIu64 " or more", p->min);
}

static void print_type(const struct param *p)
{
    switch (p->type) {
    case PARAM_STRING:
        printf("text");
        break;
    case PARAM_STRINGS:
        printf("text or list of texts");
        break;
    case PARAM_COUNT:
    case PARAM_SIZE:
        print_range(p);
        break;
    case PARAM_CHOICE:
        for (const char *const *c = p->choices; *c; c++)
            printf("%s%s", c == p->choices ? "" : c[1] ? ", " : " or ", *c);
        break;
    case PARAM_BOOL:
        printf("true or false");
        break;
    }
    if (p->unit)
        printf(" %s", p->unit);
    if (p->type == PARAM_SIZE)
        printf(", such as 64KiB");
}

static void print_params(const struct op *op, bool full)
{
    size_t longest = 0;
    for (const struct param *p = op->params; p && p->name; p++)
        if (strlen(p->name) > longest)
            longest = strlen(p->name);
    for (const struct param *p = op->params; p && p->name; p++) {
        printf("    %-*s  ", (int)longest, p->name);
        print_type(p);
        if (p->fallback)
            printf("; default %s", *p->fallback ? p->fallback : "\"\"");
        else
            printf("; required");
        putchar('\n');
        if (full) {
            printf("%*s", (int)longest + 6, "");
            wrap(p->help, longest + 6, longest + 6);
        }
    }
}

static void print_flow(const struct op *op)
{
    printf("    ");
    if (op->kind == OP_SOURCE)
        printf("a source: gives %s", carries_name(op->gives));
    else
        printf("takes %s%s, gives %s", carries_name(op->takes),
               op->or_bytes ? " or bytes" : "", carries_name(op->gives));
    putchar('\n');
}

/* The keys that stand beside `with`. */
static void print_keys(const struct op *op)
{
    if (op->kind == OP_SOURCE)
        return;
    const char *key = op->tokens_key ? op->tokens_key : "tokens";
    int width = (int)strlen(key);
    printf("\n    beside 'with':\n    %s  ", key);
    if (op->serial)
        puts("1: the items one at a time");
    else if (op->tokens)
        printf("items at a time, or auto; default %u\n", op->tokens);
    else
        puts("items at a time; default auto, one per worker");
    printf("    %-*s  any or input; default %s\n", width, "order",
           op->ordered ? "input" : "any");
}

static void print_op(const struct op *op, bool full)
{
    printf("%s\n    ", op->name);
    wrap(op->help, 4, 4);
    print_flow(op);
    if (full && op->params && op->params->name)
        printf("\n    with:\n");
    print_params(op, full);
    if (full)
        print_keys(op);
}

int cmd_stages(const char *name)
{
    if (!name) {
        for (const struct op *const *op = all_ops; *op; op++) {
            print_op(*op, false);
            putchar('\n');
        }
        puts("'weft stages OPERATOR' says what each parameter means.");
        return EXIT_OK;
    }
    const struct op *op = op_find(name);
    if (op) {
        print_op(op, true);
        return EXIT_OK;
    }
    struct suggest meant = { .word = name };
    for (const struct op *const *o = all_ops; *o; o++)
        suggest_try(&meant, (*o)->name);
    fprintf(stderr, "weft stages: there is no operator '%s'", name);
    if (meant.best)
        fprintf(stderr, "; did you mean '%s'?\n", meant.best);
    else
        fputs("; 'weft stages' lists them\n", stderr);
    return EXIT_USAGE;
}

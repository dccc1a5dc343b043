/* picture.c: nodes, edges and groups of them, as text for programs that draw.
 *
 * Whatever a name is made of, the text is well-formed and shows that name.
 *
 *            DOT                       Mermaid
 *     "      \"                        #quot;
 *     \      \\                        #92;
 *     & < >  &amp; as it is            #amp; #lt; #gt;
 *     # ` %  as it is                  #35; #96; #37; (%%{ is a directive)
 *     newline \n                       <br/>
 *
 * What is not UTF-8, and what would control a terminal, is shown as U+FFFD. */
#include "graph/picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/plan.h"
#include "sched/sched.h"

static const char unknown[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- text -------------------------------------------------------------- */

/* How many bytes the character has, or 0: that is no UTF-8. */
static size_t character(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;
    size_t n = c[0] < 0x80   ? 1
               : c[0] < 0xc2 ? 0
               : c[0] < 0xe0 ? 2
               : c[0] < 0xf0 ? 3
               : c[0] < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++)
        if ((c[i] & 0xc0) != 0x80)
            return 0;
    bool overlong =
        (c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xf0 && c[1] < 0x90);
    bool surrogate = c[0] == 0xed && c[1] > 0x9f;
    bool beyond = c[0] == 0xf4 && c[1] > 0x8f;
    return n > 1 && (overlong || surrogate || beyond) ? 0 : n;
}

static const char *escape(enum weft_picture format, char c)
{
    bool dot = format == WEFT_DOT;

    switch (c) {
    case '"':
        return dot ? "\\\"" : "#quot;";
    case '\\':
        return dot ? "\\\\" : "#92;";
    case '&':
        return dot ? "&amp;" : "#amp;";
    case '\n':
        return dot ? "\\n" : "<br/>";
    case '<':
        return dot ? NULL : "#lt;";
    case '>':
        return dot ? NULL : "#gt;";
    case '#':
        return dot ? NULL : "#35;";
    case '`':
        return dot ? NULL : "#96;";
    case '%':
        return dot ? NULL : "#37;";
    default:
        return (unsigned char)c < 0x20 || c == 0x7f ? unknown : NULL;
    }
}

static void put_text(const struct picture *p, const char *text)
{
    while (*text) {
        size_t bytes = character(text);
        const char *instead = bytes ? escape(p->format, *text) : unknown;
        if (instead)
            fputs(instead, p->to);
        else
            fwrite(text, 1, bytes, p->to);
        text += bytes ? bytes : 1;
    }
}

static void put_quoted(const struct picture *p, const char *text)
{
    fputc('"', p->to);
    put_text(p, text);
    fputc('"', p->to);
}

/* ---- what there is in a picture ---------------------------------------- */

void wf_picture_begin(const struct picture *p, const char *title)
{
    if (p->format == WEFT_MERMAID) {
        fputs("flowchart LR\n", p->to);
        if (!title)
            return;
        fputs("    says[", p->to);
        put_quoted(p, title);
        fputs("]\n    classDef bottleneck stroke:#d00,stroke-width:4px\n",
              p->to);
        return;
    }
    fputs("digraph weft {\n    rankdir=LR;\n", p->to);
    if (!title)
        return;
    fputs("    label=", p->to);
    put_quoted(p, title);
    fputs(";\n", p->to);
}

void wf_picture_end(const struct picture *p)
{
    if (p->format == WEFT_DOT)
        fputs("}\n", p->to);
}

void wf_picture_group(const struct picture *p, unsigned id, const char *label,
                      bool marked)
{
    if (p->format == WEFT_MERMAID) {
        fprintf(p->to, "    subgraph g%u[", id);
        put_quoted(p, label);
        fputs("]\n", p->to);
        return;
    }
    fprintf(p->to, "    subgraph cluster_%u {\n        label=", id);
    put_quoted(p, label);
    fputs(marked ? ";\n        color=red;\n        penwidth=3;\n" : ";\n",
          p->to);
}

void wf_picture_group_end(const struct picture *p, unsigned id, bool marked)
{
    fputs(p->format == WEFT_DOT ? "    }\n" : "    end\n", p->to);
    if (p->format == WEFT_MERMAID && marked)
        fprintf(p->to, "    style g%u stroke:#d00,stroke-width:4px\n", id);
}

static void node_in_dot(const struct picture *p, unsigned id,
                        enum node_shape shape, const char *name,
                        const char *more, bool marked)
{
    static const char *const shapes[] = {
        [ENDS] = "ellipse",         [DOES] = "box",
        [JOINS_MANY] = "trapezium", [MAKES_MANY] = "invtrapezium",
        [CHOOSES] = "diamond",      [MEETS] = "circle",
        [MERGES] = "invhouse",
    };

    fprintf(p->to, "        s%u [shape=%s label=\"", id, shapes[shape]);
    put_text(p, name);
    if (*more)
        put_text(p, "\n");
    put_text(p, more);
    fputs(marked ? "\" color=red penwidth=3];\n" : "\"];\n", p->to);
}

static void node_in_mermaid(const struct picture *p, unsigned id,
                            enum node_shape shape, const char *name,
                            const char *more, bool marked)
{
    static const char *const shapes[][2] = {
        [ENDS] = { "([", "])" },        [DOES] = { "[", "]" },
        [JOINS_MANY] = { "[/", "\\]" }, [MAKES_MANY] = { "[\\", "/]" },
        [CHOOSES] = { "{", "}" },       [MEETS] = { "((", "))" },
        [MERGES] = { "[/", "/]" },
    };

    fprintf(p->to, "        s%u%s\"", id, shapes[shape][0]);
    put_text(p, name);
    if (*more)
        put_text(p, "\n");
    put_text(p, more);
    fprintf(p->to, "\"%s%s\n", shapes[shape][1], marked ? ":::bottleneck" : "");
}

void wf_picture_node(const struct picture *p, unsigned id,
                     enum node_shape shape, const char *name, const char *more,
                     bool marked)
{
    if (p->format == WEFT_DOT)
        node_in_dot(p, id, shape, name, more, marked);
    else
        node_in_mermaid(p, id, shape, name, more, marked);
}

void wf_picture_edge(const struct picture *p, unsigned from, unsigned to,
                     const char *label)
{
    wf_picture_edge_as(p, from, to, label, PLAIN);
}

static void edge_in_dot(const struct picture *p, unsigned from, unsigned to,
                        const char *label, enum edge_look look)
{
    static const char *const looks[] = {
        [PLAIN] = "",
        [MARKED] = "color=red penwidth=3",
        [MAY_BE] = "style=dashed",
    };
    bool both = *label && look != PLAIN;

    fprintf(p->to, "    s%u -> s%u", from, to);
    if (*label || look != PLAIN)
        fprintf(p->to, " [%s%s", looks[look], both ? " " : "");
    if (*label) {
        fputs("label=", p->to);
        put_quoted(p, label);
    }
    fputs(*label || look != PLAIN ? "];\n" : ";\n", p->to);
}

void wf_picture_edge_as(const struct picture *p, unsigned from, unsigned to,
                        const char *label, enum edge_look look)
{
    static const char *const arrows[] = {
        [PLAIN] = "-->",
        [MARKED] = "==>",
        [MAY_BE] = "-.->",
    };

    if (p->format == WEFT_DOT) {
        edge_in_dot(p, from, to, label, look);
        return;
    }
    fprintf(p->to, "    s%u %s", from, arrows[look]);
    if (*label) {
        fputs("|", p->to);
        put_quoted(p, label);
        fputs("|", p->to);
    }
    fprintf(p->to, " s%u\n", to);
}

/* ---- a picture of a plan ----------------------------------------------- */

int weft_plan_draw(char **out, const weft_plan *plan, struct weft_run *run,
                   enum weft_picture format, weft_error *why)
{
    char *text = NULL;
    size_t length;

    if (format != WEFT_DOT && format != WEFT_MERMAID)
        return wf_error(why, -EINVAL, "there is no picture format %d",
                        (int)format);
    if (run && run->plan != plan)
        return wf_error(why, -EINVAL, "the run is one of another plan");
    struct picture p = { .to = open_memstream(&text, &length),
                         .format = format };
    int rc = p.to ? plan->kind->draw(&p, plan, run) : -ENOMEM;
    if (p.to && (fclose(p.to) || !text) && !rc)
        rc = -ENOMEM;
    if (rc) {
        free(text);
        return wf_error(why, rc, "no memory for the picture of a plan");
    }
    *out = text;
    return 0;
}

/* chart.c: the scaling curve, as a picture.
 *
 * Efficiency over the number of workers, which doubles from one mark to the
 * next. Every work has a colour of middle lightness, and a mark of its own
 * shape, so that neither the background nor the eye has to tell colours. */
#include "cli/bench/chart.h"

#include <math.h>

enum { WIDTH = 640, HEIGHT = 400, LEFT = 70, RIGHT = 610, TOP = 70, LOW = 340 };

static const struct look {
    const char *colour, *dash;
    const char *mark; /* a path around 0,0 */
} looks[WORKS] = {
    { "#3b82f6", "none", "M-5,-5h10v10h-10z" },
    { "#d97706", "8 4", "M0,-6L6,5H-6z" },
    { "#16a34a", "3 3", "M0,-6L6,0L0,6L-6,0z" },
};

static unsigned most_workers(const struct figures *f)
{
    return f->point_count > 0 ? f->points[f->point_count - 1].workers : 1;
}

static double x_of(const struct figures *f, unsigned workers)
{
    double range = log2(most_workers(f));
    return range > 0 ? LEFT + (RIGHT - LEFT) * log2(workers) / range
                     : (LEFT + RIGHT) / 2.0;
}

/* Tens of percent, 100 at least: a machine may be faster than its plain loop.
 */
static double top(const struct figures *f)
{
    double most = 1;
    for (size_t i = 0; i < f->point_count; i++)
        for (size_t work = 0; work < WORKS; work++)
            most =
                fmax(most, f->points[i].speedup[work] / f->points[i].workers);
    return ceil(most * 10) / 10;
}

static double y_of(const struct figures *f, double efficiency)
{
    return LOW - (LOW - TOP) * efficiency / top(f);
}

static void axes(const struct figures *f, FILE *out)
{
    for (unsigned percent = 0; percent <= 100; percent += 25) {
        double y = y_of(f, percent / 100.0);
        fprintf(out,
                "<path class=\"grid\" d=\"M%d,%.1fH%d\"/>\n"
                "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%u %%</text>\n",
                LEFT, y, RIGHT, LEFT - 10, y + 4, percent);
    }
    for (size_t i = 0; i < f->point_count; i++)
        fprintf(out,
                "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%u</text>\n",
                x_of(f, f->points[i].workers), LOW + 22, f->points[i].workers);
    fprintf(out,
            "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">workers</text>\n",
            (LEFT + RIGHT) / 2, LOW + 46);
}

static void legend(size_t work, FILE *out)
{
    unsigned x = LEFT + 130 * (unsigned)work, y = TOP - 20;
    fprintf(out,
            "<path class=\"line\" stroke=\"%s\" stroke-dasharray=\"%s\" "
            "d=\"M%u,%uh30\"/>\n"
            "<path fill=\"%s\" transform=\"translate(%u,%u)\" d=\"%s\"/>\n"
            "<text x=\"%u\" y=\"%u\">%s</text>\n",
            looks[work].colour, looks[work].dash, x, y, looks[work].colour,
            x + 15, y, looks[work].mark, x + 38, y + 4, work_names[work]);
}

static void curve(const struct figures *f, size_t work, FILE *out)
{
    const struct look *look = &looks[work];

    fprintf(out,
            "<path class=\"line\" stroke=\"%s\" stroke-dasharray=\"%s\" d=\"",
            look->colour, look->dash);
    for (size_t i = 0; i < f->point_count; i++) {
        const struct point *p = &f->points[i];
        fprintf(out, "%c%.1f,%.1f", i == 0 ? 'M' : 'L', x_of(f, p->workers),
                y_of(f, p->speedup[work] / p->workers));
    }
    fputs("\"/>\n", out);
    for (size_t i = 0; i < f->point_count; i++) {
        const struct point *p = &f->points[i];
        fprintf(out,
                "<path fill=\"%s\" transform=\"translate(%.1f,%.1f)\" "
                "d=\"%s\"/>\n",
                look->colour, x_of(f, p->workers),
                y_of(f, p->speedup[work] / p->workers), look->mark);
    }
}

void chart_print(const struct figures *f, FILE *out)
{
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%d\" viewBox=\"0 0 %d %d\" role=\"img\">\n"
            "<title>weft: efficiency with 1 to %u workers</title>\n"
            "<style>text{font:13px sans-serif;fill:#7d7d7d}"
            ".grid{stroke:#7d7d7d;stroke-opacity:.35;fill:none}"
            ".line{stroke-width:2;fill:none}</style>\n"
            "<text x=\"%d\" y=\"24\" font-weight=\"bold\">"
            "Efficiency, against a plain loop on one worker</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, most_workers(f), LEFT);
    axes(f, out);
    for (size_t work = 0; work < WORKS; work++) {
        legend(work, out);
        curve(f, work, out);
    }
    fputs("</svg>\n", out);
}

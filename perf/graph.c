/* graph.c: what does a node of a graph cost, in time and in memory?
 *
 *     graph [NODES [WORKERS]]
 *
 * Draws, compiles, runs, runs again and destroys graphs of empty tasks, each of
 * about so many nodes, in a process of its own: its peak is that of one graph.
 *
 *     chain         each task after the one before
 *     tree          task i after task (i - 1) / 2
 *     wavefront     a square; each task after those left of and above it
 *     independent   no edges
 *
 * Bytes are those of the process, added up over all that it has at that time:
 * the drawing; the drawing and the plan; the plan and the run. */
#include <math.h>
#include <sys/wait.h>
#include <unistd.h>

#include "perf/bench.h"
#include "weft/weft.h"

enum { AGAIN = 5 };

static int nothing(weft_worker *self, void *ctx) { return 0; }

static void chain(weft_graph *g, size_t n)
{
    weft_node last = weft_task(g, NULL, nothing, NULL);

    for (size_t i = 1; i < n; i++) {
        weft_node node = weft_task(g, NULL, nothing, NULL);
        weft_after(g, node, last);
        last = node;
    }
}

static void tree(weft_graph *g, size_t n)
{
    weft_node first = weft_task(g, NULL, nothing, NULL);

    for (unsigned i = 1; i < n; i++) {
        weft_node node = weft_task(g, NULL, nothing, NULL);
        weft_after(g, node, (weft_node){ first.id + (i - 1) / 2 });
    }
}

static void wavefront(weft_graph *g, size_t n)
{
    unsigned side = (unsigned)sqrt((double)n);

    for (unsigned i = 0; i < side * side; i++) {
        weft_node node = weft_task(g, NULL, nothing, NULL);
        if (i % side)
            weft_after(g, node, (weft_node){ node.id - 1 });
        if (i / side)
            weft_after(g, node, (weft_node){ node.id - side });
    }
}

static void independent(weft_graph *g, size_t n)
{
    for (size_t i = 0; i < n; i++)
        weft_task(g, NULL, nothing, NULL);
}

static const struct {
    const char *name;
    void (*draw)(weft_graph *g, size_t n);
} shapes[] = {
    { "chain", chain },
    { "tree", tree },
    { "wavefront", wavefront },
    { "independent", independent },
};

/* What the process has of memory now, in bytes. */
static double resident(void)
{
    long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (!statm || fscanf(statm, "%*d %ld", &pages) != 1)
        must(-EIO, "/proc/self/statm cannot be read");
    fclose(statm);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

struct phase {
    uint64_t began;
    double empty; /* bytes of the process before the drawing */
    double nodes;
};

static void begin(struct phase *p) { p->began = wall_ns(); }

static void tell(const struct phase *p, const char *what, double times)
{
    double ns = (double)(wall_ns() - p->began) / times;

    printf("    %-10s %8.1f ns per node, %6.1f bytes\n", what, ns / p->nodes,
           (resident() - p->empty) / p->nodes);
}

static void measure(unsigned shape, size_t n, unsigned workers)
{
    weft_error why = { "" };
    weft_sched *sched;
    weft_plan *plan;
    struct weft_run *run;

    must(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), &why),
        why.text);
    struct phase p = { .nodes = (double)n, .empty = resident() };
    printf("%s\n", shapes[shape].name);
    begin(&p);
    weft_graph *g = weft_graph_create();
    shapes[shape].draw(g, n);
    tell(&p, "draw", 1);
    begin(&p);
    must(weft_compile(&plan, g, &why), why.text);
    tell(&p, "compile", 1);
    weft_graph_destroy(g);
    begin(&p);
    must(weft_start(&run, sched, plan, &why), why.text);
    must(weft_wait(run, -1, &why), why.text);
    tell(&p, "first run", 1);
    weft_run_destroy(run);
    begin(&p);
    for (int i = 0; i < AGAIN; i++)
        must(weft_run(sched, plan, &why), why.text);
    tell(&p, "run again", AGAIN);
    begin(&p);
    weft_plan_destroy(plan);
    tell(&p, "destroy", 1);
    weft_sched_destroy(sched);
    printf("    peak %.1f bytes per node, %ld KiB\n",
           (double)peak_kib() * 1024 / p.nodes, peak_kib());
}

int main(int argc, char **argv)
{
    size_t nodes = argument(argc, argv, 1, 1000000);
    unsigned workers = (unsigned)argument(argc, argv, 2, 0);
    int failed = 0;

    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int status = 0;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            measure(i, nodes ? nodes : 1, workers);
            return 0;
        }
        must(child < 0 ? -errno : 0, "no process for a measurement");
        waitpid(child, &status, 0);
        failed |= status;
    }
    return failed ? 1 : 0;
}

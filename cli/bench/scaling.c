/* scaling.c: how much faster the same work is with more workers.
 *
 * In turn, round by round: what disturbs a machine for a while then disturbs
 * all numbers of workers alike. Compared is with a plain loop in the same
 * round. */
#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/percentile.h"
#include "cli/bench/works.h"

enum { LEAST_ROUNDS = 3, MOST_ROUNDS = 15 };

struct scaling {
    struct works works;
    weft_sched *scheds[MOST_POINTS];
    double speedup[MOST_POINTS][WORKS][MOST_ROUNDS];
};

/* 1, 2, 4 and so on, and all of them; but the two that are there already. */
static int create_scheds(struct bench *b, struct scaling *s, weft_error *why)
{
    struct figures *f = &b->figures;
    for (unsigned n = 1;; n = n * 2 < f->workers ? n * 2 : f->workers) {
        size_t i = f->point_count++;
        f->points[i].workers = n;
        s->scheds[i] = n == f->workers ? b->all : b->one;
        if (n == f->workers)
            return 0;
        int rc = n == 1
                     ? 0
                     : weft_sched_create(&s->scheds[i],
                                         weft_config(sched, .workers = n), why);
        if (rc) {
            f->point_count--;
            return rc;
        }
    }
}

static void destroy_scheds(struct bench *b, struct scaling *s)
{
    for (size_t i = 0; i < b->figures.point_count; i++)
        if (s->scheds[i] != b->one && s->scheds[i] != b->all)
            weft_sched_destroy(s->scheds[i]);
}

static int one_round(struct bench *b, struct scaling *s, size_t round,
                     weft_error *why)
{
    for (size_t work = 0; work < WORKS; work++) {
        double plain, ns;
        int rc = works_plain(&s->works, work, b->one, &plain, why);
        for (size_t i = 0; i < b->figures.point_count && rc == 0; i++) {
            rc = works_run(&s->works, work, s->scheds[i], &ns, why);
            s->speedup[i][work][round] = plain / ns;
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int measure(struct bench *b, struct scaling *s, weft_error *why)
{
    struct figures *f = &b->figures;
    double start = now_ns();
    size_t rounds = 0;
    int rc = works_init(&s->works, f->workers, f->alone, b->quick, why);

    if (rc == 0)
        rc = create_scheds(b, s, why);
    while (rc == 0 && rounds < MOST_ROUNDS &&
           (rounds < LEAST_ROUNDS || now_ns() - start < 20 * b->slice_ns))
        rc = one_round(b, s, rounds++, why);
    for (size_t i = 0; i < f->point_count && rc == 0; i++)
        for (size_t work = 0; work < WORKS; work++)
            f->points[i].speedup[work] = median(s->speedup[i][work], rounds);
    destroy_scheds(b, s);
    works_finish(&s->works);
    return rc;
}

int bench_scaling(struct bench *b, weft_error *why)
{
    static struct scaling s; /* too large for a stack */
    return measure(b, &s, why);
}

/* pace.c: which measurement is going on, a line on a terminal. */
#include "cli/bench/pace.h"

#include <unistd.h>

void pace_init(struct pace *p, unsigned steps)
{
    *p = (struct pace){ .steps = steps };
    pthread_mutex_init(&p->lock, NULL);
    term_init(&p->term, STDERR_FILENO);
}

void pace_end(struct pace *p)
{
    pthread_mutex_lock(&p->lock);
    term_erase(&p->term);
    term_leave(&p->term);
    p->term.live = false;
    pthread_mutex_unlock(&p->lock);
}

void pace_leave(struct pace *p)
{
    pthread_mutex_lock(&p->lock);
    term_leave(&p->term);
}

void pace_return(struct pace *p) { pthread_mutex_unlock(&p->lock); }

void pace_finish(struct pace *p)
{
    pace_end(p);
    pthread_mutex_destroy(&p->lock);
}

void pace_step(struct pace *p, const char *what)
{
    p->done++;
    pthread_mutex_lock(&p->lock);
    if (term_begin(&p->term)) {
        term_add(&p->term, TERM_BOLD, "%u of %u", p->done, p->steps);
        term_add(&p->term, TERM_PLAIN, "  %s", what);
        term_end_line(&p->term);
        term_draw(&p->term);
    }
    pthread_mutex_unlock(&p->lock);
}

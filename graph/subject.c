/* subject.c: who failed, in a sentence.
 *
 * A name is copied once. Where a failure passes down, what was not called has
 * the subject of what failed, and the sentence is made when it is asked for.
 *
 *  [S] Giving back a reference is acq_rel, so the last one comes after all that
 *      others have read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/future.h"

struct subject wf_a_task = { .text = "a task" };

struct subject *wf_subject(const char *noun, const char *name)
{
    if (!name)
        return wf_subject_hold(&wf_a_task);
    size_t bytes = strlen(noun) + strlen(name) + sizeof " ''";
    struct subject *s = malloc(sizeof *s + bytes);
    if (!s)
        return NULL;
    snprintf((char *)(s + 1), bytes, "%s '%s'", noun, name);
    s->text = (char *)(s + 1);
    atomic_init(&s->refs, 1);
    return s;
}

struct subject *wf_subject_hold(struct subject *s)
{
    if (load_relaxed(&s->refs))
        add_relaxed(&s->refs, 1);
    return s;
}

void wf_subject_drop(struct subject *s)
{
    if (s && load_relaxed(&s->refs) && sub_acq_rel(&s->refs, 1) == 1) /* [S] */
        free(s);
}

void wf_future_blame(weft_future *f, weft_future *source)
{
    struct subject *s = wf_subject_hold(source->subject);

    wf_subject_drop(f->subject);
    f->subject = s;
}

int weft_future_why(weft_future *f, weft_error *why)
{
    if (!(load_acquire(&f->state) & DONE)) /* [F] in future.c */
        return wf_error(why, -EINPROGRESS, "it is not done yet");
    int rc = f->result;
    if (!rc)
        return 0;
    if (rc == -ECANCELED)
        return wf_error(why, rc, "%.200s was cancelled", f->subject->text);
    return wf_error(why, rc, "%.200s failed: %s", f->subject->text,
                    strerror(-rc));
}

/* then.c: a task that comes after a future.
 *
 * It listens to the future before it, with a reference to itself. When it hears
 * the result it is ready to run; or, where it is not for such a result, it has
 * this result too, without having run: settle.c goes on with whoever listens to
 * it. If it was cancelled before, it stops listening. */
#include <errno.h>
#include <string.h>

#include "graph/future.h"

struct then {
    weft_future f;
    struct listener listener;
    weft_future *source; /* an address, no reference: [L] in settle.c */
    weft_then_fn *fn;
    void *ctx;
    weft_ask_fn *cancel;
    enum weft_on on;
    int result; /* of the source */
};

static struct then *then_of(struct listener *l)
{
    return (struct then *)((char *)l - offsetof(struct then, listener));
}

static int call_then(weft_worker *self, void *ctx)
{
    struct then *t = ctx;

    return t->fn(self, t->result, t->ctx);
}

static void hear(struct listener *l, weft_future *source, struct settling *s)
{
    struct then *t = then_of(l);
    enum weft_on on = source->result ? WEFT_ERROR : WEFT_SUCCESS;

    t->result = source->result;
    if (t->on == on || t->on == WEFT_ALWAYS)
        wf_settling_ready(s, &t->f);
    else
        wf_settling_pass(s, &t->f, source);
}

static void withdraw(weft_future *f)
{
    struct then *t = (struct then *)f; /* its first member */

    if (wf_unlisten(t->source, &t->listener))
        wf_future_drop(f);
}

static void ask(weft_future *f)
{
    struct then *t = (struct then *)f;

    if (t->cancel)
        t->cancel(t->ctx);
}

static weft_future *waits_for(weft_future *f, size_t *from)
{
    struct then *t = (struct then *)f;

    if ((*from)++)
        return NULL;
    return wf_hold_source(t->source, &t->listener) ? t->source : NULL;
}

static const struct future_kind kind = {
    .withdraw = withdraw,
    .ask = ask,
    .asks_early = true,
    .waits_for = waits_for,
};

int weft_then(weft_future *f, const struct weft_then_config *config,
              weft_future **out, weft_error *why)
{
    struct weft_then_config c = { 0 };

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!c.fn || (unsigned)c.on > WEFT_ALWAYS)
        return wf_error(why, -EINVAL, "task '%.200s' has no %s",
                        c.name ? c.name : "",
                        c.fn ? "valid value of `on`" : "function");
    /* References of its own, of the listener, and the handle. */
    struct then *t = (struct then *)wf_future_create(
        f->sched, &kind, wf_subject("task", c.name), sizeof *t,
        out ? 3 * REF : 2 * REF);
    if (!t)
        return wf_error(why, -ENOMEM, "no memory for what comes after");
    t->f.fn = call_then;
    t->f.ctx = t;
    t->listener.hear = hear;
    t->source = f;
    t->fn = c.fn;
    t->ctx = c.ctx;
    t->cancel = c.cancel;
    t->on = c.on;
    if (out)
        *out = &t->f;
    if (!wf_listen(f, &t->listener)) {
        struct settling s = wf_settling_begin();
        hear(&t->listener, f, &s);
        wf_settling_end(&s);
    }
    return 0;
}

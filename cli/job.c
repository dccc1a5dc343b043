/* job.c: a loaded spec at work: scheduler, operators, pipeline, run.
 *
 * A signal may ask for the end at any moment, from its own thread: while the
 * operators open, during the run, while they close. `lock` covers what it
 * finds: before the run a wish is kept and job_start obeys it; afterwards
 * `abortable` says whether the run and the operators are there to be told. */
#include "cli/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/item.h"
#include "cli/sandbox.h"

double job_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

const struct stage_spec *job_stage(const struct spec *spec, size_t stage)
{
    return stage == 0 ? &spec->source : &spec->stages[stage - 1];
}

/* Called by workers, and by operators that close. The run is there: it does not
 * end while a worker is in a callback, and job_close comes before job_destroy.
 * Only the first writes the text, which is read after the run. */
int job_fatal(struct job *job, int error, const char *format, ...)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&job->fatal, &none, error))
        return error;

    va_list args;
    va_start(args, format);
    vsnprintf(job->fatal_text, sizeof job->fatal_text, format, args);
    va_end(args);

    struct weft_run *run = atomic_load(&job->run);
    if (run)
        weft_cancel(run);
    return error;
}

void job_init(struct work *w, const struct spec *spec, bool dry,
              enum resume_mode mode, uint64_t seed)
{
    *w = (struct work){ .spec = spec,
                        .job.dry = dry,
                        .job.sandbox = -1,
                        .mode = mode,
                        .seed = seed };
    pthread_mutex_init(&w->lock, NULL);
    failures_init(&w->failures);
}

/* Items and their slots. */

static void empty_item(void *item_, void *ctx)
{
    struct item *item = item_;
    item->path = item->key = item->extension = NULL;
    item->bytes.size = item->image.pixels.size = 0;
    item->image.width = item->image.height = 0;
    item->source_size = item->source_xxh3 = 0;
    item->source_width = item->source_height = 0;
    item->op = NULL;
}

static void free_item(void *item_, void *ctx)
{
    struct item *item = item_;
    buffer_free(&item->bytes);
    buffer_free(&item->image.pixels);
}

static void empty_batch(void *batch_, void *ctx)
{
    struct batch *batch = batch_;
    batch->pixels.size = batch->header.size = 0;
    batch->count = batch->width = batch->height = 0;
    batch->op = NULL;
}

static void free_batch(void *batch_, void *ctx)
{
    struct batch *batch = batch_;
    buffer_free(&batch->pixels);
    buffer_free(&batch->header);
    buffer_free(&batch->numbers);
}

static struct weft_items items_of(const struct work *w, unsigned segment)
{
    unsigned slots = spec_slots(w->spec, segment, w->job.workers);
    if (segment == 0)
        return (struct weft_items){ .bytes = sizeof(struct item),
                                    .slots = slots,
                                    .reset = empty_item,
                                    .finish = free_item };
    return (struct weft_items){ .bytes = sizeof(struct batch),
                                .slots = slots,
                                .reset = empty_batch,
                                .finish = free_batch };
}

/* Failures. A stage belongs to the segment that it takes its items from. */

static unsigned find_stage(const struct spec *spec, const char *name,
                           unsigned *segment)
{
    *segment = 0;
    for (size_t i = 0; i < spec->stage_count; i++) {
        if (strcmp(spec->stages[i].name, name) == 0)
            return (unsigned)i + 1;
        if (spec->stages[i].op->kind == OP_GATHER)
            ++*segment;
    }
    *segment = 0;
    return 0;
}

static void journal_failed(struct work *w, int rc)
{
    job_fatal(&w->job, rc, "cannot write to %s: %s", w->resume.journal.path,
              strerror(-rc));
}

/* What fails because the environment does is done again by who resumes. */
static void note_failure(struct work *w, const struct failure *f, void *item)
{
    struct record record = { .kind = RECORD_FAILED,
                             .unit = f->segment ? (int64_t)f->item : NO_UNIT,
                             .items = &((struct item *)item)->number,
                             .item_count = 1,
                             .stage = job_stage(w->spec, f->stage)->name,
                             .error = f->error,
                             .text = f->text };
    if (f->segment)
        record.items =
            buffer_sorted(&((struct batch *)item)->numbers, &record.item_count);
    if (atomic_load(&w->job.fatal))
        return;
    int rc = journal_put(&w->resume.journal, &record);
    if (rc)
        journal_failed(w, rc);
}

static void on_failure(const struct weft_failure *failure, void *item, void *w_)
{
    struct work *w = w_;
    if (atomic_load(&w->aborting)) { /* its command was killed, by us */
        atomic_fetch_add(&w->cut_off, 1);
        return;
    }
    struct failure f = { .item = failure->item, .error = failure->error };

    f.stage = find_stage(w->spec, failure->stage, &f.segment);
    f.item = f.segment == 0 ? ((struct item *)item)->number
                            : resume_unit(&w->resume, failure->item);
    /* Borrowed for the call, which copies them and changes nothing. */
    f.path =
        f.segment == 0 ? (char *)(uintptr_t)((struct item *)item)->path : NULL;
    f.text = (char *)(uintptr_t)failure->text;
    failures_add(&w->failures, &f);
    note_failure(w, &f, item);
}

/* The pipeline. */

static int give(weft_worker *self, void *item_, void *w_)
{
    struct work *w = w_;
    struct item *item = item_;
    item->number = resume_next(&w->resume);
    if (item->number == w->resume.count)
        return WEFT_END;
    w->spec->source.op->at(w->states[0], item->number, item);
    if (resume_is_last(&w->resume))
        atomic_store(&w->job.all_given, true);
    return 0;
}

static void add_stage(weft_pipeline *p, const struct work *w, size_t i,
                      unsigned *segment)
{
    const struct stage_spec *s = &w->spec->stages[i];
    void *state = w->states[i + 1];
    enum weft_order order = s->ordered ? WEFT_INPUT : WEFT_ANY;

    if (s->op->kind != OP_GATHER) {
        weft_stage(p, weft_config(stage, .name = s->name, .fn = s->op->fn,
                                  .ctx = state, .tokens = s->tokens,
                                  .order = order));
        return;
    }
    bool drops = s->op->drops_rest && s->op->drops_rest(s->params);
    weft_gather(p, weft_config(gather, .name = s->name, .fn = s->op->gather,
                               .ctx = state, .order = order,
                               .count = (unsigned)s->op->batch_count(s->params),
                               .rest = drops ? WEFT_DROP : WEFT_FLUSH,
                               .items = items_of(w, ++*segment)));
}

static int compile(struct work *w, weft_error *why)
{
    const struct spec *spec = w->spec;
    unsigned segment = 0;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = items_of(w, 0),
        .failures = { .policy = spec->policy, .most = spec->max_failures },
        .on_failure = on_failure, .ctx = w));

    weft_source(p, spec->source.name, give, w);
    for (size_t i = 0; i < spec->stage_count; i++)
        add_stage(p, w, i, &segment);
    int rc = weft_pipeline_compile(&w->plan, p, why);
    weft_pipeline_destroy(p);

    if (rc == 0)
        rc = progress_init(&w->progress, segment + 1, spec->stage_count + 1);
    return rc;
}

static int open_operators(struct work *w, weft_error *why)
{
    size_t n = w->spec->stage_count + 1;

    w->states = calloc(n, sizeof w->states[0]);
    if (!w->states)
        return op_error(why, -ENOMEM, "no memory");
    for (; w->opened < n; w->opened++) {
        const struct stage_spec *s = job_stage(w->spec, w->opened);
        if (!s->op->open)
            continue;
        int rc = s->op->open(&w->states[w->opened], &w->job, s->params, why);
        if (rc)
            return rc;
    }
    return 0;
}

/* An item that an earlier run has published. */
static int restore(void *w_, uint64_t number, const char *name)
{
    struct work *w = w_;
    size_t last = w->spec->stage_count;
    const struct op *sink = job_stage(w->spec, last)->op;
    struct item item = { .number = number };
    w->spec->source.op->at(w->states[0], number, &item);
    return sink->restore ? sink->restore(w->states[last], &item, name) : 0;
}

/* What lies there before a new run. */
static uint64_t count_older(void *w_)
{
    struct work *w = w_;
    size_t last = w->spec->stage_count;
    const struct op *sink = job_stage(w->spec, last)->op;
    return sink->older ? sink->older(w->states[last]) : 0;
}

/* Who puts items together decides. */
static bool is_in_order(const struct spec *spec)
{
    bool in_order = spec->stages[spec->stage_count - 1].ordered;
    for (size_t i = spec->stage_count; i-- > 0;)
        if (spec->stages[i].op->kind == OP_GATHER)
            in_order = spec->stages[i].ordered;
    return in_order;
}

static int open_journal(struct work *w, weft_error *why)
{
    size_t last = w->spec->stage_count;
    const struct stage_spec *sink = job_stage(w->spec, last);
    const struct resume_config config = { .spec = w->spec,
                                          .source = w->states[0],
                                          .mode = w->mode,
                                          .dry = w->job.dry,
                                          .made = w->job.made,
                                          .failures = &w->failures,
                                          .out = restore,
                                          .older = count_older,
                                          .ctx = w };
    w->job.in_order = is_in_order(w->spec);
    int rc = resume_open(&w->resume, &config, why);
    if (rc)
        return rc;
    w->job.resume = &w->resume;
    w->job.journal = w->job.dry ? NULL : &w->resume.journal;
    snprintf(w->note.text, sizeof w->note.text, "%.250s", w->resume.note);
    return w->resume.found && sink->op->resume
               ? sink->op->resume(w->states[last], why)
               : 0;
}

int job_open(struct work *w, weft_error *why)
{
    int rc = weft_sched_create(
        &w->job.sched,
        weft_config(sched, .workers = w->spec->workers, .seed = w->seed), why);
    if (rc)
        return rc;
    w->job.workers = weft_sched_workers(w->job.sched);

    if (w->sandboxed) {
        w->job.sandbox = sandbox_create(why);
        if (w->job.sandbox < 0)
            return w->job.sandbox;
    }
    rc = open_operators(w, why);
    if (!rc)
        rc = open_journal(w, why);
    return rc ? rc : compile(w, why);
}

uint64_t job_total(const struct work *w)
{
    const struct op *op = w->spec->source.op;
    return op->total ? op->total(w->states[0]) : 0;
}

uint64_t job_left(const struct work *w)
{
    return job_total(w) - w->resume.out - w->resume.failed;
}

/* The run. */

int job_start(struct work *w, weft_error *why)
{
    struct weft_run *run = NULL;
    int rc = 0;

    pthread_mutex_lock(&w->lock);
    w->started = job_now();
    if (!w->draining && !w->aborting)
        rc = weft_start(&run, w->job.sched, w->plan, why);
    atomic_store(&w->job.run, run);
    w->abortable = true;
    pthread_mutex_unlock(&w->lock);

    if (run && atomic_load(&w->job.fatal))
        weft_cancel(run); /* it found no run to cancel */
    return rc;
}

/* Once a second, so that a power cut costs no more than what a second did. */
static void sync_journal(struct work *w)
{
    if (w->progress.seconds < w->next_sync)
        return;
    int rc = journal_sync(&w->resume.journal);
    if (rc)
        journal_failed(w, rc);
    w->next_sync = w->progress.seconds + 1;
}

bool job_wait(struct work *w, int timeout_ms, int *rc, weft_error *why)
{
    struct weft_run *run = atomic_load(&w->job.run);
    double before = job_now();

    if (!run) { /* drained or aborted before it started */
        *rc = 0;
        return true;
    }
    for (size_t i = 0; i <= w->spec->stage_count; i++) {
        const struct op *op = job_stage(w->spec, i)->op;
        if (op->watch)
            op->watch(w->states[i]);
    }
    int result = weft_wait(run, timeout_ms, why);
    double after = job_now();
    w->progress.seconds = after - w->started;
    progress_read(&w->progress, run);
    sync_journal(w);

    /* A stage may fail with ETIMEDOUT too, but then it comes at once. */
    if (result == -ETIMEDOUT && timeout_ms >= 0 &&
        (after - before) * 1000 >= timeout_ms)
        return false;
    *rc = result;
    return true;
}

void job_drain(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->draining = true;
    struct weft_run *run = atomic_load(&w->job.run);
    if (w->abortable && run)
        weft_drain(run);
    pthread_mutex_unlock(&w->lock);
}

void job_abort(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->aborting = true;
    struct weft_run *run = atomic_load(&w->job.run);
    if (w->abortable && run)
        weft_cancel(run);
    for (size_t i = 0; w->abortable && i < w->opened; i++) {
        const struct op *op = job_stage(w->spec, i)->op;
        if (op->abort && w->states[i])
            op->abort(w->states[i]);
    }
    pthread_mutex_unlock(&w->lock);
}

int job_close(struct work *w, bool commit, bool complete, weft_error *why)
{
    int first = 0;

    w->job.complete = complete;

    for (size_t i = 0; i < w->opened; i++) {
        const struct op *op = job_stage(w->spec, i)->op;
        weft_error this = { "" };
        if (!op->close || !w->states[i])
            continue;
        int rc = op->close(w->states[i], commit && !first, &this);
        if (rc && !first) {
            first = rc;
            *why = this;
        } else if (!rc && this.text[0] && !w->note.text[0]) {
            w->note = this;
        }
    }
    return first;
}

int job_note_end(struct work *w)
{
    int rc = resume_end(&w->resume);
    if (rc)
        journal_failed(w, rc);
    return rc;
}

bool job_published(const struct work *w, uint64_t *items, uint64_t *files)
{
    size_t last = w->spec->stage_count;
    const struct op *op = job_stage(w->spec, last)->op;

    *items = *files = 0;
    if (!op->published || w->opened <= last || !w->states[last])
        return false;
    op->published(w->states[last], items, files);
    return true;
}

void job_destroy(struct work *w)
{
    pthread_mutex_lock(&w->lock);
    w->abortable = false;
    pthread_mutex_unlock(&w->lock);

    weft_run_destroy(atomic_exchange(&w->job.run, NULL));
    weft_plan_destroy(w->plan);
    for (size_t i = w->opened; i-- > 0;) {
        const struct op *op = job_stage(w->spec, i)->op;
        if (op->destroy && w->states[i])
            op->destroy(w->states[i]);
    }
    free(w->states);
    resume_finish(&w->resume);
    if (w->job.sandbox >= 0)
        close(w->job.sandbox);
    weft_sched_destroy(w->job.sched);
    progress_finish(&w->progress);
    failures_finish(&w->failures);
    pthread_mutex_destroy(&w->lock);
}

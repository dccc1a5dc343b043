/* exec.c: exec, an external command for each item.
 *
 * No worker waits for a child: a pidfd becomes readable when it ends, and that
 * is an operation like any other. Input and output are files in memory, not
 * pipes: nobody has to feed one while draining the other, and a child that
 * leaves processes behind keeps nothing open that we wait for. What they hold
 * is looked at ten times a second: a child that has written too much is killed,
 * so max_bytes bounds memory but for what is written in a tenth of a second.
 *
 * Each child leads a process group: a Ctrl-C in the terminal is for us, who
 * then let it finish, and an abort kills all that it has started. A child that
 * is in `live` has not been waited for, so its number is still its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/ops/child.h"
#include "cli/ops/name.h"
#include "cli/ops/ops.h"
#include "cli/ops/pool.h"
#include "cli/text.h"

struct exec_params {
    struct strings argv;
    unsigned standard_input;
    char *extension;
    uint64_t max_bytes;
};

enum { STDIN_NONE, STDIN_BYTES };

static const struct param params[] = {
    { "argv", PARAM_STRINGS, offsetof(struct exec_params, argv),
      .help = "the program and its arguments, never a shell; {path} is the "
              "item's file, {key} the path below the source without its "
              "extension" },
    { "stdin", PARAM_CHOICE, offsetof(struct exec_params, standard_input),
      "none", .help = "what the program reads: nothing, or the item's bytes",
      .choices = (const char *const[]){ "none", "bytes", NULL } },
    { "extension", PARAM_STRING, offsetof(struct exec_params, extension), "out",
      .help = "what its output is, for file names" },
    { "max_bytes", PARAM_SIZE, offsetof(struct exec_params, max_bytes),
      "256MiB", .unit = "bytes",
      .help = "a command that writes more is killed, and its item fails",
      .min = 1 },
    { 0 },
};

struct commands {
    const struct job *job;
    const struct exec_params *params;
    struct pool pool;
    pthread_mutex_t lock; /* of the two below */
    struct command *live;
    bool aborting;
};

/* An item's command at work. */
struct command {
    struct pooled pooled;
    struct commands *all;
    struct item *item;
    struct command *next, **link; /* in `live` */
    struct child child;
    struct buffer words; /* the arguments, one after the other */
    char **argv;
};

static void free_command(void *command)
{
    struct command *c = command;
    buffer_free(&c->words);
    free(c->argv);
}

/* Where the words begin is known when all are there: the buffer moves. */
static int add_word(struct command *c, const char *word)
{
    static const char path[] = "{path}", key[] = "{key}";
    const struct item *item = c->item;
    int rc = 0;
    while (!rc && *word) {
        if (!strncmp(word, path, sizeof path - 1)) {
            rc = buffer_append(&c->words, item->path, strlen(item->path));
            word += sizeof path - 1;
        } else if (!strncmp(word, key, sizeof key - 1)) {
            rc = name_from_key(&c->words, item->key, '.');
            word += sizeof key - 1;
        } else {
            rc = buffer_append(&c->words, word++, 1);
        }
    }
    return rc ? rc : buffer_append(&c->words, "", 1);
}

static int make_argv(struct command *c)
{
    const struct strings *words = &c->all->params->argv;
    int rc = 0;
    if (!c->argv)
        c->argv = calloc(words->count + 1, sizeof *c->argv);
    if (!c->argv)
        return -ENOMEM;
    c->words.size = 0;
    for (size_t i = 0; !rc && i < words->count; i++)
        rc = add_word(c, words->at[i]);
    char *word = (char *)c->words.data;
    for (size_t i = 0; !rc && i < words->count; i++) {
        c->argv[i] = word;
        word += strlen(word) + 1;
    }
    return rc;
}

static void enlist(struct command *c)
{
    struct commands *all = c->all;
    pthread_mutex_lock(&all->lock);
    c->next = all->live;
    c->link = &all->live;
    if (c->next)
        c->next->link = &c->next;
    all->live = c;
    if (all->aborting)
        child_kill(&c->child);
    pthread_mutex_unlock(&all->lock);
}

static void delist(struct command *c)
{
    pthread_mutex_lock(&c->all->lock);
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    pthread_mutex_unlock(&c->all->lock);
}

static int take_output(struct command *c)
{
    const struct exec_params *p = c->all->params;
    struct item *item = c->item;
    int rc = child_output(&c->child, &item->bytes);
    if (rc)
        return weft_fail(item, rc, "cannot read what %s wrote: %s", c->argv[0],
                         strerror(-rc));
    item->extension = p->extension;
    return 0;
}

/* The child has ended. */
static int finish(struct command *c)
{
    struct commands *all = c->all;
    char why[200], size[32];
    delist(c);
    int rc = child_wait(&c->child, why, sizeof why);
    uint64_t most = all->params->max_bytes;
    if (child_written(&c->child) > most)
        rc = weft_fail(c->item, -EFBIG, "%s wrote more than %s (max_bytes)",
                       c->argv[0], text_bytes(size, sizeof size, most));
    else if (rc)
        rc = weft_fail(c->item, rc, "%s: %s", c->argv[0], why);
    else
        rc = take_output(c);
    child_close(&c->child);
    pool_give(&all->pool, c);
    return rc;
}

static void ended(weft_worker *self, struct weft_io *io, int rc)
{
    struct command *c = io->ctx;
    struct item *item = c->item;
    if (rc) /* it cannot be awaited: end it, so that waiting is short */
        child_kill(&c->child);
    weft_complete(self, item, finish(c));
}

static int start(struct command *c)
{
    const struct exec_params *p = c->all->params;
    struct item *item = c->item;
    bool bytes = p->standard_input == STDIN_BYTES;
    int rc = make_argv(c);
    if (rc)
        return weft_fail(item, rc, "no memory");
    rc = child_start(&c->child, c->argv, bytes ? &item->bytes : NULL,
                     c->all->job->sandbox);
    if (rc)
        return weft_fail(item, rc, "cannot run %s: %s", c->argv[0],
                         strerror(-rc));
    return 0;
}

static int run_command(weft_worker *self, void *item_, void *state)
{
    struct commands *all = state;
    struct item *item = item_;
    struct command *c = pool_take(&all->pool);
    if (!c)
        return weft_fail(item, -ENOMEM, "no memory");
    c->all = all;
    c->item = item;
    int rc = start(c);
    if (rc) {
        pool_give(&all->pool, c);
        return rc;
    }
    enlist(c);
    item->io = (struct weft_io){ .op = WEFT_IO_POLL,
                                 .fd = c->child.pidfd,
                                 .flags = POLLIN,
                                 .done = ended,
                                 .ctx = c };
    rc = weft_io_start(self, &item->io);
    if (rc == WEFT_PENDING)
        return rc;
    if (rc)
        child_kill(&c->child);
    return finish(c);
}

static void exec_watch(void *state)
{
    struct commands *all = state;
    pthread_mutex_lock(&all->lock);
    for (struct command *c = all->live; c; c = c->next)
        if (child_written(&c->child) > all->params->max_bytes)
            child_kill(&c->child);
    pthread_mutex_unlock(&all->lock);
}

static void exec_abort(void *state)
{
    struct commands *all = state;
    pthread_mutex_lock(&all->lock);
    all->aborting = true;
    for (struct command *c = all->live; c; c = c->next)
        child_kill(&c->child);
    pthread_mutex_unlock(&all->lock);
}

static void exec_destroy(void *state)
{
    struct commands *all = state;
    pool_finish(&all->pool);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

static int exec_open(void **state, struct job *job, const void *params_,
                     weft_error *why)
{
    const struct exec_params *p = params_;
    const char *program = p->argv.at[0];
    if (!strchr(program, '{') && !child_can_run(program))
        return op_error(why, -ENOENT,
                        strchr(program, '/')
                            ? "cannot run %s: no file that can be executed"
                            : "cannot run %s: no such program in PATH; is it "
                              "installed?",
                        program);
    struct commands *all = calloc(1, sizeof *all);
    if (!all)
        return op_error(why, -ENOMEM, "no memory");
    all->job = job;
    all->params = p;
    pool_init(&all->pool, sizeof(struct command), free_command);
    pthread_mutex_init(&all->lock, NULL);
    /* Who started us may have ignored it; then children vanish unasked. */
    signal(SIGCHLD, SIG_DFL);
    *state = all;
    return 0;
}

static void exec_check(const void *params_,
                       void (*bad)(void *ctx, const char *param,
                                   const char *text),
                       void *ctx)
{
    const struct exec_params *p = params_;
    if (!p->argv.count || !*p->argv.at[0])
        bad(ctx, "argv", "names no program");
    if (name_extension(p->extension) != p->extension)
        bad(ctx, "extension", "must be a few letters and digits");
}

const struct op op_exec = {
    .name = "exec",
    .help = "an external command for each item; its output is the new bytes",
    .kind = OP_STAGE,
    .takes = CARRIES_FILE,
    .or_bytes = true,
    .gives = CARRIES_BYTES,
    .param_bytes = sizeof(struct exec_params),
    .params = params,
    .tokens_key = "processes",
    .check = exec_check,
    .open = exec_open,
    .fn = run_command,
    .watch = exec_watch,
    .abort = exec_abort,
    .destroy = exec_destroy,
};

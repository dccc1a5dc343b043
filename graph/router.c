/* router.c: who is let into which path of a router.
 *
 * A path has room for so many items; who finds it full waits in its list, those
 * that take any path in a list of all. An item in a path waits for nothing that
 * an item before the paths holds, so the room always comes back unless the path
 * itself stands still: then it holds what it has let in, and the others go on.
 *
 * Stages inside a path have an order of their own, by the number of the item
 * in its path: an item that took another path is no hole in it. The number is
 * given when the item is let in. A router with ordered paths is asked in the
 * order of its items, and room that comes back goes to the oldest of those that
 * wait for the path or take any; so items get into each path in their order.
 */
#include "graph/router.h"

#include <errno.h>
#include <stdlib.h>

int wf_router_init(struct router *r, unsigned paths)
{
    *r = (struct router){ .count = paths };
    pthread_mutex_init(&r->lock, NULL);
    r->paths = calloc(paths, sizeof *r->paths);
    return r->paths ? 0 : -ENOMEM;
}

void wf_router_finish(struct router *r)
{
    pthread_mutex_destroy(&r->lock);
    free(r->paths);
}

/* Under the lock. */
static void let_in(struct router *r, struct slot *slot, unsigned depth,
                   unsigned path)
{
    slot->path[depth] = path;
    slot->ticket[depth + 1] = r->paths[path].let_in++;
}

/* Under the lock: the next path with room, or NOWHERE. */
static unsigned with_room(struct router *r)
{
    for (unsigned i = 0; i < r->count; i++) {
        unsigned path = (r->turn + i) % r->count;
        if (r->paths[path].inside < r->paths[path].slots) {
            r->turn = path + 1;
            return path;
        }
    }
    return NOWHERE;
}

bool wf_router_enter(struct router *r, struct slot *slot, unsigned depth)
{
    unsigned path = slot->path[depth];
    bool entered;

    pthread_mutex_lock(&r->lock);
    put_at(slot, AT_FORK);
    if (path == WEFT_ANY_PATH) {
        path = with_room(r);
        entered = path != NOWHERE;
        if (!entered)
            task_list_add(&r->undecided, &slot->task);
    } else {
        entered = r->paths[path].inside < r->paths[path].slots;
        if (!entered)
            task_list_add(&r->paths[path].waiting, &slot->task);
    }
    if (entered) {
        let_in(r, slot, depth, path);
        r->paths[path].inside++;
    }
    pthread_mutex_unlock(&r->lock);
    return entered;
}

/* Under the lock: the oldest that wants to go there, or NULL. */
static struct task *oldest_for(struct router *r, struct router_path *path,
                               unsigned depth)
{
    struct task *here = path->waiting.first, *any = r->undecided.first;
    bool takes_any = any && (!here || slot_of_task(any)->ticket[depth] <
                                          slot_of_task(here)->ticket[depth]);

    return task_list_take(takes_any ? &r->undecided : &path->waiting);
}

struct task *wf_router_leave(struct router *r, struct slot *slot,
                             unsigned depth)
{
    unsigned number = slot->path[depth];
    struct router_path *path = &r->paths[number];

    pthread_mutex_lock(&r->lock);
    struct task *next = oldest_for(r, path, depth);
    if (next) {
        let_in(r, slot_of_task(next), depth, number);
        put_at(slot_of_task(next), HAS_PATH);
    } else {
        path->inside--;
    }
    pthread_mutex_unlock(&r->lock);
    return next;
}

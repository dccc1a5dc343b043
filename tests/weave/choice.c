/* choice.c: which of several ways an execution takes.
 *
 * PCT gives each thread a priority, lets the highest run, and lowers it at a
 * few steps chosen before: Burckhardt, Kothari, Musuvathi, Nagarakatte,
 * ASPLOS 2010. A bug that needs d such points is found with a probability of at
 * least 1 in n k^(d-1), of n threads and k steps. */
#include "tests/weave/choice.h"

#include "tests/weave/inner.h"

enum { CHANGES = 2, LEVELS = 1 << 16, LEAST = 3, MORE = 6 };

static struct {
    enum way way;
    uint64_t random;
    unsigned interruptions, stale; /* that are left */
    /* WAY_ALL: the choices, and which of each is tried. */
    struct {
        uint8_t of, taken;
    } path[STEPS];
    unsigned at, length;
    /* WAY_PCT */
    int priority[WEAVE_THREADS + 1], lowest;
    unsigned changes[CHANGES], step;
} now;

static uint32_t random32(void)
{
    now.random ^= now.random << 13;
    now.random ^= now.random >> 7;
    now.random ^= now.random << 17;
    return (uint32_t)(now.random >> 32);
}

/* How long the execution will be is not known: each order of magnitude is as
 * likely as the others. */
static void prepare_priorities(void)
{
    now.step = 0;
    now.lowest = 0;
    for (unsigned i = 0; i <= WEAVE_THREADS; i++)
        now.priority[i] = (int)(1 + random32() % LEVELS);
    for (unsigned i = 0; i < CHANGES; i++)
        now.changes[i] = random32() % (1u << (LEAST + random32() % MORE));
}

void choice_begin(enum way way, uint64_t seed, unsigned interruptions,
                  unsigned stale)
{
    now.way = way;
    now.random = (seed + 1) * 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 4; i++)
        random32();
    now.interruptions = interruptions;
    now.stale = stale;
    now.at = 0;
    if (way == WAY_PCT)
        prepare_priorities();
}

void choice_begin_anew(void) { now.length = 0; }

bool choice_next(void)
{
    while (now.length &&
           now.path[now.length - 1].taken + 1 == now.path[now.length - 1].of)
        now.length--;
    if (!now.length)
        return false;
    now.path[now.length - 1].taken++;
    return true;
}

unsigned choice_of(unsigned n)
{
    if (n <= 1)
        return 0;
    if (now.way != WAY_ALL)
        return random32() % n;
    if (now.at == now.length) {
        if (now.length == STEPS || n > UINT8_MAX)
            weave_fail("too many choices to try all");
        now.path[now.length].of = (uint8_t)n;
        now.path[now.length++].taken = 0;
    }
    return now.path[now.at++].taken;
}

unsigned choice_stale(unsigned most)
{
    unsigned back;

    if (!most || (now.way == WAY_ALL && !now.stale))
        return 0;
    if (now.way == WAY_ALL)
        back = choice_of(most + 1);
    else
        back = random32() % 2 ? random32() % (most + 1) : 0;
    now.stale -= back && now.way == WAY_ALL;
    return back;
}

void choice_last(unsigned thread) { now.priority[thread] = --now.lowest; }

static unsigned highest(const unsigned *threads, unsigned n, int self)
{
    unsigned best = 0;

    for (unsigned i = 0; i < CHANGES; i++)
        if (self >= 0 && now.changes[i] == now.step)
            choice_last(threads[self]);
    now.step++;
    for (unsigned i = 1; i < n; i++)
        if (now.priority[threads[i]] > now.priority[threads[best]])
            best = i;
    return best;
}

unsigned choice_of_thread(const unsigned *threads, unsigned n, int self)
{
    if (now.way == WAY_PCT)
        return highest(threads, n, self);
    if (self < 0)
        return choice_of(n);
    if (now.way == WAY_ALL && !now.interruptions)
        return (unsigned)self;
    /* 0 is to go on, so that the first way of all has no interruption. */
    unsigned other = choice_of(n);
    if (!other)
        return (unsigned)self;
    now.interruptions -= now.way == WAY_ALL;
    return other <= (unsigned)self ? other - 1 : other;
}

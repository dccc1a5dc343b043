/* park.pml: sched/park.c, with its labels: who searches, sleeps, and is woken.
 *
 * Workers take tasks out of one bag, and some tasks publish another; somebody
 * outside publishes too, and CALLED, calls a worker. When nothing moves any more, no
 * task is left, the call was answered and the counts agree [W] [B] [L]; then
 * the park is closed, and every worker ends [C].
 *
 * Every step is one access of what is shared, in one order for all. What weaker
 * orders could do beyond that is explored in tests/weave. Each WITHOUT_ leaves
 * one step of the protocol out, and must be found.
 *
 * FIRST tasks are published outside, and CHILDREN by other tasks.
 *
 * run: -DWORKERS=2 -DFIRST=2 -DCHILDREN=1 -DCALLED
 * run: -DWORKERS=2 -DFIRST=1 -DCHILDREN=0 -DCALLED -DCLOSED_AT_ANY_TIME
 * run: -DWORKERS=3 -DFIRST=1 -DCHILDREN=1
 * long: -DWORKERS=3 -DFIRST=2 -DCHILDREN=1
 */

byte tasks;            /* published, and not taken */
byte running;          /* taken, and not at their end */
byte children = CHILDREN; /* that tasks will publish */
byte searchers, sleepers; /* the two halves of `state` */
bool asleep[WORKERS], woken[WORKERS], closed;
byte calls, ended;

/* Takes the bit of a sleeper. */
inline take_sleeper()
{
    atomic {
        assert(asleep[0] || asleep[1] || asleep[WORKERS - 1]); /* [B] */
        if
        :: asleep[0] -> asleep[0] = false; taken = 0
        :: asleep[1] -> asleep[1] = false; taken = 1
#if WORKERS > 2
        :: asleep[2] -> asleep[2] = false; taken = 2
#endif
        fi
    }
    woken[taken] = true /* [H] [C] */
}

/* The first atomic is [N] with the exchange that succeeds after it. */
inline notify()
{
    atomic {
        if
        :: searchers == 0 && sleepers > 0 ->
            searchers++; sleepers--; wakes = true
        :: else -> wakes = false
        fi
    }
    if
    :: wakes -> take_sleeper()
    :: else
    fi
}

inline publish()
{
    tasks++;
    notify()
}

/* [L]: until somebody has taken the bit of the worker that is called. */
inline rouse()
{
    do
    :: atomic { !asleep[0] -> break }
    :: atomic { asleep[0] && sleepers > 0 -> searchers++; sleepers-- };
       take_sleeper()
    od
}

inline look_and_notify()
{
    if
    :: tasks > 0 -> notify() /* [R] */
    :: else
    fi
}

inline end_search()
{
    atomic { last = (searchers == 1 && sleepers > 0); searchers-- } /* [S] */
#ifndef WITHOUT_LOOKING_AFTER_A_SEARCH
    if
    :: last -> look_and_notify()
    :: else
    fi
#endif
}

inline park()
{
#ifndef WITHOUT_CLEARING_BEFORE
    woken[me] = false; /* [C] */
#endif
#ifndef WITHOUT_BIT_BEFORE_COUNT
    asleep[me] = true; /* [B] */
#endif
    atomic { /* [S] */
        sleepers++;
        searchers = searchers - (searching -> 1 : 0);
        last = (searchers == 0)
    }
#ifdef WITHOUT_BIT_BEFORE_COUNT
    asleep[me] = true;
#endif
#ifdef WITHOUT_CLEARING_BEFORE
    woken[me] = false;
#endif
#ifndef WITHOUT_LOOKING_BEFORE_SLEEP
    if
    :: last -> look_and_notify()
    :: else
    fi
#endif
#ifndef WITHOUT_LOOKING_WHETHER_CLOSED
    if
    :: closed -> goto over
    :: else
    fi;
#endif
#ifndef WITHOUT_LOOKING_FOR_CALLS
    if
    :: me == 0 && calls > 0 -> rouse() /* [L] */
    :: else
    fi;
#endif
    woken[me] -> searching = true
}

proctype worker(byte me)
{
    bool searching, wakes, last, has;
    byte taken;

again:
    if
    :: atomic { me == 0 && calls > 0 -> calls-- } /* answered */
    :: me != 0 || calls == 0
    fi;
    atomic { has = tasks > 0; tasks = tasks - (has -> 1 : 0); running = running + (has -> 1 : 0) }
    if
    :: has ->
        if
        :: searching -> searching = false; end_search()
        :: else
        fi;
        atomic { has = children > 0; children = children - (has -> 1 : 0) }
        if
        :: has -> publish()
        :: else
        fi;
        atomic { tasks == 0 || running == WORKERS || closed -> running-- }
        goto again
    :: else
    fi;
    atomic {
        if
        :: !searching && (searchers == 0 || 2 * (searchers + 1) <= WORKERS) ->
            searchers++; searching = true; has = true
        :: else -> has = false
        fi
    }
    if
    :: has -> goto again /* searches */
    :: else -> park()
    fi;
    if
    :: closed
    :: else -> goto again
    fi;
over:
    ended++
}

proctype outside()
{
    bool wakes;
    byte taken, i;

    for (i : 1 .. FIRST) {
        publish()
    }
}

proctype caller()
{
    byte taken;

    if
    :: calls++; /* [L] */
       rouse()
    :: skip
    fi
}

init
{
    byte i;

    atomic {
        for (i : 0 .. WORKERS - 1) {
            run worker(i)
        }
        run outside();
#ifdef CALLED
        run caller()
#endif
    }
#ifndef CLOSED_AT_ANY_TIME
    timeout; /* nothing moves any more */
    assert(tasks == 0 && running == 0 && children == 0 && calls == 0);
    assert(searchers == 0 && sleepers == WORKERS);
#endif
#ifndef WITHOUT_TELLING_THAT_IT_IS_CLOSED
    closed = true; /* [C] */
#endif
    for (i : 0 .. WORKERS - 1) {
        woken[i] = true
    }
    timeout;
    assert(ended == WORKERS)
}

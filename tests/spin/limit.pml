/* limit.pml: graph/limit.c, with its labels: tokens, and who waits for one.
 *
 * Tasks take a token and give it back; somebody sets how many there are. Nobody
 * gets a token while as many are in use as there are; whenever nobody holds the
 * lock, had + carried + owed is the lesser of takers and tokens [S]; and when
 * nothing moves any more, all tasks have ended and nothing is owed [O].
 *
 * Every step is one access of what is shared, in one order for all; what only
 * who has the lock touches is one step with that. What weaker orders could do
 * beyond that is explored in tests/weave. Each WITHOUT_ leaves one step of the
 * protocol out, and must be found.
 *
 * TASKS take TOKENS, each of them ROUNDS times, while these are set to FIRST
 * and THEN.
 *
 * run: -DTASKS=3 -DROUNDS=2 -DTOKENS=1 -DFIRST=2 -DTHEN=1
 * run: -DTASKS=3 -DROUNDS=2 -DTOKENS=2 -DFIRST=1 -DTHEN=3
 * run: -DTASKS=3 -DROUNDS=2 -DTOKENS=3 -DFIRST=1 -DTHEN=2
 * long: -DTASKS=4 -DROUNDS=2 -DTOKENS=3 -DFIRST=1 -DTHEN=2
 */
#define lesser(a, b) ((a) < (b) -> (a) : (b))

byte tokens = TOKENS, takers;       /* the two halves of `state` */
short owed;
chan waiting = [TASKS] of { byte }; /* the list */
bool served[TASKS];                 /* taken out of the list, and made ready */
bool locked;
byte had, carried, ended;           /* [S] */

#define check_balance() \
    assert(locked || had + carried + owed == lesser(takers, tokens))

/* Under the lock, which nobody sets the number without. */
inline gets_one()
{
    assert(had < tokens);
    had++
}

/* Under the lock: [O] [S]. */
inline hand_out()
{
    if
#ifdef WITHOUT_KEEPING
    :: empty(waiting) -> owed++
    :: nempty(waiting) -> waiting ? next; served[next] = true; gets_one()
#else
    :: owed < 0 -> owed++
#ifdef WITHOUT_OWING
    :: owed >= 0 && empty(waiting)
#else
    :: owed >= 0 && empty(waiting) -> owed++
#endif
    :: owed >= 0 && nempty(waiting) ->
        waiting ? next; served[next] = true; gets_one()
#endif
    fi
}

inline wait()
{
    atomic {
        !locked;
        if
#ifndef WITHOUT_TAKING_WHAT_IS_OWED
        :: owed > 0 -> owed--; gets_one(); served[me] = true /* [O] */
        :: owed <= 0 -> waiting ! me
#else
        :: waiting ! me
#endif
        fi;
        check_balance()
    }
    atomic { served[me] -> served[me] = false }
}

proctype task(byte me)
{
    bool has;
    byte next, round;

    for (round : 1 .. ROUNDS) {
        atomic {
            has = takers < tokens; /* [T] */
            takers++;
            had = had + (has -> 1 : 0);
            check_balance()
        }
        if
        :: has
        :: !has -> wait()
        fi;
        atomic {
            has = takers > tokens; /* [T]: and so it is carried to the lock */
            takers--;
            had--;
            carried = carried + (has -> 1 : 0);
            check_balance()
        }
        if
        :: has ->
            atomic {
                !locked;
                carried--;
                hand_out();
                check_balance()
            }
        :: !has
        fi
    }
    ended++
}

/* [S] */
inline set(number)
{
    atomic {
        !locked -> locked = true;
        before = lesser(takers, tokens);
        tokens = number;
        after = lesser(takers, tokens)
    }
    atomic {
#ifndef WITHOUT_TAKING_BACK
        if
        :: after < before -> owed = owed + after - before
        :: else
        fi;
#endif
#ifndef WITHOUT_HANDING_OUT
        do
        :: before < after -> hand_out(); before++
        :: else -> break
        od;
#endif
        locked = false;
        check_balance()
    }
}

proctype setter()
{
    byte before, after, next;

    set(FIRST);
    set(THEN)
}

init
{
    byte i;

    atomic {
        for (i : 0 .. TASKS - 1) {
            run task(i)
        }
        run setter()
    }
    timeout; /* nothing moves any more */
    assert(ended == TASKS && had == 0 && carried == 0 && owed == 0)
}

"""goals: what weft wants to reach, in one table, and whether it did.

A goal is about every result of its row whose case and kind fit the patterns.
With a rival it is about the ratio weft / rival, without one about the figure
of weft itself, in its unit.
"""
import dataclasses
import fnmatch

from bench import figures


@dataclasses.dataclass(frozen=True)
class Goal:
    row: str
    case: str
    what: str
    rival: str | None  # RIVALS: each one, variants too, but not the floor
    at_most: float | None = None
    at_least: float | None = None
    workers: str = "all"  # or "one", "any"
    by: str = "weft"
    cores: int = 1  # it is a goal on machines with so many, or more

    @property
    def sentence(self):
        what = f"{self.row}, {self.case}: {self.what}"
        if self.by != "weft":
            what += f" ({self.by})"
        bound = f"at most {self.at_most:g}" if self.at_most is not None \
            else f"at least {self.at_least:g}"
        return f"{what}, {bound}" + (f" x {self.rival}" if self.rival else "")


RIVALS = "every rival"
EASY, HARD = ("chain", "tree", "wavefront"), ("layers", "independent")

EDGES = {"chain": 1, "tree": 1, "wavefront": 2, "layers": 4, "independent": 0}

GOALS = (
    Goal("dag", "*", "run again", "floor", at_most=1.5),
    *(Goal("dag", case, "run again", rival, at_most=1 / times)
      for cases, times in ((EASY, 5), (HARD, 3)) for case in cases
      for rival in ("tbb*", "omp*")),
    Goal("dag", "*", "draw + compile", "tbb*", at_most=1 / 3),
    *(Goal("dag", case, "memory", None, at_most=64 + 4 * edges)
      for case, edges in EDGES.items()),
    Goal("forkjoin", "fib", "task", "floor", at_most=2, workers="one"),
    Goal("forkjoin", "skynet", "task", "floor", at_most=2, workers="one"),
    Goal("forkjoin", "queens", "all of it", "floor / workers", at_most=1.05),
    Goal("forkjoin", "matmul", "all of it", "floor / workers", at_most=1.05),
    Goal("pipeline", "any 8x64", "item and stage", None, at_most=15),
    Goal("pipeline", "ordered 8x64", "item and stage", None, at_most=22),
    Goal("pipeline", "* 8x64", "statistics, more", None, at_most=20),
    Goal("limit", "1 token, *", "task", None, at_most=100),
    Goal("limit", "*", "1e6 tasks by 1e5", None, at_most=1.25),
    Goal("submit", "from *", "task", None, at_most=60),
    Goal("submit", "idle", "latency", "floor", at_most=1.3),
    Goal("submit", "awake", "latency", None, at_most=3),
    Goal("submit", "item awake", "latency", "floor", at_most=3),
    Goal("idle", "*", "*", None, at_most=0.005),
    Goal("metg", "width W", "50 %", None, at_most=500),
    Goal("metg", "width 4W", "50 %", None, at_most=250),
    Goal("metg", "*", "90 %", RIVALS, at_most=0.5),
    Goal("files", "cached", "load", "plain loop", at_least=0.95),
    Goal("files", "cold", "load", "threads*", at_least=0.95),
    Goal("files", "cold", "load", "floor", at_least=0.95),
    Goal("files", "cold", "compute lost beside", None, at_most=2),
    Goal("files", "cold", "compute lost to waiting", None, at_most=2),
    Goal("main_job", "photos", "end to end", "cores x one loop",
         at_least=0.97),
    Goal("main_job", "photos", "end to end", RIVALS, at_least=1),
    Goal("main_job", "photos", "CPU per 1000", RIVALS, at_most=1),
    Goal("memory", "*", "more than with the fewest", None, at_most=1),
    *(Goal("scaling", case, "*: efficiency", None, at_least=90, cores=16)
      for case in ("forkjoin *", "stages *", "main_job *")),
)

# Those are no rivals: they do less, or weft itself in another way.
LIMITS = ("floor*", "weft*", "cores x*")


def fits(goal, found, cores):
    return fnmatch.fnmatchcase(found["case"], goal.case) \
        and fnmatch.fnmatchcase(found["what"], goal.what) \
        and {"one": found["workers"] == 1, "all": found["workers"] == cores,
             "any": True}[goal.workers]


def is_rival(goal, name):
    if goal.rival != RIVALS:
        return fnmatch.fnmatchcase(name, goal.rival)
    return not any(fnmatch.fnmatchcase(name, limit) for limit in LIMITS)


def beyond(goal, value):
    """By how much of the bound it is missed; 0 where it is met."""
    if goal.at_most is not None:
        return max(0.0, value / goal.at_most - 1)
    return max(0.0, 1 - value / goal.at_least)


def judged(goal, results, ratios, cores):
    """What each figure says that the goal is about."""
    if goal.rival is None:
        about = [r for r in results
                 if r["by"] == goal.by and fits(goal, r, cores)]
    else:
        about = [r for r in ratios
                 if is_rival(goal, r["rival"]) and fits(goal, r, cores)]
    return [{"goal": goal.sentence, "case": found["case"],
             "what": found["what"], "rival": found.get("rival"),
             "workers": found["workers"],
             "value": found["median"],
             "rounds": figures.rounds_of(found),
             "missed_by": beyond(goal, found["median"])}
            for found in about]


def judge(row, results, ratios, cores):
    """All goals of a row: a list of verdicts, and the goals that nothing was
    measured for."""
    verdicts, open_goals = [], []
    for goal in GOALS:
        if goal.row != row or cores < goal.cores:
            continue
        found = judged(goal, results, ratios, cores)
        verdicts += found
        if not found:
            open_goals.append(goal.sentence)
    return verdicts, open_goals

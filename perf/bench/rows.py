"""rows: who takes part in which row, with how many workers, and how long it
may take.

The programs of most rows are build/perf/rows/ROW_CONTESTANT; the rows of whole
programs (files, main job, memory) have theirs in perf/whole.
"""
import dataclasses
import pathlib

from bench.contest import Contestant

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RIVALS = ("weft", "floor", "tbb", "omp_gcc", "omp_clang", "starpu")


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    question: str
    seconds: int  # of 20 minutes
    workers: str = "all"  # or "one and all", "curve"
    contestants: tuple = RIVALS


ROWS = (
    Row("dag", "a node of a graph: draw, compile, run, run again", 180,
        "one and all"),
    Row("forkjoin", "a child: spawn and sync", 180, "one and all"),
    Row("pipeline", "an item in an empty stage", 150),
    Row("limit", "a task that takes the only token", 50),
    Row("submit", "a task from outside, there and back", 60),
    Row("idle", "a scheduler without work", 100),
    Row("metg", "the smallest task that is worth it", 60),
    Row("files", "many small files, and small reads of a large one", 150,
        contestants=("weft", "floor", "threads", "fio")),
    Row("main_job", "photos to shards", 150,
        contestants=("weft", "floor", "pillow", "vipsthumbnail", "parallel_gm",
                     "xargs_gm")),
    Row("memory", "peak memory against the number of items", 40,
        contestants=("weft",)),
    Row("scaling", "1 worker, 2, 4 ... all", 80, "curve",
        contestants=("weft",)),
)
NAMES = tuple(row.name for row in ROWS)
MOST_SECONDS = 20 * 60

# Those of whole programs that are scripts.
SCRIPTS = {("files", "fio"): "perf/whole/fio.py"}
SCRIPTS |= {("main_job", by): "perf/whole/main_job.py"
            for by in ROWS[NAMES.index("main_job")].contestants}
IN_WHOLE = ("files", "memory")

# What is measured with 1 .. all workers: a case of another row, and what of
# it.
CURVES = (
    ("dag", "wavefront", "run again"),
    ("forkjoin", "fib*", "*"),
    ("pipeline", "S=8 any*", "*"),
    ("main_job", "photos", "end to end"),
)


def counts(workers, cores):
    """With how many workers a row is run."""
    if workers == "all" or cores == 1:
        return [cores]
    if workers == "one and all":
        return [1, cores]
    powers = [1 << n for n in range(cores.bit_length()) if 1 << n < cores]
    return [*powers, cores]


def program(build, row, by):
    if script := SCRIPTS.get((row, by)):
        return ROOT / script
    return build / "perf" / ("whole" if row in IN_WHOLE else "rows") / \
        f"{row}_{by}"


def contestants(row, build, cores, percent, options):
    """Those of a row, in their order. `options` are what whole programs are
    told beside: where the photos are, and where there is room for files."""
    if row.workers == "curve":
        return [contestant(source, "weft", n, build, percent, options, case)
                for source, case, _ in CURVES
                for n in counts(row.workers, cores)]
    return [contestant(row.name, by, n, build, percent, options)
            for n in counts(row.workers, cores) for by in row.contestants]


def contestant(row, by, workers, build, percent, options, case=None):
    arguments = ["--workers", str(workers), "--percent", str(percent)]
    arguments += options.get(row, [])
    if row == "main_job":
        arguments += ["--by", by, "--build", str(build)]
    elif case:
        arguments += ["--case", case]
    return Contestant(by, program(build, row, by), tuple(arguments), workers)


def keep(row):
    """Which results count in the row, and under which name: all, but of the
    curves only those that it is about, with where they come from."""
    if row.workers != "curve":
        return lambda contestant, key: key

    def of_the_curves(contestant, key):
        for source, case, what in CURVES:
            if contestant.program.stem in (source, f"{source}_weft") \
                    and key.by == "weft" and key.case == case \
                    and key.what == what:
                return dataclasses.replace(key, case=f"{source} {case}")
        return None

    return of_the_curves

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
    contestants: tuple = RIVALS
    alone: tuple = ()  # those that run with one worker, too
    serial: tuple = ()  # those that never have more than one
    curves: tuple = ()  # (row, case, what): with 1 .. all workers
    divisible: bool = True  # a part of the work tells as much as all of it
    reaches: bool = False  # a result that a round lacks was not reached in it


ROWS = (
    Row("dag", "a node of a graph: draw, compile, run, run again", 130,
        alone=("weft", "floor")),
    Row("forkjoin", "a child: spawn and sync", 80,
        ("weft", "floor", "tbb", "omp_gcc", "omp_clang"),
        alone=("weft", "floor"), serial=("floor",)),
    Row("pipeline", "an item in an empty stage", 220,
        ("weft", "floor", "tbb")),
    Row("limit", "a task that takes the only token", 110),
    Row("submit", "a task from outside, there and back", 75),
    Row("idle", "a scheduler without work", 155, divisible=False),
    Row("metg", "the smallest task that is worth it", 70, reaches=True),
    Row("files", "many small files, and small reads of a large one", 130,
        ("weft", "floor", "threads", "fio"), divisible=False),
    Row("main_job", "photos to shards", 120,
        ("weft", "floor", "pillow", "vipsthumbnail", "parallel_gm",
         "xargs_gm"), divisible=False),
    Row("memory", "peak memory against the number of items", 45, ("weft",)),
    Row("scaling", "1 worker, 2, 4 ... all", 60, ("weft",), curves=(
        ("dag", "wavefront", "run again"),
        ("forkjoin", "queens", "all of it"),
        ("pipeline", "any 8x64", "item and stage"),
        ("stages", "10 us", "end to end"),
        ("main_job", "photos", "end to end"))),
)
NAMES = tuple(row.name for row in ROWS)
MOST_SECONDS = 20 * 60

# Whole programs: those that are scripts, and those that are in perf/whole.
SCRIPTS = {("files", "fio"): "perf/whole/fio.py"}
SCRIPTS |= {("main_job", by): "perf/whole/main_job.py"
            for by in ROWS[NAMES.index("main_job")].contestants}
IN_WHOLE = ("files", "memory", "stages")


def curve_counts(cores):
    """1, 2, 4 ... and all."""
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
    if row.curves:
        return [contestant(source, "weft", n, build, percent, options, case)
                for source, case, _ in row.curves
                for n in curve_counts(cores)]
    alone = row.alone if cores > 1 else ()
    taking_part = [(by, 1) for by in alone]
    taking_part += [(by, cores) for by in row.contestants
                    if cores == 1 or by not in row.serial]
    return [contestant(row.name, by, n, build, percent, options)
            for by, n in taking_part]


def contestant(row, by, workers, build, percent, options, case=None):
    arguments = ["--workers", str(workers)]
    arguments += options.get(row, [])
    if row == "main_job":
        arguments += ["--by", by, "--build", str(build)]
    elif case:
        arguments += ["--case", case]
    return Contestant(by, program(build, row, by), tuple(arguments), workers,
                      percent)


def keep(row):
    """Which results count in the row, and under which name: all, but of the
    curves only those that it is about, with where they come from."""
    if not row.curves:
        return lambda contestant, key: key

    def of_the_curves(contestant, key):
        for source, case, what in row.curves:
            if contestant.program.stem in (source, f"{source}_weft") \
                    and key.by == "weft" and key.case == case \
                    and key.what == what:
                return dataclasses.replace(key, case=f"{source} {case}")
        return None

    return of_the_curves

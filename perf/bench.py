#!/usr/bin/env python3
"""bench.py: how fast is weft, beside what one would use instead?

Each row is a question that several programs answer: weft, the floor (the bare
necessary work) and the rivals that are installed. They take turns, round by
round, and each ratio is of one round, so that whatever disturbs the machine
hits both sides. A row during which the machine itself changed by more than 5 %
is repeated, and marked if that does not help.

Writes perf/results/MACHINE.json, and tables and charts beside it. Rows that
are not run keep the results that they had. All rows take less than 20 minutes.
"""
import argparse
import contextlib
import datetime
import json
import math
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import time

from bench import charts, contest, derived, figures, goals, machine, rows, \
    tables

ROOT = pathlib.Path(__file__).resolve().parent.parent
PHOTOS = pathlib.Path.home() / ".cache" / "weft" / "photos"


def arguments():
    listed = "\n".join(f"  {row.name:10} {row.question}" for row in rows.ROWS)
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__.split("\n", 1)[1],
        epilog=f"rows:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", metavar="ROW",
                        help="which ones; all by default")
    parser.add_argument("--rounds", type=int, default=9, metavar="N",
                        help="of each row; fewer than 9 are for a quick look")
    parser.add_argument("--percent", type=int, default=100, metavar="P",
                        help="the size of the work; 1 is a moment")
    parser.add_argument("--machine", default=machine.name(), metavar="NAME",
                        help="what the results are filed under "
                        "(default: %(default)s)")
    parser.add_argument("--setup", action="store_true",
                        help="install rivals and photos first")
    parser.add_argument("--photos", type=pathlib.Path, default=PHOTOS,
                        metavar="DIR", help="JPEGs for the main job "
                        "(default: %(default)s)")
    parser.add_argument("--folder", type=pathlib.Path, metavar="DIR",
                        help="where files are made to be read, and kept; "
                        "default: a temporary one in /var/tmp")
    parser.add_argument("--build", type=pathlib.Path, metavar="DIR",
                        help="a build that is measured as it is; default: "
                        "build/release, brought up to date")
    parser.add_argument("--results", type=pathlib.Path, metavar="DIR",
                        default=ROOT / "perf" / "results",
                        help="default: perf/results")
    given = parser.parse_args()
    if unknown := set(given.rows) - set(rows.NAMES):
        parser.error(f"no row is called {', '.join(sorted(unknown))}: there "
                     f"are {', '.join(rows.NAMES)}")
    if given.rounds < 1 or not 1 <= given.percent <= 100:
        parser.error("at least 1 round, and 1 to 100 percent")
    return given


def must(*command):
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode:
        sys.exit(f"bench: failed: {shlex.join(map(str, command))}")


def built():
    build = ROOT / "build" / "release"
    if not (build / "build.ninja").exists():
        must("meson", "setup", build, "-Dbuildtype=release", "-Dtests=false")
    must("ninja", "-C", build, "--quiet")
    return build


def measured(row, given, build, options, spare):
    """One row, with all that is known of it. `spare` seconds are left to repeat
    it; they are negative where those before it took too long."""
    begin = time.monotonic()
    cores = machine.cores()
    taking_part = rows.contestants(row, build, cores, given.percent, options)
    seconds = row.seconds + min(0, spare) if row.divisible else math.inf
    found, noise = contest.hold(taking_part, build / "perf" / "whole" / "spin",
                                given.rounds, seconds, spare, rows.keep(row))
    good = found.good()
    good |= derived.figures_of(row, good)
    results = [{**vars(key), **figures.summary(samples)}
               for key, samples in good.items()]
    ratios = figures.ratios(good, lack_is_never=row.reaches)
    verdicts, open_goals = goals.judge(row.name, results, ratios, cores)
    return {
        "question": row.question,
        "command": shlex.join(["scripts/bench", *sys.argv[1:]]),
        "commit": machine.commit(),
        "date": datetime.date.today().isoformat(),
        "rounds": given.rounds, "percent": given.percent,
        "seconds": time.monotonic() - begin, **noise,
        "skipped": sorted(found.skipped),
        "failed": {str(c): why for c, why in found.failed.items()},
        "in_part": {str(c): c.percent for c in found.contestants
                    if c.percent < given.percent},
        "results": results, "ratios": ratios,
        "goals": verdicts, "open_goals": open_goals,
    }


def all_rows(given, build, folder):
    """The rows that were asked for, each printed as soon as it is there. One
    that was noisy is repeated in the time that the others leave."""
    options = {"files": ["--folder", str(folder)],
               "main_job": ["--photos", str(given.photos)]}
    wanted = [row for row in rows.ROWS
              if not given.rows or row.name in given.rows]
    end = time.monotonic() + rows.MOST_SECONDS
    done = {}
    for i, row in enumerate(wanted):
        to_come = sum(later.seconds for later in wanted[i + 1:])
        print(f"bench: {row.name}, about {row.seconds} s "
              f"({i + 1} of {len(wanted)})", file=sys.stderr, flush=True)
        spare = end - time.monotonic() - to_come - row.seconds
        done[row.name] = measured(row, given, build, options, spare)
        print(tables.row_text(row.name, done[row.name]), flush=True)
    return done


def write(path, text):
    """A file under its final name is whole."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    os.replace(new, path)


def file_results(given, done):
    path = given.results / f"{given.machine}.json"
    before = json.loads(path.read_text())["rows"] if path.exists() else {}
    merged = {**before, **done}
    document = {"name": given.machine, "machine": machine.described(),
                "rows": {name: merged[name] for name in rows.NAMES
                         if name in merged}}
    given.results.mkdir(parents=True, exist_ok=True)
    write(path, json.dumps(document, indent=1) + "\n")
    drawn = charts.draw(document, given.results)
    write(path.with_suffix(".md"), tables.markdown(document, drawn))
    return path


def main():
    given = arguments()
    if given.setup:
        must("scripts/setup", "rivals")
        must("scripts/setup", "photos", given.photos)
    build = given.build.resolve() if given.build else built()
    with contextlib.ExitStack() as stack:
        folder = given.folder or stack.enter_context(
            tempfile.TemporaryDirectory(prefix="weft-bench-", dir="/var/tmp"))
        done = all_rows(given, build, folder)
    path = file_results(given, done)
    seconds = sum(row["seconds"] for row in done.values())
    verdicts = [v for row in done.values() for v in row["goals"]]
    met = sum(not v["missed_by"] for v in verdicts)
    print(f"{met} of {len(verdicts)} goals met; {seconds:.0f} s; see {path} "
          "and the .md and .svg beside it")
    return any(name.startswith("weft ") for row in done.values()
               for name in row["failed"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("bench: interrupted: no results were written")
    except contest.Failed as failure:
        sys.exit(f"bench: {failure}")

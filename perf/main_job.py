#!/usr/bin/env python3
"""main_job.py: how much of the machine does the main job use?

    perf/main_job.py BUILD PHOTOS [ROUNDS]

Turns the photos of a folder into shards with `weft run examples/photos.yaml`,
and for comparison runs the bare loop (bare_loop.c) on the same photos: once on
one core, and once on each core at the same time, which is all that this machine
can do. The three alternate, so that a noisy neighbour hits them alike, after a
round that only warms the page cache. Prints the median of the rounds:

    weft / (workers x bare)     what weft makes of the cores
    all cores / (workers x bare)     what there is to be had

BUILD is a build directory with -Dbuildtype=release.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def seconds(commands):
    """How long the commands take when they run at the same time."""
    begin = time.monotonic()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL)
               for command in commands]
    # A photo that cannot be decoded is no failure of the measurement.
    if any(process.wait() not in (0, 1) for process in running):
        sys.exit(f"main_job: failed: {' '.join(map(str, commands[0]))}")
    return time.monotonic() - begin


def main(build, photos, rounds=5):
    build = pathlib.Path(build).resolve()
    workers = len(os.sched_getaffinity(0))
    bare = [build / "perf" / "bare_loop", photos]
    ratios, ceilings = [], []
    for n in range(int(rounds) + 1):
        with tempfile.TemporaryDirectory() as out:
            weft = [build / "cli" / "weft", "run", "--quiet",
                    ROOT / "examples" / "photos.yaml",
                    "--workers", str(workers), "--input", photos,
                    "--output", out]
            one, job = seconds([bare]), seconds([weft])
            all_cores = seconds([bare] * workers)
        if n == 0:
            continue
        ratios.append(one / job / workers)
        ceilings.append(one / all_cores)
        print(f"bare {one:.2f} s, weft {job:.2f} s, "
              f"{workers} x bare at once {all_cores:.2f} s: "
              f"{100 * ratios[-1]:.1f} % of {100 * ceilings[-1]:.1f} %",
              flush=True)
    print(f"weft / ({workers} x bare): {100 * statistics.median(ratios):.1f} %,"
          f" all cores: {100 * statistics.median(ceilings):.1f} %")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])

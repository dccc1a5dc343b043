#!/usr/bin/env python3
"""main_job.py: photos to small JPEGs: one round of one contestant.

    main_job.py --by NAME --build BUILD --photos DIR [--workers N]
                [--percent P]

Every contestant decodes each photo, makes 224 x 224 of it, cropped to cover
them, and encodes that with quality 90. weft packs these into shards, as
examples/photos.yaml says; the rivals, which have no shards, write files.

  weft           weft run
  floor          the codecs of weft in a bare loop, one process a worker, each
                 with all photos; and one alone, times the number of workers
  pillow         Pillow in a pool of processes, with draft mode
  vipsthumbnail  xargs -P, up to 32 photos a process
  parallel_gm    GNU parallel, a GraphicsMagick a photo
  xargs_gm       xargs -P, a GraphicsMagick a photo

Those that start a process for each photo, or for a few, take long: they get
every fifth photo, and what counts is images in a second.

The peak of memory is that of the largest process: where there are several,
that is not all.
"""
import argparse
import collections
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIDE, QUALITY = 224, 90
MOST_TOGETHER = 32  # of those that vipsthumbnail gets
EVERY = {"vipsthumbnail": 5, "parallel_gm": 5, "xargs_gm": 5}
NOT_INSTALLED = 77
PYTHON = shutil.which("python3", path="/usr/bin") or sys.executable
NEEDED = {"vipsthumbnail": ["vipsthumbnail"], "xargs_gm": ["gm"],
          "parallel_gm": ["gm", "parallel"]}

# GraphicsMagick has threads of its own, which are in the way of its like.
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}

Cost = collections.namedtuple("Cost", "seconds cpu peak_mib")


def cost(*commands, **popen):
    """Of commands that run at the same time, with all that they start."""
    begin = time.monotonic()
    running = [subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL, env=ENVIRONMENT,
                                **popen)
               for command in commands]
    cpu = peak = 0
    for process in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss / 1024)
    return Cost(time.monotonic() - begin, cpu, peak)


def gathered(photos, percent, every, folder):
    """Photos in one folder, under names that differ: links."""
    found = sorted(path for path in photos.rglob("*")
                   if path.suffix.lower() in (".jpg", ".jpeg"))
    if not found:
        sys.exit(f"main_job: no photos in {photos}; scripts/setup photos "
                 f"{photos} fetches some")
    some = found[:max(1, len(found) * percent // 100)][::every]
    folder.mkdir()
    for i, path in enumerate(some):
        (folder / f"{i:05}.jpg").symlink_to(path.resolve())
    return len(some)


def gm(photo, small):
    box = f"{SIDE}x{SIDE}"
    return ["gm", "convert", "-size", f"{2 * SIDE}x{2 * SIDE}", photo,
            "-resize", f"{box}^", "-gravity", "center", "-extent", box,
            "-quality", str(QUALITY), small]


def command(by, photos, out, workers, count):
    n = str(workers)
    if by == "pillow":
        return [PYTHON, ROOT / "perf" / "rivals" / "pillow.py", n,
                photos, out]
    if by == "parallel_gm":
        return ["parallel", "--will-cite", "-j", n, "-a", "names",
                *gm("{}", f"{out}/{{/}}")]
    listed = ["xargs", "-a", "names", "-P", n]
    if by == "xargs_gm":
        return [*listed, "-I{}", *gm("photos/{}", f"{out}/{{}}")]
    together = min(MOST_TOGETHER, -(-count // (2 * workers)))
    return [*listed, "-n", str(together), "vipsthumbnail",
            "--vips-concurrency=1", "--size", f"{SIDE}x{SIDE}",
            "--smartcrop", "centre", "-o", f"{out}/%s.jpg[Q={QUALITY}]"]


def rival(by, folder, workers):
    photos, out = folder / "photos", folder / "out"
    names = sorted(photo.name for photo in photos.iterdir())
    prefix = "" if by == "xargs_gm" else "photos/"
    (folder / "names").write_text(
        "".join(f"{prefix}{name}\n" for name in names))
    spent = cost(command(by, photos, out, workers, len(names)), cwd=folder)
    return spent, sum(1 for path in out.iterdir() if path.stat().st_size)


def weft(build, folder, workers):
    spent = cost([build / "cli" / "weft", "run", "--quiet",
                  ROOT / "examples" / "photos.yaml", "--workers",
                  str(workers), "--input", folder / "photos",
                  "--output", folder / "out"])
    listed = [subprocess.run(["tar", "-tf", shard], text=True, check=True,
                             stdout=subprocess.PIPE).stdout
              for shard in (folder / "out").rglob("*.tar")]
    return spent, sum(text.count(".jpg\n") for text in listed)


def tell(by, workers, images, spent):
    for what, unit, value in (
            ("end to end", "images/s", images / spent.seconds),
            ("CPU per 1000", "CPU s", 1000 * spent.cpu / images),
            ("peak memory", "MiB", spent.peak_mib)):
        print(json.dumps({"row": "main_job", "case": "photos", "what": what,
                          "by": by, "workers": workers, "unit": unit,
                          "size": images, "value": value}))


def floor(build, folder, workers, count):
    loop = [build / "perf" / "bare_loop", folder / "photos"]
    one = cost(loop)
    tell("floor", workers, count * workers, cost(*[loop] * workers))
    tell("cores x one loop", workers, count * workers,
         Cost(one.seconds, one.cpu * workers, one.peak_mib))


def compete(given, folder):
    count = gathered(given.photos, given.percent, EVERY.get(given.by, 1),
                     folder / "photos")
    (folder / "out").mkdir()
    if given.by == "floor":
        return floor(given.build, folder, given.workers, count)
    if given.by == "weft":
        spent, made = weft(given.build, folder, given.workers)
    else:
        spent, made = rival(given.by, folder, given.workers)
    if made < 0.9 * count:
        sys.exit(f"main_job: {given.by} made {made} of {count} photos")
    return tell(given.by, given.workers, count, spent)


def lacks(by):
    """What is not installed that it needs."""
    if by == "pillow" and subprocess.run(
            [PYTHON, "-c", "import PIL"], stderr=subprocess.DEVNULL
            ).returncode:
        return "Pillow"
    return next((tool for tool in NEEDED.get(by, [])
                 if not shutil.which(tool)), None)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--by", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--photos", type=pathlib.Path, required=True)
    parser.add_argument("--workers", type=int,
                        default=len(os.sched_getaffinity(0)))
    parser.add_argument("--percent", type=int, default=100)
    given = parser.parse_args()
    if lacking := lacks(given.by):
        print(f"main_job: {lacking} is not installed", file=sys.stderr)
        sys.exit(NOT_INSTALLED)
    with tempfile.TemporaryDirectory(prefix="weft-main-job-") as folder:
        compete(given, pathlib.Path(folder))


if __name__ == "__main__":
    main()

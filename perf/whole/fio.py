#!/usr/bin/env python3
"""fio.py: 4 KiB random reads by fio, with io_uring: one round.

    fio.py [--workers N] [--percent P] --folder DIR

The same large file as the other contestants of the row have, out of the page
cache, and as many reads, but at three depths only, because fio takes long to
start. It draws itself which blocks.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

DEPTHS = (1, 16, 256)
NOT_INSTALLED = 77
MOST_READS, READS_AT_ONE = 8192, 1024


def reads_per_second(large, direct, depth, count):
    ran = subprocess.run(
        ["fio", "--name=read", f"--filename={large}", "--readonly",
         "--rw=randread", "--bs=4k", "--ioengine=io_uring", "--invalidate=1",
         f"--direct={int(direct)}", f"--iodepth={depth}",
         f"--io_size={count * 4096}", "--output-format=json"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    if ran.returncode:
        sys.exit(f"fio.py: {(ran.stderr or ran.stdout).strip()[:200]}")
    job, = json.loads(ran.stdout)["jobs"]
    return job["read"]["iops"]


def can_be_direct(large):
    try:
        os.close(os.open(large, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--percent", type=int, default=100)
    parser.add_argument("--folder", type=pathlib.Path, required=True)
    given = parser.parse_args()
    if not shutil.which("fio"):
        print("fio.py: fio is not installed", file=sys.stderr)
        sys.exit(NOT_INSTALLED)
    large = given.folder / f"files-{given.percent}" / "large"
    if not large.exists():
        sys.exit(f"fio.py: {large} is made by the other contestants: run one")
    most = max(1, MOST_READS * given.percent // 100)
    for direct in (False, True) if can_be_direct(large) else (False,):
        for depth in DEPTHS:
            count = max(depth, min(most, READS_AT_ONE * depth))
            print(json.dumps({
                "row": "files", "what": "read 4 KiB", "by": "fio",
                "case": f"{'direct' if direct else 'buffered'}, "
                        f"depth {depth}",
                "workers": given.workers, "unit": "reads/s",
                "value": reads_per_second(large, direct, depth, count)}))


if __name__ == "__main__":
    main()

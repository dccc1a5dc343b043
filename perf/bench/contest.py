"""contest: one row, round by round, with the contestants in turn.

A contestant is a program that does one round of all cases and prints a line of
JSON for each result. One that is not there, or says with its exit status that
something it needs is not installed, is skipped; one that fails is left out
from then on. Both are named.
"""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

from bench import figures

MOST_DRIFT = 0.05
MOST_TRIES = 3
PATIENCE = 300  # seconds for one round of one contestant
LEAST_PART = 0.2  # of the work: with less, what is done once would count
NOT_INSTALLED = 77  # an exit status, as of tests that are skipped


@dataclasses.dataclass(frozen=True)
class Contestant:
    by: str
    program: pathlib.Path
    arguments: tuple = ()
    workers: int = 1
    percent: int = 100

    def __str__(self):
        return f"{self.by} ({self.program.name} --workers {self.workers})"


class Failed(Exception):
    """A contestant's: with the sentence."""


class NotInstalled(Failed):
    """What a contestant needs."""


def run(program, arguments, patience=PATIENCE):
    """What it prints. It has a process group of its own, and whatever happens
    nothing of it is left."""
    try:
        process = subprocess.Popen(
            [program, *arguments], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            process_group=0)
    except OSError as error:
        raise Failed(f"{program}: {error.strerror}")
    try:
        out, err = process.communicate(timeout=patience)
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Failed(f"not done after {patience} s")
        raise
    if process.returncode:
        said = (err.strip().splitlines() or ["without a word"])[-1]
        if process.returncode == NOT_INSTALLED:
            raise NotInstalled(said)
        raise Failed(f"status {process.returncode}: {said}")
    return out


def parse(line):
    """A line of JSON: what it is about, and the sample."""
    try:
        said = json.loads(line)
        key = figures.Key(said.get("case", ""), said.get("what", ""),
                          said["by"], said["workers"], said["unit"])
        latency = "value" not in said
        sample = {name: float(said[name]) for name in
                  (("median", "min", "p99") if latency else ("value",))}
        if "size" in said:
            sample["size"] = int(said["size"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Failed(f"printed no result but {line!r} ({error!r})")
    return key, sample


def calibrate(spin):
    """Nanoseconds: that the same loop takes on each core, all at once; and that
    a cache line takes from one core to another and back, where there are two.
    """
    said = run(spin, []).splitlines()
    line = [float(ns.split()[1]) for ns in said if ns.startswith("line ")]
    cores = [float(ns) for ns in said if not ns.startswith("line ")]
    return cores, line[0] if line else None


class Row:
    """One attempt at a row."""

    def __init__(self, contestants, keep, rounds):
        self.contestants = [c for c in contestants if c.program.exists()]
        self.skipped = {c.by for c in contestants if not c.program.exists()}
        self.failed = {}  # contestants, and why
        self.seconds = {}  # of each contestant, in the last round
        self.figures = {}
        self.owner = {}  # of each figure
        self.keep = keep
        self.rounds = rounds

    def round(self, n):
        """Who is first in one round is last in the next."""
        first = n % max(1, len(self.contestants))
        for c in self.contestants[first:] + self.contestants[:first]:
            if c not in self.failed and c.by not in self.skipped:
                self.one(c, n)

    def one(self, contestant, n):
        begin = time.monotonic()
        try:
            out = run(contestant.program, [*contestant.arguments, "--percent",
                                           str(contestant.percent)])
            for line in out.splitlines():
                key, sample = parse(line)
                if key := self.keep(contestant, key):
                    self.add(contestant, key, sample, n)
        except NotInstalled:
            self.skipped.add(contestant.by)
        except Failed as failure:
            self.failed[contestant] = str(failure)
        self.seconds[contestant] = time.monotonic() - begin

    def add(self, contestant, key, sample, n):
        samples = self.figures.setdefault(key, [None] * self.rounds)
        owner = self.owner.setdefault(key, contestant)
        if samples[n] or owner != contestant:
            raise Failed(f"gives a result twice: {key.case} {key.what}")
        samples[n] = sample

    def good(self):
        """The figures of those who did not fail."""
        return {key: samples for key, samples in self.figures.items()
                if self.owner[key] not in self.failed}


def shortened(row, seconds):
    """What the contestants have to do for the row not to take longer: weft and
    the floor all, and of the rivals the slow ones less. What they tell is of
    a task or a second, whatever the number of tasks."""
    rivals = [c for c in row.contestants if c.by not in ("weft", "floor")]
    others = sum(row.seconds.get(c, 0) for c in row.contestants
                 if c not in rivals)
    left = max(0, seconds / row.rounds - others)
    found = {}
    # The quick ones first: what they leave of their share is for the slow.
    for i, c in enumerate(sorted(rivals, key=lambda c: row.seconds.get(c, 0))):
        share, took = left / (len(rivals) - i), row.seconds.get(c, 0)
        if took > share:
            part = max(LEAST_PART, share / took)
            found[c] = dataclasses.replace(
                c, percent=max(1, int(c.percent * part)))
        left -= min(share, took)
    return [found.get(c, c) for c in row.contestants]


def attempt(contestants, spin, rounds, seconds, keep):
    """A row; where the first round shows that it would take too long, with
    less to do for slow rivals."""
    row = Row(contestants, keep, rounds)
    before, line_before = calibrate(spin)
    begin = time.monotonic()
    row.round(0)
    if rounds > 1 and (time.monotonic() - begin) * rounds > seconds:
        skipped = row.skipped
        row = Row(shortened(row, seconds), keep, rounds)
        row.skipped |= skipped
        row.round(0)
    for n in range(1, rounds):
        row.round(n)
    after, line_after = calibrate(spin)
    return row, {"before": before, "after": after,
                 "line": [line_before, line_after],
                 "moved": figures.drift(before, after),
                 "seconds": time.monotonic() - begin}


def hold(contestants, spin, rounds, seconds, spare,
         keep=lambda contestant, key: key):
    """The row that was disturbed least, of at most three: another one only
    after one that was noisy, and while `spare` seconds are enough for it."""
    tries = []
    while True:
        tries.append(attempt(contestants, spin, rounds, seconds, keep))
        calm = tries[-1][1]["moved"] <= MOST_DRIFT
        spent = sum(calibration["seconds"] for _, calibration in tries[1:])
        last = tries[-1][1]["seconds"]
        if calm or len(tries) == MOST_TRIES or spent + last > spare:
            break
    best, calibration = min(tries, key=lambda t: t[1]["moved"])
    return best, {
        "noisy": calibration["moved"] > MOST_DRIFT,
        "calibrations": [calibration for _, calibration in tries],
    }

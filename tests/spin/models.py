#!/usr/bin/env python3
"""models: runs the spin models of this folder, as they are and with each step
left out, one at a time; with `long`, also in sizes that take minutes.

A model says in its head with which sizes it runs, and its lines `#ifdef
WITHOUT_` which steps can be left out.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
FOLDER = pathlib.Path(__file__).resolve().parent
CHECKER = ["cc", "-O2", "-w", "-DSAFETY", "-DNOFAIR", "-DCOLLAPSE",
           "-DVECTORSZ=2048", "-o", "pan", "pan.c"]


class Wrong(Exception):
    """A model that cannot be run, or does not say what it should."""


def is_possible():
    return shutil.which("spin") is not None


def sizes(text, kind):
    found = re.findall(rf"^ \* {kind}: (.+)$", text, re.M)
    return [line.split() for line in found]


def left_out(text):
    return sorted(set(re.findall(r"^#ifn?def (WITHOUT_\w+)", text, re.M)))


def run(command, folder):
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    if done.returncode:
        raise Wrong(f"{command[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def check(model, defines):
    """How many states there are, and what spin found wrong, or None."""
    with tempfile.TemporaryDirectory() as folder:
        run(["spin", *defines, "-a", str(model)], folder)
        run(CHECKER, folder)
        told = run(["./pan", "-m5000000", "-w26"], folder)
    states = re.search(r"(\d+) states, stored", told)
    wrong = re.search(r"^pan:\d+: (.*) \(at depth", told, re.M)
    if not states or "truncated" in told or "too small" in told:
        raise Wrong(f"{model.name} was not searched to its end: {told}")
    return int(states[1]), wrong and wrong[1]


def check_all(kinds):
    """Of each size and each step: whether it is as it should be, and a line."""
    for model in sorted(FOLDER.glob("*.pml")):
        text = model.read_text()
        runs = [size for kind in kinds for size in sizes(text, kind)]
        if not runs or not left_out(text):
            raise Wrong(f"{model.name} says no sizes, or leaves nothing out")
        for defines in runs:
            states, wrong = check(model, defines)
            yield not wrong, (f"{model.stem} {' '.join(defines)}: {states} "
                              f"states, {wrong or 'no error'}")
        for step in left_out(text):
            found = any(check(model, [*size, f"-D{step}"])[1]
                        for size in sizes(text, "run"))
            yield found, (f"{'caught' if found else 'SURVIVES':10} "
                          f"{model.stem} {step}")


def main(arguments):
    if not is_possible():
        print("there is no spin: scripts/setup test")
        return SKIPPED
    good = True
    for as_it_should_be, line in check_all(["run", *arguments]):
        print(line, flush=True)
        good &= as_it_should_be
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""explored.py: builds the programs of tests/weave, as they are or with one file
changed, and runs them."""
import pathlib
import re
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "verify"
LONGEST = 600  # seconds: what no longer ends has failed long before that


def run(*command, **options):
    return subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", **options)


class DoesNotBuild(Exception):
    """With what was said about it."""


def must(*command):
    made = run(*command)
    if made.returncode:
        raise DoesNotBuild(made.stdout)


def target(name):
    return f"tests/weave/weave_{name}"


def must_build(*targets):
    if not (BUILD / "build.ninja").exists():
        must("meson", "setup", str(BUILD), str(ROOT), "-Dbenchmarks=false")
    must("ninja", "-C", str(BUILD), *targets)


def build(names):
    if names:  # else ninja would build all that there is
        must_build(*(target(name) for name in names))


class Result:
    """What became of a program: whether all went well, how often it was
    executed, and whether it was ended from outside, which tells nothing."""

    def __init__(self, program, options):
        self.good, self.executions, self.timed_out = False, 0, False
        try:
            ran = run(program, *options, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self.timed_out, self.output = True, "does not end"
            return
        count = re.search(r"^(\d+) executions, \d+ tests failed$", ran.stdout,
                          re.MULTILINE)
        self.good = ran.returncode == 0
        if count:
            self.executions = int(count.group(1))
        self.output = ran.stdout


def explore(name, *options):
    return Result(str(BUILD / target(name)), options)


def commands(name):
    """What ninja does to build it, each command a list of words."""
    listed = run("ninja", "-C", str(BUILD), "-t", "commands", target(name))
    return [line.split() for line in listed.stdout.splitlines()]


def output_of(words):
    for option in ("-o", "csrDT"):
        if option in words:
            return words[words.index(option) + 1]
    return None


def explore_changed(change, name, *options):
    """The same with a file that was changed. What depends on it is built beside
    the rest, so several can be under way."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        source = pathlib.Path(folder) / pathlib.Path(change.file).name
        source.write_text(change.text)
        instead = {f"../../{change.file}": str(source)}
        for words in commands(name):
            if not any(word in instead for word in words):
                continue
            made = output_of(words)
            instead[made] = (f"{pathlib.Path(folder).name}/"
                             f"{pathlib.Path(made).name}")
            instead[made + ".d"] = instead[made] + ".d"
            again = " ".join(instead.get(word, word) for word in words)
            did = run("sh", "-c", again, cwd=BUILD)
            if did.returncode:
                raise DoesNotBuild(f"{change.name}:\n{did.stdout}")
        return Result(str(BUILD / instead[target(name)]), options)

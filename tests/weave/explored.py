"""explored.py: builds the programs of tests/weave, as they are or with one file
changed, and runs them."""
import pathlib
import re
import resource
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "verify"
LONGEST = 600  # seconds of CPU time, for others may have the cores: what no
               # longer ends has failed long before that


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


def limit_time():
    resource.setrlimit(resource.RLIMIT_CPU, (LONGEST, LONGEST + 1))


class Result:
    """What became of a program: whether all went well, how often it was
    executed, and whether it was ended from outside, which tells nothing."""

    def __init__(self, program, options):
        self.good, self.executions = False, 0
        self.output = "does not end"
        try:
            ran = run(program, *options, preexec_fn=limit_time,
                      timeout=20 * LONGEST) # one that sleeps takes no time
        except subprocess.TimeoutExpired:
            self.timed_out = True
            return
        self.timed_out = ran.returncode == -signal.SIGXCPU
        if self.timed_out:
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


def depends_on(made, header):
    """By what the compiler has told of it."""
    told = run("ninja", "-C", str(BUILD), "-t", "deps", made)
    return f"../../{header}" in told.stdout.split()


def explore_changed(change, name, *options):
    """The same with a file that was changed. What depends on it is built beside
    the rest, so several can be under way. A header is found before the one
    that is not changed."""
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        source = pathlib.Path(folder) / change.file
        source.parent.mkdir(parents=True)
        source.write_text(change.text)
        instead = {f"../../{change.file}": str(source)}
        for words in commands(name):
            made, more = output_of(words), []
            if (source.suffix == ".h" and "-c" in words and
                    depends_on(made, change.file)):
                more = ["-iquote", folder]
            elif not any(word in instead for word in words):
                continue
            instead[made] = (f"{pathlib.Path(folder).name}/"
                             f"{pathlib.Path(made).name}")
            instead[made + ".d"] = instead[made] + ".d"
            again = " ".join([instead.get(w, w) for w in words] + more)
            did = run("sh", "-c", again, cwd=BUILD)
            if did.returncode:
                raise DoesNotBuild(f"{change.name}:\n{did.stdout}")
        return Result(str(BUILD / instead[target(name)]), options)

"""tidy.py: checks what a compiler does not: layers, sizes, reasons, leftovers.

    python3 tests/tidy.py ROOT    prints a line for each mistake, or nothing

A rule is a function with a sentence for a name. It gets one source file, or the
whole tree, and yields the mistakes that it finds as (line number, sentence).
test_tidy.py plants a mistake for each rule and sees it found.
"""
import pathlib
import re
import shutil
import subprocess
import sys

MAX_FILE, MAX_FUNCTION, MAX_COLUMNS = 600, 70, 80

# Who may include whom: folders, or single headers. "weft" is the public API.
LAYERS = {
    "include": ["weft"],
    "sched": ["weft", "sched"],
    "graph": ["weft", "graph",
              "sched/sched.h", "sched/task.h", "sched/atomic.h",
              "sched/lock.h"],
    "cli": ["weft", "cli"],
    "examples": ["weft"],
    "perf": ["weft", "perf", "cli/image"],
    "tests": ["weft", "sched", "graph", "cli", "tests"],
}

# The only place of what is not libc; a place is a file or a folder.
HOMES = {
    "hwloc.h": ["sched/topo.c", "cli/bench/machine.c", "tests/faults"],
    "liburing.h": ["sched/ring.c", "sched/ringprobe.c", "tests/weave/uring.c",
                   "tests/faults", "perf/whole/files_floor.c"],
    "linux/futex.h": ["sched/futex.c"],
    "libfyaml.h": ["cli", "tests/faults"],
    "turbojpeg.h": ["cli", "perf", "tests/fuzz"],
    "libswscale/": ["cli", "perf"],
    "libavutil/": ["cli", "perf"],
    "spng.h": ["cli"],
    "archive": ["cli", "tests/fuzz"],
    "xxhash.h": ["cli"],
    "criterion/": ["tests/test.h"],
    "weft/": ["examples"],
}
LIBC = re.compile(r"(sys/|linux/|arpa/|netinet/)?\w+\.h$")

# Modules without a test_<module>.c, because what they promise shows only with
# others: tests/test_<what>.c instead.
TESTED_WITH = {
    "futex": "park",  # who sleeps and who is woken
    "inject": "sched",
    "steal": "sched",
    "thread": "sched",
    "worker": "sched",
    "asleep": "played",  # for whom a seed waits
    "cast": "seeded",  # who is there to be chosen
    "seededio": "seeded",
    "nowait": "io",  # the ways to do one operation, the same tests on each
    "ring": "io",
    "ringprobe": "io",
    "blocking": "io",
    "segment": "pipeline",  # slots, and what may go wrong in them
    "outlet": "consumer",
    "failure": "pipeline",
    "consumer": "pipeline",
    "feed": "flow",
    "prun": "flow",
    "gather": "feed",
    "source": "attempt",  # what a source does is an attempt
    "item": "epoch",  # what an item says of itself
    "clock": "insight",
    "account": "explain",  # what is found, and what it is found from
    "bounds": "explain",
    "look": "report",
    "line": "report",
    "portrait": "picture",
    "critical": "map",
    "special": "drawspecial",  # laid out as they were drawn
    "own": "spawn",  # what children ask of a deque
    "call": "spawn",
    "settle": "then",  # who hears of a result, and in which order
    "subject": "then",
    "waitset": "wait_any",
    "helpwait": "future_wait",
    "withdraw": "future_cancel",
}

READMES = ["sched", "graph", "cli", "tests", "perf"]

ORDER = re.compile(r"\b(load|store|cas|add|sub|or|and|swap)_"
                   r"(acquire|release|acq_rel|seq_cst)\(")
RAW_ATOMIC = re.compile(r"\batomic_(load|store|exchange|compare|fetch)_?\w*\("
                        r"|\bmemory_order_|\b__(sync|atomic)_")
FENCE = re.compile(r"\batomic_(thread|signal)_fence\b|\b_mm_[lsm]fence\b")
MARKER = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")


class Source:
    """A text file of the tree."""

    def __init__(self, name, text):
        self.path = pathlib.PurePosixPath(name)
        self.name = str(name)
        self.layer = self.path.parts[0]
        self.text = text
        self.lines = text.splitlines()
        self.is_c = self.path.suffix in (".c", ".h")

    def numbered(self):
        return enumerate(self.lines, 1)

    def below(self, place):
        return self.name == place or self.name.startswith(place + "/")


# Rules for one C file.


def opens_with_what_it_is_for(c):
    if not c.text.startswith(f"/* {c.path.name}: "):
        yield 1, f"should open with '/* {c.path.name}: what it is for'"


def file_is_short(c):
    if len(c.lines) > MAX_FILE:
        yield MAX_FILE, f"over {MAX_FILE} lines: which two things does it do?"


def functions_are_short(c):
    opened = 0
    for n, line in c.numbered():
        if line == "{":
            opened = n
        elif line.startswith("}") and opened:
            if n - opened > MAX_FUNCTION:
                yield opened, f"function over {MAX_FUNCTION} lines"
            opened = 0


def includes_run_one_way(c):
    allowed = LAYERS[c.layer]
    for n, line in c.numbered():
        if not (found := re.match(r'#\s*include "([^"]+)"', line)):
            continue
        header = pathlib.PurePosixPath(found[1])
        if len(header.parts) < 2:
            yield n, f'"{header}" lacks its folder'
        elif not any(str(header) == a or str(header).startswith(a + "/")
                     for a in allowed):
            yield n, f"{c.layer}/ may not include {header}"


def libraries_are_used_at_home(c):
    for n, line in c.numbered():
        if not (found := re.match(r"#\s*include <([^>]+)>", line)):
            continue
        homes = [places for library, places in HOMES.items()
                 if found[1].startswith(library)]
        if homes and not any(c.below(place) for place in homes[0]):
            yield n, f"<{found[1]}> belongs to {' and '.join(homes[0])} only"
        elif not homes and not LIBC.match(found[1]):
            yield n, f"<{found[1]}> is not libc and has no home in tidy.py"
    for n, line in c.numbered():
        if "SYS_futex" in line and not c.below("sched/futex.c"):
            yield n, "futexes belong to sched/futex.c only"


def orders_have_a_reason(c):
    if c.layer not in ("sched", "graph") or c.path.name == "atomic.h":
        return
    for n, line in c.numbered():
        code = re.sub(r"/\*.*", "", line)
        if is_comment(line) or not ORDER.search(code):
            continue
        if not any("/*" in near or "*/" in near
                   for near in c.lines[max(0, n - 5):n]):
            yield n, "memory order without a reason on its line or just above"


def orders_are_named(c):
    if c.path.name == "atomic.h":
        return
    for n, line in c.numbered():
        if is_comment(line):
            continue
        if c.layer in ("sched", "graph") and RAW_ATOMIC.search(line):
            yield n, "use the names in sched/atomic.h"
        if FENCE.search(line):
            yield n, "a fence: ThreadSanitizer has no model of it, use orders"


def is_comment(line):
    return line.lstrip().startswith(("*", "/*"))


# Rules for any text file.


def fits_the_columns(source):
    if not (source.is_c or source.path.suffix == ".py"
            or source.layer == "scripts"):
        return
    formatted = True
    for n, line in source.numbered():
        if "clang-format o" in line:
            formatted = "clang-format on" in line
        if formatted and len(line) > MAX_COLUMNS:
            yield n, f"over {MAX_COLUMNS} columns"


def has_no_leftovers(source):
    for n, line in source.numbered():
        if MARKER.search(line):
            yield n, "leftover marker"


def has_clean_blanks(source):
    for n, line in source.numbered():
        if line != line.rstrip():
            yield n, "trailing blanks"
        if "\t" in line:
            yield n, "a tab"
    if source.text and not source.text.endswith("\n"):
        yield len(source.lines), "no newline at the end"


# Rules for the tree: a dictionary of its sources by name.


def every_module_has_a_test(tree):
    for source in tree.values():
        if source.layer in ("sched", "graph") and source.path.suffix == ".c":
            module = source.path.stem
            test = f"tests/test_{TESTED_WITH.get(module, module)}.c"
            if test not in tree:
                yield source.name, f"has no {test}"


def every_test_is_run(tree):
    build = tree["tests/meson.build"].text
    for source in tree.values():
        found = re.match(r"tests/(?:command/)?((?:test|stress)_(\w+))\.(c|py)$",
                         source.name)
        if found and not re.search(rf"['/]({found[1]}|{found[2]})(\.\w+)?'",
                                   build):
            yield source.name, "is not named in tests/meson.build"


def folders_tell_their_story(tree):
    for folder in READMES:
        if f"{folder}/README.md" not in tree:
            yield folder, "has no README.md"


def packages_are_named_in_setup(tree):
    """Whoever installs or lists packages elsewhere has two lists to keep."""
    packages = re.compile(r"\b(lib\w+-dev|apt-get " r"install)\b")
    for source in tree.values():
        if source.name == "scripts/setup":
            continue
        for n, line in source.numbered():
            if found := packages.search(line):
                yield f"{source.name}:{n}", f"{found[1]}: let scripts/setup say"


C_RULES = [opens_with_what_it_is_for, file_is_short, functions_are_short,
           includes_run_one_way, libraries_are_used_at_home,
           orders_have_a_reason, orders_are_named]
TEXT_RULES = [fits_the_columns, has_no_leftovers, has_clean_blanks]
TREE_RULES = [every_module_has_a_test, every_test_is_run,
              folders_tell_their_story, packages_are_named_in_setup]


def mistakes(tree):
    """All mistakes in a dictionary of sources by name, as lines to print."""
    for source in tree.values():
        rules = TEXT_RULES
        if source.is_c and source.layer in LAYERS:
            rules = C_RULES + TEXT_RULES
        for rule in rules:
            for n, what in rule(source):
                yield f"{source.name}:{n}: {what}"
    for rule in TREE_RULES:
        for where, what in rule(tree):
            yield f"{where}: {what}"


def read_tree(root):
    """Every text file that is ours, by its name below the root. What is in
    corpus/ is wrong on purpose."""
    tree = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        if re.match(r"\.git/|build|out/|.*__pycache__|tests/fuzz/corpus/",
                    str(name)):
            continue
        if not path.is_file():
            continue
        try:
            tree[str(name)] = Source(name, path.read_text())
        except UnicodeDecodeError:
            pass  # a picture
    return tree


def badly_formatted(root, tree):
    """What clang-format would change. Each version of it has its own taste, so
    only the version that the tree is formatted with is asked."""
    tool = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not tool or " version 14." not in subprocess.run(
            [tool, "--version"], stdout=subprocess.PIPE, text=True).stdout:
        return
    files = [s.name for s in tree.values() if s.is_c and s.layer in LAYERS]
    checked = subprocess.run([tool, "--dry-run", "-Werror", *files], cwd=root,
                             stderr=subprocess.PIPE, text=True)
    named = re.findall(r"^(\S+?):\d+:\d+: error:", checked.stderr, re.M)
    for name in dict.fromkeys(named):
        yield f"{name}: is not as clang-format would have it"


def main(root):
    tree = read_tree(root)
    found = [*mistakes(tree), *badly_formatted(root, tree)]
    print("\n".join(found))
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))

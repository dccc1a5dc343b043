"""test_tidy.py: for each rule of tidy.py, a planted mistake that it finds, and
the same place without it, where it finds nothing."""
import sys
import unittest

import tidy

# A tree in which there is nothing to find.
CLEAN = {
    "sched/park.c": '/* park.c: sleeping. */\n#include "sched/park.h"\n',
    "sched/park.h": '/* park.h: sleeping. */\n#include "weft/base.h"\n',
    "sched/README.md": "The life of a task.\n",
    "graph/README.md": "Drawing, plan, run.\n",
    "graph/plan.h": "/* plan.h: what runs. */\n",
    "cli/README.md": "The command.\n",
    "cli/tar.c": "/* tar.c: shards. */\n#include <archive_entry.h>\n",
    "perf/README.md": "How fast it is.\n",
    "tests/README.md": "How it is tested.\n",
    "tests/test_park.c": "/* test_park.c: sleeping. */\n",
    "tests/meson.build": "test('park', 'test_park.c')\n",
    "scripts/setup": "apt-get " "install libhwloc" "-dev\n",
}


def plant(name, more):
    """A rule's mistake: `more` is added to the file of that name."""
    return {**CLEAN, name: CLEAN.get(name, "") + more}


def without(name):
    return {other: text for other, text in CLEAN.items() if other != name}


def c_file(name, body):
    return {**CLEAN, f"graph/{name}": f"/* {name}: planted. */\n{body}\n"}


MISTAKES = {
    "opens_with_what_it_is_for": [
        (plant("graph/new.h", "int x;\n"), "graph/new.h:1: should open"),
        (plant("graph/new.h", "/* old.h: moved. */\n"), "'/* new.h: "),
    ],
    "file_is_short": [
        (plant("graph/plan.h", "int x;\n" * 600), "over 600 lines"),
    ],
    "functions_are_short": [
        (plant("graph/plan.h", "void f(void)\n{\n" + "    x();\n" * 71 + "}\n"),
         "graph/plan.h:3: function over 70 lines"),
    ],
    "includes_run_one_way": [
        (plant("sched/park.c", '#include "graph/plan.h"\n'),
         "sched/park.c:3: sched/ may not include graph/plan.h"),
        (c_file("plan.h", '#include "sched/park.h"'),
         "graph/ may not include sched/park.h"),
        (plant("cli/tar.c", '#include "sched/park.h"\n'), "cli/ may not"),
        (plant("include/weft/io.h", '/* io.h: I/O. */\n#include "cli/op.h"\n'),
         "include/ may not include cli/op.h"),
        (plant("sched/park.c", '#include "park.h"\n'), "lacks its folder"),
    ],
    "libraries_are_used_at_home": [
        (plant("sched/park.c", "#include <hwloc.h>\n"),
         "cli/bench/machine.c and tests/faults only"),
        (plant("cli/tar.c", "#include <liburing.h>\n"),
         "and perf/whole/files_floor.c only"),
        (plant("sched/park.c", "#include <linux/futex.h>\n"), "futex.c only"),
        (plant("sched/park.c", "int f(void) { return SYS_futex; }\n"),
         "futexes belong to sched/futex.c only"),
        (c_file("plan.h", "#include <turbojpeg.h>"), "belongs to cli and perf"),
        (c_file("plan.h", "#include <archive.h>"),
         "belongs to cli and tests/fuzz only"),
        (c_file("plan.h", "#include <glib-2.0/glib.h>"), "has no home"),
    ],
    "orders_have_a_reason": [
        (c_file("plan.h", "int a;\nint b;\nint c;\nint d;\n"
                "int x(void) { return load_acquire(&y); }"),
         "graph/plan.h:6: memory order without a reason"),
    ],
    "orders_are_named": [
        (c_file("plan.h", "int x(void) { return atomic_load(&y); }"),
         "use the names in sched/atomic.h"),
        (c_file("plan.h", "int x(void) { return __atomic_load_n(&y, 0); }"),
         "use the names"),
        (plant("cli/tar.c", "atomic_thread_fence(memory_order_seq_cst);\n"),
         "cli/tar.c:3: a fence"),
    ],
    "fits_the_columns": [
        (plant("cli/tar.c", f"/* {'wide ' * 20} */\n"), "over 80 columns"),
        (plant("scripts/setup", "# " + "wide" * 20 + "\n"), "over 80 columns"),
        (plant("tests/try.py", "# " + "wide" * 20 + "\n"), "over 80 columns"),
    ],
    "has_no_leftovers": [
        (plant("cli/tar.c", "/* FIX" "ME: later */\n"), "tar.c:3: leftover"),
        (plant("perf/README.md", "TO" "DO: measure.\n"), "leftover marker"),
    ],
    "has_clean_blanks": [
        (plant("perf/README.md", "Fast. \n"), "trailing blanks"),
        (plant("cli/tar.c", "\tint x;\n"), "a tab"),
        (plant("cli/tar.c", "int x;"), "no newline at the end"),
    ],
    "every_module_has_a_test": [
        (without("tests/test_park.c"), "sched/park.c: has no tests/test_park"),
        (plant("sched/steal.c", "/* steal.c: from others. */\n"),
         "sched/steal.c: has no tests/test_sched.c"),
    ],
    "every_test_is_run": [
        (plant("tests/stress_park.c", "/* stress_park.c: races. */\n"), None),
        (plant("tests/test_wake.c", "/* test_wake.c: waking. */\n"),
         "tests/test_wake.c: is not named"),
        (plant("tests/command/test_run.py", "\n"),
         "tests/command/test_run.py: is not named"),
    ],
    "folders_tell_their_story": [
        (without("graph/README.md"), "graph: has no README.md"),
    ],
    "packages_are_named_in_setup": [
        (plant("perf/README.md", "First apt-get " "install it.\n"),
         "perf/README.md:2: apt-get " "install"),
        (plant("tests/README.md", "It needs libhwloc" "-dev.\n"), "libhwloc"),
    ],
}


def found(files):
    tree = {name: tidy.Source(name, text) for name, text in files.items()}
    return list(tidy.mistakes(tree))


class Tidy(unittest.TestCase):
    def test_a_clean_tree_has_no_mistakes(self):
        self.assertEqual(found(CLEAN), [])

    def test_each_planted_mistake_is_found_and_nothing_else(self):
        for rule, planted in MISTAKES.items():
            for files, expected in planted:
                with self.subTest(rule=rule, expected=expected):
                    lines = found(files)
                    if expected is None:
                        self.assertEqual(lines, [])
                        continue
                    self.assertEqual(len(lines), 1, lines)
                    self.assertIn(expected, lines[0])

    def test_every_rule_has_a_planted_mistake(self):
        rules = tidy.C_RULES + tidy.TEXT_RULES + tidy.TREE_RULES
        self.assertEqual({rule.__name__ for rule in rules}, set(MISTAKES))

    def test_a_reason_up_to_four_lines_above_is_enough(self):
        reason = "/* Acquire: [P]. */\nint a;\nint b;\nint c;\n"
        order = "int x(void) { return load_acquire(&y); }"
        self.assertEqual(found(c_file("plan.h", reason + order)), [])
        self.assertEqual(len(found(c_file("plan.h", reason + "\n" + order))), 1)

    def test_what_clang_format_leaves_alone_may_be_wide(self):
        wide = f"/* clang-format off */\nint {'x' * 90};\n/* clang-format on */"
        self.assertEqual(found(c_file("plan.h", wide)), [])


if __name__ == "__main__":
    sys.exit(unittest.main())

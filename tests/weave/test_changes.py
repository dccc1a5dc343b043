"""test_changes.py: the lists that scripts/verify goes by: that they fit the
files they are about, and that one that does not is an error."""
import pathlib
import tempfile
import unittest
import unittest.mock

import changes
import explored

WEAVE = pathlib.Path(__file__).resolve().parent
ROOT = WEAVE.parents[1]


class Lists(unittest.TestCase):
    """Those of the project."""

    def test_each_step_stands_in_its_file(self):
        self.assertTrue(list(changes.changed_steps(WEAVE / "steps", ROOT)))

    def test_each_reason_is_about_something(self):
        known = changes.reasons(WEAVE / "survivors")
        self.assertTrue(all(known.values()))
        changes.must_be_about(known, ROOT, WEAVE / "steps")


class Planted(unittest.TestCase):
    """A tree of one file, with lists that are right and wrong."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        (self.root / "a.c").write_text("int f(void)\n{\n    wait(x);\n"
                                       "    return load_acquire(&x);\n}\n")
        self.steps = self.root / "steps"
        self.steps.write_text("a.c: [S] nobody waits\n-    wait(x);\n+    ;\n")

    def check(self, *names):
        known = dict.fromkeys(names, "why")
        changes.must_be_about(known, self.root, self.steps)

    def test_a_reason_for_an_order_or_a_step_is_right(self):
        self.check("a.c: return load_acquire(&x); -> relaxed",
                   "a.c: [S] nobody waits")

    def test_a_reason_for_what_is_gone_is_an_error(self):
        for name in ("a.c: return load_acquire(&y); -> relaxed",
                     "a.c: [S] somebody waits",
                     "b.c: return load_acquire(&x); -> relaxed"):
            with self.assertRaisesRegex(changes.Wrong, "not there:\n"):
                self.check(name)

    def test_a_reason_for_what_is_caught_is_told(self):
        for fate, reason, outcome in ((changes.FOUND, "why", "NO REASON"),
                                      (changes.FOUND, None, "caught"),
                                      (changes.SURVIVED, "why", "explained"),
                                      (changes.SURVIVED, None, "SURVIVES"),
                                      (changes.SURVIVED, "", "SURVIVES"),
                                      (changes.TIMED_OUT, "why", "TIMED OUT"),
                                      (changes.TIMED_OUT, None, "TIMED OUT")):
            self.assertEqual(changes.outcome(fate, reason), outcome)

    def test_a_step_that_is_gone_is_an_error(self):
        self.steps.write_text("a.c: [S] nobody waits\n-    sleep(x);\n+    ;\n")
        with self.assertRaisesRegex(changes.Wrong, "stands there 0 times"):
            self.check()


class Programs(unittest.TestCase):
    """Some that end well, badly, and not at all, in place of explored tests."""

    def fate(self, *programs):
        with unittest.mock.patch.object(explored, "LONGEST", 1):
            return changes.fate(explored.Result(*program)
                                for program in programs)

    def test_what_no_program_finds_has_survived(self):
        self.assertEqual(self.fate(("true", [])), changes.SURVIVED)

    def test_what_one_finds_is_found(self):
        self.assertEqual(self.fate(("true", []), ("false", [])), changes.FOUND)

    def test_what_does_not_end_is_not_found(self):
        for before in ([], [("true", [])]):
            self.assertEqual(
                self.fate(*before, ("sh", ["-c", "while :; do :; done"])),
                changes.TIMED_OUT)


if __name__ == "__main__":
    unittest.main()

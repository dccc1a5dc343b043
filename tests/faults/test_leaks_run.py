"""test_leaks_run.py: `weft run` when one of its own allocations fails, each in
turn: LeakSanitizer finds nothing that was lost.

    FAULT_AT=123 [FAULT_ON=1] build/asan/tests/weft_nomem run SPEC

repeats one. Every day one allocation in STEP fails; with WEFT_LONG all do.
"""
import os
import unittest

from job import Job, JobTest, sweep

LONG = bool(os.environ.get("WEFT_LONG"))


class Leaks:
    def attempt(self, at, on=False):
        """(the outcome, how many allocations there were)"""
        told = self.job.root / f"told-{at}"
        outcome = self.job.run({
            "FAULT_AT": str(at), "FAULT_TOLD": str(told),
            "ASAN_OPTIONS": "exitcode=86",  # no code of weft's
            **({"FAULT_ON": "1"} if on else {})})
        count = int(told.read_text()) if told.exists() else 0
        told.unlink(missing_ok=True)
        return outcome, count

    def lose_nothing(self, on):
        outcome, count = self.attempt(0)
        self.assertEqual(outcome.code, 0, outcome.err)
        self.assertGreater(count, 100)
        numbers = range(1, count + 1, 1 if LONG else self.STEP)
        outcomes = sweep(numbers, lambda at: self.attempt(at, on)[0])
        for at, outcome in zip(numbers, outcomes):
            with self.subTest(FAULT_AT=at, FAULT_ON=on):
                self.assertEqual(self.job.judge(outcome), [], outcome.err)
        codes = {o.code for o in outcomes}
        print(f"{len(numbers)} of {count} allocations failed: {codes}")
        self.assertIn(3, codes)

    def test_when_one_allocation_fails(self):
        self.lose_nothing(on=False)

    def test_when_all_fail_from_one_on(self):
        self.lose_nothing(on=True)


class Shards(Leaks, JobTest):
    STEP = 14


class Files(Leaks, JobTest):
    """Each made of what a command has written."""

    STEP = 49

    @classmethod
    def setUpClass(cls):
        cls.job = Job([
            {"name": "command", "use": "exec",
             "with": {"argv": ["cat", "{path}"]}},
            {"name": "decode", "use": "image.thumbnail",
             "with": {"width": 8, "height": 8}},
            {"name": "encode", "use": "image.jpeg"},
            {"name": "write", "use": "file.write",
             "with": {"pattern": "out/{key}.{ext}"}}])


if __name__ == "__main__":
    unittest.main()

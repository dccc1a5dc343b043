"""test_nomem_run.py: `weft run` when memory ends, at every allocation.

    FAULT_AT=123 [FAULT_ON=1] LD_PRELOAD=build/gcc/tests/faults/libnomem.so \\
        build/gcc/cli/weft run SPEC

repeats one. The library says what counts: nomem.c. Every day one allocation in
eight fails; in the suite `long` all of them do.
"""
import collections
import os
import unittest

from job import JobTest, sweep

NOMEM = os.environ["NOMEM"]  # the library
STEP = 1 if os.environ.get("WEFT_LONG") else 8  # every so many-th


class Memory(JobTest):
    def attempt(self, at, for_good):
        """(the outcome, how many allocations there were)"""
        told = self.job.root / f"told-{at}"
        env = {"FAULT_AT": str(at), "FAULT_TOLD": str(told),
               "LD_PRELOAD": NOMEM}
        if for_good:
            env["FAULT_ON"] = "1"
        outcome = self.job.run(env)
        count = int(told.read_text()) if told.exists() else 0
        told.unlink(missing_ok=True)
        return outcome, count

    def end_everywhere(self, for_good):
        _, count = self.attempt(0, False)
        self.assertGreater(count, 100)
        numbers = range(1, count + 1, STEP)
        outcomes = sweep(numbers, lambda at: self.attempt(at, for_good)[0])
        for at, outcome in zip(numbers, outcomes):
            with self.subTest(FAULT_AT=at, FAULT_ON=for_good):
                self.assertEqual(self.job.judge(outcome), [], outcome.err)
        codes = collections.Counter(o.code for o in outcomes)
        print(f"{len(numbers)} of {count} allocations failed, for good: "
              f"{for_good}; codes: {dict(codes)}")
        self.assertGreater(codes[3], 0)
        return codes

    def test_one_allocation_fails(self):
        codes = self.end_everywhere(for_good=False)
        self.assertGreater(codes[1], 0)

    def test_all_fail_from_one_on(self):
        self.end_everywhere(for_good=True)


if __name__ == "__main__":
    unittest.main()

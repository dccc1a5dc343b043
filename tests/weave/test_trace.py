"""test_trace.py: what weave prints of an execution: that each step comes with
the line of its own source, whoever had a turn before it."""
import os
import pathlib
import re
import subprocess
import unittest

SCHED = pathlib.Path(__file__).resolve().parents[2] / "sched"
STEP = re.compile(r"thread [12]: load \S+ (\w+):.* deque\.c:(\d+)")


class Trace(unittest.TestCase):
    def test_each_load_is_where_one_of_its_order_stands(self):
        lines = (SCHED / "deque.c").read_text().splitlines()
        seen = set()
        for seed in range(4):
            printed = subprocess.run(
                [os.environ["WEAVE"], "--all", "0", "--random", "1", "--pct",
                 "0", "--seed", str(seed), "--trace", "two_thieves"],
                capture_output=True, text=True, check=True).stdout
            for order, number in STEP.findall(printed):
                self.assertIn("load_" + order, lines[int(number) - 1])
                seen.add(order)
        self.assertEqual(seen, {"relaxed", "acquire", "seq_cst"})


if __name__ == "__main__":
    unittest.main()

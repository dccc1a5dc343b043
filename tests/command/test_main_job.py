"""test_main_job.py: the contestants of the main job do the same work, where
they are installed, and say what it cost.
"""
import json
import os
import pathlib
import subprocess
import sys

from fixtures import WEFT, CommandTest, unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "perf" / "whole" / "main_job.py"
BUILD = pathlib.Path(WEFT).parent.parent
NOT_INSTALLED = 77


class MainJob(CommandTest):
    def compete(self, by, *arguments):
        return subprocess.run(
            [sys.executable, PROGRAM, "--by", by, "--build", BUILD,
             "--photos", self.photos, "--workers", "2", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TMPDIR": str(self.root)})

    def results(self, by):
        ran = self.compete(by)
        if ran.returncode == NOT_INSTALLED:
            self.skipTest(ran.stderr.strip())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return [json.loads(line) for line in ran.stdout.splitlines()]

    def assert_competes(self, by, *names):
        self.add_jpegs(20)
        self.add("in/deep.jpeg", (self.photos / "photo-0000.jpg").read_bytes())
        found = self.results(by)
        whats = ["end to end", "CPU per 1000", "peak memory"]
        self.assertEqual([(r["by"], r["what"]) for r in found],
                         [(name, what) for name in names or [by]
                          for what in whats])
        for result in found:
            self.assertGreater(result["value"], 0)
            self.assertEqual(result["workers"], 2)

    def test_weft_competes(self):
        self.assert_competes("weft")

    def test_the_bare_loop_competes_in_two_ways(self):
        self.assert_competes("floor", "floor", "cores x one loop")

    def test_pillow_competes(self):
        self.assert_competes("pillow")

    def test_vipsthumbnail_competes(self):
        self.assert_competes("vipsthumbnail")

    def test_gnu_parallel_competes(self):
        self.assert_competes("parallel_gm")

    def test_xargs_competes(self):
        self.assert_competes("xargs_gm")

    def test_where_most_photos_are_missing_in_the_end_it_is_a_failure(self):
        self.add_jpegs(3)
        self.add("photo-9.jpg", b"this is no photo")
        for by in ("weft", "pillow"):
            with self.subTest(by):
                ran = self.compete(by)
                if ran.returncode != NOT_INSTALLED:
                    self.assertEqual(ran.returncode, 1)
                    self.assertIn("made 3 of 4 photos", ran.stderr)

    def test_nothing_is_left_behind(self):
        self.add_jpegs(4)
        self.results("weft")
        self.assertEqual(list(self.root.iterdir()), [self.photos])

    def test_no_photos_is_a_mistake_that_says_where_to_get_some(self):
        ran = self.compete("weft")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("scripts/setup photos", ran.stderr)


if __name__ == "__main__":
    unittest.main()

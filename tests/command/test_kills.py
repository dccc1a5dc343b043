"""test_kills.py: a run may be killed at any moment, and nothing is lost or done
twice.
"""
import os
import random
import unittest

from kills import Killed

LONG = "WEFT_LONG" in os.environ


class Kills(Killed):
    """Short runs, killed everywhere."""

    def check_sweep(self, name, least):
        self.add_items(8 if LONG else 3)
        spec = self.jobs()[name]
        for io in ("threads", "ring") if LONG else ("threads",):
            points = self.sweep(spec, io)
            print(f"{name}, {io}: killed at each of {points} calls")
            self.assertGreater(points, least)

    def test_files_survive_a_kill_at_every_call(self):
        self.check_sweep("files", 20)

    def test_shards_survive_a_kill_at_every_call(self):
        self.check_sweep("shards", 15)

    def test_arrays_survive_a_kill_at_every_call(self):
        self.check_sweep("arrays", 15)

    def test_the_journal_is_on_disk_before_anything_else(self):
        """A journal that a power cut takes with it knows no temporary file."""
        self.add_items(3)
        for name, spec in self.jobs().items():
            with self.subTest(name):
                self.undisturbed(spec)
                called = []
                while not self.out.exists() or not self.files():
                    self.empty()
                    called.append(self.kill_at(spec, len(called) + 1,
                                               "threads"))
                    self.assertTrue(called[-1])
                self.assertEqual(len(self.journals()), 1)
                self.assertGreaterEqual(called[:-1].count("fsync"), 2)
                self.empty()

    @unittest.skipUnless(LONG, "in the suite long")
    def test_larger_runs_survive_a_hundred_kills_at_any_time(self):
        self.add_items(100)
        kills, chance = 0, random.Random(1)
        while kills < 100:
            for spec in self.jobs(together=7).values():
                kills += self.kill_at_random(spec, chance)


if __name__ == "__main__":
    unittest.main()

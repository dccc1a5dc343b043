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
            self.assertGreater(self.sweep(spec, io), least)

    def test_files_survive_a_kill_at_every_call(self):
        self.check_sweep("files", 20)

    def test_shards_survive_a_kill_at_every_call(self):
        self.check_sweep("shards", 15)

    def test_arrays_survive_a_kill_at_every_call(self):
        self.check_sweep("arrays", 15)

    @unittest.skipUnless(LONG, "in the suite long")
    def test_larger_runs_survive_a_hundred_kills_at_any_time(self):
        self.add_items(100)
        kills, chance = 0, random.Random(1)
        while kills < 100:
            for spec in self.jobs(together=7).values():
                kills += self.kill_at_random(spec, chance)


if __name__ == "__main__":
    unittest.main()

"""test_hang.py: what weave says of tests that never end."""
import os
import subprocess
import unittest


def explored(name, *options):
    return subprocess.run([os.environ["WEAVE"], "--all", "0", "--random", "3",
                           "--pct", "3", *options, name],
                          capture_output=True, text=True, check=False,
                          timeout=60)


class Hang(unittest.TestCase):
    def test_a_loop_without_a_step_is_a_failure(self):
        ran = explored("takes_no_step", "--longest", "50", "--seed", "7")
        self.assertEqual(ran.returncode, 1)
        self.assertEqual(ran.stdout, "takes_no_step: FAILED, no end, and no "
                         "step\n  again: --random 1 --pct 0 --all 0 --seed 7 "
                         "'takes_no_step'\n")

    def test_so_is_one_with_steps(self):
        ran = explored("takes_steps_for_ever")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no end after 20000 steps\n", ran.stdout)

    def test_what_ends_is_none_however_many_there_are(self):
        ran = explored("it_ends", "--random", "300000", "--longest", "20")
        self.assertEqual(ran.returncode, 0)
        self.assertIn("it_ends: ok, 300003 executions\n", ran.stdout)


if __name__ == "__main__":
    unittest.main()

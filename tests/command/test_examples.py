"""test_examples.py: the programs in examples/ do what they are there to show.

EXAMPLES in the environment is the folder they were built in.
"""
import os
import pathlib
import subprocess
import unittest

EXAMPLES = pathlib.Path(os.environ["EXAMPLES"])


def output_of(name, text=""):
    done = subprocess.run([EXAMPLES / name], input=text, check=True,
                          capture_output=True, text=True, timeout=60)
    assert done.stderr == "", done.stderr
    return done.stdout.splitlines()


class Diamond(unittest.TestCase):
    def test_the_sides_come_between_load_and_join(self):
        for _ in range(20):
            names = [line.split()[0] for line in output_of("diamond")]
            self.assertEqual(names[0], "load")
            self.assertEqual(sorted(names[1:3]), ["left", "right"])
            self.assertEqual(names[3:], ["join"])


if __name__ == "__main__":
    unittest.main()

"""test_examples.py: the programs in examples/ do what they are there to show.

EXAMPLES in the environment is the folder they were built in.
"""
import os
import pathlib
import subprocess
import unittest

EXAMPLES = pathlib.Path(os.environ["EXAMPLES"])
README = pathlib.Path(__file__).parents[2] / "README.md"


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


class Lines(unittest.TestCase):
    def test_hashes_come_in_the_order_of_the_lines(self):
        lines = [f"line {n}" for n in range(5000)]
        out = output_of("lines", "\n".join(lines) + "\n")
        self.assertEqual([line.split(" ", 1)[1] for line in out], lines)
        self.assertEqual(out[0].split()[0], "7a3d60e7")


class Readme(unittest.TestCase):
    def test_its_program_shouts(self):
        out = output_of("readme", "one\ntwo\n")
        self.assertEqual(out, ["ONE", "TWO"])

    def test_its_program_ends_within_the_first_25_lines(self):
        self.assertIn("```", README.read_text().splitlines()[2:25])


if __name__ == "__main__":
    unittest.main()

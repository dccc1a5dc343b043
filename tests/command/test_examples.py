"""test_examples.py: the programs in examples/ do what they are there to show.

EXAMPLES in the environment is the folder they were built in.
"""
import os
import pathlib
import re
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


class Converge(unittest.TestCase):
    def test_each_run_repeats_the_task_until_its_root_is_good(self):
        lines = [line.split() for line in output_of("converge")]
        self.assertEqual([line[0] for line in lines],
                         ["2", "3", "5", "7", "11"])
        for number, root, steps, _ in lines:
            self.assertAlmostEqual(float(root) ** 2, float(number), places=4)
            self.assertGreater(int(steps), 2)


class Lines(unittest.TestCase):
    def test_hashes_come_in_the_order_of_the_lines(self):
        lines = [f"line {n}" for n in range(5000)]
        out = output_of("lines", "\n".join(lines) + "\n")
        self.assertEqual([line.split(" ", 1)[1] for line in out], lines)
        self.assertEqual(out[0].split()[0], "7a3d60e7")


class Chain(unittest.TestCase):
    def test_a_step_that_fails_is_named_and_the_later_ones_are_not_called(self):
        self.assertEqual(output_of("chain"), [
            "6 * 7  42",
            "six    parse: 'six' is no sum (EINVAL)",
            "6 ? 7  check: nobody knows '?' (EOPNOTSUPP)",
            "6 / 0  compute: 6 is divided by 0 (EDOM)",
            "parse 4, check 3, compute 2",
        ])


class ManyChains(unittest.TestCase):
    def test_they_take_not_nearly_as_long_as_one_after_the_other(self):
        ended, took = output_of("many_chains")
        self.assertEqual(
            ended, "1000 chains ended, after pauses of 3000 ms in all")
        took = int(re.fullmatch(r"it took (\d+) ms", took)[1])
        self.assertGreaterEqual(took, 3)
        self.assertLess(took, 1500)


class Queens(unittest.TestCase):
    def test_children_find_all_solutions(self):
        for _ in range(5):
            self.assertEqual(output_of("queens"), [
                "1 queens: 1", "2 queens: 0", "3 queens: 0", "4 queens: 2",
                "5 queens: 10", "6 queens: 4", "7 queens: 40",
                "8 queens: 92", "9 queens: 352", "10 queens: 724",
            ])


class Seeds(unittest.TestCase):
    def test_a_seed_finds_the_race_and_shows_it_again(self):
        found, again, steps = output_of("seeds")
        seed, flight, sold = re.fullmatch(
            r"seed (\d+): flight (\d+) has 3 seats, (\d+) were sold",
            found).groups()
        self.assertGreater(int(sold), 3)
        self.assertEqual(again, f"again with seed {seed}: the same order")
        booked = [step for step in steps.split() if step[0] == "b"
                  and int(step[1:]) * 7 % 12 == int(flight)]
        self.assertEqual(len(booked), int(sold))

    def test_it_is_the_same_each_time(self):
        self.assertEqual(output_of("seeds"), output_of("seeds"))


class FirstCompleted(unittest.TestCase):
    def test_the_first_answer_decides_and_the_rest_is_left(self):
        self.assertEqual(output_of("first_completed"), [
            "east is first: 4 parts",
            "all parts of east: 1000 bytes",
            "2 questions were left",
        ])


class Loader(unittest.TestCase):
    BATCHES = ["4 pages, sum 60", "4 pages, sum 230", "1 pages, sum 90",
               "an epoch has ended",
               "4 pages, sum 460", "4 pages, sum 620", "2 pages, sum 370",
               "an epoch has ended"]
    TRAINING = ["    pages     in 20, done 20, failed 0, retried 0",
                "    download  in 20, done 19, failed 1, retried 6",
                "    decode    in 19, done 19, failed 0, retried 0",
                "    augment   in 19, done 19, failed 0, retried 0",
                "    batch     in 19, done 19, failed 0, retried 0",
                "    transfer  in  6, done  6, failed 0, retried 0",
                "    consumer  in  6, done  6, failed 0, retried 0"]
    VALIDATION = ["    pages     in 10, done 10, failed 0, retried 0",
                  "    download  in 10, done 10, failed 0, retried 2",
                  "    decode    in 10, done 10, failed 0, retried 0",
                  "    batch     in 10, done 10, failed 0, retried 0",
                  "    transfer  in  4, done  4, failed 0, retried 0",
                  "    score     in  4, done  4, failed 0, retried 0"]

    def test_two_pipelines_load_and_are_never_in_the_card_together(self):
        self.assertEqual(output_of("loader"), [
            *(f"training: {batch}" for batch in self.BATCHES),
            "training", *self.TRAINING,
            "validation", *self.VALIDATION,
            "1 lost, validated: 1045",
            "card: 10 transfers, 0 overlapped",
        ])


class Readme(unittest.TestCase):
    def test_its_program_shouts(self):
        out = output_of("readme", "one\ntwo\n")
        self.assertEqual(out, ["ONE", "TWO"])

    def test_its_program_ends_within_the_first_25_lines(self):
        self.assertIn("```", README.read_text().splitlines()[2:25])


if __name__ == "__main__":
    unittest.main()

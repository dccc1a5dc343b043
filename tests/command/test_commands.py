"""test_commands.py: the command line, and the commands that tell something."""
import json
import os
import re
import subprocess
import unittest

from specs import GOOD, WEFT, SpecTest, weft

COMMANDS = ["run", "check", "stages", "topo", "bench"]


class TheCommandLine(unittest.TestCase):
    def test_without_a_command_is_told_what_there_is(self):
        code, out, err = weft()
        self.assertEqual((code, out), (2, ""))
        for command in COMMANDS:
            self.assertIn(f"weft {command} ", err)

    def test_explains_itself(self):
        for word in ("--help", "-h", "help"):
            code, out, err = weft(word)
            self.assertEqual((code, err), (0, ""))
            self.assertIn("Usage: weft COMMAND", out)

    def test_explains_each_command_in_two_ways(self):
        for command in COMMANDS:
            code, out, err = weft(command, "--help")
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith(f"Usage: weft {command} "))
            self.assertEqual(weft("help", command), (0, out, ""))

    def test_explains_every_option_of_run(self):
        _, out, _ = weft("run", "--help")
        for option in ("workers=N", "set=KEY=VALUE", "input=DIR", "output=DIR",
                       "json", "quiet", "keep-going", "fail-fast", "dry-run",
                       "seed=N"):
            self.assertIn(f"      --{option} ", out)
        for code in (0, 1, 2, 3, 4, 75, 130):
            self.assertRegex(out, rf"\b{code} ")

    def test_says_what_a_seed_does_not_decide(self):
        _, out, _ = weft("run", "--help")
        self.assertIn("the same each time, but for what commands of exec "
                      "stages do", " ".join(out.split()))

    def test_says_its_version(self):
        for args in (["--version"], ["-V"], ["run", "--version"]):
            code, out, err = weft(*args)
            self.assertEqual((code, err), (0, ""))
            self.assertRegex(out, r"^weft \d+\.\d+\.\d+\n$")

    def test_guesses_which_command_was_meant(self):
        self.assertEqual(weft("chekc"), (
            2, "", "weft: there is no command 'chekc'; did you mean "
            "'check'?\n"))
        self.assertEqual(weft("help", "frobnicate"), (
            2, "", "weft: there is no command 'frobnicate'; 'weft --help' "
            "lists them\n"))

    def test_with_a_mistake_ends_with_2_and_a_sentence(self):
        for args, sentence in (
                (["run"], "weft run: which spec? Give the path of a YAML file"),
                (["check", "a", "b"],
                 "weft check: one spec at a time: a or b?"),
                (["run", "--foo", "a"],
                 "weft run: unrecognized option '--foo'"),
                (["run", "a", "--set"],
                 "weft run: option '--set' requires an argument"),
                (["run", "a", "--set", "foo"], "weft run: --set foo: write it "
                 "as KEY=VALUE, such as stages.read.inflight=128"),
                (["check", "a", "--workers", "2"],
                 "weft check: unrecognized option '--workers'"),
                (["stages", "a", "b"],
                 "weft stages: one operator at a time: a or b?"),
                (["topo", "--workers", "0"],
                 "weft topo: --workers 0: a number from 1 to 1024"),
                (["topo", "--workers", "-1"],
                 "weft topo: --workers -1: a number from 1 to 1024"),
                (["topo", "x"], "weft topo: Too many arguments")):
            code, out, err = weft(*args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertEqual(err.splitlines()[0], sentence)

    def test_that_cannot_say_it_ends_with_3(self):
        for args in (["--help"], ["--version"], ["stages"], ["run", "--help"],
                     ["topo"], ["topo", "--json"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run([WEFT, *args], stdout=full,
                                      stderr=subprocess.PIPE, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (
                3, b"weft: cannot write to standard output: No space left on "
                b"device\n"), args)


class Run(SpecTest):
    def test_shows_all_mistakes_of_the_spec_and_of_its_options(self):
        (self.folder / "s.yaml").write_text(
            GOOD.replace("quality: 90", "quality: 0"))
        code, out, err = weft("run", "s.yaml", "--workers", "none",
                              "--set", "slots=0", cwd=self.folder)
        self.assertEqual((code, out), (2, ""))
        said = [line for line in err.splitlines() if not line.startswith("  ")]
        self.assertEqual({line.partition(": '")[0] for line in said},
                         {"s.yaml:6:55", "--workers none", "--set slots=0"})
        self.assertEqual(os.listdir(self.folder), ["s.yaml"])


class Stages(unittest.TestCase):
    def operators(self):
        _, out, _ = weft("stages")
        return re.findall(r"^([a-z.]+)$", out, re.M)

    def test_are_all_there_with_their_parameters(self):
        code, out, err = weft("stages")
        self.assertEqual((code, err), (0, ""))
        self.assertLessEqual({"files.list", "file.read", "image.thumbnail",
                              "image.jpeg", "tar.shard", "gather", "npy.write",
                              "exec"}, set(self.operators()))
        self.assertIn("    quality      1 to 100 percent; default 90\n", out)
        self.assertIn("    pattern    text; required\n", out)

    def test_have_no_parameter_without_a_help(self):
        for operator in self.operators():
            code, out, err = weft("stages", operator)
            self.assertEqual((code, err), (0, ""))
            lines = out.splitlines()
            self.assertEqual(lines[0], operator)
            self.assertLessEqual(max(map(len, lines)), 80)
            params = out.split("    beside 'with':")[0].splitlines()
            for line, after in zip(params, params[1:] + [""]):
                if re.search("; (default|required)", line):
                    self.assertRegex(after, r"^ {6,}\S")

    def test_are_guessed(self):
        self.assertEqual(weft("stages", "image.jpg"), (
            2, "", "weft stages: there is no operator 'image.jpg'; did you "
            "mean 'image.jpeg'?\n"))


class Topo(unittest.TestCase):
    def test_says_how_many_workers_there_are(self):
        code, out, err = weft("topo", "--workers", "3")
        self.assertEqual((code, err), (0, ""))
        self.assertRegex(out, r"(?m)^workers +3\b")

    def test_says_the_same_as_json(self):
        _, out, _ = weft("topo", "--workers", "2")
        code, report, err = weft("topo", "--workers", "2", "--json")
        self.assertEqual((code, err), (0, ""))
        report = json.loads(report)
        self.assertEqual(report["workers"], 2)
        self.assertEqual([f"{said['what']:<10} {said['text']}"
                          for said in report["decisions"]], out.splitlines())


if __name__ == "__main__":
    unittest.main()

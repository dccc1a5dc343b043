"""test_contest.py: the driver of the benchmarks, with small scripts for
contestants, which say what they are told to, and note that they were called.
"""
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "perf"))

from bench import contest, derived, figures, goals, rows, tables

CORES = len(os.sched_getaffinity(0))
ROUNDS = 9


class Bench(unittest.TestCase):
    """Every test has a build of its own with the row `limit`, and a spin that
    never changes."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weft-test-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.build = self.root / "build"
        self.results = self.root / "results"
        for folder in ("rows", "whole"):
            (self.build / "perf" / folder).mkdir(parents=True)
        self.log = self.root / "log"
        self.log.touch()
        self.spin(100)

    def script(self, path, *lines):
        path.write_text("\n".join(["#!/bin/sh", *map(str, lines)]) + "\n")
        path.chmod(0o755)
        return path

    def numbers(self, name, values):
        """Lines that give $value: the next one with each call, in turn."""
        return [f"echo {name} >>'{self.log}'",
                f"n=$(($(grep -cx {name} '{self.log}') - 1))",
                f"set -- {' '.join(map(str, values))}",
                f"shift $((n % {len(values)}))", "value=$1"]

    def spin(self, *values):
        self.script(self.build / "perf" / "whole" / "spin",
                    *self.numbers("spin", values), "echo $value")

    def contestant(self, by, values, more=(), row="limit", case="1 token, all",
                   unit="ns", **beside):
        said = json.dumps({"row": row, "case": case, "what": "task", "by": by,
                           "workers": "WORKERS", "unit": unit,
                           "value": "VALUE", **beside})
        said = said.replace('"WORKERS"', "'$workers'") \
            .replace('"VALUE"', "'$value'")
        return self.script(self.build / "perf" / "rows" / f"{row}_{by}",
                           "workers=$2 percent=$4", *self.numbers(by, values),
                           f"echo '{said}'", *more)

    def start(self, *arguments):
        return subprocess.Popen(
            [sys.executable, ROOT / "perf" / "bench.py", "--build",
             self.build, "--results", self.results, "--machine", "here",
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)

    def bench(self, *arguments, code=0):
        """The row `limit`, as it was filed, and all that was printed."""
        process = self.start(*(arguments or ["limit"]))
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, out + err)
        return self.filed()["rows"].get("limit"), out + err

    def filed(self):
        return json.loads((self.results / "here.json").read_text())

    def called(self):
        return [name for name in self.log.read_text().split()
                if name != "spin"]

    def result(self, row, by):
        found, = [r for r in row["results"] if r["by"] == by]
        return found

    def ratio(self, row, rival):
        found, = [r for r in row["ratios"] if r["rival"] == rival]
        return found

    # Figures.

    def test_a_result_is_the_median_of_the_rounds(self):
        self.contestant("weft", [9, 1, 8, 2, 7, 3, 6, 4, 5])
        row, _ = self.bench()
        found = self.result(row, "weft")
        self.assertEqual(found["rounds"], [9, 1, 8, 2, 7, 3, 6, 4, 5])
        self.assertEqual((found["median"], found["min"], found["p99"]),
                         (5, 1, 9))

    def test_a_ratio_is_the_median_of_the_ratios_of_each_round(self):
        # The ratio of the medians would be 2 / 4.
        self.contestant("weft", [1, 2, 30])
        self.contestant("tbb", [1, 4, 10])
        row, _ = self.bench()
        self.assertEqual(self.ratio(row, "tbb")["median"], 1)
        self.assertEqual(self.ratio(row, "tbb")["rounds"], [1, 0.5, 3] * 3)

    def test_a_latency_has_its_p99_from_within_the_rounds(self):
        samples = [{"median": m, "min": m - 1, "p99": 10 * m}
                   for m in (5, 3, 4)]
        found = figures.summary(samples)
        self.assertEqual((found["median"], found["min"], found["p99"]),
                         (4, 2, 40))

    def test_nothing_is_divided_by_zero(self):
        self.contestant("weft", [1])
        self.contestant("tbb", [0])
        row, _ = self.bench()
        self.assertEqual(row["ratios"], [])
        self.assertEqual(self.result(row, "tbb")["median"], 0)

    def test_a_result_that_some_rounds_lack_is_of_those_that_have_it(self):
        self.contestant("weft", [2])
        self.contestant("tbb", [4])
        path = self.build / "perf" / "rows" / "limit_tbb"
        path.write_text(path.read_text().replace(
            "\nset --", "\n[ $n != 5 ] || exit 0\nset --"))
        row, out = self.bench()
        self.assertEqual(self.result(row, "tbb")["rounds"],
                         [4] * 5 + [None] + [4] * 3)
        self.assertEqual(len(self.ratio(row, "tbb")["rounds"]), 8)
        self.assertIn("(8 of 9 rounds)", out)

    def test_what_a_rival_never_reaches_is_better_by_any_factor(self):
        one, never = {"value": 1}, None
        self.assertEqual(
            figures.ratio([one, one, one], [never, never, one], True),
            {"median": 0, "rounds": [0, 0, 1]})
        self.assertEqual(
            figures.ratio([never, never, one], [one, never, one], True),
            {"median": math.inf, "rounds": [math.inf, 1]})
        self.assertEqual(figures.ratio([never, one], [one, one]),
                         {"median": 1, "rounds": [1]})

    def test_who_did_less_of_the_same_is_named_with_how_much(self):
        self.contestant("weft", [1], size=1000)
        self.contestant("floor", [1], size=1000)
        self.contestant("tbb", [1], size=20)
        row, out = self.bench()
        self.assertEqual(self.result(row, "tbb")["size"], 20)
        self.assertIn("did a part of what weft did: tbb 2 %\n", out)

    def test_what_grows_with_the_number_of_tasks_misses_its_goal(self):
        ten_times = {"row": "limit", "case": "1 token, 1e6 tasks",
                     "what": "task", "by": "weft", "workers": CORES,
                     "unit": "ns", "value": 13}
        self.contestant("weft", [10], [f"echo '{json.dumps(ten_times)}'"],
                        case="1 token, 1e5 tasks")
        row, _ = self.bench()
        verdict, = [v for v in row["goals"] if v["what"] == "1e6 tasks by 1e5"]
        self.assertEqual(verdict["value"], 1.3)
        self.assertAlmostEqual(verdict["missed_by"], 1.3 / 1.25 - 1)

    # Rounds.

    def test_contestants_take_turns_and_each_is_first_in_turn(self):
        for by in ("weft", "floor", "tbb"):
            self.contestant(by, [1])
        self.bench()
        turns = ["weft", "floor", "tbb", "floor", "tbb", "weft", "tbb",
                 "weft", "floor"]
        self.assertEqual(self.called(), turns * 3)

    def test_there_are_as_many_rounds_as_were_asked_for(self):
        self.contestant("weft", [1])
        row, _ = self.bench("limit", "--rounds", "2")
        self.assertEqual(self.called(), ["weft"] * 2)
        self.assertEqual(row["rounds"], 2)

    def test_a_calm_row_is_not_repeated(self):
        self.contestant("weft", [1])
        self.spin(100, 104)
        row, out = self.bench()
        self.assertEqual(len(self.called()), ROUNDS)
        self.assertFalse(row["noisy"])
        self.assertIn("moved 4.0 %", out)

    def test_it_is_told_how_far_apart_the_cores_were(self):
        self.contestant("weft", [1])
        self.script(self.build / "perf" / "whole" / "spin",
                    *self.numbers("spin", [70, 400]), "echo 100",
                    "echo line $value")
        row, out = self.bench()
        self.assertEqual(row["calibrations"][0]["line"], [70, 400])
        self.assertFalse(row["noisy"])
        self.assertIn("there and back took 70.0 to 400 ns", out)

    def test_a_row_that_was_disturbed_is_repeated(self):
        self.contestant("weft", [1] * ROUNDS + [2] * ROUNDS)
        self.spin(100, 106, 100, 100)
        row, _ = self.bench()
        self.assertEqual(self.result(row, "weft")["median"], 2)
        self.assertFalse(row["noisy"])
        self.assertEqual(len(row["calibrations"]), 2)

    def test_after_three_times_the_calmest_is_kept_and_marked(self):
        self.contestant("weft", [1] * ROUNDS + [2] * ROUNDS + [3] * ROUNDS)
        self.spin(100, 120, 100, 93, 100, 150)
        row, out = self.bench()
        self.assertEqual(self.result(row, "weft")["median"], 2)
        self.assertTrue(row["noisy"])
        self.assertIn("moved 20.0 %, 7.0 %, 50.0 %: NOISY", out)

    def test_there_is_no_repetition_without_time_for_it(self):
        self.contestant("weft", [1])
        self.spin(100, 200)
        program = self.build / "perf" / "rows" / "limit_weft"
        _, noise = contest.hold(
            [contest.Contestant("weft", program, ("--workers", "1"))],
            self.build / "perf" / "whole" / "spin", 1, 100, spare=0)
        self.assertTrue(noise["noisy"])
        self.assertEqual(self.called(), ["weft"])

    def shortened(self, seconds, **took):
        """What percentage each contestant is left with."""
        contestants = [contest.Contestant(by, pathlib.Path("/bin/true"))
                       for by in took]
        row = contest.Row(contestants, None, ROUNDS)
        row.seconds = dict(zip(contestants, took.values()))
        return {c.by: c.percent for c in contest.shortened(row, seconds)}

    def test_slow_rivals_do_less_where_a_row_would_take_too_long(self):
        self.assertEqual(
            self.shortened(10 * ROUNDS, weft=3, floor=1, tbb=2, starpu=16),
            {"weft": 100, "floor": 100, "tbb": 100, "starpu": 25})

    def test_weft_and_the_floor_never_do_less(self):
        self.assertEqual(self.shortened(ROUNDS, weft=9, floor=9, tbb=9),
                         {"weft": 100, "floor": 100, "tbb": 20})

    def test_a_row_that_takes_too_long_begins_again_with_less(self):
        program = self.contestant("tbb", [1], more=[
            f"echo $percent >>'{self.root / 'percents'}'",
            "[ $percent -lt 50 ] || sleep 1"])
        contestant = contest.Contestant("tbb", program, ("--workers", "1"))
        spin = self.build / "perf" / "whole" / "spin"
        row, _ = contest.hold([contestant], spin, 3, seconds=1.2, spare=0)
        percents = (self.root / "percents").read_text().split()
        self.assertEqual(percents[0], "100")
        self.assertEqual(len(percents), 4)
        self.assertTrue(all(1 <= int(p) < 50 for p in percents[1:]), percents)
        (samples,) = row.good().values()
        self.assertEqual(samples, [{"value": 1}] * 3)

    # Who does not take part.

    def test_a_rival_that_is_not_there_is_named(self):
        self.contestant("weft", [1])
        row, out = self.bench()
        self.assertEqual(row["skipped"], ["floor", "omp_clang", "omp_gcc",
                                          "starpu", "tbb"])
        self.assertIn("not installed or not built: floor, omp_clang", out)

    def test_a_rival_whose_tool_is_not_there_is_named(self):
        self.contestant("weft", [1])
        self.script(self.build / "perf" / "rows" / "limit_tbb",
                    "echo no tool >&2", "exit 77")
        row, _ = self.bench()
        self.assertIn("tbb", row["skipped"])
        self.assertEqual(row["failed"], {})

    def test_who_fails_is_named_with_its_sentence_and_left_out(self):
        self.contestant("weft", [1])
        self.contestant("tbb", [1], more=[
            f"[ $n -lt {ROUNDS - 1} ] || {{ echo out of luck >&2; exit 3; }}"])
        row, out = self.bench()
        name = f"tbb (limit_tbb --workers {CORES})"
        self.assertEqual(row["failed"], {name: "status 3: out of luck"})
        self.assertIn(f"failed: {name}", out)
        self.assertEqual([r["by"] for r in row["results"]], ["weft"])
        self.assertEqual(row["ratios"], [])

    def test_who_failed_is_not_asked_again(self):
        self.contestant("weft", [1])
        self.contestant("tbb", [1], more=["exit 1"])
        self.bench()
        self.assertEqual(self.called().count("tbb"), 1)

    def test_it_is_a_failure_where_weft_fails(self):
        self.contestant("weft", [1], more=["exit 1"])
        self.bench(code=1)

    def test_what_is_no_result_is_a_failure(self):
        self.contestant("weft", [1])
        for line in ("hello", "[1]", '{"what": "task"}'):
            with self.subTest(line):
                self.script(self.build / "perf" / "rows" / "limit_tbb",
                            f"echo '{line}'")
                row, _ = self.bench()
                self.assertIn("printed no result",
                              *row["failed"].values())

    def test_the_same_result_twice_in_a_round_is_a_failure(self):
        self.contestant("weft", [1])
        said = '{"what":"task","by":"tbb","workers":1,"unit":"ns","value":1}'
        self.script(self.build / "perf" / "rows" / "limit_tbb",
                    f"echo '{said}'", f"echo '{said}'")
        row, _ = self.bench()
        self.assertIn("gives a result twice", *row["failed"].values())

    def test_who_hangs_is_ended_with_all_that_it_started(self):
        pid = self.root / "pid"
        hangs = self.script(self.root / "hangs", "sleep 1000 &",
                            f"echo $! >'{pid}'", "wait")
        with self.assertRaisesRegex(contest.Failed, "not done after 1 s"):
            contest.run(hangs, [], patience=1)
        self.assert_gone(int(pid.read_text()))

    def assert_gone(self, pid):
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            except FileNotFoundError:
                return
            if stat.rsplit(")", 1)[1].split()[0] == "Z":
                return
            time.sleep(0.01)
        self.fail(f"process {pid} is still there")

    # Goals.

    def test_a_goal_is_missed_by_so_much(self):
        self.contestant("weft", [150])
        row, out = self.bench()
        verdict, = row["goals"]
        self.assertEqual((verdict["value"], verdict["missed_by"]), (150, 0.5))
        self.assertIn("missed by 50 %", out)
        self.assertIn("0 of 1 goals met", out)

    def test_a_goal_is_met(self):
        self.contestant("weft", [100])
        row, out = self.bench()
        self.assertEqual(row["goals"][0]["missed_by"], 0)
        self.assertIn("1 of 1 goals met", out)

    def test_a_goal_that_nothing_was_measured_for_is_named(self):
        self.contestant("weft", [1], case="two tokens")
        _, out = self.bench()
        self.assertIn("nothing was measured for: limit", out)

    def test_a_goal_against_every_rival_leaves_out_limits(self):
        said = {"case": "photos", "what": "end to end", "workers": CORES,
                "unit": "images/s"}
        ratios = [{**said, "rival": rival, "median": median, "rounds": []}
                  for rival, median in (("pillow", 1.6), ("vips", 0.8),
                                        ("floor", 0.9),
                                        ("cores x one loop", 0.98))]
        verdicts, _ = goals.judge("main_job", [], ratios, CORES)
        missed = {(v["rival"], round(v["missed_by"], 9)) for v in verdicts}
        self.assertEqual(missed, {("pillow", 0), ("vips", 0.2),
                                  ("cores x one loop", 0)})

    def test_every_goal_is_of_a_row_and_has_one_bound(self):
        for goal in goals.GOALS:
            with self.subTest(goal.sentence):
                self.assertIn(goal.row, rows.NAMES)
                self.assertNotEqual(goal.at_most is None,
                                    goal.at_least is None)

    def test_all_rows_together_take_less_than_twenty_minutes(self):
        self.assertLess(sum(row.seconds for row in rows.ROWS),
                        rows.MOST_SECONDS)

    # What follows from other figures.

    def key(self, **more):
        return figures.Key(**{"case": "c", "what": "task", "by": "weft",
                              "workers": 1, "unit": "ns", **more})

    def test_efficiency_is_what_is_made_of_n_times_the_speed_of_one(self):
        for unit, one, four in (("ns", 100, 50), ("items/s", 100, 200)):
            given = {self.key(unit=unit): [{"value": one}],
                     self.key(unit=unit, workers=4): [{"value": four}]}
            (key, samples), = derived.efficiencies(given).items()
            self.assertEqual((key.workers, key.unit), (4, "%"))
            self.assertEqual(samples, [{"value": 50}])

    def test_a_serial_floor_is_divided_among_the_workers(self):
        given = {self.key(by="floor"): [{"value": 12}],
                 self.key(workers=4): [{"value": 6}]}
        (key, samples), = derived.shares(given, ["floor"]).items()
        self.assertEqual((key.by, key.workers), ("floor / workers", 4))
        self.assertEqual(samples, [{"value": 3}])

    def test_who_does_not_compile_has_constructed_when_it_has_drawn(self):
        given = {self.key(what="draw"): [{"value": 3}],
                 self.key(what="compile"): [{"value": 4}],
                 self.key(what="draw", by="tbb"): [{"value": 5}]}
        found = {key.by: samples[0]["value"] for key, samples
                 in derived.constructions(given).items()}
        self.assertEqual(found, {"weft": 7, "tbb": 5})

    def test_more_is_better_where_it_is_a_rate(self):
        self.assertEqual(tables.times(2, "ns"), "0.50x")
        self.assertEqual(tables.times(2, "files/s"), "2.0x")

    # Files.

    def test_an_interrupt_leaves_no_results_and_nobody_running(self):
        pid = self.root / "pid"
        self.contestant("weft", [1], more=[f"echo $$ >'{pid}.new'",
                                           f"mv '{pid}.new' '{pid}'",
                                           "exec sleep 1000"])
        process = self.start("limit")
        self.addCleanup(process.kill)
        end = time.monotonic() + 20
        while not pid.exists() and time.monotonic() < end:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("interrupted", err)
        self.assertFalse(self.results.exists())
        self.assert_gone(int(pid.read_text()))

    def test_rows_that_are_not_run_keep_their_results(self):
        self.contestant("weft", [1])
        self.contestant("weft", [7], row="submit", case="from 1 thread")
        self.bench("limit", "submit")
        self.contestant("weft", [2])
        self.bench("limit")
        filed = self.filed()["rows"]
        self.assertEqual(self.result(filed["limit"], "weft")["median"], 2)
        self.assertEqual(self.result(filed["submit"], "weft")["median"], 7)

    def test_what_is_filed_says_where_it_comes_from(self):
        self.contestant("weft", [1])
        row, _ = self.bench()
        for name in ("command", "commit", "date", "rounds", "percent"):
            self.assertTrue(row[name], name)
        machine = self.filed()["machine"]
        for name in ("cpu", "cores", "kernel", "compiler"):
            self.assertTrue(machine[name], name)

    def test_the_tables_have_a_column_a_contestant(self):
        self.contestant("weft", [10])
        self.contestant("tbb", [25])
        _, out = self.bench()
        self.assertRegex(out, r"1 token, all +task +ns +10\.0 +25\.0 \(2\.5x\)")
        text = (self.results / "here.md").read_text()
        self.assertIn("| 1 token, all | task | ns | 10.0 | 25.0 (2.5x) |", text)

    @unittest.skipUnless(shutil.which("gnuplot"), "gnuplot is not installed")
    def test_a_chart_is_drawn(self):
        said = {"row": "dag", "case": "chain", "what": "run again",
                "workers": CORES, "unit": "ns/node", "value": 5}
        for by in ("weft", "tbb"):
            self.script(self.build / "perf" / "rows" / f"dag_{by}",
                        f"[ $2 = {CORES} ] || exit 0",
                        f"echo '{json.dumps({**said, 'by': by})}'")
        self.bench("dag")
        self.assertIn("<svg", (self.results / "here-dag.svg").read_text())
        self.assertIn("![dag](here-dag.svg)",
                      (self.results / "here.md").read_text())

    def test_a_row_that_does_not_exist_is_a_mistake(self):
        process = self.start("limits")
        _, err = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 2)
        self.assertIn("no row is called limits: there are dag", err)


if __name__ == "__main__":
    unittest.main()

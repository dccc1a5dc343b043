"""test_bench.py: weft bench: all figures are there, and in their units.

How large they are is the machine's business: only what no machine could do is
refused.
"""
import json
import os
import pathlib
import pty
import resource
import select
import signal
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

from specs import WEFT, weft

SVG = "{http://www.w3.org/2000/svg}"
CPUS = len(os.sched_getaffinity(0))


def default_signals():
    """In the child: who runs the tests may ignore some."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.chart = self.folder / "chart.svg"

    def quick(self, *options, **popen):
        """A quick run that succeeds: its standard output."""
        code, out, err = weft("bench", "--quick", *options, **popen)
        self.assertEqual((code, err), (0, ""))
        return out

    def assert_within(self, value, low, high):
        self.assertIsInstance(value, (int, float))
        self.assertGreater(value, low)
        self.assertLess(value, high)

    def assert_latency(self, latency):
        self.assert_within(latency["p50_us"], 0.01, 1e6)
        self.assertGreaterEqual(latency["p99_us"], latency["p50_us"])

    # Figures.

    def test_has_every_section_with_figures_that_can_be(self):
        report = json.loads(self.quick("--json"))
        self.assertEqual(list(report), [
            "version", "seconds", "workers", "topology", "speed", "spawn",
            "steal", "wake", "dag", "metg", "memory", "scaling",
            "looks_wrong"])
        workers = report["workers"]
        self.assert_within(report["seconds"], 0.1, 60)
        self.check_workers(report, workers)
        self.check_tasks(report)
        self.check_graphs(report, workers)
        self.check_memory(report)
        self.check_scaling(report, workers)
        for sentence in report["looks_wrong"]:
            self.assertIsInstance(sentence, str)

    def check_workers(self, report, workers):
        _, topo, _ = weft("topo", "--json")
        self.assertEqual(report["topology"]["decisions"],
                         json.loads(topo)["decisions"])
        speed = report["speed"]
        self.assert_within(speed["alone_rounds_per_us"], 1, 1e5)
        self.assertEqual([w["worker"] for w in speed["workers"]],
                         list(range(workers)))
        for worker in speed["workers"]:
            for when in ("before", "after"):
                self.assert_within(worker[f"{when}_rounds_per_us"], 0,
                                   1.001 * worker["best_rounds_per_us"])
            self.assertIn(worker["cpu"], os.sched_getaffinity(0))
            self.assert_within(worker["share_of_cpu"], 0, 1.0001)
            self.assert_within(worker["stolen"], -1e-9, 1.0001)

    def check_tasks(self, report):
        for value in report["spawn"].values():
            self.assert_within(value, 0.1, 1e6)
        for latency in report["wake"].values():
            self.assert_latency(latency)
        steal = report["steal"]
        if report["workers"] > 1 and steal["joined_p50_us"] is not None:
            self.assert_latency(steal["taken"])
            self.assertGreater(steal["joined_p50_us"],
                               steal["taken"]["p50_us"])

    def check_graphs(self, report, workers):
        self.assertEqual([d["shape"] for d in report["dag"]],
                         ["chain", "tree", "wavefront", "independent"])
        for dag in report["dag"]:
            self.assertEqual(dag["nodes"], 10000)
            self.assert_within(dag["one_worker_ns"], 0.1, 1e5)
            self.assert_within(dag["all_workers_ns"], 0.1, 1e5)
        self.assertEqual([(m["width"], m["steps"]) for m in report["metg"]],
                         [(workers, 1000), (4 * workers, 1000)])
        for metg in report["metg"]:
            half, most = metg["at_50_percent_ns"], metg["at_90_percent_ns"]
            if most is not None:
                self.assert_within(most, 1, 1e6)
                self.assertLessEqual(half, most)

    def check_memory(self, report):
        memory = report["memory"]
        self.assert_within(memory["buffer_bytes"], 2**20 - 1, 2**40)
        pairs = {(p["cores_of_node"], p["memory_of_node"])
                 for p in memory["pairs"]}
        nodes = {node for pair in pairs for node in pair}
        self.assertEqual(len(pairs), len(memory["pairs"]))
        self.assertTrue(nodes)
        for pair in memory["pairs"]:
            self.assert_within(pair["read_gb_per_s"], 0.01, 1e4)
            self.assert_within(pair["copy_gb_per_s"], 0.01, 1e4)
            self.assert_within(pair["latency_ns"], 0.5, 1e5)

    def check_scaling(self, report, workers):
        counts = [point["workers"] for point in report["scaling"]]
        self.assertEqual(counts, [
            n for n in (2 ** i for i in range(11)) if n < workers] + [workers])
        for point in report["scaling"]:
            for work in ("fork-join", "dag", "pipeline"):
                self.assert_within(point[work]["speedup"], 0.001,
                                   20 * point["workers"])
                self.assertAlmostEqual(
                    point[work]["efficiency"],
                    point[work]["speedup"] / point["workers"], places=6)

    def test_one_worker_is_enough(self):
        cpu = min(os.sched_getaffinity(0))
        report = json.loads(self.quick(
            "--json", preexec_fn=lambda: os.sched_setaffinity(0, {cpu})))
        self.assertEqual(report["workers"], 1)
        self.assertEqual(report["steal"], {
            "taken": {"p50_us": None, "p99_us": None}, "joined_p50_us": None})
        self.assertEqual([p["workers"] for p in report["scaling"]], [1])
        self.check_tasks(report)
        self.check_memory(report)
        if CPUS > 1:
            self.assertTrue(any("affinity mask" in sentence
                                for sentence in report["looks_wrong"]))

    def test_measures_between_each_two_numa_nodes(self):
        """Of a topology that hwloc makes up: nothing is bound to it."""
        report = json.loads(self.quick("--json", env={
            **os.environ, "HWLOC_SYNTHETIC": "node:2 core:1 pu:1"}))
        self.assertEqual(report["workers"], 2)
        self.check_memory(report)
        self.assertEqual(
            sorted((p["cores_of_node"], p["memory_of_node"])
                   for p in report["memory"]["pairs"]),
            [(0, 0), (0, 1), (1, 0), (1, 1)])

    # The table and the chart.

    def test_prints_a_table_and_draws_a_chart_in_place_of_the_old_one(self):
        self.chart.write_text("an old chart")
        self.check_table(self.quick("--workers", str(CPUS + 1), "--svg",
                                    "chart.svg", cwd=self.folder))
        root = xml.etree.ElementTree.parse(self.chart).getroot()
        self.assertEqual(root.tag, SVG + "svg")
        texts = [text.text for text in root.iter(SVG + "text")]
        for work in ("fork-join", "dag", "pipeline", "workers"):
            self.assertEqual(texts.count(work), 1)
        self.assertEqual(os.listdir(self.folder), ["chart.svg"])

    def check_table(self, out):
        lines = out.splitlines()
        for line in lines:
            self.assertEqual(line, line.rstrip())
        for start in ("workers    ", "caches    ", "worker, ", "spawn, ",
                      "steal, ", "wake, ", "dag, ", "METG, ", "memory, ",
                      "scaling, ", "what looks wrong"):
            self.assertEqual(
                sum(line.startswith(start) for line in lines), 1, start)
        self.assertRegex(out, r"\n  chain of 10000 +[\d.]+ ns +[\d.]+ ns\n")
        self.assertRegex(out, rf"\n  {CPUS + 1} workers? +\d+ % +\d+ % +\d+ %")
        wrong = lines[lines.index("what looks wrong") + 1:]
        self.assertRegex("\n".join(wrong),
                         rf"  {CPUS + 1} workers share \d+ core")

    def test_a_chart_that_cannot_be_is_told_before_anything_is_measured(self):
        (self.folder / "folder").mkdir()
        start = time.monotonic()
        for path, reason in (("nowhere/chart.svg", "No such file or directory"),
                             ("folder", "Is a directory"),
                             ("folder/", "Invalid argument"),
                             ("/dev/null", "File exists")):
            self.assertEqual(
                weft("bench", "--svg", path, cwd=self.folder),
                (3, "", f"weft bench: cannot create {path}: {reason}\n"))
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(os.listdir(self.folder), ["folder"])

    def test_a_chart_that_does_not_fit_leaves_nothing_behind(self):
        def no_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        self.chart.write_text("an old chart")
        code, out, err = weft("bench", "--quick", "--svg", str(self.chart),
                              preexec_fn=no_room)
        self.assertEqual((code, err), (
            3, f"weft bench: cannot write {self.chart}: File too large\n"))
        self.assertIn("what looks wrong", out)
        self.assertEqual(self.chart.read_text(), "an old chart")
        self.assertEqual(os.listdir(self.folder), ["chart.svg"])

    def test_that_cannot_print_ends_with_3_and_draws_nothing(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [WEFT, "bench", "--quick", "--svg", str(self.chart)],
                stdout=full, stderr=subprocess.PIPE, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (
            3, b"weft: cannot write to standard output: No space left on "
            b"device\n"))
        self.assertEqual(os.listdir(self.folder), [])

    # The command line.

    def test_a_wrong_option_is_told(self):
        for args, sentence in (
                (["--workers", "0"], "--workers 0: a number from 1 to 1024"),
                (["--workers", "many"],
                 "--workers many: a number from 1 to 1024"),
                (["--svg", ""], "--svg: the name of a file is empty"),
                (["--svg"], "option '--svg' requires an argument"),
                (["--fast"], "unrecognized option '--fast'"),
                (["x"], "Too many arguments")):
            code, out, err = weft("bench", *args)
            self.assertEqual((code, out), (2, ""), args)
            self.assertEqual(err.splitlines()[0], f"weft bench: {sentence}")

    # While it runs.

    def interrupt(self, number, shown=None, **popen):
        """Sends a signal once it measures, or has shown that on a terminal:
        the exit code, and stderr. Its threads are at work then: that is no
        leak for ThreadSanitizer to tell of."""
        process = subprocess.Popen(
            [WEFT, "bench", "--svg", str(self.chart)],
            preexec_fn=default_signals, stdout=subprocess.PIPE,
            env={**os.environ, "TERM": "xterm",
                 "TSAN_OPTIONS": "report_thread_leaks=0"}, **popen)
        if shown is not None:
            select.select([shown], [], [], 30)
        tasks = pathlib.Path(f"/proc/{process.pid}/task")
        while process.poll() is None and len(list(tasks.iterdir())) < 3:
            time.sleep(0.01)  # signals have a thread, which is the second
        process.send_signal(number)
        start = time.monotonic()
        out, err = process.communicate(timeout=30)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual(out, b"")
        self.assertEqual(os.listdir(self.folder), [])
        return process.returncode, err

    def test_an_interrupt_ends_it_at_once(self):
        self.assertEqual(
            self.interrupt(signal.SIGINT, stderr=subprocess.PIPE),
            (130, b"weft bench: stopped by an interrupt; nothing was "
                  b"written\n"))

    def test_a_signal_ends_it_at_once(self):
        self.assertEqual(
            self.interrupt(signal.SIGTERM, stderr=subprocess.PIPE),
            (143, b"weft bench: stopped by a signal; nothing was written\n"))

    def test_a_terminal_sees_what_is_measured_until_it_ends(self):
        try:
            master, terminal = pty.openpty()
        except OSError as error:
            self.skipTest(f"there is no terminal to be had: {error}")
        code, _ = self.interrupt(signal.SIGINT, master, stderr=terminal)
        os.close(terminal)
        shown = os.read(master, 65536).decode()
        os.close(master)
        self.assertEqual(code, 130)
        self.assertIn("1 of 9", shown)
        self.assertIn("the speed of each worker", shown)
        self.assertTrue(shown.endswith("\x1b[?25h" "weft bench: stopped by an "
                                       "interrupt; nothing was written\r\n"))


if __name__ == "__main__":
    unittest.main()

"""test_limits.py: what the environment refuses: a sentence and a code, or it
goes on with less; nothing partial is left under a final name.
"""
import json
import os
import resource
import signal
import subprocess
import unittest

import fixtures
from fixtures import CommandTest

COUNT = 12


class Limits(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(COUNT)

    def limited(self, limit, most, way, *options, spec=None):
        return self.run_json(
            spec or self.thumbnails(), *options,
            env={**os.environ, "WEFT_IO": way},
            prepare=lambda: resource.setrlimit(limit, (most, most)))

    def test_a_limit_on_the_size_of_files(self):
        for way in ("auto", "ring", "threads"):
            with self.subTest(way):
                result = self.limited(resource.RLIMIT_FSIZE, 4096, way)
                self.assertEqual(result.code, 3, result.err)
                self.assertRegex(result.err, r"cannot write \S*s-000000\.tar: "
                                             r"File too large")
                self.assert_clean()

    def test_twenty_descriptors(self):
        """Each is out, or its failure names the limit and what to do."""
        for way in ("auto", "ring", "threads"):
            with self.subTest(way):
                result = self.limited(resource.RLIMIT_NOFILE, 20, way)
                self.assertIn(result.code, (0, 1, 3), result.err)
                self.assert_clean()
                if result.code == 3:
                    self.assertIn("Too many open files", result.err)
                    continue
                items = result.report["items"]
                self.assertEqual(items["out"] + items["failed"], COUNT)
                for failure in result.report["failures"]:
                    self.assertRegex(failure["text"], "limit is 20 .*inflight")

    def test_no_descriptor_at_all(self):
        for most in range(3, 12):
            with self.subTest(most):
                result = self.limited(resource.RLIMIT_NOFILE, most, "auto")
                self.assertIn(result.code, (0, 1, 2, 3, 127), result.err)
                self.assertNotEqual(result.err if result.code else "fine", "")
                self.assert_clean()

    def test_no_memory_may_be_locked(self):
        result = self.limited(resource.RLIMIT_MEMLOCK, 0, "auto")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), COUNT)

    def little_memory(self, limit, sizes):
        """From too little to load the program to enough for all of it."""
        codes = set()
        for most in sizes:
            with self.subTest(most):
                result = self.limited(limit, most << 20, "auto")
                self.assertIn(result.code, (0, 1, 3, 127), result.err)
                self.assertNotEqual(result.err if result.code else "fine", "")
                self.assert_clean()
                codes.add(result.code)
        self.assertIn(3, codes)

    def test_little_address_space(self):
        self.little_memory(resource.RLIMIT_AS, range(40, 400, 30))

    def test_little_data(self):
        """Here a thread's stack counts, and no library."""
        self.little_memory(resource.RLIMIT_DATA, range(1, 40, 6))


class Commands(CommandTest):
    """A command that crashes fails its item, by name; the rest goes on."""

    def setUp(self):
        super().setUp()
        for i in range(6):
            self.add(f"{i}.txt", b"text %d\n" % i)

    def run_script(self, text):
        script = self.root / "script"
        script.write_text("#!/bin/sh\n" + text)
        script.chmod(0o755)
        return self.run_json(self.commands(script, "{path}"))

    def fails(self, text, pattern):
        result = self.run_script(f'case $1 in */3.txt) {text} ;; esac; '
                                 'cat "$1"')
        self.assert_one_failure(result, "3.txt", "command", pattern, 5)

    def test_that_crashes(self):
        self.fails("kill -SEGV $$",
                   r"killed by signal 11 \(Segmentation fault\)")

    def test_that_is_killed_as_where_memory_ends(self):
        self.fails("kill -KILL $$", r"killed by signal 9 \(Killed\)")

    def test_that_finds_no_memory(self):
        self.fails("ulimit -v 20000; exec python3 -c 'x = bytes(1 << 30)'",
                   r"exit status \d+|killed by signal")

    def test_that_uses_up_its_time(self):
        self.fails("ulimit -t 1; while :; do :; done", r"killed by signal \d+")

    def test_all_of_them(self):
        result = self.run_script("kill -SEGV $$")
        self.assertEqual(result.code, 1, result.err)
        self.assertEqual(result.report["items"]["failed"], 6)
        self.assertEqual(self.keys(), [])


class Refused(CommandTest):
    """Without io_uring, or openat2, as in a container: strace refuses them."""

    def setUp(self):
        super().setUp()
        self.add_jpegs(COUNT)
        probe = subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, "true"],
            stderr=subprocess.DEVNULL, check=False) \
            if any(os.access(os.path.join(p, "strace"), os.X_OK)
                   for p in os.get_exec_path()) else None
        if not probe or probe.returncode:
            self.skipTest("there is no strace that works here")

    def strace(self, call, error, *command):
        return subprocess.run(
            ["strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={call}",
             "-e", f"inject={call}:error={error}", *command],
            cwd=self.root, capture_output=True, text=True, timeout=120)

    def test_topo_says_so(self):
        for error in ("ENOSYS", "EPERM", "ENOMEM"):
            with self.subTest(error):
                done = self.strace("io_uring_setup", error, fixtures.WEFT,
                                   "topo")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("blocking threads: io_uring is refused "
                              f"({error})", done.stdout)

    def test_a_run_is_the_same(self):
        spec = self.write_spec(self.thumbnails())
        done = self.strace("io_uring_setup,openat2", "ENOSYS", fixtures.WEFT,
                           "run", spec)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.keys()), COUNT)

    def test_a_ring_that_fails_later(self):
        """The probe's is the first call of the kind; the driver's the next."""
        spec = self.write_spec(self.thumbnails())
        for when in ("1", "2", "3", "4"):
            with self.subTest(when):
                done = self.strace(
                    "io_uring_enter", f"EAGAIN:when={when}", "env",
                    "WEFT_IO=ring", fixtures.WEFT, "run", spec)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(len(self.keys()), COUNT)

    def test_a_ring_that_is_lost(self):
        """For good, while it is in use. What was not begun, or can be done
        twice, is done without it, and the rest fails and is counted."""
        spec = self.write_spec(self.thumbnails())
        for when in ("2+", "3+", "4+", "8+"):
            with self.subTest(when):
                done = self.strace(
                    "io_uring_enter", f"EIO:when={when}", "env",
                    "WEFT_IO=ring", fixtures.WEFT, "run", "--json", spec)
                self.assertIn(done.returncode, (0, 1, 3), done.stderr)
                report = json.loads(done.stdout)
                self.assertRegex(report["ring"],
                                 "given up: .*Input/output error")
                if done.returncode != 3:
                    items = report["items"]
                    self.assertEqual(items["out"] + items["failed"], COUNT)
                self.assert_clean()


if __name__ == "__main__":
    unittest.main()

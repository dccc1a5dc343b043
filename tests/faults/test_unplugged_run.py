"""test_unplugged_run.py: `weft run` while CPUs are unplugged and plugged in.

    sudo WEFT_UNPLUG=/sys/devices/system/cpu/cpu1/online \\
        meson test -C build/gcc --suite long unplugged_run

It changes the machine for all who are on it: threads that are pinned to that
CPU are not any more. Where that is not asked for it is skipped. Several files,
with blanks between them, are several CPUs: the first has a worker.
"""
import os
import pathlib
import subprocess
import sys
import unittest

from midst import Midst

ONLINE = [pathlib.Path(name) for name in
          os.environ.get("WEFT_UNPLUG", "nothing").split()]


def plug(files, state):
    def step(_=None):
        for file in files:
            file.write_text(state)
    return step


class Unplugged(Midst):
    def setUp(self):
        """Whoever ends this test, and however: the CPUs are plugged in by a
        process that waits for our end, and which a signal to our group does
        not reach."""
        super().setUp()
        plugs_in = subprocess.Popen(
            ["sh", "-c", 'cat >/dev/null; for f; do echo 1 >"$f"; done', "sh",
             *ONLINE], stdin=subprocess.PIPE, start_new_session=True)
        self.addCleanup(plugs_in.communicate)

    def states(self):
        return {file.read_text().strip() for file in ONLINE}

    def test_a_cpu_goes_and_comes_back(self):
        def check(state):
            return lambda _: self.assertEqual(ONLINE[0].read_text().strip(),
                                              state)
        self.change([plug(ONLINE[:1], "0"), check("0"),
                     plug(ONLINE[:1], "1"), check("1")])

    def test_all_go_for_good_and_who_comes_later_has_the_rest(self):
        self.change([plug(ONLINE, "0")])
        self.assertEqual(self.states(), {"0"})
        left = len(os.sched_getaffinity(0))
        told = subprocess.run([os.environ["WEFT"], "topo"],
                              capture_output=True, text=True).stdout
        self.assertRegex(told, rf"(?m)^cores +{left},")
        self.assertRegex(told, rf"(?m)^workers +{left}:")
        result = self.run_json(self.job())
        self.assertEqual(result.code, 0, result.err)


if __name__ == "__main__":
    if not all(os.access(file, os.W_OK) for file in ONLINE):
        print("WEFT_UNPLUG names no files that plug CPUs in and out")
        sys.exit(77)
    unittest.main()

"""test_unplugged_run.py: `weft run` while a CPU is unplugged and plugged in.

    sudo WEFT_UNPLUG=/sys/devices/system/cpu/cpu1/online \\
        meson test -C build/gcc --suite long unplugged_run

It changes the machine for all who are on it: threads that are pinned to that
CPU are not any more. Where that is not asked for it is skipped.
"""
import os
import pathlib
import subprocess
import sys
import unittest

from midst import Midst

ONLINE = pathlib.Path(os.environ.get("WEFT_UNPLUG", "nothing"))


class Unplugged(Midst):
    def setUp(self):
        """Whoever ends this test, and however: the CPU is plugged in by a
        process that waits for our end, and which a signal to our group does
        not reach."""
        super().setUp()
        plugs_in = subprocess.Popen(
            ["sh", "-c", 'cat >/dev/null; echo 1 >"$1"', "sh", ONLINE],
            stdin=subprocess.PIPE, start_new_session=True)
        self.addCleanup(plugs_in.communicate)

    def test_a_cpu_goes_and_comes_back(self):
        def to(state):
            def step(_):
                ONLINE.write_text(state)
                self.assertEqual(ONLINE.read_text().strip(), state)
            return step
        self.change([to("0"), to("1")])


if __name__ == "__main__":
    if not os.access(ONLINE, os.W_OK):
        print("WEFT_UNPLUG names no file that plugs a CPU in and out")
        sys.exit(77)
    unittest.main()

"""test_live.py: the live lines, seen through a terminal that is a pty."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unittest

from fixtures import CommandTest

CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class Screen:
    """What a terminal would show: just enough of one for these lines."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text):
        for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\x1b\r\n]+",
                               text):
            if part == "\r":
                self.column = 0
            elif part == "\n":
                self.row, self.column = self.row + 1, 0
                if self.row == len(self.lines):
                    self.lines.append("")
            elif part.startswith("\x1b"):
                self.control(part)
            else:
                line = self.lines[self.row].ljust(self.column)
                self.lines[self.row] = line[:self.column] + part + \
                    line[self.column + len(part):]
                self.column += len(part)

    def control(self, code):
        if code[-1] == "A":
            self.row -= int(code[2:-1])
            assert self.row >= 0, "above the top"
        elif code[-1] == "J":
            del self.lines[self.row + 1:]
            self.lines[self.row] = ""


class Live(CommandTest):
    COUNT = 30

    def setUp(self):
        super().setUp()
        for i in range(self.COUNT):
            self.add(f"item-{i:04}", b"x")

    def nap(self, *argv):
        spec = self.commands(*argv, processes=2)
        spec["stages"][0]["name"] = "nap"
        return spec

    def spec(self, seconds=0.1):
        return self.nap("sleep", str(seconds))

    def watch(self, columns=80, rows=24, options=(), environment=None,
              seconds=0.1, during=None, prepare=None):
        """Runs in a terminal: its exit code and all that it was sent."""
        try:
            master, terminal = pty.openpty()
        except OSError as error:
            self.skipTest(f"there is no terminal to be had: {error}")
        self.resize(terminal, columns, rows)
        variables = {**os.environ, "TERM": "xterm", "LANG": "C.UTF-8",
                     "LC_ALL": "C.UTF-8", **(environment or {})}
        if "NO_COLOR" not in (environment or {}):
            variables.pop("NO_COLOR", None)
        process = self.start(self.spec(seconds), *options, stderr=terminal,
                             env=variables, prepare=prepare)
        sent, end = b"", time.monotonic() + 60
        while process.poll() is None:
            self.assertLess(time.monotonic(), end)
            if select.select([master], [], [], 0.05)[0]:
                sent += os.read(master, 65536)
            if during:
                during(process, terminal, sent)
        os.close(terminal)
        try:
            while data := os.read(master, 65536):
                sent += data
        except OSError:
            pass  # EIO: nobody has it open any more
        os.close(master)
        process.communicate()
        return process.returncode, sent.decode().replace("\r\n", "\n")

    def resize(self, terminal, columns, rows):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                    struct.pack("HHHH", rows, columns, 0, 0))

    def frames(self, sent):
        """The block as it was after each redraw."""
        screen, shown = Screen(), []
        for part in re.split(r"(?=\r\x1b\[\d+A\x1b\[J)", sent):
            screen.feed(part)
            shown.append([line for line in screen.lines if line])
        return shown

    def assert_restored(self, sent):
        self.assertEqual(sent.count(HIDE), sent.count(SHOW))
        self.assertGreater(sent.rfind(SHOW), sent.rfind(HIDE))

    def test_there_is_a_line_for_each_stage_and_one_for_all(self):
        code, sent = self.watch()
        self.assertEqual(code, 0, sent)
        frame = self.frames(sent)[5]
        self.assertEqual(len(frame), 5, frame)
        self.assertRegex(frame[0],
                         r"stage +done +per s +in flight +tokens +busy")
        for line, name in zip(frame[1:4], ("source", "nap", "shard")):
            self.assertRegex(
                line, rf"^{name} +\d+ +[\d.]+ +\d+ +\d+/\d+ +\d+ %")
        self.assertRegex(frame[4], r"\d+ of 30  \d+ %.* [\d.]+/s  ETA \d:\d\d")

    def test_the_bottleneck_is_marked(self):
        # All tokens stay in use, and items wait, until the mark is there.
        gate = self.root / "gate"
        argv = "sh", "-c", f"until [ -e '{gate}' ]; do sleep 0.05; done"
        self.spec = lambda seconds: self.nap(*argv)

        def open_gate(process, terminal, sent):
            if "bottleneck".encode() in sent:
                gate.touch()
        frames = self.frames(self.watch(during=open_gate)[1])
        marked = [line for frame in frames for line in frame
                  if "◀ bottleneck" in line]
        self.assertTrue(marked)
        for line in marked:
            self.assertTrue(line.startswith("nap "), line)

    def test_lines_fit_whatever_the_width(self):
        for columns in (20, 40, 60, 80, 200):
            code, sent = self.watch(columns=columns, seconds=0.05)
            self.assertEqual(code, 0, sent)
            for line in CODE.sub("", sent).splitlines():
                self.assertLess(len(line), columns, line)
            if columns >= 40:
                self.assertRegex(sent, r"nap +\d+")
                self.assertRegex(CODE.sub("", sent), r"of 30  \d+ %.*ETA")
            self.assertNotIn("\x1b[0A", sent)

    def test_a_screen_that_is_too_low_gets_the_last_line_only(self):
        code, sent = self.watch(rows=5)
        self.assertEqual(code, 0, sent)
        for frame in self.frames(sent):
            self.assertLessEqual(len(frame), 1, frame)
        self.assertIn("of 30", sent)

    def test_it_is_drawn_at_most_ten_times_a_second(self):
        before = time.monotonic()
        sent = self.watch()[1]
        seconds = time.monotonic() - before
        drawn = sent.count(" of 30")
        self.assertGreater(drawn, 4)
        self.assertLessEqual(drawn, 10 * seconds + 1)

    def test_nothing_of_it_is_left_in_the_end(self):
        code, sent = self.watch()
        self.assertEqual(code, 0, sent)
        self.assertEqual(self.frames(sent)[-1], [])
        self.assert_restored(sent)

    def test_colours_unless_they_are_not_wanted(self):
        coloured = re.compile(r"\x1b\[\d*m")
        self.assertRegex(self.watch(seconds=0.05)[1], coloured)
        sent = self.watch(seconds=0.05, environment={"NO_COLOR": "1"})[1]
        self.assertNotRegex(sent, coloured)
        self.assertIn("of 30", sent)

    def test_without_utf8_it_is_ascii(self):
        sent = self.watch(environment={"LC_ALL": "C"})[1]
        self.assertTrue(sent.isascii())
        self.assertIn("< bottleneck", sent)

    def test_a_dumb_terminal_and_quiet_get_none(self):
        for options, environment in (((), {"TERM": "dumb"}),
                                     (("--quiet",), {})):
            code, sent = self.watch(options=options, seconds=0.05,
                                    environment=environment)
            self.assertEqual((code, sent), (0, ""))

    def test_a_new_width_is_taken_up(self):
        def narrow(process, terminal, sent):
            if sent.count(b" of 30") >= 3:
                self.resize(terminal, 40, 24)
        code, sent = self.watch(during=narrow)
        self.assertEqual(code, 0, sent)
        last = CODE.sub("", sent).splitlines()[-5:]
        for line in last:
            self.assertLess(len(line), 40, line)

    def test_an_interrupt_shows_and_the_cursor_comes_back(self):
        done = []

        def interrupt(process, terminal, sent):
            if not done and sent.count(b" of 30") >= 3:
                process.send_signal(signal.SIGINT)
                done.append("interrupted")
        code, sent = self.watch(during=interrupt, seconds=0.5)
        self.assertEqual(code, 75)
        self.assertIn("stopping: ", sent)
        self.assert_restored(sent)

    def test_the_cursor_comes_back_for_whoever_is_next(self):
        """Stopped with ^Z, and ended by ^\\."""
        stops, done = 4, []

        def stop(process, terminal, sent):
            if sent.count(b" of 30") < 3 * (len(done) + 1):
                return
            if len(done) < stops:
                process.send_signal(signal.SIGTSTP)
                os.waitpid(process.pid, os.WUNTRACED)
                process.send_signal(signal.SIGCONT)
            elif len(done) == stops:
                process.send_signal(signal.SIGQUIT)
            done.append(len(sent))
        code, sent = self.watch(during=stop, prepare=os.setpgrp, seconds=0.5)
        self.assertEqual(code, -signal.SIGQUIT)
        self.assertEqual(sent.count(HIDE), 1 + stops)
        self.assert_restored(sent)

    def test_elsewhere_there_is_a_line_every_ten_seconds(self):
        before = time.monotonic()
        result = self.weft_run(self.spec(0.78))  # 15 rounds: 11.7 s
        seconds = time.monotonic() - before
        self.assertEqual(result.code, 0, result.err)
        lines = result.err.splitlines()
        self.assertIn(len(lines), range(1, int(seconds / 10) + 1), lines)
        for line in lines:
            self.assertRegex(line, r"^weft: \d+ of 30 items, 0 failed, "
                             r"[\d.]+/s, ETA \d:\d\d, all tokens of nap in "
                             r"use$")


if __name__ == "__main__":
    unittest.main()

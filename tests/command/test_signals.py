"""test_signals.py: a signal drains, two interrupts abort, and a shard under its
final name is whole whatever happens.
"""
import os
import re
import signal
import unittest

from fixtures import CommandTest


class Signals(CommandTest):
    """Forty commands that note that they have started, two at a time."""

    COUNT = 40

    def setUp(self):
        super().setUp()
        for i in range(self.COUNT):
            self.add(f"item-{i:04}", b"x")
        self.notes = self.root / "notes"
        self.notes.write_bytes(b"")

    def spec(self, seconds, **more):
        script = self.root / "script"
        script.write_text(f"#!/bin/sh\necho x >>'{self.notes}'\n"
                          f"sleep {seconds}\necho done\n")
        script.chmod(0o755)
        return self.commands(script, "{path}", per_shard=3, **more)

    def start_and_wait(self, seconds, *options, started=7, **popen):
        process = self.start(self.spec(seconds), *options, **popen)
        self.addCleanup(process.kill)
        self.wait_until(lambda: self.notes.stat().st_size >= 2 * started or
                        process.poll() is not None)
        self.assertIsNone(process.poll())
        return process

    def assert_drained(self, result):
        """As many items as it says are out, from the first one on."""
        self.assertEqual(result.code, 75, result.err)
        found = re.search(r"stopped: (\d+) of 40 items done, (\d+) left; run "
                          r"again", result.err)
        self.assertTrue(found, result.err)
        done, left = int(found[1]), int(found[2])
        self.assertEqual(done + left, self.COUNT)
        self.assertGreaterEqual(done, 7)
        self.assertGreater(left, 0)
        self.assertEqual(self.keys(), [f"item-{i:04}" for i in range(done)])
        self.assert_clean()

    def test_an_interrupt_finishes_what_is_in_flight(self):
        process = self.start_and_wait(0.1)
        process.send_signal(signal.SIGINT)
        self.assert_drained(self.finish(process))

    def test_a_drained_run_reports_as_json(self):
        process = self.start_and_wait(0.1, "--json", "--quiet")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assert_drained(result)
        items = result.report["items"]
        self.assertEqual(result.report["status"], "drained")
        self.assertEqual(items["out"] + items["left"], self.COUNT)
        self.assertEqual(items["unfinished"], 0)

    def test_after_a_drain_the_same_command_does_all(self):
        process = self.start_and_wait(0.1)
        process.send_signal(signal.SIGTERM)
        self.assert_drained(self.finish(process))
        self.assertEqual(self.weft_run(self.spec(0)).code, 0)
        self.assertEqual(len(self.keys()), self.COUNT)

    def test_ctrl_c_reaches_the_commands_too_and_fails_none(self):
        process = self.start_and_wait(0.1, start_new_session=True)
        os.killpg(process.pid, signal.SIGINT)
        result = self.finish(process)
        self.assert_drained(result)
        self.assertIn("0 failed", result.out)

    def test_a_second_interrupt_aborts_at_once(self):
        process = self.start_and_wait(600, started=2)
        process.send_signal(signal.SIGINT)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGINT)
        result = self.finish(process, timeout=20)
        self.assertEqual(result.code, 130, result.err)
        self.assertIn("aborted", result.err)
        self.assertIn("0 failed", result.out)  # we killed them
        self.assertNotIn("item-", result.err)
        self.assert_clean()
        self.assertEqual(self.shards(), [])

    def wait_until_draining(self, process):
        line = process.stderr.readline().decode()
        self.assertIn("stopping", line)

    def test_an_abort_keeps_the_shards_that_were_finished(self):
        process = self.start_and_wait(0.05, started=12)
        self.wait_until(lambda: len(self.shards()) >= 2)
        process.send_signal(signal.SIGINT)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGINT)
        result = self.finish(process, timeout=20)
        self.assertIn(result.code, (75, 130), result.err)
        keys = self.keys()
        self.assertEqual(keys, [f"item-{i:04}" for i in range(len(keys))])
        self.assertGreaterEqual(len(keys), 6)
        self.assert_clean()

    def test_terminate_twice_drains_once(self):
        process = self.start_and_wait(0.1)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGTERM)
        self.assert_drained(self.finish(process))

    def test_terminate_then_two_interrupts_abort_with_143(self):
        process = self.start_and_wait(600, started=2)
        process.send_signal(signal.SIGTERM)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGINT)
        self.assertIsNone(process.poll())
        self.wait_until(lambda: self.interrupt_taken(process))
        process.send_signal(signal.SIGINT)
        result = self.finish(process, timeout=20)
        self.assertEqual(result.code, 143, result.err)
        self.assert_clean()

    def interrupt_taken(self, process):
        """Two interrupts that are pending at one time are one."""
        with open(f"/proc/{process.pid}/status") as status:
            text = status.read()
        pending = int(re.search(r"ShdPnd:\t(\w+)", text)[1], 16)
        return not pending & 1 << (signal.SIGINT - 1)

    def test_a_signal_before_the_start_is_not_lost(self):
        def interrupted():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)
        result = self.weft_run(self.spec(0.1), prepare=interrupted)
        self.assertEqual(result.code, 75, result.err)
        self.assertRegex(result.err, r"stopped: [0-4] of 40 items done")
        self.assertLessEqual(len(self.keys()), 4)
        self.assert_clean()

    def test_a_hang_up_drains(self):
        process = self.start_and_wait(0.1)
        process.send_signal(signal.SIGHUP)
        self.assert_drained(self.finish(process))

    def test_an_ignored_interrupt_stays_ignored(self):
        process = self.start_and_wait(
            0.05, prepare=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), self.COUNT)

    def test_a_stopped_run_goes_on(self):
        # In a group of its own: ^Z means nothing to a group whose parent is
        # in another session, and who runs the tests may have made one.
        process = self.start_and_wait(0.05, started=3, prepare=os.setpgrp)
        process.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        process.send_signal(signal.SIGCONT)
        result = self.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), self.COUNT)

    def test_a_signal_during_the_last_item_changes_nothing(self):
        process = self.start_and_wait(0.05, started=self.COUNT)
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), self.COUNT)


if __name__ == "__main__":
    unittest.main()

"""test_signals.py: a signal drains, two interrupts abort, and a shard under its
final name is whole whatever happens.
"""
import os
import re
import signal
import unittest

from fixtures import CommandTest
from test_sandbox import landlock_version


def has_ended(number):
    """Whether this process has, waited for or not."""
    try:
        with open(f"/proc/{number}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Signals(CommandTest):
    """Forty commands that note that they have started, two at a time. From the
    tenth on they wait for a file, so nothing here depends on how fast they are.
    """

    COUNT = 40
    FREE = 10

    def setUp(self):
        super().setUp()
        for i in range(self.COUNT):
            self.add(f"item-{i:04}", b"x")
        self.notes = self.root / "notes"
        self.notes.write_bytes(b"")
        self.gate = self.root / "gate"

    def spec(self, **more):
        script = self.root / "script"
        script.write_text(f"""#!/bin/sh
            echo x >>'{self.notes}'
            number=${{1##*-}}
            while [ "$number" -ge {self.FREE:04} ] && [ -e '{self.notes}' ] &&
                ! [ -e '{self.gate}' ]
            do sleep 0.02; done
            echo done
            """)
        script.chmod(0o755)
        return self.commands(script, "{path}", per_shard=3, **more)

    def start_and_wait(self, *options, **popen):
        """The free ones are done, and two wait for the gate."""
        process = self.start(self.spec(), *options, **popen)
        self.addCleanup(process.kill)
        started = self.FREE + 2
        self.wait_until(lambda: self.notes.stat().st_size >= 2 * started or
                        process.poll() is not None)
        self.assertIsNone(process.poll())
        return process

    def drain_and_finish(self, process):
        """The signal has been sent."""
        err = self.wait_until_draining(process)
        self.gate.touch()
        result = self.finish(process)
        result.err = err + result.err
        return result

    def assert_drained(self, result):
        """As many items as it says are out, from the first one on."""
        self.assertEqual(result.code, 75, result.err)
        found = re.search(r"stopped: (\d+) of 40 items done, (\d+) left; run "
                          r"again with --resume", result.err)
        self.assertTrue(found, result.err)
        done, left = int(found[1]), int(found[2])
        self.assertEqual(done + left, self.COUNT)
        self.assertGreaterEqual(done, self.FREE + 2)
        self.assertGreater(left, 0)
        self.assertEqual(self.keys(), [f"item-{i:04}" for i in range(done)])
        self.assert_clean()

    def wait_until_draining(self, process):
        line = process.stderr.readline().decode()
        self.assertIn("stopping", line)
        return line

    def taken(self, process, number):
        """Two signals of a kind that are pending at one time are one."""
        with open(f"/proc/{process.pid}/status") as status:
            text = status.read()
        pending = int(re.search(r"ShdPnd:\t(\w+)", text)[1], 16)
        return not pending & 1 << (number - 1)

    def test_an_interrupt_finishes_what_is_in_flight(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGINT)
        self.assert_drained(self.drain_and_finish(process))

    def test_a_drained_run_reports_as_json(self):
        process = self.start_and_wait("--json")
        process.send_signal(signal.SIGINT)
        result = self.drain_and_finish(process)
        self.assert_drained(result)
        items = result.report["items"]
        self.assertEqual(result.report["status"], "drained")
        self.assertEqual(items["out"] + items["left"], self.COUNT)
        self.assertEqual(items["unfinished"], 0)

    def test_after_a_drain_the_same_command_resumes(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGTERM)
        self.assert_drained(self.drain_and_finish(process))
        self.assertEqual(self.weft_run(self.spec(), "--resume").code, 0)
        self.assertEqual(self.keys(),
                         [f"item-{i:04}" for i in range(self.COUNT)])
        self.assertEqual(len(self.shards()), (self.COUNT + 2) // 3)

    def test_ctrl_c_reaches_the_commands_too_and_fails_none(self):
        process = self.start_and_wait(start_new_session=True)
        os.killpg(process.pid, signal.SIGINT)
        result = self.drain_and_finish(process)
        self.assert_drained(result)
        self.assertIn("0 failed", result.out)

    def test_a_second_interrupt_aborts_at_once_and_keeps_what_is_whole(self):
        process = self.start_and_wait()
        self.wait_until(lambda: len(self.shards()) == self.FREE // 3)
        process.send_signal(signal.SIGINT)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGINT)
        result = self.finish(process)  # the gate stays shut
        self.assertEqual(result.code, 130, result.err)
        self.assertIn("aborted", result.err)
        self.assertIn("0 failed", result.out)  # we killed them
        self.assertNotIn("item-", result.err)
        self.assertEqual(self.keys(), [f"item-{i:04}" for i in range(9)])
        self.assert_clean()

    def test_terminate_again_means_nothing_more(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        line = self.wait_until_draining(process)
        process.send_signal(signal.SIGTERM)
        self.wait_until(lambda: self.taken(process, signal.SIGTERM))
        self.gate.touch()
        result = self.finish(process)
        result.err = line + result.err
        self.assert_drained(result)

    def test_terminate_then_two_interrupts_abort_with_143(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGTERM)
        self.wait_until_draining(process)
        process.send_signal(signal.SIGINT)
        self.wait_until(lambda: self.taken(process, signal.SIGINT))
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.code, 143, result.err)
        self.assert_clean()

    def test_a_signal_before_the_start_is_not_lost(self):
        def interrupted():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            os.kill(os.getpid(), signal.SIGINT)
        self.gate.touch()
        result = self.weft_run(self.spec(), prepare=interrupted)
        self.assertEqual(result.code, 75, result.err)
        self.assertRegex(result.err, r"stopped: [0-4] of 40 items done")
        self.assertLessEqual(len(self.keys()), 4)
        self.assert_clean()

    def test_a_hang_up_drains(self):
        process = self.start_and_wait()
        process.send_signal(signal.SIGHUP)
        self.assert_drained(self.drain_and_finish(process))

    def assert_all_done(self, process):
        result = self.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), self.COUNT)

    def test_an_ignored_interrupt_stays_ignored(self):
        process = self.start_and_wait(
            prepare=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
        process.send_signal(signal.SIGINT)
        self.gate.touch()
        self.assert_all_done(process)

    def test_a_stopped_run_goes_on(self):
        # In a group of its own: ^Z means nothing to a group whose parent is
        # in another session, and who runs the tests may have made one.
        process = self.start_and_wait(prepare=os.setpgrp)
        process.send_signal(signal.SIGTSTP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        process.send_signal(signal.SIGCONT)
        self.gate.touch()
        self.assert_all_done(process)

    def test_a_kill_ends_the_commands_too(self):
        """What nobody can catch; in a sandbox or not."""
        lives = self.root / "lives"
        script = self.root / "script"
        script.write_text(f"#!/bin/sh\necho $$ >>'{lives}'\nexec sleep 60\n")
        script.chmod(0o755)
        sandbox = ["--sandbox"] if landlock_version() >= 3 else []
        for options in [], sandbox:
            lives.write_text("")
            process = self.start(self.commands(script), *options)
            self.addCleanup(process.kill)
            self.wait_until(lambda: len(lives.read_text().split()) == 2)
            process.kill()
            self.finish(process)
            for number in lives.read_text().split():
                self.wait_until(lambda: has_ended(number))


if __name__ == "__main__":
    unittest.main()

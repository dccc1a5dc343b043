"""test_badio_run.py: `weft run` when a file operation fails, each of them, by
the ring and by blocking threads.

    WEFT_IO=ring FAULT_CALL=read FAULT_AT=3 FAULT_ERROR=5 \\
        LD_PRELOAD=build/gcc/tests/faults/libbadio.so \\
        build/gcc/cli/weft run SPEC

repeats one. What the library does: badio.c.
"""
import errno
import json
import os
import unittest

from job import PHOTOS, JobTest, sweep

BADIO = os.environ["BADIO"]
LONG = bool(os.environ.get("WEFT_LONG"))
WAYS = ("auto", "ring", "threads")


class Files(JobTest):
    def attempt(self, way, **faults):
        """(the outcome, how many such calls there were, and how many fsyncs
        of a file after one of it had failed)"""
        told = self.job.root / f"told-{way}-{'-'.join(faults.values())}"
        outcome = self.job.run({
            "LD_PRELOAD": BADIO, "WEFT_IO": way, "FAULT_TOLD": str(told),
            **{f"FAULT_{name.upper()}": value
               for name, value in faults.items()}})
        counts = told.read_text().split() if told.exists() else (-1, -1)
        told.unlink(missing_ok=True)
        return outcome, *map(int, counts)

    def fail_each(self, call, *errors, codes=(0, 1, 3)):
        """Yields for each way, error and call: what came of it."""
        for way in WAYS:
            outcome, count, _ = self.attempt(way, call=call)
            self.assertEqual(outcome.code, 0, outcome.err)
            self.assertGreater(count, 0, f"{way} calls no {call}")
            points = [(at, error) for error in errors
                      for at in range(1, count + 1)]
            outcomes = sweep(points, lambda p: self.attempt(
                way, call=call, at=str(p[0]), error=str(p[1])))
            for (at, error), (outcome, _, again) in zip(points, outcomes):
                with self.subTest(WEFT_IO=way, FAULT_CALL=call, FAULT_AT=at,
                                  FAULT_ERROR=errno.errorcode[error]):
                    self.assertEqual(self.job.judge(outcome, codes), [],
                                     outcome.err)
                    yield outcome, error, again
            print(f"{way}: {len(points)} times a {call} failed")

    def test_a_read_that_fails_fails_its_item_and_no_other(self):
        for outcome, error, _ in self.fail_each("read", errno.EIO):
            self.assertEqual(outcome.code, 1, outcome.err)
            report = json.loads(outcome.out)
            self.assertEqual(report["items"]["out"], PHOTOS - 1)
            failure, = report["failures"]
            self.assertEqual(failure["stage"], "read")
            self.assertIn(os.strerror(error), failure["text"])

    def test_what_was_interrupted_is_done_again(self):
        """Also by the main thread, which closes the last shard. An fsync that
        was interrupted has not failed."""
        for call in ("read", "write", "fsync", "rename", "note"):
            for outcome, _, _ in self.fail_each(call, errno.EINTR):
                self.assertEqual(outcome.code, 0, outcome.err)

    def test_a_read_that_would_wait_is_done_again(self):
        for outcome, _, _ in self.fail_each("read", errno.EAGAIN):
            self.assertEqual(outcome.code, 0, outcome.err)

    def test_a_write_that_would_wait_waits_or_is_told(self):
        """One that was to be done at once is handed on; one that may wait is
        never told so by a file system that is right."""
        told = 0
        for outcome, error, _ in self.fail_each("write", errno.EAGAIN,
                                                codes=(0, 3)):
            told += outcome.code == 3
            if outcome.code:
                self.assertIn("cannot write out/s-00000", outcome.err)
                self.assertIn(os.strerror(error), outcome.err)
        self.assertGreater(told, 0)

    def test_a_write_that_fails_ends_the_run_with_a_sentence(self):
        errors = (errno.EIO, errno.ENOSPC, errno.EDQUOT)
        for outcome, error, _ in self.fail_each("write", *errors):
            self.assertEqual(outcome.code, 3, outcome.err)
            self.assertIn("cannot write out/s-00000", outcome.err)
            self.assertIn(os.strerror(error), outcome.err)

    def test_an_fsync_that_fails_is_never_done_again(self):
        errors = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)
        for outcome, error, again in self.fail_each("fsync", *errors):
            self.assertEqual(outcome.code, 3, outcome.err)
            self.assertIn(os.strerror(error), outcome.err)
            self.assertEqual(again, 0)

    def test_a_rename_that_fails_ends_the_run_with_a_sentence(self):
        errors = (errno.EIO, errno.EDQUOT, errno.EAGAIN)
        for outcome, error, _ in self.fail_each("rename", *errors):
            self.assertEqual(outcome.code, 3, outcome.err)
            self.assertIn("cannot rename out/s-00000", outcome.err)
            self.assertIn(os.strerror(error), outcome.err)

    def test_a_note_that_fails_ends_the_run_with_a_sentence(self):
        """Of the journal: its head, each shard, and that all is done. That a
        write would wait does not mean that another run holds the lock."""
        errors = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EAGAIN)
        for outcome, error, _ in self.fail_each("note", *errors):
            self.assertEqual(outcome.code, 3, outcome.err)
            self.assertRegex(
                outcome.err, r"cannot ((create|write to) out/\.weft-s-%06d\.tar"
                r"\.journal|journal out/s-00000\d\.tar): " +
                os.strerror(error))

    def test_an_open_that_fails_is_told(self):
        """Of whatever file: also those that libraries and weft itself read."""
        errors = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EDQUOT)
        for outcome, error, _ in self.fail_each("open", *errors,
                                                   codes=(0, 1, 2, 3)):
            if outcome.code:
                self.assertIn(os.strerror(error), outcome.err)
            if outcome.code == 2:
                self.assertIn("spec.yaml: cannot be opened", outcome.err)

    def test_reads_and_writes_that_move_little(self):
        for way in WAYS:
            with self.subTest(way):
                for most in (("1", "7") if LONG else ("97",)):
                    outcome, _, _ = self.attempt(way, short=most)
                    self.assertEqual(self.job.judge(outcome), [])
                    self.assertEqual(outcome.code, 0, outcome.err)


if __name__ == "__main__":
    unittest.main()

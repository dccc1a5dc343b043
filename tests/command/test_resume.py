"""test_resume.py: what was out before a run was cut off stays, is not done
again, and is part of the same whole as what comes after.
"""
import os
import shutil
import signal
import unittest

from kills import Killed

LONG = "WEFT_LONG" in os.environ


class Resume(Killed):
    """Every item notes that it was done, in the file that was named in `phase`
    when its command began. From number `gate` on they wait for a file, so
    nothing depends on how fast they are."""

    COUNT = 10

    def setUp(self):
        super().setUp()
        for i in range(self.COUNT):
            self.add(f"item-{i:02}", b"x")
        self.phase = 0
        self.forget()
        self.gate = self.root / "gate"

    def forget(self):
        """What was done until now."""
        self.phase += 1
        self.notes = self.root / f"notes-{self.phase}"
        self.notes.touch()
        (self.root / "phase").write_text(f"{self.notes}\n")

    def spec(self, *sink, gate=6, bad=()):
        script = self.root / "script"
        script.write_text(f"""#!/bin/sh
            read -r notes <'{self.root}/phase'
            number=${{1##*-}} number=${{number#0}}
            while [ "$number" -ge {gate} ] && [ -e "$notes" ] &&
                ! [ -e '{self.gate}' ]
            do sleep 0.02; done
            echo "$number" >>"$notes"
            [ -e "{self.root}/bad-$number" ] && exit 3
            echo "$number"
            """)
        script.chmod(0o755)
        for number in bad:
            (self.root / f"bad-{number}").touch()
        spec = self.commands(script, "{path}", per_shard=3)
        spec["stages"][1:] = sink or [self.shard(3)]
        return spec

    def done(self):
        return sorted(map(int, self.notes.read_text().split()))

    def start_and_wait(self, spec, seen):
        process = self.start(spec, "--json")
        self.addCleanup(process.kill)
        self.wait_until(seen)
        return process

    def killed(self, spec, seen):
        process = self.start_and_wait(spec, seen)
        process.kill()
        self.finish(process)

    def assert_every_item_is_in_one_of(self, shards):
        self.assertEqual(len(self.shards()), shards)
        self.assertEqual(sorted(self.members()), [
            f"item-{i:02}.{what}" for i in range(10)
            for what in ("json", "out")])

    def reference(self, spec, keep=False):
        """What an undisturbed run leaves; it is gone then, or kept."""
        self.gate.touch()
        self.assertIn(self.run_json(spec).code, (0, 1))
        files = self.files()
        if not keep:
            shutil.rmtree(self.out)
        self.gate.unlink()
        self.forget()
        return files

    def test_what_is_in_a_shard_is_not_done_again(self):
        spec = self.spec()
        files = self.reference(spec)
        self.killed(spec, lambda: len(self.noted()) == 6)
        self.forget()
        self.gate.touch()
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.done(), [6, 7, 8, 9])
        self.assertEqual(self.files(), files)
        self.assertEqual(self.journals(), [])

    def test_without_resume_it_says_what_to_do_and_touches_nothing(self):
        spec = self.spec()
        self.killed(spec, lambda: len(self.noted()) == 6)
        before = self.files(), self.journals()[0].read_bytes()
        for options in [], ["--dry-run"]:
            result = self.run_json(spec, *options)
            self.assertEqual(result.code, 3)
            self.assertRegex(
                result.err, r"not finished: 6 of 10 items are out; --resume "
                r"goes on .*remove .*s-%06d\.tar\.journal")
            self.assertEqual((self.files(), self.journals()[0].read_bytes()),
                             before)

    def test_an_interrupt_then_resume_is_as_if_undisturbed(self):
        spec = self.spec(gate=4)
        files = self.reference(spec)
        process = self.start_and_wait(spec, lambda: len(self.noted()) == 3)
        process.send_signal(signal.SIGINT)
        self.assertIn("stopping", process.stderr.readline().decode())
        self.gate.touch()
        result = self.finish(process)
        self.assertEqual(result.code, 75)
        self.assertIn("run again with --resume", result.err)
        early = len(self.keys())
        self.assertGreater(early, 3)
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.files(), files)

    def test_in_any_order_every_item_is_in_one_shard(self):
        shard = {**self.shard(3), "order": "any"}
        spec = self.spec(shard)
        self.killed(spec, lambda: len(self.noted()) == 6)
        self.gate.touch()
        self.assertEqual(self.run_json(spec, "--resume").code, 0)
        self.assert_every_item_is_in_one_of(4)

    def test_in_any_order_older_shards_do_not_stand_in_the_way(self):
        spec = self.spec({**self.shard(3), "order": "any"})
        self.reference(spec, keep=True)
        self.killed(spec, lambda: len(self.noted()) == 6)
        self.gate.touch()
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 0, result.err)
        self.assert_every_item_is_in_one_of(4)

    def test_in_any_order_an_unknown_shard_is_not_taken_for_a_new_one(self):
        shard = {**self.shard(3), "order": "any"}
        spec = self.spec(shard)
        self.killed(spec, lambda: len(self.noted()) == 6)
        journal, = self.journals()
        lines = journal.read_text().splitlines(keepends=True)
        self.assertEqual(len(lines), 3)
        shutil.copy(self.shards()[0], self.out / "s-000002.tar")
        # One shard may be there that the journal does not know, but not two:
        # what it says is lost of one of the two or of both.
        for left, unknown in (2, "s-000002"), (1, "s-000001"):
            journal.write_text("".join(lines[:left]))
            files = self.files()
            result = self.run_json(spec, "--resume")
            self.assertEqual(result.code, 3)
            self.assertRegex(result.err, rf"{unknown}\.tar is not in the jour")
            self.assertEqual(self.files(), files)
            self.assertEqual(journal.read_text(), "".join(lines[:left]))

    def test_what_failed_is_told_again_and_not_done_again(self):
        spec = self.spec(bad=[1])
        files = self.reference(spec)
        self.killed(spec, lambda: len(self.noted()) == 3)
        self.forget()
        self.gate.touch()
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 1)
        self.assertNotIn(1, self.done())
        failure, = result.report["failures"]
        self.assertRegex(failure["path"], "item-01$")
        self.assertEqual((failure["item"], failure["stage"]), (1, "command"))
        self.assertIn("exit", failure["text"])
        self.assertEqual(self.files(), files)

    def test_a_run_that_is_whole_but_for_failures_has_nothing_to_resume(self):
        spec = self.spec(bad=[1, 5])
        files = self.reference(spec)
        self.gate.touch()
        self.run_json(spec)
        self.forget()
        result = self.run_json(spec, "--resume")
        self.assertEqual((result.code, self.done()), (1, []))
        self.assertEqual(len(result.report["failures"]), 2)
        self.assertEqual(self.files(), files)

    def test_retry_failed_does_what_failed_and_nothing_else(self):
        spec = self.spec(bad=[1, 5])
        self.gate.touch()
        self.assertEqual(self.run_json(spec).code, 1)
        (self.root / "bad-1").unlink()
        self.forget()
        result = self.run_json(spec, "--retry-failed")
        self.assertEqual((result.code, self.done()), (1, [1, 5]))
        self.assertEqual(result.report["items"]["earlier"], 8)
        (self.root / "bad-5").unlink()
        self.assertEqual(self.run_json(spec, "--retry-failed").code, 0)
        self.assertEqual(sorted(self.keys()),
                         [f"item-{i:02}" for i in range(10)])
        self.assertEqual(len(self.members()), 20)
        self.assertEqual(self.journals(), [])

    def test_after_failures_a_run_without_resume_does_all(self):
        spec = self.spec(bad=[1])
        self.gate.touch()
        self.assertEqual(self.run_json(spec).code, 1)
        (self.root / "bad-1").unlink()
        self.assertEqual(self.run_json(spec).code, 0)
        self.assertEqual(self.keys(), [f"item-{i:02}" for i in range(10)])

    def test_a_name_that_is_taken_stays_taken(self):
        self.add("item-00.b", b"x")  # its name is that of item-00, too
        write = {"name": "write", "use": "file.write", "tokens": 1,
                 "order": "input", "with": {"pattern": f"{self.out}/{{key}}"}}
        spec = self.spec(write)
        spec["source"]["with"]["match"] = ["item-0[0-8]*"]
        spec["stages"][0]["with"]["argv"] = ["cat", "{path}"]
        self.assertEqual(self.run_json(spec).code, 1)
        result = self.run_json(spec, "--retry-failed")
        self.assertEqual(result.code, 1)
        failure, = result.report["failures"]
        self.assertRegex(failure["text"], "is already that of item-00$")

    def refused(self, spec, pattern, *options):
        result = self.run_json(spec, "--resume", *options)
        self.assertEqual(result.code, 3, result.err)
        self.assertRegex(result.err, pattern)

    def test_what_was_out_and_is_gone_is_told_and_nothing_is_touched(self):
        spec = self.spec()
        files = self.reference(spec)
        self.killed(spec, lambda: len(self.noted()) == 6)
        journal, = self.journals()
        before = journal.read_bytes()
        away = self.root / "away"
        away.mkdir()
        self.gate.touch()
        for gone, shard in enumerate(reversed(self.shards()), 1):
            shard.rename(away / shard.name)
            for options in [], ["--dry-run"], ["--retry-failed"]:
                self.refused(
                    spec, f"{gone} of 2 files that are out cannot be found, "
                    f"first {shard.name}; put them back, or, to do all again, "
                    rf"remove {self.out}/.weft-s-%06d.tar.journal\n$", *options)
            self.assertEqual(journal.read_bytes(), before)
            self.assertEqual(len(self.shards()), 2 - gone)
        for shard in away.iterdir():
            shard.rename(self.out / shard.name)
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.files(), files)

    def test_what_was_removed_but_for_the_journal_is_missed(self):
        spec = self.spec(bad=[1])
        files = self.reference(spec, keep=True)
        for shard in self.shards():
            shard.unlink()
        self.gate.touch()
        self.refused(spec, "3 of 3 files that are out cannot be found")
        self.journals()[0].unlink()
        self.assertEqual(self.run_json(spec, "--resume").code, 1)
        self.assertEqual(self.files(), files)

    def test_another_job_is_refused(self):
        spec = self.spec()
        self.killed(spec, lambda: len(self.noted()) == 6)
        before = self.journals()[0].read_bytes()
        self.refused(spec, "6 of 10 .* the stages.* changed", "--set",
                     "stages.shard.with.max_count=4")
        (self.photos / "item-03").rename(self.photos / "item-03b")
        self.refused(spec, "the names of the inputs, or their order, changed")
        self.add("item-99", b"x")
        self.refused(spec, "the number of inputs changed")
        self.assertEqual(self.journals()[0].read_bytes(), before)

    def test_inputs_and_outputs_may_move(self):
        spec = self.spec()
        files = self.reference(spec)
        self.killed(spec, lambda: len(self.noted()) == 6)
        moved = self.root / "moved"
        self.out.rename(moved)
        self.out = moved
        self.photos.rename(self.root / "elsewhere")
        self.gate.touch()
        result = self.run_json(spec, "--resume", "--output", str(moved),
                               "--input", str(self.root / "elsewhere"))
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.files().keys(), files.keys())

    def test_one_run_at_a_time(self):
        spec = self.spec()
        process = self.start_and_wait(spec, lambda: len(self.noted()) == 6)
        for options in ([], ["--resume"]):
            result = self.run_json(spec, *options)
            self.assertEqual(result.code, 3)
            self.assertIn("another run of this job is at work", result.err)
        self.gate.touch()
        self.assertEqual(self.finish(process).code, 0)

    def test_two_jobs_in_one_folder_do_not_meet(self):
        spec = self.spec()
        self.killed(spec, lambda: len(self.noted()) == 6)
        self.gate.touch()
        result = self.run_json(spec, "--set", "stages.shard.with.pattern="
                               f"{self.out}/other-%d.tar")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.run_json(spec, "--resume").code, 0)
        self.assertEqual(len(self.shards()), 8)

    def test_without_a_journal_it_begins_anew(self):
        self.gate.touch()
        result = self.weft_run(self.spec(), "--resume")
        self.assertEqual(result.code, 0)
        self.assertIn("there is no journal", result.err)
        self.assertEqual(len(self.keys()), 10)

    def test_a_journal_in_which_nothing_is_noted_is_not_called_missing(self):
        spec = self.spec(bad=[1])
        self.gate.touch()
        self.assertEqual(self.run_json(spec).code, 1)
        journal, = self.journals()
        head = journal.read_text().splitlines(keepends=True)[0]
        for text, said in ((head, "0 of 10 items are out already"),
                           ("", "or nothing is in it; beginning anew")):
            journal.write_text(text)
            result = self.weft_run(spec, "--resume")
            self.assertEqual(result.code, 1)
            self.assertIn(said, result.err)
            self.assertEqual(len(self.keys()), 9)

    def test_a_report_that_is_lost_loses_no_work(self):
        self.gate.touch()
        with open("/dev/full", "wb") as full:
            self.assertEqual(self.weft_run(self.spec(), stdout=full).code, 3)
        self.forget()
        result = self.run_json(self.spec(), "--resume")
        self.assertEqual((result.code, self.done()), (0, []))
        self.assertEqual(result.report["items"]["earlier"], 10)
        self.assertEqual(self.journals(), [])

    def test_a_dry_run_tells_what_is_left(self):
        spec = self.spec()
        self.killed(spec, lambda: len(self.noted()) == 6)
        before = self.journals()[0].read_bytes()
        result = self.run_json(spec, "--resume", "--dry-run")
        self.assertEqual(result.report["items"], 4)
        self.assertEqual(self.journals()[0].read_bytes(), before)

    def test_a_dry_run_only_reads_the_journal_of_a_run_at_work(self):
        spec = self.spec()
        process = self.start_and_wait(spec, lambda: len(self.noted()) == 6)
        result = self.run_json(spec, "--resume", "--dry-run")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.report["items"], 4)
        self.gate.touch()
        self.assertEqual(self.finish(process).code, 0)


class Damage(Killed):
    """A journal whose bits flip, and disks that are full or broken."""

    def test_no_flipped_bit_loses_or_doubles_an_item(self):
        self.add_items(3)
        spec = self.jobs()["shards"]
        self.undisturbed(spec)
        call = 1
        while self.kill_at(spec, call, "threads") and not self.noted():
            self.empty()
            call += 1
        saved = self.root / "saved"
        self.out.rename(saved)
        good = next(saved.glob(".weft-*")).read_bytes()
        whole, files, _ = self.undisturbed(spec)
        bits = set()
        for at in range(len(good)) if LONG else range(0, len(good), 16):
            bit = (at + at // 16) % 8  # each, whichever the step is
            bits.add(bit)
            shutil.copytree(saved, self.out)
            journal, = self.journals()
            journal.write_bytes(good[:at] + bytes([good[at] ^ 1 << bit]) +
                                good[at + 1:])
            result = self.finish(self.begin(spec, "--resume"))
            if result.code == 3:
                self.assertRegex(result.err, "its first line is damaged")
                self.assertLess(at, good.index(b"\n") + 1)
                self.assertEqual(len(self.shards()), 1)
            else:
                self.assertEqual(result.code, whole.code, result.err)
                self.assertEqual(self.files(), files)
            shutil.rmtree(self.out)
        self.assertEqual(bits, set(range(8)))

    def assert_missed(self, spec, name):
        result = self.finish(self.begin(spec, "--resume"))
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, r"1 of \d files that are out cannot be "
                         rf"found, first {name};")

    def test_an_output_of_any_sink_is_missed(self):
        """Also where a folder or a link has its name; but what is in a file is
        not looked at."""
        self.add_items(3)
        for name, spec in self.jobs().items():
            with self.subTest(name):
                self.assertEqual(self.finish(self.begin(spec)).code, 1)
                output = sorted(self.files())[0]
                path = self.out / output
                path.rename(self.root / "away")
                self.assert_missed(spec, output)
                path.mkdir()
                self.assert_missed(spec, output)
                path.rmdir()
                path.symlink_to(self.root / "away")
                self.assert_missed(spec, output)
                path.unlink()
                path.touch()
                result = self.finish(self.begin(spec, "--resume"))
                self.assertEqual(result.code, 1, result.err)
                self.empty()

    def test_an_output_that_cannot_be_looked_for_is_not_called_gone(self):
        if not shutil.which("strace"):
            self.skipTest("no strace: scripts/setup test installs it")
        self.add_items(3)
        spec = self.jobs()["shards"]
        self.assertEqual(self.finish(self.begin(spec)).code, 1)
        result = self.finish(self.begin(spec, "--resume", before=[
            "strace", "-E", "ASAN_OPTIONS=detect_leaks=0", "-f", "-qq", "-o",
            "/dev/null", "-P", str(self.out),
            "-e", "inject=newfstatat:error=EIO"]))
        self.assertEqual(result.code, 3)
        self.assertIn("cannot look for s-000000.tar, which is out: "
                      "Input/output error", result.err)

    def with_faults(self, spec, *faults):
        process = self.begin(spec, "--workers", "1", before=[
            "strace", "-E", "ASAN_OPTIONS=detect_leaks=0", "-f", "-qq", "-o",
            "/dev/null",
            *[word for fault in faults for word in ("-e", fault)]])
        return self.finish(process)

    def test_folders_that_are_made_are_synced_beside_the_work(self):
        """The run does not wait for them before it starts: before its journal
        is there nothing is synced; and when it ends, all that they lie in."""
        if not shutil.which("strace"):
            self.skipTest("no strace: scripts/setup test installs it")
        self.add_items(1)
        trace, root = self.root / "trace", self.out
        self.out = self.out / "deep" / "er"
        for name, spec in self.jobs().items():
            with self.subTest(name):
                result = self.finish(self.begin(spec, before=[
                    "strace", "-E", "ASAN_OPTIONS=detect_leaks=0", "-f", "-qq",
                    "-y", "-e", "trace=openat,fsync", "-o", str(trace)]))
                self.assertEqual(result.code, 1, result.err)
                before, journal, after = trace.read_text().partition("O_CREAT")
                self.assertTrue(journal)
                self.assertNotIn("fsync(", before)
                for folder in self.root, root, root / "deep", self.out:
                    self.assertRegex(after, rf"fsync\(\d+<{folder}>")
                shutil.rmtree(root)

    def test_a_sync_that_fails_is_told_and_not_tried_again(self):
        if not shutil.which("strace"):
            self.skipTest("no strace: scripts/setup test installs it")
        self.add_items(3)
        for name, spec in self.jobs().items():
            with self.subTest(name):
                self.undisturbed(spec)
                result = self.with_faults(spec, "inject=fsync:error=EIO:when=2")
                self.assertEqual(result.code, 3, result.err)
                self.assertRegex(result.err, "cannot (create|sync|write to) "
                                 ".*: Input/output error")
                self.assert_resumes(spec)
                self.empty()

    def test_a_full_disk_while_the_journal_is_written(self):
        """The outputs would fit; each write to the journal is refused."""
        if not shutil.which("strace"):
            self.skipTest("no strace: scripts/setup test installs it")
        self.add_items(3)
        spec = self.jobs()["shards"]
        self.undisturbed(spec)
        self.out.mkdir()
        journal = self.out / ".weft-s-%06d.tar.journal"
        process = self.begin(spec, "--workers", "1", before=[
            "strace", "-E", "ASAN_OPTIONS=detect_leaks=0", "-f", "-qq", "-o",
            "/dev/null", "-P", str(journal),
            "-e", "inject=write:error=ENOSPC:when=2+"])
        result = self.finish(process)
        self.assertEqual(result.code, 3, result.err)
        self.assertRegex(result.err, "cannot (journal|write to) .*No space "
                         "left on device; --resume goes on")
        self.assert_resumes(spec)


if __name__ == "__main__":
    unittest.main()

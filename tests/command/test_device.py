"""test_device.py: a disk whose sectors cannot be read, or written: each item
fails with the reason or the run ends with a sentence, nothing partial has a
final name, and once the disk is sound again who resumes it has it all.

The disk is one of nbdkit's, which fails while a file of ours is there; nbdfuse
makes a file of it, and losetup a block device of that. It takes root, FUSE and
all three; without them the exit status is 77.
"""
import copy
import random
import subprocess
import time

from disks import OnDisk, main

ITEMS = 40
PATIENCE = 10  # seconds until the disk is there
WAYS = ("auto", "ring", "threads")
REASON = "Input/output error"


class Device(OnDisk):
    FORMAT = "-b", "4096"
    RATE = "100%"  # of the reads, while they fail

    def make_image(self):
        folder = self.root / "device"
        folder.mkdir()
        self.image = folder / "nbd"
        self.broken = {call: self.root / call for call in ("pread", "pwrite")}
        settings = [f"error-{call}-{name}={value}"
                    for call, rate in (("pread", self.RATE), ("pwrite", "100%"))
                    for name, value in (("rate", rate),
                                        ("file", self.broken[call]))]
        self.server = subprocess.Popen(
            ["nbdfuse", folder / "nbd", "[", "nbdkit", "--filter=error",
             "memory", "256M", *settings, "]"],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.loop = self.mounted = None
        self.addCleanup(self.take_down, folder)
        until = time.monotonic() + PATIENCE
        while not self.image.exists():
            if self.server.poll() is not None or time.monotonic() > until:
                raise OSError("nbdfuse: there is no disk")
            time.sleep(0.01)

    def mount(self):
        """Each read by itself: no page of nbdfuse's file is in memory."""
        self.loop = self.system("losetup", "--find", "--show",
                                "--direct-io=on", self.image).strip()
        self.system("mount", self.loop, self.disk)
        self.mounted = True

    def unmount(self):
        if self.mounted:
            self.system("umount", self.disk)
            self.mounted = False
        if self.loop:
            self.system("losetup", "--detach", self.loop)
            self.loop = None

    def take_down(self, folder):
        """Whatever has failed before: nothing stays, and nothing is waited
        for without end."""
        for command in (["umount", "--lazy", self.disk] * bool(self.mounted),
                        ["losetup", "--detach", self.loop] * bool(self.loop),
                        ["umount", "--lazy", folder]):
            if command:
                subprocess.run(command, stderr=subprocess.DEVNULL)
        try:
            self.server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()

    def setUp(self):
        super().setUp()
        self.make_disk()

    def break_(self, call):
        self.broken[call].touch()

    def mend(self):
        """Nothing that was read or written before is in memory then."""
        for path in self.broken.values():
            path.unlink(missing_ok=True)
        self.unmount()
        self.mount()


class Reads(Device):
    """The photos are on that disk; what is made of them is not."""

    def setUp(self):
        super().setUp()
        self.out = self.root / "out"
        self.photos = self.disk / "photos"
        self.add_items(ITEMS)

    def forget(self, *, but_names):
        self.mend()
        for path in self.photos.rglob("*") if but_names else ():
            path.lstat()

    def jobs_that_read(self):
        for name, spec in self.jobs().items():
            yield name, spec
            spec = copy.deepcopy(spec)
            spec["stages"][0]["with"] = {"direct": True}
            yield f"{name}, direct", spec

    def check_reads(self, io, spec):
        whole, files, _ = self.undisturbed(spec)
        self.forget(but_names=True)
        self.break_("pread")
        result = self.finish(self.begin(spec, io=io))
        self.mend()
        items = result.report["items"]
        self.assertEqual(len(result.report["failures"]), items["failed"])
        self.assertEqual(result.code, 1, result.err)
        self.assertEqual(items["out"] + items["failed"], ITEMS + 1)
        for failure in result.report["failures"]:
            self.assertEqual(failure["stage"], "read")
            if failure["item"] != ITEMS:  # the last one, which is gone
                self.assertIn(REASON, failure["text"])
        again = self.finish(self.begin(spec, "--retry-failed", io=io))
        self.assertEqual(again.code, whole.code, again.err)
        earlier = again.report["items"]["earlier"]
        self.assertEqual(earlier + again.report["items"]["out"], ITEMS)
        if spec["stages"][-1]["use"] == "file.write":  # else packed anew
            self.assert_same_files(files)
        return items["failed"] - 1

    def check_all(self):
        """How many items failed in each."""
        failed = []
        for name, spec in self.jobs_that_read():
            for io in WAYS:
                with self.subTest(job=name, WEFT_IO=io):
                    failed.append(self.check_reads(io, spec))
                    self.empty()
        print(f"{sum(failed)} of {ITEMS * len(failed)} photos failed")
        return failed


class NoReads(Reads):
    def test_each_photo_fails(self):
        self.assertEqual(set(self.check_all()), {ITEMS})

    def test_a_folder_that_cannot_be_read_is_told(self):
        spec = self.jobs()["files"]
        whole, files, _ = self.undisturbed(spec)
        self.forget(but_names=False)
        self.break_("pread")
        result = self.finish(self.begin(spec))
        self.mend()
        self.assertIn(REASON, result.err)
        self.assertIn(str(self.photos), result.err)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(
            self.finish(self.begin(spec, "--resume")).code, whole.code)
        self.assert_same_files(files)


class SomeReads(Reads):
    RATE = "30%"

    def test_the_others_are_out(self):
        failed = self.check_all()
        self.assertLess(0, sum(failed))
        self.assertLess(sum(failed), ITEMS * len(failed))


class Writes(Device):
    """What is made is on that disk."""

    def check_writes(self, spec, io, seconds):
        whole, files, _ = self.undisturbed(spec)
        process = self.begin(spec, io=io)
        time.sleep(seconds)
        self.break_("pwrite")
        result = self.finish(process)
        self.mend()
        if result.code == whole.code:  # it had ended, all was synced
            self.assert_same_files(files)
        else:
            self.assertEqual(result.code, 3, result.err)
            self.assertRegex(result.err, f"{REASON}|Read-only file system")
            self.assert_resumes(spec)
        self.empty()
        return result.code

    def test_a_disk_that_fails_ends_the_run_with_a_sentence(self):
        self.add_items(ITEMS)
        chance, codes = random.Random(), []
        for name, spec in self.jobs().items():
            _, _, whole = self.undisturbed(spec)
            for io in WAYS:
                for seconds in (0, chance.uniform(0, whole)):
                    with self.subTest(job=name, WEFT_IO=io, seconds=seconds):
                        codes.append(self.check_writes(spec, io, seconds))
        print(f"{codes.count(3)} of {len(codes)} runs failed")
        self.assertIn(3, codes)


if __name__ == "__main__":
    main(Device, "no disk that fails can be made here")

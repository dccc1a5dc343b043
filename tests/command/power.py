"""power.py: the power is cut while weft runs, and it is resumed.

    python3 power.py NUMBER    so many cuts

What kill -9 cannot show: what was written and not synced is lost, and what was
appended may be there in part. The disk is a file with ext4 in it, which is shut
down at once, without its log: from then on nothing reaches the file, and who
mounts it again finds what a disk holds after a power cut. That takes root, loop
devices and ext4; without them the exit status is 77.
"""
import fcntl
import os
import random
import struct
import sys
import time

from disks import SKIPPED, OnDisk

SHUTDOWN, NO_LOG = 0x8004587d, 2  # EXT4_IOC_SHUTDOWN


class Power(OnDisk):
    def setUp(self):
        super().setUp()
        self.make_disk()

    def shut_down(self):
        folder = os.open(self.disk, os.O_RDONLY)
        try:
            fcntl.ioctl(folder, SHUTDOWN, struct.pack("I", NO_LOG))
        finally:
            os.close(folder)

    def empty(self):
        """For good: a cut must not bring back what was removed before."""
        super().empty()
        self.system("sync", "-f", self.disk)

    def cut(self, spec, seconds, *options):
        """Whether the run had not ended yet. If it had, all is there."""
        process = self.begin(spec, *options)
        time.sleep(seconds)
        running = process.poll() is None
        self.shut_down()
        process.kill()
        process.communicate()
        self.unmount()
        self.mount()
        if not running:
            whole, files, _ = self.undisturbed(spec)
            self.assertEqual(process.returncode, whole.code)
            self.assert_same_files(files)
        return running

    def cuts(self, number, chance):
        self.add_items(3000)
        jobs, done = list(self.jobs(together=100).items()), 0
        while done < number:
            name, spec = jobs[done % len(jobs)]
            _, files, whole = self.undisturbed(spec)
            seconds = chance.uniform(0, 1.1 * whole)
            if not self.cut(spec, seconds):
                print(f"{name}: had ended: all is there", flush=True)
                self.empty()
                continue
            out, noted = 0, len(self.noted())
            if self.out.exists():
                out = sum(not name.endswith(".tmp") for name in self.files())
            self.assert_resumes(spec)
            self.empty()
            done += 1
            print(f"{name}: cut after {seconds:.2f} s: {out} of {len(files)} "
                  f"files and a journal of {noted} items were on disk; resumed",
                  flush=True)


def main(number):
    test = Power()
    try:
        test.setUp()
        test.shut_down()
        test.unmount()
        test.mount()
    except OSError as error:
        print(f"skipped: no disk whose power can be cut here: {error}")
        test.doCleanups()
        return SKIPPED
    try:
        test.cuts(number, random.Random())
    finally:
        test.doCleanups()
    print(f"{number} power cuts: all as if undisturbed")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))

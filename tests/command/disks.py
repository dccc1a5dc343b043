"""disks.py: jobs whose outputs are on a disk of their own: a file with ext4 in
it. That takes root and loop devices; without them OSError is raised.
"""
import subprocess
import sys
import unittest

from kills import Killed

SKIPPED = 77


class OnDisk(Killed):
    FORMAT, MOUNT = (), "loop"  # options of mkfs.ext4 and mount

    def make_disk(self):
        self.disk = self.root / "disk"
        self.out = self.disk / "out"
        self.disk.mkdir()
        self.make_image()
        self.system("mkfs.ext4", "-q", *self.FORMAT, self.image)
        self.mount()
        self.addCleanup(self.unmount)

    def make_image(self):
        self.image = self.root / "image"
        self.system("truncate", "-s", "256M", self.image)

    def system(self, *command):
        done = subprocess.run([str(word) for word in command],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            why = done.stderr.strip().partition("\n")[0]
            raise OSError(f"{command[0]}: {why}")
        return done.stdout

    def mount(self):
        self.system("mount", "-o", self.MOUNT, self.image, self.disk)

    def unmount(self):
        self.system("umount", self.disk)


def missing(kind):
    """Why such a test cannot be set up here; None: it can."""
    test = kind()
    try:
        test.setUp()
    except OSError as error:
        return error
    finally:
        test.doCleanups()
    return None


def main(kind, without):
    """The tests of the program, where those of this kind are possible."""
    why = missing(kind)
    if why:
        print(f"skipped: {without}: {why}")
        sys.exit(SKIPPED)
    unittest.main()

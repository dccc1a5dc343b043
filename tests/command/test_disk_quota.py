"""test_disk_quota.py: a file system's quota ends under a run: a sentence and
code 3, nothing partial under a final name, and who has more room goes on.

It needs root, loop devices, and a kernel with the quotas of ext4; without them
the exit status is 77.
"""
import ctypes
import errno
import os
import re

from disks import OnDisk, main

ITEMS, PROJECT = 40, 7
PR_CAPBSET_DROP, CAP_SYS_RESOURCE = 24, 24


def obey():
    """In a child: what is run next is held to quotas, root's too."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP,
                                               CAP_SYS_RESOURCE, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "cannot give up CAP_SYS_RESOURCE")


class Quota(OnDisk):
    FORMAT = ("-O", "quota,project", "-E",
              "quotatype=usrquota:grpquota:prjquota")
    MOUNT = "loop,prjquota"

    def setUp(self):
        super().setUp()
        self.make_disk()
        self.add_items(ITEMS)
        self.project = self.disk / "project"
        self.project.mkdir()
        self.system("chattr", "+P", "-p", PROJECT, self.project)
        self.out = self.project / "out"
        self.allow()

    def allow(self, kib=0, inodes=0):
        """What the folder `out` may take; 0: any."""
        self.system("setquota", "-P", PROJECT, 0, kib, 0, inodes, self.disk)

    def exceed(self, name, io, **quota):
        """One job, under a quota that is not enough, and without."""
        self.allow()
        self.empty()
        spec = self.jobs(together=2)[name]
        _, files, _ = self.undisturbed(spec)
        self.allow(**quota)
        result = self.finish(self.begin(spec, io=io, prepare=obey))
        self.assertEqual(result.code, 3, result.err)
        self.assertRegex(result.err, r"cannot \w+( to)? \S*" +
                         re.escape(str(self.out)) + r"\S*: .*" +
                         os.strerror(errno.EDQUOT))
        self.assertLess(self.files().keys(), files.keys())  # no .tmp either
        self.assert_nothing_partial(spec)
        self.allow()
        self.assert_resumes(spec)

    def exceed_each(self, **quota):
        for name in self.jobs():
            for io in ("auto", "ring", "threads"):
                with self.subTest(job=name, WEFT_IO=io):
                    self.exceed(name, io, **quota)

    def test_of_bytes(self):
        # The arrays take least, 23: so small a disk has blocks of 1 KiB.
        self.exceed_each(kib=16)

    def test_of_files(self):
        self.exceed_each(inodes=15)

    def test_of_nothing_at_all(self):
        self.exceed_each(inodes=2)


if __name__ == "__main__":
    main(Quota, "no quota of a file system can be set here")

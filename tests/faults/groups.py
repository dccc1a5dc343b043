"""groups.py: a cgroup for one test, v1 or v2. Where there can be none it is
skipped.
"""
import os
import pathlib
import tempfile
import unittest

# What is called otherwise in v1: the quota is in two files there.
OLD = {"cpuset.cpus": "cpuset.cpus", "memory.max": "memory.limit_in_bytes"}


def find_folder(controller):
    """Where a group can be made, and whether it is of v1: below ours. In v2 a
    group of processes has no groups that a controller limits, but for the
    root: there below the next one above that has. None: there is none."""
    ours = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        ours.update((name, path.lstrip("/")) for name in names.split(","))
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, point = before.split()[3:5]
        kind, _, options = after.split()[:3]
        old = kind == "cgroup" and controller in options.split(",")
        if root != "/" or not (old or kind == "cgroup2"):
            continue
        point = pathlib.Path(point)
        folder = point / ours.get(controller if old else "", "")
        if old:
            return folder, True
        for above in (folder, *folder.parents):
            if controller in read_words(above / "cgroup.subtree_control"):
                return above, False
            if above == point:
                break
    return None


def read_words(path):
    return path.read_text().split() if path.exists() else []


class Group:
    """Removed at the end of the test, when nobody is in it any more."""

    def __init__(self, test, controller):
        found = find_folder(controller)
        if not found:
            raise unittest.SkipTest(f"there is no cgroup for {controller}")
        folder, self.old = found
        try:
            self.folder = pathlib.Path(tempfile.mkdtemp(
                prefix="weft-test-", dir=folder))
            test.addCleanup(self.folder.rmdir)
            if self.old and controller == "cpuset": # else nobody may enter it
                for name in ("cpuset.cpus", "cpuset.mems"):
                    self.write(name, (folder / name).read_text())
        except OSError as error:
            raise unittest.SkipTest(
                f"no cgroup can be made in {folder}: {error}") from error

    def write(self, name, value):
        (self.folder / name).write_text(str(value))

    def set(self, name, value):
        """By its name of v2."""
        self.write(OLD[name] if self.old else name, value)

    def set_quota(self, share):
        """Of a core; None: no limit."""
        period = 20_000
        if self.old:
            self.write("cpu.cfs_period_us", period)
            self.write("cpu.cfs_quota_us", int(share * period) if share else -1)
        else:
            quota = int(share * period) if share else "max"
            self.write("cpu.max", f"{quota} {period}")

    def enter(self):
        """In a child that is to run in it."""
        self.write("cgroup.procs", os.getpid())

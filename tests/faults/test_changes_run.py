"""test_changes_run.py: `weft run` while what it may use of the machine changes:
CPUs, CPU time, memory.
"""
import os
import subprocess
import unittest

from groups import Group
from midst import CommandTest, Midst

CPUS = sorted(os.sched_getaffinity(0))


class Changes(Midst):
    @staticmethod
    def confine(process, cpus):
        """All threads that there are, as taskset -ap does."""
        for thread in os.listdir(f"/proc/{process.pid}/task"):
            try:
                os.sched_setaffinity(int(thread), cpus)
            except ProcessLookupError:
                pass

    @unittest.skipIf(len(CPUS) < 2, "there is one CPU only")
    def test_all_threads_are_put_onto_one_cpu_and_onto_another(self):
        def to(cpus):
            def step(process):
                if process.poll() is None:
                    self.confine(process, cpus)
            return step
        self.change([to({CPUS[0]}), to({CPUS[-1]}), to(set(CPUS))])

    @unittest.skipIf(len(CPUS) < 2, "there is one CPU only")
    def test_the_set_of_cpus_shrinks_and_moves(self):
        group = Group(self, "cpuset")
        self.change([lambda _, cpus=cpus: group.set("cpuset.cpus", cpus)
                     for cpus in (CPUS[0], CPUS[-1],
                                  f"{CPUS[0]},{CPUS[-1]}")],
                    prepare=group.enter)

    def test_the_quota_falls_and_rises(self):
        group = Group(self, "cpu")
        self.change([lambda _, share=share: group.set_quota(share)
                     for share in (0.5, 0.1, None)], prepare=group.enter)


class Quota(unittest.TestCase):
    def test_one_that_is_there_at_the_start_sets_the_workers(self):
        group = Group(self, "cpu")
        group.set_quota(1.5)
        told = subprocess.run([os.environ["WEFT"], "topo"],
                              preexec_fn=group.enter, capture_output=True,
                              text=True).stdout
        self.assertIn("1.50 cores, rounded down to 1", told)
        self.assertRegex(told, r"(?m)^workers +1:")


class Memory(CommandTest):
    """The kernel kills in the group of whoever reaches its limit."""

    def test_a_run_that_is_killed_leaves_nothing_partial_and_goes_on(self):
        group = Group(self, "memory")
        for i in range(12):
            self.add(f"{i:02}.jpg", b"%02d" % i + bytes(4 << 20))
        spec = self.thumbnails(per_shard=2)
        spec["stages"] = [{"name": "read", "use": "file.read", "inflight": 12},
                          self.shard(2)]
        self.assertEqual(self.run_json(spec).code, 0)
        files = self.digests()
        for path in self.out.iterdir():
            path.unlink()
        group.set("memory.max", 24 << 20)
        result = self.run_json(spec, prepare=group.enter)
        self.assertIn(result.code, (-9, 3), result.err)
        self.assertLess(self.digests().items(), files.items())
        result = self.run_json(spec, "--resume")
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(self.digests(), files)
        self.assert_clean()

    def test_a_command_that_is_killed_fails_its_item_by_name(self):
        group = Group(self, "memory")
        group.set("memory.max", 128 << 20)
        for i in range(6):
            self.add(f"{i}.txt", b"text %d\n" % i)
        script = self.root / "script" # at once it would be refused so much
        script.write_text("""#!/bin/sh
            case $1 in */3.txt)
                echo 1000 >/proc/self/oom_score_adj
                exec python3 -c '[b"x" * (1 << 20) for _ in range(1 << 10)]' ;;
            esac
            cat "$1"
            """)
        script.chmod(0o755)
        result = self.run_json(self.commands(script, "{path}"),
                               prepare=group.enter)
        self.assert_one_failure(result, "3.txt", "command",
                                r"killed by signal 9 \(Killed\)", 5)


if __name__ == "__main__":
    unittest.main()

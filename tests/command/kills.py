"""kills.py: a run is killed, once or often, and resumed: what must hold then.

    python3 kills.py NUMBER    so many kills at random times

Before it is resumed whatever has a final name is whole and right. Afterwards
there is what an undisturbed run leaves, to the byte, and nothing else; what was
in the journal was not done again, and failures are told as if there had been
one run.
"""
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import time

from fixtures import WEFT, CommandTest, jpeg

KILLED = 137


class Killed(CommandTest):
    """A job for every sink, each with an item that fails: the last one, so
    that a run can be killed before anything is noted."""

    def setUp(self):
        super().setUp()
        self.whole = {}

    def add_items(self, count):
        for i in range(count):
            self.add(f"deep/{i:03}.jpg", jpeg(24, 16, i % 8))
        (self.photos / "zz-gone.jpg").symlink_to("nowhere")

    def job(self, *stages):
        read = {"name": "read", "use": "file.read", "inflight": 4}
        return {"weft": 1, "source": self.source(),
                "stages": [read, *stages]}

    def jobs(self, together=2):
        """`together` items go into one file, where there is more than one."""
        thumbnail = {"name": "decode", "use": "image.thumbnail",
                     "with": {"width": 8, "height": 8}}
        return {
            "files": self.job(
                {"name": "write", "use": "file.write",
                 "with": {"pattern": f"{self.out}/{{key}}.{{ext}}"}}),
            "shards": self.job(self.shard(together)),
            "arrays": self.job(
                thumbnail,
                {"name": "batch", "use": "gather",
                 "with": {"count": together}},
                {"name": "write", "use": "npy.write",
                 "with": {"pattern": f"{self.out}/b-%03d.npy"}}),
        }

    def begin(self, spec, *options, before=(), io="threads", prepare=None):
        return subprocess.Popen(
            [*before, WEFT, "run", str(self.write_spec(spec)), "--json",
             "--quiet", *options], cwd=self.root, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "WEFT_IO": io}, preexec_fn=prepare)

    def undisturbed(self, spec):
        """What an undisturbed run leaves, and how long it takes."""
        key = json.dumps(spec)
        if key not in self.whole:
            self.empty()
            began = time.monotonic()
            result = self.finish(self.begin(spec))
            seconds = time.monotonic() - began
            self.whole[key] = result, self.files(), seconds
            self.empty()
        return self.whole[key]

    def empty(self):
        subprocess.run(["rm", "-rf", self.out], check=True)

    def noted(self):
        """The numbers of the items that are out, as the journal has them."""
        numbers = []
        for journal in self.journals():
            text = journal.read_text(errors="replace")
            for line in text.splitlines(keepends=True):
                found = re.match(r"\w{16} out \d+ ([\d,-]+) .*\n", line)
                for some in found[1].split(",") if found else ():
                    first, _, last = some.partition("-")
                    numbers += range(int(first), int(last or first) + 1)
        self.assertEqual(len(numbers), len(set(numbers)))
        return numbers

    def assert_nothing_partial(self, spec):
        """Whatever has a final name is as it will be."""
        _, files, _ = self.whole[json.dumps(spec)]
        for name, data in self.files().items():
            if not name.endswith(".tmp"):
                self.assertEqual(data, files[name], name)

    def assert_resumes(self, spec, *options):
        """After a kill."""
        whole, files, _ = self.whole[json.dumps(spec)]
        if self.out.exists():
            self.assert_nothing_partial(spec)
        noted = len(self.noted())
        result = self.finish(self.begin(spec, "--resume", *options))
        self.assertEqual(result.code, whole.code, result.err)
        items, all_items = result.report["items"], whole.report["items"]
        self.assertEqual(items["earlier"], noted)
        self.assertEqual(items["earlier"] + items["out"], all_items["out"])
        self.assertEqual(items["failed"], all_items["failed"])
        self.assertEqual(result.report["failures"], whole.report["failures"])
        self.assert_same_files(files)

    def assert_same_files(self, files):
        """Names first: a difference of the bytes says little."""
        found = self.files()
        self.assertEqual(sorted(found), sorted(files))
        for name, data in files.items():
            self.assertEqual(found[name], data, name)

    def kill_at(self, spec, call, io):
        """Which call that was, if it was killed there; else it has ended."""
        process = self.begin(spec, "--workers", "1", io=io,
                             before=[os.environ["KILL_AT"], str(call)])
        result = self.finish(process)
        if result.code != KILLED:
            self.assertEqual(result.code, self.whole[json.dumps(spec)][0].code,
                             result.err)
            return None
        return re.search(r"kill_at: before call \d+, (\w+)", result.err)[1]

    def sweep(self, spec, io):
        """Kills before every call in turn: how many there were."""
        self.undisturbed(spec)
        call = 1
        while self.kill_at(spec, call, io):
            with self.subTest(call=call):
                self.assert_resumes(spec)
            self.empty()
            call += 1
        self.assertEqual(self.files(), self.whole[json.dumps(spec)][1])
        self.empty()
        return call - 1

    def kill_at_random(self, spec, chance):
        """Kills a run, and perhaps who resumes it: how often, not counting
        those that had ended before."""
        whole, files, seconds = self.undisturbed(spec)
        kills = 0
        while not kills or chance.random() < 0.4:
            process = self.begin(spec, *["--resume"] * bool(kills),
                                 io=chance.choice(["threads", "ring"]))
            time.sleep(chance.uniform(0, seconds))
            process.kill()
            process.communicate()
            if process.returncode != -signal.SIGKILL:
                self.assertEqual(process.returncode, whole.code)
                self.assertEqual(self.files(), files)
                self.empty()
                return kills
            kills += 1
        self.assert_resumes(spec)
        self.empty()
        return kills


def main(number):
    chance, kills, done = random.Random(number), 0, 0
    test = Killed()
    test.setUp()
    try:
        test.add_items(100)
        jobs = list(test.jobs(together=7).values())
        while kills < number:
            kills += test.kill_at_random(jobs[done % len(jobs)], chance)
            done += 1
            if done % 100 == 0:
                print(f"{kills} kills, {done} runs resumed", flush=True)
    finally:
        test.doCleanups()
    print(f"{kills} kills at random times, {done} runs resumed: all as if "
          "undisturbed")


if __name__ == "__main__":
    main(int(sys.argv[1]))

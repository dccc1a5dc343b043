"""job.py: a small real job that is run again and again, with one fault each
time; and what must hold whatever the fault was.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "command"))
from fixtures import WEFT, jpeg, png  # noqa: E402

PHOTOS = 5
HANGS = 120  # seconds: the machine may be busy

Outcome = collections.namedtuple("Outcome", "code out err files trouble")


class JobTest(unittest.TestCase):
    """A test of one job, which is made once."""

    @classmethod
    def setUpClass(cls):
        cls.job = Job()

    @classmethod
    def tearDownClass(cls):
        cls.job.remove()


class Job:
    """Photos to shards, two in each; or the stages that are given."""

    def __init__(self, stages=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weft-faults-"))
        photos = self.root / "photos"
        photos.mkdir()
        for i in range(PHOTOS - 1):
            (photos / f"{i}.jpg").write_bytes(jpeg(seed=i))
        (photos / f"{PHOTOS - 1}.png").write_bytes(png())
        self.spec = self.root / "spec.yaml"
        self.spec.write_text(json.dumps({
            "weft": 1,
            "source": {"use": "files.list", "with": {
                "path": str(photos), "match": ["*.jpg", "*.png"]}},
            "stages": stages or [
                {"name": "read", "use": "file.read", "inflight": 4},
                {"name": "decode", "use": "image.thumbnail",
                 "with": {"width": 32, "height": 32}},
                {"name": "encode", "use": "image.jpeg"},
                {"name": "shard", "use": "tar.shard", "with": {
                    "pattern": "out/s-%06d.tar", "max_count": 2}}]}))
        self.runs = 0
        self.whole = self.run()
        assert self.whole.code == 0 and not self.whole.trouble, self.whole

    def remove(self):
        shutil.rmtree(self.root)

    def run(self, env=None, before=(), options=()):
        """`before` is a command that runs the command, such as strace."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.root))
        command = [*before, WEFT, "run", "--json", "--workers", "1", *options,
                   self.spec]
        try:
            done = subprocess.run(
                command, cwd=folder, env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL, capture_output=True, timeout=HANGS)
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            code, out, err = "it hangs", b"", b""
        files, trouble = self.read(folder / "out", code)
        shutil.rmtree(folder)
        return Outcome(code, out.decode(), err.decode(), files, trouble)

    @staticmethod
    def read(folder, code):
        """{name: bytes} of all that is there, shards unpacked, and whatever is
        not whole, or should not be there after this exit code."""
        files, trouble = {}, []
        for path in sorted(folder.rglob("*")):
            if path.is_dir():
                continue
            data = path.read_bytes()
            journal = (path.name.startswith(".weft-") and
                       path.suffix == ".journal")
            if journal and code:
                continue  # it stays where an item is not out
            if path.name.startswith("."):
                trouble.append(f"{path.name} was left")
            elif path.suffix != ".tar":
                files[path.name] = data
            elif not data.endswith(bytes(1024)):
                trouble.append(f"{path.name} is not whole")
            else:
                with tarfile.open(path) as tar:
                    files.update((m.name, tar.extractfile(m).read())
                                 for m in tar)
        return files, trouble

    def judge(self, outcome, codes=(0, 1, 3)):
        """What is wrong with it: a list of sentences."""
        wrong = list(outcome.trouble)
        if outcome.code not in codes:
            wrong.append(f"ended with {outcome.code}")
        if outcome.code == 0 and outcome.files != self.whole.files:
            wrong.append("says that all is well, and other files are there")
        if outcome.code and not outcome.err.strip():
            wrong.append("says nothing")
        if not outcome.files.items() <= self.whole.files.items():
            wrong.append("a file has other bytes than it should")
        if outcome.code == 1:
            wrong += self.judge_report(outcome)
        return wrong

    def judge_report(self, outcome):
        try:
            report = json.loads(outcome.out)
        except ValueError:
            return ["the report is not JSON"]
        items = report["items"]
        if items["out"] + items["failed"] != PHOTOS:
            return [f"items do not add up: {items}"]
        if not all(f["text"] and f["stage"] for f in report["failures"]):
            return [f"a failure without a reason: {report['failures']}"]
        return []


def sweep(numbers, attempt):
    """Calls attempt(number) for each, as many at once as there are cores; what
    that returns is in the order of the numbers."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(attempt, numbers))

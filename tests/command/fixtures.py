"""fixtures.py: a folder, photos to fill it with, and the command to run there.

JPEGs come from cjpeg, so that what weft reads was not written by us; PNGs and
the CMYK JPEG, which cjpeg cannot write, are made here.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import tarfile
import tempfile
import time
import unittest
import zlib

WEFT = os.environ["WEFT"]


def pixels(width, height, seed=0, channels=3, deep=False):
    """A gradient with some noise, row by row: no two seeds give the same."""
    noise = random.Random(seed)
    base = [noise.randrange(128) for _ in range(channels)]
    rows = []
    for y in range(height):
        row = []
        for x in range(width):
            step = x * 64 // width + y * 32 // height + noise.randrange(8)
            row += [value + step for value in base]
        rows.append(struct.pack(f">{len(row)}H", *(v * 257 for v in row))
                    if deep else bytes(row))
    return rows


def jpeg(width=64, height=48, seed=0, *options):
    ppm = b"P6 %d %d 255\n" % (width, height)
    ppm += b"".join(pixels(width, height, seed))
    return subprocess.run(["cjpeg", *options], input=ppm, check=True,
                          stdout=subprocess.PIPE).stdout


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + \
        struct.pack(">I", zlib.crc32(kind + data))


def png(width=64, height=48, seed=0, deep=False):
    """RGB with 8 bits a channel, or 16."""
    rows = pixels(width, height, seed, deep=deep)
    header = struct.pack(">IIBBBBB", width, height, 16 if deep else 8, 2, 0, 0,
                         0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + \
        chunk(b"IDAT", data) + chunk(b"IEND", b"")


def marker(code, data):
    return struct.pack(">BBH", 0xff, code, len(data) + 2) + data


def cmyk_jpeg(width=64, height=48):
    """A baseline JPEG of four components, plain ink: every block is its DC
    value, which does not change, so after the first it is the bit 0, and no
    AC value, which is the bit 0 too."""
    quant = marker(0xdb, b"\0" + bytes([16] * 64))
    adobe = marker(0xee, b"Adobe\0\x64\0\0\0\0\0")
    frame = marker(0xc0, struct.pack(">BHHB", 8, height, width, 4) +
                   b"".join(bytes([i, 0x11, 0]) for i in range(1, 5)))
    one_code = bytes([1] + [0] * 15) + b"\0"
    huffman = marker(0xc4, b"\0" + one_code) + marker(0xc4, b"\x10" + one_code)
    scan = marker(0xda, b"\4" + b"".join(bytes([i, 0]) for i in range(1, 5)) +
                  b"\0\x3f\0")
    blocks = (width + 7) // 8 * ((height + 7) // 8) * 4
    bits = blocks * 2
    data = bytes(bits // 8) + (bytes([0xff >> bits % 8]) if bits % 8 else b"")
    return b"\xff\xd8" + adobe + quant + frame + huffman + scan + data + \
        b"\xff\xd9"


def huge_header(width=65500, height=65500):
    """A small JPEG that says that it is large."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0")
    data[at + 5:at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


class Result:
    """What a run of the command left: code, out, err and the report."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __eq__(self, other):
        return vars(self) == vars(other)

    def __repr__(self):
        return f"Result({self.code}, {self.out!r}, {self.err!r})"

    @property
    def report(self):
        return json.loads(self.out)


class CommandTest(unittest.TestCase):
    """Every test has a folder of its own, self.root, with photos/ in it, and
    writes below out/."""

    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="weft-test-"))
        self.addCleanup(self.remove_root)
        self.photos = self.root / "photos"
        self.photos.mkdir()
        self.out = self.root / "out"

    def remove_root(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def add(self, name, data):
        path = os.path.join(os.fsencode(self.photos), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def add_jpegs(self, count, first=0):
        """Small photos, photo-0000.jpg and on: some differ, to save time."""
        some = [jpeg(seed=seed) for seed in range(min(count, 8))]
        for i in range(first, first + count):
            self.add(f"photo-{i:04}.jpg", some[i % len(some)])

    # Specs are JSON, which YAML 1.2 contains.

    def source(self, **parameters):
        return {"use": "files.list", "with": {"path": str(self.photos),
                                              **parameters}}

    def thumbnails(self, per_shard=10, **more):
        """The main job: read, decode, encode, shard."""
        return {
            "weft": 1,
            "source": self.source(match=["*.jpg", "*.jpeg", "*.png"]),
            "stages": [
                {"name": "read", "use": "file.read", "inflight": 8},
                {"name": "decode", "use": "image.thumbnail",
                 "with": {"width": 32, "height": 32}},
                {"name": "encode", "use": "image.jpeg"},
                self.shard(per_shard),
            ],
            **more,
        }

    def commands(self, *argv, processes=2, per_shard=10, **more):
        """A command for each item, and shards of what it prints."""
        return {
            "weft": 1,
            "source": self.source(),
            "stages": [
                {"name": "command", "use": "exec", "processes": processes,
                 "with": {"argv": [str(arg) for arg in argv]}},
                self.shard(per_shard),
            ],
            **more,
        }

    def shard(self, per_shard):
        return {"name": "shard", "use": "tar.shard", "order": "input",
                "with": {"pattern": str(self.out / "s-%06d.tar"),
                         "max_count": per_shard}}

    def write_spec(self, spec, name="spec.yaml"):
        path = self.root / name
        if isinstance(spec, bytes):
            path.write_bytes(spec)
        elif isinstance(spec, str):
            path.write_text(spec)
        else:
            path.write_text(json.dumps(spec, indent=2))
        return path

    def start(self, spec, *options, prepare=None, **popen):
        """`prepare` is called in the child. Signals have their defaults: who
        runs the tests may ignore some."""
        def in_child():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP,
                           signal.SIGQUIT, signal.SIGTSTP):
                signal.signal(number, signal.SIG_DFL)
            if prepare:
                prepare()
        popen = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                 "stdin": subprocess.DEVNULL, "cwd": self.root, **popen}
        return subprocess.Popen(
            [WEFT, "run", str(self.write_spec(spec)), *options],
            preexec_fn=in_child, **popen)

    def finish(self, process, timeout=60):
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Result(process.returncode, (out or b"").decode(),
                      (err or b"").decode())

    def weft_run(self, spec, *options, **popen):
        return self.finish(self.start(spec, *options, **popen))

    def run_json(self, spec, *options, **popen):
        return self.weft_run(spec, "--json", "--quiet", *options, **popen)

    def wait_until(self, holds, seconds=20):
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end, "it never came")
            time.sleep(0.01)

    # What is in the output.

    def shards(self):
        return sorted(self.out.glob("*.tar")) if self.out.exists() else []

    def members(self):
        """The names in all shards, in their order; a broken shard raises."""
        names = []
        for shard in self.shards():
            with tarfile.open(shard) as tar:
                for member in tar:
                    tar.extractfile(member).read()
                    names.append(member.name)
        return names

    def keys(self):
        """Without their extension, each once."""
        return list(dict.fromkeys(name.rsplit(".", 1)[0]
                                  for name in self.members()))

    def digests(self):
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest()
                for path in self.shards()}

    def files(self):
        """What is below out/, by name, but the journal."""
        return {str(path.relative_to(self.out)): path.read_bytes()
                for path in self.out.rglob("*")
                if path.is_file() and path not in self.journals()}

    def journals(self):
        return list(self.out.glob(".weft-*.journal"))

    def assert_clean(self):
        """Nothing is below out/ but whole files under final names, and the
        journal of what is still to be done."""
        if not self.out.exists():
            return
        for path in self.out.rglob("*"):
            if path.is_file() and path not in self.journals():
                self.assertRegex(path.name, r"\.(tar|npy|jpg|out)$")
                self.assertFalse(path.name.startswith("."), path)
        self.members()

    def assert_one_failure(self, result, path, stage, pattern, others):
        """One item failed, with path, stage and reason; the rest is out."""
        self.assertEqual(result.code, 1, result.err)
        report = result.report
        self.assertEqual(report["items"]["failed"], 1)
        self.assertEqual(report["items"]["out"], others)
        failure, = report["failures"]
        self.assertTrue(failure["path"].endswith(path), failure)
        self.assertEqual(failure["stage"], stage)
        self.assertRegex(failure["text"], pattern)
        self.assertIn(stage, result.err)
        self.assertEqual(len(self.keys()), others)
        self.assert_clean()

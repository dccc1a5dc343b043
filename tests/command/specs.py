"""specs.py: writing a spec to a file and giving it to the command."""
import os
import pathlib
import subprocess
import tempfile
import unittest

WEFT = os.environ["WEFT"]

GOOD = """\
weft: 1
source: { use: files.list, with: { path: photos, match: ["*.jpg", "*.jpeg"] } }
stages:
  - { name: read, use: file.read, inflight: 64 }
  - { name: decode, use: image.thumbnail, workers: auto, with: { width: 224 } }
  - { name: encode, use: image.jpeg, with: { quality: 90 } }
  - { name: shard, use: tar.shard, with: { pattern: "out/train-%06d.tar" } }
"""


def weft(*args, **options):
    """Runs the command: (exit code, stdout, stderr)."""
    done = subprocess.run([WEFT, *args], capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL, **options)
    return (done.returncode, done.stdout.decode(),
            done.stderr.decode("utf-8", "backslashreplace"))


class SpecTest(unittest.TestCase):
    """Each test has a folder, which is the command's working directory."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def check(self, spec, *options):
        """`weft check` of a text or of bytes: (exit code, stdout, stderr)."""
        data = spec if isinstance(spec, bytes) else spec.encode()
        (self.folder / "s.yaml").write_bytes(data)
        return weft("check", "s.yaml", *options, cwd=self.folder)

    def accepts(self, spec, *options):
        code, out, err = self.check(spec, *options)
        self.assertEqual((code, err), (0, ""))
        return out

    def mistakes(self, spec, *options):
        """What is wrong with it: the sentences, without lines and carets."""
        code, out, err = self.check(spec, *options)
        self.assertEqual((code, out), (2, ""), err)
        return [line for line in err.splitlines()
                if not line.startswith("  ")]

    def rejects(self, sentence, spec, *options):
        """The spec has one mistake, and this is it."""
        self.assertEqual(self.mistakes(spec, *options), [sentence])

    def rejects_at(self, place, sentence, spec, *options):
        """The same, in the file, where the text `place` is."""
        before = spec[:spec.index(place)]
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        self.rejects(f"s.yaml:{line}:{column}: {sentence}", spec, *options)

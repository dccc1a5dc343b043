"""midst.py: a job of `weft run` in whose midst something changes.

Its commands wait for a file from some item on, so that the change comes when it
is in the midst of it.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "command"))
from fixtures import CommandTest  # noqa: E402

COUNT, GATE = 24, 8  # items, and the first that waits


class Midst(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(COUNT)
        self.gate = self.root / "gate"
        self.script = self.root / "script"
        self.script.write_text(f"""#!/bin/sh
            number=${{1##*-}} number=${{number%.jpg}} number=${{number#00}}
            while [ "${{number#0}}" -ge {GATE} ] && ! [ -e '{self.gate}' ]
            do sleep 0.02; done
            cat "$1"
            """)
        self.script.chmod(0o755)

    def job(self):
        spec = self.thumbnails(per_shard=4)
        spec["stages"][0] = {"name": "command", "use": "exec", "processes": 4,
                             "with": {"argv": [str(self.script), "{path}"]}}
        return spec

    def whole(self):
        """What an undisturbed run leaves."""
        self.gate.touch()
        self.assertEqual(self.run_json(self.job()).code, 0)
        files = self.files()
        self.assertEqual(len(files), COUNT // 4)
        for path in self.out.iterdir():
            path.unlink()
        self.gate.unlink()
        return files

    def change(self, steps, prepare=None):
        """Calls each step with the process, over and over: the first time in
        the midst of the run, and on until it ends."""
        files = self.whole()
        process = self.start(self.job(), "--json", "--quiet", "--workers", "2",
                             prepare=prepare)
        self.addCleanup(process.kill)
        self.wait_until(lambda: len(self.shards()) == GATE // 4)
        for step in steps:
            step(process)
        self.gate.touch()
        while process.poll() is None:
            for step in steps:
                step(process)
        result = self.finish(process)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.report["items"]["out"], COUNT)
        self.assertEqual(self.files(), files)

"""test_paths.py: nothing is written outside the folder that the user named,
whatever the inputs are called and whatever lies in that folder, before the run
or put there while it goes on.
"""
import os
import shutil
import subprocess
import tarfile
import unittest

from fixtures import CommandTest, jpeg
from specs import GOOD, SpecTest

NAMES = [b"plain.jpg", b"...jpg", b"e/..jpg", b".jpg", b"-rf.jpg", b"a%00b.jpg",
         b"two\nlines.jpg", b"bell\a\x1b[31m.jpg", b"..\\up.jpg",
         b"\xff\xfe.jpg", b"\xc0\xae\xc0\xae.jpg", b"\xed\xa0\x80.jpg",
         b"x" * 251 + b".jpg", b"\xc3\xa9" * 125 + b".jpg",
         b"..a/...b/c.jpg", b"\n/\n.jpg", b"y" * 255 + b"/" + b"z" * 251]


class PathsTest(CommandTest):
    """With a folder beside the output folder that must stay empty."""

    def setUp(self):
        super().setUp()
        self.out.mkdir()
        self.victim = self.root / "victim"
        self.victim.mkdir()

    def copies(self, *before, pattern="{key}.{ext}", **more):
        """Each file as it is, below out/."""
        return {"weft": 1, "source": self.source(), **more, "stages": [
            {"name": "read", "use": "file.read"}, *before,
            {"name": "write", "use": "file.write",
             "with": {"pattern": str(self.out / pattern)}}]}

    def command(self, name, text):
        path = self.root / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return {"name": "command", "use": "exec",
                "with": {"argv": [str(path), "{path}"], "stdin": "bytes",
                         "extension": "jpg"}}

    def assert_untouched(self):
        self.assertEqual(list(self.victim.iterdir()), [])

    def written(self):
        """All files below out/ but the journal, links not followed."""
        return sorted(os.path.relpath(os.path.join(folder, name), self.out)
                      for folder, _, names in os.walk(self.out)
                      for name in names if not name.endswith(".journal"))

    def assert_refused(self, result, *paths):
        self.assertEqual(result.code, 1, result.err)
        failures = result.report["failures"]
        self.assertEqual([os.path.relpath(f["path"], self.photos)
                          for f in failures], list(paths))
        for failure in failures:
            self.assertEqual(failure["errno"], "ELOOP")
            self.assertRegex(failure["text"], "is a symbolic link, and below "
                                              "the output folder none")
        self.assert_untouched()


class Links(PathsTest):
    def setUp(self):
        super().setUp()
        for name in "a.jpg", "sub/b.jpg", "sub/deep/c.jpg", "z/d.jpg":
            self.add(name, b"photo")

    def test_that_were_there_before(self):
        os.symlink(self.victim, self.out / "sub")
        result = self.run_json(self.copies())
        self.assert_refused(result, "sub/b.jpg", "sub/deep/c.jpg")
        self.assertEqual(self.written(), ["a.jpg", "z/d.jpg"])

    def test_that_lead_nowhere_or_round_in_the_folder(self):
        os.symlink(self.victim / "new", self.out / "sub")
        os.symlink(".", self.out / "z")
        result = self.run_json(self.copies())
        self.assert_refused(result, "sub/b.jpg", "sub/deep/c.jpg", "z/d.jpg")

    def test_that_appear_during_the_run(self):
        """When sub/ has been written to, it becomes a link."""
        plant = self.command("plant", f"""
            case $1 in */deep/*)
                test -f '{self.out}/sub/b.jpg' || exit 1
                mv '{self.out}/sub' '{self.root}/away'
                ln -s '{self.victim}' '{self.out}/sub' ;;
            esac
            cat""")
        result = self.run_json(self.copies(plant, slots=1))
        self.assert_refused(result, "sub/deep/c.jpg")
        self.assertEqual(self.written(), ["a.jpg", "z/d.jpg"])
        self.assertEqual(os.listdir(self.root / "away"), ["b.jpg"])

    def test_under_the_final_name_are_replaced(self):
        secret = self.root / "secret"
        secret.write_text("mine")
        os.symlink(secret, self.out / "a.jpg")
        result = self.run_json(self.copies())
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(secret.read_text(), "mine")
        self.assertFalse((self.out / "a.jpg").is_symlink())
        self.assertEqual((self.out / "a.jpg").read_bytes(), b"photo")

    def test_that_are_the_users_are_followed(self):
        """The folder that the spec names may be one."""
        self.out.rmdir()
        real = self.root / "disk"
        real.mkdir()
        os.symlink(real, self.out)
        result = self.run_json(self.copies())
        self.assertEqual(result.code, 0, result.err)
        self.assertTrue((real / "sub/deep/c.jpg").is_file())

    def test_a_source_is_not_replaced_through_its_own_folder(self):
        os.rmdir(self.out)
        self.out = self.photos
        before = {p: p.read_bytes() for p in self.photos.rglob("*.jpg")}
        spec = self.copies(pattern="{key}.jpg")
        result = self.run_json(spec)
        self.assertEqual(result.report["items"]["failed"], 4)
        self.assertRegex(result.report["failures"][0]["text"],
                         "is the file it was made from")
        self.assertEqual({p: p.read_bytes()
                          for p in self.photos.rglob("*.jpg")}, before)


class Shards(PathsTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(4)

    def test_a_link_under_a_shards_name_is_replaced(self):
        secret = self.root / "secret"
        secret.write_text("mine")
        os.symlink(secret, self.out / "s-000000.tar")
        result = self.run_json(self.thumbnails())
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(secret.read_text(), "mine")
        self.assertEqual(len(self.keys()), 4)

    def test_a_folder_that_becomes_a_link_is_still_the_folder(self):
        script = self.command("plant", f"""
            if test -d '{self.out}' -a ! -L '{self.out}'; then
                mv '{self.out}' '{self.root}/away'
                ln -s '{self.victim}' '{self.out}'
            fi
            cat""")
        spec = self.thumbnails(slots=1, per_shard=2)
        spec["stages"][1:3] = [script]
        result = self.run_json(spec)
        self.assertEqual(result.code, 0, result.err)
        self.assert_untouched()
        self.assertEqual(sorted(os.listdir(self.root / "away")),
                         ["s-000000.tar", "s-000001.tar"])


class Names(PathsTest):
    def setUp(self):
        super().setUp()
        for i, name in enumerate(NAMES):
            self.add(name, jpeg(seed=i % 4))

    def test_of_files_stay_below(self):
        result = self.run_json(self.copies())
        self.assertEqual(result.code, 0, result.report["failures"])
        names = self.written()
        self.assertEqual(len(names), len(NAMES))
        self.assert_untouched()
        self.assertEqual(sorted(os.listdir(self.root)),
                         ["out", "photos", "spec.yaml", "victim"])
        for name in names:
            name.encode()  # it is UTF-8
            self.assertTrue(name.isprintable(), name)

    def test_of_members_are_relative_and_lead_down(self):
        result = self.run_json(self.thumbnails(per_shard=100), "--set",
                               "source.with.match=*")
        self.assertEqual(result.code, 0, result.report["failures"])
        with tarfile.open(self.out / "s-000000.tar") as tar:
            names = tar.getnames()
            self.assertTrue(all(member.isreg() for member in tar))
        self.assertEqual(len(set(names)), 2 * len(NAMES))
        for name in names:
            self.assertTrue(name.isprintable(), name)
            self.assertFalse(name.startswith("/"), name)
            self.assertFalse({"", ".", ".."} & set(name.split("/")), name)
        unpacked = self.root / "unpacked"
        unpacked.mkdir()
        subprocess.run(["tar", "xf", self.out / "s-000000.tar", "-C", unpacked],
                       check=True)


class Signs(CommandTest):
    """Folders with signs in their names that may begin a placeholder."""

    def check(self, stage, pattern, folder, files):
        """The outputs, and the journal, are in that folder and nowhere else;
        and --output takes another in its place."""
        spec = {"weft": 1, "source": self.source(match=["*.jpg"]), "stages": [
            {"name": "read", "use": "file.read"}, *stage[:-1],
            {**stage[-1], "name": "write", "with": {"pattern": pattern}}]}
        for options, at in ([], folder), (["--output", "new"], "new"):
            result = self.run_json(spec, *options)
            self.assertEqual(result.code, 1, result.err)
            name = os.path.basename(pattern)
            self.assertEqual(sorted(os.listdir(self.root / at)),
                             [f".weft-{name}.journal", *files])
        shutil.rmtree(self.root / "new")
        shutil.rmtree(self.root / folder.split("/")[0])
        self.assertEqual(sorted(os.listdir(self.root)), ["photos", "spec.yaml"])

    def test_are_of_the_folder_and_of_no_placeholder(self):
        self.add("a.jpg", jpeg())
        (self.photos / "gone.jpg").symlink_to("nowhere")
        self.check([{"use": "tar.shard"}], "50%%/{key}/s-%d.tar", "50%/{key}",
                   ["s-0.tar"])
        self.check([{"name": "decode", "use": "image.thumbnail"},
                    {"name": "batch", "use": "gather"}, {"use": "npy.write"}],
                   "50%%/{key}/b-%d.npy", "50%/{key}", ["b-0.npy"])
        self.check([{"use": "file.write"}], "50%%/%d/{key}.jpg", "50%%/%d",
                   ["a.jpg"])


class Patterns(SpecTest):
    def spec(self, pattern):
        return GOOD.replace("tar.shard", "file.write").replace(
            "out/train-%06d.tar", pattern)

    def test_that_go_up_behind_the_key_are_mistakes(self):
        for pattern in ("out/{key}/../../etc/x", "out/{ext}/../{key}",
                        "{key}/..", "out/a{key}/.."):
            self.rejects_at(f'"{pattern}"',
                            "'pattern': has a '..' behind its first {...}, "
                            "which would lead out of its folder",
                            self.spec(pattern))

    def test_that_only_look_like_it_are_not(self):
        for pattern in ("../out/{key}.jpg", "out/../{key}", "out/{key}..jpg",
                        "out/{key}/..a", "out/..{key}"):
            self.accepts(self.spec(pattern))

    def test_that_hold_a_nul_are_mistakes(self):
        self.rejects_at('out/{key}\\0"', "text cannot contain a NUL",
                        self.spec("out/{key}\\0"))


if __name__ == "__main__":
    unittest.main()

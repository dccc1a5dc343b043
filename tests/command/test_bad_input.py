"""test_bad_input.py: one bad photo fails one item, with path, stage and reason;
the others are delivered; nothing partial is left under a final name.
"""
import os
import pathlib
import resource
import shutil
import subprocess
import tarfile
import unittest

import fixtures
from fixtures import CommandTest, cmyk_jpeg, huge_header, jpeg, png

NOBODY = 65534


class BadPhotos(CommandTest):
    """Among six good photos."""

    def setUp(self):
        super().setUp()
        self.add_jpegs(6)

    def fails(self, name, stage, pattern, spec=None, *options):
        result = self.run_json(spec or self.thumbnails(), *options)
        self.assert_one_failure(result, name, stage, pattern, 6)

    def test_a_truncated_jpeg(self):
        data = jpeg(200, 150)
        self.add("cut.jpg", data[:len(data) // 2])
        self.fails("cut.jpg", "decode", r"(?i)premature|truncated|end")

    def test_a_jpeg_cut_in_its_header(self):
        self.add("cut.jpg", jpeg(200, 150)[:40])
        self.fails("cut.jpg", "decode", r".")

    def test_a_text_file_named_jpg(self):
        self.add("note.jpg", b"dear diary, today I took no photos\n" * 20)
        self.fails("note.jpg", "decode", r"(?i)jpeg")

    def test_an_empty_file(self):
        self.add("empty.jpg", b"")
        self.fails("empty.jpg", "decode", r"(?i)empty")

    def test_a_huge_header_in_a_small_file(self):
        self.add("huge.jpg", huge_header())
        self.fails("huge.jpg", "decode", r"65500x65500.*limit of \d+")

    def test_a_jpeg_without_an_image_spoils_none_that_comes_after(self):
        data = jpeg(200, 150)
        frame, tables = data.index(b"\xff\xc0"), data.index(b"\xff\xdb")
        for name, bad in {
                "cut": data[:tables + 30],
                "without height": data[:frame + 5] + b"\0\0" + data[frame + 7:],
                "too high": huge_header(100, 65535),
                "of 12 bits": data[:frame + 4] + b"\14" + data[frame + 5:],
                "lossless": data[:frame + 1] + b"\xc3" + data[frame + 2:],
                "a table too many":
                    data[:tables + 4] + b"\17" + data[tables + 5:]}.items():
            with self.subTest(name):
                shutil.rmtree(self.out, ignore_errors=True)
                self.add("a.jpg", bad) # it comes first
                self.fails("a.jpg", "decode", r".", None, "--workers", "1")

    def test_a_jpeg_without_tables_does_not_take_those_of_another(self):
        data = jpeg(200, 150)
        while (at := data.find(b"\xff\xdb")) >= 0:
            size = int.from_bytes(data[at + 2:at + 4], "big")
            data = data[:at] + data[at + 2 + size:]
        self.add("z.jpg", data) # it comes last
        self.fails("z.jpg", "decode", r"(?i)quantization table", None,
                   "--workers", "1")

    def test_a_png_that_is_cut(self):
        self.add("cut.png", png()[:60])
        self.fails("cut.png", "decode", r".")

    def test_a_file_that_is_gone_when_its_turn_comes(self):
        # One item in flight at a time, and the first one's command removes the
        # last one's file, which has been listed already.
        script = self.root / "script"
        script.write_text(f"#!/bin/sh\nrm -f '{self.photos}/zzz.jpg'\ncat\n")
        script.chmod(0o755)
        self.add("zzz.jpg", jpeg())
        spec = self.thumbnails(slots=1)
        spec["stages"][1:3] = [
            {"name": "command", "use": "exec",
             "with": {"argv": [str(script)], "stdin": "bytes"}}]
        self.fails("zzz.jpg", "read", r"(?i)no such file", spec)

    def test_two_inputs_with_one_key(self):
        self.add("photo-0003.png", png())
        self.fails("photo-0003.png", "shard", r"photo-0003")

    def test_the_sentence_for_people_names_path_stage_and_reason(self):
        self.add("empty.jpg", b"")
        result = self.weft_run(self.thumbnails())
        self.assertRegex(result.err, r"weft: \S*/empty\.jpg: decode: .*empty")
        self.assertIn("1 failed", result.out)


class UnreadableFiles(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(3)

    def test_a_file_without_permission(self):
        """Root may read everything: then the command runs as nobody, from a
        copy that nobody may execute."""
        self.add("secret.jpg", jpeg())
        os.chmod(self.photos / "secret.jpg", 0)
        prepare = None
        if os.geteuid() == 0:
            self.root.chmod(0o755)
            weft = self.root / "weft"
            shutil.copy(fixtures.WEFT, weft)
            self.out.mkdir()
            os.chown(self.out, NOBODY, NOBODY)
            self.addCleanup(setattr, fixtures, "WEFT", fixtures.WEFT)
            fixtures.WEFT = str(weft)

            def prepare():
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
        result = self.run_json(self.thumbnails(), prepare=prepare)
        self.assert_one_failure(result, "secret.jpg", "read",
                                r"(?i)permission", 3)

    def test_a_folder_named_like_a_photo_is_a_folder(self):
        self.add("x.jpg/inside.jpg", jpeg())
        result = self.run_json(self.thumbnails())
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.report["items"]["out"], 4)

    def test_a_pipe_named_like_a_photo_stops_nothing(self):
        os.mkfifo(self.photos / "pipe.jpg")
        result = self.run_json(self.thumbnails())
        self.assertIn(result.code, (0, 1))
        self.assertEqual(result.report["items"]["out"], 3)

    def test_links_that_lead_nowhere_or_in_a_circle(self):
        os.symlink("self.jpg", self.photos / "self.jpg")
        os.symlink("gone", self.photos / "gone.jpg")
        os.symlink(self.photos, self.photos / "circle")
        result = self.run_json(self.thumbnails())
        self.assertIn(result.code, (0, 1))
        self.assertEqual(result.report["items"]["out"], 3)
        self.assertEqual(self.keys(), [f"photo-{i:04}" for i in range(3)])
        for failure in result.report["failures"]:
            self.assertRegex(failure["path"], r"/(self|gone)\.jpg$")
        self.assert_clean()


class Names(CommandTest):
    def run_names(self, *names):
        for i, name in enumerate(names):
            self.add(name, jpeg(seed=i))
        result = self.run_json(self.thumbnails())
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(result.report["items"]["out"], len(names))
        self.assertEqual(len(set(self.members())), 2 * len(names))
        listed = subprocess.run(["tar", "tf", *self.shards()], check=True,
                                stdout=subprocess.PIPE).stdout.splitlines()
        self.assertEqual(len(listed), 2 * len(names))
        self.assert_clean()

    def test_newlines_and_spaces(self):
        self.run_names("two words.jpg", "two\nlines.jpg", " lead.jpg",
                       "tab\there.jpg", "quote'\".jpg", "back\\slash.jpg",
                       "-dash.jpg", "%s%n.jpg")

    def test_unicode_and_bytes_that_are_not_utf8(self):
        self.run_names("grün.jpg", "写真.jpg", b"latin-\xfc.jpg",
                       b"\xff\xfe.jpg")

    def test_the_longest_name(self):
        self.run_names("x" * 251 + ".jpg", "y" * 100 + "/" + "z" * 251 +
                       ".jpg")

    def test_a_terminal_is_safe_from_them(self):
        self.add(b"red\x1b[31m\n\xff.jpg", b"no photo")
        result = self.weft_run(self.thumbnails())
        self.assertEqual(result.code, 1)
        self.assertIn(r"red\x1b[31m\n\xff.jpg", result.err)
        self.assertNotIn("\x1b", result.err)


class OddPhotos(CommandTest):
    def test_cmyk_and_grayscale_and_sixteen_bits_are_photos(self):
        self.add("cmyk.jpg", cmyk_jpeg())
        self.add("gray.jpg", jpeg(64, 48, 1, "-grayscale"))
        self.add("deep.png", png(deep=True))
        self.add("progressive.jpg", jpeg(64, 48, 2, "-progressive"))
        self.add("dot.jpg", jpeg(1, 1))
        self.add("line.jpg", jpeg(300, 1))
        result = self.run_json(self.thumbnails())
        self.assertEqual(result.code, 0, result.report["failures"])
        self.assertEqual(result.report["items"]["out"], 6)
        with tarfile.open(self.shards()[0]) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    subprocess.run(["djpeg"], check=True,
                                   input=tar.extractfile(member).read(),
                                   stdout=subprocess.DEVNULL)


class Environment(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(40)

    def test_an_output_folder_that_cannot_be_made(self):
        (self.root / "file").write_text("in the way")
        self.out = self.root / "file" / "out"
        result = self.weft_run(self.thumbnails())
        self.assertEqual(result.code, 3)
        self.assertIn("file/out", result.err)
        self.assertRegex(result.err, r"(?i)not a directory")

    def test_a_source_folder_that_is_not_there(self):
        spec = self.thumbnails()
        spec["source"]["with"]["path"] = str(self.root / "nowhere")
        result = self.weft_run(spec)
        self.assertEqual(result.code, 3)
        self.assertIn("nowhere", result.err)
        self.assertFalse(self.out.exists())

    def test_a_full_disk(self):
        self.out.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", self.out],
            stderr=subprocess.PIPE, text=True)
        if mounted.returncode:
            self.skipTest("cannot mount a small tmpfs: " +
                          mounted.stderr.strip())
        try:
            for options in ([], ["--set", "stages.shard.with.max_count=4"]):
                result = self.weft_run(self.thumbnails(per_shard=100),
                                       *options)
                self.assertEqual(result.code, 3, result.err)
                self.assertIn("No space left", result.err)
                self.assertIn("s-0000", result.err)
                self.assert_clean()
                for path in self.out.iterdir():
                    path.unlink()
        finally:
            subprocess.run(["umount", "-l", self.out], check=True)

    def many_reads(self, hard):
        """Every read goes through the ring, which holds files open."""
        spec = self.thumbnails()
        spec["stages"][0]["inflight"] = 40
        return self.run_json(
            spec, env={**os.environ, "WEFT_IO": "ring"},
            prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE,
                                               (24, hard)))

    def test_more_files_than_descriptors(self):
        result = self.many_reads(hard=1024)
        self.assertEqual(result.code, 0, result.err)
        self.assertEqual(len(self.keys()), 40)

    def test_more_files_than_descriptors_are_possible(self):
        """Each is out, or its failure names the limit and what to do."""
        result = self.many_reads(hard=24)
        self.assertIn(result.code, (0, 1), result.err)
        items = result.report["items"]
        self.assertEqual(items["out"] + items["failed"], 40)
        self.assertGreater(items["out"], 0)
        self.assertEqual(len(self.keys()), items["out"])
        for failure in result.report["failures"]:
            self.assertEqual(failure["errno"], "EMFILE")
            self.assertRegex(failure["text"], "limit is 24 .*inflight")
        self.assert_clean()

    def test_standard_streams_that_are_closed(self):
        for closed in (0, 1, 2):
            shutil.rmtree(self.out, ignore_errors=True)
            result = self.weft_run(self.thumbnails(), "--quiet",
                                   prepare=lambda: os.close(closed))
            self.assertEqual(result.code, 0)
            self.assertEqual(len(self.keys()), 40)
            self.assert_clean()


class BadSpecs(CommandTest):
    def mistakes(self, text):
        result = self.weft_run(text)
        self.assertEqual(result.code, 2, result.err)
        self.assertEqual(result.out, "")
        self.assertFalse(self.out.exists())
        return result.err

    def test_an_empty_one(self):
        self.assertIn("spec.yaml: is empty", self.mistakes(b""))
        self.mistakes(b"\n\n# nothing\n")

    def test_a_huge_one(self):
        self.assertIn("spec.yaml", self.mistakes(b"a: b\n" * (1 << 20)))
        self.mistakes(b"[" * 100000)

    def test_a_binary_one(self):
        self.assertIn("spec.yaml", self.mistakes(bytes(range(256)) * 64))

    def test_one_that_is_wrong_in_three_places(self):
        err = self.mistakes(
            "weft: 1\n"
            "source: { use: files.lst, with: { path: photos } }\n"
            "stages:\n"
            "  - { name: read, use: file.read, inflght: 64 }\n"
            "  - { name: decode, use: image.thumbnail,\n"
            "      with: { width: -1, height: 224 } }\n"
            "  - { name: encode, use: image.jpeg }\n"
            "  - { name: shard, use: tar.shard, with: { pattern: o-%d.tar } }\n"
        )
        self.assertRegex(err, r"spec\.yaml:2:16: .*files\.lst")
        self.assertIn("did you mean 'files.list'?", err)
        self.assertRegex(err, r"spec\.yaml:4:35: .*inflght")
        self.assertIn("did you mean 'inflight'?", err)
        self.assertRegex(err, r"spec\.yaml:6:22: .*width")

    def test_one_that_is_not_there(self):
        missing = pathlib.Path(self.root / "none.yaml")
        result = subprocess.run([fixtures.WEFT, "run", missing], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 2)
        self.assertIn("none.yaml", result.stderr)


if __name__ == "__main__":
    unittest.main()

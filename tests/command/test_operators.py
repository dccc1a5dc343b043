"""test_operators.py: what the operators make, read by tools that are not ours.
"""
import base64
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import tarfile
import time
import unittest
import zlib

from fixtures import CommandTest, chunk, jpeg, marker, png

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
RED, GREEN, BLUE, GREY = (250, 20, 20), (20, 230, 30), (20, 30, 240), (99,) * 3
CORNERS = [RED, GREEN, BLUE, GREY]


def quarters(width=64, height=64, colours=None):
    """The rows of a photo with a colour in each quarter."""
    a, b, c, d = colours or CORNERS
    half = width // 2
    top, bottom = bytes(a) * half + bytes(b) * half, \
        bytes(c) * half + bytes(d) * half
    return [top] * (height // 2) + [bottom] * (height // 2)


def cjpeg(rows, *options):
    depth = 3
    ppm = b"P6 %d %d 255\n" % (len(rows[0]) // depth, len(rows))
    return subprocess.run(["cjpeg", "-quality", "95", *options], check=True,
                          input=ppm + b"".join(rows),
                          stdout=subprocess.PIPE).stdout


def any_png(rows, width, kind, bits, *chunks):
    """A PNG of any colour type; the rows are as they are stored."""
    head = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + \
        chunk(b"IDAT", data) + chunk(b"IEND", b"")


def exif(orientation):
    return b"MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1" + \
        struct.pack(">HHI", orientation, 0, 0)


def with_exif(data, orientation):
    return data[:2] + marker(0xe1, b"Exif\0\0" + exif(orientation)) + data[2:]


class OperatorTest(CommandTest):
    def stages(self, *stages):
        return {"weft": 1, "source": self.source(), "stages": [
            {"name": stage["use"].split(".")[-1], **stage}
            for stage in stages]}

    def write(self, pattern="{key}.{ext}", **more):
        return {"use": "file.write", "with": {
            "pattern": f"{self.out}/{pattern}"}, **more}

    def succeed(self, spec, *options, **popen):
        result = self.run_json(spec, *options, **popen)
        self.assertEqual(result.code, 0, result.err)
        return result.report

    def temporaries(self):
        return [p for p in self.out.rglob("*") if p.name.endswith(".tmp")]


class OwnSource(OperatorTest):
    def test_the_file_that_an_item_came_from_is_not_replaced(self):
        self.add("a.txt", b"original")
        self.out.symlink_to(self.photos)
        result = self.run_json(self.stages({"use": "file.read"},
                                           self.write("{key}.txt")))
        self.assertEqual(result.code, 1, result.err)
        self.assertIn("is the file it was made from",
                      result.report["failures"][0]["text"])
        self.assertEqual((self.photos / "a.txt").read_bytes(), b"original")


class Pixels(OperatorTest):
    """Thumbnails as arrays: no encoder between them and the test."""

    def thumbnails(self, *files, **parameters):
        for i, data in enumerate(files):
            self.add(f"{i:03}", data)
        spec = self.stages(
            {"use": "file.read"},
            {"use": "image.thumbnail", "with": {"width": 8, "height": 8,
                                                **parameters}},
            {"use": "gather", "with": {"count": 1}},
            {"use": "npy.write", "with": {"pattern": f"{self.out}/%03d.npy"}})
        self.succeed(spec)
        return [self.load(path) for path in sorted(self.out.glob("*.npy"))]

    def load(self, path):
        """Rows of pixels, from an array of one image."""
        data = path.read_bytes()
        self.assertEqual(data[:8], b"\x93NUMPY\1\0")
        start = 10 + struct.unpack("<H", data[8:10])[0]
        header = data[10:start].decode()
        self.assertIn("'descr': '|u1', 'fortran_order': False", header)
        one, height, width, three = map(
            int, re.search(r"\((\d+), (\d+), (\d+), (\d+)\)", header).groups())
        self.assertEqual((one, three), (1, 3))
        self.assertEqual(len(data) - start, height * width * 3)
        pixels = [tuple(data[i:i + 3]) for i in range(start, len(data), 3)]
        return [pixels[i:i + width] for i in range(0, len(pixels), width)]

    def assert_colour(self, pixel, want, within=12):
        self.assertTrue(all(abs(a - b) <= within for a, b in zip(pixel, want)),
                        f"{pixel} is not {want}")

    def assert_corners(self, image, want, within=12):
        found = image[0][0], image[0][-1], image[-1][0], image[-1][-1]
        for pixel, colour in zip(found, want):
            self.assert_colour(pixel, colour, within)

    def test_colours_survive_every_kind_of_jpeg(self):
        kinds = [["-sample", s] for s in
                 ("1x1", "2x1", "2x2", "1x2", "4x1", "3x1", "1x1,2x1,1x1")]
        kinds += [["-rgb"], ["-progressive"], ["-arithmetic"],
                  ["-restart", "1"]]
        for size in (16, 64, 200):
            files = [cjpeg(quarters(size, size), *kind) for kind in kinds]
            for kind, image in zip(kinds, self.thumbnails(*files)):
                with self.subTest(kind=kind, size=size):
                    self.assert_corners(image, CORNERS)

    def test_black_and_white_are_the_ends_of_the_scale(self):
        data = cjpeg(quarters(colours=[(0,) * 3, (255,) * 3] * 2))
        image, = self.thumbnails(data)
        self.assert_corners(image, [(0,) * 3, (255,) * 3] * 2, within=1)

    def test_colours_survive_every_kind_of_png(self):
        rows = quarters()
        deep = [b"".join(bytes([v, v]) for v in row) for row in rows]
        index = [b"\0" * 32 + b"\1" * 32] * 32 + [b"\2" * 32 + b"\3" * 32] * 32
        palette = chunk(b"PLTE", b"".join(map(bytes, CORNERS)))
        packed = [bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in
                        zip(*[iter(row)] * 4)) for row in index]
        for image in self.thumbnails(any_png(rows, 64, 2, 8),
                                     any_png(deep, 64, 2, 16),
                                     any_png(index, 64, 3, 8, palette),
                                     any_png(packed, 64, 3, 2, palette)):
            self.assert_corners(image, CORNERS, within=3)

    def test_grey_is_grey(self):
        want = [(10,) * 3, (90,) * 3, (170,) * 3, (250,) * 3]
        row = [[bytes([v[0]]) for v in want[i:i + 2]] for i in (0, 2)]
        rows = [a * 32 + b * 32 for a, b in (row[0], row[1])
                for _ in range(32)]
        for image in self.thumbnails(
                cjpeg(quarters(colours=want), "-grayscale"),
                any_png(rows, 64, 0, 8),
                any_png([bytes(v for v in row for _ in (0, 1))
                         for row in rows], 64, 0, 16)):
            self.assert_corners(image, want, within=3)

    def test_what_is_transparent_is_white(self):
        rows = [b"".join(bytes([9, 9, 9, alpha]) * 32 for alpha in (0, 255))]
        grey = [(b"\x09\0" * 32 + b"\x09\xff" * 32)]
        palette = chunk(b"PLTE", bytes([9] * 6)) + chunk(b"tRNS", b"\0")
        white, dark = (255,) * 3, (9,) * 3
        for image in self.thumbnails(
                any_png(rows * 64, 64, 6, 8), any_png(grey * 64, 64, 4, 8),
                any_png([b"\0" * 32 + b"\1" * 32] * 64, 64, 3, 8, palette)):
            self.assert_corners(image, [white, dark] * 2, within=3)

    def test_photos_are_upright(self):
        a, b, c, d = CORNERS
        upright = {1: [a, b, c, d], 2: [b, a, d, c], 3: [d, c, b, a],
                   4: [c, d, a, b], 5: [a, c, b, d], 6: [c, a, d, b],
                   7: [d, b, c, a], 8: [b, d, a, c]}
        data = cjpeg(quarters())
        flat = any_png(quarters(), 64, 2, 8, chunk(b"eXIf", exif(6)))
        files = [with_exif(data, n) for n in upright] + [flat]
        images = self.thumbnails(*files)
        for want, image in zip([*upright.values(), upright[6]], images):
            self.assert_corners(image, want)

    def test_the_size_is_that_of_the_upright_photo(self):
        self.add("a.jpg", with_exif(jpeg(60, 40), 6))
        self.succeed(self.stages(
            {"use": "file.read"},
            {"use": "image.thumbnail", "with": {"width": 30, "height": 30,
                                                "fit": "contain"}},
            {"use": "image.jpeg"}, self.shard(9)))
        with tarfile.open(self.shards()[0]) as tar:
            thumbnail, about = (tar.extractfile(m).read() for m in tar)
        about = json.loads(about)
        self.assertEqual((about["width"], about["height"]), (40, 60))
        shown = subprocess.run(["djpeg"], input=thumbnail, check=True,
                               stdout=subprocess.PIPE).stdout
        self.assertEqual(shown.split(maxsplit=3)[1:3], [b"20", b"30"])

    def test_cover_crops_the_centre_and_contain_does_not(self):
        """A wide photo of three squares: red, green, blue."""
        rows = [b"".join(bytes(c) * 40 for c in (RED, GREEN, BLUE))] * 40
        cover, = self.thumbnails(cjpeg(rows))
        self.assertEqual((len(cover), len(cover[0])), (8, 8))
        self.assert_corners(cover, [GREEN] * 4, within=40)
        contain, = self.thumbnails(cjpeg(rows), fit="contain", width=30)
        self.assertEqual((len(contain), len(contain[0])), (8, 24))
        self.assert_corners(contain, [RED, BLUE] * 2)
        stretch, = self.thumbnails(cjpeg(rows), fit="stretch")
        self.assertEqual((len(stretch), len(stretch[0])), (8, 8))
        self.assert_corners(stretch, [RED, BLUE] * 2)

    def test_every_small_size_works(self):
        files = [cjpeg([row[:3 * w] for row in quarters()[:h]], "-sample", s)
                 for w in (1, 2, 3, 7, 9, 17) for h in (1, 2, 5, 16)
                 for s in ("1x1", "2x2")]
        for fit in ("cover", "contain", "stretch"):
            self.assertEqual(len(self.thumbnails(*files, fit=fit)), 48)
            self.assertEqual(len(self.thumbnails(*files, fit=fit, width=1,
                                                 height=3)), 48)

    def test_images_of_two_sizes_do_not_mix(self):
        self.add("a.jpg", jpeg(40, 30))
        self.add("b.jpg", jpeg(30, 40))
        self.add("c.jpg", jpeg(80, 60))
        result = self.run_json(self.stages(
            {"use": "file.read"},
            {"use": "image.thumbnail", "with": {"width": 16, "height": 16,
                                                "fit": "contain"}},
            {"use": "gather"},
            {"use": "npy.write", "with": {"pattern": f"{self.out}/%d.npy"}}))
        self.assertEqual(result.code, 1)
        failure, = result.report["failures"]
        self.assertTrue(failure["path"].endswith("b.jpg"))
        self.assertRegex(failure["text"], "12x16 in a batch of 16x12.*fit:")


class Damage(OperatorTest):
    """JPEGs that are not quite right."""

    def failures(self):
        result = self.run_json(self.stages(
            {"use": "file.read"}, {"use": "image.thumbnail"},
            {"use": "image.jpeg"}, self.shard(9)))
        return [os.path.basename(f["path"])
                for f in result.report["failures"]]

    def test_what_does_no_harm_is_accepted(self):
        data = jpeg(200, 150, 0, "-restart", "1")
        at = data.index(b"\xff\xd0")
        self.add("behind.jpg", data + b"something behind the end")
        self.add("between.jpg", data[:at] + b"\0\0\0" + data[at:])
        self.assertEqual(self.failures(), [])

    def test_tables_without_an_image_are_no_photo(self):
        """They are a JPEG of no pixels to the library, and no error."""
        data = jpeg()
        tables = data[:data.index(b"\xff\xc0")] + b"\xff\xd9"
        for fit in ("cover", "contain", "stretch"):
            self.add("tables.jpg", tables)
            self.add("start.jpg", data[:3])
            result = self.run_json(self.stages(
                {"use": "file.read"},
                {"use": "image.thumbnail", "with": {"fit": fit}},
                {"use": "image.jpeg"}, self.shard(9)))
            self.assertEqual(result.code, 1, result.err)
            self.assertEqual([f["text"] for f in result.report["failures"]],
                             ["damaged JPEG: it has no image"] * 2)

    def test_what_is_missing_is_not(self):
        data = jpeg(200, 150, 0, "-restart", "1")
        at = data.index(b"\xff\xd0")
        self.add("between-and-cut.jpg",
                 data[:at] + b"\0\0\0" + data[at:-1500])
        self.add("no-end.jpg", data[:-2])
        self.add("progressive.jpg", jpeg(200, 150, 0, "-progressive")[:-900])
        self.assertEqual(sorted(self.failures()),
                         ["between-and-cut.jpg", "no-end.jpg",
                          "progressive.jpg"])


class Shards(OperatorTest):
    def spec(self, **parameters):
        shard = self.shard(0)
        shard["with"].update(parameters)
        return self.stages({"use": "file.read"}, shard)

    def test_bytes_close_a_shard_too(self):
        for i in range(7):
            self.add(f"{i}.txt", bytes([i]) * 3000)
        report = self.succeed(self.spec(max_bytes=12000))
        counts = []
        for path in self.shards():
            with tarfile.open(path) as tar:
                counts.append(len(tar.getnames()) // 2)
        self.assertEqual(counts, [3, 3, 1])
        self.assertEqual(report["files_written"], 3)

    def test_read_directly_it_is_the_same(self):
        for i in range(5):
            self.add(f"{i}.txt", bytes([i]) * 30000 * i)
        digests = []
        for direct in (False, True):
            self.succeed(self.stages(
                {"use": "file.read", "with": {"direct": direct}},
                self.shard(0)))
            digests.append(self.digests())
        self.assertEqual(digests[0], digests[1])

    def test_a_locale_changes_nothing(self):
        for name in ("grün.txt", b"latin-\xfc.txt", "x" * 150 + "/ü.txt"):
            self.add(name, b"same")
        digests = []
        for locale in ("C", "C.UTF-8"):
            self.succeed(self.spec(),
                         env={**os.environ, "LC_ALL": locale})
            digests.append(self.digests())
        self.assertEqual(*digests)
        self.assertEqual(self.keys(), ["grün", "latin-%FC",
                                       "x" * 150 + "/ü"])

    def test_tar_unpacks_them(self):
        names = ["x" * 251 + ".txt", "y" * 255 + "/" + "z" * 200 + ".txt",
                 "a\nb.txt", "../".replace(".", "dot") + "c.txt"]
        for name in names:
            self.add(name, b"x" * len(name))
        self.succeed(self.spec())
        subprocess.run(["tar", "xf", self.shards()[0], "-C", self.root],
                       check=True)
        unpacked = [p for p in self.root.rglob("*.txt")
                    if self.photos not in p.parents]
        self.assertEqual(len(unpacked), 4)
        for path in unpacked:
            about = json.loads(path.with_suffix(".json").read_text())
            self.assertEqual(path.stat().st_size, about["bytes"])
            self.assertEqual(path.stat().st_size, len(about["source"]))
            self.assertEqual(path.stat().st_mtime, 0)

    def test_a_source_that_is_not_utf8_can_be_told_exactly(self):
        self.add(b"\xff\xfc.txt", b"")
        self.succeed(self.spec())
        with tarfile.open(self.shards()[0]) as tar:
            about = json.load(tar.extractfile("%FF%FC.json"))
        self.assertEqual(about["source"], "%FF%FC.txt")
        self.assertEqual(base64.b64decode(about["source_base64"]),
                         b"\xff\xfc.txt")

    def test_the_first_of_two_with_one_key_is_kept_whoever_is_faster(self):
        """The second is a few bytes, the first a megabyte."""
        self.add("a.b.txt", b"first" * 200000)
        self.add("a_b.txt", b"second")
        for workers in ("1", "2", "8"):
            result = self.run_json(self.spec(), "--workers", workers)
            self.assertEqual(result.code, 1)
            failure, = result.report["failures"]
            self.assertTrue(failure["path"].endswith("a_b.txt"))
            self.assertIn("a.b.txt", failure["text"])

    def test_json_cannot_be_a_sample_beside_its_description(self):
        self.add("a.json", b"{}")
        result = self.run_json(self.spec())
        self.assertEqual(result.code, 1)
        self.assertIn("json", result.report["failures"][0]["text"])

    def test_shards_of_a_longer_run_are_told_of(self):
        for i in range(4):
            self.add(f"{i}.txt", b"x")
        self.succeed(self.spec(max_count=1))
        for i in (2, 3):
            (self.photos / f"{i}.txt").unlink()
        result = self.run_json(self.spec(max_count=1))
        self.assertEqual(result.code, 0)
        self.assertEqual(len(self.shards()), 4)
        self.assertIn("s-000002.tar was there before",
                      result.report["note"])

    def test_photos_and_shards_may_be_in_one_folder(self):
        """The source was listed before the first shard was there."""
        for i in range(3):
            self.add(f"{i}.txt", b"x")
        spec = self.spec(pattern=f"{self.photos}/%d.tar", max_count=1)
        self.assertEqual(self.succeed(spec)["items"]["out"], 3)

    def test_a_pattern_must_have_one_number(self):
        for pattern in ("s.tar", "s-%s.tar", "%d/s.tar", "s-%d-%d.tar"):
            result = self.weft_run(self.spec(pattern=pattern))
            self.assertEqual(result.code, 2, pattern)
            self.assertIn("%", result.err)


class Commands(OperatorTest):
    def run_command(self, *argv, **parameters):
        return self.stages(
            {"use": "file.read"},
            {"use": "exec", "processes": 4, "with": {
                "argv": [str(a) for a in argv], **parameters}},
            self.write())

    def written(self, name):
        return (self.out / name).read_bytes()

    def test_gets_the_bytes_and_gives_others(self):
        data = os.urandom(300000)
        self.add("a/b.bin", data)
        self.succeed(self.run_command("base64", "-w0", stdin="bytes",
                                      extension="txt"))
        self.assertEqual(base64.b64decode(self.written("a/b.txt")), data)

    def test_gets_each_argument_as_it_is(self):
        name = "two words; $(rm x)\n*'\".jpg"
        self.add(name, b"")
        self.succeed(self.run_command(
            "printf", "%s|", "{path}", "-{key}-", "{other}", "", "* $HOME"))
        key = name[:-4]
        written, = self.out.iterdir()
        self.assertEqual(
            written.read_text(),
            f"{self.photos}/{name}|-{key}-|".replace(
                f"-{key}-", "-" + key.replace("\n", "%0A") + "-") +
            "{other}||* $HOME|")

    def test_reads_nothing_unless_told(self):
        self.add("a", b"something")
        self.succeed(self.run_command("cat"))
        self.assertEqual(self.written("a.out"), b"")

    def test_that_writes_nothing_makes_an_empty_file(self):
        self.add("a", b"something")
        self.succeed(self.run_command("true"))
        self.assertEqual(self.written("a.out"), b"")

    def failure(self, *argv, **parameters):
        self.add("a", b"something")
        result = self.run_json(self.run_command(*argv, **parameters))
        self.assertEqual(result.code, 1, result.err)
        return result.report["failures"][0]["text"]

    def test_says_why_it_failed(self):
        self.assertEqual(
            self.failure("sh", "-c", "echo one >&2; echo two >&2; exit 3"),
            "sh: exit status 3: one")

    def test_says_which_signal_ended_it(self):
        self.assertRegex(self.failure("sh", "-c", "kill -SEGV $$"),
                         r"sh: killed by signal 11 \(Segmentation fault\)")

    def test_has_a_limit_on_what_it_writes(self):
        self.assertRegex(self.failure("cat", stdin="bytes", max_bytes=4),
                         r"cat wrote more than 4 bytes \(max_bytes\)")

    def test_that_writes_for_ever_is_ended_at_the_limit(self):
        for words in (("yes",), ("sh", "-c", "yes >&2")):
            self.assertRegex(self.failure(*words, max_bytes=1 << 20),
                             r"(yes|sh) wrote more than 1.\d+ MB")

    def test_that_cannot_be_executed_is_told_before_the_run(self):
        self.add("a", b"something")
        result = self.run_json(self.run_command("no-such-program-here"))
        self.assertEqual(result.code, 3)
        self.assertRegex(result.err, "no-such-program-here.*in PATH")
        self.assertFalse(self.out.exists())

    def test_that_is_a_folder_or_no_program_is_told_before_the_run(self):
        self.add("a", b"something")
        for path in (self.photos, self.photos / "a", self.photos / "b"):
            result = self.run_json(self.run_command(str(path)))
            self.assertEqual(result.code, 3, path)
            self.assertRegex(result.err, f"{path}: no file that can be exec")

    def test_inherits_no_descriptor_and_no_signal_mask(self):
        self.add("a", b"something")
        self.succeed(self.run_command(
            "sh", "-c", "ls /proc/self/fd; "
            "grep -E 'Sig(Blk|Ign)' /proc/self/status"))
        shown = self.written("a.out").decode().split()
        self.assertEqual(shown[:4], ["0", "1", "2", "3"])  # 3 is ls's own
        blocked, ignored = (int(mask, 16) for mask in shown[5::2])
        own = ~(3 << 31)  # 32 and 33 are the C library's
        self.assertEqual((blocked & own, ignored & own), (0, 0))

    def test_a_child_that_goes_on_in_the_background_holds_nothing_up(self):
        self.add("a", b"something")
        start = time.monotonic()
        self.succeed(self.run_command(
            "sh", "-c", "sleep 30 & echo $!"))
        self.assertLess(time.monotonic() - start, 20)
        os.kill(int(self.written("a.out")), signal.SIGKILL)

    def test_many_wait_on_one_worker(self):
        """Eight that each wait for all the others: no worker waits."""
        for i in range(8):
            self.add(str(i), b"")
        meet = self.root / "meet"
        meet.mkdir()
        spec = self.run_command(
            "sh", "-c", f"touch {meet}/$1; "
            f"until [ $(ls {meet} | wc -l) = 8 ]; do sleep 0.01; done",
            "sh", "{key}")
        spec["stages"][1]["processes"] = 8
        report = self.succeed(spec, "--workers", "1")
        self.assertEqual(report["items"]["out"], 8)

    def test_works_where_dead_children_were_ignored(self):
        for i in range(5):
            self.add(str(i), b"")
        self.succeed(self.run_command("true"), prepare=lambda: signal.signal(
            signal.SIGCHLD, signal.SIG_IGN))


class Files(OperatorTest):
    def spec(self, *pattern, **more):
        return self.stages({"use": "file.read"}, self.write(*pattern, **more))

    def test_are_where_the_pattern_says(self):
        self.add("a/b/c.txt", b"one")
        self.add("a/d", b"two")
        self.succeed(self.spec("x/{key}-1/{key}.{ext}"))
        found = {str(p.relative_to(self.out)): p.read_bytes()
                 for p in self.out.rglob("*") if p.is_file()}
        self.assertEqual(found, {"x/a/b/c-1/a/b/c.txt": b"one",
                                 "x/a/d-1/a/d.bin": b"two"})

    def test_replace_what_was_there_at_once(self):
        self.add("a.txt", b"new")
        self.out.mkdir()
        (self.out / "a.txt").write_bytes(b"old and longer")
        os.link(self.out / "a.txt", self.root / "old")
        self.succeed(self.spec())
        self.assertEqual((self.out / "a.txt").read_bytes(), b"new")
        self.assertEqual((self.root / "old").read_bytes(), b"old and longer")
        self.assertEqual(self.temporaries(), [])

    def test_one_name_is_for_one_item(self):
        self.add("a\x01.txt", b"one")
        self.add("a%01.txt", b"two")
        result = self.run_json(self.spec(tokens=1, order="input"))
        self.assertEqual(result.code, 1)
        failure, = result.report["failures"]
        self.assertRegex(failure["text"], r"a%01\.txt is already that of a")
        self.assertEqual(len(self.files()), 1)

    def test_a_name_that_is_a_folder_fails_its_item_only(self):
        self.add("a.txt", b"one")
        self.add("b.txt", b"two")
        (self.out / "a.txt").mkdir(parents=True)
        result = self.run_json(self.spec())
        self.assertEqual(result.code, 1, result.err)
        self.assertRegex(result.report["failures"][0]["text"],
                         "cannot rename .*a.txt: Is a directory")
        self.assertEqual((self.out / "b.txt").read_bytes(), b"two")
        self.assertEqual(self.temporaries(), [])

    def test_a_pattern_needs_a_key(self):
        for pattern in ("all.{ext}", "{key}/"):
            result = self.weft_run(self.spec(pattern))
            self.assertEqual(result.code, 2, pattern)


class Examples(OperatorTest):
    """The specs in examples/, as they are, next to a folder of photos."""

    def example(self, name):
        for i in range(5):
            self.add(f"a/{i}.jpg", jpeg(300, 200, i))
        text = (EXAMPLES / name).read_text()
        return self.succeed(text)

    def test_photos(self):
        self.assertEqual(self.example("photos.yaml")["items"]["out"], 5)
        self.assertEqual(self.keys(), [f"a/{i}" for i in range(5)])
        self.assertEqual([p.name for p in self.out.iterdir()],
                         ["train-000000.tar"])

    def test_batches(self):
        self.assertEqual(self.example("batches.yaml")["files_written"], 1)
        path, = self.out.iterdir()
        self.assertEqual(path.name, "batch-000000.npy")
        self.assertEqual(path.stat().st_size, 128 + 5 * 224 * 224 * 3)

    def test_commands(self):
        self.assertEqual(self.example("commands.yaml")["files_written"], 5)
        done = subprocess.run(["sha256sum", "--strict", "-c",
                               *sorted((self.out / "a").iterdir())],
                              cwd=self.root, stdout=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stdout)


class FullDisk(OperatorTest):
    def check(self, *stages, fill=lambda i: os.urandom(40000)):
        """On a tmpfs of 64 KiB, which root can make in a namespace."""
        for i in range(4):
            self.add(f"{i}.bin", fill(i))
        self.out.mkdir()
        spec = self.write_spec(self.stages({"use": "file.read"}, *stages))
        script = f"mount -t tmpfs -o size=64k none '{self.out}' && " \
            f"{{ '{os.environ['WEFT']}' run '{spec}' --quiet; " \
            f"echo code $?; ls -A '{self.out}'; }}"
        done = subprocess.run(["unshare", "-m", "sh", "-c", script],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True)
        if "code" not in done.stdout:
            self.skipTest("no mount namespace here: " + done.stderr.strip())
        code, *files = done.stdout.splitlines()
        self.assertEqual(code, "code 3", done.stderr)
        self.assertIn("No space left on device", done.stderr)
        self.assertEqual([f for f in files if f.endswith(".tmp")], [])
        return [f for f in files if not f.startswith(".weft-")], done.stderr

    def test_keeps_whole_files_only(self):
        files, said = self.check(self.write())
        self.assertEqual(len(files), 1)
        self.assertRegex(said, "cannot write .*bin")

    def test_keeps_whole_shards_only(self):
        files, said = self.check(self.shard(1))
        self.assertEqual(files, ["s-000000.tar"])
        self.assertRegex(said, r"s-000001\.tar.*its 1 items are not saved")

    def test_keeps_no_shard_that_is_closed_at_the_end(self):
        files, said = self.check(self.shard(0))
        self.assertEqual(files, [])
        self.assertRegex(said, r"s-000000\.tar.*its 4 items are not saved")

    def test_keeps_whole_arrays_only(self):
        files, said = self.check(
            {"use": "image.thumbnail", "with": {"width": 120, "height": 120}},
            {"use": "gather", "with": {"count": 1}},
            {"use": "npy.write", "tokens": 1, "order": "input",
             "with": {"pattern": f"{self.out}/%d.npy"}},
            fill=lambda i: png(120, 120, i))
        self.assertEqual(files, ["0.npy"])
        self.assertRegex(said, r"cannot write .*1\.npy")


if __name__ == "__main__":
    unittest.main()

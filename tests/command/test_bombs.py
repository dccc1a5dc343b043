"""test_bombs.py: small files that say they are large, or are so when they are
unpacked. Each stops at a limit, which its sentence names, before the memory or
the time is spent; the others are delivered.
"""
import functools
import resource
import struct
import unittest
import zlib

from fixtures import CommandTest, chunk, jpeg, png

MEMORY = 1 << 30  # what it may take, with its libraries


def any_png(width, height, bits, kind, data, *chunks):
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + \
        chunk(b"IDAT", data) + chunk(b"IEND", b"")


@functools.lru_cache(None)
def zeros(mib):
    """So many MiB, deflated a thousandfold."""
    deflate = zlib.compressobj(9)
    block = bytes(1 << 20)
    return b"".join(deflate.compress(block) for _ in range(mib)) + \
        deflate.flush()


def with_scans(count):
    """A progressive JPEG whose last scan comes again and again."""
    photo = jpeg(16, 16, 1, "-progressive")
    last = photo.rindex(b"\xff\xda")
    before = photo.count(b"\xff\xda") - 1
    return photo[:last] + photo[last:-2] * (count - before) + b"\xff\xd9"


class Bombs(CommandTest):
    def setUp(self):
        super().setUp()
        self.add_jpegs(2)

    def fails(self, name, data, pattern, *options):
        self.add(name, data)
        result = self.run_json(
            self.thumbnails(), "--workers", "1", *options,
            prepare=lambda: resource.setrlimit(resource.RLIMIT_DATA,
                                               (MEMORY, MEMORY)))
        self.assert_one_failure(result, name, "decode", pattern, 2)
        self.assertEqual(result.report["failures"][0]["errno"], "EFBIG")

    def test_a_png_of_ten_gigapixels(self):
        self.fails("a.png", any_png(100000, 100000, 8, 2, zeros(1)),
                   r"100000x100000 is 1e\+04 megapixels, over the limit of 100 "
                   r"\(max_pixels\)")

    def test_a_png_as_large_as_a_png_can_be(self):
        self.fails("a.png", any_png(2**31 - 1, 2**31 - 1, 16, 6, zeros(1)),
                   r"2147483647x2147483647 has a side over the limit of \d+")

    def test_a_png_that_is_one_long_row(self):
        self.fails("a.png", any_png(1000000000, 1, 1, 0, zeros(1)),
                   r"1000000000x1 has a side over the limit of \d+",
                   "--set", "stages.decode.with.max_pixels=10000000000")

    def test_a_text_that_grows_a_thousandfold(self):
        self.fails("a.png", any_png(3, 3, 8, 2, zlib.compress(bytes(30)),
                                    chunk(b"zTXt", b"a\0\0" + zeros(200))),
                   r"text or profile is over the limit of 64 MiB")

    def test_many_texts_below_the_limit(self):
        texts = [chunk(b"zTXt", b"a\0\0" + zeros(40))] * 20
        self.fails("a.png", any_png(3, 3, 8, 2, zlib.compress(bytes(30)),
                                    *texts),
                   r"text or profile is over the limit of 64 MiB")

    def test_a_colour_profile_that_grows_a_thousandfold(self):
        self.fails("a.png", any_png(3, 3, 8, 2, zlib.compress(bytes(30)),
                                    chunk(b"iCCP", b"a\0\0" + zeros(200))),
                   r"text or profile is over the limit of 64 MiB")

    def test_a_jpeg_of_many_scans(self):
        self.fails("a.jpg", with_scans(101),
                   r"drawn in 101 scans, over the limit of 100")


class NoBombs(CommandTest):
    def run_all(self, *options):
        result = self.run_json(self.thumbnails(), *options)
        self.assertEqual(result.code, 0, result.report["failures"])

    def test_more_pixels_than_the_limit_if_the_user_raises_it(self):
        self.add("a.png", png(200, 100))
        limit = "stages.decode.with.max_pixels="
        result = self.run_json(self.thumbnails(), "--set", limit + "19999")
        self.assertIn("0.02 megapixels, over the limit",
                      result.report["failures"][0]["text"])
        self.run_all("--set", limit + "20000")

    def test_more_bytes_than_the_pixels_need_are_not_unpacked(self):
        self.add("a.png", any_png(3, 3, 8, 2, zeros(200)))
        self.run_all()

    def test_a_film_behind_a_photo_has_no_scans(self):
        film = b"\xff\xda\0\2" * 200
        self.add("a.jpg", jpeg(16, 16, 1, "-progressive") + film)
        self.run_all()

    def test_what_looks_like_scans_within_a_photo(self):
        """In its comment, before and between the scans."""
        photo = jpeg(16, 16, 1, "-progressive")
        comment = b"\xff\xfe" + struct.pack(">H", 802) + b"\xff\xda\0\2" * 200
        last = photo.rindex(b"\xff\xda")
        self.add("a.jpg", photo[:2] + comment + photo[2:last] + comment +
                 photo[last:])
        self.run_all()


if __name__ == "__main__":
    unittest.main()

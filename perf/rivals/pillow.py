#!/usr/bin/python3
"""pillow.py: photos to small JPEGs with Pillow, in a pool of processes.

    pillow.py WORKERS PHOTOS OUTPUT

As fast as Pillow does it: draft mode decodes only as much as is needed. It is
Debian's Python that runs this, for that is where Debian's Pillow is.
"""
import multiprocessing
import pathlib
import sys

from PIL import Image, ImageOps

SIDE, QUALITY = 224, 90


def covering(size):
    """The smallest size of the same shape that covers the square."""
    scale = SIDE / min(size)
    return tuple(max(SIDE, round(edge * scale)) for edge in size)


def convert(job):
    photo, small = job
    try:
        with Image.open(photo) as image:
            image.draft("RGB", covering(image.size))
            image = ImageOps.exif_transpose(image).convert("RGB")
            ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC).save(
                small, quality=QUALITY)
    except OSError:
        return False
    return True


def main(workers, photos, output):
    output = pathlib.Path(output)
    jobs = [(photo, output / f"{photo.stem}.jpg")
            for photo in sorted(pathlib.Path(photos).iterdir())]
    with multiprocessing.Pool(int(workers)) as pool:
        pool.map(convert, jobs, chunksize=4)


if __name__ == "__main__":
    main(*sys.argv[1:])

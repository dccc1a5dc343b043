/* fuzz_image.c: any bytes as a photo, from its header to the thumbnail.
 *
 * The limit is low, so that a photo which is refused for its size and one that
 * is decoded are both found often. How it has to fit follows from the number of
 * bytes: a corpus of plain files takes all ways. After each input the same
 * codec decodes a good photo. */
#include <turbojpeg.h>

#include "cli/image/codec.h"
#include "tests/fuzz/fuzz.h"

enum { MOST = 1 << 18 };

/* A 64 x 48 gradient, from the encoder itself. */
static const struct buffer *good_photo(struct codec *codec)
{
    static struct buffer jpeg;
    struct image image = { .width = 64, .height = 48 };

    if (jpeg.size)
        return &jpeg;
    CHECK(buffer_reserve(&image.pixels, 64 * 48 * 3) == 0);
    for (unsigned i = 0; i < 64 * 48 * 3; i++)
        image.pixels.data[i] = (unsigned char)(i / 7);
    image.pixels.size = 64 * 48 * 3;
    CHECK(codec_jpeg(codec, &image, 90, TJSAMP_420, &jpeg) == 0);
    buffer_free(&image.pixels);
    return &jpeg;
}

/* What came before leaves nothing behind: a good photo is as it always was. */
static void check_codec(struct codec *codec)
{
    static struct image first;
    const struct thumbnail want = { .box = { 24, 16 }, .max_pixels = MOST };
    struct image image = { 0 };
    struct size source;

    CHECK(codec_thumbnail(codec, good_photo(codec), &want, &image, &source) ==
          0);
    if (!first.pixels.size) {
        first = image;
        return;
    }
    CHECK(image.pixels.size == first.pixels.size);
    CHECK(memcmp(image.pixels.data, first.pixels.data, image.pixels.size) == 0);
    buffer_free(&image.pixels);
}

static void check_thumbnail(const struct thumbnail *want,
                            const struct image *image, struct size source)
{
    CHECK(image->width > 0 && image->width <= want->box.width);
    CHECK(image->height > 0 && image->height <= want->box.height);
    CHECK(image->pixels.size == (size_t)image->width * image->height * 3);
    CHECK(image->pixels.size <= image->pixels.room);
    CHECK((uint64_t)source.width * source.height <= want->max_pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct codec *codec;
    const struct thumbnail want = { .box = { 24, 16 },
                                    .fit = (enum fit)(size % 3),
                                    .max_pixels = MOST };
    struct buffer bytes = { 0 }, jpeg = { 0 };
    struct image image = { 0 };
    struct size source = { 0 };

    if (!codec) {
        codec = codec_create();
        CHECK(codec);
        check_codec(codec);
    }
    CHECK(buffer_reserve(&bytes, size) == 0);
    if (size)
        memcpy(bytes.data, data, size);
    bytes.size = size;
    if (codec_thumbnail(codec, &bytes, &want, &image, &source)) {
        CHECK(*codec_why(codec));
    } else {
        check_thumbnail(&want, &image, source);
        CHECK(codec_jpeg(codec, &image, 90, TJSAMP_420, &jpeg) == 0);
    }
    check_codec(codec);
    buffer_free(&jpeg);
    buffer_free(&image.pixels);
    buffer_free(&bytes);
    return 0;
}

/* orient.c: which way up a photo is.
 *
 * EXIF is a TIFF file: a byte order, the offset of a directory, and in it one
 * entry of 12 bytes per tag. Every offset is checked against the block: photos
 * come from anywhere. */
#include "cli/image/orient.h"

#include <stdint.h>
#include <string.h>

enum { TAG_ORIENTATION = 0x112, TYPE_SHORT = 3, ENTRY = 12 };

static uint32_t number(const unsigned char *at, unsigned bytes, bool big)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value = value << 8 | at[big ? i : bytes - 1 - i];
    return value;
}

unsigned orient_read(const unsigned char *tiff, size_t size)
{
    if (size < 8 || (memcmp(tiff, "II*\0", 4) && memcmp(tiff, "MM\0*", 4)))
        return ORIENT_UPRIGHT;
    bool big = *tiff == 'M';
    size_t at = number(tiff + 4, 4, big);
    if (at > size - 2)
        return ORIENT_UPRIGHT;
    unsigned entries = number(tiff + at, 2, big);
    at += 2;
    for (; entries && size - at >= ENTRY; entries--, at += ENTRY) {
        const unsigned char *entry = tiff + at;
        if (number(entry, 2, big) != TAG_ORIENTATION ||
            number(entry + 2, 2, big) != TYPE_SHORT)
            continue;
        unsigned value = number(entry + 8, 2, big);
        return value >= 1 && value <= 8 ? value : ORIENT_UPRIGHT;
    }
    return ORIENT_UPRIGHT;
}

bool orient_swaps(unsigned orientation) { return orientation >= 5; }

/* Where the pixel comes from that goes to the first place, and how far apart
 * its neighbours to the right and below are: all eight are such walks. */
void orient_apply(unsigned orientation, unsigned char *to,
                  const unsigned char *from, unsigned width, unsigned height)
{
    static const struct {
        bool from_right, from_below;
    } start[9] = {
        [2] = { 1, 0 }, [3] = { 1, 1 }, [4] = { 0, 1 },
        [6] = { 0, 1 }, [7] = { 1, 1 }, [8] = { 1, 0 },
    };
    const ptrdiff_t column = 3, row = (ptrdiff_t)width * 3;
    bool right = start[orientation].from_right;
    bool below = start[orientation].from_below;
    bool swaps = orient_swaps(orientation);

    from +=
        (right ? (width - 1) * column : 0) + (below ? (height - 1) * row : 0);
    ptrdiff_t along = swaps ? (below ? -row : row) : (right ? -column : column);
    ptrdiff_t down = swaps ? (right ? -column : column) : (below ? -row : row);
    unsigned columns = swaps ? height : width, rows = swaps ? width : height;
    for (unsigned y = 0; y < rows; y++)
        for (unsigned x = 0; x < columns; x++, to += 3)
            memcpy(to, from + (ptrdiff_t)y * down + (ptrdiff_t)x * along, 3);
}

/* fit.h: which part of a photo is wanted, and how large. */
#ifndef WEFT_CLI_IMAGE_FIT_H
#define WEFT_CLI_IMAGE_FIT_H

enum fit { FIT_COVER, FIT_CONTAIN, FIT_STRETCH };

struct size {
    unsigned width, height;
};

struct rect {
    unsigned x, y, width, height;
};

/* The size of the result for a photo of size `from`. */
struct size fit_result(enum fit fit, struct size from, struct size box);

/* The part of the photo that fills `result`: the centre for FIT_COVER, else all
 * of it. x and y are multiples of the steps (1, 2 or 4), so that the part
 * begins where a colour sample does. */
struct rect fit_part(enum fit fit, struct size from, struct size result,
                     unsigned step_x, unsigned step_y);

/* 1, 2, 4 or 8: by how much a decoder may divide the photo's sides so that it
 * is not smaller than `result` in either. */
unsigned fit_divisor(struct size from, struct size result);
#endif

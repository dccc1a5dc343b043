/* fit.c: which part of a photo is wanted, and how large.
 *
 * A photo wider than the box is compared by cross products, so that no side is
 * off by one because a quotient was rounded. Sides are below 2^31 and boxes at
 * most 2^14: the products fit in 64 bits. */
#include "cli/image/fit.h"

#include <stdbool.h>
#include <stdint.h>

static bool wider(struct size from, struct size box)
{
    return (uint64_t)from.width * box.height >
           (uint64_t)from.height * box.width;
}

/* a * b / c, rounded, within 1..most. */
static unsigned portion(unsigned a, unsigned b, unsigned c, unsigned most)
{
    uint64_t value = ((uint64_t)a * b + c / 2) / c;
    if (value < 1)
        return 1;
    return value > most ? most : (unsigned)value;
}

struct size fit_result(enum fit fit, struct size from, struct size box)
{
    if (fit != FIT_CONTAIN)
        return box;
    if (wider(from, box))
        box.height = portion(from.height, box.width, from.width, box.height);
    else
        box.width = portion(from.width, box.height, from.height, box.width);
    return box;
}

struct rect fit_part(enum fit fit, struct size from, struct size result,
                     unsigned step_x, unsigned step_y)
{
    struct rect part = { 0, 0, from.width, from.height };
    if (fit != FIT_COVER)
        return part;
    if (wider(from, result))
        part.width =
            portion(from.height, result.width, result.height, from.width);
    else
        part.height =
            portion(from.width, result.height, result.width, from.height);
    part.x = (from.width - part.width) / 2 / step_x * step_x;
    part.y = (from.height - part.height) / 2 / step_y * step_y;
    return part;
}

unsigned fit_divisor(struct size from, struct size result)
{
    unsigned divisor = 8;
    while (divisor > 1 &&
           ((from.width + divisor - 1) / divisor < result.width ||
            (from.height + divisor - 1) / divisor < result.height))
        divisor /= 2;
    return divisor;
}

/* test_fit.c: which part of a photo is wanted, and how large. */
#include "cli/image/fit.h"
#include "tests/test.h"

static const struct size wide = { 400, 300 }, box = { 100, 60 };

Test(fit, cover_and_stretch_fill_the_box)
{
    struct size cover = fit_result(FIT_COVER, wide, box);
    struct size stretch = fit_result(FIT_STRETCH, wide, box);
    cr_assert(cover.width == 100 && cover.height == 60);
    cr_assert(stretch.width == 100 && stretch.height == 60);
}

Test(fit, contain_fills_one_side_and_keeps_the_shape)
{
    struct size low = fit_result(FIT_CONTAIN, wide, box);
    struct size narrow =
        fit_result(FIT_CONTAIN, wide, (struct size){ 60, 100 });
    cr_assert(low.width == 80 && low.height == 60);
    cr_assert(narrow.width == 60 && narrow.height == 45);
}

Test(fit, no_side_vanishes)
{
    struct size line = fit_result(FIT_CONTAIN, (struct size){ 9000, 1 }, box);
    struct rect part = fit_part(FIT_COVER, (struct size){ 9000, 1 }, box, 2, 2);
    cr_assert(line.width == 100 && line.height == 1);
    cr_assert(part.width == 2 && part.height == 1 && part.y == 0);
}

Test(fit, cover_takes_the_centre_from_where_a_colour_sample_begins)
{
    struct rect part = fit_part(FIT_COVER, wide, box, 2, 2);
    cr_assert(part.x == 0 && part.width == 400);
    cr_assert(part.y == 30 && part.height == 240);

    part = fit_part(FIT_COVER, (struct size){ 407, 60 }, box, 4, 1);
    cr_assert(part.x == 152 && part.width == 100); /* 153.5, down */
    cr_assert(part.y == 0 && part.height == 60);
}

Test(fit, all_of_the_photo_is_in_the_result_unless_it_covers)
{
    struct rect part = fit_part(FIT_STRETCH, wide, box, 2, 2);
    cr_assert(!part.x && !part.y && part.width == 400 && part.height == 300);
}

Test(fit, the_divisor_is_the_largest_that_leaves_enough)
{
    cr_assert_eq(fit_divisor(wide, box), 4);
    cr_assert_eq(fit_divisor(wide, (struct size){ 50, 37 }), 8);
    cr_assert_eq(fit_divisor(wide, (struct size){ 50, 38 }), 8);
    cr_assert_eq(fit_divisor(wide, (struct size){ 50, 39 }), 4);
    cr_assert_eq(fit_divisor(wide, (struct size){ 201, 1 }), 1);
    cr_assert_eq(fit_divisor(wide, (struct size){ 800, 600 }), 1);
}

/* Whatever the shapes: a part lies inside the photo, and after the division no
 * side has to be made larger. */
Test(fit, holds_for_all_small_shapes)
{
    for (unsigned i = 0; i < 40 * 40 * 12 * 12; i++) {
        struct size from = { i % 40 + 1, i / 40 % 40 + 1 };
        struct size to = { i / 1600 % 12 + 1, i / 19200 + 1 };
        struct rect part = fit_part(FIT_COVER, from, to, 2, 2);
        unsigned divisor = fit_divisor(from, to);
        cr_assert(part.width && part.x + part.width <= from.width);
        cr_assert(part.height && part.y + part.height <= from.height);
        cr_assert(divisor == 1 || (from.width > (to.width - 1) * divisor &&
                                   from.height > (to.height - 1) * divisor));
    }
}

/* orient.h: which way up a photo is. */
#ifndef WEFT_CLI_IMAGE_ORIENT_H
#define WEFT_CLI_IMAGE_ORIENT_H
#include <stdbool.h>
#include <stddef.h>

/* EXIF's numbers: 1 is upright, 3 upside down, 6 must be turned to the right.
 */
enum { ORIENT_UPRIGHT = 1 };

/* From the TIFF block that EXIF is. ORIENT_UPRIGHT where it does not say. */
unsigned orient_read(const unsigned char *tiff, size_t size);

/* Whether width and height change places. */
bool orient_swaps(unsigned orientation);

/* Turns packed RGB of width x height upright, into as many other bytes. */
void orient_apply(unsigned orientation, unsigned char *to,
                  const unsigned char *from, unsigned width, unsigned height);
#endif

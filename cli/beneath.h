/* beneath.h: folders below a folder, by a way that does not lead out of it. */
#ifndef WEFT_CLI_BENEATH_H
#define WEFT_CLI_BENEATH_H

/* Opens the folder that `path` lies in, below the folder `root`, and makes what
 * is not there. A descriptor, or a negative errno: -ELOOP where a symbolic link
 * is on the way, -EXDEV for "..". */
int beneath_folder(int root, const char *path);
#endif

/* beneath.h: folders and files below a folder, by a way that does not lead out
 * of it. */
#ifndef WEFT_CLI_BENEATH_H
#define WEFT_CLI_BENEATH_H

/* Opens the folder that `path` lies in, below the folder `root`, and makes what
 * is not there. A descriptor, or a negative errno: -ELOOP where a symbolic link
 * is on the way, -EXDEV for "..". */
int beneath_folder(int root, const char *path);

/* Whether `path` is a file below the folder `root`: 1; 0: nothing is there, or
 * something else, or a symbolic link is on the way; or a negative errno. */
int beneath_has_file(int root, const char *path);
#endif

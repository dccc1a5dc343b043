/* sandbox.h: processes that may write into some folders and nowhere else. */
#ifndef WEFT_CLI_SANDBOX_H
#define WEFT_CLI_SANDBOX_H
#include "weft/base.h"

/* A sandbox that allows to write into TMPDIR: a descriptor, or a negative errno
 * and a sentence. */
int sandbox_create(weft_error *why);

/* Allows to write below `folder`, a descriptor, as well. 0 or a negative errno.
 * Without a sandbox (-1) nothing. */
int sandbox_allow(int sandbox, int folder);

/* Puts this thread and all that it starts into the sandbox, for good. 0 or a
 * negative errno. */
int sandbox_enter(int sandbox);
#endif

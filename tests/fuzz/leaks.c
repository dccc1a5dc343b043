/* leaks.c: what LeakSanitizer need not report, where YAML is read.
 *
 * libfyaml 0.7.12 loses the 4 KiB in which it has gathered a quoted word when
 * what follows is a mistake. A spec is read once in a process, and none of our
 * functions are called by libfyaml: nothing of ours is hidden. */
#include "tests/fuzz/fuzz.h"

const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) { return "leak:libfyaml\n"; }

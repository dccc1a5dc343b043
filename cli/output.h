/* output.h: what went to standard output has arrived, or it is said. */
#ifndef WEFT_CLI_OUTPUT_H
#define WEFT_CLI_OUTPUT_H

/* EXIT_OK, or EXIT_ENVIRONMENT where standard output could not take it: the
 * first time with a sentence. */
int output_flush(void);

/* For atexit: a process whose output was lost without a word ends with
 * EXIT_ENVIRONMENT. */
void output_at_exit(void);
#endif

/* arena.h: memory that is freed all at once.
 *
 * For the part of the command that comes before any work has started: where
 * memory runs out there, the command says so and exits. */
#ifndef WEFT_CLI_ARENA_H
#define WEFT_CLI_ARENA_H
#include <stddef.h>

struct arena;

/* None of these returns NULL: they end the process with EXIT_ENVIRONMENT. What
 * they return belongs to the arena. */
struct arena *arena_create(void);
void *arena_alloc(struct arena *arena, size_t size); /* zeroed, aligned */
char *arena_copy(struct arena *arena, const char *text, size_t size);
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void arena_destroy(struct arena *arena); /* NULL is fine */

/* How they do it, for who finds out otherwise. */
_Noreturn void arena_no_memory(void);
#endif

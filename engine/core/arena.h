/* Arenas: memory never outlives the arena it came from; nothing is freed one by one.
 *
 * The run arena holds stack, graph and plan until exit; each driver call gets an arena of its own. Handles (FILE,
 * CURL, PGconn, sqlite3) never live in an arena: they are opened and closed by hand. Running out of memory ends the
 * process with a message: state is durable and the next run resumes. An arena belongs to one thread at a time. */
#ifndef SF_CORE_ARENA_H
#define SF_CORE_ARENA_H

#include "engine/core/base.h"

struct sf_arena;

/* A new, empty arena. Costs nothing until the first allocation. Free with sf_arena_free(). */
struct sf_arena *sf_arena_new(void);

/* Releases the arena and all that came from it. NULL is fine. */
void sf_arena_free(struct sf_arena *arena);

/* The same for an arena that held secrets: its memory is overwritten before it goes back. */
void sf_arena_free_wiped(struct sf_arena *arena);

/* Zeroed memory of `n` bytes, aligned for any type. Never NULL. */
void *sf_arena_alloc(struct sf_arena *arena, size_t n) __attribute__((malloc, returns_nonnull));

/* An array of `count` zeroed elements of `size` bytes; aborts on overflow. Never NULL. */
void *sf_arena_array(struct sf_arena *arena, size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/* `items`, of which `n` are used and *cap there are, with room for one more: as they are, or a copy twice as long. NULL, 0, 0 at
 * first; the old ones stay in the arena. */
void *sf_arena_grow(struct sf_arena *arena, void *items, size_t n, size_t *cap, size_t size) SF_MUST_CHECK;

#define SF_NEW(arena, type) ((type *)sf_arena_alloc((arena), sizeof(type)))
#define SF_NEW_ARRAY(arena, count, type) ((type *)sf_arena_array((arena), (count), sizeof(type)))

/* Ends the process: "out of memory". Used by everything that allocates outside an arena too. */
_Noreturn void sf_out_of_memory(void);

#endif

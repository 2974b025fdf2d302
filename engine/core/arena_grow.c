/* Arrays that grow in an arena. Apart from arena.c, whose pages the compiler's analyzer takes for lost behind a copy of unknown
 * length.
 */
#include "engine/core/arena.h"

#include <string.h>

void *sf_arena_grow(struct sf_arena *arena, void *items, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 4;
    void *grown = sf_arena_array(arena, *cap, size);
    if (n)
        memcpy(grown, items, n * size);
    return grown;
}

/* Hash map from text to pointer, in an arena, keyed hash (SipHash-style) so that hostile keys cannot make it quadratic. */
#ifndef SF_CORE_MAP_H
#define SF_CORE_MAP_H

#include "engine/core/str.h"

struct sf_map;

struct sf_map *sf_map_new(struct sf_arena *arena);
/* Sets or replaces; the key's bytes are not copied and must live as long as the map. */
void sf_map_put(struct sf_map *map, struct sf_str key, void *item);
/* NULL when absent. */
void *sf_map_find(const struct sf_map *map, struct sf_str key);
size_t sf_map_count(const struct sf_map *map);

#endif

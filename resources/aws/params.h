/* Small pieces of parameters. */
#ifndef SF_AWS_PARAMS_H
#define SF_AWS_PARAMS_H

#include "engine/core/value.h"

/* A list of one. */
static inline const struct sf_value *sf_params_one(struct sf_arena *arena, const struct sf_value *item)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, 1, const struct sf_value *);
    items[0] = item;
    return sf_value_list(arena, items, 1);
}

static inline const struct sf_value *sf_params_text(struct sf_arena *arena, struct sf_str text)
{
    return sf_params_one(arena, sf_value_str(arena, text));
}

/* {NAME: list}, as the query protocol wants a list that is not flattened. */
static inline const struct sf_value *sf_params_members(struct sf_arena *arena, const char *name, const struct sf_value *list)
{
    struct sf_value *map = sf_value_map(arena);
    sf_map_add(arena, map, sf_str_of(name), list);
    return map;
}

/* EC2's {Name, Value}, for a list of filters. */
static inline const struct sf_value *sf_params_filter(struct sf_arena *arena, const char *name, struct sf_str value)
{
    struct sf_value *map = sf_value_map(arena);
    sf_map_set_str(arena, map, "Name", sf_str_of(name));
    sf_map_add(arena, map, SF_STR("Value"), sf_params_text(arena, value));
    return map;
}

#endif

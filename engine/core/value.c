/* See value.h. */
#include "engine/core/value.h"

#include <stdlib.h>

const struct sf_value sf_null_value = {.type = SF_V_NULL};

static struct sf_value *new_value(struct sf_arena *arena, enum sf_value_type type)
{
    struct sf_value *v = SF_NEW(arena, struct sf_value);
    v->type = type;
    return v;
}

struct sf_value *sf_value_null(struct sf_arena *arena)
{
    return new_value(arena, SF_V_NULL);
}

struct sf_value *sf_value_bool(struct sf_arena *arena, bool b)
{
    struct sf_value *v = new_value(arena, SF_V_BOOL);
    v->b = b;
    return v;
}

struct sf_value *sf_value_int(struct sf_arena *arena, int64_t i)
{
    struct sf_value *v = new_value(arena, SF_V_INT);
    v->i = i;
    return v;
}

static struct sf_value *new_text(struct sf_arena *arena, enum sf_value_type type, struct sf_str s)
{
    struct sf_value *v = new_value(arena, type);
    v->s = sf_str_dup(arena, s);
    return v;
}

struct sf_value *sf_value_str(struct sf_arena *arena, struct sf_str s)
{
    return new_text(arena, SF_V_STRING, s);
}

struct sf_value *sf_value_secret(struct sf_arena *arena, struct sf_str s)
{
    struct sf_value *v = new_text(arena, SF_V_STRING, s);
    v->is_secret = true;
    return v;
}

struct sf_value *sf_value_fingerprint(struct sf_arena *arena, struct sf_str fingerprint)
{
    struct sf_value *v = new_text(arena, SF_V_FINGERPRINT, fingerprint);
    v->is_secret = true;
    return v;
}

struct sf_value *sf_value_unknown(struct sf_arena *arena, struct sf_str source)
{
    return new_text(arena, SF_V_UNKNOWN, source);
}

struct sf_value *sf_value_list(struct sf_arena *arena, const struct sf_value **items, size_t n)
{
    struct sf_value *v = new_value(arena, SF_V_LIST);
    v->list.items = items;
    v->list.n = n;
    return v;
}

struct sf_value *sf_value_map(struct sf_arena *arena)
{
    return new_value(arena, SF_V_MAP);
}

void sf_map_add(struct sf_arena *arena, struct sf_value *map, struct sf_str key, const struct sf_value *value)
{
    map->map.pairs = sf_arena_grow(arena, map->map.pairs, map->map.n, &map->map.cap, sizeof(*map->map.pairs));
    map->map.pairs[map->map.n++] = (struct sf_pair){.key = sf_str_dup(arena, key), .value = value};
}

void sf_map_set(struct sf_arena *arena, struct sf_value *map, struct sf_str key, const struct sf_value *value)
{
    for (size_t i = 0; i < map->map.n; i++) {
        if (!sf_str_eq(map->map.pairs[i].key, key))
            continue;
        if (value) {
            map->map.pairs[i].value = value;
        } else {
            memmove(&map->map.pairs[i], &map->map.pairs[i + 1], (map->map.n - i - 1) * sizeof(struct sf_pair));
            map->map.n--;
        }
        return;
    }
    if (value)
        sf_map_add(arena, map, key, value);
}

void sf_map_set_str(struct sf_arena *arena, struct sf_value *map, const char *key, struct sf_str s)
{
    sf_map_set(arena, map, sf_str_of(key), sf_value_str(arena, s));
}

void sf_map_set_int(struct sf_arena *arena, struct sf_value *map, const char *key, int64_t i)
{
    sf_map_set(arena, map, sf_str_of(key), sf_value_int(arena, i));
}

void sf_map_set_bool(struct sf_arena *arena, struct sf_value *map, const char *key, bool b)
{
    sf_map_set(arena, map, sf_str_of(key), sf_value_bool(arena, b));
}

const struct sf_pair *sf_map_pair(const struct sf_value *map, struct sf_str key)
{
    if (!map || map->type != SF_V_MAP)
        return NULL;
    for (size_t i = 0; i < map->map.n; i++)
        if (sf_str_eq(map->map.pairs[i].key, key))
            return &map->map.pairs[i];
    return NULL;
}

const struct sf_value *sf_map_get(const struct sf_value *map, struct sf_str key)
{
    const struct sf_pair *pair = sf_map_pair(map, key);
    return pair ? pair->value : NULL;
}

const struct sf_value *sf_map_getz(const struct sf_value *map, const char *key)
{
    return sf_map_get(map, sf_str_of(key));
}

struct sf_str sf_map_str(const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    return v && v->type == SF_V_STRING ? v->s : SF_STR_NONE;
}

int64_t sf_map_int(const struct sf_value *map, const char *key, int64_t otherwise)
{
    const struct sf_value *v = sf_map_getz(map, key);
    return v && v->type == SF_V_INT ? v->i : otherwise;
}

bool sf_map_bool(const struct sf_value *map, const char *key, bool otherwise)
{
    const struct sf_value *v = sf_map_getz(map, key);
    return v && v->type == SF_V_BOOL ? v->b : otherwise;
}

bool sf_value_equal(const struct sf_value *a, const struct sf_value *b)
{
    if (!a || !b)
        return a == b;
    if (a->type != b->type || a->type == SF_V_UNKNOWN)
        return false;
    switch (a->type) {
    case SF_V_NULL:
        return true;
    case SF_V_BOOL:
        return a->b == b->b;
    case SF_V_INT:
        return a->i == b->i;
    case SF_V_NUMBER:
    case SF_V_STRING:
    case SF_V_FINGERPRINT:
        return sf_str_eq(a->s, b->s);
    case SF_V_LIST:
        if (a->list.n != b->list.n)
            return false;
        for (size_t i = 0; i < a->list.n; i++)
            if (!sf_value_equal(a->list.items[i], b->list.items[i]))
                return false;
        return true;
    case SF_V_MAP:
        if (a->map.n != b->map.n)
            return false;
        for (size_t i = 0; i < a->map.n; i++) {
            const struct sf_pair *pa = &a->map.pairs[i];
            /* the same position first: maps that came from one writer need no search */
            const struct sf_pair *pb = sf_str_eq(b->map.pairs[i].key, pa->key) ? &b->map.pairs[i] : sf_map_pair(b, pa->key);
            if (!pb || !sf_value_equal(pa->value, pb->value))
                return false;
        }
        return true;
    case SF_V_UNKNOWN:
        return false;
    }
    return false;
}

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp((*(const struct sf_pair *const *)a)->key, (*(const struct sf_pair *const *)b)->key);
}

static int order_maps(const struct sf_value *a, const struct sf_value *b)
{
    size_t n = a->map.n;
    if (n != b->map.n)
        return n < b->map.n ? -1 : 1;
    const struct sf_pair **sorted = calloc(n ? 2 * n : 1, sizeof(*sorted));
    if (!sorted)
        sf_out_of_memory();
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &a->map.pairs[i];
        sorted[n + i] = &b->map.pairs[i];
    }
    qsort(sorted, n, sizeof(*sorted), by_key);
    qsort(sorted + n, n, sizeof(*sorted), by_key);
    int order = 0;
    for (size_t i = 0; i < n && !order; i++) {
        order = sf_str_cmp(sorted[i]->key, sorted[n + i]->key);
        if (!order)
            order = sf_value_order(sorted[i]->value, sorted[n + i]->value);
    }
    free(sorted);
    return order;
}

int sf_value_order(const struct sf_value *a, const struct sf_value *b)
{
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case SF_V_NULL:
        return 0;
    case SF_V_BOOL:
        return (int)a->b - (int)b->b;
    case SF_V_INT:
        return a->i < b->i ? -1 : a->i > b->i;
    case SF_V_NUMBER:
    case SF_V_STRING:
    case SF_V_FINGERPRINT:
    case SF_V_UNKNOWN:
        return sf_str_cmp(a->s, b->s);
    case SF_V_LIST:
        for (size_t i = 0; i < a->list.n && i < b->list.n; i++) {
            int order = sf_value_order(a->list.items[i], b->list.items[i]);
            if (order)
                return order;
        }
        return a->list.n < b->list.n ? -1 : a->list.n > b->list.n;
    case SF_V_MAP:
        return order_maps(a, b);
    }
    return 0;
}

bool sf_value_has_unknown(const struct sf_value *v, struct sf_str *source)
{
    if (!v)
        return false;
    if (v->type == SF_V_UNKNOWN) {
        if (source)
            *source = v->s;
        return true;
    }
    if (v->type == SF_V_LIST)
        for (size_t i = 0; i < v->list.n; i++)
            if (sf_value_has_unknown(v->list.items[i], source))
                return true;
    if (v->type == SF_V_MAP)
        for (size_t i = 0; i < v->map.n; i++)
            if (sf_value_has_unknown(v->map.pairs[i].value, source))
                return true;
    return false;
}

bool sf_value_has_secret(const struct sf_value *v)
{
    if (!v)
        return false;
    if (v->is_secret)
        return true;
    if (v->type == SF_V_LIST)
        for (size_t i = 0; i < v->list.n; i++)
            if (sf_value_has_secret(v->list.items[i]))
                return true;
    if (v->type == SF_V_MAP)
        for (size_t i = 0; i < v->map.n; i++)
            if (sf_value_has_secret(v->map.pairs[i].value))
                return true;
    return false;
}

const struct sf_value *sf_value_copy(struct sf_arena *arena, const struct sf_value *v)
{
    if (!v)
        return NULL;
    struct sf_value *copy = SF_NEW(arena, struct sf_value);
    *copy = *v;
    switch (v->type) {
    case SF_V_NULL:
    case SF_V_BOOL:
    case SF_V_INT:
        break;
    case SF_V_NUMBER:
    case SF_V_STRING:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        copy->s = sf_str_dup(arena, v->s);
        break;
    case SF_V_LIST:
        copy->list.items = SF_NEW_ARRAY(arena, v->list.n, const struct sf_value *);
        for (size_t i = 0; i < v->list.n; i++)
            copy->list.items[i] = sf_value_copy(arena, v->list.items[i]);
        break;
    case SF_V_MAP:
        copy->map.pairs = SF_NEW_ARRAY(arena, v->map.n, struct sf_pair);
        copy->map.cap = v->map.n;
        for (size_t i = 0; i < v->map.n; i++) {
            copy->map.pairs[i] = v->map.pairs[i];
            copy->map.pairs[i].key = sf_str_dup(arena, v->map.pairs[i].key);
            copy->map.pairs[i].value = sf_value_copy(arena, v->map.pairs[i].value);
        }
        break;
    }
    return copy;
}

const char *sf_value_type_name(enum sf_value_type type)
{
    switch (type) {
    case SF_V_NULL:
        return "null";
    case SF_V_BOOL:
        return "bool";
    case SF_V_INT:
        return "int";
    case SF_V_NUMBER:
        return "number";
    case SF_V_STRING:
        return "string";
    case SF_V_LIST:
        return "list";
    case SF_V_MAP:
        return "map";
    case SF_V_UNKNOWN:
        return "unknown";
    case SF_V_FINGERPRINT:
        return "secret";
    }
    return "?";
}

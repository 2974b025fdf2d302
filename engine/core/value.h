/* Values: the one tree that YAML, JSON, state rows, plans and driver results are made of.
 *
 * Built once, then read-only and shared freely; all memory is the arena's. Maps keep the order they were written in for
 * display; canonical output sorts. A value marked secret never leaves through a printer: JSON and renderers write its
 * fingerprint or "(secret)". */
#ifndef SF_CORE_VALUE_H
#define SF_CORE_VALUE_H

#include "engine/core/err.h"

enum sf_value_type {
    SF_V_NULL,
    SF_V_BOOL,
    SF_V_INT,
    SF_V_NUMBER, /* a JSON number kept as written because it is not a plain int64: text in .s */
    SF_V_STRING,
    SF_V_LIST,
    SF_V_MAP,
    SF_V_UNKNOWN,     /* known only after apply; .s names the source, e.g. "sftp.id" */
    SF_V_FINGERPRINT, /* a secret known only by its keyed fingerprint: text in .s */
};

struct sf_value;

struct sf_pair {
    struct sf_str key; /* NUL-terminated */
    const struct sf_value *value;
    struct sf_mark key_mark;
};

struct sf_value {
    enum sf_value_type type;
    bool is_secret;
    bool is_plain; /* a YAML scalar written without quotes: only such may be null, a bool or a number */
    struct sf_mark mark;
    union {
        bool b;
        int64_t i;
        struct sf_str s;
        struct {
            const struct sf_value **items;
            size_t n;
        } list;
        struct {
            struct sf_pair *pairs;
            size_t n;
            size_t cap;
        } map;
    };
};

extern const struct sf_value sf_null_value;

struct sf_value *sf_value_null(struct sf_arena *arena);
struct sf_value *sf_value_bool(struct sf_arena *arena, bool b);
struct sf_value *sf_value_int(struct sf_arena *arena, int64_t i);
/* Copies the text. */
struct sf_value *sf_value_str(struct sf_arena *arena, struct sf_str s);
struct sf_value *sf_value_secret(struct sf_arena *arena, struct sf_str s);
struct sf_value *sf_value_fingerprint(struct sf_arena *arena, struct sf_str fingerprint);
/* `source` names what it waits for, "sftp.id". */
struct sf_value *sf_value_unknown(struct sf_arena *arena, struct sf_str source);
/* Takes the array as it is. */
struct sf_value *sf_value_list(struct sf_arena *arena, const struct sf_value **items, size_t n);
struct sf_value *sf_value_map(struct sf_arena *arena);
/* Sets or overwrites `key` while the map is being built. Linear in its size: for small maps. NULL value removes. */
void sf_map_set(struct sf_arena *arena, struct sf_value *map, struct sf_str key, const struct sf_value *value);
/* Appends without looking for `key`: the caller knows it is new. */
void sf_map_add(struct sf_arena *arena, struct sf_value *map, struct sf_str key, const struct sf_value *value);
void sf_map_set_str(struct sf_arena *arena, struct sf_value *map, const char *key, struct sf_str s);
void sf_map_set_int(struct sf_arena *arena, struct sf_value *map, const char *key, int64_t i);
void sf_map_set_bool(struct sf_arena *arena, struct sf_value *map, const char *key, bool b);

/* NULL when `map` is NULL, not a map, or has no such key. */
const struct sf_value *sf_map_get(const struct sf_value *map, struct sf_str key);
const struct sf_value *sf_map_getz(const struct sf_value *map, const char *key);
const struct sf_pair *sf_map_pair(const struct sf_value *map, struct sf_str key);
/* Text of a string at `key`; empty view when absent or another type. */
struct sf_str sf_map_str(const struct sf_value *map, const char *key);
int64_t sf_map_int(const struct sf_value *map, const char *key, int64_t otherwise);
bool sf_map_bool(const struct sf_value *map, const char *key, bool otherwise);

/* Deep equality: maps without regard to order, lists with. Unknown equals nothing. A secret string and a fingerprint are
 * compared by the caller (it has the key). */
bool sf_value_equal(const struct sf_value *a, const struct sf_value *b);
/* Total order for sorting sets: by type, then content. */
int sf_value_order(const struct sf_value *a, const struct sf_value *b);
/* Whether it is, or holds anywhere, an unknown. If so and source is not NULL, *source is the first one's. */
bool sf_value_has_unknown(const struct sf_value *v, struct sf_str *source);
bool sf_value_has_secret(const struct sf_value *v);
/* Deep copy into another arena (marks kept). */
const struct sf_value *sf_value_copy(struct sf_arena *arena, const struct sf_value *v);
/* "string", "list", ... for messages. */
const char *sf_value_type_name(enum sf_value_type type);

#endif

/* See members.h. */
#include "resources/data/conform/members.h"

#include "engine/core/clock.h"
#include "engine/core/map.h"
#include "resources/data/conform/intern.h"
#include "resources/data/conform/text.h"

#include <stdlib.h>

enum { MAX_PATH_BYTES = (SF_RULES_MAX_LEVELS + 2) * (SF_RULES_MAX_WIDTH + 8) };

static size_t index_of(const struct sf_rule_dimension *d, size_t column)
{
    size_t i = 0;
    while (d->columns[i] != column)
        i++;
    return i;
}

/* The first of the parts, blanks trimmed; it is taken off them. */
static struct sf_str next_value(struct sf_str *parts)
{
    size_t n = 0, at = 0;
    while (parts->p[at] != ':')
        n = n * 10 + (size_t)(parts->p[at++] - '0');
    struct sf_str value = {parts->p + at + 1, n};
    *parts = (struct sf_str){value.p + n, parts->n - at - 1 - n};
    return sf_text_trim(value);
}

static struct sf_str value_at(const struct sf_raw *raw, size_t index)
{
    struct sf_str parts = raw->parts;
    while (index--)
        next_value(&parts);
    return next_value(&parts);
}

struct sf_str sf_raw_name(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level)
{
    return value_at(raw, index_of(d, d->levels[level].name));
}

struct sf_str sf_raw_code(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level)
{
    return d->levels[level].has_code ? value_at(raw, index_of(d, d->levels[level].code)) : SF_STR_NONE;
}

static const struct sf_rule_flag_value *flag_value(const struct sf_rule_dimension *d, struct sf_str text)
{
    char folded[256];
    if (text.n > sizeof folded)
        return NULL;
    struct sf_str have = {folded, sf_text_fold(text, folded)};
    for (size_t i = 0; i < d->flag.n_values; i++)
        for (size_t k = 0; k < d->flag.values[i].n_accepts; k++)
            if (sf_str_eq(have, d->flag.values[i].accepts[k]))
                return &d->flag.values[i];
    return NULL;
}

struct sf_str sf_raw_flag(const struct sf_rule_dimension *d, const struct sf_raw *raw)
{
    if (!d->has_flag)
        return SF_STR_NONE;
    const struct sf_rule_flag_value *value = flag_value(d, value_at(raw, index_of(d, d->flag.column)));
    return value ? value->text : SF_STR_NONE;
}

static struct sf_str filled(struct sf_str value, struct sf_str otherwise)
{
    return value.n ? value : otherwise;
}

static struct sf_str level_name(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level)
{
    return filled(sf_raw_name(d, raw, level), d->levels[level].no_name);
}

struct sf_str sf_raw_title(struct sf_arena *arena, const struct sf_rule_dimension *d, const struct sf_raw *raw)
{
    struct sf_buf buf = SF_BUF(MAX_PATH_BYTES);
    for (size_t i = 0; i < d->n_levels; i++) {
        sf_buf_addz(&buf, i ? " > " : "");
        sf_buf_add(&buf, level_name(d, raw, i));
    }
    struct sf_str title = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return title;
}

const char *sf_raw_problem(const struct sf_rules *rules, const struct sf_rule_dimension *d, struct sf_str parts, size_t *column)
{
    for (size_t i = 0; i < d->n_columns; i++) {
        struct sf_str value = next_value(&parts);
        *column = d->columns[i];
        if (d->has_flag && *column == d->flag.column) {
            if (!flag_value(d, value))
                return value.n ? "is none of the known values" : "is empty";
        } else if (value.n > rules->columns[*column].max_bytes) {
            return "is wider than its column";
        }
    }
    return NULL;
}

/* The parts of the key, the dimension's name first; upto levels, and the flag when they are all. */
static void write_path(struct sf_buf *buf, const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t levels)
{
    sf_buf_clear(buf);
    sf_text_part_folded(buf, d->name);
    for (size_t i = 0; i < levels; i++)
        sf_text_part_folded(buf, level_name(d, raw, i));
}

/* The path of a raw, which is what its key is made of. */
static struct sf_str path_of(const struct sf_rule_dimension *d, const struct sf_raw *raw, struct sf_buf *buf)
{
    write_path(buf, d, raw, d->n_levels);
    if (d->has_flag)
        sf_text_part_folded(buf, sf_raw_flag(d, raw));
    return sf_buf_str(buf);
}

static void identify(struct sf_arena *arena, const struct sf_rule_dimension *d, struct sf_str parts, struct sf_buf *buf,
                     struct sf_raw *raw)
{
    *raw = (struct sf_raw){.parts = sf_str_dup(arena, parts)};
    raw->id = sf_text_key(path_of(d, raw, buf));
    raw->id_length = (uint8_t)sf_text_write_int(raw->id, raw->id_text);
    memcpy(raw->sha256_part, "64:", 3);
    sf_text_sha256_hex(raw->parts, raw->sha256_part + 3);
}

static int order_raws(const void *a, const void *b)
{
    const struct sf_raw *x = a, *y = b;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return sf_str_cmp(x->parts, y->parts);
}

size_t sf_members_end(const struct sf_members *members, size_t i)
{
    int64_t id = members->raws[i].id;
    while (i < members->n && members->raws[i].id == id)
        i++;
    return i;
}

static enum sf_code check_collisions(struct sf_arena *arena, const struct sf_members *members, struct sf_err *err)
{
    const struct sf_rule_dimension *d = members->dimension;
    struct sf_buf paths[2] = {SF_BUF(MAX_PATH_BYTES), SF_BUF(MAX_PATH_BYTES)};
    enum sf_code rc = SF_OK;
    for (size_t i = 1; i < members->n && !rc; i++) {
        const struct sf_raw *a = &members->raws[i - 1], *b = &members->raws[i];
        if (a->id != b->id || sf_str_eq(path_of(d, a, &paths[0]), path_of(d, b, &paths[1])))
            continue;
        rc = sf_fail(err, SF_E_DATA, "two members of '%.*s' have the same key %lld: '%.*s' and '%.*s'", SF_ARG(d->name),
                     (long long)a->id, SF_ARG(sf_raw_title(arena, d, a)), SF_ARG(sf_raw_title(arena, d, b)));
        sf_hint(err, "keys are hashes of names; rename one of the two in the source");
    }
    sf_buf_free(&paths[0]);
    sf_buf_free(&paths[1]);
    return rc;
}

/* Numbers the different raws of all lists, in `maps`; returns how many there are, and the first of each in `unique`. */
static size_t number_raws(struct sf_arena *arena, const struct sf_raw_list *lists, size_t n_lists, uint32_t **maps,
                          const struct sf_found_raw **unique)
{
    struct sf_intern seen;
    uint64_t seed;
    size_t n = 0;
    sf_random_bytes(&seed, sizeof seed);
    sf_intern_open(&seen, seed);
    for (size_t i = 0; i < n_lists; i++) {
        maps[i] = SF_NEW_ARRAY(arena, lists[i].n, uint32_t);
        for (size_t k = 0; k < lists[i].n; k++) {
            const struct sf_found_raw *raw = &lists[i].raws[k];
            maps[i][k] = UINT32_MAX;
            if (raw->problem)
                continue;
            uint64_t hash = sf_intern_hash(seen.seed, raw->parts);
            maps[i][k] = sf_intern_find(&seen, hash, raw->parts);
            if (maps[i][k] != SF_INTERN_NONE)
                continue;
            maps[i][k] = (uint32_t)n;
            sf_intern_add(&seen, hash, raw->parts, (uint32_t)n);
            unique[n++] = raw;
        }
    }
    sf_intern_close(&seen);
    return n;
}

enum sf_code sf_members_merge(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_rule_dimension *d,
                              const struct sf_raw_list *lists, size_t n_lists, uint32_t **maps, struct sf_members *out,
                              struct sf_err *err)
{
    size_t all = 0;
    for (size_t i = 0; i < n_lists; i++)
        all += lists[i].n;
    struct sf_arena *passing = sf_arena_new();
    const struct sf_found_raw **unique = SF_NEW_ARRAY(passing, all, const struct sf_found_raw *);
    size_t n = number_raws(arena, lists, n_lists, maps, unique);
    *out = (struct sf_members){rules, d, SF_NEW_ARRAY(arena, n, struct sf_raw), n};
    struct sf_buf buf = SF_BUF(MAX_PATH_BYTES);
    for (size_t i = 0; i < n; i++) {
        identify(arena, d, unique[i]->parts, &buf, &out->raws[i]);
        out->raws[i].last_year = (int)i; /* borrowed for a moment: its number, for the maps */
    }
    sf_buf_free(&buf);
    if (n)
        qsort(out->raws, n, sizeof *out->raws, order_raws);
    uint32_t *places = SF_NEW_ARRAY(passing, n, uint32_t);
    for (size_t i = 0; i < n; i++) {
        places[out->raws[i].last_year] = (uint32_t)i;
        out->raws[i].last_year = 0;
    }
    for (size_t i = 0; i < n_lists; i++)
        for (size_t k = 0; k < lists[i].n; k++)
            if (maps[i][k] != UINT32_MAX)
                maps[i][k] = places[maps[i][k]];
    sf_arena_free(passing);
    return check_collisions(arena, out, err);
}

struct sf_spellings {
    const struct sf_members *members;
    struct sf_spelling **of; /* raw x level */
};

static void improve(struct sf_spelling *best, int year, struct sf_str code, struct sf_str name)
{
    bool is_later = year > best->year;
    if (year < best->year)
        return;
    best->year = year;
    if (is_later || sf_str_cmp(code, best->code) < 0)
        best->code = code;
    if (is_later || sf_str_cmp(name, best->name) < 0)
        best->name = name;
}

struct sf_spellings *sf_spellings_make(struct sf_arena *arena, const struct sf_members *members)
{
    const struct sf_rule_dimension *d = members->dimension;
    struct sf_spellings *s = SF_NEW(arena, struct sf_spellings);
    s->members = members;
    s->of = SF_NEW_ARRAY(arena, members->n * d->n_levels, struct sf_spelling *);
    struct sf_map *paths = sf_map_new(arena);
    struct sf_buf buf = SF_BUF(MAX_PATH_BYTES);
    for (size_t i = 0; i < members->n; i++) {
        const struct sf_raw *raw = &members->raws[i];
        if (raw->last_year == 0)
            continue;
        for (size_t level = 0; level < d->n_levels; level++) {
            write_path(&buf, d, raw, level + 1);
            struct sf_spelling *found = sf_map_find(paths, sf_buf_str(&buf));
            if (!found) {
                found = SF_NEW(arena, struct sf_spelling);
                sf_map_put(paths, sf_str_dup(arena, sf_buf_str(&buf)), found);
            }
            improve(found, raw->last_year, filled(sf_raw_code(d, raw, level), d->levels[level].no_code), level_name(d, raw, level));
            s->of[i * d->n_levels + level] = found;
        }
    }
    sf_buf_free(&buf);
    return s;
}

const struct sf_spelling *sf_spellings_get(const struct sf_spellings *s, const struct sf_raw *raw, size_t level)
{
    return s->of[(size_t)(raw - s->members->raws) * s->members->dimension->n_levels + level];
}

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

struct sf_str sf_raw_name(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level)
{
    return raw->values[index_of(d, d->levels[level].name)];
}

struct sf_str sf_raw_code(const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t level)
{
    return d->levels[level].has_code ? raw->values[index_of(d, d->levels[level].code)] : SF_STR_NONE;
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
    const struct sf_rule_flag_value *value = flag_value(d, raw->values[index_of(d, d->flag.column)]);
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

void sf_raw_make(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_rule_dimension *d,
                 const struct sf_str *values, struct sf_raw *out)
{
    *out = (struct sf_raw){.problem = NULL};
    struct sf_buf parts = SF_BUF((size_t)SF_RULES_MAX_COLUMNS * 16 * 1024 * 1024);
    out->values = SF_NEW_ARRAY(arena, d->n_columns, struct sf_str);
    for (size_t i = 0; i < d->n_columns; i++)
        sf_text_part(&parts, values[i]);
    out->parts = sf_str_dup(arena, sf_buf_str(&parts));
    sf_buf_free(&parts);
    for (size_t i = 0; i < d->n_columns; i++) {
        const struct sf_rule_column *column = &rules->columns[d->columns[i]];
        struct sf_str value = sf_text_trim(values[i]);
        out->values[i] = sf_str_dup(arena, value);
        const char *problem = NULL;
        if (d->has_flag && d->columns[i] == d->flag.column)
            problem = flag_value(d, value) ? NULL : value.n ? "is none of the known values" : "is empty";
        else if (value.n > column->max_bytes)
            problem = "is wider than its column";
        if (problem && !out->problem) {
            out->problem = problem;
            out->problem_column = d->columns[i];
        }
    }
}

/* The parts of the key, the dimension's name first; upto levels, and the flag when they are all. */
static void write_path(struct sf_buf *buf, const struct sf_rule_dimension *d, const struct sf_raw *raw, size_t levels)
{
    sf_buf_clear(buf);
    sf_text_part_folded(buf, d->name);
    for (size_t i = 0; i < levels; i++)
        sf_text_part_folded(buf, level_name(d, raw, i));
}

static void identify(struct sf_arena *arena, const struct sf_rule_dimension *d, struct sf_raw *raw, struct sf_buf *buf)
{
    write_path(buf, d, raw, d->n_levels);
    if (d->has_flag)
        sf_text_part_folded(buf, sf_raw_flag(d, raw));
    raw->path = sf_str_dup(arena, sf_buf_str(buf));
    raw->id = sf_text_key(raw->path);
    raw->id_length = sf_text_write_int(raw->id, raw->id_text);
    memcpy(raw->sha256_part, "64:", 3);
    sf_text_sha256_hex(raw->parts, raw->sha256_part + 3);
}

static int order_raws(const void *a, const void *b)
{
    const struct sf_raw *x = *(const struct sf_raw *const *)a, *y = *(const struct sf_raw *const *)b;
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
    for (size_t i = 1; i < members->n; i++) {
        const struct sf_raw *a = &members->raws[i - 1], *b = &members->raws[i];
        if (a->id != b->id || sf_str_eq(a->path, b->path))
            continue;
        sf_fail(err, SF_E_DATA, "two members of '%.*s' have the same key %lld: '%.*s' and '%.*s'", SF_ARG(members->dimension->name),
                (long long)a->id, SF_ARG(sf_raw_title(arena, members->dimension, a)),
                SF_ARG(sf_raw_title(arena, members->dimension, b)));
        sf_hint(err, "keys are hashes of names; rename one of the two in the source");
        return SF_E_DATA;
    }
    return SF_OK;
}

enum sf_code sf_members_merge(struct sf_arena *arena, const struct sf_rules *rules, const struct sf_rule_dimension *d,
                              const struct sf_raw_list *lists, size_t n_lists, uint32_t **maps, struct sf_members *out,
                              struct sf_err *err)
{
    size_t all = 0, n = 0;
    for (size_t i = 0; i < n_lists; i++)
        all += lists[i].n;
    struct sf_raw **unique = SF_NEW_ARRAY(arena, all, struct sf_raw *);
    struct sf_intern seen;
    struct sf_buf buf = SF_BUF(MAX_PATH_BYTES);
    uint64_t seed;
    sf_random_bytes(&seed, sizeof seed);
    sf_intern_open(&seen, seed);
    for (size_t i = 0; i < n_lists; i++) {
        maps[i] = SF_NEW_ARRAY(arena, lists[i].n, uint32_t);
        for (size_t k = 0; k < lists[i].n; k++) {
            struct sf_raw *raw = &lists[i].raws[k];
            maps[i][k] = UINT32_MAX;
            if (raw->problem)
                continue;
            uint64_t hash = sf_intern_hash(seen.seed, raw->parts);
            maps[i][k] = sf_intern_find(&seen, hash, raw->parts);
            if (maps[i][k] != SF_INTERN_NONE)
                continue;
            maps[i][k] = (uint32_t)n;
            sf_intern_add(&seen, hash, raw->parts, (uint32_t)n);
            identify(arena, d, raw, &buf);
            unique[n++] = raw;
        }
    }
    sf_intern_close(&seen);
    sf_buf_free(&buf);

    struct sf_raw **sorted = SF_NEW_ARRAY(arena, n, struct sf_raw *);
    if (n) {
        memcpy(sorted, unique, n * sizeof *sorted);
        qsort(sorted, n, sizeof *sorted, order_raws);
    }
    *out = (struct sf_members){rules, d, SF_NEW_ARRAY(arena, n, struct sf_raw), n};
    for (size_t i = 0; i < n; i++) {
        out->raws[i] = *sorted[i];
        sorted[i]->last_year = (int)i; /* borrowed for a moment: its place, for the maps */
    }
    for (size_t i = 0; i < n_lists; i++)
        for (size_t k = 0; k < lists[i].n; k++)
            if (maps[i][k] != UINT32_MAX)
                maps[i][k] = (uint32_t)unique[maps[i][k]]->last_year;
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

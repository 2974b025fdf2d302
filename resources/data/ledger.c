/* See ledger.h. */
#include "resources/data/ledger.h"

#include "engine/core/json.h"

#include <inttypes.h>

/* Columns of the query. */
enum { C_KIND, C_TABLE, C_PART, C_ROWS, C_TOTAL, C_DIGEST, C_SOURCE, C_LOAD, C_RULES, C_STAR, C_CHECKS, C_PASSED, C_SAMPLE, C_BY };

static struct sf_ledger_entry *entry_of(struct sf_ledger *ledger, struct sf_str table, bool is_part, int64_t part)
{
    for (size_t i = 0; i < ledger->n; i++) {
        struct sf_ledger_entry *e = &ledger->entries[i];
        if (e->is_part == is_part && e->part == part && sf_str_eq(e->table, table))
            return e;
    }
    struct sf_ledger_entry *e = &ledger->entries[ledger->n++];
    *e = (struct sf_ledger_entry){.table = table, .is_part = is_part, .part = part};
    return e;
}

static void read_load(struct sf_ledger *ledger, const struct sf_value *rows, size_t r)
{
    ledger->has_load = true;
    ledger->load_id = sf_rows_text(rows, r, C_LOAD);
    ledger->raw = sf_rows_text(rows, r, C_SOURCE);
    ledger->rules = sf_rows_text(rows, r, C_RULES);
    ledger->star = sf_rows_text(rows, r, C_STAR);
    ledger->checks = sf_rows_text(rows, r, C_CHECKS);
    ledger->is_sample = sf_str_is(sf_rows_text(rows, r, C_SAMPLE), "true");
    if (!sf_str_int64(sf_rows_text(rows, r, C_PASSED), &ledger->checks_passed))
        ledger->checks_passed = 0;
}

static void read_entry(struct sf_ledger *ledger, const struct sf_value *rows, size_t r, bool is_recorded)
{
    int64_t part = 0, count = 0;
    bool is_part = sf_str_int64(sf_rows_text(rows, r, C_PART), &part);
    if (!sf_str_int64(sf_rows_text(rows, r, C_ROWS), &count))
        count = -1;
    struct sf_ledger_entry *e = entry_of(ledger, sf_rows_text(rows, r, C_TABLE), is_part, is_part ? part : 0);
    if (is_recorded) {
        e->is_doubled = e->is_recorded;
        e->is_recorded = true;
        e->recorded_rows = count;
        e->recorded_total = sf_rows_text(rows, r, C_TOTAL);
        e->recorded_digest = sf_rows_text(rows, r, C_DIGEST);
        e->source = sf_rows_text(rows, r, C_SOURCE);
    } else {
        e->is_found = true;
        e->found_rows = count;
        e->found_total = sf_rows_text(rows, r, C_TOTAL);
        e->found_digest = sf_rows_text(rows, r, C_DIGEST);
    }
}

/* "FOR VALUES IN (2025)", as pg_get_expr() writes it, or 2025; a partition made by hand may look otherwise and is no part of ours.
 */
static bool read_bound(struct sf_str text, int64_t *value)
{
    if (sf_str_int64(text, value))
        return true;
    struct sf_str start = SF_STR("FOR VALUES IN (");
    if (!sf_str_starts(text, start) || !sf_str_ends(text, SF_STR(")")))
        return false;
    struct sf_str inside = sf_str_slice(text, start.n, text.n - 1);
    if (inside.n >= 2 && inside.p[0] == '\'' && inside.p[inside.n - 1] == '\'')
        inside = sf_str_slice(inside, 1, inside.n - 1);
    return sf_str_int64(inside, value);
}

enum sf_code sf_ledger_read(struct sf_arena *arena, const struct sf_star *star, const struct sf_value *rows,
                            struct sf_str loaded_by, struct sf_ledger *ledger, struct sf_err *err)
{
    size_t n = sf_rows_count(rows);
    int64_t noted = 0, plain = 0;
    *ledger = (struct sf_ledger){.fact = star->fact->name};
    ledger->entries = SF_NEW_ARRAY(arena, n + 1, struct sf_ledger_entry);
    ledger->partitions = SF_NEW_ARRAY(arena, n + 1, struct sf_ledger_partition);
    for (size_t r = 0; r < n; r++) {
        struct sf_str kind = sf_rows_text(rows, r, C_KIND), table = sf_rows_text(rows, r, C_TABLE);
        if (sf_str_is(kind, "ledger")) {
            if (!sf_str_eq(sf_rows_text(rows, r, C_BY), loaded_by))
                ledger->other_loader = sf_rows_text(rows, r, C_BY);
            else if (sf_str_is(table, SF_LEDGER_LOAD))
                read_load(ledger, rows, r);
            else
                read_entry(ledger, rows, r, true);
        } else if (sf_str_is(kind, "found")) {
            read_entry(ledger, rows, r, false);
        } else if (sf_str_is(kind, "partition")) {
            ledger->partitions[ledger->n_partitions].table = table;
            if (read_bound(sf_rows_text(rows, r, C_PART), &ledger->partitions[ledger->n_partitions].value))
                ledger->n_partitions++;
        } else if (!sf_str_int64(table, sf_str_is(kind, "staging") ? &ledger->staging
                                        : sf_str_is(kind, "noted") ? &noted
                                                                   : &plain)) {
            return sf_fail(err, SF_E_INTERNAL, "the warehouse gave '%.*s' where a number was asked for", SF_ARG(table));
        }
    }
    ledger->wrong_comments = ledger->is_sample ? plain : noted;
    return SF_OK;
}

const struct sf_value *sf_ledger_state(struct sf_arena *arena, const struct sf_ledger_entry *e)
{
    int64_t found = e->is_found ? e->found_rows : 0;
    if (!e->is_recorded)
        return found == 0 ? NULL
                          : sf_value_str(
                                arena, sf_str_fmt(arena, "not loaded from here: %.*s rows", SF_ARG(sf_sql_grouped(arena, found))));
    if (e->is_doubled)
        return sf_value_str(arena, SF_STR("the ledger was edited by hand"));
    if (found < 0)
        return sf_value_str(arena, SF_STR("not as it was when it was compared"));
    if (found != e->recorded_rows)
        return sf_value_str(arena, sf_str_fmt(arena, "edited by hand: %.*s of %.*s rows", SF_ARG(sf_sql_grouped(arena, found)),
                                              SF_ARG(sf_sql_grouped(arena, e->recorded_rows))));
    if (!sf_str_eq(e->found_total, e->recorded_total))
        return sf_value_str(
            arena, sf_str_fmt(arena, "edited by hand: total is %.*s, was %.*s", SF_ARG(e->found_total), SF_ARG(e->recorded_total)));
    if (!sf_str_eq(e->found_digest, e->recorded_digest))
        return sf_value_str(arena, SF_STR("edited by hand: same rows and total, other contents"));
    const struct sf_value *source;
    struct sf_err ignored = {0};
    if (sf_json_parse(arena, e->source, "load_ledger", SF_JSON_PLAIN, &source, &ignored))
        return sf_value_str(arena, SF_STR("the ledger was edited by hand"));
    return source;
}

bool sf_ledger_agrees(const struct sf_ledger_entry *e)
{
    return e->is_recorded && !e->is_doubled && e->is_found && e->found_rows == e->recorded_rows &&
           sf_str_eq(e->found_total, e->recorded_total) && sf_str_eq(e->found_digest, e->recorded_digest);
}

const struct sf_ledger_entry *sf_ledger_find(const struct sf_ledger *ledger, struct sf_str table, const int64_t *part)
{
    for (size_t i = 0; i < ledger->n; i++) {
        const struct sf_ledger_entry *e = &ledger->entries[i];
        if (sf_str_eq(e->table, table) && e->is_part == (part != NULL) && (!part || e->part == *part))
            return e;
    }
    return NULL;
}

bool sf_ledger_has_partition(const struct sf_ledger *ledger, struct sf_str table, int64_t part)
{
    for (size_t i = 0; i < ledger->n_partitions; i++)
        if (ledger->partitions[i].value == part && sf_str_eq(ledger->partitions[i].table, table))
            return true;
    return false;
}

/* Whether `e`, as the query that did not measure shows it, can still hold what `seen` says. */
static bool still_holds(struct sf_arena *arena, const struct sf_ledger *ledger, const struct sf_ledger_entry *e,
                        const struct sf_value *seen)
{
    const struct sf_value *source;
    struct sf_err ignored = {0};
    if (!seen || sf_json_parse(arena, e->source, "load_ledger", SF_JSON_PLAIN, &source, &ignored) || !sf_value_equal(seen, source))
        return false;
    bool is_there = e->is_part ? sf_ledger_has_partition(ledger, e->table, e->part) : e->is_found && e->found_rows > 0;
    return is_there || e->recorded_rows == 0;
}

/* The map of a table's parts in contents; NULL when it has none. */
static const struct sf_value *parts_in(const struct sf_ledger *ledger, const struct sf_value *contents, struct sf_str table)
{
    const struct sf_value *parts =
        sf_str_eq(table, ledger->fact) ? sf_map_getz(contents, "years") : sf_map_get(sf_map_getz(contents, "tables"), table);
    return parts && parts->type == SF_V_MAP ? parts : NULL;
}

/* Parts that were seen in a table and that no load of ours brought. */
static void assume_foreign_parts(struct sf_ledger *ledger, struct sf_str table, const struct sf_value *parts)
{
    for (size_t i = 0; parts && i < parts->map.n; i++) {
        int64_t part;
        if (sf_str_int64(parts->map.pairs[i].key, &part) && !sf_ledger_find(ledger, table, &part))
            ledger->entries[ledger->n++] =
                (struct sf_ledger_entry){.table = table, .is_part = true, .part = part, .is_found = true, .found_rows = 1};
    }
}

void sf_ledger_assume(struct sf_arena *arena, struct sf_ledger *ledger, const struct sf_value *contents)
{
    const struct sf_value *tables = sf_map_getz(contents, "tables"), *years = parts_in(ledger, contents, ledger->fact);
    size_t n_tables = tables && tables->type == SF_V_MAP ? tables->map.n : 0, most = ledger->n + (years ? years->map.n : 0);
    for (size_t i = 0; i < n_tables; i++)
        most += tables->map.pairs[i].value->type == SF_V_MAP ? tables->map.pairs[i].value->map.n : 0;
    struct sf_ledger_entry *all = SF_NEW_ARRAY(arena, most + 1, struct sf_ledger_entry);
    memcpy(all, ledger->entries, ledger->n * sizeof(*all));
    ledger->entries = all;
    for (size_t i = 0; i < ledger->n; i++) {
        struct sf_ledger_entry *e = &all[i];
        if (!e->is_recorded)
            continue;
        const struct sf_value *seen = e->is_part
                                          ? sf_map_get(parts_in(ledger, contents, e->table), sf_str_fmt(arena, "%" PRId64, e->part))
                                          : sf_map_get(tables, e->table);
        bool holds = still_holds(arena, ledger, e, seen);
        e->is_found = true;
        e->found_rows = holds ? e->recorded_rows : -1;
        e->found_total = e->recorded_total;
        e->found_digest = e->recorded_digest;
    }
    assume_foreign_parts(ledger, ledger->fact, years);
    for (size_t i = 0; i < n_tables; i++)
        if (tables->map.pairs[i].value->type == SF_V_MAP)
            assume_foreign_parts(ledger, tables->map.pairs[i].key, tables->map.pairs[i].value);
}

/* The map of a table's parts, made if need be. One that was loaded whole before has a text there, which stays: then all of it is
 * loaded again. */
static struct sf_value *parts_of(struct sf_arena *arena, struct sf_value *tables, struct sf_value *years,
                                 const struct sf_ledger *ledger, struct sf_str table)
{
    if (sf_str_eq(table, ledger->fact))
        return years;
    for (size_t i = 0; i < tables->map.n; i++)
        if (sf_str_eq(tables->map.pairs[i].key, table))
            return (struct sf_value *)(uintptr_t)tables->map.pairs[i].value;
    struct sf_value *parts = sf_value_map(arena);
    sf_map_add(arena, tables, table, parts);
    return parts;
}

const struct sf_value *sf_ledger_contents(struct sf_arena *arena, const struct sf_ledger *ledger)
{
    struct sf_value *contents = sf_value_map(arena), *tables = sf_value_map(arena), *years = sf_value_map(arena);
    for (size_t i = 0; i < ledger->n; i++) {
        const struct sf_ledger_entry *e = &ledger->entries[i];
        const struct sf_value *state = sf_ledger_state(arena, e);
        if (!state)
            continue;
        if (!e->is_part) {
            sf_map_set(arena, tables, e->table, state);
            continue;
        }
        struct sf_value *parts = parts_of(arena, tables, years, ledger, e->table);
        if (parts->type == SF_V_MAP)
            sf_map_add(arena, parts, sf_str_fmt(arena, "%" PRId64, e->part), state);
    }
    sf_map_set_str(arena, contents, "rules", ledger->rules);
    sf_map_set_str(arena, contents, "star", ledger->star);
    sf_map_set_str(arena, contents, "checks", ledger->checks);
    if (ledger->wrong_comments == 0)
        sf_map_set_bool(arena, contents, "sample", ledger->is_sample);
    else
        sf_map_set_str(arena, contents, "sample",
                       sf_str_fmt(arena, "%" PRId64 " comments do not say whether it is a sample", ledger->wrong_comments));
    if (ledger->staging > 0)
        sf_map_set_str(arena, contents, "staging",
                       sf_str_fmt(arena, "%" PRId64 " tables of a load that was stopped", ledger->staging));
    sf_map_set(arena, contents, SF_STR("tables"), tables);
    sf_map_set(arena, contents, SF_STR("years"), years);
    return contents;
}

/* Whether the ledger knows this as the source of a table, or of a part of one, that is as it was published. */
static bool is_published(struct sf_arena *arena, const struct sf_ledger *ledger, struct sf_str table, const struct sf_str *part,
                         const struct sf_value *source)
{
    int64_t value = 0;
    if (part && !sf_str_int64(*part, &value))
        return false;
    const struct sf_ledger_entry *e = sf_ledger_find(ledger, table, part ? &value : NULL);
    return e && sf_ledger_agrees(e) && sf_value_equal(source, sf_ledger_state(arena, e));
}

/* Those parts that are not as published. */
static struct sf_value *differing_parts(struct sf_arena *arena, const struct sf_ledger *ledger, struct sf_str table,
                                        const struct sf_value *parts)
{
    struct sf_value *out = sf_value_map(arena);
    for (size_t i = 0; i < parts->map.n; i++) {
        const struct sf_pair *pair = &parts->map.pairs[i];
        if (!is_published(arena, ledger, table, &pair->key, pair->value))
            sf_map_add(arena, out, pair->key, pair->value);
    }
    return out;
}

static struct sf_value *differing_tables(struct sf_arena *arena, const struct sf_ledger *ledger, const struct sf_value *tables)
{
    struct sf_value *out = sf_value_map(arena);
    for (size_t i = 0; i < tables->map.n; i++) {
        const struct sf_pair *pair = &tables->map.pairs[i];
        if (pair->value->type == SF_V_MAP) {
            const struct sf_value *parts = differing_parts(arena, ledger, pair->key, pair->value);
            if (parts->map.n > 0)
                sf_map_add(arena, out, pair->key, parts);
        } else if (!is_published(arena, ledger, pair->key, NULL, pair->value)) {
            sf_map_add(arena, out, pair->key, pair->value);
        }
    }
    return out;
}

const struct sf_value *sf_ledger_differences(struct sf_arena *arena, const struct sf_ledger *ledger,
                                             const struct sf_value *contents)
{
    if (!ledger->raw.n)
        return contents;
    struct sf_value *out = sf_value_map(arena);
    for (size_t i = 0; i < contents->map.n; i++) {
        const struct sf_pair *pair = &contents->map.pairs[i];
        const struct sf_value *value = sf_str_is(pair->key, "years")    ? differing_parts(arena, ledger, ledger->fact, pair->value)
                                       : sf_str_is(pair->key, "tables") ? differing_tables(arena, ledger, pair->value)
                                                                        : pair->value;
        sf_map_add(arena, out, pair->key, value);
    }
    sf_map_set_str(arena, out, "raw", ledger->raw);
    return out;
}

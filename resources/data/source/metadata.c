/* See metadata.h. Numbers in the column profiles are strings, and any of them may be missing. */
#include "resources/data/source/metadata.h"

#include "engine/core/json.h"
#include "resources/data/data_file.h"
#include "resources/data/source/meter.h"

#include <inttypes.h>

enum { MAX_LIST_BYTES = 400 };

static int64_t number_at(const struct sf_value *map, const char *key)
{
    const struct sf_value *v = sf_map_getz(map, key);
    int64_t n = 0;
    if (v && v->type == SF_V_STRING && !sf_str_int64(v->s, &n))
        return 0;
    return v && v->type == SF_V_INT ? v->i : n;
}

static void read_column(struct sf_arena *arena, const struct sf_value *column, const struct sf_rules *rules,
                        struct sf_value *columns, struct sf_value *names, struct sf_metadata *m)
{
    struct sf_str field = sf_map_str(column, "fieldName"), name = sf_map_str(column, "name");
    if (field.n == 0 || field.p[0] == ':') /* the portal's own: row id, times */
        return;
    sf_map_set(arena, columns, field, sf_value_str(arena, sf_map_str(column, "dataTypeName")));
    sf_map_set(arena, names, field, sf_value_str(arena, name));
    const struct sf_value *profile = sf_map_getz(column, "cachedContents");
    int64_t rows = number_at(profile, "non_null") + number_at(profile, "null"), count = number_at(profile, "count");
    rows = rows > count ? rows : count;
    if (rows > 0 && (uint64_t)rows > m->rows)
        m->rows = (uint64_t)rows;
    if (rules->as_of_column >= 0 && sf_meter_is_named(&rules->columns[rules->as_of_column], field))
        m->as_of = sf_map_str(profile, "largest");
}

enum sf_code sf_metadata_read(struct sf_arena *arena, struct sf_str text, const struct sf_rules *rules, struct sf_metadata *m,
                              struct sf_err *err)
{
    const struct sf_value *root;
    *m = (struct sf_metadata){.updated_at = 0};
    if (sf_str_starts(sf_str_trim(text), SF_STR("<"))) {
        sf_fail(err, SF_E_DATA, "a web page came instead of the table's metadata");
        sf_hint(err, "open the address in a browser: a proxy's login or an error page stands there");
        return SF_E_DATA;
    }
    if (sf_json_parse(arena, text, "metadata", SF_JSON_PLAIN, &root, err)) {
        if (err)
            err->where = (struct sf_mark){.file = NULL};
        sf_context(err, "the table's metadata cannot be read");
        return SF_E_DATA;
    }
    const struct sf_value *list = sf_map_getz(root, "columns");
    if (!list || list->type != SF_V_LIST || list->list.n == 0)
        return sf_fail(err, SF_E_DATA, "the table's metadata names no columns");
    struct sf_value *columns = sf_value_map(arena), *names = sf_value_map(arena);
    for (size_t i = 0; i < list->list.n; i++)
        read_column(arena, list->list.items[i], rules, columns, names, m);
    m->columns = columns;
    m->names = names;
    /* some portals leave rowsUpdatedAt out */
    m->updated_at = number_at(root, "rowsUpdatedAt");
    if (m->updated_at <= 0)
        m->updated_at = number_at(root, "viewLastModified");
    m->identity = sf_str_fmt(arena, "updated %" PRId64 " rows %" PRIu64 " as_of %.*s columns %.*s", m->updated_at, m->rows,
                             SF_ARG(m->as_of), SF_ARG(sf_data_digest16(arena, sf_json_text(arena, columns, SF_JSON_PLAIN))));
    return SF_OK;
}

/* --- the contract --- */

static int find_column(const struct sf_rules *rules, struct sf_str field, struct sf_str name)
{
    for (size_t i = 0; i < rules->n_columns; i++)
        if (sf_meter_is_named(&rules->columns[i], field) || (name.n && sf_meter_is_named(&rules->columns[i], name)))
            return (int)i;
    return -1;
}

static void add(struct sf_buf *list, const char *lead, struct sf_str name)
{
    sf_buf_addf(list, "%s'%.*s'", list->n ? ", " : lead, SF_ARG(sf_str_slice(name, 0, 60)));
}

static void join(struct sf_buf *all, const struct sf_buf *list)
{
    if (list->n)
        sf_buf_addf(all, "%s%s", all->n ? "; " : "", list->p);
}

enum sf_code sf_metadata_check(struct sf_op *op, struct sf_str table, const struct sf_metadata *m, const struct sf_rules *rules,
                               const struct sf_value *before, struct sf_err *err)
{
    struct sf_buf fresh = SF_BUF(MAX_LIST_BYTES), twice = SF_BUF(MAX_LIST_BYTES), missing = SF_BUF(MAX_LIST_BYTES),
                  retyped = SF_BUF(MAX_LIST_BYTES), fatal = SF_BUF(SF_MAX_MESSAGE_BYTES), mild = SF_BUF(SF_MAX_MESSAGE_BYTES);
    bool is_there[SF_RULES_MAX_COLUMNS] = {false};
    for (size_t i = 0; i < m->columns->map.n; i++) {
        struct sf_str field = m->columns->map.pairs[i].key, type = m->columns->map.pairs[i].value->s;
        struct sf_str was = sf_map_get(before, field) ? sf_map_get(before, field)->s : type;
        int column = find_column(rules, field, sf_map_get(m->names, field)->s);
        if (column < 0)
            add(&fresh, "new ", field);
        else if (is_there[column])
            add(&twice, "there twice ", rules->columns[column].name);
        else
            is_there[column] = true;
        if (!sf_str_eq(type, was))
            sf_buf_addf(&retyped, "%s'%.*s' was %.*s and is %.*s", retyped.n ? ", " : "", SF_ARG(field), SF_ARG(was), SF_ARG(type));
    }
    for (size_t i = 0; i < rules->n_columns; i++)
        if (!is_there[i] && !rules->columns[i].is_optional)
            add(&missing, "missing ", rules->columns[i].name);
    bool is_frozen = rules->contract == SF_CONTRACT_FREEZE;
    join(&fatal, &missing);
    join(&fatal, &twice);
    join(is_frozen ? &fatal : &mild, &fresh);
    join(is_frozen ? &fatal : &mild, &retyped);
    enum sf_code rc = SF_OK;
    if (fatal.n) {
        rc = sf_fail(err, SF_E_DATA, "the columns of '%.*s' have changed: %s; nothing was fetched", SF_ARG(table), fatal.p);
        sf_hint(err, missing.n && fresh.n ? "if a column only has a new name, add that to its `names` in the rule file"
                     : missing.n          ? "every column of the rule file that is not optional must be there: change the rule file"
                     : twice.n            ? "leave one of the names out of the rule file"
                                          : "add it to the rule file, or say `schema_contract: evolve` to leave new columns out");
    } else if (mild.n) {
        sf_op_warn(op, "the columns of '%.*s' have changed: %s", SF_ARG(table), mild.p);
    }
    sf_buf_free(&fresh);
    sf_buf_free(&twice);
    sf_buf_free(&missing);
    sf_buf_free(&retyped);
    sf_buf_free(&fatal);
    sf_buf_free(&mild);
    return rc;
}

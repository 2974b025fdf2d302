/* See star_file.h. */
#include "resources/data/star_file.h"

#include "resources/data/data_file.h"

enum {
    MAX_TABLES = 64,
    MAX_COLUMNS = 256,
    MAX_NAME = 50,
    MAX_TABLE_NAME = 40, /* "staged_conform_<name>_members" is whole for PostgreSQL, which cuts names at 63 bytes without a word */
    MAX_WIDTH = 65535,
};

struct reader {
    struct sf_arena *arena;
    const char *path;
    struct sf_err *err;
};

static const struct {
    const char *name;
    enum sf_star_type type;
} type_names[] = {
    {"bigint", SF_STAR_BIGINT},   {"integer", SF_STAR_INTEGER}, {"text", SF_STAR_TEXT},
    {"numeric", SF_STAR_NUMERIC}, {"boolean", SF_STAR_BOOLEAN}, {"timestamp", SF_STAR_TIMESTAMP},
};

static const struct {
    const char *name;
    enum sf_star_role role;
} role_names[] = {{"dimension", SF_STAR_DIMENSION}, {"fact", SF_STAR_FACT}, {"bridge", SF_STAR_BRIDGE}};

/* The bookkeeping that every star has, in the language of the star file itself. */
static const char own_tables[] =
    "load_ledger:\n"
    "  comment: What is published now and what was before; one row per load, and one per table or year that it published\n"
    "  columns:\n"
    "    load_id: {type: text, bytes: 36, comment: 'Id of the load'}\n"
    "    table_name: {type: text, bytes: 63, comment: 'Table that was published; (load) for the load as a whole'}\n"
    "    part: {type: integer, nullable: true, comment: 'Part of the fact, a value of the column it is partitioned by; null for a "
    "whole table'}\n"
    "    is_current: {type: boolean, comment: 'Whether this is what is published now; earlier rows are history'}\n"
    "    row_count: {type: bigint, comment: 'Rows, counted after publishing'}\n"
    "    amount: {type: numeric, digits: 20, scale: 2, nullable: true, comment: 'Signed total, summed after publishing'}\n"
    "    digest: {type: text, bytes: 60, nullable: true, comment: 'Digest over every column, free of row order, computed after "
    "publishing'}\n"
    "    source: {type: text, bytes: 2000, nullable: true, comment: 'What the data set said of this part, as JSON'}\n"
    "    rules: {type: text, bytes: 64, nullable: true, comment: 'Digest of the rules that conformed the data'}\n"
    "    star: {type: text, bytes: 64, comment: 'Digest of the star file'}\n"
    "    checks: {type: text, bytes: 64, nullable: true, comment: 'Digest of the checks file'}\n"
    "    checks_passed: {type: integer, comment: 'Checks that could have stopped this load and passed; the others are in accepted "
    "and warned'}\n"
    "    accepted: {type: text, bytes: 2000, nullable: true, comment: 'Checks that failed and were accepted by "
    "name (-accept-check), each with its number of failing rows'}\n"
    "    warned: {type: text, bytes: 2000, nullable: true, comment: 'Checks that failed with severity warn, each "
    "with its number of failing rows'}\n"
    "    snapshot: {type: text, bytes: 64, nullable: true, comment: 'Digest of the whole snapshot'}\n"
    "    delivery: {type: text, bytes: 1024, nullable: true, comment: 'Commit file of the delivery that it was loaded from'}\n"
    "    is_sample: {type: boolean, comment: 'Whether the data were generated'}\n"
    "    note: {type: text, bytes: 200, nullable: true, comment: 'What must be said of the data'}\n"
    "    data_as_of: {type: text, bytes: 40, nullable: true, comment: 'When the source says its data were taken'}\n"
    "    data_loaded_at: {type: text, bytes: 40, nullable: true, comment: 'When the source says it was last filled'}\n"
    "    published_at: {type: timestamp, comment: 'When the load was published'}\n"
    "    loaded_by: {type: text, bytes: 500, comment: 'Stack, lineage and resource that published it'}\n"
    "load_rejects:\n"
    "  comment: Rows that failed a check of the last load, published or refused; at most 1,000 a check\n"
    "  columns:\n"
    "    load_id: {type: text, bytes: 36, comment: 'Id of the load'}\n"
    "    check_name: {type: text, bytes: 100, comment: 'Check that the row failed'}\n"
    "    severity: {type: text, bytes: 10, comment: 'error: it kept the load from being published; warn, accepted: it did not'}\n"
    "    row_number: {type: bigint, comment: 'Number within the check'}\n"
    "    row_text: {type: text, bytes: 4000, comment: 'The row, as column=value'}\n"
    "    recorded_at: {type: timestamp, comment: 'When it was recorded'}\n"
    "    loaded_by: {type: text, bytes: 500, comment: 'Stack, lineage and resource whose load it was'}\n";

static enum sf_code bad(const struct reader *r, struct sf_mark where, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code bad(const struct reader *r, struct sf_mark where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(r->arena, fmt, ap);
    va_end(ap);
    sf_fail(r->err, SF_E_CONFIG, "star file '%s', line %u: %.*s", r->path, where.line, SF_ARG(text));
    if (r->err)
        r->err->where = where;
    return SF_E_CONFIG;
}

/* People type these names without quotes, so only what survives that is allowed. */
static bool is_plain_name(struct sf_str name)
{
    if (name.n == 0 || name.n > MAX_NAME || (name.p[0] >= '0' && name.p[0] <= '9'))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static enum sf_code check_fields(const struct reader *r, const char *what, const struct sf_value *map, const char *const *allowed)
{
    for (size_t i = 0; i < map->map.n; i++) {
        size_t k = 0;
        while (allowed[k] && !sf_str_is(map->map.pairs[i].key, allowed[k]))
            k++;
        if (!allowed[k])
            return bad(r, map->map.pairs[i].key_mark, "%s has no field '%.*s'", what, SF_ARG(map->map.pairs[i].key));
    }
    return SF_OK;
}

static enum sf_code read_int(const struct reader *r, const struct sf_value *map, const char *field, int64_t min, int64_t max,
                             int *out)
{
    const struct sf_value *v = sf_map_getz(map, field);
    int64_t n;
    if (!v)
        return SF_OK;
    if (v->type != SF_V_STRING || !sf_str_int64(v->s, &n) || n < min || n > max)
        return bad(r, v->mark, "'%s' must be a whole number from %d to %d", field, (int)min, (int)max);
    *out = (int)n;
    return SF_OK;
}

/* `v` is the text, or NULL for none. A comment is written as one literal, in which Redshift takes a backslash for an escape and
 * PostgreSQL does not. */
static enum sf_code read_comment(const struct reader *r, const struct sf_value *v, struct sf_str *out)
{
    *out = SF_STR_NONE;
    if (!v || v->type != SF_V_STRING)
        return SF_OK;
    *out = sf_str_trim(v->s);
    if (sf_str_find(*out, SF_STR("\\")) != SIZE_MAX)
        return bad(r, v->mark, "a comment must have no backslash: warehouses do not agree about what it means");
    return SF_OK;
}

static enum sf_code read_column(const struct reader *r, const struct sf_pair *pair, struct sf_star_column *out)
{
    static const char *const fields[] = {"type", "bytes", "digits", "scale", "nullable", "references", "comment", NULL};
    const struct sf_value *v = pair->value;
    out->name = pair->key;
    if (!is_plain_name(pair->key))
        return bad(r, pair->key_mark, "column '%.*s' must be a-z, 0-9 and _, at most %d characters", SF_ARG(pair->key), MAX_NAME);
    if (v->type != SF_V_MAP)
        return bad(r, pair->key_mark, "column '%.*s' must be a map with type and comment", SF_ARG(pair->key));
    enum sf_code rc = check_fields(r, "a column", v, fields);
    if (!rc)
        rc = read_int(r, v, "bytes", 1, MAX_WIDTH, &out->bytes);
    if (!rc)
        rc = read_int(r, v, "digits", 1, 38, &out->digits);
    if (!rc)
        rc = read_int(r, v, "scale", 0, 37, &out->scale);
    if (rc)
        return rc;
    struct sf_str type = sf_map_str(v, "type");
    size_t t = 0;
    while (t < SF_COUNT(type_names) && !sf_str_is(type, type_names[t].name))
        t++;
    if (t == SF_COUNT(type_names))
        return bad(r, pair->key_mark, "column '%.*s' has no known type: bigint, integer, text, numeric, boolean or timestamp",
                   SF_ARG(pair->key));
    out->type = type_names[t].type;
    if ((out->type == SF_STAR_TEXT) != (out->bytes > 0))
        return bad(r, pair->key_mark, "column '%.*s': a text, and nothing else, needs 'bytes'", SF_ARG(pair->key));
    if ((out->type == SF_STAR_NUMERIC) != (out->digits > 0) || out->scale > out->digits)
        return bad(r, pair->key_mark, "column '%.*s': a numeric, and nothing else, needs 'digits' and a 'scale' within them",
                   SF_ARG(pair->key));
    out->is_nullable = sf_str_is(sf_map_str(v, "nullable"), "true");
    out->references = sf_map_str(v, "references");
    rc = read_comment(r, sf_map_getz(v, "comment"), &out->comment);
    if (!rc && out->comment.n == 0)
        return bad(r, pair->key_mark, "column '%.*s' has no comment", SF_ARG(pair->key));
    return rc;
}

static enum sf_code read_table(const struct reader *r, const struct sf_pair *pair, bool is_own, struct sf_star_table *out)
{
    static const char *const fields[] = {"role", "key", "partition_by", "measure", "comment", "columns", NULL};
    const struct sf_value *v = pair->value;
    out->name = pair->key;
    if (!is_plain_name(pair->key) || pair->key.n > MAX_TABLE_NAME)
        return bad(r, pair->key_mark, "table '%.*s' must be a-z, 0-9 and _, at most %d characters", SF_ARG(pair->key),
                   MAX_TABLE_NAME);
    if (v->type != SF_V_MAP)
        return bad(r, pair->key_mark, "table '%.*s' must be a map", SF_ARG(pair->key));
    enum sf_code rc = check_fields(r, "a table", v, fields);
    if (!rc)
        rc = read_comment(r, sf_map_getz(v, "comment"), &out->comment);
    if (rc)
        return rc;
    out->key = sf_map_str(v, "key");
    out->partition_by = sf_map_str(v, "partition_by");
    out->measure = sf_map_str(v, "measure");
    out->role = SF_STAR_LEDGER;
    if (!is_own) {
        size_t i = 0;
        while (i < SF_COUNT(role_names) && !sf_str_is(sf_map_str(v, "role"), role_names[i].name))
            i++;
        if (i == SF_COUNT(role_names))
            return bad(r, pair->key_mark, "table '%.*s' has no known role: dimension, fact or bridge", SF_ARG(pair->key));
        out->role = role_names[i].role;
    }
    if (out->comment.n == 0)
        return bad(r, pair->key_mark, "table '%.*s' has no comment", SF_ARG(pair->key));
    const struct sf_value *columns = sf_map_getz(v, "columns");
    if (!columns || columns->type != SF_V_MAP || columns->map.n == 0 || columns->map.n > MAX_COLUMNS)
        return bad(r, pair->key_mark, "table '%.*s' needs 1 to %d columns", SF_ARG(pair->key), MAX_COLUMNS);
    out->columns = SF_NEW_ARRAY(r->arena, columns->map.n, struct sf_star_column);
    for (size_t i = 0; i < columns->map.n; i++, out->n_columns++) {
        rc = read_column(r, &columns->map.pairs[i], &out->columns[i]);
        if (rc)
            return rc;
    }
    if (out->key.n > 0 && !sf_star_column(out, out->key))
        return bad(r, pair->key_mark, "key '%.*s' is no column of table '%.*s'", SF_ARG(out->key), SF_ARG(out->name));
    if (out->role == SF_STAR_DIMENSION && out->key.n == 0)
        return bad(r, pair->key_mark, "dimension '%.*s' has no key", SF_ARG(out->name));
    bool is_fact = out->role == SF_STAR_FACT;
    if (!is_fact && out->partition_by.n == 0)
        return SF_OK;
    const struct sf_star_column *part = sf_star_column(out, out->partition_by);
    if (!part || part->type != SF_STAR_INTEGER || part->is_nullable)
        return bad(r, pair->key_mark, "%s '%.*s' needs partition_by: an integer column that is never null",
                   is_fact ? "fact" : "bridge", SF_ARG(out->name));
    if (!is_fact && (out->role != SF_STAR_BRIDGE || out->key.n > 0))
        return bad(r, pair->key_mark, "table '%.*s' has partition_by, which is for a fact and for a bridge without a key",
                   SF_ARG(out->name));
    if (!is_fact)
        return SF_OK;
    const struct sf_star_column *measure = sf_star_column(out, out->measure);
    if (!measure || measure->type != SF_STAR_NUMERIC || measure->scale != 2)
        return bad(r, pair->key_mark, "fact '%.*s' needs measure: a numeric column of scale 2", SF_ARG(out->name));
    return SF_OK;
}

static enum sf_code read_view(const struct reader *r, const struct sf_pair *pair, struct sf_star_view *out)
{
    static const char *const fields[] = {"comment", "sql", "columns", NULL};
    const struct sf_value *v = pair->value;
    out->name = pair->key;
    if (!is_plain_name(pair->key) || v->type != SF_V_MAP)
        return bad(r, pair->key_mark, "view '%.*s' must be a plain name with a map", SF_ARG(pair->key));
    enum sf_code rc = check_fields(r, "a view", v, fields);
    if (!rc)
        rc = read_comment(r, sf_map_getz(v, "comment"), &out->comment);
    if (rc)
        return rc;
    out->sql = sf_str_trim(sf_map_str(v, "sql"));
    if (out->comment.n == 0 || out->sql.n == 0)
        return bad(r, pair->key_mark, "view '%.*s' needs comment and sql", SF_ARG(pair->key));
    const struct sf_value *columns = sf_map_getz(v, "columns");
    if (!columns || columns->type != SF_V_MAP)
        return bad(r, pair->key_mark, "view '%.*s' needs columns, each with its comment", SF_ARG(pair->key));
    out->columns = SF_NEW_ARRAY(r->arena, columns->map.n, struct sf_star_column);
    for (size_t i = 0; i < columns->map.n; i++, out->n_columns++) {
        const struct sf_pair *column = &columns->map.pairs[i];
        if (!is_plain_name(column->key) || column->value->type != SF_V_STRING || sf_str_trim(column->value->s).n == 0)
            return bad(r, column->key_mark, "column '%.*s' of view '%.*s' must be a plain name with a comment", SF_ARG(column->key),
                       SF_ARG(out->name));
        out->columns[i].name = column->key;
        rc = read_comment(r, column->value, &out->columns[i].comment);
        if (rc)
            return rc;
    }
    return SF_OK;
}

static enum sf_code read_tables(const struct reader *r, const struct sf_value *map, bool is_own, struct sf_star *star)
{
    for (size_t i = 0; i < map->map.n; i++) {
        struct sf_star_table *table = &star->tables[star->n_tables];
        enum sf_code rc = read_table(r, &map->map.pairs[i], is_own, table);
        if (rc)
            return rc;
        star->n_tables++;
        if (table->role != SF_STAR_FACT)
            continue;
        if (star->fact)
            return bad(r, map->map.pairs[i].key_mark, "two facts, '%.*s' and '%.*s'; a star has one", SF_ARG(star->fact->name),
                       SF_ARG(table->name));
        star->fact = table;
    }
    return SF_OK;
}

static enum sf_code check_references(const struct reader *r, const struct sf_star *star, const struct sf_value *tables)
{
    for (size_t t = 0; t < star->n_tables; t++) {
        for (size_t c = 0; c < star->tables[t].n_columns; c++) {
            struct sf_str to = star->tables[t].columns[c].references;
            const struct sf_star_table *target = to.n > 0 ? sf_star_table(star, to) : NULL;
            if (to.n > 0 && (!target || target->role != SF_STAR_DIMENSION))
                return bad(r, tables->mark, "column '%.*s.%.*s' refers to '%.*s', which is no dimension",
                           SF_ARG(star->tables[t].name), SF_ARG(star->tables[t].columns[c].name), SF_ARG(to));
        }
    }
    return SF_OK;
}

enum sf_code sf_star_parse(struct sf_op *op, const char *path, struct sf_str text, struct sf_star **out, struct sf_err *err)
{
    static const char *const fields[] = {"star", "sample_note", "key_rule", "tables", "views", NULL};
    struct reader r = {op->arena, path, err};
    const struct sf_value *root, *own;
    enum sf_code rc = sf_data_file_parse(op, "star file", path, text, &root, err);
    if (!rc)
        rc = sf_data_file_parse(op, "star file", "(built in)", SF_STR(own_tables), &own, err);
    if (!rc)
        rc = check_fields(&r, "a star file", root, fields);
    if (rc)
        return rc;
    if (!sf_str_is(sf_map_str(root, "star"), "1"))
        return bad(&r, root->mark, "needs 'star: 1', the version of its language");
    const struct sf_value *tables = sf_map_getz(root, "tables");
    if (!tables || tables->type != SF_V_MAP || tables->map.n == 0 || tables->map.n > MAX_TABLES)
        return bad(&r, root->mark, "needs 'tables', at most %d", MAX_TABLES);
    const struct sf_value *views = sf_map_getz(root, "views");
    if (views && (views->type != SF_V_MAP || views->map.n > MAX_TABLES))
        return bad(&r, views->mark, "'views' must be a map, at most %d", MAX_TABLES);

    struct sf_star *star = SF_NEW(op->arena, struct sf_star);
    star->digest = sf_data_digest16(op->arena, text);
    rc = read_comment(&r, sf_map_getz(root, "sample_note"), &star->sample_note);
    if (rc)
        return rc;
    star->tables = SF_NEW_ARRAY(op->arena, tables->map.n + own->map.n, struct sf_star_table);
    star->views = SF_NEW_ARRAY(op->arena, views ? views->map.n : 1, struct sf_star_view);
    rc = read_tables(&r, tables, false, star);
    if (rc)
        return rc;
    for (size_t i = 0; i < own->map.n; i++) {
        const struct sf_pair *pair = sf_map_pair(tables, own->map.pairs[i].key);
        if (pair)
            return bad(&r, pair->key_mark, "table '%.*s' is one of our own: choose another name", SF_ARG(pair->key));
    }
    rc = read_tables(&r, own, true, star);
    if (rc)
        return rc;
    for (size_t i = 0; views && i < views->map.n; i++, star->n_views++) {
        if (sf_star_table(star, views->map.pairs[i].key))
            return bad(&r, views->map.pairs[i].key_mark, "'%.*s' is a table and a view", SF_ARG(views->map.pairs[i].key));
        rc = read_view(&r, &views->map.pairs[i], &star->views[i]);
        if (rc)
            return rc;
    }
    if (!star->fact)
        return bad(&r, tables->mark, "no table has role 'fact'");
    *out = star;
    return check_references(&r, star, tables);
}

enum sf_code sf_star_load(struct sf_op *op, struct sf_str name, struct sf_star **star, struct sf_err *err)
{
    const char *path;
    struct sf_str text;
    enum sf_code rc = sf_data_file_read(op, "star file", name, &path, &text, err);
    return rc ? rc : sf_star_parse(op, path, text, star, err);
}

const struct sf_star_table *sf_star_table(const struct sf_star *star, struct sf_str name)
{
    for (size_t i = 0; i < star->n_tables; i++)
        if (sf_str_eq(star->tables[i].name, name))
            return &star->tables[i];
    return NULL;
}

const struct sf_star_column *sf_star_column(const struct sf_star_table *table, struct sf_str name)
{
    for (size_t i = 0; i < table->n_columns; i++)
        if (sf_str_eq(table->columns[i].name, name))
            return &table->columns[i];
    return NULL;
}

const struct sf_star_column *sf_star_total_column(const struct sf_star_table *table)
{
    if (table->role == SF_STAR_FACT)
        return sf_star_column(table, table->measure);
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->columns[i].type == SF_STAR_NUMERIC)
            return &table->columns[i];
    return NULL;
}

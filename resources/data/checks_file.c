/* Reading declared checks: files, and maps in the stack file. See checks.h. */
#include "resources/data/checks.h"

#include "engine/core/json.h"
#include "resources/data/data_file.h"

#include <inttypes.h>

enum { MAX_CHECKS = 500, MAX_CHECK_NAME = 100, MAX_DAYS = 36500, MAX_PERCENT = 1000000 };

#define KIND(kind) (1U << (kind))
#define ON_ROWS                                                                                                                    \
    (KIND(SF_CHECK_NOT_NULL) | KIND(SF_CHECK_UNIQUE) | KIND(SF_CHECK_RELATIONSHIPS) | KIND(SF_CHECK_ACCEPTED_VALUES) |             \
     KIND(SF_CHECK_ACCEPTED_RANGE) | KIND(SF_CHECK_FUNCTIONAL_DEPENDENCY))
#define ON_COLUMNS                                                                                                                 \
    (KIND(SF_CHECK_NOT_NULL) | KIND(SF_CHECK_UNIQUE) | KIND(SF_CHECK_RELATIONSHIPS) | KIND(SF_CHECK_FUNCTIONAL_DEPENDENCY))
#define ON_ONE_COLUMN (KIND(SF_CHECK_ACCEPTED_VALUES) | KIND(SF_CHECK_ACCEPTED_RANGE))
#define OF_THE_FACT (KIND(SF_CHECK_RECONCILE) | KIND(SF_CHECK_ELIMINATION_PAIRS) | KIND(SF_CHECK_VOLUME))

static const char *const kind_names[] = {
    [SF_CHECK_NOT_NULL] = "not_null",
    [SF_CHECK_UNIQUE] = "unique",
    [SF_CHECK_RELATIONSHIPS] = "relationships",
    [SF_CHECK_ACCEPTED_VALUES] = "accepted_values",
    [SF_CHECK_ACCEPTED_RANGE] = "accepted_range",
    [SF_CHECK_FUNCTIONAL_DEPENDENCY] = "functional_dependency",
    [SF_CHECK_ROW_COUNT] = "row_count",
    [SF_CHECK_RECONCILE] = "reconcile",
    [SF_CHECK_ELIMINATION_PAIRS] = "elimination_pairs",
    [SF_CHECK_FRESHNESS] = "freshness",
    [SF_CHECK_VOLUME] = "volume",
    [SF_CHECK_SQL] = "sql",
};

/* Which kinds of check take a field. */
static const struct {
    const char *name;
    unsigned kinds;
} fields[] = {
    {"check", ~0U},
    {"severity", ~0U},
    {"table", ON_ROWS | KIND(SF_CHECK_ROW_COUNT) | OF_THE_FACT},
    {"columns", ON_COLUMNS | KIND(SF_CHECK_SQL)},
    {"column", ON_ONE_COLUMN | KIND(SF_CHECK_ELIMINATION_PAIRS)},
    {"where", ON_ROWS},
    {"determines", KIND(SF_CHECK_FUNCTIONAL_DEPENDENCY)},
    {"values", KIND(SF_CHECK_ACCEPTED_VALUES) | KIND(SF_CHECK_ELIMINATION_PAIRS)},
    {"min", KIND(SF_CHECK_ACCEPTED_RANGE)},
    {"max", KIND(SF_CHECK_ACCEPTED_RANGE)},
    {"by", KIND(SF_CHECK_RECONCILE) | KIND(SF_CHECK_ELIMINATION_PAIRS)},
    {"sides", KIND(SF_CHECK_RECONCILE)},
    {"via", KIND(SF_CHECK_ELIMINATION_PAIRS)},
    {"totals", KIND(SF_CHECK_ELIMINATION_PAIRS)},
    {"max_days", KIND(SF_CHECK_FRESHNESS)},
    {"shrink_percent", KIND(SF_CHECK_VOLUME)},
    {"growth_percent", KIND(SF_CHECK_VOLUME)},
    {"query", KIND(SF_CHECK_SQL)},
};

/* What is being read, for errors. */
struct reader {
    struct sf_op *op;
    const char *path;
    const struct sf_star *star;
    struct sf_err *err;
    const struct sf_pair *pair; /* the check */
    struct sf_check *check;
};

static enum sf_code bad(const struct reader *r, struct sf_mark where, const char *fmt, ...) SF_PRINTF(3, 4);
static enum sf_code bad(const struct reader *r, struct sf_mark where, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(r->op->arena, fmt, ap);
    va_end(ap);
    sf_fail(r->err, SF_E_CONFIG, "checks file '%s', line %u: %.*s", r->path, where.line, SF_ARG(text));
    if (r->err)
        r->err->where = where;
    return SF_E_CONFIG;
}

static enum sf_code bad_check(const struct reader *r, const char *fmt, ...) SF_PRINTF(2, 3);
static enum sf_code bad_check(const struct reader *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(r->op->arena, fmt, ap);
    va_end(ap);
    return bad(r, r->pair->key_mark, "check '%.*s' %.*s", SF_ARG(r->check->name), SF_ARG(text));
}

static bool is_plain_name(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '_'))
            return false;
    return name.n > 0 && name.n <= MAX_CHECK_NAME;
}

/* A decimal: digits, with a minus before and a point inside if need be. */
static bool is_decimal(struct sf_str s)
{
    size_t i = s.n > 0 && s.p[0] == '-' ? 1 : 0, digits = 0, points = 0;
    for (; i < s.n; i++) {
        digits += s.p[i] >= '0' && s.p[i] <= '9';
        points += s.p[i] == '.';
        if (!(s.p[i] >= '0' && s.p[i] <= '9') && (s.p[i] != '.' || digits == 0))
            return false;
    }
    return digits > 0 && digits <= 30 && points <= 1 && s.p[s.n - 1] != '.';
}

/* "current_year", "current_year+1". */
static bool is_year_bound(struct sf_str s)
{
    struct sf_str word = SF_STR("current_year");
    int64_t n;
    if (!sf_str_starts(s, word))
        return false;
    struct sf_str rest = sf_str_slice(s, word.n, s.n);
    return rest.n == 0 || ((rest.p[0] == '+' || rest.p[0] == '-') && rest.n <= 5 &&
                           sf_str_int64(sf_str_slice(rest, 1, rest.n), &n) && n >= 0 && rest.p[1] != '-');
}

static enum sf_code read_count(const struct reader *r, const char *field, int64_t max, int64_t *out)
{
    const struct sf_value *v = sf_map_getz(r->pair->value, field);
    if (!v)
        return SF_OK;
    if (v->type != SF_V_STRING || !sf_str_int64(v->s, out) || *out < 1 || *out > max)
        return bad(r, v->mark, "check '%.*s': '%s' is a whole number from 1 to %" PRId64, SF_ARG(r->check->name), field, max);
    return SF_OK;
}

/* A list of texts: one at least, or `exactly` two. */
static enum sf_code read_texts(const struct reader *r, const char *field, size_t exactly, const struct sf_value **out)
{
    const struct sf_value *list = sf_map_getz(r->pair->value, field);
    if (!list || list->type != SF_V_LIST || list->list.n == 0 || (exactly && list->list.n != exactly))
        return bad_check(r, "needs '%s', a list%s", field, exactly ? " of two" : "");
    for (size_t i = 0; i < list->list.n; i++)
        if (list->list.items[i]->type != SF_V_STRING)
            return bad(r, list->list.items[i]->mark, "check '%.*s': an item of '%s' is no text", SF_ARG(r->check->name), field);
    *out = list;
    return SF_OK;
}

static enum sf_code find_column(const struct reader *r, const struct sf_value *item, const struct sf_star_table *table,
                                const struct sf_star_column **out)
{
    *out = item && item->type == SF_V_STRING ? sf_star_column(table, item->s) : NULL;
    if (*out)
        return SF_OK;
    bad(r, item ? item->mark : r->pair->key_mark, "check '%.*s' names a column that table '%.*s' does not have",
        SF_ARG(r->check->name), SF_ARG(table->name));
    return SF_E_CONFIG; /* said here, where the analyzer sees it */
}

static enum sf_code read_column_list(const struct reader *r, const char *field, const struct sf_star_column ***out, size_t *n)
{
    const struct sf_value *list = NULL;
    enum sf_code rc = read_texts(r, field, 0, &list);
    *out = SF_NEW_ARRAY(r->op->arena, list ? list->list.n : 1, const struct sf_star_column *);
    for (*n = 0; !rc && *n < list->list.n; ++*n)
        rc = find_column(r, list->list.items[*n], r->check->table, &(*out)[*n]);
    return rc;
}

/* Without a list: all columns that may not be null, or all that refer. */
static enum sf_code read_columns(const struct reader *r)
{
    struct sf_check *check = r->check;
    const struct sf_star_table *table = check->table;
    bool is_free = check->kind == SF_CHECK_NOT_NULL || check->kind == SF_CHECK_RELATIONSHIPS;
    const struct sf_value *list = sf_map_getz(r->pair->value, "columns");
    if (list || !is_free) {
        if (list && list->type != SF_V_LIST)
            return bad_check(r, "has 'columns' that are no list");
        if (!list)
            return bad_check(r, "needs 'columns'");
        enum sf_code rc = read_column_list(r, "columns", &check->columns, &check->n_columns);
        if (rc)
            return rc;
        for (size_t i = 0; check->kind == SF_CHECK_RELATIONSHIPS && i < check->n_columns; i++)
            if (check->columns[i]->references.n == 0)
                return bad(r, list->list.items[i]->mark, "check '%.*s': column '%.*s' refers to nothing", SF_ARG(check->name),
                           SF_ARG(check->columns[i]->name));
        return SF_OK;
    }
    check->columns = SF_NEW_ARRAY(r->op->arena, table->n_columns, const struct sf_star_column *);
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct sf_star_column *c = &table->columns[i];
        if (check->kind == SF_CHECK_RELATIONSHIPS ? c->references.n > 0 : !c->is_nullable)
            check->columns[check->n_columns++] = c;
    }
    return check->n_columns ? SF_OK : bad_check(r, "needs 'columns'");
}

static bool is_number(const struct sf_star_column *c)
{
    return c->type == SF_STAR_BIGINT || c->type == SF_STAR_INTEGER || c->type == SF_STAR_NUMERIC;
}

static enum sf_code read_accepted(const struct reader *r)
{
    struct sf_check *check = r->check;
    const struct sf_value *column = sf_map_getz(r->pair->value, "column");
    if (!column)
        return bad_check(r, "needs 'column'");
    check->columns = SF_NEW_ARRAY(r->op->arena, 1, const struct sf_star_column *);
    check->n_columns = 1;
    enum sf_code rc = find_column(r, column, check->table, &check->columns[0]);
    if (rc)
        return rc;
    const struct sf_star_column *c = check->columns[0];
    if (check->kind == SF_CHECK_ACCEPTED_VALUES) {
        rc = read_texts(r, "values", 0, &check->values);
        if (!rc && c->type != SF_STAR_TEXT && !is_number(c))
            return bad_check(r, "needs a column of text or numbers");
        for (size_t i = 0; !rc && is_number(c) && i < check->values->list.n; i++)
            if (!is_decimal(check->values->list.items[i]->s))
                return bad(r, check->values->list.items[i]->mark, "check '%.*s': column '%.*s' holds numbers, '%.*s' is none",
                           SF_ARG(check->name), SF_ARG(c->name), SF_ARG(check->values->list.items[i]->s));
        return rc;
    }
    check->min = sf_map_str(r->pair->value, "min");
    check->max = sf_map_str(r->pair->value, "max");
    if (!is_number(c))
        return bad_check(r, "needs a column of numbers");
    if (check->min.n == 0 && check->max.n == 0)
        return bad_check(r, "needs 'min' or 'max'");
    const struct sf_str bounds[] = {check->min, check->max};
    for (size_t i = 0; i < SF_COUNT(bounds); i++)
        if (bounds[i].n > 0 && !is_decimal(bounds[i]) && !is_year_bound(bounds[i]))
            return bad_check(r, "has a bound '%.*s' that is no number and not current_year, current_year+1, ...",
                             SF_ARG(bounds[i]));
    return SF_OK;
}

static enum sf_code read_reconcile(const struct reader *r)
{
    struct sf_check *check = r->check;
    const struct sf_value *by = sf_map_getz(r->pair->value, "by");
    check->sides = sf_map_getz(r->pair->value, "sides");
    if (!by && !check->sides)
        return SF_OK;
    check->by = by && by->type == SF_V_STRING ? sf_star_column(check->table, by->s) : NULL;
    if (!check->by || !check->sides || check->sides->type != SF_V_MAP || check->sides->map.n == 0)
        return bad_check(r, "needs a column 'by' and a map 'sides', or neither");
    for (size_t i = 0; i < check->sides->map.n; i++) {
        int64_t n;
        const struct sf_pair *side = &check->sides->map.pairs[i];
        if (!sf_str_int64(side->key, &n) || side->value->type != SF_V_STRING || side->value->s.n == 0)
            return bad(r, side->key_mark, "check '%.*s': a side is a number with a name", SF_ARG(check->name));
    }
    return SF_OK;
}

static enum sf_code read_pairs(const struct reader *r)
{
    struct sf_check *check = r->check;
    const struct sf_value *via = sf_map_getz(r->pair->value, "via"), *by = sf_map_getz(r->pair->value, "by");
    struct sf_str totals = sf_map_str(r->pair->value, "totals");
    check->via = via && via->type == SF_V_STRING ? sf_star_column(check->table, via->s) : NULL;
    const struct sf_star_table *to = check->via ? sf_star_table(r->star, check->via->references) : NULL;
    if (!to)
        return bad_check(r, "needs 'via', a column of the fact that refers to a dimension");
    enum sf_code rc = find_column(r, sf_map_getz(r->pair->value, "column"), to, &check->label);
    if (!rc && check->label->type != SF_STAR_TEXT)
        rc = bad_check(r, "needs a 'column' of text");
    if (!rc)
        rc = read_texts(r, "values", 2, &check->values);
    if (!rc && sf_value_equal(check->values->list.items[0], check->values->list.items[1]))
        rc = bad_check(r, "needs 'values' that differ");
    if (!rc && by)
        rc = find_column(r, by, check->table, &check->by);
    if (!rc && totals.n > 0 && !sf_str_is(totals, "true") && !sf_str_is(totals, "false"))
        rc = bad_check(r, "has 'totals' that is neither true nor false");
    check->with_totals = sf_str_is(totals, "true");
    return rc;
}

static enum sf_code read_query(const struct reader *r)
{
    struct sf_check *check = r->check;
    const char *why;
    check->query = sf_str_trim(sf_map_str(r->pair->value, "query"));
    if (!sf_check_is_readonly(r->op->arena, check->query, true, &why))
        return bad_check(r, "needs a 'query'; this one %s", why);
    enum sf_code rc = read_texts(r, "columns", 0, &check->query_columns);
    for (size_t i = 0; !rc && i < check->query_columns->list.n; i++)
        if (!is_plain_name(check->query_columns->list.items[i]->s))
            rc = bad(r, check->query_columns->list.items[i]->mark, "check '%.*s': a column's name is of a-z, 0-9 and _",
                     SF_ARG(check->name));
    return rc;
}

/* The fields of the check's own kind, and only those. */
static enum sf_code check_fields(const struct reader *r)
{
    for (size_t i = 0; i < r->pair->value->map.n; i++) {
        const struct sf_pair *field = &r->pair->value->map.pairs[i];
        size_t f = 0;
        while (f < SF_COUNT(fields) && !sf_str_is(field->key, fields[f].name))
            f++;
        if (f == SF_COUNT(fields))
            return bad(r, field->key_mark, "a check has no field '%.*s'", SF_ARG(field->key));
        if (!(fields[f].kinds & KIND(r->check->kind)))
            return bad(r, field->key_mark, "a check %s has no field '%.*s'", kind_names[r->check->kind], SF_ARG(field->key));
    }
    return SF_OK;
}

static enum sf_code read_table(const struct reader *r)
{
    struct sf_check *check = r->check;
    struct sf_str table = sf_map_str(r->pair->value, "table");
    bool is_of_the_fact = (OF_THE_FACT & KIND(check->kind)) != 0;
    check->table = table.n > 0 ? sf_star_table(r->star, table) : NULL;
    if (table.n > 0 && (!check->table || check->table->role == SF_STAR_LEDGER))
        return bad_check(r, "needs 'table', one of the star's");
    if (table.n == 0 && (ON_ROWS & KIND(check->kind)))
        return bad_check(r, "needs 'table', one of the star's");
    if (is_of_the_fact && !check->table)
        check->table = r->star->fact;
    if (is_of_the_fact && check->table != r->star->fact)
        return bad_check(r, "is about the fact: 'table' is '%.*s' or left out", SF_ARG(r->star->fact->name));
    return SF_OK;
}

static enum sf_code read_check(struct reader *r)
{
    struct sf_check *check = r->check;
    const struct sf_value *v = r->pair->value;
    *check = (struct sf_check){.name = r->pair->key, .shrink_percent = -1, .growth_percent = -1};
    if (!is_plain_name(check->name) || v->type != SF_V_MAP)
        return bad(r, r->pair->key_mark, "'%.*s' must be a name of a-z, 0-9 and _ with a map", SF_ARG(check->name));
    struct sf_str kind = sf_map_str(v, "check"), severity = sf_map_str(v, "severity");
    size_t k = 0;
    while (k < SF_COUNT(kind_names) && !sf_str_is(kind, kind_names[k]))
        k++;
    if (k == SF_COUNT(kind_names)) {
        struct sf_buf all = SF_BUF(SF_MAX_MESSAGE_BYTES);
        for (size_t i = 0; i < SF_COUNT(kind_names); i++)
            sf_buf_addf(&all, "%s%s", i ? ", " : "", kind_names[i]);
        enum sf_code rc = bad_check(r, "is of no known kind: %s", all.p);
        sf_buf_free(&all);
        return rc;
    }
    check->kind = (enum sf_check_kind)k;
    enum sf_code rc = check_fields(r);
    if (rc)
        return rc;
    check->is_warning = sf_str_is(severity, "warn");
    if (sf_map_getz(v, "severity") && !check->is_warning && !sf_str_is(severity, "error"))
        return bad_check(r, "has a severity that is neither error nor warn: severity is error or warn");
    rc = read_table(r);
    const char *why;
    check->where = sf_str_trim(sf_map_str(v, "where"));
    if (!rc && sf_map_getz(v, "where") && !sf_check_is_readonly(r->op->arena, check->where, false, &why))
        rc = bad_check(r, "has a 'where' that %s", why);
    if (rc)
        return rc;
    switch (check->kind) {
    case SF_CHECK_NOT_NULL:
    case SF_CHECK_UNIQUE:
    case SF_CHECK_RELATIONSHIPS:
        return read_columns(r);
    case SF_CHECK_FUNCTIONAL_DEPENDENCY:
        rc = read_columns(r);
        return rc ? rc : read_column_list(r, "determines", &check->determines, &check->n_determines);
    case SF_CHECK_ACCEPTED_VALUES:
    case SF_CHECK_ACCEPTED_RANGE:
        return read_accepted(r);
    case SF_CHECK_ROW_COUNT:
        return SF_OK;
    case SF_CHECK_RECONCILE:
        return read_reconcile(r);
    case SF_CHECK_ELIMINATION_PAIRS:
        return read_pairs(r);
    case SF_CHECK_FRESHNESS:
        if (!sf_map_getz(v, "max_days"))
            return bad_check(r, "needs 'max_days'");
        return read_count(r, "max_days", MAX_DAYS, &check->max_days);
    case SF_CHECK_VOLUME:
        rc = read_count(r, "shrink_percent", 100, &check->shrink_percent);
        if (!rc)
            rc = read_count(r, "growth_percent", MAX_PERCENT, &check->growth_percent);
        if (!rc && check->shrink_percent < 0 && check->growth_percent < 0)
            rc = bad_check(r, "needs 'shrink_percent' or 'growth_percent'");
        return rc;
    case SF_CHECK_SQL:
        return read_query(r);
    }
    return SF_OK;
}

/* Reads a map of checks and appends them. */
static enum sf_code read_map(struct reader *r, const struct sf_value *map, struct sf_checks *checks)
{
    struct sf_check *all = SF_NEW_ARRAY(r->op->arena, checks->n + map->map.n + 1, struct sf_check);
    for (size_t i = 0; i < checks->n; i++)
        all[i] = checks->list[i];
    checks->list = all;
    for (size_t i = 0; i < map->map.n; i++) {
        r->pair = &map->map.pairs[i];
        r->check = &all[checks->n];
        for (size_t k = 0; k < checks->n; k++)
            if (sf_str_eq(all[k].name, r->pair->key))
                return bad(r, r->pair->key_mark, "check '%.*s' is declared twice", SF_ARG(r->pair->key));
        enum sf_code rc = read_check(r);
        if (rc)
            return rc;
        for (size_t k = 0; r->check->kind == SF_CHECK_RECONCILE && r->check->by && k < checks->n; k++)
            if (all[k].kind == SF_CHECK_RECONCILE && all[k].by && all[k].by != r->check->by)
                return bad_check(r, "reconciles by another column than '%.*s': one pass over the fact has one",
                                 SF_ARG(all[k].name));
        if (++checks->n > MAX_CHECKS)
            return bad(r, r->pair->key_mark, "more than %d checks", MAX_CHECKS);
    }
    return SF_OK;
}

static enum sf_code read_file(struct reader *r, struct sf_str text, struct sf_checks *checks)
{
    const struct sf_value *root;
    enum sf_code rc = sf_data_file_parse(r->op, "checks file", r->path, text, &root, r->err);
    if (rc)
        return rc;
    const struct sf_value *list = sf_map_getz(root, "list");
    if (!sf_str_is(sf_map_str(root, "checks"), "1") || root->map.n != 2 || !list || list->type != SF_V_MAP)
        return bad(r, root->mark, "needs 'checks: 1' and 'list', a map of at most %d checks, and nothing else", MAX_CHECKS);
    return read_map(r, list, checks);
}

enum sf_code sf_checks_parse(struct sf_op *op, const char *path, struct sf_str text, const struct sf_star *star,
                             struct sf_checks *checks, struct sf_err *err)
{
    struct reader r = {.op = op, .path = path, .star = star, .err = err};
    *checks = (struct sf_checks){.digest = sf_data_digest16(op->arena, text)};
    return read_file(&r, text, checks);
}

/* Scalars of the stack file as the texts that a checks file has. */
static const struct sf_value *as_texts(struct sf_arena *arena, const struct sf_value *v)
{
    struct sf_value *out = NULL;
    switch (v->type) {
    case SF_V_BOOL:
        out = sf_value_str(arena, v->b ? SF_STR("true") : SF_STR("false"));
        break;
    case SF_V_INT:
        out = sf_value_str(arena, sf_str_fmt(arena, "%" PRId64, v->i));
        break;
    case SF_V_NUMBER:
        out = sf_value_str(arena, v->s);
        break;
    case SF_V_LIST: {
        const struct sf_value **items = SF_NEW_ARRAY(arena, v->list.n, const struct sf_value *);
        for (size_t i = 0; i < v->list.n; i++)
            items[i] = as_texts(arena, v->list.items[i]);
        out = sf_value_list(arena, items, v->list.n);
        break;
    }
    case SF_V_MAP:
        out = sf_value_map(arena);
        for (size_t i = 0; i < v->map.n; i++) {
            sf_map_add(arena, out, v->map.pairs[i].key, as_texts(arena, v->map.pairs[i].value));
            out->map.pairs[i].key_mark = v->map.pairs[i].key_mark;
        }
        break;
    case SF_V_NULL:
    case SF_V_STRING:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return v;
    }
    out->mark = v->mark;
    return out;
}

enum sf_code sf_checks_load(struct sf_op *op, const struct sf_value *declared, const struct sf_star *star, struct sf_checks *checks,
                            struct sf_err *err)
{
    *checks = (struct sf_checks){0};
    if (!declared || declared->type == SF_V_NULL)
        return SF_OK;
    const struct sf_value *one[] = {declared}, **items = one;
    size_t n = 1;
    if (declared->type == SF_V_LIST) {
        items = declared->list.items;
        n = declared->list.n;
    }
    struct sf_buf digests = SF_BUF(SF_MAX_YAML_BYTES);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < n; i++) {
        struct reader r = {.op = op, .path = "the stack file", .star = star, .err = err};
        struct sf_str text = SF_STR_NONE;
        if (items[i]->type == SF_V_STRING) {
            rc = sf_data_file_read(op, "checks file", items[i]->s, &r.path, &text, err);
            if (!rc)
                rc = read_file(&r, text, checks);
        } else if (items[i]->type == SF_V_MAP) {
            const struct sf_value *map = as_texts(op->arena, items[i]);
            text = sf_json_text(op->arena, map, SF_JSON_PLAIN);
            if (items[i]->mark.file)
                r.path = items[i]->mark.file;
            rc = read_map(&r, map, checks);
        } else {
            rc = sf_fail(err, SF_E_CONFIG, "'checks' of a load is a file's name, a map of checks, or a list of those");
        }
        sf_buf_add(&digests, sf_data_digest16(op->arena, text));
    }
    if (!rc && n > 0)
        checks->digest = n == 1 ? sf_str_dup(op->arena, sf_buf_str(&digests)) : sf_data_digest16(op->arena, sf_buf_str(&digests));
    sf_buf_free(&digests);
    return rc;
}

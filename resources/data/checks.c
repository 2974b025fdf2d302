/* See checks.h. */
#include "resources/data/checks.h"

#include "resources/data/data_file.h"

#include <inttypes.h>

enum { MAX_CHECKS = 500, MAX_CHECK_NAME = 100 };

static const struct {
    const char *name;
    enum sf_check_kind kind;
} kinds[] = {
    {"not_null", SF_CHECK_NOT_NULL},   {"unique", SF_CHECK_UNIQUE},       {"relationships", SF_CHECK_RELATIONSHIPS},
    {"row_count", SF_CHECK_ROW_COUNT}, {"reconcile", SF_CHECK_RECONCILE},
};

/* --- the file --- */

static enum sf_code bad(struct sf_op *op, const char *path, struct sf_mark where, struct sf_err *err, const char *fmt, ...)
    SF_PRINTF(5, 6);
static enum sf_code bad(struct sf_op *op, const char *path, struct sf_mark where, struct sf_err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct sf_str text = sf_str_vfmt(op->arena, fmt, ap);
    va_end(ap);
    sf_fail(err, SF_E_CONFIG, "checks file '%s', line %u: %.*s", path, where.line, SF_ARG(text));
    if (err)
        err->where = where;
    return SF_E_CONFIG;
}

static bool is_plain_name(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!((name.p[i] >= 'a' && name.p[i] <= 'z') || (name.p[i] >= '0' && name.p[i] <= '9') || name.p[i] == '_'))
            return false;
    return name.n > 0 && name.n <= MAX_CHECK_NAME;
}

static enum sf_code read_columns(struct sf_op *op, const char *path, const struct sf_pair *pair, struct sf_check *check,
                                 struct sf_err *err)
{
    const struct sf_value *list = sf_map_getz(pair->value, "columns");
    const struct sf_star_table *table = check->table;
    if (list && list->type != SF_V_LIST)
        return bad(op, path, pair->key_mark, err, "check '%.*s': 'columns' must be a list", SF_ARG(check->name));
    size_t n = list ? list->list.n : table->n_columns;
    check->columns = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_star_column *);
    for (size_t i = 0; i < n; i++) {
        if (!list) {
            /* all columns: those that may not be null, or those that refer */
            const struct sf_star_column *c = &table->columns[i];
            if (check->kind == SF_CHECK_RELATIONSHIPS ? c->references.n > 0 : !c->is_nullable)
                check->columns[check->n_columns++] = c;
            continue;
        }
        const struct sf_value *item = list->list.items[i];
        const struct sf_star_column *c = item->type == SF_V_STRING ? sf_star_column(table, item->s) : NULL;
        if (!c)
            return bad(op, path, item->mark, err, "check '%.*s' names a column that table '%.*s' does not have",
                       SF_ARG(check->name), SF_ARG(table->name));
        if (check->kind == SF_CHECK_RELATIONSHIPS && c->references.n == 0)
            return bad(op, path, item->mark, err, "check '%.*s': column '%.*s' refers to nothing", SF_ARG(check->name),
                       SF_ARG(c->name));
        check->columns[check->n_columns++] = c;
    }
    if (check->n_columns == 0 || (check->kind == SF_CHECK_UNIQUE && !list))
        return bad(op, path, pair->key_mark, err, "check '%.*s' needs 'columns'", SF_ARG(check->name));
    return SF_OK;
}

static enum sf_code read_check(struct sf_op *op, const char *path, const struct sf_pair *pair, const struct sf_star *star,
                               struct sf_check *check, struct sf_err *err)
{
    static const char *const fields[] = {"check", "table", "columns", "severity", "by", "sides"};
    check->name = pair->key;
    if (!is_plain_name(pair->key) || pair->value->type != SF_V_MAP)
        return bad(op, path, pair->key_mark, err, "'%.*s' must be a name of a-z, 0-9 and _ with a map", SF_ARG(pair->key));
    for (size_t i = 0; i < pair->value->map.n; i++) {
        size_t f = 0;
        while (f < SF_COUNT(fields) && !sf_str_is(pair->value->map.pairs[i].key, fields[f]))
            f++;
        if (f == SF_COUNT(fields))
            return bad(op, path, pair->value->map.pairs[i].key_mark, err, "a check has no field '%.*s'",
                       SF_ARG(pair->value->map.pairs[i].key));
    }
    struct sf_str kind = sf_map_str(pair->value, "check"), severity = sf_map_str(pair->value, "severity");
    size_t k = 0;
    while (k < SF_COUNT(kinds) && !sf_str_is(kind, kinds[k].name))
        k++;
    if (k == SF_COUNT(kinds))
        return bad(op, path, pair->key_mark, err,
                   "check '%.*s' is of no known kind: not_null, unique, relationships, row_count, reconcile", SF_ARG(check->name));
    check->kind = kinds[k].kind;
    check->is_warning = sf_str_is(severity, "warn");
    if (severity.n > 0 && !check->is_warning && !sf_str_is(severity, "error"))
        return bad(op, path, pair->key_mark, err, "check '%.*s': severity is error or warn", SF_ARG(check->name));
    struct sf_str table = sf_map_str(pair->value, "table");
    check->table = table.n > 0 ? sf_star_table(star, table) : NULL;
    if ((table.n > 0 && (!check->table || check->table->role == SF_STAR_LEDGER)) ||
        (table.n == 0 && check->kind != SF_CHECK_ROW_COUNT))
        return bad(op, path, pair->key_mark, err, "check '%.*s' needs 'table', one of the star's", SF_ARG(check->name));
    if (check->kind == SF_CHECK_NOT_NULL || check->kind == SF_CHECK_UNIQUE || check->kind == SF_CHECK_RELATIONSHIPS)
        return read_columns(op, path, pair, check, err);
    if (check->kind == SF_CHECK_ROW_COUNT)
        return SF_OK;
    check->by = sf_star_column(check->table, sf_map_str(pair->value, "by"));
    check->sides = sf_map_getz(pair->value, "sides");
    if (check->table != star->fact || !check->by || !check->sides || check->sides->type != SF_V_MAP || check->sides->map.n == 0)
        return bad(op, path, pair->key_mark, err, "check '%.*s' needs the fact as 'table', a column 'by' and a map 'sides'",
                   SF_ARG(check->name));
    for (size_t i = 0; i < check->sides->map.n; i++) {
        int64_t n;
        const struct sf_pair *side = &check->sides->map.pairs[i];
        if (!sf_str_int64(side->key, &n) || side->value->type != SF_V_STRING || side->value->s.n == 0)
            return bad(op, path, side->key_mark, err, "check '%.*s': a side is a number with a name", SF_ARG(check->name));
    }
    return SF_OK;
}

enum sf_code sf_checks_parse(struct sf_op *op, const char *path, struct sf_str text, const struct sf_star *star,
                             struct sf_checks *checks, struct sf_err *err)
{
    const struct sf_value *root;
    enum sf_code rc = sf_data_file_parse(op, "checks file", path, text, &root, err);
    if (rc)
        return rc;
    const struct sf_value *list = sf_map_getz(root, "list");
    if (!sf_str_is(sf_map_str(root, "checks"), "1") || root->map.n != 2 || !list || list->type != SF_V_MAP ||
        list->map.n > MAX_CHECKS)
        return bad(op, path, root->mark, err, "needs 'checks: 1' and 'list', a map of at most %d checks, and nothing else",
                   MAX_CHECKS);
    checks->digest = sf_data_digest16(op->arena, text);
    checks->list = SF_NEW_ARRAY(op->arena, list->map.n + 1, struct sf_check);
    for (checks->n = 0; checks->n < list->map.n; checks->n++) {
        rc = read_check(op, path, &list->map.pairs[checks->n], star, &checks->list[checks->n], err);
        if (rc)
            return rc;
    }
    return SF_OK;
}

enum sf_code sf_checks_load(struct sf_op *op, struct sf_str name, const struct sf_star *star, struct sf_checks *checks,
                            struct sf_err *err)
{
    *checks = (struct sf_checks){0};
    if (name.n == 0)
        return SF_OK;
    const char *path;
    struct sf_str text;
    enum sf_code rc = sf_data_file_read(op, "checks file", name, &path, &text, err);
    return rc ? rc : sf_checks_parse(op, path, text, star, checks, err);
}

/* --- SQL --- */

/* "'a=' || coalesce(cast(t."a" as varchar), 'null') || ', b=' || ..." */
static struct sf_str row_text(struct sf_arena *arena, const struct sf_star_column *const *columns, size_t n, const char *prefix)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&buf, "%s%s || coalesce(cast(%s%s as varchar), 'null')", i ? " || " : "",
                    sf_sql_text(arena, sf_str_fmt(arena, "%s%.*s=", i ? ", " : "", SF_ARG(columns[i]->name))).p, prefix,
                    sf_sql_name(arena, columns[i]->name).p);
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static struct sf_str all_row_text(struct sf_arena *arena, const struct sf_star_table *table)
{
    const struct sf_star_column **columns = SF_NEW_ARRAY(arena, table->n_columns, const struct sf_star_column *);
    for (size_t i = 0; i < table->n_columns; i++)
        columns[i] = &table->columns[i];
    return row_text(arena, columns, table->n_columns, "t.");
}

static void not_null_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    sf_buf_addf(buf, "select %s as row_text from %s t where ", all_row_text(arena, check->table).p,
                sf_publish_relation(arena, plan, check->table).p);
    for (size_t i = 0; i < check->n_columns; i++)
        sf_buf_addf(buf, "%st.%s is null", i ? " or " : "", sf_sql_name(arena, check->columns[i]->name).p);
}

/* The duplicates are grouped for only if counting shows that there are some: on the fact that is several times cheaper. */
static void unique_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    struct sf_buf list = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < check->n_columns; i++)
        sf_buf_addf(&list, "%st.%s", i ? ", " : "", sf_sql_name(arena, check->columns[i]->name).p);
    sf_buf_addf(buf, "select %s || ', copies=' || cast(count(*) as varchar) as row_text from %s t group by %s having count(*) > 1",
                row_text(arena, check->columns, check->n_columns, "t.").p, sf_publish_relation(arena, plan, check->table).p,
                list.p);
    sf_buf_free(&list);
}

static void relationships_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check,
                              const struct sf_load_plan *plan)
{
    sf_buf_addf(buf, "select %s as row_text from %s t", all_row_text(arena, check->table).p,
                sf_publish_relation(arena, plan, check->table).p);
    for (size_t i = 0; i < check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(plan->star, check->columns[i]->references);
        sf_buf_addf(buf, " left join %s d%zu on d%zu.%s = t.%s", sf_publish_relation(arena, plan, to).p, i, i,
                    sf_sql_name(arena, to->key).p, sf_sql_name(arena, check->columns[i]->name).p);
    }
    sf_buf_addz(buf, " where ");
    for (size_t i = 0; i < check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(plan->star, check->columns[i]->references);
        sf_buf_addf(buf, "%sd%zu.%s is null", i ? " or " : "", i, sf_sql_name(arena, to->key).p);
    }
}

static bool is_looked_at(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return plan->is_rest_left_out ? sf_publish_is_in_scope(plan, part) : !part->is_removed;
}

static bool is_counted(const struct sf_check *check, const struct sf_star_table *table)
{
    return !check->table || check->table == table;
}

static void row_count_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    const struct sf_star_table *fact = plan->star->fact;
    struct sf_buf declared = SF_BUF(SF_MAX_SQL_BYTES), found = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (!is_counted(check, t->table))
            continue;
        const char *name = sf_sql_text(arena, t->table->name).p;
        sf_buf_addf(&declared, "%sselect %s as what, %" PRId64 " as n", declared.n ? " union all " : "", name, t->rows);
        sf_buf_addf(&found, "%sselect %s as what, count(*) as n from %s t", found.n ? " union all " : "", name,
                    sf_publish_relation(arena, plan, t->table).p);
    }
    for (size_t i = 0; is_counted(check, fact) && i < plan->n_parts; i++)
        if (is_looked_at(plan, &plan->parts[i]))
            sf_buf_addf(&declared, "%sselect '%.*s %" PRId64 "' as what, %" PRId64 " as n", declared.n ? " union all " : "",
                        SF_ARG(fact->name), plan->parts[i].value, plan->parts[i].rows);
    if (is_counted(check, fact) && plan->is_rest_left_out)
        sf_buf_addf(&found, "%sselect '%.*s ' || cast(m.part as varchar) as what, sum(m.row_count) as n from %s m group by m.part",
                    found.n ? " union all " : "", SF_ARG(fact->name), SF_PUBLISH_MEASURED);
    else if (is_counted(check, fact))
        sf_buf_addf(&found, "%sselect '%.*s ' || cast(t.%s as varchar) as what, count(*) as n from %s t group by t.%s",
                    found.n ? " union all " : "", SF_ARG(fact->name), sf_sql_name(arena, fact->partition_by).p,
                    sf_publish_relation(arena, plan, fact).p, sf_sql_name(arena, fact->partition_by).p);
    sf_buf_addf(
        buf,
        "select coalesce(d.what, f.what, 'null') || ': declared=' || coalesce(cast(d.n as varchar), 'none') || ', staged=' || "
        "coalesce(cast(f.n as varchar), 'none') as row_text from (%s) d full join (%s) f on f.what = d.what "
        "where d.n is null or f.n is null or d.n <> f.n",
        declared.n ? declared.p : "select cast(null as varchar) as what, 0 as n where false", found.p);
    sf_buf_free(&declared);
    sf_buf_free(&found);
}

/* Rows and totals by part and side: as measured already, where that is by the same side. */
static struct sf_str totals_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    const struct sf_star_table *fact = plan->star->fact;
    if (plan->is_rest_left_out && plan->side == check->by)
        return SF_STR("select part, side, row_count as n, total as amount from " SF_PUBLISH_MEASURED);
    const char *part = sf_sql_name(arena, fact->partition_by).p, *by = sf_sql_name(arena, check->by->name).p;
    return sf_str_fmt(arena, "select t.%s as part, t.%s as side, count(*) as n, sum(t.%s) as amount from %s t group by t.%s, t.%s",
                      part, by, sf_sql_name(arena, fact->measure).p, sf_publish_relation(arena, plan, fact).p, part, by);
}

static void reconcile_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    struct sf_buf declared = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < plan->n_parts; i++) {
        for (size_t s = 0; is_looked_at(plan, &plan->parts[i]) && s < check->sides->map.n; s++) {
            const struct sf_pair *side = &check->sides->map.pairs[s];
            const char *rows = sf_str_fmt(arena, "%.*s_rows", SF_ARG(side->value->s)).p;
            const char *cents = sf_str_fmt(arena, "%.*s_cents", SF_ARG(side->value->s)).p;
            int64_t n = sf_map_int(plan->parts[i].facts, rows, 0);
            if (n > 0)
                sf_buf_addf(&declared,
                            "%sselect %" PRId64 " as part, %.*s as side, %" PRId64 " as n, cast(%s as numeric(38,2)) as amount",
                            declared.n ? " union all " : "", plan->parts[i].value, SF_ARG(side->key), n,
                            sf_sql_cents(arena, sf_map_int(plan->parts[i].facts, cents, 0)).p);
        }
    }
    sf_buf_addf(
        buf,
        "select 'part=' || coalesce(cast(coalesce(d.part, f.part) as varchar), 'null') || ', side=' || "
        "coalesce(cast(coalesce(d.side, f.side) as varchar), 'null') || "
        "': declared rows=' || coalesce(cast(d.n as varchar), 'none') || ' total=' || coalesce(cast(d.amount as varchar), 'none') "
        "|| "
        "', staged rows=' || coalesce(cast(f.n as varchar), 'none') || ' total=' || coalesce(cast(f.amount as varchar), 'none') as "
        "row_text "
        "from (%s) d full join (%s) f "
        "on f.part = d.part and f.side = d.side where d.n is null or f.n is null or d.n <> f.n or d.amount <> f.amount",
        declared.n ? declared.p : "select 0 as part, 0 as side, 0 as n, 0.00 as amount where false",
        totals_sql(arena, check, plan).p);
    sf_buf_free(&declared);
}

struct sf_str sf_check_failing_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    switch (check->kind) {
    case SF_CHECK_NOT_NULL:
        not_null_sql(&buf, arena, check, plan);
        break;
    case SF_CHECK_UNIQUE:
        unique_sql(&buf, arena, check, plan);
        break;
    case SF_CHECK_RELATIONSHIPS:
        relationships_sql(&buf, arena, check, plan);
        break;
    case SF_CHECK_ROW_COUNT:
        row_count_sql(&buf, arena, check, plan);
        break;
    case SF_CHECK_RECONCILE:
        reconcile_sql(&buf, arena, check, plan);
        break;
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static bool is_unique_by_part(const struct sf_check *check, const struct sf_star_table *fact)
{
    return check->kind == SF_CHECK_UNIQUE && check->table == fact && check->n_columns == 2 &&
           sf_str_eq(check->columns[0]->name, fact->partition_by);
}

/* Keys that occur twice, part by part: each part is sorted by a process of its own. That a row is in its own part is what the row
 * count says. */
static void count_unique_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check,
                             const struct sf_load_plan *plan)
{
    const char *key = sf_sql_name(arena, check->columns[1]->name).p;
    size_t n = 0;
    sf_buf_addz(buf, "select coalesce(sum(n), 0) as n from (");
    for (size_t i = 0; i < plan->n_parts; i++)
        if (sf_publish_is_in_scope(plan, &plan->parts[i]))
            sf_buf_addf(buf, "%sselect count(t.%s) - count(distinct t.%s) as n from %s t", n++ ? " union all " : "", key, key,
                        sf_publish_part(arena, plan, &plan->parts[i]).p);
    sf_buf_addf(buf, "%s) p", n ? "" : "select 0 as n");
}

/* Rows that the load leaves alone can only lose a member that it takes away: none, mostly, and then nothing of them is read. */
static void count_bereft_sql(struct sf_buf *buf, struct sf_arena *arena, const struct sf_check *check,
                             const struct sf_load_plan *plan)
{
    struct sf_str changed = sf_publish_changed(arena, plan);
    for (size_t i = 0; i < check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(plan->star, check->columns[i]->references);
        const char *key = sf_sql_name(arena, to->key).p;
        struct sf_str before = sf_sql_name2(arena, plan->schema, to->name), after = sf_publish_relation(arena, plan, to);
        if (sf_str_eq(before, after))
            continue;
        sf_buf_addf(buf, " + (select count(*) from %s t where t.%s in (select d.%s from %s d except select d.%s from %s d)",
                    sf_sql_name2(arena, plan->schema, check->table->name).p, sf_sql_name(arena, check->columns[i]->name).p, key,
                    before.p, key, after.p);
        if (changed.n > 0)
            sf_buf_addf(buf, " and t.%s not in (%s)", sf_sql_name(arena, check->table->partition_by).p, changed.p);
        sf_buf_addc(buf, ')');
    }
}

/* Whether a check of the fact looks at one row or one part at a time. */
static bool is_by_part(const struct sf_check *check, const struct sf_star_table *fact)
{
    switch (check->kind) {
    case SF_CHECK_NOT_NULL:
    case SF_CHECK_RELATIONSHIPS:
        return check->table == fact;
    case SF_CHECK_UNIQUE:
        return is_unique_by_part(check, fact);
    case SF_CHECK_ROW_COUNT:
    case SF_CHECK_RECONCILE:
        return true;
    }
    return false;
}

/* How many rows fail: of the fact's parts those in scope are counted. */
static struct sf_str count_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    const struct sf_star_table *fact = plan->star->fact;
    struct sf_load_plan scope = *plan;
    scope.is_rest_left_out = is_by_part(check, fact);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    if (is_unique_by_part(check, fact)) {
        count_unique_sql(&buf, arena, check, &scope);
    } else {
        sf_buf_addz(&buf, "select count(*)");
        if (check->kind == SF_CHECK_RELATIONSHIPS && check->table == fact && plan->is_rest_proven)
            count_bereft_sql(&buf, arena, check, plan);
        sf_buf_addf(&buf, " as n from (%s) f", sf_check_failing_sql(arena, check, &scope).p);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

struct sf_str sf_check_raise_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    if (check->is_warning)
        return sf_str_fmt(arena, "select cast(n as varchar) from (%s) c", count_sql(arena, check, plan).p);
    return sf_str_fmt(
        arena,
        "select cast(case when n = 0 then '0' else 'check %.*s failed for ' || cast(n as varchar) || ' rows' end as integer) "
        "from (%s) c",
        SF_ARG(check->name), count_sql(arena, check, plan).p);
}

struct sf_str sf_check_record_sql(struct sf_arena *arena, const struct sf_check *check, const struct sf_load_plan *plan)
{
    return sf_str_fmt(arena,
                      "insert into %s (load_id, check_name, row_number, row_text, recorded_at, loaded_by) "
                      "select %s, %s, row_number() over (order by row_text), substring(row_text, 1, 4000), current_timestamp, %s "
                      "from (%s) f order by row_text limit %d",
                      sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p, sf_sql_text(arena, plan->load_id).p,
                      sf_sql_text(arena, check->name).p, sf_sql_text(arena, plan->loaded_by).p,
                      sf_check_failing_sql(arena, check, plan).p, SF_MAX_REJECTS);
}

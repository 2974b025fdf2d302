/* Checks as SQL. See checks.h. */
#include "resources/data/checks_sql.h"

#include "engine/core/clock.h"

#include <inttypes.h>

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

struct sf_check_maker sf_check_maker(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                     const struct sf_load_plan *plan)
{
    return (struct sf_check_maker){arena, checks, check, plan, plan->star->fact};
}

static struct sf_str taken(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

/* --- pieces --- */

/* "'a=' || coalesce(cast(t."a" as varchar), 'null') || ', b=' || ..." */
static struct sf_str row_text(struct sf_arena *arena, const struct sf_star_column *const *columns, size_t n, const char *prefix)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&buf, "%s%s || coalesce(cast(%s%s as varchar), 'null')", i ? " || " : "",
                    sf_sql_text(arena, sf_str_fmt(arena, "%s%.*s=", i ? ", " : "", SF_ARG(columns[i]->name))).p, prefix,
                    sf_sql_name(arena, columns[i]->name).p);
    return taken(arena, &buf);
}

static struct sf_str all_row_text(struct sf_arena *arena, const struct sf_star_table *table)
{
    const struct sf_star_column **columns = SF_NEW_ARRAY(arena, table->n_columns, const struct sf_star_column *);
    for (size_t i = 0; i < table->n_columns; i++)
        columns[i] = &table->columns[i];
    return row_text(arena, columns, table->n_columns, "t.");
}

/* What the check looks at, to stand in a FROM clause: its table as it would be published, less what `where` leaves out. A condition
 * ends with its line, so that a comment in it hides nothing of ours. */
static const char *source_of(const struct sf_check_maker *m)
{
    const char *relation = sf_publish_relation(m->arena, m->plan, m->check->table).p;
    if (m->check->where.n == 0)
        return relation;
    return sf_str_fmt(m->arena, "(select %s from %s t where (%.*s\n))", sf_star_columns_sql(m->arena, m->check->table, "t.").p,
                      relation, SF_ARG(m->check->where))
        .p;
}

/* A value beside a column: bare for a number, which was read as one. */
static const char *value_sql(const struct sf_check_maker *m, const struct sf_star_column *column, struct sf_str value)
{
    return column->type == SF_STAR_TEXT ? sf_sql_text(m->arena, value).p : sf_str_dup(m->arena, value).p;
}

/* When the data were taken, or when the source was last filled where it says no more; and which of the two. */
static struct sf_str stamp_of(const struct sf_check_maker *m, const char **name)
{
    bool has_as_of = m->plan->data_as_of.n > 0 || m->plan->data_loaded_at.n == 0;
    *name = has_as_of ? "data_as_of" : "data_loaded_at";
    return has_as_of ? m->plan->data_as_of : m->plan->data_loaded_at;
}

/* "current_year" is that of the data, so that a snapshot passes or fails for good; without a date in it, that of the clock. */
static const char *bound_sql(const struct sf_check_maker *m, struct sf_str bound)
{
    struct sf_str word = SF_STR("current_year");
    if (!sf_str_starts(bound, word))
        return sf_str_dup(m->arena, bound).p;
    int64_t year = 0, more = 0, ms;
    const char *name;
    if (!sf_as_of_ms(stamp_of(m, &name), &ms))
        ms = sf_clock_wall_ms();
    if (!sf_str_int64(sf_str_slice(sf_clock_rfc3339(m->arena, ms), 0, 4), &year) ||
        (bound.n > word.n && !sf_str_int64(sf_str_slice(bound, word.n + 1, bound.n), &more)))
        return "0";
    return sf_str_fmt(m->arena, "%" PRId64, bound.n > word.n && bound.p[word.n] == '-' ? year - more : year + more).p;
}

/* Whether a row `t` fails, for checks that a row alone can fail. A null passes all but not_null. */
struct sf_str sf_check_row_fails(const struct sf_check_maker *m)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    const struct sf_check *check = m->check;
    const char *name = check->n_columns ? sf_sql_name(m->arena, check->columns[0]->name).p : "";
    for (size_t i = 0; check->kind == SF_CHECK_NOT_NULL && i < check->n_columns; i++)
        sf_buf_addf(&buf, "%st.%s is null", i ? " or " : "", sf_sql_name(m->arena, check->columns[i]->name).p);
    if (check->kind == SF_CHECK_ACCEPTED_VALUES) {
        sf_buf_addf(&buf, "t.%s not in (", name);
        for (size_t i = 0; i < check->values->list.n; i++)
            sf_buf_addf(&buf, "%s%s", i ? ", " : "", value_sql(m, check->columns[0], check->values->list.items[i]->s));
        sf_buf_addc(&buf, ')');
    }
    if (check->kind == SF_CHECK_ACCEPTED_RANGE && check->min.n > 0)
        sf_buf_addf(&buf, "t.%s < %s", name, bound_sql(m, check->min));
    if (check->kind == SF_CHECK_ACCEPTED_RANGE && check->max.n > 0)
        sf_buf_addf(&buf, "%st.%s > %s", buf.n ? " or " : "", name, bound_sql(m, check->max));
    return taken(m->arena, &buf);
}

bool sf_check_is_of_rows(const struct sf_check *check)
{
    return check->kind == SF_CHECK_NOT_NULL || check->kind == SF_CHECK_ACCEPTED_VALUES || check->kind == SF_CHECK_ACCEPTED_RANGE;
}

/* --- what fails, kind by kind --- */

static void row_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    sf_buf_addf(buf, "select %s as row_text from %s t where %s", all_row_text(m->arena, m->check->table).p, source_of(m),
                sf_check_row_fails(m).p);
}

static struct sf_str column_list(const struct sf_check_maker *m, const struct sf_star_column *const *columns, size_t n)
{
    struct sf_buf list = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&list, "%st.%s", i ? ", " : "", sf_sql_name(m->arena, columns[i]->name).p);
    return taken(m->arena, &list);
}

/* The duplicates are grouped for only if counting shows that there are some: on the fact that is several times cheaper. */
static void unique_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    sf_buf_addf(buf, "select %s || ', copies=' || cast(count(*) as varchar) as row_text from %s t group by %s having count(*) > 1",
                row_text(m->arena, check->columns, check->n_columns, "t.").p, source_of(m),
                column_list(m, check->columns, check->n_columns).p);
}

static void relationships_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    sf_buf_addf(buf, "select %s as row_text from %s t", all_row_text(m->arena, check->table).p, source_of(m));
    for (size_t i = 0; i < check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(m->plan->star, check->columns[i]->references);
        sf_buf_addf(buf, " left join %s d%zu on d%zu.%s = t.%s", sf_publish_relation(m->arena, m->plan, to).p, i, i,
                    sf_sql_name(m->arena, to->key).p, sf_sql_name(m->arena, check->columns[i]->name).p);
    }
    sf_buf_addz(buf, " where ");
    for (size_t i = 0; i < check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(m->plan->star, check->columns[i]->references);
        sf_buf_addf(buf, "%sd%zu.%s is null", i ? " or " : "", i, sf_sql_name(m->arena, to->key).p);
    }
}

/* One row for each group of `columns` that has several values of what they should determine, with two of them. */
static void dependency_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    sf_buf_addf(buf, "select %s", row_text(m->arena, check->columns, check->n_columns, "t.").p);
    for (size_t i = 0; i < check->n_determines; i++) {
        const char *name = sf_sql_name(m->arena, check->determines[i]->name).p;
        sf_buf_addf(buf,
                    " || ', %.*s=' || cast(count(distinct t.%s) as varchar) || ' values, such as ' || coalesce(cast(min(t.%s) as "
                    "varchar), 'null') || ' and ' || coalesce(cast(max(t.%s) as varchar), 'null')",
                    SF_ARG(check->determines[i]->name), name, name, name);
    }
    sf_buf_addf(buf, " as row_text from %s t group by %s having ", source_of(m),
                column_list(m, check->columns, check->n_columns).p);
    for (size_t i = 0; i < check->n_determines; i++)
        sf_buf_addf(buf, "%scount(distinct t.%s) > 1", i ? " or " : "", sf_sql_name(m->arena, check->determines[i]->name).p);
}

static bool is_counted(const struct sf_check *check, const struct sf_star_table *table)
{
    return !check->table || check->table == table;
}

static void add_part_counts(struct sf_buf *declared, struct sf_buf *found, const struct sf_check_maker *m,
                            const struct sf_star_table *table)
{
    struct sf_load_parted parted = sf_load_parted(m->plan, table);
    for (size_t i = 0; i < parted.n; i++)
        if (sf_publish_is_in_scope(m->plan, &parted.parts[i]))
            sf_buf_addf(declared, "%sselect cast('%.*s %" PRId64 "' as varchar(200)) as what, %" PRId64 " as n",
                        declared->n ? " union all " : "", SF_ARG(table->name), parted.parts[i].value, parted.parts[i].rows);
    sf_buf_addf(found, "%sselect '%.*s ' || cast(s.part as varchar) as what, sum(s.row_count) as n from %s s group by s.part",
                found->n ? " union all " : "", SF_ARG(table->name), sf_publish_measured(m->arena, m->plan, table).p);
}

static void row_count_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_load_plan *plan = m->plan;
    struct sf_buf declared = SF_BUF(SF_MAX_SQL_BYTES), found = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (!is_counted(m->check, t->table))
            continue;
        if (t->table->partition_by.n > 0) {
            add_part_counts(&declared, &found, m, t->table);
            continue;
        }
        const char *name = sf_sql_text(m->arena, t->table->name).p;
        sf_buf_addf(&declared, "%sselect cast(%s as varchar(200)) as what, %" PRId64 " as n", declared.n ? " union all " : "", name,
                    t->rows);
        sf_buf_addf(&found, "%sselect cast(%s as varchar(200)) as what, count(*) as n from %s t", found.n ? " union all " : "",
                    name, sf_publish_relation(m->arena, plan, t->table).p);
    }
    if (is_counted(m->check, m->fact))
        add_part_counts(&declared, &found, m, m->fact);
    sf_buf_addf(
        buf,
        "select coalesce(d.what, f.what, 'null') || ': declared=' || coalesce(cast(d.n as varchar), 'none') || ', staged=' || "
        "coalesce(cast(f.n as varchar), 'none') as row_text from (%s) d full join (%s) f on f.what = d.what "
        "where d.n is null or f.n is null or d.n <> f.n",
        declared.n ? declared.p : "select cast(null as varchar) as what, 0 as n where false", found.p);
    sf_buf_free(&declared);
    sf_buf_free(&found);
}

/* What the data set calls the total of a column: of a side, or of a part. A side's total of the measure may go without its name. */
static struct sf_str cents_key(const struct sf_check_maker *m, const struct sf_star_column *column, const struct sf_value *facts,
                               struct sf_str side)
{
    struct sf_str key = side.n ? sf_str_fmt(m->arena, "%.*s_%.*s_cents", SF_ARG(side), SF_ARG(column->name))
                               : sf_str_fmt(m->arena, "%.*s_cents", SF_ARG(column->name));
    if (side.n && !sf_map_get(facts, key) && sf_str_eq(column->name, m->fact->measure))
        key = sf_str_fmt(m->arena, "%.*s_cents", SF_ARG(side));
    return key;
}

/* Columns of the fact whose totals the data set declares, for any of its parts (and sides). */
static size_t totalled_columns(const struct sf_check_maker *m, const struct sf_star_column **out)
{
    const struct sf_value *sides = m->check->sides;
    size_t n = 0;
    for (size_t c = 0; c < m->fact->n_columns; c++) {
        const struct sf_star_column *column = &m->fact->columns[c];
        bool is_declared = false;
        for (size_t i = 0; column->type == SF_STAR_NUMERIC && i < m->plan->n_parts; i++)
            for (size_t s = 0; s < (sides ? sides->map.n : 1); s++) {
                struct sf_str side = sides ? sides->map.pairs[s].value->s : SF_STR_NONE;
                const struct sf_value *facts = m->plan->parts[i].facts;
                is_declared |= sf_map_get(facts, cents_key(m, column, facts, side)) != NULL;
            }
        if (is_declared)
            out[n++] = column;
    }
    return n;
}

/* One line of what a part, or a side of it, should hold. */
static void declare_part(struct sf_buf *declared, const struct sf_check_maker *m, const struct sf_load_part *part,
                         const struct sf_pair *side, const struct sf_star_column *const *columns, size_t n_columns)
{
    struct sf_str name = side ? side->value->s : SF_STR_NONE;
    int64_t n = side ? sf_map_int(part->facts, sf_str_fmt(m->arena, "%.*s_rows", SF_ARG(name)).p, 0) : part->rows;
    if (n == 0)
        return;
    sf_buf_addf(declared, "%sselect %" PRId64 " as part, ", declared->n ? " union all " : "", part->value);
    if (side)
        sf_buf_addf(declared, "%.*s as side, ", SF_ARG(side->key));
    sf_buf_addf(declared, "%" PRId64 " as n", n);
    for (size_t c = 0; c < n_columns; c++)
        sf_buf_addf(declared, ", cast(%s as numeric(38,2)) as total_%zu",
                    sf_sql_cents(m->arena, sf_map_int(part->facts, cents_key(m, columns[c], part->facts, name).p, 0)).p, c);
}

/* Rows and totals of every part, or every side of it, as the data set says against as they are staged. */
static void reconcile_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_value *sides = m->check->sides;
    const struct sf_star_column **columns = SF_NEW_ARRAY(m->arena, m->fact->n_columns, const struct sf_star_column *);
    size_t n_columns = totalled_columns(m, columns);
    struct sf_buf declared = SF_BUF(SF_MAX_SQL_BYTES), found = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < m->plan->n_parts; i++)
        for (size_t s = 0; sf_publish_is_in_scope(m->plan, &m->plan->parts[i]) && s < (sides ? sides->map.n : 1); s++)
            declare_part(&declared, m, &m->plan->parts[i], sides ? &sides->map.pairs[s] : NULL, columns, n_columns);
    if (declared.n == 0) {
        sf_buf_addf(&declared, "select 0 as part, %s0 as n", sides ? "0 as side, " : "");
        for (size_t c = 0; c < n_columns; c++)
            sf_buf_addf(&declared, ", 0.00 as total_%zu", c);
        sf_buf_addz(&declared, " where false");
    }
    sf_buf_addf(&found, "select s.part, %ssum(s.row_count) as n", sides ? "s.side, " : "");
    for (size_t c = 0; c < n_columns; c++)
        sf_buf_addf(&found, ", sum(s.%s) as total_%zu", sf_check_sum_column(m->arena, columns[c]).p, c);
    sf_buf_addf(&found, " from " SF_PUBLISH_MEASURED " s group by s.part%s", sides ? ", s.side" : "");

    sf_buf_addz(buf, "select 'part=' || coalesce(cast(coalesce(d.part, f.part) as varchar), 'null')");
    if (sides)
        sf_buf_addz(buf, " || ', side=' || coalesce(cast(coalesce(d.side, f.side) as varchar), 'null')");
    static const char *const who[] = {"d", "f"}, *const said[] = {": declared rows=", ", staged rows="};
    for (size_t w = 0; w < SF_COUNT(who); w++) {
        sf_buf_addf(buf, " || '%s' || coalesce(cast(%s.n as varchar), 'none')", said[w], who[w]);
        for (size_t c = 0; c < n_columns; c++)
            sf_buf_addf(buf, " || ' %.*s=' || coalesce(cast(%s.total_%zu as varchar), 'none')",
                        SF_ARG(n_columns == 1 ? SF_STR("total") : columns[c]->name), who[w], c);
    }
    sf_buf_addf(buf,
                " as row_text from (%s) d full join (%s) f on f.part = d.part%s where d.n is null or f.n is null or d.n <> f.n",
                declared.p, found.p, sides ? " and f.side = d.side" : "");
    for (size_t c = 0; c < n_columns; c++)
        sf_buf_addf(buf, " or d.total_%zu <> coalesce(f.total_%zu, 0)", c, c);
    sf_buf_free(&declared);
    sf_buf_free(&found);
}

/* As many rows with the one value as with the other, and what both come to. */
static void pairs_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    const struct sf_star_table *to = sf_star_table(m->plan->star, check->via->references);
    const char *measure = sf_sql_name(m->arena, m->fact->measure).p, *label = sf_sql_name(m->arena, check->label->name).p;
    const char *by = check->by ? sf_sql_name(m->arena, check->by->name).p : NULL;
    struct sf_str one = check->values->list.items[0]->s, two = check->values->list.items[1]->s;
    const char *first = sf_sql_text(m->arena, one).p, *second = sf_sql_text(m->arena, two).p;
    if (by)
        sf_buf_addf(buf, "select '%.*s=' || coalesce(cast(e.place as varchar), 'null') || ': ' || ", SF_ARG(check->by->name));
    else
        sf_buf_addz(buf, "select ");
    sf_buf_addf(buf,
                "%s || ' rows=' || cast(e.n1 as varchar) || ' total=' || cast(e.s1 as varchar) || ', ' || %s || ' rows=' || "
                "cast(e.n2 as varchar) || ' total=' || cast(e.s2 as varchar) || ', together=' || cast(e.s1 + e.s2 as varchar) as "
                "row_text from (select ",
                first, second);
    if (by)
        sf_buf_addf(buf, "t.%s as place, ", by);
    for (int i = 1; i <= 2; i++) {
        const char *value = i == 1 ? first : second;
        sf_buf_addf(buf,
                    "%ssum(case when d.%s = %s then 1 else 0 end) as n%d, sum(case when d.%s = %s then t.%s else 0 end) as s%d",
                    i == 1 ? "" : ", ", label, value, i, label, value, measure, i);
    }
    sf_buf_addf(buf, " from %s t join %s d on d.%s = t.%s where d.%s in (%s, %s)",
                sf_publish_relation(m->arena, m->plan, m->fact).p, sf_publish_relation(m->arena, m->plan, to).p,
                sf_sql_name(m->arena, to->key).p, sf_sql_name(m->arena, check->via->name).p, label, first, second);
    if (by)
        sf_buf_addf(buf, " group by t.%s", by);
    sf_buf_addf(buf, ") e where e.n1 <> e.n2%s", check->with_totals ? " or e.s1 + e.s2 <> 0" : "");
}

/* Told here, so that the query is a constant: the sample does not age, since nobody publishes a newer one. */
static void freshness_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    int64_t ms = 0, days = 0;
    const char *name;
    struct sf_str as_of = stamp_of(m, &name), row = SF_STR_NONE;
    bool is_known = sf_as_of_ms(as_of, &ms);
    if (is_known)
        days = (sf_clock_wall_ms() - ms) / DAY_MS;
    if (as_of.n == 0)
        row = SF_STR("data_as_of=null: the source does not say when its data were taken");
    else if (!is_known)
        row = sf_str_fmt(m->arena, "%s=%.*s: not a time of a known form", name, SF_ARG(as_of));
    else if (sf_clock_wall_ms() - ms < -DAY_MS)
        row = sf_str_fmt(m->arena, "%s=%.*s: lies in the future", name, SF_ARG(as_of));
    else if (days > m->check->max_days)
        row =
            sf_str_fmt(m->arena, "%s=%.*s: %" PRId64 " days old, at most %" PRId64, name, SF_ARG(as_of), days, m->check->max_days);
    bool fails = row.n > 0 && !m->plan->is_sample;
    sf_buf_addf(buf, "select cast(%s as varchar(200)) as row_text where %s", fails ? sf_sql_text(m->arena, row).p : "null",
                fails ? "1 = 1" : "1 = 0");
}

/* Rows of each part that changes against what the ledger says was published. What is generated is not compared with what is the
 * city's. The latest part of the data may grow: it is still being filled. */
static void volume_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    struct sf_str changed = sf_publish_changed(m->arena, m->plan);
    int64_t latest = INT64_MIN;
    for (size_t i = 0; i < m->plan->n_parts; i++)
        if (!m->plan->parts[i].is_removed && m->plan->parts[i].value > latest)
            latest = m->plan->parts[i].value;
    sf_buf_addf(
        buf,
        "select '%.*s=' || cast(w.part as varchar) || ': rows=' || coalesce(cast(f.n as varchar), 'none') || ', published=' "
        "|| cast(w.n as varchar) as row_text from (select part, max(row_count) as n from %s where is_current and "
        "table_name = %s and loaded_by = %s and row_count > 0 and %sis_sample and part in (%s) group by part) w left join "
        "(select s.part, sum(s.row_count) as n from " SF_PUBLISH_MEASURED " s group by s.part) f on f.part = w.part where ",
        SF_ARG(m->fact->partition_by), sf_sql_name2(m->arena, m->plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p,
        sf_sql_text(m->arena, m->fact->name).p, sf_sql_text(m->arena, m->plan->loaded_by).p, m->plan->is_sample ? "" : "not ",
        changed.n ? changed.p : "null");
    if (check->shrink_percent >= 0)
        sf_buf_addf(buf, "coalesce(f.n, 0) * 100 <= w.n * %" PRId64, 100 - check->shrink_percent);
    if (check->growth_percent >= 0)
        sf_buf_addf(buf, "%sf.n * 100 >= w.n * %" PRId64 " and w.part < %" PRId64, check->shrink_percent >= 0 ? " or " : "",
                    100 + check->growth_percent, latest == INT64_MIN ? 0 : latest);
}

/* The person's query over tables of the star's names: each one that it mentions is what would be published, with published_ before
 * it what is published now. */
static void query_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_star *star = m->plan->star;
    const struct sf_value *columns = m->check->query_columns;
    sf_buf_addz(buf, "select ");
    for (size_t i = 0; i < columns->list.n; i++)
        sf_buf_addf(buf, "%s'%s%.*s=' || coalesce(cast(q.%s as varchar), 'null')", i ? " || " : "", i ? ", " : "",
                    SF_ARG(columns->list.items[i]->s), sf_sql_name(m->arena, columns->list.items[i]->s).p);
    sf_buf_addz(buf, " as row_text from (");
    bool is_first = true;
    for (size_t i = 0; i < 2 * star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i / 2];
        bool is_published = i % 2 == 1;
        struct sf_str name = is_published ? sf_str_fmt(m->arena, "published_%.*s", SF_ARG(table->name)) : table->name;
        if (!sf_check_mentions(m->check->query, name))
            continue;
        const char *from =
            is_published ? sf_sql_name2(m->arena, m->plan->schema, table->name).p : sf_publish_relation(m->arena, m->plan, table).p;
        sf_buf_addf(buf, "%s%s as (select %s from %s t)", is_first ? "with " : ", ", sf_sql_name(m->arena, name).p,
                    sf_star_columns_sql(m->arena, table, "t.").p, from);
        is_first = false;
    }
    sf_buf_addf(buf, "%sselect * from (%.*s\n) u) q", is_first ? "" : " ", SF_ARG(m->check->query));
}

struct sf_str sf_check_failing_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                   const struct sf_load_plan *plan)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    struct sf_check_maker m = sf_check_maker(arena, checks, check, plan);
    switch (check->kind) {
    case SF_CHECK_NOT_NULL:
    case SF_CHECK_ACCEPTED_VALUES:
    case SF_CHECK_ACCEPTED_RANGE:
        row_sql(&buf, &m);
        break;
    case SF_CHECK_UNIQUE:
        unique_sql(&buf, &m);
        break;
    case SF_CHECK_RELATIONSHIPS:
        relationships_sql(&buf, &m);
        break;
    case SF_CHECK_FUNCTIONAL_DEPENDENCY:
        dependency_sql(&buf, &m);
        break;
    case SF_CHECK_ROW_COUNT:
        row_count_sql(&buf, &m);
        break;
    case SF_CHECK_RECONCILE:
        reconcile_sql(&buf, &m);
        break;
    case SF_CHECK_ELIMINATION_PAIRS:
        pairs_sql(&buf, &m);
        break;
    case SF_CHECK_FRESHNESS:
        freshness_sql(&buf, &m);
        break;
    case SF_CHECK_VOLUME:
        volume_sql(&buf, &m);
        break;
    case SF_CHECK_SQL:
        query_sql(&buf, &m);
        break;
    }
    return taken(arena, &buf);
}

/* Rows that the load leaves alone can only lose a member that it takes away: none, mostly, and then nothing of them is read. */
static void count_bereft_sql(struct sf_buf *buf, const struct sf_check_maker *m)
{
    struct sf_str changed = sf_publish_changed(m->arena, m->plan);
    for (size_t i = 0; i < m->check->n_columns; i++) {
        const struct sf_star_table *to = sf_star_table(m->plan->star, m->check->columns[i]->references);
        const char *key = sf_sql_name(m->arena, to->key).p;
        struct sf_str before = sf_sql_name2(m->arena, m->plan->schema, to->name),
                      after = sf_publish_relation(m->arena, m->plan, to);
        if (sf_str_eq(before, after))
            continue;
        sf_buf_addf(buf, " + (select count(*) from %s t where t.%s in (select d.%s from %s d except select d.%s from %s d)",
                    sf_sql_name2(m->arena, m->plan->schema, m->check->table->name).p,
                    sf_sql_name(m->arena, m->check->columns[i]->name).p, key, before.p, key, after.p);
        if (changed.n > 0)
            sf_buf_addf(buf, " and t.%s not in (%s)", sf_sql_name(m->arena, m->check->table->partition_by).p, changed.p);
        sf_buf_addc(buf, ')');
    }
}

/* "current_year" moves on with the data: what passed last year need not pass this year. */
static bool has_moving_bound(const struct sf_check *check)
{
    struct sf_str word = SF_STR("current_year");
    return sf_str_starts(check->min, word) || sf_str_starts(check->max, word);
}

/* Of the rows that the load leaves alone, those that a moving bound has left behind. On the partition column whole parts are told
 * by their bounds. */
static struct sf_str count_left_behind_sql(const struct sf_check_maker *m)
{
    struct sf_str changed = sf_publish_changed(m->arena, m->plan), where = m->check->where;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(&buf, " + (select count(*) from %s t where (%s)", sf_sql_name2(m->arena, m->plan->schema, m->fact->name).p,
                sf_check_row_fails(m).p);
    if (where.n > 0)
        sf_buf_addf(&buf, " and (%.*s\n)", SF_ARG(where));
    if (changed.n > 0)
        sf_buf_addf(&buf, " and t.%s not in (%s)", sf_sql_name(m->arena, m->fact->partition_by).p, changed.p);
    sf_buf_addc(&buf, ')');
    return taken(m->arena, &buf);
}

/* Whether a check of a table in parts looks at one row or one part at a time: then what is proven need not be looked at again. */
static bool is_by_part(const struct sf_check *check, const struct sf_star_table *fact)
{
    switch (check->kind) {
    case SF_CHECK_NOT_NULL:
    case SF_CHECK_ACCEPTED_VALUES:
    case SF_CHECK_ACCEPTED_RANGE:
        return check->table->partition_by.n > 0 && !has_moving_bound(check);
    case SF_CHECK_RELATIONSHIPS:
        return check->table == fact && check->where.n == 0;
    case SF_CHECK_UNIQUE:
        return sf_check_is_unique_by_part(check, fact);
    case SF_CHECK_ROW_COUNT:
    case SF_CHECK_RECONCILE:
        return true;
    case SF_CHECK_FUNCTIONAL_DEPENDENCY:
    case SF_CHECK_ELIMINATION_PAIRS:
    case SF_CHECK_FRESHNESS:
    case SF_CHECK_VOLUME:
    case SF_CHECK_SQL:
        return false;
    }
    return false;
}

/* How many rows fail: of the fact's parts those in scope are counted. */
static struct sf_str count_sql(const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    if (check->table == m->fact && sf_check_is_of_rows(check)) {
        bool has_more = m->plan->is_rest_proven && has_moving_bound(check);
        return sf_str_fmt(m->arena, "select coalesce(sum(s.%s), 0)%s as n from " SF_PUBLISH_MEASURED " s", sf_check_column(m).p,
                          has_more ? count_left_behind_sql(m).p : "");
    }
    if (sf_check_is_measured(m))
        return sf_check_measured_sql(m);
    if (sf_check_is_unique_by_part(check, m->fact))
        return sf_check_count_unique_sql(m);
    struct sf_load_plan scope = *m->plan;
    scope.is_rest_left_out = is_by_part(check, m->fact);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    if (check->kind == SF_CHECK_RELATIONSHIPS && scope.is_rest_left_out) {
        sf_buf_addz(&buf, "select coalesce(r.n, 0)");
        if (m->plan->is_rest_proven)
            count_bereft_sql(&buf, m);
        sf_buf_addf(&buf, " as n from (%s) r", sf_check_sum_references_sql(m).p);
    } else {
        sf_buf_addf(&buf, "select count(*) as n from (%s) f", sf_check_failing_sql(m->arena, m->checks, check, &scope).p);
    }
    return taken(m->arena, &buf);
}

struct sf_str sf_check_raise_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                 const struct sf_load_plan *plan)
{
    struct sf_check_maker m = sf_check_maker(arena, checks, check, plan);
    return sf_str_fmt(
        arena,
        "select cast(case when n = 0 then '0' else 'check %.*s failed for ' || cast(n as varchar) || ' rows' end as integer) "
        "from (%s) c",
        SF_ARG(check->name), count_sql(&m).p);
}

struct sf_str sf_check_count_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                 const struct sf_load_plan *plan)
{
    struct sf_check_maker m = sf_check_maker(arena, checks, check, plan);
    return sf_str_fmt(arena, "select %s, n from (%s) c", sf_sql_text(arena, check->name).p, count_sql(&m).p);
}

struct sf_str sf_check_record_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_check *check,
                                  const struct sf_load_plan *plan)
{
    const char *name = sf_sql_text(arena, check->name).p;
    struct sf_check_maker m = sf_check_maker(arena, checks, check, plan);
    struct sf_load_plan scope = *plan; /* what was counted; a row that lost its member may be in any part */
    bool is_measured_by_part = check->by && sf_check_is_measured(&m);
    scope.is_rest_left_out = (is_by_part(check, m.fact) && check->kind != SF_CHECK_RELATIONSHIPS) || is_measured_by_part;
    return sf_str_fmt(
        arena,
        "select cast(%s as varchar(36)) as load_id, cast(%s as varchar(100)) as check_name, cast('%s' as varchar(10)) as "
        "severity, row_number() over (order by row_text) as place, substring(row_text, 1, 4000) as row_text, %s as "
        "recorded_at, cast(%s as varchar(500)) as loaded_by from (%s) f where (select max(failing) from " SF_CHECK_RESULTS
        " where check_name = %s) > 0",
        sf_sql_text(arena, plan->load_id).p, name,
        check->is_warning    ? "warn"
        : check->is_accepted ? "accepted"
                             : "error",
        plan->dialect->now, sf_sql_text(arena, plan->loaded_by).p, sf_check_failing_sql(arena, checks, check, &scope).p, name);
}

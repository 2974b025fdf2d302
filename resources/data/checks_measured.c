/* What checks have measured in the one pass over the fact, and what follows from it. See checks_sql.h.
 *
 * The pass joins each dimension that a check looks at, under names that no star has: it costs less than a pass for each check. */
#include "resources/data/checks_sql.h"
#include "resources/data/dataset_attrs.h"

#include <inttypes.h>

static struct sf_str taken(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

const struct sf_star_column *sf_checks_side(const struct sf_checks *checks)
{
    for (size_t i = 0; i < checks->n; i++)
        if (checks->list[i].kind == SF_CHECK_RECONCILE && checks->list[i].by)
            return checks->list[i].by;
    return NULL;
}

struct sf_str sf_check_column(const struct sf_check_maker *m)
{
    return sf_str_fmt(m->arena, "failing_%zu", (size_t)(m->check - m->checks->list));
}

struct sf_str sf_check_sum_column(struct sf_arena *arena, const struct sf_star_column *column)
{
    return sf_sql_name(arena, sf_str_fmt(arena, "sum_%.*s", SF_ARG(column->name)));
}

/* --- dimensions --- */

static bool is_proof_of_references(const struct sf_check_maker *m)
{
    return m->check->kind == SF_CHECK_RELATIONSHIPS && m->check->table == m->fact && m->check->where.n == 0;
}

static bool is_pairs(const struct sf_check_maker *m)
{
    return m->check->kind == SF_CHECK_ELIMINATION_PAIRS;
}

/* What the pass groups by: the same in all rows of a group, so it is looked at once a group. */
static bool is_of_groups(const struct sf_check_maker *m, const struct sf_star_column *column)
{
    return column == m->plan->side || sf_str_eq(column->name, m->fact->partition_by);
}

/* Whether the check needs, row by row, the dimension that a column of the fact refers to. */
static bool looks_through(const struct sf_check_maker *m, const struct sf_star_column *column)
{
    if (is_pairs(m))
        return m->check->via == column;
    for (size_t i = 0; is_proof_of_references(m) && !is_of_groups(m, column) && i < m->check->n_columns; i++)
        if (m->check->columns[i] == column)
            return true;
    return false;
}

static size_t column_number(const struct sf_star_table *table, const struct sf_star_column *column)
{
    return (size_t)(column - table->columns);
}

/* The first check that asks for the same pairs: what is measured once is enough. */
static size_t pair_number(const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    size_t i = 0;
    for (const struct sf_check *c = m->checks->list; c < check; c++, i++)
        if (c->kind == check->kind && c->via == check->via && c->label == check->label && sf_value_equal(c->values, check->values))
            break;
    return i;
}

static bool is_first_pair(const struct sf_check_maker *m)
{
    return pair_number(m) == (size_t)(m->check - m->checks->list);
}

/* Name of what a pass knows of a row's pair: 1 or 2, else nothing. */
static const char *pair_name(const struct sf_check_maker *m)
{
    return sf_str_fmt(m->arena, "sf_pair_%zu", pair_number(m)).p;
}

struct sf_str sf_checks_joined_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_load_plan *plan)
{
    const struct sf_star_table *fact = plan->star->fact;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t c = 0; c < fact->n_columns; c++) {
        const struct sf_star_column *column = &fact->columns[c];
        struct sf_buf more = SF_BUF(SF_MAX_SQL_BYTES);
        bool is_wanted = false;
        for (size_t i = 0; i < checks->n; i++) {
            struct sf_check_maker m = sf_check_maker(arena, checks, &checks->list[i], plan);
            is_wanted |= looks_through(&m, column);
            for (size_t v = 0; is_pairs(&m) && is_first_pair(&m) && m.check->via == column && v < 2; v++)
                sf_buf_addf(&more, "%s when d.%s = %s then %zu%s%s", v ? "" : ", min(case",
                            sf_sql_name(arena, m.check->label->name).p, sf_sql_text(arena, m.check->values->list.items[v]->s).p,
                            v + 1, v ? " end) as " : "", v ? pair_name(&m) : "");
        }
        if (is_wanted) {
            const struct sf_star_table *to = sf_star_table(plan->star, column->references);
            const char *key = sf_sql_name(arena, to->key).p;
            /* grouped, so that a key that is there twice, which is another check's business, does not count rows twice */
            sf_buf_addf(&buf, " left join (select d.%s as sf_key_%zu%s from %s d group by d.%s) j%zu on j%zu.sf_key_%zu = t.%s",
                        key, c, more.n ? more.p : "", sf_publish_relation(arena, plan, to).p, key, c, c, c,
                        sf_sql_name(arena, column->name).p);
        }
        sf_buf_free(&more);
    }
    return taken(arena, &buf);
}

static void measure_references(struct sf_buf *buf, const struct sf_check_maker *m)
{
    struct sf_buf fails = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < m->check->n_columns; i++) {
        size_t c = column_number(m->fact, m->check->columns[i]);
        if (!is_of_groups(m, m->check->columns[i]))
            sf_buf_addf(&fails, "%sj%zu.sf_key_%zu is null", fails.n ? " or " : "", c, c);
    }
    if (fails.n > 0)
        sf_buf_addf(buf, ", count(case when %s then 1 end) as %s", fails.p, sf_check_column(m).p);
    else
        sf_buf_addf(buf, ", 0 as %s", sf_check_column(m).p);
    sf_buf_free(&fails);
}

/* Of a group whose own column refers to nothing all rows fail. */
struct sf_str sf_check_sum_references_sql(const struct sf_check_maker *m)
{
    struct sf_buf cases = SF_BUF(SF_MAX_SQL_BYTES), ends = SF_BUF(SF_MAX_SQL_BYTES), joins = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < m->check->n_columns; i++) {
        const struct sf_star_column *column = m->check->columns[i];
        if (!is_of_groups(m, column))
            continue;
        const struct sf_star_table *to = sf_star_table(m->plan->star, column->references);
        const char *key = sf_sql_name(m->arena, to->key).p;
        sf_buf_addf(&cases, "case when g%zu.sf_key is null then s.row_count else ", i);
        sf_buf_addz(&ends, " end");
        sf_buf_addf(&joins, " left join (select d.%s as sf_key from %s d group by d.%s) g%zu on g%zu.sf_key = s.%s", key,
                    sf_publish_relation(m->arena, m->plan, to).p, key, i, i, column == m->plan->side ? "side" : "part");
    }
    struct sf_str text =
        sf_str_fmt(m->arena, "select sum(%.*ss.%s%.*s) as n from " SF_PUBLISH_MEASURED " s%.*s", SF_ARG(sf_buf_str(&cases)),
                   sf_check_column(m).p, SF_ARG(sf_buf_str(&ends)), SF_ARG(sf_buf_str(&joins)));
    sf_buf_free(&cases);
    sf_buf_free(&ends);
    sf_buf_free(&joins);
    return text;
}

/* How many rows of a group a check of rows fails for. */
static void measure_rows(struct sf_buf *buf, const struct sf_check_maker *m)
{
    struct sf_str where = m->check->where, fails = sf_check_row_fails(m);
    const char *name = sf_check_column(m).p;
    bool is_alike = where.n == 0;
    for (size_t i = 0; i < m->check->n_columns; i++)
        is_alike &= is_of_groups(m, m->check->columns[i]);
    if (is_alike)
        sf_buf_addf(buf, ", case when %.*s then count(*) else 0 end as %s", SF_ARG(fails), name);
    else
        sf_buf_addf(buf, ", count(case when %s%.*s%s(%.*s) then 1 end) as %s", where.n ? "(" : "", SF_ARG(where),
                    where.n ? "\n) and " : "", SF_ARG(fails), name);
}

static void measure_pairs(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const char *measure = sf_sql_name(m->arena, m->fact->measure).p, *pair = pair_name(m);
    size_t c = column_number(m->fact, m->check->via);
    for (int v = 1; v <= 2; v++)
        sf_buf_addf(buf,
                    ", count(case when j%zu.%s = %d then 1 end) as %s_n%d, sum(case when j%zu.%s = %d then t.%s end) as %s_s%d", c,
                    pair, v, pair, v, c, pair, v, measure, pair, v);
}

struct sf_str sf_checks_measured_sql(struct sf_arena *arena, const struct sf_checks *checks, const struct sf_load_plan *plan)
{
    const struct sf_star_table *fact = plan->star->fact;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    bool has_unique = false;
    for (size_t i = 0; i < fact->n_columns; i++)
        if (fact->columns[i].type == SF_STAR_NUMERIC)
            sf_buf_addf(&buf, ", sum(t.%s) as %s", sf_sql_name(arena, fact->columns[i].name).p,
                        sf_check_sum_column(arena, &fact->columns[i]).p);
    for (size_t i = 0; i < checks->n; i++) {
        struct sf_check_maker m = sf_check_maker(arena, checks, &checks->list[i], plan);
        if (is_proof_of_references(&m))
            measure_references(&buf, &m);
        if (is_pairs(&m) && is_first_pair(&m))
            measure_pairs(&buf, &m);
        has_unique |= sf_check_is_unique_by_part(m.check, fact);
        if (m.check->table == fact && sf_check_is_of_rows(m.check))
            measure_rows(&buf, &m);
    }
    if (has_unique && fact->key.n > 0)
        sf_buf_addf(&buf, ", sum(t.%s) as sf_keys", sf_sql_name(arena, fact->key).p);
    return taken(arena, &buf);
}

/* --- keys that occur once --- */

bool sf_check_is_unique_by_part(const struct sf_check *check, const struct sf_star_table *fact)
{
    return check->kind == SF_CHECK_UNIQUE && check->table == fact && check->n_columns == 2 && check->where.n == 0 &&
           sf_str_eq(check->columns[0]->name, fact->partition_by);
}

/* The engine holds all keys of a part and has proven that no two are equal; so a part with as many rows, whose keys have the same
 * sum, has them once too. Else, and where the warehouse conformed, they are sorted: each part by a process of its own. That a row
 * is in its own part is what the row count says. */
struct sf_str sf_check_count_unique_sql(const struct sf_check_maker *m)
{
    const char *key = sf_sql_name(m->arena, m->check->columns[1]->name).p;
    bool is_key = sf_str_eq(m->check->columns[1]->name, m->fact->key);
    struct sf_buf told = SF_BUF(SF_MAX_SQL_BYTES), counted = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < m->plan->n_parts; i++) {
        const struct sf_load_part *part = &m->plan->parts[i];
        if (!sf_publish_is_in_scope(m->plan, part))
            continue;
        int64_t keys = is_key ? sf_map_int(part->facts, FILE_KEYS, -1) : -1;
        struct sf_str twice = sf_str_fmt(m->arena, "select count(t.%s) - count(distinct t.%s) as n from %s t", key, key,
                                         sf_publish_part(m->arena, m->plan, part).p);
        if (keys < 0)
            sf_buf_addf(&counted, "%s%s", counted.n ? " union all " : "", twice.p);
        else
            sf_buf_addf(
                &told,
                " + case when (select count(*) from (select sum(s.row_count) as n, sum(s.sf_keys) as keys from " SF_PUBLISH_MEASURED
                " s where s.part = %" PRId64 ") k where k.n = %" PRId64 " and mod(k.keys, %" PRId64 ") = %" PRId64
                ") = 1 then 0 else (%s) end",
                part->value, part->rows, SF_KEYS_MODULUS, keys, twice.p);
    }
    struct sf_str text = sf_str_fmt(m->arena, "select coalesce(sum(p.n), 0)%s as n from (%s) p", told.n ? told.p : "",
                                    counted.n ? counted.p : "select 0 as n");
    sf_buf_free(&told);
    sf_buf_free(&counted);
    return text;
}

/* --- elimination pairs --- */

static bool is_changed(const struct sf_load_plan *plan, const struct sf_star_table *table)
{
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].table == table)
            return plan->tables[i].changes;
    return false;
}

/* Parts that the load leaves alone still have the pairs that they were published with, as long as the dimension says the same of
 * their keys. */
bool sf_check_is_measured(const struct sf_check_maker *m)
{
    const struct sf_check *check = m->check;
    bool is_by_part = check->by && sf_str_eq(check->by->name, m->fact->partition_by);
    if (!is_pairs(m) || (check->by && !is_by_part))
        return false;
    if (!m->plan->is_rest_proven)
        return true;
    return !is_changed(m->plan, sf_star_table(m->plan->star, check->via->references)) && (is_by_part || !check->is_warning);
}

/* What the parts that change had, taken off: the load as a whole was even before. */
static void subtract_published(struct sf_buf *buf, const struct sf_check_maker *m)
{
    const struct sf_star_table *to = sf_star_table(m->plan->star, m->check->via->references);
    const char *measure = sf_sql_name(m->arena, m->fact->measure).p, *label = sf_sql_name(m->arena, m->check->label->name).p;
    struct sf_str changed = sf_publish_changed(m->arena, m->plan);
    if (changed.n == 0)
        return;
    sf_buf_addz(buf, " union all select cast(null as integer)");
    for (size_t v = 0; v < 2; v++) {
        const char *value = sf_sql_text(m->arena, m->check->values->list.items[v]->s).p;
        sf_buf_addf(buf, ", -count(case when d.%s = %s then 1 end), -sum(case when d.%s = %s then t.%s end)", label, value, label,
                    value, measure);
    }
    sf_buf_addf(buf, " from %s t join %s d on d.%s = t.%s where t.%s in (%s)",
                sf_sql_name2(m->arena, m->plan->schema, m->fact->name).p, sf_sql_name2(m->arena, m->plan->schema, to->name).p,
                sf_sql_name(m->arena, to->key).p, sf_sql_name(m->arena, m->check->via->name).p,
                sf_sql_name(m->arena, m->fact->partition_by).p, changed.p);
}

struct sf_str sf_check_measured_sql(const struct sf_check_maker *m)
{
    const char *pair = pair_name(m);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(
        &buf,
        "select count(*) as n from (select coalesce(sum(p.n1), 0) as n1, coalesce(sum(p.s1), 0) as s1, coalesce(sum(p.n2), 0) as "
        "n2, coalesce(sum(p.s2), 0) as s2 from (select s.part, s.%s_n1 as n1, s.%s_s1 as s1, s.%s_n2 as n2, s.%s_s2 as s2 "
        "from " SF_PUBLISH_MEASURED " s",
        pair, pair, pair, pair);
    if (m->plan->is_rest_proven && !m->check->by)
        subtract_published(&buf, m);
    sf_buf_addf(&buf, ") p%s) e where e.n1 <> e.n2%s", m->check->by ? " group by p.part" : "",
                m->check->with_totals ? " or e.s1 + e.s2 <> 0" : "");
    return taken(m->arena, &buf);
}

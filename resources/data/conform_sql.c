/* See conform_sql.h. What each rule means is in README.md beside this; here is only how it is said in SQL. */
#include "resources/data/conform_sql.h"

#include "resources/data/conform/raw.h"
#include "resources/data/publish.h"

#include <inttypes.h>

struct writer {
    struct sf_script *script;
    struct sf_arena *arena;
    const struct sf_rules *rules;
    const struct sf_dialect *words;
    struct sf_str schema;
    struct sf_str raw;     /* quoted */
    struct sf_buf dropped; /* names of all tables that are made */
};

struct sf_str sf_conform_sql_table(struct sf_arena *arena, struct sf_str schema, struct sf_str table)
{
    return sf_sql_name2(arena, schema, sf_str_fmt(arena, SF_PUBLISH_STAGED "conform_%.*s", SF_ARG(table)));
}

static void add_name(struct sf_buf *names, struct sf_arena *arena, struct sf_str schema, struct sf_str table)
{
    sf_buf_addf(names, "%s%.*s", names->n ? ", " : "", SF_ARG(sf_conform_sql_table(arena, schema, table)));
}

/* A table of a query, with the one of that name dropped before. */
static void make_table(struct writer *w, const char *name, struct sf_str query)
{
    struct sf_str called = sf_str_of(name), table = sf_conform_sql_table(w->arena, w->schema, called);
    const char *what = sf_str_fmt(w->arena, "conform %.*s", SF_ARG(called)).p;
    add_name(&w->dropped, w->arena, w->schema, called);
    sf_script_add(w->script, what, "%s\n%.*s", sf_dialect_fill(w->arena, w->words->staged_as, '%', table).p, SF_ARG(query));
    if (w->words->analyze)
        sf_script_put(w->script, what, sf_dialect_fill(w->arena, w->words->analyze, '%', table));
}

static struct sf_str taken(struct writer *w, struct sf_buf *buf)
{
    struct sf_str text = buf->n ? sf_str_dup(w->arena, sf_buf_str(buf)) : SF_STR("");
    sf_buf_free(buf);
    return text;
}

/* --- expressions --- */

static const char *column(struct writer *w, size_t c)
{
    return sf_sql_name(w->arena, w->rules->columns[c].name).p;
}

/* Outer blanks and tabs gone. */
static struct sf_str trimmed(struct writer *w, const char *text)
{
    return sf_str_fmt(w->arena, "btrim(%s, ' ' || chr(9))", text);
}

/* Tabs to blanks, blanks collapsed and trimmed, A-Z to a-z and nothing else: lower() knows more letters. */
static struct sf_str folded(struct writer *w, const char *text)
{
    struct sf_str one =
        sf_str_fmt(w->arena, "translate(%s, chr(9) || 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', ' abcdefghijklmnopqrstuvwxyz')", text);
    return sf_str_fmt(w->arena, "btrim(%s, ' ')", sf_dialect_fill(w->arena, w->words->collapse, '$', one).p);
}

/* A part of what is hashed: its length in bytes, a colon, its bytes. */
static struct sf_str part(struct writer *w, const char *text)
{
    return sf_str_fmt(w->arena, "cast(octet_length(%s) as varchar) || ':' || %s", text, text);
}

static struct sf_str sha256(struct writer *w, const char *text)
{
    return sf_dialect_fill(w->arena, w->words->sha256, '$', sf_str_of(text));
}

static struct sf_str hash60(struct writer *w, const char *text)
{
    return sf_dialect_fill(w->arena, w->words->hash60, '$', sha256(w, text));
}

static const char *level_name(struct writer *w, const struct sf_rule_level *level, const char *of)
{
    return sf_str_fmt(w->arena, "coalesce(nullif(%s, ''), %s)",
                      trimmed(w, sf_str_fmt(w->arena, "%s%s", of, column(w, level->name)).p).p,
                      sf_sql_text(w->arena, level->no_name).p)
        .p;
}

/* NULL for a level without codes. */
static const char *level_code(struct writer *w, const struct sf_rule_level *level, const char *of)
{
    if (!level->has_code)
        return NULL;
    return sf_str_fmt(w->arena, "coalesce(nullif(%s, ''), %s)",
                      trimmed(w, sf_str_fmt(w->arena, "%s%s", of, column(w, level->code)).p).p,
                      sf_sql_text(w->arena, level->no_code).p)
        .p;
}

/* The stored text of a flag; null when the value is none of those accepted. */
static struct sf_str flag_text(struct writer *w, const struct sf_rule_flag *flag, const char *of)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    const char *value = folded(w, sf_str_fmt(w->arena, "coalesce(%s%s, '')", of, column(w, flag->column)).p).p;
    sf_buf_addf(&buf, "case");
    for (size_t i = 0; i < flag->n_values; i++) {
        sf_buf_addf(&buf, " when %s in (", value);
        for (size_t k = 0; k < flag->values[i].n_accepts; k++)
            sf_buf_addf(&buf, "%s%s", k ? ", " : "", sf_sql_text(w->arena, flag->values[i].accepts[k]).p);
        sf_buf_addf(&buf, ") then %s", sf_sql_text(w->arena, flag->values[i].text).p);
    }
    sf_buf_addz(&buf, " end");
    return taken(w, &buf);
}

/* "r."a", r."b"" of a dimension's columns. */
static struct sf_str dimension_columns(struct writer *w, const struct sf_rule_dimension *d, const char *of)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < d->n_columns; i++)
        sf_buf_addf(&buf, "%s%s%s", i ? ", " : "", of, column(w, d->columns[i]));
    return taken(w, &buf);
}

/* What tells two combinations of the dimension's columns apart: to Redshift texts are equal that differ in trailing blanks only. */
static struct sf_str parts_hash(struct writer *w, const struct sf_rule_dimension *d)
{
    struct sf_buf parts = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < d->n_columns; i++)
        sf_buf_addf(&parts, "%s%s", i ? " || " : "",
                    part(w, sf_str_fmt(w->arena, "coalesce(%s, '')", column(w, d->columns[i])).p).p);
    return sha256(w, taken(w, &parts).p);
}

/* --- rows --- */

/* Money: digits with or without separators of thousands, at most two decimals, no more cents than 63 bits hold. */
static struct sf_str money_problem(struct writer *w, const struct sf_rule_measure *measure)
{
    const char *value = trimmed(w, column(w, measure->column)).p;
    return sf_str_fmt(
        w->arena,
        "case when %s and coalesce(%s, '') = '' then 0 "
        "when %s ~ '^[-+]?([0-9]+|[0-9]{1,3}(,[0-9]{3})+)?([.][0-9]{1,2})?$' and %s ~ '[0-9]' and length(ltrim(%s, '-+0,')) <= 30 "
        "then case when abs(cast(replace(%s, ',', '') as numeric(38,2))) <= 92233720368547758.07 then 0 else 1 end "
        "else 1 end = 1",
        measure->is_zero_if_empty ? "true" : "false", value, value, value, value, value);
}

/* The first column that is wrong, in the order in which the engine looks; null: none. */
static struct sf_str problem(struct writer *w)
{
    const struct sf_rules *rules = w->rules;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    const char *year = trimmed(w, column(w, rules->year_column)).p;
    sf_buf_addz(&buf, "case");
    if (rules->contract == SF_CONTRACT_DISCARD_ROW)
        sf_buf_addz(&buf, " when " SF_RAW_UNKNOWN " is not null then " SF_RAW_UNKNOWN "\n ");
    sf_buf_addf(&buf, " when coalesce(%s, '') !~ '^[0-9]{4}$' or %s < '%d' or %s > '%d' then %s", year, year, rules->min_year, year,
                rules->max_year, sf_sql_text(w->arena, rules->columns[rules->year_column].name).p);
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        const struct sf_rule_dimension *d = &rules->dimensions[i];
        for (size_t k = 0; k < d->n_columns; k++) {
            const struct sf_rule_column *c = &rules->columns[d->columns[k]];
            const char *name = sf_sql_text(w->arena, c->name).p;
            if (d->has_flag && d->flag.column == d->columns[k])
                sf_buf_addf(&buf, "\n  when %s is null then %s", flag_text(w, &d->flag, "").p, name);
            else
                sf_buf_addf(&buf, "\n  when octet_length(%s) > %zu then %s", trimmed(w, column(w, d->columns[k])).p, c->max_bytes,
                            name);
        }
    }
    if (rules->n_sides) {
        sf_buf_addf(&buf, "\n  when coalesce(%s, '') not in (", folded(w, column(w, rules->side_column)).p);
        for (size_t i = 0; i < rules->n_sides; i++)
            sf_buf_addf(&buf, "%s%s", i ? ", " : "", sf_sql_text(w->arena, rules->sides[i].folded).p);
        sf_buf_addf(&buf, ") then %s", sf_sql_text(w->arena, rules->columns[rules->side_column].name).p);
    }
    for (size_t i = 0; i < rules->n_measures; i++) {
        sf_buf_addf(&buf, "\n  when %s then %s", money_problem(w, &rules->measures[i]).p,
                    sf_sql_text(w->arena, rules->columns[rules->measures[i].column].name).p);
        for (size_t k = 0; i == 0 && k < rules->n_details; k++) {
            const struct sf_rule_column *c = &rules->columns[rules->details[k]];
            sf_buf_addf(&buf, "\n  when octet_length(%s) > %zu then %s", trimmed(w, column(w, rules->details[k])).p, c->max_bytes,
                        sf_sql_text(w->arena, c->name).p);
        }
    }
    sf_buf_addz(&buf, " end");
    return taken(w, &buf);
}

static struct sf_str side_key(struct writer *w)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(&buf, "cast(case %s", folded(w, column(w, w->rules->side_column)).p);
    for (size_t i = 0; i < w->rules->n_sides; i++)
        sf_buf_addf(&buf, " when %s then %" PRId64, sf_sql_text(w->arena, w->rules->sides[i].folded).p, w->rules->sides[i].id);
    sf_buf_addz(&buf, " end as bigint)");
    return taken(w, &buf);
}

static const char *quoted_table(struct writer *w, const char *name)
{
    return sf_conform_sql_table(w->arena, w->schema, sf_str_of(name)).p;
}

/* The rows with a problem: where, what, and all that they hold. */
static void make_rejected(struct writer *w)
{
    const struct sf_rules *rules = w->rules;
    size_t columns[SF_RULES_MAX_COLUMNS], n = sf_raw_columns(rules, columns);
    struct sf_buf value = SF_BUF(SF_MAX_SQL_BYTES), text = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < n; i++) {
        struct sf_str name = rules->columns[columns[i]].name;
        sf_buf_addf(&value, " when %s then %s", sf_sql_text(w->arena, name).p, column(w, columns[i]));
        sf_buf_addf(&text, " || %s || coalesce(%s, '')", sf_sql_text(w->arena, sf_str_fmt(w->arena, ", %.*s=", SF_ARG(name))).p,
                    column(w, columns[i]));
    }
    make_table(w, SF_CONFORM_SQL_REJECTED,
               sf_str_fmt(w->arena,
                          "select " SF_RAW_LINE
                          " as line, conform_problem as problem, substring(case conform_problem%s end, 1, 100) as "
                          "value,\n  substring('line=' || cast(" SF_RAW_LINE
                          " as varchar) || ', problem=' || conform_problem%s, 1, 1000) as row_text\n"
                          "from (select t.*, %s as conform_problem from %.*s t) r where conform_problem is not null",
                          taken(w, &value).p, taken(w, &text).p, problem(w).p, SF_ARG(w->raw)));
}

/* The raw rows that are accepted, null and empty alike empty, with year, side and money read. What is wrong with a row is looked
 * for once: here it is known by its line. A cast that cannot be made stands in a case of its own: a planner may look at it first.
 */
static void make_rows(struct writer *w)
{
    const struct sf_rules *rules = w->rules;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(&buf, "select cast(case when r.line is null then %s end as integer) as conform_year",
                trimmed(w, column(w, rules->year_column)).p);
    if (rules->n_sides)
        sf_buf_addf(&buf, ", %s as conform_side", side_key(w).p);
    for (size_t i = 0; i < rules->n_measures; i++) {
        const char *value = trimmed(w, column(w, rules->measures[i].column)).p;
        sf_buf_addf(&buf,
                    ", cast(case when r.line is null then coalesce(nullif(replace(%s, ',', ''), ''), '0') end as "
                    "numeric(20,2)) as conform_m%zu",
                    value, i);
    }
    for (size_t i = 0; i < rules->n_details; i++)
        sf_buf_addf(&buf, ", coalesce(%s, '') as conform_d%zu", column(w, rules->details[i]), i);
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        sf_buf_addf(&buf, ", %s as hash%zu", parts_hash(w, &rules->dimensions[i]).p, i);
        for (size_t k = 0; k < rules->dimensions[i].n_columns; k++) {
            const char *c = column(w, rules->dimensions[i].columns[k]);
            sf_buf_addf(&buf, ", coalesce(%s, '') as %s", c, c);
        }
    }
    sf_buf_addf(&buf, "\nfrom %.*s t left join %s r on r.line = t." SF_RAW_LINE " where r.line is null", SF_ARG(w->raw),
                quoted_table(w, SF_CONFORM_SQL_REJECTED));
    make_table(w, SF_CONFORM_SQL_ROWS, taken(w, &buf));
}

/* --- members --- */

static const char *table_of(struct writer *w, const struct sf_rule_dimension *d, const char *what)
{
    return sf_str_fmt(w->arena, "%.*s_%s", SF_ARG(d->name), what).p;
}

/* conform_<d>_uses: each distinct combination of columns in each year, with rows and total. */
static void make_uses(struct writer *w, const struct sf_rule_dimension *d)
{
    const char *columns = dimension_columns(w, d, "").p;
    make_table(w, table_of(w, d, "uses"),
               sf_str_fmt(w->arena,
                          "select %s, hash%td as parts_hash, conform_year, count(*) as n, sum(conform_m0) as amount from %s\n"
                          "group by %s, hash%td, conform_year",
                          columns, d - w->rules->dimensions, quoted_table(w, SF_CONFORM_SQL_ROWS), columns,
                          d - w->rules->dimensions));
}

/* conform_<d>_members: each distinct combination with its key, its place among them, the hash of its columns, the folded path down
 * to each level. */
static void make_members(struct writer *w, const struct sf_rule_dimension *d)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES), paths = SF_BUF(SF_MAX_SQL_BYTES);
    const char *columns = dimension_columns(w, d, "").p;
    sf_buf_addf(&paths, "%s", sf_sql_text(w->arena, sf_str_fmt(w->arena, "%zu:%.*s", d->name.n, SF_ARG(d->name))).p);
    sf_buf_addf(&buf, "select u.*, row_number() over (order by parts_hash) as place, %s as conform_flag",
                d->has_flag ? flag_text(w, &d->flag, "").p : "cast(null as varchar)");
    for (size_t i = 0; i < d->n_levels; i++) {
        sf_buf_addf(&paths, " || %s", part(w, folded(w, level_name(w, &d->levels[i], "")).p).p);
        sf_buf_addf(&buf, ",\n  %s as path%zu, %s as name%zu", sf_buf_str(&paths).p, i, level_name(w, &d->levels[i], ""), i);
        if (d->levels[i].has_code)
            sf_buf_addf(&buf, ", %s as code%zu", level_code(w, &d->levels[i], ""), i);
    }
    if (d->has_flag)
        sf_buf_addf(&paths, " || %s", part(w, folded(w, flag_text(w, &d->flag, "").p).p).p);
    sf_buf_addf(&buf, ",\n  1 + mod(%s, 9007199254740991) as id", hash60(w, sf_buf_str(&paths).p).p);
    sf_buf_addf(&buf, "\nfrom (select %s, parts_hash, max(conform_year) as last_year from %s group by %s, parts_hash) u", columns,
                quoted_table(w, table_of(w, d, "uses")), columns);
    sf_buf_free(&paths);
    make_table(w, table_of(w, d, "members"), taken(w, &buf));
}

/* The dimension: of each name path the latest year's code and spelling, ties the bytewise smallest. */
static void make_dimension(struct writer *w, const struct sf_rule_dimension *d)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES), joins = SF_BUF(SF_MAX_SQL_BYTES);
    const char *members = quoted_table(w, table_of(w, d, "members"));
    sf_buf_addf(&buf, "select distinct m.id as %s", sf_sql_name(w->arena, d->key).p);
    for (size_t i = d->n_levels; i-- > 0;) {
        const char *latest[] = {"name", d->levels[i].has_code ? "code" : NULL};
        const size_t columns[] = {d->levels[i].name, d->levels[i].code};
        sf_buf_addf(&joins, "\njoin (select a.path%zu as path", i);
        for (size_t k = 0; k < SF_COUNT(latest) && latest[k]; k++) {
            const char *value = sf_dialect_fill(w->arena, w->words->bytewise, '$', sf_str_fmt(w->arena, "a.%s%zu", latest[k], i)).p;
            sf_buf_addf(&joins, ", min(%s) as %s", value, latest[k]);
            sf_buf_addf(&buf, ", l%zu.%s as %s", i, latest[k], column(w, columns[k]));
        }
        sf_buf_addf(&joins,
                    " from %s a\n"
                    "  join (select path%zu as path, max(last_year) as year from %s group by path%zu) b\n"
                    "    on b.path = a.path%zu and b.year = a.last_year\n"
                    "  group by a.path%zu) l%zu on l%zu.path = m.path%zu",
                    members, i, members, i, i, i, i, i, i);
    }
    if (d->has_flag)
        sf_buf_addf(&buf, ", m.conform_flag as %s", column(w, d->flag.column));
    sf_buf_addf(&buf, "\nfrom %s m%s", members, taken(w, &joins).p);
    make_table(w, sf_str_dup(w->arena, d->name).p, taken(w, &buf));
}

static void make_sides(struct writer *w)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < w->rules->n_sides; i++)
        sf_buf_addf(&buf, "%sselect cast(%" PRId64 " as bigint) as %s, cast(%s as varchar(255)) as %s", i ? " union all " : "",
                    w->rules->sides[i].id, sf_sql_name(w->arena, w->rules->side_key).p,
                    sf_sql_text(w->arena, w->rules->sides[i].text).p, column(w, w->rules->side_column));
    make_table(w, sf_str_dup(w->arena, w->rules->side_table).p, taken(w, &buf));
}

/* --- codes through time --- */

static void make_aliases(struct writer *w)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < w->rules->n_dimensions; i++) {
        const struct sf_rule_dimension *d = &w->rules->dimensions[i];
        for (size_t k = 0; k < d->n_levels; k++) {
            const struct sf_rule_level *level = &d->levels[k];
            const char *name = trimmed(w, sf_str_fmt(w->arena, "u.%s", column(w, level->name)).p).p,
                       *code = level->has_code ? trimmed(w, sf_str_fmt(w->arena, "u.%s", column(w, level->code)).p).p : "''";
            sf_buf_addf(&buf,
                        "%sselect %s as dimension, %s as level, m.id as member_id, u.conform_year as fiscal_year,\n"
                        "  nullif(%s, '') as source_code, nullif(%s, '') as source_name, cast(sum(u.n) as bigint) as row_count,\n"
                        "  cast(sum(u.amount) as numeric(20,2)) as amount\n"
                        "from %s u join %s m on m.parts_hash = u.parts_hash\n"
                        "group by m.id, u.conform_year, nullif(%s, ''), nullif(%s, '')",
                        buf.n ? "\nunion all\n" : "", sf_sql_text(w->arena, d->name).p,
                        sf_sql_text(w->arena, w->rules->columns[level->name].name).p, code, name,
                        quoted_table(w, table_of(w, d, "uses")), quoted_table(w, table_of(w, d, "members")), code, name);
        }
    }
    make_table(w, sf_str_dup(w->arena, w->rules->alias_table).p, taken(w, &buf));
}

/* From a member that only earlier eras have to the one with the same code at the lowest level, else to the one with the same name;
 * where there are two there is none. */
static void make_crosswalk(struct writer *w)
{
    const struct sf_rule_dimension *d = &w->rules->dimensions[w->rules->crosswalk_dimension];
    const struct sf_rule_level *lowest = &d->levels[d->n_levels - 1];
    const char *key = sf_sql_name(w->arena, d->key).p, *code = column(w, lowest->code), *name = column(w, lowest->name);
    const char *folded_name = folded(w, sf_str_fmt(w->arena, "t.%s", name).p).p;
    make_table(w, table_of(w, d, "eras"),
               sf_str_fmt(w->arena,
                          "select t.%s as id, t.%s as code, t.%s as name, %s as folded, max(m.last_year) >= %d as is_current\n"
                          "from %s t join %s m on m.id = t.%s group by t.%s, t.%s, t.%s",
                          key, code, name, folded_name, w->rules->current_from, quoted_table(w, sf_str_dup(w->arena, d->name).p),
                          quoted_table(w, table_of(w, d, "members")), key, key, code, name));
    const char *eras = quoted_table(w, table_of(w, d, "eras"));
    make_table(
        w, sf_str_dup(w->arena, w->rules->crosswalk_table).p,
        sf_str_fmt(w->arena,
                   "select e.id as %s, coalesce(c.id, n.id) as %s,\n"
                   "  case when c.id is not null then 'same_%s_code' else 'same_%s_name' end as basis\n"
                   "from %s e\n"
                   "left join (select code, min(id) as id from %s where is_current and code <> %s group by code having count(*) = "
                   "1) c on c.code = e.code\n"
                   "left join (select folded, min(id) as id from %s where is_current group by folded having count(*) = 1) n\n"
                   "  on n.folded = e.folded and e.name <> %s\n"
                   "where not e.is_current and coalesce(c.id, n.id) is not null",
                   sf_sql_name(w->arena, w->rules->legacy_key).p, sf_sql_name(w->arena, w->rules->current_key).p,
                   sf_str_dup(w->arena, w->rules->columns[lowest->name].name).p,
                   sf_str_dup(w->arena, w->rules->columns[lowest->name].name).p, eras, eras,
                   sf_sql_text(w->arena, lowest->no_code).p, eras, sf_sql_text(w->arena, lowest->no_name).p));
}

/* --- facts --- */

static void make_facts(struct writer *w)
{
    const struct sf_rules *rules = w->rules;
    struct sf_buf inner = SF_BUF(SF_MAX_SQL_BYTES), joins = SF_BUF(SF_MAX_SQL_BYTES), same = SF_BUF(SF_MAX_SQL_BYTES),
                  order = SF_BUF(SF_MAX_SQL_BYTES), id = SF_BUF(SF_MAX_SQL_BYTES), out = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addz(&inner, "select r.conform_year");
    sf_buf_addz(&same, "r.conform_year");
    sf_buf_addf(&id, "%s", part(w, "cast(conform_year as varchar)").p);
    if (rules->n_sides) {
        sf_buf_addf(&inner, ", r.conform_side, s.%s as side_text", column(w, rules->side_column));
        sf_buf_addz(&same, ", r.conform_side");
        sf_buf_addf(&id, " || %s", part(w, "side_text").p);
        sf_buf_addf(&joins, "\njoin %s s on s.%s = r.conform_side", quoted_table(w, sf_str_dup(w->arena, rules->side_table).p),
                    sf_sql_name(w->arena, rules->side_key).p);
    }
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        const struct sf_rule_dimension *d = &rules->dimensions[i];
        sf_buf_addf(&inner, ", d%zu.id as id%zu, r.hash%zu", i, i, i);
        sf_buf_addf(&same, ", d%zu.place", i); /* sorts faster than a hash */
        sf_buf_addf(&id, " || '64:' || hash%zu", i);
        sf_buf_addf(&joins, "\njoin %s d%zu on d%zu.parts_hash = r.hash%zu", quoted_table(w, table_of(w, d, "members")), i, i, i);
        sf_buf_addf(&out, ", id%zu as %s", i, sf_sql_name(w->arena, d->key).p);
    }
    if (rules->n_sides)
        sf_buf_addf(&out, ", conform_side as %s", sf_sql_name(w->arena, rules->side_key).p);
    for (size_t i = 0; i < rules->n_details; i++) {
        const char *detail = sf_str_fmt(w->arena, "conform_d%zu", i).p;
        sf_buf_addf(&inner, ", r.%s", detail);
        sf_buf_addf(&same, ", r.%s", detail);
        sf_buf_addf(&id, " || %s", part(w, detail).p);
        sf_buf_addf(&out, ", nullif(%s, '') as %s", trimmed(w, detail).p, column(w, rules->details[i]));
    }
    for (size_t i = 0; i < rules->n_measures; i++) {
        sf_buf_addf(&inner, ", r.conform_m%zu", i);
        sf_buf_addf(&order, "%sr.conform_m%zu", i ? ", " : "", i);
        sf_buf_addf(&out, ", conform_m%zu as %s", i, column(w, rules->measures[i].column));
    }
    sf_buf_addf(&id, " || %s", part(w, "cast(occurrence as varchar)").p);
    sf_buf_addf(&inner, ", row_number() over (partition by %s order by %s) as occurrence\nfrom %s r%s", taken(w, &same).p,
                taken(w, &order).p, quoted_table(w, SF_CONFORM_SQL_ROWS), taken(w, &joins).p);
    make_table(w, sf_str_dup(w->arena, rules->fact_table).p,
               sf_str_fmt(w->arena, "select 1 + %s as %s, conform_year as %s%s\nfrom (%s) f", hash60(w, taken(w, &id).p).p,
                          sf_sql_name(w->arena, rules->fact_key).p, column(w, rules->year_column), taken(w, &out).p,
                          taken(w, &inner).p));
}

struct sf_str sf_conform_sql_raw_columns(struct sf_arena *arena, const struct sf_rules *rules)
{
    size_t columns[SF_RULES_MAX_COLUMNS], n = sf_raw_columns(rules, columns);
    struct sf_str text = rules->contract == SF_CONTRACT_DISCARD_ROW ? SF_STR(SF_RAW_LINE ", " SF_RAW_UNKNOWN) : SF_STR(SF_RAW_LINE);
    for (size_t i = 0; i < n; i++)
        text = sf_str_fmt(arena, "%.*s, %s", SF_ARG(text), sf_sql_name(arena, rules->columns[columns[i]].name).p);
    return text;
}

void sf_conform_sql_raw(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema,
                        const struct sf_dialect *dialect)
{
    struct sf_arena *arena = script->arena;
    size_t columns[SF_RULES_MAX_COLUMNS], n = sf_raw_columns(rules, columns);
    struct sf_str table = sf_conform_sql_table(arena, schema, SF_STR(SF_CONFORM_SQL_RAW));
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(&buf, "%s (" SF_RAW_LINE " bigint", sf_dialect_fill(arena, dialect->staged, '%', table).p);
    if (rules->contract == SF_CONTRACT_DISCARD_ROW)
        sf_buf_addf(&buf, ", " SF_RAW_UNKNOWN " %s", dialect->any_text);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&buf, ", %s %s", sf_sql_name(arena, rules->columns[columns[i]].name).p, dialect->any_text);
    sf_buf_addc(&buf, ')');
    sf_script_add(script, "make room for raw rows", "drop table if exists %.*s", SF_ARG(table));
    sf_script_put(script, "make room for raw rows", sf_str_dup(arena, sf_buf_str(&buf)));
    sf_buf_free(&buf);
}

void sf_conform_sql(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema, const struct sf_dialect *dialect)
{
    struct sf_arena *arena = script->arena;
    struct writer w = {.script = script,
                       .arena = arena,
                       .rules = rules,
                       .words = dialect,
                       .schema = schema,
                       .raw = sf_conform_sql_table(arena, schema, SF_STR(SF_CONFORM_SQL_RAW)),
                       .dropped = SF_BUF(SF_MAX_SQL_BYTES)};
    size_t drop = script->n; /* what, is known in the end */
    sf_script_put(script, "drop what was conformed before", SF_STR_NONE);
    make_rejected(&w);
    make_rows(&w);
    for (size_t i = 0; i < rules->n_dimensions; i++) {
        make_uses(&w, &rules->dimensions[i]);
        make_members(&w, &rules->dimensions[i]);
        make_dimension(&w, &rules->dimensions[i]);
    }
    if (rules->n_sides)
        make_sides(&w);
    if (rules->alias_table.n)
        make_aliases(&w);
    if (rules->has_crosswalk)
        make_crosswalk(&w);
    make_facts(&w);
    script->list[drop].sql = sf_str_fmt(arena, "drop table if exists %.*s", SF_ARG(sf_buf_str(&w.dropped)));
    sf_buf_free(&w.dropped);
}

void sf_conform_sql_end(struct sf_script *script, const struct sf_rules *rules, struct sf_str schema)
{
    static const char *const steps[] = {"uses", "members"};
    struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES);
    add_name(&names, script->arena, schema, SF_STR(SF_CONFORM_SQL_RAW));
    add_name(&names, script->arena, schema, SF_STR(SF_CONFORM_SQL_ROWS));
    for (size_t i = 0; i < rules->n_dimensions; i++)
        for (size_t k = 0; k < SF_COUNT(steps); k++)
            add_name(&names, script->arena, schema,
                     sf_str_fmt(script->arena, "%.*s_%s", SF_ARG(rules->dimensions[i].name), steps[k]));
    if (rules->has_crosswalk)
        add_name(&names, script->arena, schema,
                 sf_str_fmt(script->arena, "%.*s_eras", SF_ARG(rules->dimensions[rules->crosswalk_dimension].name)));
    sf_script_add(script, "drop the steps in between", "drop table %.*s", SF_ARG(sf_buf_str(&names)));
    sf_buf_free(&names);
}

void sf_conform_sql_names(struct sf_buf *names, struct sf_arena *arena, const struct sf_star *star, struct sf_str schema)
{
    add_name(names, arena, schema, SF_STR(SF_CONFORM_SQL_RAW));
    add_name(names, arena, schema, SF_STR(SF_CONFORM_SQL_REJECTED));
    for (size_t i = 0; i < star->n_tables; i++)
        if (star->tables[i].role != SF_STAR_LEDGER)
            add_name(names, arena, schema, star->tables[i].name);
}

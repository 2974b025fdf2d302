/* See conform_load.h. */
#include "resources/data/conform_load.h"

#include "attr/star_schema.h"
#include "attr/upload.h"
#include "engine/core/json.h"
#include "resources/data/conform/report.h"
#include "resources/data/conform/text.h"
#include "resources/data/conform_sql.h"
#include "resources/data/data_file.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/dataset_rules.h"
#include "resources/data/publish_sql.h"

#include <inttypes.h>

struct conforming {
    struct sf_op *op;
    struct sf_arena *arena;
    const struct sf_dialect *dialect;
    const struct sf_load_objects *objects;
    const struct sf_rules *rules;
    const struct sf_star *star;
    const struct sf_ledger *ledger;
    struct sf_str published, schema; /* schemas: of the star, of staging tables */
    struct sf_script script;
    /* where the answers are in the script */
    size_t rejected, shown, sides, tables, facts;
    const struct sf_value *answers;
};

/* --- statements --- */

static struct sf_str table_of(const struct conforming *c, struct sf_str table)
{
    return sf_conform_sql_table(c->arena, c->schema, table);
}

static enum sf_code stage_raw(const struct conforming *c, struct sf_err *err)
{
    const struct sf_value *files = sf_map_getz(c->objects->dataset->attrs, DATASET_RAW);
    struct sf_str prefix = sf_map_str(c->objects->upload->attrs, UPLOAD_PREFIX);
    struct sf_str *keys = SF_NEW_ARRAY(c->arena, files->map.n + 1, struct sf_str);
    for (size_t i = 0; i < files->map.n; i++)
        keys[i] = sf_str_fmt(c->arena, "%.*s%.*s", SF_ARG(prefix), SF_ARG(sf_map_str(files->map.pairs[i].value, FILE_KEY)));
    struct sf_script make = {.arena = c->arena};
    sf_conform_sql_raw(&make, c->rules, c->schema, c->dialect);
    struct sf_str *prepare = SF_NEW_ARRAY(c->arena, make.n, struct sf_str);
    for (size_t i = 0; i < make.n; i++)
        prepare[i] = make.list[i].sql;
    struct sf_statement copy = {.what = "copy raw rows",
                                .table = table_of(c, SF_STR(SF_CONFORM_SQL_RAW)),
                                .columns = sf_conform_sql_raw_columns(c->arena, c->rules),
                                .bucket = c->objects->bucket,
                                .keys = keys,
                                .n_keys = files->map.n,
                                .role = c->objects->role,
                                .freeze = true,
                                .prepare = prepare,
                                .n_prepare = make.n};
    size_t failed;
    return c->op->site->world->warehouse_stage(c->op, c->objects->cluster, &copy, 1, &failed, err);
}

/* The tables but the facts that the rules make. */
static size_t tables_of_rules(const struct sf_rules *rules, struct sf_str *names)
{
    size_t n = 0;
    for (size_t i = 0; i < rules->n_dimensions; i++)
        names[n++] = rules->dimensions[i].name;
    if (rules->n_sides)
        names[n++] = rules->side_table;
    if (rules->alias_table.n)
        names[n++] = rules->alias_table;
    if (rules->has_crosswalk)
        names[n++] = rules->crosswalk_table;
    return n;
}
enum { MAX_TABLES = SF_RULES_MAX_DIMENSIONS + 3 };

/* "select 'program' as name, part, count, total, digest, different keys from ...". */
static void measure(const struct conforming *c, const struct sf_star_table *table, struct sf_str conformed, struct sf_buf *out)
{
    const char *part = table->partition_by.n ? sf_sql_name(c->arena, table->partition_by).p : NULL;
    const char *key = table->key.n
                          ? sf_str_fmt(c->arena, "cast(count(distinct %s) as varchar)", sf_sql_name(c->arena, table->key).p).p
                          : "cast(null as varchar)";
    sf_buf_addf(
        out,
        "%sselect cast(%s as varchar) as name, %s as part, cast(count(*) as varchar) as row_count, cast(%.*s as varchar) as "
        "total, cast(sum(%.*s) as varchar) as digest, %s as keys from %.*s%s%s",
        out->n ? "\nunion all\n" : "", sf_sql_text(c->arena, table->name).p,
        part ? sf_str_fmt(c->arena, "cast(%s as varchar)", part).p : "cast(null as varchar)",
        SF_ARG(sf_publish_total_sql(c->arena, table)), SF_ARG(c->dialect->row_digest(c->arena, table)), key, SF_ARG(conformed),
        part ? " group by " : "", part ? part : "");
}

static size_t ask(struct conforming *c, const char *what, struct sf_buf *sql)
{
    sf_script_put(&c->script, what, sf_str_dup(c->arena, sf_buf_str(sql)))->wants_rows = true;
    sf_buf_free(sql);
    return c->script.n - 1;
}

static void write_statements(struct conforming *c)
{
    const struct sf_rules *rules = c->rules;
    struct sf_buf rejected = SF_BUF(SF_MAX_SQL_BYTES), shown = SF_BUF(SF_MAX_SQL_BYTES), sides = SF_BUF(SF_MAX_SQL_BYTES),
                  tables = SF_BUF(SF_MAX_SQL_BYTES), facts = SF_BUF(SF_MAX_SQL_BYTES);
    sf_conform_sql(&c->script, rules, c->schema, c->dialect);
    const char *list = table_of(c, SF_STR(SF_CONFORM_SQL_REJECTED)).p;
    sf_buf_addf(&rejected, "select cast(count(*) as varchar) from %s", list);
    c->rejected = ask(c, "count rejected rows", &rejected);
    sf_buf_addf(&shown, "select cast(line as varchar), problem, value from %s order by line limit %d", list,
                SF_CONFORM_SHOWN_REJECTS);
    c->shown = ask(c, "show rejected rows", &shown);
    sf_buf_addf(&sides, "select cast(conform_year as varchar), %s, cast(count(*) as varchar)",
                rules->n_sides ? "cast(conform_side as varchar)" : "cast(null as varchar)");
    for (size_t i = 0; i < rules->n_measures; i++)
        sf_buf_addf(&sides, ", cast(sum(conform_m%zu) as varchar)", i);
    sf_buf_addf(&sides, " from %s group by conform_year%s", table_of(c, SF_STR(SF_CONFORM_SQL_ROWS)).p,
                rules->n_sides ? ", conform_side" : "");
    c->sides = ask(c, "total the rows", &sides);
    struct sf_str names[MAX_TABLES];
    size_t n = tables_of_rules(rules, names);
    for (size_t i = 0; i < n; i++) {
        const struct sf_star_table *table = sf_star_table(c->star, names[i]);
        if (table)
            measure(c, table, table_of(c, names[i]), &tables);
    }
    sf_buf_addz(&tables, "\norder by 1, 2");
    c->tables = ask(c, "measure the tables", &tables);
    measure(c, c->star->fact, table_of(c, rules->fact_table), &facts);
    sf_buf_addz(&facts, " order by 2");
    c->facts = ask(c, "measure the facts", &facts);
    sf_conform_sql_end(&c->script, rules, c->schema);
}

/* --- answers --- */

enum { A_NAME, A_PART, A_ROWS, A_TOTAL, A_DIGEST, A_KEYS };
enum { S_YEAR, S_SIDE, S_ROWS, S_FIRST_MEASURE };

static const struct sf_value *answer(const struct conforming *c, size_t statement)
{
    return c->answers->list.items[statement];
}

static int64_t number(const struct sf_value *rows, size_t r, size_t column)
{
    int64_t n;
    return sf_str_int64(sf_rows_text(rows, r, column), &n) ? n : 0;
}

/* What the ledger has for a table or part that is as measured in row `r`; NULL: it is not. */
static const struct sf_value *known(const struct conforming *c, const struct sf_value *rows, size_t r)
{
    int64_t part;
    bool is_part = sf_str_int64(sf_rows_text(rows, r, A_PART), &part);
    const struct sf_ledger_entry *e = sf_ledger_find(c->ledger, sf_rows_text(rows, r, A_NAME), is_part ? &part : NULL);
    const struct sf_value *source;
    struct sf_err ignored = {0};
    if (!e || !sf_ledger_agrees(e) || e->recorded_rows != number(rows, r, A_ROWS) ||
        !sf_str_eq(e->recorded_total, sf_rows_text(rows, r, A_TOTAL)) ||
        !sf_str_eq(e->recorded_digest, sf_rows_text(rows, r, A_DIGEST)) ||
        sf_json_parse(c->arena, e->source, "load_ledger", SF_JSON_PLAIN, &source, &ignored))
        return NULL;
    return source;
}

static struct sf_str new_digest(const struct conforming *c, const struct sf_value *rows, size_t r)
{
    return sf_data_digest16(c->arena, sf_str_fmt(c->arena, "%.*s:%.*s:%.*s", SF_ARG(sf_rows_text(rows, r, A_ROWS)),
                                                 SF_ARG(sf_rows_text(rows, r, A_TOTAL)), SF_ARG(sf_rows_text(rows, r, A_DIGEST))));
}

/* The engine proves it by holding all keys; here it is counted. A collision is a one in a billion event. */
static enum sf_code prove_keys(const struct sf_value *rows, size_t r, struct sf_err *err)
{
    if (sf_rows_is_null(rows, r, A_KEYS) || sf_str_eq(sf_rows_text(rows, r, A_KEYS), sf_rows_text(rows, r, A_ROWS)))
        return SF_OK;
    struct sf_str part = sf_rows_text(rows, r, A_PART);
    sf_fail(err, SF_E_DATA, "%.*s rows of table '%.*s'%s%.*s have only %.*s different keys", SF_ARG(sf_rows_text(rows, r, A_ROWS)),
            SF_ARG(sf_rows_text(rows, r, A_NAME)), part.n ? " in " : "", SF_ARG(part), SF_ARG(sf_rows_text(rows, r, A_KEYS)));
    sf_hint(err, "keys are hashes of names and rows: report it with the file; the engine (without `in: warehouse`) names the two");
    return SF_E_DATA;
}

static const struct sf_value *column_list(struct sf_arena *arena, const struct sf_star_table *table)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, table->n_columns + 1, const struct sf_value *);
    for (size_t i = 0; i < table->n_columns; i++)
        items[i] = sf_value_str(arena, table->columns[i].name);
    return sf_value_list(arena, items, table->n_columns);
}

static const struct sf_value *new_table(const struct conforming *c, struct sf_str name, int64_t rows, const struct sf_value *parts)
{
    struct sf_value *table = sf_value_map(c->arena);
    sf_map_set_int(c->arena, table, FILE_ROWS, rows);
    sf_map_set(c->arena, table, SF_STR(FILE_COLUMNS), column_list(c->arena, sf_star_table(c->star, name)));
    sf_map_set(c->arena, table, SF_STR(TABLE_PARTS), parts);
    return table;
}

static enum sf_code read_tables(const struct conforming *c, struct sf_value *tables, struct sf_err *err)
{
    const struct sf_value *rows = answer(c, c->tables);
    struct sf_str names[MAX_TABLES];
    size_t n = tables_of_rules(c->rules, names);
    for (size_t i = 0; i < n; i++) /* one in parts has none when it is empty, and no line in the answer */
        if (sf_star_table(c->star, names[i])->partition_by.n)
            sf_map_set(c->arena, tables, names[i], new_table(c, names[i], 0, sf_value_map(c->arena)));
    for (size_t r = 0; r < sf_rows_count(rows); r++) {
        struct sf_str name = sf_rows_text(rows, r, A_NAME), part = sf_rows_text(rows, r, A_PART);
        const struct sf_value *same = known(c, rows, r), *was = sf_map_get(tables, name);
        struct sf_value *file = sf_value_map(c->arena), *parts = sf_value_map(c->arena);
        enum sf_code rc = prove_keys(rows, r, err);
        if (rc)
            return rc;
        sf_map_set_int(c->arena, file, FILE_ROWS, number(rows, r, A_ROWS));
        sf_map_set_str(c->arena, file, FILE_DIGEST, same && same->type == SF_V_STRING ? same->s : new_digest(c, rows, r));
        if (!part.n) {
            sf_map_set(c->arena, file, SF_STR(FILE_COLUMNS), column_list(c->arena, sf_star_table(c->star, name)));
            sf_map_set(c->arena, tables, name, file);
            continue;
        }
        const struct sf_value *others = sf_map_getz(was, TABLE_PARTS);
        for (size_t i = 0; others && i < others->map.n; i++)
            sf_map_add(c->arena, parts, others->map.pairs[i].key, others->map.pairs[i].value);
        sf_map_set(c->arena, parts, part, file);
        sf_map_set(c->arena, tables, name, new_table(c, name, sf_map_int(was, FILE_ROWS, 0) + number(rows, r, A_ROWS), parts));
    }
    return SF_OK;
}

/* Rows and totals of a year and its sides, of the raw rows that were accepted: what the facts are reconciled with. */
static enum sf_code total_year(const struct conforming *c, struct sf_str year, struct sf_year *out, struct sf_err *err)
{
    const struct sf_value *rows = answer(c, c->sides);
    *out = (struct sf_year){.year = 0};
    for (size_t r = 0; r < sf_rows_count(rows); r++) {
        if (!sf_str_eq(sf_rows_text(rows, r, S_YEAR), year))
            continue;
        size_t side = 0;
        while (side + 1 < c->rules->n_sides && c->rules->sides[side].id != number(rows, r, S_SIDE))
            side++;
        out->rows += (uint64_t)number(rows, r, S_ROWS);
        out->side_rows[side] = (uint64_t)number(rows, r, S_ROWS);
        for (size_t i = 0; i < c->rules->n_measures; i++)
            if (sf_text_money(sf_rows_text(rows, r, S_FIRST_MEASURE + i), &out->side_cents[side][i]))
                return sf_fail(err, SF_E_DATA, "the amounts of %.*s add up to more than 64 bits of cents hold", SF_ARG(year));
    }
    return SF_OK;
}

static enum sf_code read_years(const struct conforming *c, struct sf_value *years, int64_t *n_rows, struct sf_err *err)
{
    const struct sf_value *rows = answer(c, c->facts);
    *n_rows = 0;
    for (size_t r = 0; r < sf_rows_count(rows); r++) {
        struct sf_str year = sf_rows_text(rows, r, A_PART);
        const struct sf_value *same = known(c, rows, r);
        struct sf_value *facts = sf_value_map(c->arena);
        struct sf_year totals;
        enum sf_code rc = prove_keys(rows, r, err);
        if (!rc)
            rc = total_year(c, year, &totals, err);
        if (rc)
            return rc;
        *n_rows += number(rows, r, A_ROWS);
        sf_map_set_int(c->arena, facts, FILE_ROWS, (int64_t)totals.rows);
        sf_map_set_str(c->arena, facts, FILE_DIGEST, new_digest(c, rows, r));
        sf_report_year_totals(c->arena, c->rules, &totals, facts);
        sf_map_set(c->arena, years, year, same && same->type == SF_V_MAP ? same : facts);
    }
    return SF_OK;
}

/* As the engine would say it. */
static const char *reason_of(const struct sf_rules *rules, struct sf_str problem)
{
    for (size_t i = 0; i < rules->n_columns; i++) {
        if (!sf_str_eq(rules->columns[i].name, problem))
            continue;
        bool is_flag = false, is_measure = false;
        for (size_t d = 0; d < rules->n_dimensions; d++)
            is_flag |= rules->dimensions[d].has_flag && rules->dimensions[d].flag.column == i;
        for (size_t m = 0; m < rules->n_measures; m++)
            is_measure |= rules->measures[m].column == i;
        return i == rules->year_column                                      ? "is not a fiscal year in range"
               : is_flag || (rules->n_sides > 0 && i == rules->side_column) ? "is none of the known values"
               : is_measure                                                 ? "is no amount in dollars and cents"
                                                                            : "is wider than its column";
    }
    return "is a value in a column that the rules do not know";
}

static const struct sf_value *read_rejects(const struct conforming *c)
{
    const struct sf_value *rows = answer(c, c->shown);
    size_t n = sf_rows_count(rows);
    const struct sf_value **list = SF_NEW_ARRAY(c->arena, n + 1, const struct sf_value *);
    for (size_t r = 0; r < n; r++) {
        struct sf_value *one = sf_value_map(c->arena);
        sf_map_set_int(c->arena, one, "line", number(rows, r, 0));
        sf_map_set_str(c->arena, one, "column", sf_rows_text(rows, r, 1));
        sf_map_set_str(c->arena, one, "reason", sf_str_of(reason_of(c->rules, sf_rows_text(rows, r, 1))));
        sf_map_set_str(c->arena, one, "value", sf_rows_text(rows, r, 2));
        list[r] = one;
    }
    return sf_value_list(c->arena, list, n);
}

static enum sf_code describe(const struct conforming *c, struct sf_object *dataset, struct sf_err *err)
{
    const struct sf_value *given = c->objects->dataset->attrs;
    struct sf_value *attrs = sf_value_map(c->arena), *tables = sf_value_map(c->arena), *years = sf_value_map(c->arena);
    int64_t rows, rejected = number(answer(c, c->rejected), 0, 0), source = 0;
    for (size_t i = 0; i < given->map.n; i++)
        sf_map_add(c->arena, attrs, given->map.pairs[i].key, given->map.pairs[i].value);
    enum sf_code rc = read_tables(c, tables, err);
    if (!rc)
        rc = read_years(c, years, &rows, err);
    if (rc)
        return rc;
    const struct sf_value *files = sf_map_getz(given, DATASET_RAW);
    for (size_t i = 0; i < files->map.n; i++)
        source += sf_map_int(files->map.pairs[i].value, FILE_ROWS, 0);
    if (rows + rejected != source)
        return sf_fail(err, SF_E_DATA,
                       "of %" PRId64 " rows of the source the warehouse conformed %" PRId64 " and rejected %" PRId64, source, rows,
                       rejected);
    struct sf_dataset_conform conform;
    rc = sf_dataset_conform_read(sf_map_getz(given, DATASET_CONFORM), &conform, err);
    sf_map_set_str(c->arena, attrs, DATASET_CONFORM, conform.rules); /* from here on it is as if the engine had done it */
    sf_map_set_int(c->arena, attrs, DATASET_ROWS, rows);
    sf_map_set_int(c->arena, attrs, DATASET_REJECTED, rejected);
    sf_map_set(c->arena, attrs, SF_STR(DATASET_REJECTS), read_rejects(c));
    sf_map_set_str(c->arena, attrs, DATASET_REJECTS_FILE,
                   sf_str_fmt(c->arena, "%s, load_id %.*s", sf_sql_name2(c->arena, c->published, SF_STR(SF_STAR_REJECTS_TABLE)).p,
                              SF_ARG(c->op->intent)));
    sf_map_set(c->arena, attrs, SF_STR(DATASET_TABLES), tables);
    sf_map_set(c->arena, attrs, SF_STR(DATASET_YEARS), years);
    sf_map_set(c->arena, attrs, SF_STR(DATASET_FACT_COLUMNS), column_list(c->arena, c->star->fact));
    *dataset = *c->objects->dataset;
    dataset->attrs = attrs;
    return rc;
}

/* --- the whole --- */

/* The rules make the tables that the star has, with the same columns: found out before anything runs. */
static enum sf_code compare_star(const struct conforming *c, struct sf_err *err)
{
    struct sf_str names[MAX_TABLES];
    size_t n = tables_of_rules(c->rules, names);
    names[n] = c->rules->fact_table;
    for (size_t i = 0; i <= n; i++) {
        if (sf_star_table(c->star, names[i]))
            continue;
        sf_fail(err, SF_E_CONFIG, "the rules make a table '%.*s', which the star file does not declare", SF_ARG(names[i]));
        sf_hint(err, "make the star file and the data set's rules agree");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

enum sf_code sf_conform_load(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                             const struct sf_ledger *ledger, struct sf_object *dataset, struct sf_err *err)
{
    struct conforming c = {.op = op,
                           .arena = op->arena,
                           .dialect = op->site->world->dialect,
                           .objects = objects,
                           .star = star,
                           .ledger = ledger,
                           .script = {.arena = op->arena}};
    const struct sf_value *files = sf_map_getz(objects->dataset->attrs, DATASET_RAW);
    c.published = sf_map_str(objects->star_schema->attrs, STAR_SCHEMA_SCHEMA);
    c.schema = sf_star_partitions_schema(op->arena, c.published);
    if (!files || files->type != SF_V_MAP)
        return sf_fail(err, SF_E_CONFIG, "the data set '%.*s' has no raw files", SF_ARG(objects->dataset->name));
    enum sf_code rc = sf_dataset_rules(op, objects->dataset->attrs, &c.rules, err);
    if (!rc && !sf_str_eq(c.rules->hash, sf_map_str(objects->dataset->attrs, DATASET_RULES))) {
        rc = sf_fail(err, SF_E_STALE, "the rule file of data set '%.*s' is not the one that was planned",
                     SF_ARG(objects->dataset->name));
        sf_hint(err, "plan again");
    }
    if (!rc)
        rc = compare_star(&c, err);
    if (rc)
        return rc;
    write_statements(&c);
    rc = stage_raw(&c, err);
    size_t failed = 0;
    c.script.list[0].is_anew = true; /* raw rows were staged anew, too */
    if (!rc)
        rc = op->site->world->warehouse_run(op, objects->cluster, c.script.list, c.script.n, &c.answers, &failed, err);
    if (rc == SF_E_UNKNOWN) { /* nobody reads what is staged */
        rc = SF_E_UNAVAILABLE;
        if (err)
            err->code = rc;
    }
    return rc ? rc : describe(&c, dataset, err);
}

void sf_conform_load_keep_rejects(struct sf_script *script, const struct sf_load_plan *plan, const char *severity)
{
    struct sf_arena *arena = script->arena;
    sf_script_add(script, "keep rejected rows",
                  "insert into %s (load_id, check_name, severity, row_number, row_text, recorded_at, loaded_by) "
                  "select %s, '" SF_CONFORM_LOAD_CHECK "', '%s', row_number() over (order by line), row_text, %s, %s from %s "
                  "order by line limit %d",
                  sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_REJECTS_TABLE)).p, sf_sql_text(arena, plan->load_id).p, severity,
                  plan->dialect->now, sf_sql_text(arena, plan->loaded_by).p,
                  sf_conform_sql_table(arena, plan->partitions, SF_STR(SF_CONFORM_SQL_REJECTED)).p, SF_MAX_REJECTS);
}

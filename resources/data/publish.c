/* See publish.h. */
#include "resources/data/publish_sql.h"

#include <inttypes.h>
#include <stdlib.h>

struct sf_str sf_publish_staged_table(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table)
{
    return sf_sql_name2(arena, plan->partitions, sf_str_fmt(arena, SF_PUBLISH_STAGED "table_%.*s", SF_ARG(table->name)));
}

static struct sf_str part_name(struct sf_arena *arena, const struct sf_load_part *part)
{
    return sf_str_fmt(arena, "%.*s_%" PRId64, SF_ARG(part->table->name), part->value);
}

static struct sf_str partition_name(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return sf_sql_name2(arena, plan->partitions, part_name(arena, part));
}

struct sf_load_parted sf_load_parted(const struct sf_load_plan *plan, const struct sf_star_table *table)
{
    if (table == plan->star->fact)
        return (struct sf_load_parted){table, plan->parts, plan->n_parts, plan->fact_columns};
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].table == table)
            return (struct sf_load_parted){table, plan->tables[i].parts, plan->tables[i].n_parts, plan->tables[i].columns};
    return (struct sf_load_parted){.table = table};
}

size_t sf_publish_list_parted(struct sf_arena *arena, const struct sf_load_plan *plan, struct sf_load_parted **out)
{
    size_t n = 0;
    *out = SF_NEW_ARRAY(arena, plan->n_tables + 1, struct sf_load_parted);
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_star_table *table = plan->tables[i].table;
        if (table->partition_by.n > 0)
            (*out)[n++] = sf_load_parted(plan, table);
    }
    (*out)[n++] = sf_load_parted(plan, plan->star->fact);
    return n;
}

/* Whether a part is staged as the partition it becomes. */
static bool is_attached(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return !part->has_partition && !plan->is_rehearsal;
}

static struct sf_str staged_part(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return sf_sql_name2(arena, plan->partitions, sf_str_fmt(arena, SF_PUBLISH_STAGED "part_%.*s", SF_ARG(part_name(arena, part))));
}

#define PART_CONSTRAINT "staged_in_part"

/* "(a bigint, b character varying(10))"; with `value`, as a partition with that one has to be. Staging aside has no constraints, so
 * that a check can show the rows that offend. */
static struct sf_str column_types(struct sf_arena *arena, const struct sf_star_table *table, const int64_t *value)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < table->n_columns; i++)
        sf_buf_addf(&buf, "%s%s %s%s", i ? ", " : "(", sf_sql_name(arena, table->columns[i].name).p,
                    sf_star_type_sql(arena, &table->columns[i]).p, value && !table->columns[i].is_nullable ? " not null" : "");
    if (value)
        sf_buf_addf(&buf, ", constraint " PART_CONSTRAINT " check (%s = %" PRId64 ")", sf_sql_name(arena, table->partition_by).p,
                    *value);
    sf_buf_addc(&buf, ')');
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

/* Of a quoted list of columns, the letter of each type (world.h). */
static const char *column_letters(struct sf_arena *arena, const struct sf_star_table *table, struct sf_str columns)
{
    static const char letters[] = {[SF_STAR_BIGINT] = 'b',  [SF_STAR_INTEGER] = 'i', [SF_STAR_TEXT] = 't',
                                   [SF_STAR_NUMERIC] = 'n', [SF_STAR_BOOLEAN] = 0,   [SF_STAR_TIMESTAMP] = 0};
    char *out = sf_arena_alloc(arena, table->n_columns + 1);
    size_t n = 0;
    while (columns.n > 0 && n < table->n_columns) {
        size_t comma = sf_str_find(columns, SF_STR(", "));
        struct sf_str name = sf_str_slice(columns, 0, comma == SIZE_MAX ? columns.n : comma);
        const struct sf_star_column *column = name.n > 2 ? sf_star_column(table, sf_str_slice(name, 1, name.n - 1)) : NULL;
        if (!column || !letters[column->type])
            return NULL;
        out[n++] = letters[column->type];
        columns = comma == SIZE_MAX ? SF_STR_NONE : sf_str_slice(columns, comma + 2, columns.n);
    }
    out[n] = 0;
    return columns.n == 0 && n > 0 ? out : NULL;
}

/* What becomes a partition (`part` is set) is logged, or rather synced at commit, and constrained as it must be then: the copy
 * proves what attaching would else read the whole table for. What is only read once more is neither. */
static void add_copy(struct sf_script *script, const struct sf_load_plan *plan, const char *what, struct sf_str table,
                     const struct sf_star_table *like, const struct sf_load_part *part, struct sf_str columns,
                     const struct sf_str *key, const int64_t *value)
{
    struct sf_statement *copy = sf_script_put(script, what, SF_STR_NONE);
    struct sf_str *prepare = SF_NEW_ARRAY(script->arena, 2, struct sf_str);
    prepare[0] = sf_str_fmt(script->arena, "drop table if exists %.*s", SF_ARG(table));
    prepare[1] = sf_str_fmt(script->arena, "create %stable %.*s %.*s", part ? "" : "unlogged ", SF_ARG(table),
                            SF_ARG(column_types(script->arena, like, part ? &part->value : NULL)));
    copy->prepare = prepare;
    copy->n_prepare = 2;
    if (plan->is_conformed)
        copy->sql = sf_str_fmt(script->arena, "insert into %.*s (%.*s) %.*s", SF_ARG(table), SF_ARG(columns),
                               SF_ARG(sf_publish_conformed_sql(script->arena, plan, like, columns, value)));
    copy->table = table;
    copy->columns = columns;
    copy->types = column_letters(script->arena, like, columns);
    copy->bucket = plan->bucket;
    copy->keys = key;
    copy->n_keys = 1;
    copy->role = plan->role;
    copy->freeze = true;
}

void sf_publish_scratch(struct sf_script *script, const struct sf_load_plan *plan, const char *what, const char *name,
                        struct sf_str select)
{
    sf_script_add(script, what, "%.*s %.*s", SF_ARG(sf_dialect_fill(script->arena, plan->dialect->temporary, '%', sf_str_of(name))),
                  SF_ARG(select));
}

/* What is to be copied. */
struct copy {
    int64_t rows;
    size_t n; /* its place, which decides between equals */
    const struct sf_load_table *table;
    const struct sf_load_part *part; /* NULL: the whole table */
    struct sf_str columns;
};

static int order_copies(const void *a, const void *b)
{
    const struct copy *x = a, *y = b;
    if (x->rows != y->rows)
        return x->rows > y->rows ? -1 : 1;
    return (x->n > y->n) - (x->n < y->n);
}

/* The largest first, so that several connections end together. */
static void stage(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    struct sf_load_parted *parted;
    size_t n_parted = sf_publish_list_parted(arena, plan, &parted), n = 0, most = plan->n_tables;
    for (size_t i = 0; i < n_parted; i++)
        most += parted[i].n;
    struct copy *copies = SF_NEW_ARRAY(arena, most + 1, struct copy);
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (t->changes && t->table->partition_by.n == 0)
            copies[n] = (struct copy){.rows = t->rows, .n = n, .table = t}, n++;
    }
    for (size_t i = 0; i < n_parted; i++)
        for (size_t k = 0; k < parted[i].n; k++) {
            const struct sf_load_part *part = &parted[i].parts[k];
            if (part->changes && !part->is_removed)
                copies[n] = (struct copy){.rows = part->rows, .n = n, .part = part, .columns = parted[i].columns}, n++;
        }
    qsort(copies, n, sizeof *copies, order_copies);
    for (size_t i = 0; i < n; i++) {
        const struct sf_load_table *t = copies[i].table;
        const struct sf_load_part *part = copies[i].part;
        if (part)
            add_copy(script, plan, sf_str_fmt(arena, "copy %.*s %" PRId64, SF_ARG(part->table->name), part->value).p,
                     staged_part(arena, plan, part), part->table, is_attached(plan, part) ? part : NULL, copies[i].columns,
                     &part->key, &part->value);
        else
            add_copy(script, plan, sf_str_fmt(arena, "copy %.*s", SF_ARG(t->table->name)).p,
                     sf_publish_staged_table(arena, plan, t->table), t->table, NULL, t->columns, &t->key, NULL);
    }
}

struct sf_str sf_publish_parts(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                               sf_publish_part_fn *takes)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < parted->n; i++)
        if (takes(plan, &parted->parts[i]))
            sf_buf_addf(&buf, "%s%" PRId64, buf.n ? ", " : "", parted->parts[i].value);
    struct sf_str text = buf.n ? sf_str_dup(arena, sf_buf_str(&buf)) : SF_STR_NONE;
    sf_buf_free(&buf);
    return text;
}

bool sf_publish_changes(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    (void)plan;
    return part->changes;
}

/* Deleted and inserted, so that what was measured in staging is to be measured again. */
static bool is_inserted(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return part->changes && !part->is_removed && !is_attached(plan, part);
}

struct sf_str sf_publish_changed(struct sf_arena *arena, const struct sf_load_plan *plan)
{
    struct sf_load_parted fact = sf_load_parted(plan, plan->star->fact);
    return sf_publish_parts(arena, plan, &fact, sf_publish_changes);
}

bool sf_publish_is_in_scope(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return !part->is_removed && (part->changes || !plan->is_rest_proven);
}

static bool has_unchanged_part(const struct sf_load_parted *parted)
{
    for (size_t i = 0; i < parted->n; i++)
        if (!parted->parts[i].changes)
            return true;
    return false;
}

static struct sf_str part_relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    const struct sf_star_table *table = part->table;
    if (part->changes)
        return staged_part(arena, plan, part);
    return sf_str_fmt(arena, "(select %.*s from %.*s where %.*s = %" PRId64 ")", SF_ARG(sf_star_columns_sql(arena, table, "")),
                      SF_ARG(sf_sql_name2(arena, plan->schema, table->name)), SF_ARG(sf_sql_name(arena, table->partition_by)),
                      part->value);
}

/* Staged parts, and of the published ones all that do not change (or none). */
static struct sf_str parted_relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                                     bool with_rest)
{
    const char *columns = sf_star_columns_sql(arena, parted->table, "").p;
    const char *published = sf_sql_name2(arena, plan->schema, parted->table->name).p;
    struct sf_str changed = sf_publish_parts(arena, plan, parted, sf_publish_changes);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < parted->n; i++)
        if (parted->parts[i].changes && !parted->parts[i].is_removed)
            sf_buf_addf(&buf, "%sselect %s from %s", buf.n ? " union all " : "(", columns,
                        staged_part(arena, plan, &parted->parts[i]).p);
    if (with_rest || buf.n == 0) {
        sf_buf_addf(&buf, "%sselect %s from %s", buf.n ? " union all " : "(", columns, published);
        if (!with_rest)
            sf_buf_addz(&buf, " where false");
        else if (changed.n > 0)
            sf_buf_addf(&buf, " where %s not in (%s)", sf_sql_name(arena, parted->table->partition_by).p, changed.p);
    }
    sf_buf_addc(&buf, ')');
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

struct sf_str sf_publish_relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table)
{
    if (table->partition_by.n > 0) {
        struct sf_load_parted parted = sf_load_parted(plan, table);
        bool with_rest = has_unchanged_part(&parted) && !(plan->is_rest_left_out && plan->is_rest_proven);
        return plan->dialect->publisher->relation(arena, plan, &parted, with_rest);
    }
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].table == table && plan->tables[i].changes)
            return sf_publish_staged_table(arena, plan, table);
    return sf_sql_name2(arena, plan->schema, table->name);
}

struct sf_str sf_publish_measured(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table)
{
    size_t i = 0;
    while (i < plan->n_tables && plan->tables[i].table != table)
        i++;
    return i < plan->n_tables ? sf_str_fmt(arena, SF_PUBLISH_MEASURED "_%zu", i) : SF_STR(SF_PUBLISH_MEASURED);
}

struct sf_str sf_publish_total_sql(struct sf_arena *arena, const struct sf_star_table *table)
{
    const struct sf_star_column *column = sf_star_total_column(table);
    return column ? sf_str_fmt(arena, "sum(%s)", sf_sql_name(arena, column->name).p) : SF_STR("cast(null as numeric)");
}

/* Rows counted, totalled and digested by part, and those of the fact by side. */
struct sf_str sf_publish_measure_sql(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table,
                                     struct sf_str more, struct sf_str from)
{
    bool is_fact = table == plan->star->fact;
    struct sf_str part = sf_sql_name(arena, table->partition_by);
    struct sf_str side = is_fact && plan->side ? sf_sql_name(arena, plan->side->name) : SF_STR_NONE;
    return sf_str_fmt(arena,
                      "select %.*s as part, %s as side, count(*) as row_count, %.*s as total, sum(%.*s) as digest%.*s from %.*s "
                      "group by %.*s%s%.*s",
                      SF_ARG(part), side.n ? side.p : "cast(null as bigint)", SF_ARG(sf_publish_total_sql(arena, table)),
                      SF_ARG(plan->dialect->row_digest(arena, table)), SF_ARG(more), SF_ARG(from), SF_ARG(part), side.n ? ", " : "",
                      SF_ARG(side));
}

void sf_publish_measure(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    struct sf_load_plan scope = *plan;
    struct sf_load_parted *parted;
    size_t n = sf_publish_list_parted(arena, plan, &parted);
    scope.is_rest_left_out = true;
    /* not straight into the ledger: an insert would be measured by one process, this by several */
    for (size_t i = 0; i < n; i++) {
        bool is_fact = parted[i].table == plan->star->fact;
        struct sf_str from = sf_str_fmt(arena, "%.*s t%.*s", SF_ARG(sf_publish_relation(arena, &scope, parted[i].table)),
                                        SF_ARG(is_fact ? plan->also_joined : SF_STR_NONE));
        sf_publish_scratch(script, plan, "measure what is staged", sf_publish_measured(arena, plan, parted[i].table).p,
                           sf_publish_measure_sql(arena, plan, parted[i].table, is_fact ? plan->also_measured : SF_STR_NONE, from));
    }
}

static void begin(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    /* sorting and grouping a part's keys in the default 4 MB would go through files */
    sf_script_put(script, "give the load memory", SF_STR("set local work_mem = '64MB'"));
    if (!plan->is_rehearsal)
        sf_script_add(script, "lock the ledger", "lock table %s in share row exclusive mode",
                      sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p);
    sf_publish_measure(script, plan);
}

static void publish_tables(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_star_table *table = plan->tables[i].table;
        if (!plan->tables[i].changes || table->partition_by.n > 0)
            continue;
        const char *what = sf_str_fmt(arena, "publish %.*s", SF_ARG(table->name)).p;
        const char *name = sf_sql_name2(arena, plan->schema, table->name).p, *columns = sf_star_columns_sql(arena, table, "").p;
        sf_script_add(script, what, "delete from %s", name);
        sf_script_add(script, what, "insert into %s (%s) select %s from %s", name, columns, columns,
                      sf_publish_staged_table(arena, plan, table).p);
        /* Until a server comes round to it by itself it takes every condition on a dimension to leave a handful of rows, and joins
         * the fact in loops: a view then answers in a minute, not in a tenth of a second. The fact is not worth it: its plans come
         * out the same. */
        if (table->role == SF_STAR_DIMENSION)
            sf_script_add(script, sf_str_fmt(arena, "analyze %.*s", SF_ARG(table->name)).p, "analyze %s", name);
    }
}

/* A new part becomes a partition as it is. */
static void attach_part(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_load_part *part,
                        const char *what)
{
    struct sf_arena *arena = script->arena;
    const char *name = sf_sql_name2(arena, plan->schema, part->table->name).p, *partition = partition_name(arena, plan, part).p;
    /* in one go: there may be many of them */
    sf_script_add(script, what,
                  "drop table if exists %s; alter table %s rename to %s; alter table %s attach partition %s for values in (%" PRId64
                  "); alter table %s drop constraint " PART_CONSTRAINT,
                  partition, staged_part(arena, plan, part).p, sf_sql_name(arena, part_name(arena, part)).p, name, partition,
                  part->value, partition);
}

static void publish_parts(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_load_parted *parted)
{
    struct sf_arena *arena = script->arena;
    const struct sf_star_table *table = parted->table;
    const char *name = sf_sql_name2(arena, plan->schema, table->name).p, *columns = sf_star_columns_sql(arena, table, "").p;
    for (size_t i = 0; i < parted->n; i++) {
        const struct sf_load_part *part = &parted->parts[i];
        if (!part->changes)
            continue;
        const char *what = sf_str_fmt(arena, "publish %.*s %" PRId64, SF_ARG(table->name), part->value).p;
        if (part->has_partition)
            sf_script_add(script, what, "delete from %s where %s = %" PRId64, name, sf_sql_name(arena, table->partition_by).p,
                          part->value);
        if (part->is_removed)
            continue;
        if (is_attached(plan, part))
            attach_part(script, plan, part, what);
        else
            sf_script_add(script, what, "insert into %s (%s) select %s from %s", name, columns, columns,
                          staged_part(arena, plan, part).p);
    }
}

/* Columns of a ledger row that are the same for all rows of a load, from `rules` on. */
struct sf_str sf_publish_ledger_tail(struct sf_arena *arena, const struct sf_load_plan *plan)
{
    struct sf_str note = plan->is_sample ? plan->star->sample_note : SF_STR_NONE;
    static const char none[] = "cast(null as varchar)";
    return sf_str_fmt(arena, "%s, %s, %s, %d, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s", sf_sql_text_or_null(arena, plan->rules).p,
                      sf_sql_text(arena, plan->star->digest).p, sf_sql_text_or_null(arena, plan->checks).p, plan->n_checks,
                      plan->accepted_sql.n ? plan->accepted_sql.p : none, plan->warned_sql.n ? plan->warned_sql.p : none,
                      sf_sql_text_or_null(arena, plan->snapshot).p, sf_sql_text_or_null(arena, plan->delivery).p,
                      plan->is_sample ? "true" : "false", sf_sql_text_or_null(arena, note).p,
                      sf_sql_text_or_null(arena, plan->data_as_of).p, sf_sql_text_or_null(arena, plan->data_loaded_at).p,
                      plan->dialect->now, sf_sql_text(arena, plan->loaded_by).p);
}

struct sf_str sf_publish_stale_sql(struct sf_arena *arena, const struct sf_load_plan *plan)
{
    struct sf_buf stale = SF_BUF(SF_MAX_SQL_BYTES);
    struct sf_load_parted *parted;
    size_t n_parted = sf_publish_list_parted(arena, plan, &parted);
    sf_buf_addf(&stale, "table_name = '%s'", SF_LEDGER_LOAD);
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].changes && plan->tables[i].table->partition_by.n == 0)
            sf_buf_addf(&stale, " or table_name = %s", sf_sql_text(arena, plan->tables[i].table->name).p);
    for (size_t i = 0; i < n_parted; i++) {
        struct sf_str changed = sf_publish_parts(arena, plan, &parted[i], sf_publish_changes);
        if (changed.n > 0) /* one that was loaded whole before has a row without a part */
            sf_buf_addf(&stale, " or (table_name = %s and (part is null or part in (%s)))",
                        sf_sql_text(arena, parted[i].table->name).p, changed.p);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&stale));
    sf_buf_free(&stale);
    return text;
}

/* Ledger rows of the parts that change: of those that were attached as they were measured in staging, of the others anew. */
static void write_parts(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_load_parted *parted)
{
    struct sf_arena *arena = script->arena;
    const struct sf_star_table *table = parted->table;
    const char *ledger = sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p;
    const char *measured = sf_publish_measured(arena, plan, table).p;
    struct sf_str inserted = sf_publish_parts(arena, plan, parted, is_inserted);
    struct sf_buf sources = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < parted->n; i++)
        if (parted->parts[i].changes && !parted->parts[i].is_removed)
            sf_buf_addf(&sources, "%sselect %" PRId64 " as part, %s as source", sources.n ? " union all " : "",
                        parted->parts[i].value, sf_sql_text(arena, parted->parts[i].source).p);
    if (inserted.n > 0) {
        struct sf_str from =
            sf_str_fmt(arena, "%.*s t where %.*s in (%.*s)", SF_ARG(sf_sql_name2(arena, plan->schema, table->name)),
                       SF_ARG(sf_sql_name(arena, table->partition_by)), SF_ARG(inserted));
        sf_script_add(script, "measure what is published", "delete from %s where part in (%s)", measured, inserted.p);
        sf_script_add(script, "measure what is published", "insert into %s (part, side, row_count, total, digest) %.*s", measured,
                      SF_ARG(sf_publish_measure_sql(arena, plan, table, SF_STR_NONE, from)));
    }
    if (sources.n > 0)
        sf_script_add(
            script, "write the ledger",
            "insert into %s (%s) select %s, %s, s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as "
            "varchar), s.source, %s from (%s) s left join (select part, sum(row_count) as row_count, sum(total) as total, "
            "sum(digest) as digest from %s group by part) m on m.part = s.part order by s.part",
            ledger, SF_LEDGER_COLUMNS, sf_sql_text(arena, plan->load_id).p, sf_sql_text(arena, table->name).p,
            sf_publish_ledger_tail(arena, plan).p, sources.p, measured);
    sf_buf_free(&sources);
}

static void write_ledger(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    const char *ledger = sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p;
    const char *id = sf_sql_text(arena, plan->load_id).p, *tail = sf_publish_ledger_tail(arena, plan).p;
    struct sf_buf tables = SF_BUF(SF_MAX_SQL_BYTES);
    struct sf_load_parted *parted;
    size_t n_parted = sf_publish_list_parted(arena, plan, &parted);

    sf_script_add(script, "retire ledger rows", "update %s set is_current = false where is_current and (%s)", ledger,
                  sf_publish_stale_sql(arena, plan).p);

    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (t->changes && t->table->partition_by.n == 0)
            sf_buf_addf(
                &tables, "%sselect cast(%s as varchar) as name, count(*) as row_count, %s as total, sum(%s) as digest from %s",
                tables.n ? " union all " : "", sf_sql_text(arena, t->table->name).p, sf_publish_total_sql(arena, t->table).p,
                plan->dialect->row_digest(arena, t->table).p, sf_sql_name2(arena, plan->schema, t->table->name).p);
    }
    if (tables.n > 0)
        sf_publish_scratch(script, plan, "measure what is published", SF_PUBLISH_MEASURED "_tables", sf_buf_str(&tables));
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (t->changes && t->table->partition_by.n == 0)
            sf_script_add(
                script, "write the ledger",
                "insert into %s (%s) select %s, m.name, null, true, m.row_count, m.total, cast(m.digest as varchar), %s, %s "
                "from " SF_PUBLISH_MEASURED "_tables m where m.name = %s",
                ledger, SF_LEDGER_COLUMNS, id, sf_sql_text(arena, t->source).p, tail, sf_sql_text(arena, t->table->name).p);
    }
    for (size_t i = 0; i < n_parted; i++)
        write_parts(script, plan, &parted[i]);
    sf_script_add(script, "write the ledger",
                  "insert into %s (%s) select %s, '%s', null, true, coalesce(sum(row_count), 0), sum(amount), null, %s, %s from %s "
                  "where is_current and table_name = %s",
                  ledger, SF_LEDGER_COLUMNS, id, SF_LEDGER_LOAD, sf_sql_text_or_null(arena, plan->raw).p, tail, ledger,
                  sf_sql_text(arena, plan->star->fact->name).p);
    sf_buf_free(&tables);
}

static void sweep(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    sf_script_add(script, "drop staging tables",
                  "do $sweep$\n"
                  "declare found record;\n"
                  "begin\n"
                  "  for found in select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                  "    where n.nspname = %s and c.relkind = 'r' and not c.relispartition and c.relname like '" SF_PUBLISH_STAGED
                  "%%'\n"
                  "  loop execute format('drop table %%I.%%I', %s, found.relname); end loop;\n"
                  "end $sweep$",
                  sf_sql_text(arena, plan->partitions).p, sf_sql_text(arena, plan->partitions).p);
}

static void commit(struct sf_script *script, const struct sf_load_plan *plan)
{
    publish_tables(script, plan);
    struct sf_load_parted *parted;
    size_t n = sf_publish_list_parted(script->arena, plan, &parted);
    for (size_t i = 0; i < n; i++)
        publish_parts(script, plan, &parted[i]);
    write_ledger(script, plan);
    struct sf_star_site site = {.dialect = plan->dialect, .schema = plan->schema, .is_sample = plan->is_sample};
    sf_star_comment_relations(script, plan->star, &site);
    sweep(script, plan);
}

static void withdraw(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    const char *owner = sf_sql_text(arena, plan->loaded_by).p;
    sweep(script, plan);
    for (size_t i = 0; i < plan->n_parts; i++)
        if (plan->parts[i].has_partition)
            sf_script_add(script, "drop a partition", "drop table if exists %s", partition_name(arena, plan, &plan->parts[i]).p);
    for (size_t i = 0; i < plan->star->n_tables; i++) {
        const struct sf_star_table *table = &plan->star->tables[i];
        if (table->role == SF_STAR_LEDGER)
            sf_script_add(script, "clear the ledger", "delete from %s where loaded_by = %s",
                          sf_sql_name2(arena, plan->schema, table->name).p, owner);
        else
            sf_script_add(script, "empty a table", "delete from %s", sf_sql_name2(arena, plan->schema, table->name).p);
    }
    struct sf_star_site site = {.dialect = plan->dialect, .schema = plan->schema, .is_sample = false};
    sf_star_comment_relations(script, plan->star, &site);
}

const struct sf_publisher sf_publish_by_partition = {
    .stage = stage,
    .begin = begin,
    .relation = parted_relation,
    .part = part_relation,
    .commit = commit,
    .sweep = sweep,
    .withdraw = withdraw,
};

/* Publishing on Redshift: no partitions, no locks to take, and a transaction of at most forty statements. See publish.h.
 *
 * The parts of a table that change are staged in one table by one COPY, which spreads them over all slices by itself; published,
 * they are deleted and inserted. Whoever else writes the same tables at the same time ends in a serialization failure (1023) and is
 * tried again, so no lock keeps readers out. Comments, statistics and space follow in transactions of their own: none of them is
 * needed for what is published to be right.
 *
 * Sources: Database Developer Guide, "Serializable isolation", "Loading data from Amazon S3", "Vacuuming tables". */
#include "resources/data/conform_sql.h"
#include "resources/data/publish_sql.h"
#include "resources/data/star_maker.h"

#include <inttypes.h>

static struct sf_str taken(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = buf->n ? sf_str_dup(arena, sf_buf_str(buf)) : SF_STR_NONE;
    sf_buf_free(buf);
    return text;
}

static bool is_staged(const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    (void)plan;
    return part->changes && !part->is_removed;
}

/* " where year in (2024, 2025)" */
static const char *where_part_in(struct sf_arena *arena, const struct sf_star_table *table, struct sf_str parts)
{
    return sf_str_fmt(arena, " where %s in (%.*s)", sf_sql_name(arena, table->partition_by).p, SF_ARG(parts)).p;
}

/* --- staging --- */

/* Without constraints: a null must get as far as the check that names its row. */
static void add_copy(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_star_table *table,
                     struct sf_str columns, const struct sf_str *keys, size_t n_keys)
{
    struct sf_arena *arena = script->arena;
    struct sf_str staged = sf_publish_staged_table(arena, plan, table);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < table->n_columns; i++)
        sf_buf_addf(&buf, "%s%s %s", i ? ", " : "", sf_sql_name(arena, table->columns[i].name).p,
                    sf_star_type_sql(arena, &table->columns[i]).p);
    struct sf_statement *copy = sf_script_put(script, sf_str_fmt(arena, "copy %.*s", SF_ARG(table->name)).p, SF_STR_NONE);
    struct sf_str *prepare = SF_NEW_ARRAY(arena, 2, struct sf_str);
    prepare[0] = sf_str_fmt(arena, "drop table if exists %.*s", SF_ARG(staged));
    prepare[1] = sf_str_fmt(arena, "create table %.*s (%.*s) diststyle even", SF_ARG(staged), SF_ARG(sf_buf_str(&buf)));
    sf_buf_free(&buf);
    copy->prepare = prepare;
    copy->n_prepare = 2;
    if (plan->is_conformed) {
        struct sf_str rows = sf_publish_conformed_sql(arena, plan, table, columns, NULL);
        struct sf_load_parted parted = sf_load_parted(plan, table);
        const char *where =
            table->partition_by.n > 0 ? where_part_in(arena, table, sf_publish_parts(arena, plan, &parted, is_staged)) : "";
        copy->sql = sf_str_fmt(arena, "insert into %s (%s) %s%s", staged.p, columns.p, rows.p, where);
    }
    copy->table = staged;
    copy->columns = columns;
    copy->bucket = plan->bucket;
    copy->keys = keys;
    copy->n_keys = n_keys;
    copy->role = plan->role;
}

static void stage(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_load_parted *parted;
    size_t n_parted = sf_publish_list_parted(script->arena, plan, &parted);
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].changes && plan->tables[i].table->partition_by.n == 0)
            add_copy(script, plan, plan->tables[i].table, plan->tables[i].columns, &plan->tables[i].key, 1);
    for (size_t i = 0; i < n_parted; i++) {
        struct sf_str *keys = SF_NEW_ARRAY(script->arena, parted[i].n + 1, struct sf_str);
        size_t n = 0;
        for (size_t k = 0; k < parted[i].n; k++)
            if (is_staged(plan, &parted[i].parts[k]))
                keys[n++] = parted[i].parts[k].key;
        if (n > 0)
            add_copy(script, plan, parted[i].table, parted[i].columns, keys, n);
    }
}

/* --- what is read --- */

static struct sf_str part(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    const struct sf_star_table *table = part->table;
    return sf_str_fmt(arena, "(select %s from %s where %s = %" PRId64 ")", sf_star_columns_sql(arena, table, "").p,
                      part->changes ? sf_publish_staged_table(arena, plan, table).p
                                    : sf_sql_name2(arena, plan->schema, table->name).p,
                      sf_sql_name(arena, table->partition_by).p, part->value);
}

static struct sf_str relation(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                              bool with_rest)
{
    const struct sf_star_table *table = parted->table;
    const char *columns = sf_star_columns_sql(arena, table, "").p, *published = sf_sql_name2(arena, plan->schema, table->name).p;
    struct sf_str changed = sf_publish_parts(arena, plan, parted, sf_publish_changes);
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    if (sf_publish_parts(arena, plan, parted, is_staged).n > 0)
        sf_buf_addf(&buf, "(select %s from %s", columns, sf_publish_staged_table(arena, plan, table).p);
    if (with_rest || buf.n == 0) {
        sf_buf_addf(&buf, "%sselect %s from %s", buf.n ? " union all " : "(", columns, published);
        if (!with_rest)
            sf_buf_addz(&buf, " where false");
        else if (changed.n > 0)
            sf_buf_addf(&buf, " where %s not in (%s)", sf_sql_name(arena, table->partition_by).p, changed.p);
    }
    sf_buf_addc(&buf, ')');
    return taken(arena, &buf);
}

static void begin(struct sf_script *script, const struct sf_load_plan *plan)
{
    sf_publish_measure(script, plan);
}

/* --- publishing --- */

static void replace(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_star_table *table, const char *where,
                    bool is_staged)
{
    struct sf_arena *arena = script->arena;
    const char *what = sf_str_fmt(arena, "publish %.*s", SF_ARG(table->name)).p;
    const char *name = sf_sql_name2(arena, plan->schema, table->name).p, *columns = sf_star_columns_sql(arena, table, "").p;
    sf_script_add(script, what, "delete from %s%s", name, where);
    if (is_staged)
        sf_script_add(script, what, "insert into %s (%s) select %s from %s", name, columns, columns,
                      sf_publish_staged_table(arena, plan, table).p);
}

/* What the ledger says was published: of each table, measured where people read it. */
static void write_tables(struct sf_script *script, const struct sf_load_plan *plan, const char *tail)
{
    struct sf_arena *arena = script->arena;
    struct sf_buf tables = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        if (t->changes && t->table->partition_by.n == 0)
            sf_buf_addf(&tables,
                        "%sselect cast(%s as varchar(128)) as name, cast(%s as varchar(4000)) as source, count(*) as row_count, "
                        "%s as total, sum(%s) as digest from %s",
                        tables.n ? " union all " : "", sf_sql_text(arena, t->table->name).p, sf_sql_text(arena, t->source).p,
                        sf_publish_total_sql(arena, t->table).p, plan->dialect->row_digest(arena, t->table).p,
                        sf_sql_name2(arena, plan->schema, t->table->name).p);
    }
    if (tables.n > 0)
        sf_script_add(script, "write the ledger",
                      "insert into %s (%s) select %s, m.name, null, true, m.row_count, m.total, cast(m.digest as varchar), "
                      "m.source, %s from (%s) m",
                      sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p, SF_LEDGER_COLUMNS,
                      sf_sql_text(arena, plan->load_id).p, tail, tables.p);
    sf_buf_free(&tables);
}

/* And of each part; one without rows has its row all the same. */
static void write_parts(struct sf_script *script, const struct sf_load_plan *plan, const struct sf_load_parted *parted,
                        const char *tail)
{
    struct sf_arena *arena = script->arena;
    const struct sf_star_table *table = parted->table;
    const char *part = sf_sql_name(arena, table->partition_by).p;
    struct sf_buf sources = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < parted->n; i++)
        if (is_staged(plan, &parted->parts[i]))
            sf_buf_addf(&sources, "%sselect %" PRId64 " as part, cast(%s as varchar(4000)) as source",
                        sources.n ? " union all " : "", parted->parts[i].value, sf_sql_text(arena, parted->parts[i].source).p);
    if (sources.n > 0)
        sf_script_add(
            script, "write the ledger",
            "insert into %s (%s) select %s, %s, s.part, true, coalesce(m.row_count, 0), m.total, cast(m.digest as "
            "varchar), s.source, %s from (%s) s left join (select %s as part, count(*) as row_count, %s as total, sum(%s) "
            "as digest from %s%s group by %s) m on m.part = s.part",
            sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p, SF_LEDGER_COLUMNS,
            sf_sql_text(arena, plan->load_id).p, sf_sql_text(arena, table->name).p, tail, sources.p, part,
            sf_publish_total_sql(arena, table).p, plan->dialect->row_digest(arena, table).p,
            sf_sql_name2(arena, plan->schema, table->name).p,
            where_part_in(arena, table, sf_publish_parts(arena, plan, parted, sf_publish_changes)), part);
    sf_buf_free(&sources);
}

static void write_ledger(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    const char *ledger = sf_sql_name2(arena, plan->schema, SF_STR(SF_STAR_LEDGER_TABLE)).p;
    const char *tail = sf_publish_ledger_tail(arena, plan).p;
    struct sf_load_parted *parted;
    size_t n = sf_publish_list_parted(arena, plan, &parted);
    sf_script_add(script, "retire ledger rows", "update %s set is_current = false where is_current and (%s)", ledger,
                  sf_publish_stale_sql(arena, plan).p);
    write_tables(script, plan, tail);
    for (size_t i = 0; i < n; i++)
        write_parts(script, plan, &parted[i], tail);
    sf_script_add(script, "write the ledger",
                  "insert into %s (%s) select %s, '%s', null, true, coalesce(sum(row_count), 0), sum(amount), null, %s, %s from %s "
                  "where is_current and table_name = %s",
                  ledger, SF_LEDGER_COLUMNS, sf_sql_text(arena, plan->load_id).p, SF_LEDGER_LOAD,
                  sf_sql_text_or_null(arena, plan->raw).p, tail, ledger, sf_sql_text(arena, plan->star->fact->name).p);
}

/* By name: which tables there are can only be asked by a client. */
static void sweep(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < plan->star->n_tables; i++)
        if (plan->star->tables[i].role != SF_STAR_LEDGER)
            sf_buf_addf(&names, "%s%s", names.n ? ", " : "",
                        sf_publish_staged_table(script->arena, plan, &plan->star->tables[i]).p);
    sf_conform_sql_names(&names, script->arena, plan->star, plan->partitions);
    sf_script_add(script, "drop staging tables", "drop table if exists %.*s", SF_ARG(sf_buf_str(&names)));
    sf_buf_free(&names);
}

static void commit(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    struct sf_load_parted *parted;
    size_t n = sf_publish_list_parted(arena, plan, &parted);
    for (size_t i = 0; i < plan->n_tables; i++)
        if (plan->tables[i].changes && plan->tables[i].table->partition_by.n == 0)
            replace(script, plan, plan->tables[i].table, "", true);
    for (size_t i = 0; i < n; i++) {
        struct sf_str changed = sf_publish_parts(arena, plan, &parted[i], sf_publish_changes);
        if (changed.n > 0)
            replace(script, plan, parted[i].table, where_part_in(arena, parted[i].table, changed),
                    sf_publish_parts(arena, plan, &parted[i], is_staged).n > 0);
    }
    write_ledger(script, plan);
    sweep(script, plan);
}

/* --- afterwards --- */

static void tidy(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    struct sf_star_site site = {.dialect = plan->dialect, .schema = plan->schema, .is_sample = plan->is_sample};
    const struct sf_star_table *fact = plan->star->fact;
    sf_star_comment_relations(script, plan->star, &site);
    bool changes_fact = sf_publish_changed(arena, plan).n > 0;
    /* statistics first: plans are bad without them, while rows that were deleted are only in the way */
    for (size_t step = 0; step < 2; step++) {
        bool vacuums = step == 1;
        bool opens = true;
        for (size_t i = 0; i <= plan->n_tables; i++) {
            if (i < plan->n_tables ? !plan->tables[i].changes : !changes_fact)
                continue;
            struct sf_str name = i < plan->n_tables ? plan->tables[i].table->name : fact->name;
            sf_script_add(script, sf_str_fmt(arena, "%s %.*s", vacuums ? "vacuum" : "analyze", SF_ARG(name)).p, "%s %s",
                          vacuums ? "vacuum" : "analyze", sf_sql_name2(arena, plan->schema, name).p)
                ->opens = opens;
            opens = vacuums;
        }
    }
}

static void withdraw(struct sf_script *script, const struct sf_load_plan *plan)
{
    struct sf_arena *arena = script->arena;
    sweep(script, plan);
    for (size_t i = 0; i < plan->star->n_tables; i++) {
        const struct sf_star_table *table = &plan->star->tables[i];
        if (table->role == SF_STAR_LEDGER)
            sf_script_add(script, "clear the ledger", "delete from %s where loaded_by = %s",
                          sf_sql_name2(arena, plan->schema, table->name).p, sf_sql_text(arena, plan->loaded_by).p);
        else
            sf_script_add(script, "empty a table", "delete from %s", sf_sql_name2(arena, plan->schema, table->name).p);
    }
}

const struct sf_publisher sf_publish_by_delete = {
    .stages_bare = true,
    .stage = stage,
    .begin = begin,
    .relation = relation,
    .part = part,
    .commit = commit,
    .tidy = tidy,
    .sweep = sweep,
    .withdraw = withdraw,
};

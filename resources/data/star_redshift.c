/* A star on Redshift: no partitions, keys that nobody enforces, distribution and sort keys. See star_sql.h.
 *
 * COMMENT knows no schemas there, so the ownership marks are the comment of an empty table in the schema of what is staged. The
 * catalog query asks pg_catalog and functions of the leader node only: these do not mix with tables of people. Comments are a
 * transaction of their own after the one that makes the star: their number would not fit one.
 *
 * Sources: Database Developer Guide, "COMMENT", "CREATE TABLE", "System catalog tables", "Leader node-only functions",
 * "Amazon Redshift best practices for designing tables". */
#include "resources/data/star_maker.h"

#define MARK_TABLE "sfstack_mark"

enum { VIEWS_A_BATCH = 30 };

/* Null and empty differ, and so do 'a|b', 'c' and 'a', 'b|c'. A text goes in as it stands: a cast to varchar would cut it at 256
 * bytes. */
static const char *value_text(struct sf_arena *arena, const struct sf_star_column *column)
{
    const char *name = sf_sql_name(arena, column->name).p;
    switch (column->type) {
    case SF_STAR_TEXT:
        break;
    case SF_STAR_BIGINT:
    case SF_STAR_INTEGER:
    case SF_STAR_NUMERIC:
        name = sf_str_fmt(arena, "cast(%s as varchar)", name).p;
        break;
    case SF_STAR_BOOLEAN: /* which has no cast to text */
        name = sf_str_fmt(arena, "case when %s then '1' when not %s then '0' end", name, name).p;
        break;
    case SF_STAR_TIMESTAMP: /* whose text goes by the session's time zone */
        name = sf_str_fmt(arena, "cast(extract(epoch from %s) as varchar)", name).p;
        break;
    }
    return column->is_nullable || column->type == SF_STAR_BOOLEAN ? sf_str_fmt(arena, "coalesce(%s, chr(1))", name).p : name;
}

/* 60 bits of a SHA-256: summed as bigint it becomes a numeric(38,0), which as many rows as there can be do not overflow. */
struct sf_str sf_star_row_digest_redshift(struct sf_arena *arena, const struct sf_star_table *table)
{
    struct sf_buf text = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->partition_by.n == 0 || !sf_str_eq(table->columns[i].name, table->partition_by))
            sf_buf_addf(&text, "%s%s", text.n ? " || chr(31) || " : "", value_text(arena, &table->columns[i]));
    struct sf_str digest =
        sf_dialect_fill(arena, sf_dialect_redshift.hash60, '$',
                        sf_dialect_fill(arena, sf_dialect_redshift.sha256, '$', text.n ? sf_buf_str(&text) : SF_STR("''")));
    sf_buf_free(&text);
    return digest;
}

/* The column whose blocks tell which rows they hold: a fact by its parts, a table of several years by year, all else by key. */
static struct sf_str sort_column(const struct sf_star_table *table)
{
    if (table->partition_by.n > 0)
        return table->partition_by;
    if (table->key.n > 0)
        return table->key;
    for (size_t i = 0; table->role != SF_STAR_LEDGER && i < table->n_columns; i++)
        if (table->columns[i].type == SF_STAR_INTEGER && !table->columns[i].is_nullable)
            return table->columns[i].name;
    return SF_STR_NONE;
}

/* AZ64 for numbers and times, ZSTD for text. The leading sort column stays raw: packed, it would make range scans read more blocks
 * of the columns beside it. */
static const char *encoding(const struct sf_star_column *column, struct sf_str sorted)
{
    if (sf_str_eq(column->name, sorted))
        return "raw";
    switch (column->type) {
    case SF_STAR_BIGINT:
    case SF_STAR_INTEGER:
    case SF_STAR_NUMERIC:
    case SF_STAR_TIMESTAMP:
        return "az64";
    case SF_STAR_TEXT:
    case SF_STAR_BOOLEAN:
        return "zstd";
    }
    return "raw";
}

/* Tables with a key are small and joined to everything: a copy on each node (ALL), so that no join moves rows. The fact, and what
 * is as long, is spread evenly: by no member's key, since a few members have most of the rows. Its rows are sorted by the part
 * column, which nearly every question names and each load deletes by, then by the first dimension. The primary key is a promise to
 * the planner, proven by the load's checks; there are no foreign keys, which would stand in the way of making a dimension anew. */
static struct sf_str definition(struct sf_arena *arena, const struct sf_star_table *table)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    struct sf_str sorted = sort_column(table);
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct sf_star_column *c = &table->columns[i];
        sf_buf_addf(&buf, "%s\n  %s %s encode %s%s", i ? "," : "(", sf_sql_name(arena, c->name).p, sf_star_type_sql(arena, c).p,
                    encoding(c, sorted), c->is_nullable ? "" : " not null");
    }
    bool is_keyed = table->key.n > 0 && table->role != SF_STAR_FACT;
    if (is_keyed)
        sf_buf_addf(&buf, ",\n  primary key (%s)", sf_sql_name(arena, table->key).p);
    sf_buf_addf(&buf, "\n) diststyle %s", is_keyed ? "all" : "even");
    if (sorted.n > 0) {
        sf_buf_addf(&buf, " compound sortkey (%s", sf_sql_name(arena, sorted).p);
        for (size_t i = 0; table->role == SF_STAR_FACT && i < table->n_columns; i++)
            if (table->columns[i].references.n > 0) {
                sf_buf_addf(&buf, ", %s", sf_sql_name(arena, table->columns[i].name).p);
                break;
            }
        sf_buf_addc(&buf, ')');
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

/* --- the catalog --- */

/* 1259 is pg_class. */
#define DESCRIPTION_OF_CLASS(number) "d.objoid = c.oid and d.classoid = 1259 and d.objsubid = " number

struct sf_str sf_star_marks_redshift(void)
{
    return SF_STR("select p.nspname as schema_name, d.description as marks from pg_description d\n"
                  "  join pg_class c on " DESCRIPTION_OF_CLASS("0") " and c.relname = '" MARK_TABLE "'\n"
                                                                    "  join pg_namespace p on p.oid = c.relnamespace");
}

static struct sf_str catalog_sql(struct sf_arena *arena, const struct sf_star_site *site)
{
    const char *schema = sf_sql_text(arena, site->schema).p, *partitions = sf_sql_text(arena, site->partitions).p;
    const char *reader = sf_sql_text(arena, site->reader).p;
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(&buf,
                "select cast('schema' as varchar) as kind, cast(n.nspname as varchar) as object, cast(m.marks as varchar(8000)) as "
                "a,\n"
                "  cast(null as varchar) as b, cast(null as varchar) as c, cast(null as varchar) as d, cast(null as varchar) as e\n"
                "from pg_namespace n left join (%s) m\n"
                "  on cast(m.schema_name as varchar) = cast(n.nspname as varchar) || '_partitions'\n"
                "where n.nspname in (%s, %s)\n",
                sf_star_marks_redshift().p, schema, partitions);
    sf_buf_addf(&buf,
                "union all\n"
                "select 'relation', cast(c.relname as varchar), cast(c.relkind as varchar), cast(d.description as varchar(8000)),\n"
                "  cast(cast(c.oid as bigint) as varchar), cast(a.attname as varchar),\n"
                "  case when c.relkind = 'v' then md5(pg_get_viewdef(c.oid)) else '' end\n"
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                "left join pg_description d on " DESCRIPTION_OF_CLASS(
                    "0") "\n"
                         "left join pg_constraint k on k.conrelid = c.oid and k.contype = 'p'\n"
                         "left join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]\n"
                         "where n.nspname = %s and c.relkind in ('r', 'v')\n",
                schema);
    sf_buf_addf(
        &buf,
        "union all\n"
        "select 'column', cast(c.relname as varchar), cast(a.attname as varchar), cast(format_type(a.atttypid, "
        "a.atttypmod) as varchar),\n"
        "  case when a.attnotnull then 'not null' else '' end, cast(d.description as varchar(8000)), cast(a.attnum as "
        "varchar)\n"
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped\n"
        "left join pg_description d on " DESCRIPTION_OF_CLASS("a.attnum") "\n"
                                                                          "where n.nspname = %s and c.relkind in ('r', 'v')",
        schema);
    if (site->reader.n > 0) {
        sf_buf_addf(&buf,
                    "\nunion all\n"
                    "select 'role', cast(u.usename as varchar), case when coalesce(u.valuntil > now(), true) then 'login' else '' "
                    "end,\n"
                    "  case when u.usesuper or u.usecreatedb or has_database_privilege(u.usename, current_database(), 'CREATE')\n"
                    "    or exists (select 1 from pg_namespace p where p.nspname = 'public' and has_schema_privilege(u.usename, "
                    "p.nspname, 'CREATE'))\n"
                    "    then 'too much' else '' end,\n"
                    "  case when exists (select 1 from pg_namespace p where p.nspname = %s and has_schema_privilege(u.usename, "
                    "p.nspname, 'USAGE'))\n"
                    "    then 'true' else 'false' end,\n"
                    "  case when exists (select 1 from pg_namespace p where p.nspname = %s and has_schema_privilege(u.usename, "
                    "p.nspname, 'CREATE'))\n"
                    "    then 'true' else 'false' end, null\n"
                    "from pg_user u where u.usename = %s\n",
                    schema, schema, reader);
        sf_buf_addf(&buf,
                    "union all\n"
                    "select 'grant', cast(c.relname as varchar),\n"
                    "  case when has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), "
                    "'SELECT') then 'true' else 'false' end,\n"
                    "  case when has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), "
                    "'INSERT')\n"
                    "    or has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'UPDATE')\n"
                    "    or has_table_privilege(u.usename, quote_ident(n.nspname) || '.' || quote_ident(c.relname), 'DELETE')\n"
                    "    then 'true' else 'false' end, null, null, null\n"
                    "from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join pg_user u\n"
                    "where u.usename = %s and n.nspname = %s and c.relkind in ('r', 'v')\n"
                    "union all\n"
                    "select 'setting', cast(u.usename as varchar), cast(array_to_string(u.useconfig, ';') as varchar), null, "
                    "null, null, null\n"
                    "from pg_user u where u.usename = %s and u.useconfig is not null",
                    reader, schema, reader);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

/* --- statements --- */

static const char *mark_table(struct sf_arena *arena, const struct sf_star_site *site)
{
    return sf_sql_name2(arena, site->partitions, SF_STR(MARK_TABLE)).p;
}

static void drop_tables(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site, const bool *which)
{
    struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < star->n_tables; i++)
        if (which[i])
            sf_buf_addf(&names, "%s%s", names.n ? ", " : "", sf_sql_name2(script->arena, site->schema, star->tables[i].name).p);
    if (names.n > 0)
        sf_script_add(script, "drop tables", "drop table %.*s", SF_ARG(sf_buf_str(&names)));
    sf_buf_free(&names);
}

/* Each batch is a session of its own. */
static void make_views(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site)
{
    bool opens = script->n + 1 + star->n_views > sf_dialect_redshift.max_statements;
    for (size_t i = 0; i < star->n_views; i++) {
        if (i % VIEWS_A_BATCH == 0) {
            sf_script_add(script, "set search path", "set search_path to %s", sf_sql_name(script->arena, site->schema).p)->opens =
                opens || i > 0;
        }
        sf_script_add(script, "create view", "create view %s as\n%.*s",
                      sf_sql_name2(script->arena, site->schema, star->views[i].name).p, SF_ARG(star->views[i].sql));
    }
}

static void make(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog)
{
    struct sf_arena *arena = script->arena;
    sf_script_add(script, "create schema", "create schema if not exists %s", sf_sql_name(arena, site->schema).p);
    sf_script_add(script, "create schema of what is staged", "create schema if not exists %s",
                  sf_sql_name(arena, site->partitions).p);
    sf_script_add(script, "mark schema", "create table if not exists %s (is_ours integer)", mark_table(arena, site));
    sf_script_add(script, "mark schema", "comment on table %s is %s", mark_table(arena, site),
                  sf_sql_text(arena, sf_str_fmt(arena, "Star schema.\n%.*s", SF_ARG(site->marks))).p);
    bool remakes_views = sf_star_views_differ(star, catalog);
    if (remakes_views)
        sf_star_drop_views(script, star, site, catalog);
    drop_tables(script, star, site, catalog->table_differs);
    for (size_t i = 0; i < star->n_tables; i++)
        if (!catalog->table_exists[i] || catalog->table_differs[i])
            sf_script_add(script, "create table", "create table %s %s", sf_sql_name2(arena, site->schema, star->tables[i].name).p,
                          definition(arena, &star->tables[i]).p);
    if (remakes_views)
        make_views(script, star, site);
}

static void describe(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site)
{
    sf_star_comment_relations(script, star, site);
    for (size_t i = 0; i < star->n_tables; i++)
        sf_star_comment_columns(script, site, star->tables[i].name, star->tables[i].columns, star->tables[i].n_columns);
    for (size_t i = 0; i < star->n_views; i++)
        sf_star_comment_columns(script, site, star->views[i].name, star->views[i].columns, star->views[i].n_columns);
}

static void drop(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog)
{
    sf_star_drop_views(script, star, site, catalog);
    drop_tables(script, star, site, catalog->table_exists);
    sf_script_add(script, "drop schema of what is staged", "drop schema if exists %s cascade",
                  sf_sql_name(script->arena, site->partitions).p);
    sf_script_add(script, "drop schema", "drop schema if exists %s", sf_sql_name(script->arena, site->schema).p);
}

const struct sf_star_maker sf_star_by_redshift = {
    .definition = definition,
    .catalog = catalog_sql,
    .make = make,
    .describe = describe,
    .drop = drop,
};

/* The queries that show a ledger and the tables under it. See ledger.h.
 *
 * Columns: kind, name, part, rows, total, digest, then of the ledger's own rows source, load, rules, star, checks, checks passed,
 * whether it is a sample, who loaded. */
#include "resources/data/ledger.h"

static struct sf_str taken(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

static const char *total_sql(struct sf_arena *arena, const struct sf_star_table *table)
{
    const struct sf_star_column *column = sf_star_total_column(table);
    return column ? sf_str_fmt(arena, "cast(sum(%s) as varchar)", sf_sql_name(arena, column->name).p).p : "null";
}

static const char *digest_total(struct sf_arena *arena, const struct sf_dialect *dialect, const struct sf_star_table *table)
{
    return sf_str_fmt(arena, "cast(sum(%.*s) as varchar)", SF_ARG(dialect->row_digest(arena, table))).p;
}

size_t sf_ledger_by_postgresql(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema, bool is_measuring,
                               struct sf_str *queries)
{
    static const char nulls[] = "null, null, null, null, null, null, null, null";
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    sf_buf_addf(
        &buf,
        "select 'ledger' as kind, cast(table_name as varchar) as name, cast(part as varchar) as part, cast(row_count as varchar) "
        "as rows,\n"
        "  cast(amount as varchar) as total, cast(digest as varchar) as digest, cast(source as varchar), cast(load_id as varchar), "
        "cast(rules as varchar), cast(star as varchar),\n"
        "  cast(checks as varchar), cast(checks_passed as varchar), case when is_sample then 'true' else 'false' end, "
        "cast(loaded_by as "
        "varchar)\nfrom %s where is_current\n",
        sf_sql_name2(arena, schema, SF_STR(SF_STAR_LEDGER_TABLE)).p);
    for (size_t i = 0; i < star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i];
        if (table->role == SF_STAR_LEDGER)
            continue;
        bool is_parted = table->partition_by.n > 0;
        const char *name = sf_sql_name2(arena, schema, table->name).p, *text = sf_sql_text(arena, table->name).p;
        if (!is_measuring && !is_parted)
            sf_buf_addf(
                &buf,
                "union all\nselect 'found', %s, null, cast(count(*) as varchar), null, null, %s\nfrom (select 1 as one from %s "
                "limit 1) t\n",
                text, nulls, name);
        if (!is_measuring)
            continue;
        const char *part =
            is_parted ? sf_str_fmt(arena, "cast(%s as varchar)", sf_sql_name(arena, table->partition_by).p).p : "null";
        sf_buf_addf(&buf, "union all\nselect 'found', %s, %s, cast(count(*) as varchar), %s, %s, %s\nfrom %s%s%s\n", text, part,
                    total_sql(arena, table), digest_total(arena, &sf_dialect_postgresql, table), nulls, name,
                    is_parted ? " group by " : "", is_parted ? sf_sql_name(arena, table->partition_by).p : "");
    }
    sf_buf_addf(
        &buf,
        "union all\nselect 'partition', cast(p.relname as varchar), pg_get_expr(c.relpartbound, c.oid), null, null, null, %s\n"
        "from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent\n"
        "join pg_namespace n on n.oid = p.relnamespace where n.nspname = %s and p.relname in (",
        nulls, sf_sql_text(arena, schema).p);
    for (size_t i = 0, n = 0; i < star->n_tables; i++)
        if (star->tables[i].partition_by.n > 0)
            sf_buf_addf(&buf, "%s%s", n++ ? ", " : "", sf_sql_text(arena, star->tables[i].name).p);
    sf_buf_addz(&buf, ")\n");
    sf_buf_addf(&buf,
                "union all\nselect 'staging', cast(count(*) as varchar), null, null, null, null, %s\n"
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                "where n.nspname = %s and c.relkind = 'r' and not c.relispartition and c.relname like '" SF_PUBLISH_STAGED "%%'\n",
                nulls, sf_sql_text(arena, sf_star_partitions_schema(arena, schema)).p);
    struct sf_str note = star->sample_note.n > 0 ? star->sample_note : SF_STR("\x01");
    sf_buf_addf(&buf,
                "union all\nselect case when position(%s in coalesce(obj_description(c.oid, 'pg_class'), '')) = 1 then 'noted' "
                "else 'plain' end,\n"
                "  cast(count(*) as varchar), null, null, null, null, %s\n"
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                "where n.nspname = %s and c.relkind in ('r', 'p', 'v') and not c.relispartition and c.relname in (",
                sf_sql_text(arena, note).p, nulls, sf_sql_text(arena, schema).p);
    for (size_t i = 0; i < star->n_tables; i++)
        sf_buf_addf(&buf, "%s%s", i ? ", " : "", sf_sql_text(arena, star->tables[i].name).p);
    for (size_t i = 0; i < star->n_views; i++)
        sf_buf_addf(&buf, ", %s", sf_sql_text(arena, star->views[i].name).p);
    sf_buf_addz(&buf, ") group by 1");
    queries[0] = taken(arena, &buf);
    return 1;
}

/* --- Redshift: tables in one query, the catalog in another, since its functions do not mix with tables --- */

static struct sf_str redshift_tables(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema, bool is_measuring)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    static const char nulls[] = "null, null, null, null, null, null, null, null";
    /* columns of text as they stand: a cast to varchar would cut them at 256 bytes */
    sf_buf_addf(
        &buf,
        "select cast('ledger' as varchar(20)) as kind, table_name as name, cast(part as varchar(20)) as part, "
        "cast(row_count as varchar(40)) as n,\n"
        "  cast(amount as varchar(50)) as total, digest, source, load_id, rules, star,\n"
        "  checks, cast(checks_passed as varchar(20)), cast(case when is_sample then 'true' else 'false' end as varchar(5)), "
        "loaded_by\nfrom %s where is_current\n",
        sf_sql_name2(arena, schema, SF_STR(SF_STAR_LEDGER_TABLE)).p);
    for (size_t i = 0; i < star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i];
        bool is_parted = table->partition_by.n > 0;
        const char *name = sf_sql_name2(arena, schema, table->name).p, *text = sf_sql_text(arena, table->name).p;
        const char *part = is_parted ? sf_sql_name(arena, table->partition_by).p : "";
        if (is_parted)
            sf_buf_addf(&buf,
                        "union all\nselect 'partition', %s, cast(%s as varchar(20)), null, null, null, %s\nfrom %s group by %s\n",
                        text, part, nulls, name, part);
        if (table->role == SF_STAR_LEDGER || (is_parted && !is_measuring))
            continue;
        if (!is_measuring)
            sf_buf_addf(&buf,
                        "union all\nselect 'found', %s, null, cast(count(*) as varchar(40)), null, null, %s\nfrom (select 1 as one "
                        "from %s limit 1) t\n",
                        text, nulls, name);
        else
            sf_buf_addf(&buf, "union all\nselect 'found', %s, %s, cast(count(*) as varchar(40)), %s, %s, %s\nfrom %s%s%s\n", text,
                        is_parted ? sf_str_fmt(arena, "cast(%s as varchar(20))", part).p : "null", total_sql(arena, table),
                        digest_total(arena, &sf_dialect_redshift, table), nulls, name, is_parted ? " group by " : "", part);
    }
    return taken(arena, &buf);
}

static struct sf_str redshift_catalog(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    struct sf_str note = star->sample_note.n > 0 ? star->sample_note : SF_STR("\x01");
    sf_buf_addf(&buf,
                "select cast('staging' as varchar) as kind, cast(count(*) as varchar) as n\n"
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                "where n.nspname = %s and c.relkind = 'r' and substring(c.relname, 1, %zu) = '" SF_PUBLISH_STAGED "'\n",
                sf_sql_text(arena, sf_star_partitions_schema(arena, schema)).p, sizeof SF_PUBLISH_STAGED - 1);
    sf_buf_addf(&buf,
                "union all\nselect case when position(%s in coalesce(d.description, '')) = 1 then 'noted' else 'plain' end, "
                "cast(count(*) as varchar)\n"
                "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
                "left join pg_description d on d.objoid = c.oid and d.classoid = 1259 and d.objsubid = 0\n"
                "where n.nspname = %s and c.relkind in ('r', 'v') and c.relname in (",
                sf_sql_text(arena, note).p, sf_sql_text(arena, schema).p);
    for (size_t i = 0; i < star->n_tables; i++)
        sf_buf_addf(&buf, "%s%s", i ? ", " : "", sf_sql_text(arena, star->tables[i].name).p);
    for (size_t i = 0; i < star->n_views; i++)
        sf_buf_addf(&buf, ", %s", sf_sql_text(arena, star->views[i].name).p);
    sf_buf_addz(&buf, ") group by 1");
    return taken(arena, &buf);
}

size_t sf_ledger_by_redshift(struct sf_arena *arena, const struct sf_star *star, struct sf_str schema, bool is_measuring,
                             struct sf_str *queries)
{
    queries[0] = redshift_tables(arena, star, schema, is_measuring);
    queries[1] = redshift_catalog(arena, star, schema);
    return 2;
}

/* A star on PostgreSQL: list partitions, a search path of the database, comments in the transaction that makes it. See star_sql.h.
 */
#include "resources/data/star_maker.h"

static struct sf_str hash_sql(struct sf_arena *arena, const struct sf_star_column *column, struct sf_str seed)
{
    const char *name = sf_sql_name(arena, column->name).p;
    /* the hash functions give null for null, which would hide the whole row */
    if (column->is_nullable)
        return sf_str_fmt(arena, "hashtextextended(coalesce(cast(%s as varchar), chr(1)), %s)", name, seed.p);
    switch (column->type) {
    case SF_STAR_BIGINT:
        return sf_str_fmt(arena, "hashint8extended(%s, %s)", name, seed.p);
    case SF_STAR_INTEGER:
        return sf_str_fmt(arena, "hashint4extended(%s, %s)", name, seed.p);
    case SF_STAR_TEXT:
        return sf_str_fmt(arena, "hashtextextended(%s, %s)", name, seed.p);
    case SF_STAR_NUMERIC:
        return sf_str_fmt(arena, "hash_numeric_extended(%s, %s)", name, seed.p);
    case SF_STAR_BOOLEAN:
        return sf_str_fmt(arena, "hashcharextended(case when %s then '1' else '0' end, %s)", name, seed.p);
    case SF_STAR_TIMESTAMP:
        return sf_str_fmt(arena, "hash_numeric_extended(extract(epoch from %s), %s)", name, seed.p);
    }
    return seed;
}

struct sf_str sf_star_row_digest_postgresql(struct sf_arena *arena, const struct sf_star_table *table)
{
    /* A key is the innermost seed as it stands: one hash less on each of many rows. Parts are digested one by one, so that the
     * partition column says nothing within its group. */
    const struct sf_star_column *seed = NULL;
    for (size_t i = 0; i < table->n_columns && !seed; i++)
        if (table->n_columns > 2 && table->columns[i].type == SF_STAR_BIGINT && !table->columns[i].is_nullable)
            seed = &table->columns[i];
    struct sf_str digest = seed ? sf_sql_name(arena, seed->name) : SF_STR("0");
    for (size_t i = 0; i < table->n_columns; i++)
        if (&table->columns[i] != seed && (table->partition_by.n == 0 || !sf_str_eq(table->columns[i].name, table->partition_by)))
            digest = hash_sql(arena, &table->columns[i], digest);
    return digest;
}

static struct sf_str table_definition(struct sf_arena *arena, const struct sf_star_table *table)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct sf_star_column *c = &table->columns[i];
        sf_buf_addf(&buf, "%s\n  %s %s%s", i ? "," : "(", sf_sql_name(arena, c->name).p, sf_star_type_sql(arena, c).p,
                    c->is_nullable ? "" : " not null");
    }
    /* On PostgreSQL a key of a partitioned table would need an index per partition, built at each load; that it is unique is a
     * check. */
    if (table->key.n > 0 && table->role != SF_STAR_FACT)
        sf_buf_addf(&buf, ",\n  primary key (%s)", sf_sql_name(arena, table->key).p);
    sf_buf_addz(&buf, "\n)");
    if (table->partition_by.n > 0)
        sf_buf_addf(&buf, " partition by list (%s)", sf_sql_name(arena, table->partition_by).p);
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static struct sf_str catalog_sql(struct sf_arena *arena, const struct sf_star_site *site)
{
    const char *schema = sf_sql_text(arena, site->schema).p;
    const char *reader = sf_sql_text(arena, site->reader).p;
    return sf_str_fmt(
        arena,
        "select 'schema', n.nspname::text, obj_description(n.oid, 'pg_namespace'), pg_get_userbyid(n.nspowner)::text, null, null, "
        "null\n"
        "from pg_namespace n where n.nspname in (%s, %s)\n"
        "union all\n"
        "select 'relation', c.relname::text, c.relkind::text, obj_description(c.oid, 'pg_class'),\n"
        "  case when c.relkind = 'p' then pg_get_partkeydef(c.oid) end,\n"
        "  (select string_agg(a.attname, ',' order by a.attnum) from pg_constraint k\n"
        "   join pg_attribute a on a.attrelid = c.oid and a.attnum = any (k.conkey) where k.conrelid = c.oid and k.contype = "
        "'p'),\n"
        "  case when c.relkind = 'v' then (select md5(w.ev_action::text) from pg_rewrite w where w.ev_class = c.oid and w.rulename "
        "= "
        "'_RETURN')\n"
        "  else concat_ws(', ', (select 'trigger ' || min(t.tgname) from pg_trigger t where t.tgrelid = c.oid and not "
        "t.tgisinternal "
        "having count(*) > 0),\n"
        "    (select 'rule ' || min(w.rulename) from pg_rewrite w where w.ev_class = c.oid having count(*) > 0),\n"
        "    (select 'constraint ' || min(k.conname) from pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'f', "
        "'u', 'x') "
        "having count(*) > 0),\n"
        "    case when c.relrowsecurity then 'row security' end, case when c.relpersistence <> 'p' then 'unlogged storage' end) "
        "end\n"
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
        "where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition\n"
        "union all\n"
        "select 'column', c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),\n"
        "  case when a.attnotnull then 'not null' else '' end, col_description(c.oid, a.attnum), a.attnum::text\n"
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace\n"
        "join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped\n"
        "where n.nspname = %s and c.relkind in ('r', 'p', 'v') and not c.relispartition\n"
        "union all\n"
        "select 'role', r.rolname::text, case when r.rolcanlogin and r.rolconnlimit <> 0 and "
        "coalesce(r.rolvaliduntil > now(), true) then 'login' else '' end,\n"
        "  case when r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolbypassrls or r.rolreplication\n"
        "    or exists (select from pg_auth_members m where m.member = r.oid)\n"
        "    or has_database_privilege(r.oid, current_database(), 'CREATE')\n"
        "    or exists (select from pg_namespace n where n.nspname = 'public' and has_schema_privilege(r.oid, n.oid, 'CREATE'))\n"
        "    then 'too much' else '' end,\n"
        "  coalesce((select has_schema_privilege(r.oid, n.oid, 'USAGE') from pg_namespace n where n.nspname = %s)::text, "
        "'false'),\n"
        "  coalesce((select has_schema_privilege(r.oid, n.oid, 'CREATE') from pg_namespace n where n.nspname = %s)::text, "
        "'false'), (select a.rolpassword from pg_authid a where a.oid = r.oid)\n"
        "from pg_roles r where r.rolname = %s\n"
        "union all\n"
        "select 'grant', c.relname::text, has_table_privilege(r.oid, c.oid, 'SELECT')::text,\n"
        "  (has_table_privilege(r.oid, c.oid, 'DELETE, TRUNCATE, TRIGGER') or\n"
        "   has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE, REFERENCES'))::text, null, null, null\n"
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_roles r on r.rolname = %s\n"
        "where n.nspname = %s and c.relkind in ('r', 'p', 'v') and not c.relispartition\n"
        "union all\n"
        "select 'setting', coalesce((select rolname::text from pg_roles where oid = s.setrole), ''), o, null, null, null, null\n"
        "from pg_db_role_setting s cross join unnest(s.setconfig) o\n"
        "where o like 'search_path=%%' and (s.setdatabase = (select oid from pg_database where datname = current_database()) or "
        "s.setdatabase = 0)\n"
        "order by 1, 2, 7",
        schema, sf_sql_text(arena, site->partitions).p, schema, schema, schema, schema, reader, reader, schema);
}

static void set_search_path(struct sf_script *script)
{
    sf_script_put(script, "lock search path", SF_STR("select pg_advisory_xact_lock(hashtext('sfstack search_path'))"));
    sf_script_put(
        script, "set the database's search path",
        SF_STR("do $path$\n"
               "declare path text;\n"
               "begin\n" SF_STAR_SCHEMAS_INTO_PATH "  where d.description like '%sfstack:stack=%';\n"
               "  if path is null then execute format('alter database %I reset search_path', current_database());\n"
               "  else execute format('alter database %I set search_path to %s, public', current_database(), path); end if;\n"
               "end $path$"));
}

static void make(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog)
{
    struct sf_arena *arena = script->arena;
    const char *schema = sf_sql_name(arena, site->schema).p, *partitions = sf_sql_name(arena, site->partitions).p;
    const char *owner = sf_sql_name(arena, site->owner).p;
    sf_script_add(script, "create schema", "create schema if not exists %s authorization %s", schema, owner);
    sf_script_add(script, "mark schema", "comment on schema %s is %s", schema,
                  sf_sql_text(arena, sf_str_fmt(arena, "Star schema.\n%.*s", SF_ARG(site->marks))).p);
    sf_script_add(script, "create schema of partitions", "create schema if not exists %s authorization %s", partitions, owner);
    sf_script_add(script, "describe schema of partitions", "comment on schema %s is %s", partitions,
                  sf_sql_text(arena, sf_str_fmt(arena, "Partitions of the tables in schema %.*s.", SF_ARG(site->schema))).p);
    sf_script_add(script, "own the schema", "alter schema %s owner to %s", schema, owner);
    for (size_t i = 0; i < star->n_tables; i++)
        if (catalog->table_exists[i])
            sf_script_add(script, "own a table", "alter table %s owner to %s",
                          sf_sql_name2(arena, site->schema, star->tables[i].name).p, owner);
    sf_script_add(script, "become the owner", "set local role %s", owner);
    bool remakes_views = sf_star_views_differ(star, catalog);
    if (remakes_views)
        sf_star_drop_views(script, star, site, catalog);
    for (size_t i = 0; i < star->n_tables; i++) {
        const char *name = sf_sql_name2(arena, site->schema, star->tables[i].name).p;
        if (catalog->table_differs[i])
            sf_script_add(script, "drop a table that differs", "drop table %s", name);
        if (!catalog->table_exists[i] || catalog->table_differs[i])
            sf_script_add(script, "create table", "create table %s %s", name, table_definition(arena, &star->tables[i]).p);
    }
    sf_script_add(script, "set search path", "set local search_path to %s", schema);
    for (size_t i = 0; remakes_views && i < star->n_views; i++)
        sf_script_add(script, "create view", "create view %s as\n%.*s", sf_sql_name2(arena, site->schema, star->views[i].name).p,
                      SF_ARG(star->views[i].sql));
    sf_star_comment_relations(script, star, site);
    for (size_t i = 0; i < star->n_tables; i++)
        sf_star_comment_columns(script, site, star->tables[i].name, star->tables[i].columns, star->tables[i].n_columns);
    for (size_t i = 0; i < star->n_views; i++)
        sf_star_comment_columns(script, site, star->views[i].name, star->views[i].columns, star->views[i].n_columns);
    sf_script_add(script, "stop being the owner", "reset role");
    set_search_path(script);
}

static void drop(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                 const struct sf_star_catalog *catalog)
{
    struct sf_arena *arena = script->arena;
    sf_star_drop_views(script, star, site, catalog);
    for (size_t i = star->n_tables; i-- > 0;)
        if (catalog->table_exists[i])
            sf_script_add(script, "drop table", "drop table %s", sf_sql_name2(arena, site->schema, star->tables[i].name).p);
    sf_script_add(script, "drop schema of partitions", "drop schema if exists %s cascade", sf_sql_name(arena, site->partitions).p);
    sf_script_add(script, "drop schema", "drop schema if exists %s", sf_sql_name(arena, site->schema).p);
    set_search_path(script);
}

const struct sf_star_maker sf_star_by_postgresql = {
    .has_partitions = true,
    .has_search_path = true,
    .keeps_keys = true,
    .definition = table_definition,
    .catalog = catalog_sql,
    .make = make,
    .drop = drop,
};

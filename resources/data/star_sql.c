/* See star_sql.h. */
#include "resources/data/star_sql.h"

#include "resources/data/data_file.h"

/* Columns of the catalog query: kind, object, and up to five texts. */
enum { C_KIND, C_OBJECT, C_1, C_2, C_3, C_4, C_5 };

struct sf_str sf_star_partitions_schema(struct sf_arena *arena, struct sf_str schema)
{
    return sf_str_fmt(arena, "%.*s_partitions", SF_ARG(schema));
}

struct sf_str sf_star_type_sql(struct sf_arena *arena, const struct sf_star_column *column)
{
    switch (column->type) {
    case SF_STAR_BIGINT:
        return SF_STR("bigint");
    case SF_STAR_INTEGER:
        return SF_STR("integer");
    case SF_STAR_TEXT:
        return sf_str_fmt(arena, "character varying(%d)", column->bytes);
    case SF_STAR_NUMERIC:
        return sf_str_fmt(arena, "numeric(%d,%d)", column->digits, column->scale);
    case SF_STAR_BOOLEAN:
        return SF_STR("boolean");
    case SF_STAR_TIMESTAMP:
        return SF_STR("timestamp with time zone");
    }
    return SF_STR_NONE;
}

struct sf_str sf_star_columns_sql(struct sf_arena *arena, const struct sf_star_table *table, const char *prefix)
{
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < table->n_columns; i++)
        sf_buf_addf(&buf, "%s%s%s", i ? ", " : "", prefix, sf_sql_name(arena, table->columns[i].name).p);
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

struct sf_str sf_star_comment(struct sf_arena *arena, const struct sf_star *star, struct sf_str comment, bool is_sample)
{
    if (!is_sample || star->sample_note.n == 0)
        return comment;
    return sf_str_fmt(arena, "%.*s. %.*s", SF_ARG(star->sample_note), SF_ARG(comment));
}

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
        if (&table->columns[i] != seed && (table->role != SF_STAR_FACT || !sf_str_eq(table->columns[i].name, table->partition_by)))
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
    if (table->role == SF_STAR_FACT)
        sf_buf_addf(&buf, " partition by list (%s)", sf_sql_name(arena, table->partition_by).p);
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return text;
}

static void add_comments(struct sf_buf *buf, struct sf_str comment, const struct sf_star_column *columns, size_t n)
{
    sf_buf_addf(buf, "\n%.*s", SF_ARG(comment));
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(buf, "\n%.*s: %.*s", SF_ARG(columns[i].name), SF_ARG(columns[i].comment));
}

static struct sf_str digest_of(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str digest = sf_str_dup(arena, sf_data_digest16(arena, sf_buf_str(buf)));
    sf_buf_free(buf);
    return digest;
}

const struct sf_value *sf_star_declared(struct sf_arena *arena, const struct sf_star *star, struct sf_str reader)
{
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i];
        struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
        sf_buf_add(&buf, table_definition(arena, table));
        add_comments(&buf, table->comment, table->columns, table->n_columns);
        sf_map_add(arena, map, table->name, sf_value_str(arena, digest_of(arena, &buf)));
    }
    for (size_t i = 0; i < star->n_views; i++) {
        const struct sf_star_view *view = &star->views[i];
        struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
        sf_buf_add(&buf, view->sql);
        add_comments(&buf, view->comment, view->columns, view->n_columns);
        sf_map_add(arena, map, view->name, sf_value_str(arena, digest_of(arena, &buf)));
    }
    if (reader.n > 0)
        sf_map_add(arena, map, SF_STR("(reader)"), sf_value_str(arena, sf_data_digest16(arena, reader)));
    sf_map_add(arena, map, SF_STR("(search_path)"), sf_value_str(arena, SF_STR("set")));
    return map;
}

struct sf_str sf_star_catalog_sql(struct sf_arena *arena, const struct sf_star_site *site)
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

struct finder {
    struct sf_arena *arena;
    const struct sf_value *rows;
};

/* Index of the first row of that kind, object and (if given) first text; SIZE_MAX when there is none. */
static size_t find_row(const struct finder *f, const char *kind, struct sf_str object, struct sf_str first)
{
    size_t n = sf_rows_count(f->rows);
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(sf_rows_text(f->rows, i, C_KIND), kind) && sf_str_eq(sf_rows_text(f->rows, i, C_OBJECT), object) &&
            (first.n == 0 || sf_str_eq(sf_rows_text(f->rows, i, C_1), first)))
            return i;
    return SIZE_MAX;
}

static size_t count_columns(const struct finder *f, struct sf_str relation)
{
    size_t count = 0, n = sf_rows_count(f->rows);
    for (size_t i = 0; i < n; i++)
        count += sf_str_is(sf_rows_text(f->rows, i, C_KIND), "column") && sf_str_eq(sf_rows_text(f->rows, i, C_OBJECT), relation);
    return count;
}

/* Empty when the table's shape is as declared. */
static struct sf_str shape_difference(const struct finder *f, const struct sf_star_table *table, size_t row)
{
    bool is_fact = table->role == SF_STAR_FACT;
    if (!sf_str_is(sf_rows_text(f->rows, row, C_1), is_fact ? "p" : "r"))
        return SF_STR("is not a table of the declared kind");
    if (is_fact && !sf_str_eq(sf_rows_text(f->rows, row, C_3), sf_str_fmt(f->arena, "LIST (%.*s)", SF_ARG(table->partition_by))))
        return sf_str_fmt(f->arena, "is partitioned by %.*s", SF_ARG(sf_rows_text(f->rows, row, C_3)));
    if (!is_fact && !sf_str_eq(sf_rows_text(f->rows, row, C_4), table->key))
        return sf_str_fmt(f->arena, "primary key is (%.*s), declared (%.*s)", SF_ARG(sf_rows_text(f->rows, row, C_4)),
                          SF_ARG(table->key));
    for (size_t i = 0; i < table->n_columns; i++) {
        const struct sf_star_column *c = &table->columns[i];
        size_t at = find_row(f, "column", table->name, c->name);
        if (at == SIZE_MAX)
            return sf_str_fmt(f->arena, "column %.*s is missing", SF_ARG(c->name));
        struct sf_str type = sf_star_type_sql(f->arena, c);
        if (!sf_str_eq(sf_rows_text(f->rows, at, C_2), type))
            return sf_str_fmt(f->arena, "column %.*s is %.*s, declared %.*s", SF_ARG(c->name),
                              SF_ARG(sf_rows_text(f->rows, at, C_2)), SF_ARG(type));
        if ((sf_rows_text(f->rows, at, C_3).n > 0) == c->is_nullable)
            return sf_str_fmt(f->arena, "column %.*s %s be null", SF_ARG(c->name), c->is_nullable ? "may not" : "may");
    }
    if (count_columns(f, table->name) != table->n_columns)
        return SF_STR("has columns that are not declared");
    /* these let rows vanish or be refused without a word */
    struct sf_str extra = sf_rows_text(f->rows, row, C_5);
    if (extra.n > 0)
        return sf_str_fmt(f->arena, "has %.*s that is not declared", SF_ARG(extra));
    return SF_STR_NONE;
}

static struct sf_str without_note(const struct sf_star *star, struct sf_str comment)
{
    struct sf_str note = star->sample_note;
    if (note.n > 0 && sf_str_starts(comment, note) && comment.n >= note.n + 2)
        return sf_str_slice(comment, note.n + 2, comment.n);
    return comment;
}

static struct sf_str comment_difference(const struct finder *f, const struct sf_star *star, struct sf_str relation, size_t row,
                                        struct sf_str comment, const struct sf_star_column *columns, size_t n)
{
    /* whether the note is there is the load's business: only it knows what the data are */
    if (!sf_str_eq(without_note(star, sf_rows_text(f->rows, row, C_2)), comment))
        return SF_STR("comment differs");
    for (size_t i = 0; i < n; i++) {
        size_t at = find_row(f, "column", relation, columns[i].name);
        if (at == SIZE_MAX)
            return sf_str_fmt(f->arena, "column %.*s is missing", SF_ARG(columns[i].name));
        if (!sf_str_eq(sf_rows_text(f->rows, at, C_4), columns[i].comment))
            return sf_str_fmt(f->arena, "comment of column %.*s differs", SF_ARG(columns[i].name));
    }
    return SF_STR_NONE;
}

/* Whether a setting "search_path=a, b" names the schema. */
static bool path_names(struct sf_arena *arena, struct sf_str setting, struct sf_str schema)
{
    struct sf_str quoted = sf_sql_name(arena, schema);
    struct sf_str rest = sf_str_slice(setting, sizeof("search_path=") - 1, setting.n);
    while (rest.n > 0) {
        size_t comma = sf_str_find(rest, SF_STR(","));
        struct sf_str item = sf_str_trim(sf_str_slice(rest, 0, comma == SIZE_MAX ? rest.n : comma));
        if (sf_str_eq(item, schema) || sf_str_eq(item, quoted))
            return true;
        rest = comma == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, comma + 1, rest.n);
    }
    return false;
}

/* Every setting must name it: one for the role in this database overrides that of the role. */
static bool search_path_is_set(const struct finder *f, struct sf_str role, struct sf_str schema)
{
    size_t n = sf_rows_count(f->rows);
    bool is_set = false;
    for (size_t i = 0; i < n; i++) {
        if (!sf_str_is(sf_rows_text(f->rows, i, C_KIND), "setting") || !sf_str_eq(sf_rows_text(f->rows, i, C_OBJECT), role))
            continue;
        is_set = path_names(f->arena, sf_rows_text(f->rows, i, C_1), schema);
        if (!is_set)
            return false;
    }
    return is_set;
}

static struct sf_str reader_difference(const struct finder *f, const struct sf_star_site *site)
{
    size_t role = find_row(f, "role", site->reader, SF_STR_NONE);
    if (role == SIZE_MAX)
        return sf_str_fmt(f->arena, "role '%.*s' does not exist", SF_ARG(site->reader));
    if (sf_rows_text(f->rows, role, C_1).n == 0)
        return sf_str_fmt(f->arena, "role '%.*s' may not log in", SF_ARG(site->reader));
    if (sf_rows_text(f->rows, role, C_2).n > 0)
        return sf_str_fmt(f->arena, "role '%.*s' may do more than read", SF_ARG(site->reader));
    if (!sf_str_is(sf_rows_text(f->rows, role, C_3), "true") || sf_str_is(sf_rows_text(f->rows, role, C_4), "true"))
        return sf_str_fmt(f->arena, "rights of '%.*s' on the schema differ", SF_ARG(site->reader));
    size_t n = sf_rows_count(f->rows);
    for (size_t i = 0; i < n; i++) {
        if (!sf_str_is(sf_rows_text(f->rows, i, C_KIND), "grant"))
            continue;
        if (!sf_str_is(sf_rows_text(f->rows, i, C_1), "true"))
            return sf_str_fmt(f->arena, "'%.*s' may not read %.*s", SF_ARG(site->reader),
                              SF_ARG(sf_rows_text(f->rows, i, C_OBJECT)));
        if (sf_str_is(sf_rows_text(f->rows, i, C_2), "true"))
            return sf_str_fmt(f->arena, "'%.*s' may write %.*s", SF_ARG(site->reader), SF_ARG(sf_rows_text(f->rows, i, C_OBJECT)));
    }
    if (!search_path_is_set(f, site->reader, site->schema))
        return sf_str_fmt(f->arena, "search_path of '%.*s' does not name the schema", SF_ARG(site->reader));
    return SF_STR_NONE;
}

static void find_foreign(const struct finder *f, const struct sf_star *star, struct sf_star_catalog *catalog)
{
    size_t n = sf_rows_count(f->rows);
    struct sf_str *names = SF_NEW_ARRAY(f->arena, n + 1, struct sf_str);
    bool *are_views = SF_NEW_ARRAY(f->arena, n + 1, bool);
    for (size_t i = 0; i < n; i++) {
        struct sf_str name = sf_rows_text(f->rows, i, C_OBJECT);
        if (!sf_str_is(sf_rows_text(f->rows, i, C_KIND), "relation") || sf_star_table(star, name))
            continue;
        bool is_view = false;
        for (size_t v = 0; v < star->n_views; v++)
            is_view |= sf_str_eq(star->views[v].name, name);
        if (is_view)
            continue;
        are_views[catalog->n_foreign] = sf_str_is(sf_rows_text(f->rows, i, C_1), "v");
        names[catalog->n_foreign++] = name;
    }
    catalog->foreign = names;
    catalog->foreign_is_view = are_views;
}

void sf_star_claim(struct sf_arena *arena, const struct sf_value *recorded, struct sf_star_catalog *catalog)
{
    size_t kept = 0;
    catalog->former = SF_NEW_ARRAY(arena, catalog->n_foreign + 1, struct sf_str);
    for (size_t i = 0; i < catalog->n_foreign; i++) {
        if (catalog->foreign_is_view[i] && recorded && recorded->type == SF_V_MAP && sf_map_get(recorded, catalog->foreign[i])) {
            catalog->former[catalog->n_former++] = catalog->foreign[i];
            continue;
        }
        catalog->foreign_is_view[kept] = catalog->foreign_is_view[i];
        catalog->foreign[kept++] = catalog->foreign[i];
    }
    catalog->n_foreign = kept;
}

void sf_star_compare(struct sf_arena *arena, const struct sf_star *star, const struct sf_star_site *site,
                     const struct sf_value *rows, const struct sf_value *view_digests, struct sf_star_catalog *catalog)
{
    struct finder f = {arena, rows};
    const struct sf_value *declared = sf_star_declared(arena, star, site->reader);
    struct sf_value *structure = sf_value_map(arena), *digests = sf_value_map(arena);
    *catalog = (struct sf_star_catalog){.structure = structure, .view_digests = digests};
    catalog->table_exists = SF_NEW_ARRAY(arena, star->n_tables, bool);
    catalog->table_differs = SF_NEW_ARRAY(arena, star->n_tables, bool);
    catalog->view_exists = SF_NEW_ARRAY(arena, star->n_views + 1, bool);
    catalog->view_differs = SF_NEW_ARRAY(arena, star->n_views + 1, bool);
    size_t schema = find_row(&f, "schema", site->schema, SF_STR_NONE);
    catalog->has_schema = schema != SIZE_MAX;
    catalog->schema_comment = catalog->has_schema ? sf_rows_text(rows, schema, C_1) : SF_STR_NONE;
    bool has_partitions = find_row(&f, "schema", site->partitions, SF_STR_NONE) != SIZE_MAX;
    for (size_t i = 0; i < star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i];
        size_t row = find_row(&f, "relation", table->name, SF_STR_NONE);
        struct sf_str difference = SF_STR("is missing");
        if (row != SIZE_MAX) {
            catalog->table_exists[i] = true;
            difference = shape_difference(&f, table, row);
            catalog->table_differs[i] = difference.n > 0;
            if (difference.n == 0 && table->role == SF_STAR_FACT && !has_partitions)
                difference = SF_STR("schema of its partitions is missing");
            if (difference.n == 0)
                difference = comment_difference(&f, star, table->name, row, table->comment, table->columns, table->n_columns);
        }
        sf_map_add(arena, structure, table->name,
                   difference.n > 0 ? sf_value_str(arena, difference) : sf_map_get(declared, table->name));
    }
    for (size_t i = 0; i < star->n_views; i++) {
        const struct sf_star_view *view = &star->views[i];
        size_t row = find_row(&f, "relation", view->name, SF_STR_NONE);
        struct sf_str difference = SF_STR("is missing");
        if (row != SIZE_MAX && sf_str_is(sf_rows_text(rows, row, C_1), "v")) {
            catalog->view_exists[i] = true;
            struct sf_str digest = sf_rows_text(rows, row, C_5);
            struct sf_str known = sf_map_getz(view_digests, view->name.p) ? sf_map_str(view_digests, view->name.p) : digest;
            sf_map_add(arena, digests, view->name, sf_value_str(arena, digest));
            difference = comment_difference(&f, star, view->name, row, view->comment, view->columns, view->n_columns);
            if (!sf_str_eq(known, digest))
                difference = SF_STR("was redefined by hand");
        }
        catalog->view_differs[i] = difference.n > 0;
        sf_map_add(arena, structure, view->name,
                   difference.n > 0 ? sf_value_str(arena, difference) : sf_map_get(declared, view->name));
    }
    if (site->reader.n > 0) {
        struct sf_str difference = reader_difference(&f, site);
        size_t role = find_row(&f, "role", site->reader, SF_STR_NONE);
        catalog->reader_verifier = role == SIZE_MAX ? SF_STR_NONE : sf_rows_text(rows, role, C_5);
        sf_map_add(arena, structure, SF_STR("(reader)"),
                   difference.n > 0 ? sf_value_str(arena, difference) : sf_map_getz(declared, "(reader)"));
    }
    bool is_set = search_path_is_set(&f, SF_STR_NONE, site->schema);
    sf_map_add(arena, structure, SF_STR("(search_path)"),
               is_set ? sf_map_getz(declared, "(search_path)") : sf_value_str(arena, SF_STR("does not name the schema")));
    find_foreign(&f, star, catalog);
}

void sf_star_comment_relations(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site)
{
    struct sf_arena *arena = script->arena;
    for (size_t i = 0; i < star->n_tables; i++)
        sf_script_add(script, "comment on table", "comment on table %s is %s",
                      sf_sql_name2(arena, site->schema, star->tables[i].name).p,
                      sf_sql_text(arena, sf_star_comment(arena, star, star->tables[i].comment, site->is_sample)).p);
    for (size_t i = 0; i < star->n_views; i++)
        sf_script_add(script, "comment on view", "comment on view %s is %s",
                      sf_sql_name2(arena, site->schema, star->views[i].name).p,
                      sf_sql_text(arena, sf_star_comment(arena, star, star->views[i].comment, site->is_sample)).p);
}

static void comment_columns(struct sf_script *script, const struct sf_star_site *site, struct sf_str relation,
                            const struct sf_star_column *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sf_script_add(script, "comment on column", "comment on column %s.%s is %s",
                      sf_sql_name2(script->arena, site->schema, relation).p, sf_sql_name(script->arena, columns[i].name).p,
                      sf_sql_text(script->arena, columns[i].comment).p);
}

/* Views are left alone unless one of them, or a table under them, is made anew: people's own views may stand on them. */
static bool views_differ(const struct sf_star *star, const struct sf_star_catalog *catalog)
{
    for (size_t i = 0; i < star->n_tables; i++)
        if (!catalog->table_exists[i] || catalog->table_differs[i])
            return true;
    for (size_t i = 0; i < star->n_views; i++)
        if (!catalog->view_exists[i] || catalog->view_differs[i])
            return true;
    return catalog->n_former > 0;
}

/* In one statement, since views stand on each other and an earlier star file may have had another order. */
static void drop_views(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                       const struct sf_star_catalog *catalog)
{
    struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < star->n_views; i++)
        if (catalog->view_exists[i])
            sf_buf_addf(&names, "%s%s", names.n ? ", " : "", sf_sql_name2(script->arena, site->schema, star->views[i].name).p);
    for (size_t i = 0; i < catalog->n_former; i++)
        sf_buf_addf(&names, "%s%s", names.n ? ", " : "", sf_sql_name2(script->arena, site->schema, catalog->former[i]).p);
    if (names.n > 0)
        sf_script_add(script, "drop views", "drop view %.*s", SF_ARG(sf_buf_str(&names)));
    sf_buf_free(&names);
}

void sf_star_make(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
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
    bool remakes_views = views_differ(star, catalog);
    if (remakes_views)
        drop_views(script, star, site, catalog);
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
        comment_columns(script, site, star->tables[i].name, star->tables[i].columns, star->tables[i].n_columns);
    for (size_t i = 0; i < star->n_views; i++)
        comment_columns(script, site, star->views[i].name, star->views[i].columns, star->views[i].n_columns);
    sf_script_add(script, "stop being the owner", "reset role");
    sf_star_search_path(script);
}

void sf_star_search_path(struct sf_script *script)
{
    sf_script_put(script, "lock search path", SF_STR("select pg_advisory_xact_lock(hashtext('sfstack search_path'))"));
    sf_script_put(
        script, "set the database's search path",
        SF_STR(
            "do $path$\n"
            "declare path text;\n"
            "begin\n"
            "  select string_agg(quote_ident(n.nspname), ', ' order by substring(d.description from "
            "'sfstack:order=([0-9]+)')::int, n.nspname)\n"
            "  into path from pg_namespace n join pg_description d on d.objoid = n.oid and d.classoid = 'pg_namespace'::regclass\n"
            "  where d.description like '%sfstack:stack=%';\n"
            "  if path is null then execute format('alter database %I reset search_path', current_database());\n"
            "  else execute format('alter database %I set search_path to %s, public', current_database(), path); end if;\n"
            "end $path$"));
}

void sf_star_drop(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                  const struct sf_star_catalog *catalog)
{
    struct sf_arena *arena = script->arena;
    drop_views(script, star, site, catalog);
    for (size_t i = star->n_tables; i-- > 0;)
        if (catalog->table_exists[i])
            sf_script_add(script, "drop table", "drop table %s", sf_sql_name2(arena, site->schema, star->tables[i].name).p);
    sf_script_add(script, "drop schema of partitions", "drop schema if exists %s cascade", sf_sql_name(arena, site->partitions).p);
    sf_script_add(script, "drop schema", "drop schema if exists %s", sf_sql_name(arena, site->schema).p);
    sf_star_search_path(script);
}

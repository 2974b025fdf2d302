/* What the dialects share of a star: its names, and the catalog against the star file. See star_sql.h. */
#include "resources/data/star_maker.h"

#include "resources/data/data_file.h"

#include <stdlib.h>

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

const struct sf_value *sf_star_declared(struct sf_arena *arena, const struct sf_dialect *dialect, const struct sf_star *star,
                                        struct sf_str reader)
{
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < star->n_tables; i++) {
        const struct sf_star_table *table = &star->tables[i];
        struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
        sf_buf_add(&buf, dialect->star->definition(arena, table));
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
    if (dialect->star->has_search_path)
        sf_map_add(arena, map, SF_STR("(search_path)"), sf_value_str(arena, SF_STR("set")));
    return map;
}

struct finder {
    struct sf_arena *arena;
    const struct sf_dialect *dialect;
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
    bool is_partitioned = table->partition_by.n > 0 && f->dialect->star->has_partitions;
    struct sf_str key = sf_rows_text(f->rows, row, C_4);
    if (!sf_str_is(sf_rows_text(f->rows, row, C_1), is_partitioned ? "p" : "r"))
        return SF_STR("is not a table of the declared kind");
    if (is_partitioned &&
        !sf_str_eq(sf_rows_text(f->rows, row, C_3), sf_str_fmt(f->arena, "LIST (%.*s)", SF_ARG(table->partition_by))))
        return sf_str_fmt(f->arena, "is partitioned by %.*s", SF_ARG(sf_rows_text(f->rows, row, C_3)));
    /* where nobody keeps a key, one that is gone changes nothing */
    if (!is_partitioned && !sf_str_eq(key, table->key) && (key.n > 0 || f->dialect->star->keeps_keys))
        return sf_str_fmt(f->arena, "primary key is (%.*s), declared (%.*s)", SF_ARG(key), SF_ARG(table->key));
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

/* Whether settings ("a=b;search_path=c, d") have a search path that names the schema. */
static bool path_names(struct sf_arena *arena, struct sf_str settings, struct sf_str schema)
{
    struct sf_str quoted = sf_sql_name(arena, schema), word = SF_STR("search_path=");
    size_t at = sf_str_find(settings, word), end;
    struct sf_str rest = at == SIZE_MAX ? SF_STR_NONE : sf_str_slice(settings, at + word.n, settings.n);
    end = sf_str_find(rest, SF_STR(";"));
    rest = sf_str_slice(rest, 0, end == SIZE_MAX ? rest.n : end);
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

static void find_ages(const struct finder *f, struct sf_star_catalog *catalog)
{
    struct sf_value *ages = sf_value_map(f->arena);
    size_t n = sf_rows_count(f->rows);
    int64_t age;
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(sf_rows_text(f->rows, i, C_KIND), "relation") && sf_str_is(sf_rows_text(f->rows, i, C_1), "v") &&
            sf_str_int64(sf_rows_text(f->rows, i, C_3), &age))
            sf_map_set(f->arena, ages, sf_rows_text(f->rows, i, C_OBJECT), sf_value_int(f->arena, age));
    catalog->ages = ages;
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
    catalog->former_is_view = SF_NEW_ARRAY(arena, catalog->n_foreign + 1, bool);
    for (size_t i = 0; i < catalog->n_foreign; i++) {
        if (recorded && recorded->type == SF_V_MAP && sf_map_get(recorded, catalog->foreign[i])) {
            catalog->former_is_view[catalog->n_former] = catalog->foreign_is_view[i];
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
    struct finder f = {arena, site->dialect, rows};
    const struct sf_value *declared = sf_star_declared(arena, site->dialect, star, site->reader);
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
    const struct sf_value *path = sf_map_getz(declared, "(search_path)");
    if (path)
        sf_map_add(arena, structure, SF_STR("(search_path)"),
                   search_path_is_set(&f, SF_STR_NONE, site->schema) ? path
                                                                     : sf_value_str(arena, SF_STR("does not name the schema")));
    find_ages(&f, catalog);
    find_foreign(&f, star, catalog);
}

struct sf_str sf_star_catalog_sql(struct sf_arena *arena, const struct sf_star_site *site)
{
    return site->dialect->star->catalog(arena, site);
}

void sf_star_make(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                  const struct sf_star_catalog *catalog)
{
    site->dialect->star->make(script, star, site, catalog);
}

void sf_star_describe(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site)
{
    if (site->dialect->star->describe)
        site->dialect->star->describe(script, star, site);
}

void sf_star_drop(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                  const struct sf_star_catalog *catalog)
{
    site->dialect->star->drop(script, star, site, catalog);
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

void sf_star_comment_columns(struct sf_script *script, const struct sf_star_site *site, struct sf_str relation,
                             const struct sf_star_column *columns, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sf_script_add(script, "comment on column", "comment on column %s.%s is %s",
                      sf_sql_name2(script->arena, site->schema, relation).p, sf_sql_name(script->arena, columns[i].name).p,
                      sf_sql_text(script->arena, columns[i].comment).p);
}

/* Views are left alone unless one of them, or a table under them, is made anew: people's own views may stand on them. */
bool sf_star_views_differ(const struct sf_star *star, const struct sf_star_catalog *catalog)
{
    for (size_t i = 0; i < star->n_tables; i++)
        if (!catalog->table_exists[i] || catalog->table_differs[i])
            return true;
    for (size_t i = 0; i < star->n_views; i++)
        if (!catalog->view_exists[i] || catalog->view_differs[i])
            return true;
    return catalog->n_former > 0;
}

/* A view that is to go. */
struct doomed {
    struct sf_str name;
    int64_t age;
    size_t place;
};

static int by_youth(const void *a, const void *b)
{
    const struct doomed *x = a, *y = b;
    if (x->age != y->age)
        return x->age > y->age ? -1 : 1;
    return x->place > y->place ? -1 : x->place < y->place;
}

/* One statement for all, however many. They stand on each other, and a server of PostgreSQL's 8.0 takes the names of a DROP one by
 * one: the youngest first, for a view can only stand on what was there before it. An earlier star file may have had another order.
 */
void sf_star_drop_views(struct sf_script *script, const struct sf_star *star, const struct sf_star_site *site,
                        const struct sf_star_catalog *catalog)
{
    struct doomed *views = SF_NEW_ARRAY(script->arena, star->n_views + catalog->n_former + 1, struct doomed);
    struct sf_buf names = SF_BUF(SF_MAX_SQL_BYTES), tables = SF_BUF(SF_MAX_SQL_BYTES);
    size_t n = 0;
    for (size_t i = 0; i < star->n_views; i++)
        if (catalog->view_exists[i])
            views[n++].name = star->views[i].name;
    for (size_t i = 0; i < catalog->n_former; i++)
        if (catalog->former_is_view[i])
            views[n++].name = catalog->former[i];
        else
            sf_buf_addf(&tables, "%s%s", tables.n ? ", " : "", sf_sql_name2(script->arena, site->schema, catalog->former[i]).p);
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *age = sf_map_get(catalog->ages, views[i].name);
        views[i].age = age ? age->i : 0;
        views[i].place = i;
    }
    qsort(views, n, sizeof(*views), by_youth);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&names, "%s%s", i ? ", " : "", sf_sql_name2(script->arena, site->schema, views[i].name).p);
    if (names.n > 0)
        sf_script_add(script, "drop views", "drop view %.*s", SF_ARG(sf_buf_str(&names)));
    if (tables.n > 0)
        sf_script_add(script, "drop tables that the star file no longer has", "drop table %.*s", SF_ARG(sf_buf_str(&tables)));
    sf_buf_free(&names);
    sf_buf_free(&tables);
}

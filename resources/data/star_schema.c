/* kind `star_schema`: a schema with the tables, views and comments of a star file, and the role that may read it.
 *
 * The schema carries the ownership marks in its comment: a schema without ours is never touched. read() compares the warehouse's
 * catalog with the star file and says in `structure` what differs, relation by relation; update() mends just that. Sample data are
 * marked in the table comments by the load, the only one who knows what the data are; here a mark is kept. */
#include "attr/cluster.h"
#include "attr/star_schema.h"

#include "resources/data/reader.h"
#include "resources/data/star_sql.h"

/* What a call works on. */
struct star_call {
    const struct sf_object *cluster;
    struct sf_star *star;
    struct sf_star_site site;
};

/* What makes a schema ours, in its comment. The address is written beside it but may change (`sfstate mv`). */
static struct sf_str owner_mark(const struct sf_op *op)
{
    return sf_str_fmt(op->arena, "sfstack:stack=%.*s/%.*s ", SF_ARG(op->site->stack), SF_ARG(op->site->lineage));
}

static enum sf_code open_call(struct sf_op *op, const struct sf_value *attrs, struct star_call *call, struct sf_err *err)
{
    call->cluster = sf_op_ref(op, NULL, STAR_SCHEMA_CLUSTER, 0);
    if (!call->cluster && attrs == op->self->attrs) /* recorded, and its cluster left state before it: a destroy was killed */
        return sf_fail(err, SF_E_ABSENT, "the cluster of this star is gone");
    if (!call->cluster)
        return sf_fail(err, SF_E_CONFIG, "'cluster' of a star_schema must name a cluster of this stack");
    enum sf_code rc = sf_star_load(op, sf_map_str(attrs, STAR_SCHEMA_TABLES), &call->star, err);
    if (rc)
        return rc;
    struct sf_star_site *site = &call->site;
    site->dialect = op->site->world->dialect;
    site->schema = sf_map_str(attrs, STAR_SCHEMA_SCHEMA);
    site->partitions = sf_star_partitions_schema(op->arena, site->schema);
    site->owner = sf_map_str(call->cluster->attrs, CLUSTER_USERNAME);
    site->reader = sf_map_str(attrs, STAR_SCHEMA_READER);
    /* the line in the stack file gives the order of stars in search_path */
    const struct sf_value *schema = sf_map_getz(attrs, STAR_SCHEMA_SCHEMA);
    struct sf_str reader = site->reader.n > 0 ? sf_str_fmt(op->arena, " sfstack:reader=%.*s", SF_ARG(site->reader)) : SF_STR_NONE;
    site->marks = sf_str_fmt(op->arena, "%.*ssfstack:address=%.*s sfstack:intent=%.*s sfstack:order=%u%.*s", SF_ARG(owner_mark(op)),
                             SF_ARG(op->self->address), SF_ARG(op->intent), schema ? schema->mark.line : 0, SF_ARG(reader));
    return SF_OK;
}

static enum sf_code ask_catalog(struct sf_op *op, const struct star_call *call, const struct sf_value *view_digests,
                                struct sf_star_catalog *catalog, struct sf_err *err)
{
    const struct sf_value *rows;
    enum sf_code rc = op->site->world->warehouse_query(op, call->cluster, sf_star_catalog_sql(op->arena, &call->site), &rows, err);
    if (rc)
        return rc;
    sf_star_compare(op->arena, call->star, &call->site, rows, view_digests, catalog);
    return SF_OK;
}

static bool is_ours(const struct sf_op *op, struct sf_str comment)
{
    return sf_str_find(comment, owner_mark(op)) != SIZE_MAX;
}

static enum sf_code refuse_foreign(const struct star_call *call, struct sf_str comment, struct sf_err *err)
{
    const char *schema = call->site.schema.p;
    size_t at = sf_str_find(comment, SF_STR("sfstack:stack="));
    if (at == SIZE_MAX) {
        sf_fail(err, SF_E_CONFLICT, "schema '%s' exists in cluster '%.*s' and is not ours", schema, SF_ARG(call->cluster->name));
        sf_hint(err, "give 'schema' another name, or drop it if nobody needs it: drop schema \"%s\" cascade", schema);
        return SF_E_CONFLICT;
    }
    sf_fail(err, SF_E_CONFLICT, "schema '%s' in cluster '%.*s' belongs to another stack or state: %.*s", schema,
            SF_ARG(call->cluster->name), SF_ARG(sf_str_slice(comment, at, comment.n)));
    sf_hint(err, "if its state was lost, put state.db back (state.db.backup lies beside it); else give 'schema' another name");
    return SF_E_CONFLICT;
}

static const struct sf_value *entry_of(const struct sf_value *attrs, const char *map, struct sf_str name)
{
    const struct sf_value *entries = sf_map_getz(attrs, map);
    return entries && entries->type == SF_V_MAP ? sf_map_get(entries, name) : NULL;
}

static bool is_digest(const struct sf_value *entry)
{
    if (!entry || entry->type != SF_V_STRING || entry->s.n != 16)
        return false;
    for (size_t i = 0; i < 16; i++)
        if (!strchr("0123456789abcdef", entry->s.p[i]))
            return false;
    return true;
}

/* The star file may have changed since the star was made. A view's text in the catalog does not say which one it was made from; the
 * record does: a view that is as it was made is reported as recorded, so that a new text in the file is a change. What the file has
 * newly and nobody made is no drift; what it no longer has is still there. */
static void report_as_made(struct sf_op *op, const struct star_call *call, const struct sf_value *base,
                           struct sf_star_catalog *catalog, struct sf_value *structure, struct sf_value *digests)
{
    for (size_t i = 0; i < call->star->n_views; i++) {
        struct sf_str name = call->star->views[i].name;
        const struct sf_value *made = entry_of(base, STAR_SCHEMA_STRUCTURE, name);
        const struct sf_value *known = entry_of(base, STAR_SCHEMA_VIEW_DIGESTS, name);
        const struct sf_value *seen = sf_map_get(catalog->view_digests, name);
        if (is_digest(made) && known && seen && sf_value_equal(known, seen) &&
            !sf_value_equal(made, sf_map_get(sf_star_declared(op->arena, call->site.dialect, call->star, SF_STR_NONE), name)))
            sf_map_set(op->arena, structure, name, made);
    }
    sf_star_claim(op->arena, sf_map_getz(base, STAR_SCHEMA_STRUCTURE), catalog);
    for (size_t i = 0; i < catalog->n_former; i++) {
        struct sf_str name = catalog->former[i];
        const struct sf_value *known = entry_of(base, STAR_SCHEMA_VIEW_DIGESTS, name);
        sf_map_set(op->arena, structure, name, entry_of(base, STAR_SCHEMA_STRUCTURE, name));
        if (known)
            sf_map_set(op->arena, digests, name, known);
    }
}

static bool is_missing(const struct star_call *call, const struct sf_star_catalog *catalog, struct sf_str name)
{
    for (size_t i = 0; i < call->star->n_tables; i++)
        if (sf_str_eq(call->star->tables[i].name, name))
            return !catalog->table_exists[i];
    for (size_t i = 0; i < call->star->n_views; i++)
        if (sf_str_eq(call->star->views[i].name, name))
            return !catalog->view_exists[i];
    return false;
}

/* Reports the catalog as attributes over what is recorded or wanted. */
static void report(struct sf_op *op, const struct star_call *call, const struct sf_value *base, struct sf_star_catalog *catalog,
                   struct sf_outcome *out)
{
    struct sf_value *structure = sf_value_map(op->arena);
    for (size_t i = 0; i < catalog->structure->map.n; i++) {
        struct sf_str name = catalog->structure->map.pairs[i].key;
        if (!is_missing(call, catalog, name) || entry_of(base, STAR_SCHEMA_STRUCTURE, name))
            sf_map_add(op->arena, structure, name, catalog->structure->map.pairs[i].value);
    }
    struct sf_value *digests = sf_value_map(op->arena);
    for (size_t i = 0; i < catalog->view_digests->map.n; i++)
        sf_map_add(op->arena, digests, catalog->view_digests->map.pairs[i].key, catalog->view_digests->map.pairs[i].value);
    report_as_made(op, call, base, catalog, structure, digests);
    if (call->site.reader.n > 0 && !sf_reader_has_passfile(op, call->cluster, call->site.reader))
        sf_map_set_str(op->arena, structure, "(reader)", SF_STR("passfile is missing or not private"));
    else if (call->site.reader.n > 0 && catalog->reader_verifier.n > 0 &&
             !sf_reader_password_fits(op, call->cluster, call->site.reader, catalog->reader_verifier))
        sf_map_set_str(op->arena, structure, "(reader)", SF_STR("password was changed"));
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; base && i < base->map.n; i++)
        sf_map_add(op->arena, attrs, base->map.pairs[i].key, base->map.pairs[i].value);
    sf_map_set(op->arena, attrs, sf_str_of(STAR_SCHEMA_STRUCTURE), structure);
    sf_map_set(op->arena, attrs, sf_str_of(STAR_SCHEMA_VIEW_DIGESTS), digests);
    out->attrs = attrs;
    out->id = call->site.schema;
}

static enum sf_code read_star(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct star_call call = {0};
    enum sf_code rc = open_call(op, op->self->attrs, &call, err);
    if (rc)
        return rc;
    call.site.schema = id;
    struct sf_star_catalog catalog;
    const struct sf_value *known = sf_map_getz(op->self->attrs, STAR_SCHEMA_VIEW_DIGESTS);
    rc = ask_catalog(op, &call, known && known->type == SF_V_MAP ? known : NULL, &catalog, err);
    if (rc)
        return rc;
    if (!catalog.has_schema || !is_ours(op, catalog.schema_comment))
        return sf_fail(err, SF_E_ABSENT, "schema '%.*s' of this stack is not there", SF_ARG(id));
    report(op, &call, op->self->attrs, &catalog, out);
    return SF_OK;
}

static enum sf_code find_star(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct star_call call = {0};
    enum sf_code rc = open_call(op, want, &call, err);
    if (rc)
        return rc;
    struct sf_star_catalog catalog;
    rc = ask_catalog(op, &call, NULL, &catalog, err);
    if (rc)
        return rc;
    struct sf_str intent = sf_str_fmt(op->arena, "sfstack:intent=%.*s ", SF_ARG(op->intent));
    if (!catalog.has_schema || !is_ours(op, catalog.schema_comment) || sf_str_find(catalog.schema_comment, intent) == SIZE_MAX)
        return sf_fail(err, SF_E_ABSENT, "schema '%.*s' was not made", SF_ARG(call.site.schema));
    report(op, &call, want, &catalog, out);
    return SF_OK;
}

/* Whether the star holds sample data now, so that comments made anew keep saying so. */
static enum sf_code ask_sample(struct sf_op *op, struct star_call *call, const struct sf_star_catalog *catalog, struct sf_err *err)
{
    for (size_t i = 0; i < call->star->n_tables; i++) {
        if (!sf_str_is(call->star->tables[i].name, SF_STAR_LEDGER_TABLE))
            continue;
        if (!catalog->table_exists[i] || catalog->table_differs[i])
            return SF_OK;
        const struct sf_value *rows;
        enum sf_code rc = op->site->world->warehouse_query(
            op, call->cluster,
            sf_str_fmt(op->arena,
                       "select case when count(*) > 0 then 'true' else 'false' end from %s where is_current and is_sample",
                       sf_sql_name2(op->arena, call->site.schema, call->star->tables[i].name).p),
            &rows, err);
        if (rc)
            return rc;
        call->site.is_sample = sf_str_is(sf_rows_text(rows, 0, 0), "true");
    }
    return SF_OK;
}

/* Comments that were not written with the star. One that is missing is drift, so a failure here is only a note. */
static void describe(struct sf_op *op, const struct star_call *call)
{
    struct sf_script script = {.arena = op->arena};
    struct sf_err err = {0};
    sf_star_describe(&script, call->star, &call->site);
    if (sf_script_run(op, call->cluster, &script, true, &err))
        sf_op_warn(op, "schema '%.*s' is made, but not all its comments could be written: %s", SF_ARG(call->site.schema),
                   err.message);
}

/* Everything that create and update share, from what the catalog shows to what is declared. */
static enum sf_code make(struct sf_op *op, struct star_call *call, const struct sf_value *want,
                         const struct sf_star_catalog *catalog, const char *intent, struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = ask_sample(op, call, catalog, err);
    if (rc)
        return rc;
    struct sf_script script = {.arena = op->arena};
    sf_star_make(&script, call->star, &call->site, catalog);
    rc = sf_op_intent(op, intent, err);
    if (rc)
        return rc;
    rc = sf_script_run(op, call->cluster, &script, true, err);
    if (rc) {
        sf_context(err, "schema '%.*s'", SF_ARG(call->site.schema));
        return rc;
    }
    out->id = call->site.schema;
    if (!catalog->has_schema) {
        rc = sf_op_made(op, out->id, err);
        if (rc)
            return rc;
    }
    describe(op, call);
    if (call->site.reader.n > 0) {
        rc = sf_reader_make(op, call->cluster, &call->site, err);
        if (rc)
            return rc;
    }
    struct sf_star_catalog after;
    rc = ask_catalog(op, call, NULL, &after, err);
    if (rc)
        return rc;
    report(op, call, want, &after, out);
    return SF_OK;
}

static enum sf_code create_star(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct star_call call = {0};
    struct sf_star_catalog catalog;
    enum sf_code rc = open_call(op, want, &call, err);
    if (!rc)
        rc = ask_catalog(op, &call, NULL, &catalog, err);
    if (rc)
        return rc;
    if (catalog.has_schema)
        return refuse_foreign(&call, catalog.schema_comment, err);
    return make(op, &call, want, &catalog, "CREATE SCHEMA", out, err);
}

/* Whose a schema is can be seen once there is a cluster; one that does not answer is left to create(), and so is a schema of ours,
 * which may be on its way out under another address. */
static enum sf_code preflight_star(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct star_call call = {0};
    struct sf_star_catalog catalog;
    struct sf_err ignored;
    enum sf_code rc = open_call(op, want, &call, err);
    if (rc || !call.cluster->id.n || !call.site.schema.n)
        return rc;
    if (ask_catalog(op, &call, NULL, &catalog, &ignored) || !catalog.has_schema || is_ours(op, catalog.schema_comment))
        return SF_OK;
    return refuse_foreign(&call, catalog.schema_comment, err);
}

static enum sf_code update_star(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                                struct sf_outcome *out, struct sf_err *err)
{
    struct star_call call = {0};
    struct sf_star_catalog catalog;
    enum sf_code rc = open_call(op, want, &call, err);
    if (rc)
        return rc;
    rc = ask_catalog(op, &call, NULL, &catalog, err);
    if (rc)
        return rc;
    if (!catalog.has_schema)
        return sf_fail(err, SF_E_STALE, "schema '%.*s' vanished while this ran", SF_ARG(id));
    if (!is_ours(op, catalog.schema_comment))
        return refuse_foreign(&call, catalog.schema_comment, err);
    /* whether a view was redefined by hand or in the star file cannot be seen from the catalog alone */
    const struct sf_value *had = sf_map_getz(have, STAR_SCHEMA_STRUCTURE), *wanted = sf_map_getz(want, STAR_SCHEMA_STRUCTURE);
    for (size_t i = 0; i < call.star->n_views; i++) {
        const struct sf_value *before = sf_map_get(had, call.star->views[i].name);
        if (!before || !sf_value_equal(before, sf_map_get(wanted, call.star->views[i].name)))
            catalog.view_differs[i] = true;
    }
    sf_star_claim(op->arena, had, &catalog);
    rc = make(op, &call, want, &catalog, "ALTER SCHEMA", out, err);
    struct sf_str reader_before = sf_map_str(have, STAR_SCHEMA_READER);
    if (rc || reader_before.n == 0 || sf_str_eq(reader_before, call.site.reader))
        return rc;
    return sf_reader_leave(op, call.cluster, reader_before, err);
}

static enum sf_code refuse_with_tenants(const struct star_call *call, const struct sf_star_catalog *catalog, struct sf_err *err)
{
    sf_fail(err, SF_E_REFUSED, "schema '%.*s' holds %zu relations that are not ours, among them '%.*s'", SF_ARG(call->site.schema),
            catalog->n_foreign, SF_ARG(catalog->foreign[0]));
    sf_hint(err, "move or drop them, then run it again; nothing was dropped");
    return SF_E_REFUSED;
}

static enum sf_code destroy_star(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    (void)out;
    struct star_call call = {0};
    struct sf_star_catalog catalog;
    enum sf_code rc = open_call(op, op->self->attrs, &call, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc)
        return rc;
    call.site.schema = id;
    call.site.partitions = sf_star_partitions_schema(op->arena, id);
    rc = ask_catalog(op, &call, NULL, &catalog, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc)
        return rc;
    if (catalog.has_schema && is_ours(op, catalog.schema_comment)) {
        sf_star_claim(op->arena, sf_map_getz(op->self->attrs, STAR_SCHEMA_STRUCTURE), &catalog);
        if (catalog.n_foreign > 0)
            return refuse_with_tenants(&call, &catalog, err);
        struct sf_script script = {.arena = op->arena};
        sf_star_drop(&script, call.star, &call.site, &catalog);
        size_t failed = 0;
        rc = sf_op_intent(op, "DROP SCHEMA", err);
        if (!rc)
            rc = op->site->world->warehouse_control(op, call.cluster, script.list, script.n, NULL, &failed, err);
        if (rc)
            return rc;
    }
    return call.site.reader.n > 0 ? sf_reader_leave(op, call.cluster, call.site.reader, err) : SF_OK;
}

static enum sf_code query_star(struct sf_op *op, struct sf_str id, struct sf_str text, struct sf_answer *out, struct sf_err *err)
{
    (void)id; /* the reader's search path names the schemas of all its stars */
    const struct sf_object *cluster = sf_op_ref(op, NULL, STAR_SCHEMA_CLUSTER, 0);
    struct sf_str reader = sf_map_str(op->self->attrs, STAR_SCHEMA_READER), password;
    if (!cluster || !op->site->world->warehouse_ask)
        return sf_fail(err, SF_E_CONFIG, "a warehouse in this world answers no queries yet");
    if (reader.n == 0) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' has no reader, and nobody else may be asked as", SF_ARG(op->self->address));
        sf_hint(err, "give the star a `reader: NAME` and apply");
        return SF_E_CONFIG;
    }
    enum sf_code rc = sf_reader_password(op, cluster, reader, &password, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_AUTH, "the password of '%.*s' is neither in its passfile nor in state", SF_ARG(reader));
        sf_hint(err, "sfapply makes it");
        return SF_E_AUTH;
    }
    rc = rc ? rc : op->site->world->warehouse_ask(op, cluster, reader, password, text, out, err);
    if (rc == SF_E_AUTH)
        sf_hint(err, "the password of '%.*s' was changed in the database; sfapply puts it back", SF_ARG(reader));
    return rc;
}

static enum sf_code derive_star(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *tables = sf_map_getz(want, STAR_SCHEMA_TABLES), *reader = sf_map_getz(want, STAR_SCHEMA_READER);
    const struct sf_value *schema = sf_map_getz(want, STAR_SCHEMA_SCHEMA);
    if (!tables || tables->type != SF_V_STRING || sf_value_has_unknown(schema, NULL) || sf_value_has_unknown(reader, NULL))
        return SF_OK;
    struct sf_star *star;
    enum sf_code rc = sf_star_load(op, tables->s, &star, err);
    if (rc)
        return rc;
    struct sf_str name = sf_map_str(want, STAR_SCHEMA_READER);
    sf_map_set(op->arena, want, sf_str_of(STAR_SCHEMA_STRUCTURE),
               sf_star_declared(op->arena, op->site->world->dialect, star, name));
    const struct sf_object *cluster = sf_op_ref(op, NULL, STAR_SCHEMA_CLUSTER, 0);
    bool is_shut_out = false;
    struct sf_str command = cluster && name.n > 0 ? sf_reader_command(op, cluster, name, &is_shut_out) : SF_STR_NONE;
    if (command.n > 0)
        sf_map_set_str(op->arena, want, STAR_SCHEMA_PSQL_COMMAND, command);
    else if (name.n == 0 || is_shut_out)
        sf_map_set(op->arena, want, sf_str_of(STAR_SCHEMA_PSQL_COMMAND), &sf_null_value);
    if (is_shut_out && op->is_planning && !op->self->id.n)
        sf_op_warn(op,
                   "no security group of '%.*s' lets anybody in, so there is no psql command; `sfstate query` asks it all the same",
                   SF_ARG(cluster->address));
    return SF_OK;
}

extern const struct sf_driver sf_driver_data_star_schema;
const struct sf_driver sf_driver_data_star_schema = {
    .kind = "star_schema",
    .read = read_star,
    .find = find_star,
    .create = create_star,
    .update = update_star,
    .destroy = destroy_star,
    .preflight = preflight_star,
    .derive = derive_star,
    .query = query_star,
};

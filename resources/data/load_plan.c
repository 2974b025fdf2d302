/* See load_plan.h. */
#include "resources/data/load_plan.h"

#include "attr/load.h"
#include "attr/star_schema.h"
#include "attr/upload.h"
#include "resources/data/data_file.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/dataset_rules.h"
#include "resources/data/manifest.h"

#include <inttypes.h>

enum { MAX_MANIFEST_BYTES = 4 * 1024 * 1024 };

enum sf_code sf_load_objects(struct sf_op *op, bool needs_source, struct sf_load_objects *o, struct sf_err *err)
{
    *o = (struct sf_load_objects){0};
    o->star_schema = sf_op_ref(op, NULL, LOAD_INTO, 0);
    o->cluster = o->star_schema ? sf_op_ref(op, o->star_schema, STAR_SCHEMA_CLUSTER, 0) : NULL;
    o->upload = sf_op_ref(op, NULL, LOAD_FROM, 0);
    o->role = sf_op_ref(op, NULL, LOAD_ROLE, 0);
    o->bucket = o->upload ? sf_op_ref(op, o->upload, UPLOAD_TO, 0) : NULL;
    o->dataset = o->upload ? sf_op_ref(op, o->upload, UPLOAD_OF, 0) : NULL;
    if (!o->cluster && !needs_source) /* left state before the load did: a destroy was killed in between */
        return sf_fail(err, SF_E_ABSENT, "the star of this load is gone");
    if (!o->cluster)
        return sf_fail(err, SF_E_CONFIG, "'into' of a load must name a star_schema of this stack");
    if (needs_source && (!o->bucket || !o->dataset || !o->role))
        return sf_fail(err, SF_E_CONFIG, "'from' and 'role' of a load must name an upload and a role of this stack");
    return SF_OK;
}

/* The numbers of a part, and its digest: all but where its file is. */
static const struct sf_value *part_facts(struct sf_arena *arena, const struct sf_value *year)
{
    struct sf_value *facts = sf_value_map(arena);
    for (size_t i = 0; i < year->map.n; i++) {
        const struct sf_pair *pair = &year->map.pairs[i];
        if (!sf_str_is(pair->key, FILE_KEY) && !sf_str_is(pair->key, FILE_BYTES) && !sf_str_is(pair->key, FILE_SHA256))
            sf_map_add(arena, facts, pair->key, pair->value);
    }
    return facts;
}

/* Of a table in parts: of each. */
static const struct sf_value *table_digest(struct sf_arena *arena, const struct sf_value *table)
{
    const struct sf_value *parts = sf_map_getz(table, TABLE_PARTS);
    if (!parts)
        return sf_value_str(arena, sf_map_str(table, FILE_DIGEST));
    struct sf_value *digests = sf_value_map(arena);
    for (size_t i = 0; i < parts->map.n; i++)
        sf_map_add(arena, digests, parts->map.pairs[i].key, table_digest(arena, parts->map.pairs[i].value));
    return digests;
}

const struct sf_value *sf_load_contents(struct sf_op *op, const struct sf_object *dataset, const struct sf_star *star,
                                        const struct sf_checks *checks)
{
    struct sf_arena *arena = op->arena;
    const struct sf_value *from_tables = sf_map_getz(dataset->attrs, DATASET_TABLES),
                          *from_years = sf_map_getz(dataset->attrs, DATASET_YEARS);
    const struct sf_value *rules = sf_map_getz(dataset->attrs, DATASET_RULES),
                          *sample = sf_map_getz(dataset->attrs, DATASET_IS_SAMPLE);
    if (!from_tables || from_tables->type != SF_V_MAP || !from_years || from_years->type != SF_V_MAP || !rules || !sample ||
        sf_value_has_unknown(dataset->attrs, NULL))
        return NULL;
    struct sf_value *contents = sf_value_map(arena), *tables = sf_value_map(arena), *years = sf_value_map(arena);
    for (size_t i = 0; i < from_tables->map.n; i++)
        sf_map_add(arena, tables, from_tables->map.pairs[i].key, table_digest(arena, from_tables->map.pairs[i].value));
    for (size_t i = 0; i < from_years->map.n; i++)
        sf_map_add(arena, years, from_years->map.pairs[i].key, part_facts(arena, from_years->map.pairs[i].value));
    sf_map_set(arena, contents, SF_STR("rules"), rules);
    sf_map_set_str(arena, contents, "star", star->digest);
    sf_map_set_str(arena, contents, "checks", checks->digest);
    sf_map_set(arena, contents, SF_STR("sample"), sample);
    if (sf_dataset_is_in_warehouse(dataset->attrs))
        sf_map_set_str(arena, contents, "raw", sf_map_str(dataset->attrs, DATASET_SNAPSHOT));
    sf_map_set(arena, contents, SF_STR("tables"), tables);
    sf_map_set(arena, contents, SF_STR("years"), years);
    return contents;
}

/* The quoted column list of a file, which must hold the table's columns, each once, in any order. */
static enum sf_code file_columns(struct sf_op *op, const struct sf_star_table *table, const struct sf_value *list,
                                 struct sf_str *out, struct sf_err *err)
{
    if (!list || list->type != SF_V_LIST || list->list.n != table->n_columns) {
        sf_fail(err, SF_E_CONFIG, "the data set's file for table '%.*s' does not have the table's %zu columns", SF_ARG(table->name),
                table->n_columns);
        sf_hint(err, "make the star file and the data set's rules agree");
        return SF_E_CONFIG;
    }
    struct sf_buf buf = SF_BUF(SF_MAX_SQL_BYTES);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < list->list.n; i++) {
        struct sf_str name = list->list.items[i]->type == SF_V_STRING ? list->list.items[i]->s : SF_STR_NONE;
        bool is_known = sf_star_column(table, name) != NULL;
        for (size_t k = 0; k < i; k++)
            is_known &= !sf_str_eq(list->list.items[k]->s, name);
        if (!is_known)
            rc = sf_fail(err, SF_E_CONFIG, "the data set's file for table '%.*s' has column '%.*s', which the star file %s",
                         SF_ARG(table->name), SF_ARG(name), sf_star_column(table, name) ? "has once" : "does not have");
        sf_buf_addf(&buf, "%s%s", i ? ", " : "", sf_sql_name(op->arena, name).p);
    }
    *out = sf_str_dup(op->arena, sf_buf_str(&buf));
    sf_buf_free(&buf);
    return rc;
}

static bool differs(const struct sf_value *want, const struct sf_value *have)
{
    return !want || !have || !sf_value_equal(want, have);
}

/* What a list of parts is made from: what the data set says of each, where its files are, and what the ledger says. */
struct parts_source {
    const struct sf_star_table *table;
    const struct sf_value *from, *want, *have; /* by part; `have` may be NULL */
    struct sf_str prefix;
    const struct sf_ledger *ledger;
};

static enum sf_code prepare_parts(struct sf_op *op, const struct parts_source *s, struct sf_load_part **out, size_t *n,
                                  struct sf_err *err)
{
    size_t n_have = s->have && s->have->type == SF_V_MAP ? s->have->map.n : 0;
    struct sf_load_part *parts = *out = SF_NEW_ARRAY(op->arena, s->from->map.n + n_have + 1, struct sf_load_part);
    *n = 0;
    for (size_t i = 0; i < s->from->map.n; i++) {
        const struct sf_pair *pair = &s->from->map.pairs[i];
        const struct sf_value *facts = sf_map_get(s->want, pair->key);
        struct sf_load_part *part = &parts[(*n)++];
        part->table = s->table;
        if (!sf_str_int64(pair->key, &part->value))
            return sf_fail(err, SF_E_CONFIG, "the data set has a part '%.*s', which is no number", SF_ARG(pair->key));
        part->facts = facts;
        part->key = sf_str_fmt(op->arena, "%.*s%.*s", SF_ARG(s->prefix), SF_ARG(sf_map_str(pair->value, FILE_KEY)));
        part->source = sf_json_text(op->arena, facts ? facts : &sf_null_value, SF_JSON_PLAIN);
        part->rows = sf_map_int(pair->value, FILE_ROWS, -1);
        part->changes = differs(facts, sf_map_get(s->have, pair->key));
        part->has_partition = sf_ledger_has_partition(s->ledger, s->table->name, part->value);
    }
    for (size_t i = 0; i < n_have; i++) {
        const struct sf_pair *pair = &s->have->map.pairs[i];
        int64_t value;
        if (sf_map_get(s->from, pair->key) || !sf_str_int64(pair->key, &value))
            continue;
        parts[(*n)++] = (struct sf_load_part){.table = s->table,
                                              .value = value,
                                              .changes = true,
                                              .is_removed = true,
                                              .has_partition = sf_ledger_has_partition(s->ledger, s->table->name, value)};
    }
    return SF_OK;
}

/* One table of the data set, `file` as it says: a file, or a map of them by part. */
static enum sf_code prepare_table(struct sf_op *op, const struct parts_source *source, const struct sf_value *file,
                                  struct sf_load_table *t, struct sf_err *err)
{
    const struct sf_star_table *table = t->table = source->table;
    const struct sf_value *parts = sf_map_getz(file, TABLE_PARTS);
    if ((parts != NULL) != (table->partition_by.n > 0)) {
        sf_fail(err, SF_E_CONFIG, "the data set has table '%.*s' %s, the star file has it %s", SF_ARG(table->name),
                parts ? "in parts" : "whole", parts ? "whole" : "in parts");
        sf_hint(err, parts ? "give it `partition_by` in the star file" : "take `partition_by` away from it in the star file");
        return SF_E_CONFIG;
    }
    t->rows = sf_map_int(file, FILE_ROWS, -1);
    enum sf_code rc = file_columns(op, table, sf_map_getz(file, FILE_COLUMNS), &t->columns, err);
    if (rc)
        return rc;
    if (parts) {
        struct parts_source by_part = *source;
        by_part.from = parts;
        rc = prepare_parts(op, &by_part, &t->parts, &t->n_parts, err);
        for (size_t i = 0; i < t->n_parts; i++)
            t->changes |= t->parts[i].changes;
        return rc;
    }
    t->key = sf_str_fmt(op->arena, "%.*s%.*s", SF_ARG(source->prefix), SF_ARG(sf_map_str(file, FILE_KEY)));
    t->source = sf_json_text(op->arena, source->want, SF_JSON_PLAIN);
    t->changes = differs(source->want, source->have);
    return SF_OK;
}

static enum sf_code prepare_tables(struct sf_op *op, const struct sf_value *from, struct sf_str prefix, const struct sf_value *want,
                                   const struct sf_value *have, const struct sf_ledger *ledger, struct sf_load_plan *plan,
                                   struct sf_err *err)
{
    plan->tables = SF_NEW_ARRAY(op->arena, plan->star->n_tables, struct sf_load_table);
    for (size_t i = 0; i < plan->star->n_tables; i++) {
        const struct sf_star_table *table = &plan->star->tables[i];
        if (table->role != SF_STAR_DIMENSION && table->role != SF_STAR_BRIDGE)
            continue;
        const struct sf_value *file = sf_map_get(from, table->name);
        if (!file)
            return sf_fail(err, SF_E_CONFIG, "the data set has no table '%.*s', which the star file declares", SF_ARG(table->name));
        struct parts_source source = {.table = table,
                                      .want = sf_map_get(sf_map_getz(want, "tables"), table->name),
                                      .have = sf_map_get(sf_map_getz(have, "tables"), table->name),
                                      .prefix = prefix,
                                      .ledger = ledger};
        enum sf_code rc = prepare_table(op, &source, file, &plan->tables[plan->n_tables++], err);
        if (rc)
            return rc;
    }
    if (from->map.n != plan->n_tables)
        return sf_fail(err, SF_E_CONFIG, "the data set has %zu tables, the star file %zu that it could fill", from->map.n,
                       plan->n_tables);
    return SF_OK;
}

enum sf_code sf_load_prepare(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                             const struct sf_checks *checks, const struct sf_value *want, const struct sf_ledger *ledger,
                             struct sf_load_plan *plan, struct sf_err *err)
{
    const struct sf_value *attrs = objects->dataset->attrs, *have = sf_ledger_contents(op->arena, ledger);
    /* what is generated and what is the city's are never mixed, not even where they agree */
    bool is_other_kind = ledger->has_load && ledger->is_sample != sf_map_bool(attrs, DATASET_IS_SAMPLE, false);
    const struct sf_value *tables = sf_map_getz(attrs, DATASET_TABLES), *years = sf_map_getz(attrs, DATASET_YEARS);
    if (!tables || tables->type != SF_V_MAP || !years || years->type != SF_V_MAP)
        return sf_fail(err, SF_E_CONFIG, "the data set '%.*s' has no tables", SF_ARG(objects->dataset->name));
    struct sf_str prefix = sf_map_str(objects->upload->attrs, UPLOAD_PREFIX);
    plan->dialect = op->site->world->dialect;
    plan->star = star;
    plan->schema = sf_map_str(objects->star_schema->attrs, STAR_SCHEMA_SCHEMA);
    plan->partitions = sf_star_partitions_schema(op->arena, plan->schema);
    plan->bucket = objects->bucket;
    plan->role = objects->role;
    plan->rules = sf_map_str(attrs, DATASET_RULES);
    plan->checks = checks->digest;
    plan->snapshot = sf_map_str(attrs, DATASET_SNAPSHOT);
    plan->delivery = sf_map_str(objects->upload->attrs, UPLOAD_DELIVERY);
    plan->data_as_of = sf_map_str(attrs, DATASET_DATA_AS_OF);
    plan->data_loaded_at = sf_map_str(attrs, DATASET_DATA_LOADED_AT);
    plan->is_sample = sf_map_bool(attrs, DATASET_IS_SAMPLE, false);
    bool has_accepted = false;
    for (size_t i = 0; i < checks->n; i++) {
        plan->n_checks += !checks->list[i].is_warning && !checks->list[i].is_accepted;
        has_accepted |= checks->list[i].is_accepted;
    }
    plan->side = sf_checks_side(checks);
    plan->has_published = ledger->has_load;
    plan->is_rest_proven = !has_accepted && ledger->has_load && !is_other_kind && sf_str_eq(ledger->rules, plan->rules) &&
                           sf_str_eq(ledger->star, star->digest) && sf_str_eq(ledger->checks, checks->digest) &&
                           ledger->checks_passed == plan->n_checks;
    enum sf_code rc = prepare_tables(op, tables, prefix, want, have, ledger, plan, err);
    struct parts_source source = {star->fact, years, sf_map_getz(want, "years"), sf_map_getz(have, "years"), prefix, ledger};
    if (!rc)
        rc = prepare_parts(op, &source, &plan->parts, &plan->n_parts, err);
    for (size_t i = 0; !rc && is_other_kind && i < plan->n_tables; i++) {
        plan->tables[i].changes = true;
        for (size_t k = 0; k < plan->tables[i].n_parts; k++)
            plan->tables[i].parts[k].changes = true;
    }
    for (size_t i = 0; !rc && is_other_kind && i < plan->n_parts; i++)
        plan->parts[i].changes = true;
    if (!rc)
        rc = file_columns(op, star->fact, sf_map_getz(attrs, DATASET_FACT_COLUMNS), &plan->fact_columns, err);
    return rc;
}

/* --- the delivery --- */

static enum sf_code read_object(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str *bytes,
                                struct sf_err *err)
{
    struct sf_reader reader;
    enum sf_code rc = op->site->world->bucket_open(op, bucket, key, &reader, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_REFUSED, "bucket '%.*s' does not hold '%.*s', which the load must read", SF_ARG(bucket->id), SF_ARG(key));
        sf_hint(err, "run sfapply again: the upload delivers what is missing");
        return SF_E_REFUSED;
    }
    if (rc)
        return rc;
    char *text = sf_arena_alloc(op->arena, (size_t)MAX_MANIFEST_BYTES + 1);
    size_t n = 0, got = 1;
    while (!rc && got > 0 && n < (size_t)MAX_MANIFEST_BYTES) {
        rc = reader.read(&reader, text + n, (size_t)MAX_MANIFEST_BYTES - n, &got, err);
        n += rc ? 0 : got;
    }
    reader.close(&reader);
    *bytes = (struct sf_str){text, n};
    return rc;
}

static enum sf_code refuse_undelivered(const struct sf_object *bucket, struct sf_str key, struct sf_str manifest,
                                       struct sf_err *err)
{
    sf_fail(err, SF_E_REFUSED, "'%.*s' is not delivered: manifest '%.*s' in bucket '%.*s' does not name it", SF_ARG(key),
            SF_ARG(manifest), SF_ARG(bucket->id));
    sf_hint(err, "run sfapply again: the upload delivers what is missing");
    return SF_E_REFUSED;
}

/* The manifest of a table, opened when the first of its objects is looked for. */
struct table_manifest {
    struct sf_str key;
    const struct sf_value *listed;
};

static enum sf_code check_object(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_value *delivered,
                                 struct sf_str table, struct sf_str key, struct table_manifest *manifest, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    struct sf_str text;
    if (!manifest->listed) {
        manifest->key = sf_map_str(sf_map_getz(delivered, "manifests"), sf_str_dup(op->arena, table).p);
        if (manifest->key.n == 0)
            return refuse_undelivered(objects->bucket, key, SF_STR("(none)"), err);
        rc = read_object(op, objects->bucket, manifest->key, &text, err);
        if (!rc)
            rc = sf_manifest_read(op->arena, text, manifest->key.p, &manifest->listed, err);
    }
    if (!rc && !sf_map_get(manifest->listed, sf_manifest_url(op->arena, objects->bucket->id, key)))
        return refuse_undelivered(objects->bucket, key, manifest->key, err);
    if (rc)
        return rc;
    struct sf_bucket_entry *entries;
    size_t n;
    rc = op->site->world->bucket_list(op, objects->bucket, key, &entries, &n, err);
    if (rc)
        return rc;
    if (n == 0 || !sf_str_eq(entries[0].key, key)) {
        sf_fail(err, SF_E_REFUSED, "bucket '%.*s' does not hold '%.*s', which the load must read", SF_ARG(objects->bucket->id),
                SF_ARG(key));
        sf_hint(err, "run sfapply again: the upload delivers what is missing");
        return SF_E_REFUSED;
    }
    return SF_OK;
}

static enum sf_code read_delivered(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_value **delivered,
                                   struct sf_err *err)
{
    struct sf_str text, delivery = sf_map_str(objects->upload->attrs, UPLOAD_DELIVERY);
    if (delivery.n == 0)
        return sf_fail(err, SF_E_REFUSED, "upload '%.*s' has delivered nothing yet", SF_ARG(objects->upload->name));
    enum sf_code rc = read_object(op, objects->bucket, delivery, &text, err);
    return rc ? rc : sf_json_parse(op->arena, text, delivery.p, SF_JSON_PLAIN, delivered, err);
}

enum sf_code sf_load_check_raw(struct sf_op *op, const struct sf_load_objects *objects, struct sf_err *err)
{
    const struct sf_value *delivered, *files = sf_map_getz(objects->dataset->attrs, DATASET_RAW);
    struct sf_str prefix = sf_map_str(objects->upload->attrs, UPLOAD_PREFIX);
    struct table_manifest manifest = {0};
    enum sf_code rc = read_delivered(op, objects, &delivered, err);
    for (size_t i = 0; !rc && files && files->type == SF_V_MAP && i < files->map.n; i++) {
        struct sf_str key = sf_map_str(files->map.pairs[i].value, FILE_KEY);
        rc = check_object(op, objects, delivered, SF_STR(RAW_TABLE), sf_str_fmt(op->arena, "%.*s%.*s", SF_ARG(prefix), SF_ARG(key)),
                          &manifest, err);
    }
    return rc;
}

static enum sf_code check_parts(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_value *delivered,
                                const struct sf_load_part *parts, size_t n, struct sf_err *err)
{
    struct table_manifest manifest = {0};
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < n; i++)
        if (parts[i].changes && !parts[i].is_removed)
            rc = check_object(op, objects, delivered, parts[i].table->name, parts[i].key, &manifest, err);
    return rc;
}

enum sf_code sf_load_check_delivery(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_load_plan *plan,
                                    struct sf_err *err)
{
    const struct sf_value *delivered;
    enum sf_code rc = read_delivered(op, objects, &delivered, err);
    for (size_t i = 0; !rc && i < plan->n_tables; i++) {
        const struct sf_load_table *t = &plan->tables[i];
        struct table_manifest manifest = {0};
        if (t->changes && t->table->partition_by.n == 0)
            rc = check_object(op, objects, delivered, t->table->name, t->key, &manifest, err);
        else
            rc = check_parts(op, objects, delivered, t->parts, t->n_parts, err);
    }
    return rc ? rc : check_parts(op, objects, delivered, plan->parts, plan->n_parts, err);
}

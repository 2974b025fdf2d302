/* See delivery.h. */
#include "resources/data/delivery.h"

#include "attr/sftp_user.h"
#include "attr/upload.h"

#include "engine/core/clock.h"
#include "resources/data/dataset_attrs.h"
#include "resources/data/manifest.h"

#include <stdlib.h>

static void add_file(struct sf_delivery *d, struct sf_str key, int64_t bytes, struct sf_str sha256)
{
    struct sf_value *file = sf_value_map(d->arena);
    sf_map_set_int(d->arena, file, FILE_BYTES, bytes);
    sf_map_set_str(d->arena, file, FILE_SHA256, sha256);
    sf_map_add(d->arena, d->files, key, file);
}

static void keep_bytes(struct sf_delivery *d, struct sf_str key, struct sf_str bytes)
{
    struct sf_str *kept = SF_NEW(d->arena, struct sf_str);
    *kept = bytes;
    sf_map_put(d->made, key, kept);
}

static void add_kept(struct sf_delivery *d, struct sf_str key)
{
    const struct sf_str *bytes = sf_map_find(d->made, key);
    add_file(d, key, (int64_t)bytes->n, sf_sha256_hex(d->arena, *bytes));
}

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp(((const struct sf_delivered_file *)a)->key, ((const struct sf_delivered_file *)b)->key);
}

/* Data files of one table, `n` descriptions {key, bytes, sha256}. */
static void add_table(struct sf_delivery *d, struct sf_str table, const struct sf_value *const *described, size_t n)
{
    struct sf_delivered_file *files = SF_NEW_ARRAY(d->arena, n + 1, struct sf_delivered_file);
    for (size_t i = 0; i < n; i++) {
        files[i].key = sf_str_fmt(d->arena, "%.*s%.*s", SF_ARG(d->prefix), SF_ARG(sf_map_str(described[i], FILE_KEY)));
        files[i].bytes = sf_map_int(described[i], FILE_BYTES, -1);
        add_file(d, files[i].key, files[i].bytes, sf_map_str(described[i], FILE_SHA256));
    }
    qsort(files, n, sizeof(*files), by_key);
    struct sf_str bytes = sf_manifest_bytes(d->arena, d->bucket, files, n);
    struct sf_str key = sf_manifest_key(d->arena, d->prefix, table, bytes, "manifest");
    sf_map_set(d->arena, d->manifests, table, sf_value_str(d->arena, key));
    keep_bytes(d, key, bytes);
}

static void add_parts(struct sf_delivery *d, struct sf_str table, const struct sf_value *parts)
{
    const struct sf_value **described = SF_NEW_ARRAY(d->arena, parts->map.n + 1, const struct sf_value *);
    for (size_t i = 0; i < parts->map.n; i++)
        described[i] = parts->map.pairs[i].value;
    add_table(d, table, described, parts->map.n);
}

/* The folder of the parts' keys: "transaction/fy=2025/..." -> "transaction". */
static struct sf_str first_folder(struct sf_str key)
{
    size_t slash = sf_str_find(key, SF_STR("/"));
    return sf_str_slice(key, 0, slash == SIZE_MAX ? 0 : slash);
}

/* What the load is to conform in the warehouse. */
static void add_raw(struct sf_delivery *d, const struct sf_value *raw)
{
    if (raw && raw->type == SF_V_MAP && raw->map.n > 0)
        add_parts(d, SF_STR(RAW_TABLE), raw);
}

bool sf_delivery_is_direct(const struct sf_op *op)
{
    return sf_str_is(sf_map_str(op->self->attrs, UPLOAD_VIA), "bucket");
}

/* What the user's home puts before every key, with its slash. */
static struct sf_str prefix_of(struct sf_op *op, const struct sf_value *prefix)
{
    struct sf_str text = prefix && prefix->type == SF_V_STRING ? prefix->s : SF_STR_NONE;
    return !text.n || sf_str_ends(text, SF_STR("/")) ? text : sf_str_fmt(op->arena, "%.*s/", SF_ARG(text));
}

bool sf_delivery_compose(struct sf_op *op, struct sf_delivery *d)
{
    const struct sf_object *dataset = sf_op_ref(op, NULL, UPLOAD_OF, 0), *bucket = sf_op_ref(op, NULL, UPLOAD_TO, 0);
    const struct sf_object *user = sf_op_ref(op, NULL, UPLOAD_AS, 0);
    if (!dataset || !bucket || (!user && !sf_delivery_is_direct(op)))
        return false;
    const struct sf_value *tables = sf_map_getz(dataset->attrs, DATASET_TABLES),
                          *years = sf_map_getz(dataset->attrs, DATASET_YEARS);
    const struct sf_value *prefix = user ? sf_map_getz(user->attrs, SFTP_USER_PREFIX) : NULL,
                          *name = sf_map_getz(bucket->attrs, "name");
    if (!tables || tables->type != SF_V_MAP || !years || years->type != SF_V_MAP || sf_value_has_unknown(tables, NULL) ||
        sf_value_has_unknown(years, NULL) || (prefix && sf_value_has_unknown(prefix, NULL)) || !name || name->type != SF_V_STRING)
        return false;
    *d = (struct sf_delivery){.arena = op->arena,
                              .bucket = name->s,
                              .prefix = prefix_of(op, prefix),
                              .files = sf_value_map(op->arena),
                              .manifests = sf_value_map(op->arena),
                              .made = sf_map_new(op->arena)};
    for (size_t i = 0; i < tables->map.n; i++) {
        const struct sf_pair *table = &tables->map.pairs[i];
        const struct sf_value *parts = sf_map_getz(table->value, TABLE_PARTS);
        if (parts)
            add_parts(d, table->key, parts);
        else
            add_table(d, table->key, &table->value, 1);
    }
    if (years->map.n > 0)
        add_parts(d, sf_str_dup(op->arena, first_folder(sf_map_str(years->map.pairs[0].value, FILE_KEY))), years);
    add_raw(d, sf_map_getz(dataset->attrs, DATASET_RAW));
    for (size_t i = 0; i < d->manifests->map.n; i++)
        add_kept(d, d->manifests->map.pairs[i].value->s);
    d->commit_bytes =
        sf_delivery_bytes(op->arena, d->manifests, sf_map_str(dataset->attrs, DATASET_SNAPSHOT),
                          sf_map_str(dataset->attrs, DATASET_RULES), sf_map_bool(dataset->attrs, DATASET_IS_SAMPLE, false));
    d->commit_key = sf_manifest_key(op->arena, d->prefix, SF_STR("delivery"), d->commit_bytes, "json");
    keep_bytes(d, d->commit_key, d->commit_bytes);
    add_kept(d, d->commit_key);
    return true;
}

enum sf_delivery_step sf_delivery_step_of(const struct sf_delivery *d, struct sf_str key)
{
    if (!sf_map_find(d->made, key))
        return SF_PUT_DATA;
    return sf_str_eq(key, d->commit_key) ? SF_PUT_COMMIT : SF_PUT_MANIFEST;
}

const char *sf_delivery_path(const struct sf_op *op, const struct sf_delivery *d, struct sf_str key)
{
    return sf_str_fmt(op->arena, "%s/objects/%.*s", op->site->cache_dir, SF_ARG(sf_str_slice(key, d->prefix.n, key.n))).p;
}

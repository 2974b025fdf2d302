/* kind `bucket`, local: a directory <territory>/buckets/NAME with meta.json and data/. Objects in it are other resources' (an
 * upload deletes its own); what is left is somebody's and blocks a destroy, unless force_destroy. Versioning is recorded only. */
#include "attr/bucket.h"
#include "resources/local/objects.h"
#include "resources/local/record.h"

#include <sys/stat.h>

enum { NAMED_BLOCKERS = 5 };

static const char *const kept[] = {BUCKET_NAME, BUCKET_VERSIONING, BUCKET_FORCE_DESTROY, BUCKET_TAGS, BUCKET_ARN};

static enum sf_code record_of(struct sf_op *op, struct sf_str name, struct sf_record *record, struct sf_err *err)
{
    if (!sf_local_is_bucket_name(name))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of a bucket", SF_ARG(name));
    *record = (struct sf_record){.path = sf_territory_path(op, "buckets/%.*s/meta.json", SF_ARG(name)),
                                 .what = sf_str_fmt(op->arena, "bucket '%.*s'", SF_ARG(name)).p,
                                 .attrs = kept,
                                 .n_attrs = SF_COUNT(kept)};
    return SF_OK;
}

static const char *data_dir(struct sf_op *op, struct sf_str name)
{
    return sf_territory_path(op, "buckets/%.*s/data", SF_ARG(name));
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    const struct sf_value *name = sf_map_getz(want, BUCKET_NAME);
    if (name && name->type == SF_V_STRING)
        sf_map_set_str(op->arena, want, BUCKET_ARN, sf_str_fmt(op->arena, "arn:aws:s3:::%.*s", SF_ARG(name->s)));
    return SF_OK;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_record record;
    if (sf_map_bool(want, BUCKET_VERSIONING, false))
        sf_op_warn(op, "versioning is recorded, but a local bucket keeps no earlier versions");
    if (!sf_map_str(want, BUCKET_NAME).n)
        return SF_OK; /* not known yet */
    enum sf_code rc = record_of(op, sf_map_str(want, BUCKET_NAME), &record, err);
    return rc ? rc : sf_record_preflight(op, &record, err);
}

static enum sf_code read_bucket(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct stat st;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_read(op, &record, out, err);
    if (rc)
        return rc;
    if (lstat(data_dir(op, id), &st) == 0 && S_ISDIR(st.st_mode))
        return SF_OK;
    /* half there: shows as drift, and update() makes the directory again. Not absent, so that a destroy cut short is finished. */
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < out->attrs->map.n; i++) {
        const struct sf_pair *pair = &out->attrs->map.pairs[i];
        sf_map_add(op->arena, attrs, pair->key, sf_str_is(pair->key, BUCKET_ARN) ? &sf_null_value : pair->value);
    }
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code find_bucket(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, sf_map_str(want, BUCKET_NAME), &record, err);
    return rc ? rc : sf_record_find(op, &record, out, err);
}

static enum sf_code finish(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    enum sf_code rc = sf_territory_mkdir(op, data_dir(op, name), 0700, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str name = sf_map_str(want, BUCKET_NAME);
    enum sf_code rc = record_of(op, name, &record, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, name, want, out, err);
    return rc ? rc : finish(op, name, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)have;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_update(op, &record, id, want, out, err);
    return rc ? rc : finish(op, id, err);
}

/* Names the first objects that stand in the way. */
static enum sf_code check_empty(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    struct sf_object bucket = {.id = name};
    struct sf_bucket_entry *entries;
    size_t n;
    enum sf_code rc = sf_local_bucket_list(op, &bucket, SF_STR_NONE, &entries, &n, err);
    if (rc == SF_E_ABSENT || (rc == SF_OK && n == 0))
        return SF_OK;
    if (rc)
        return rc;
    struct sf_buf names = SF_BUF(600);
    for (size_t i = 0; i < n && i < NAMED_BLOCKERS; i++)
        sf_buf_addf(&names, "%s'%.*s'", i ? ", " : "", (int)(entries[i].key.n > 100 ? 100 : entries[i].key.n), entries[i].key.p);
    if (n > NAMED_BLOCKERS)
        sf_buf_addf(&names, " and %zu more", n - NAMED_BLOCKERS);
    sf_fail(err, SF_E_CONFLICT, "bucket '%.*s' still holds %zu object%s: %s", SF_ARG(name), n, n == 1 ? "" : "s", names.p);
    sf_hint(err,
            "they were not put there by this stack and are kept: move them out of '%s' (or set force_destroy: true and apply), "
            "then destroy again",
            data_dir(op, name));
    sf_buf_free(&names);
    return SF_E_CONFLICT;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)out;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_check_destroy(op, &record, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    rc = sf_map_bool(op->self->attrs, BUCKET_FORCE_DESTROY, false) ? SF_OK : check_empty(op, id, err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "remove", err);
    /* the mark of ownership goes last: what a crash leaves is still known to be ours */
    if (rc == SF_OK)
        rc = sf_territory_remove_tree(op, data_dir(op, id), err);
    if (rc == SF_OK)
        rc = sf_territory_remove_tree(op, sf_territory_path(op, "buckets/%.*s", SF_ARG(id)), err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_bucket;
const struct sf_driver sf_driver_local_bucket = {.kind = "bucket",
                                                 .world = "local",
                                                 .read = read_bucket,
                                                 .find = find_bucket,
                                                 .create = create,
                                                 .update = update,
                                                 .destroy = destroy,
                                                 .preflight = preflight,
                                                 .derive = derive};

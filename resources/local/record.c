/* See record.h. */
#include "resources/local/record.h"

#include "engine/core/clock.h"

static const struct sf_value *kept_attrs(struct sf_op *op, const struct sf_record *record, const struct sf_value *from,
                                         bool with_nulls)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < record->n_attrs; i++) {
        const struct sf_value *v = sf_map_getz(from, record->attrs[i]);
        if (v && v->type != SF_V_NULL)
            sf_map_add(op->arena, attrs, sf_str_of(record->attrs[i]), v);
        else if (with_nulls)
            sf_map_add(op->arena, attrs, sf_str_of(record->attrs[i]), &sf_null_value);
    }
    return attrs;
}

static void report(struct sf_op *op, const struct sf_record *record, const struct sf_value *meta, struct sf_outcome *out)
{
    out->id = sf_map_str(meta, "id");
    out->attrs = kept_attrs(op, record, sf_map_getz(meta, "attrs"), true);
}

enum sf_code sf_record_read(struct sf_op *op, const struct sf_record *record, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *meta;
    enum sf_code rc = sf_territory_read_meta(op, record->path, &meta, err);
    if (rc == SF_OK)
        rc = sf_territory_check_stack(op, meta, record->what, err);
    if (rc == SF_OK)
        report(op, record, meta, out);
    return rc;
}

enum sf_code sf_record_find(struct sf_op *op, const struct sf_record *record, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *meta;
    enum sf_code rc = sf_territory_read_meta(op, record->path, &meta, err);
    if (rc)
        return rc;
    if (!sf_territory_is_from_intent(op, meta) && sf_territory_check_owner(op, meta, record->what, NULL) != SF_OK)
        return sf_fail(err, SF_E_ABSENT, "%s was not made by this resource", record->what);
    report(op, record, meta, out);
    return SF_OK;
}

static enum sf_code check_taken(struct sf_op *op, const struct sf_record *record, struct sf_err *err)
{
    const struct sf_value *meta;
    enum sf_code rc = sf_territory_read_meta(op, record->path, &meta, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc || sf_territory_is_from_intent(op, meta))
        return rc;
    return sf_territory_check_owner(op, meta, record->what, err);
}

enum sf_code sf_record_preflight(struct sf_op *op, const struct sf_record *record, struct sf_err *err)
{
    return check_taken(op, record, err);
}

static enum sf_code write_record(struct sf_op *op, const struct sf_record *record, struct sf_str id, const struct sf_value *want,
                                 struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *attrs = kept_attrs(op, record, want, false);
    enum sf_code rc = sf_territory_write_meta(op, record->path, id, attrs, err);
    if (rc)
        return rc;
    out->id = id;
    out->attrs = attrs;
    return SF_OK;
}

enum sf_code sf_record_create(struct sf_op *op, const struct sf_record *record, struct sf_str id, const struct sf_value *want,
                              struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = check_taken(op, record, err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "write", err);
    if (rc == SF_OK)
        rc = write_record(op, record, id, want, out, err);
    if (rc == SF_OK)
        rc = sf_op_made(op, id, err);
    return rc;
}

enum sf_code sf_record_update(struct sf_op *op, const struct sf_record *record, struct sf_str id, const struct sf_value *want,
                              struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = sf_record_check_destroy(op, record, err);
    if (rc == SF_OK)
        rc = sf_op_intent(op, "write", err);
    return rc ? rc : write_record(op, record, id, want, out, err);
}

enum sf_code sf_record_check_destroy(struct sf_op *op, const struct sf_record *record, struct sf_err *err)
{
    const struct sf_value *meta;
    enum sf_code rc = sf_territory_read_meta(op, record->path, &meta, err);
    return rc ? rc : sf_territory_check_stack(op, meta, record->what, err);
}

enum sf_code sf_record_destroy(struct sf_op *op, const struct sf_record *record, struct sf_err *err)
{
    enum sf_code rc = sf_record_check_destroy(op, record, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc == SF_OK)
        rc = sf_op_intent(op, "remove", err);
    return rc ? rc : sf_territory_remove_tree(op, record->path, err);
}

struct sf_str sf_record_new_id(struct sf_op *op, const char *prefix)
{
    struct sf_str hash =
        sf_sha256_hex(op->arena, sf_str_fmt(op->arena, "%.*s %.*s", SF_ARG(op->intent), SF_ARG(op->self->address)));
    return sf_str_fmt(op->arena, "%s%.17s", prefix, hash.p);
}

bool sf_record_is_name(struct sf_str name)
{
    return name.n > 0 && name.n <= 200 && name.p[0] != '.' && !memchr(name.p, '/', name.n) && !memchr(name.p, 0, name.n);
}

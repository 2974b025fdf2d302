/* kind `role`, local: <territory>/iam/roles/NAME.json. Who may use it (`trust`) and what it may do (`policies`, `inline`) is read
 * by the SFTP server's configuration and by loads through resources/local/role_policies.h. */
#include "attr/role.h"
#include "resources/iam/iam.h"
#include "resources/iam/trust.h"
#include "resources/local/record.h"

static const char *const kept[] = {ROLE_NAME, ROLE_DESCRIPTION, ROLE_TRUST, ROLE_POLICIES, ROLE_INLINE, ROLE_TAGS, ROLE_ARN};

static enum sf_code record_of(struct sf_op *op, struct sf_str name, struct sf_record *record, struct sf_err *err)
{
    if (!sf_record_is_name(name))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the name of a role", SF_ARG(name));
    *record = (struct sf_record){.path = sf_territory_path(op, "iam/roles/%.*s.json", SF_ARG(name)),
                                 .what = sf_str_fmt(op->arena, "role '%.*s'", SF_ARG(name)).p,
                                 .attrs = kept,
                                 .n_attrs = SF_COUNT(kept)};
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    const struct sf_value *name = sf_map_getz(want, ROLE_NAME);
    if (name && name->type == SF_V_STRING)
        sf_map_set_str(op->arena, want, ROLE_ARN,
                       sf_str_fmt(op->arena, "arn:aws:iam::%.*s:role/%.*s", SF_ARG(op->site->account), SF_ARG(name->s)));
    return SF_OK;
}

static enum sf_code check_documents(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *trust = sf_map_getz(want, ROLE_TRUST), *own = sf_map_getz(want, ROLE_INLINE), *document = NULL;
    enum sf_code rc = trust ? sf_iam_trust_document(op->arena, trust, SF_STR_NONE, &document, err) : SF_OK;
    if (rc == SF_OK && document)
        rc = sf_iam_check_document(op->arena, SF_IAM_TRUST_POLICY, document, err);
    for (size_t i = 0; rc == SF_OK && own && own->type == SF_V_MAP && i < own->map.n; i++) {
        rc = sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, own->map.pairs[i].value, err);
        if (rc)
            sf_context(err, "in the inline policy '%.*s'", SF_ARG(own->map.pairs[i].key));
    }
    return rc;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str name = sf_map_str(want, ROLE_NAME);
    enum sf_code rc = check_documents(op, want, err);
    if (rc || !name.n)
        return rc;
    rc = record_of(op, name, &record, err);
    return rc ? rc : sf_record_preflight(op, &record, err);
}

static enum sf_code read_role(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, id, &record, err);
    return rc ? rc : sf_record_read(op, &record, out, err);
}

static enum sf_code find_role(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of(op, sf_map_str(want, ROLE_NAME), &record, err);
    return rc ? rc : sf_record_find(op, &record, out, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    struct sf_str name = sf_map_str(want, ROLE_NAME);
    enum sf_code rc = check_documents(op, want, err);
    if (rc == SF_OK)
        rc = record_of(op, name, &record, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, name, want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)have;
    enum sf_code rc = check_documents(op, want, err);
    if (rc == SF_OK)
        rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_update(op, &record, id, want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)out;
    enum sf_code rc = record_of(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_destroy(op, &record, err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_role;
const struct sf_driver sf_driver_local_role = {.kind = "role",
                                               .world = "local",
                                               .read = read_role,
                                               .find = find_role,
                                               .create = create,
                                               .update = update,
                                               .destroy = destroy,
                                               .preflight = preflight,
                                               .derive = derive};

/* kind `policy`, local: <territory>/iam/policies/NAME.json. What it says is enforced on the SFTP server and on loads. */
#include "attr/policy.h"
#include "resources/iam/iam.h"
#include "resources/local/record.h"

static const char *const kept[] = {POLICY_NAME, POLICY_DESCRIPTION, POLICY_DOCUMENT, POLICY_TAGS, POLICY_ARN};

static struct sf_record record_of(struct sf_op *op, struct sf_str name)
{
    return (struct sf_record){.path = sf_territory_path(op, "iam/policies/%.*s.json", SF_ARG(name)),
                              .what = sf_str_fmt(op->arena, "policy '%.*s'", SF_ARG(name)).p,
                              .attrs = kept,
                              .n_attrs = SF_COUNT(kept)};
}

/* The id is the ARN; the file has the name. */
static enum sf_code record_of_id(struct sf_op *op, struct sf_str id, struct sf_record *record, struct sf_err *err)
{
    struct sf_str start = sf_str_fmt(op->arena, "arn:aws:iam::%.*s:policy/", SF_ARG(op->site->account));
    struct sf_str name = sf_str_starts(id, start) ? sf_str_slice(id, start.n, id.n) : SF_STR_NONE;
    if (!sf_record_is_name(name)) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is not the ARN of a local policy", SF_ARG(id));
        sf_hint(err, "it looks like %.*sNAME", SF_ARG(start));
        return SF_E_CONFIG;
    }
    *record = record_of(op, name);
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    (void)err;
    const struct sf_value *name = sf_map_getz(want, POLICY_NAME);
    if (name && name->type == SF_V_STRING)
        sf_map_set_str(op->arena, want, POLICY_ARN,
                       sf_str_fmt(op->arena, "arn:aws:iam::%.*s:policy/%.*s", SF_ARG(op->site->account), SF_ARG(name->s)));
    return SF_OK;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *document = sf_map_getz(want, POLICY_DOCUMENT);
    struct sf_str name = sf_map_str(want, POLICY_NAME);
    enum sf_code rc = document ? sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, document, err) : SF_OK;
    if (rc || !name.n)
        return rc;
    struct sf_record record = record_of(op, name);
    return sf_record_preflight(op, &record, err);
}

static enum sf_code read_policy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = record_of_id(op, id, &record, err);
    return rc ? rc : sf_record_read(op, &record, out, err);
}

static enum sf_code find_policy(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record = record_of(op, sf_map_str(want, POLICY_NAME));
    return sf_record_find(op, &record, out, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    enum sf_code rc = sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, sf_map_getz(want, POLICY_DOCUMENT), err);
    if (rc == SF_OK)
        rc = record_of_id(op, sf_map_str(want, POLICY_ARN), &record, err);
    if (rc == SF_OK)
        rc = sf_record_create(op, &record, sf_map_str(want, POLICY_ARN), want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)have;
    enum sf_code rc = sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, sf_map_getz(want, POLICY_DOCUMENT), err);
    if (rc == SF_OK)
        rc = record_of_id(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_update(op, &record, id, want, out, err);
    return rc ? rc : sf_local_enforce(op, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_record record;
    (void)out;
    enum sf_code rc = record_of_id(op, id, &record, err);
    if (rc == SF_OK)
        rc = sf_record_destroy(op, &record, err);
    return rc ? rc : sf_local_enforce(op, err);
}

extern const struct sf_driver sf_driver_local_policy;
const struct sf_driver sf_driver_local_policy = {.kind = "policy",
                                                 .world = "local",
                                                 .read = read_policy,
                                                 .find = find_policy,
                                                 .create = create,
                                                 .update = update,
                                                 .destroy = destroy,
                                                 .preflight = preflight,
                                                 .derive = derive};

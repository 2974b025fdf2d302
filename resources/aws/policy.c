/* kind `policy`, AWS: IAM's managed policy.
 *
 * A changed document is a new version, made the default one; IAM keeps five, so the oldest other one goes when there is no room.
 * Whoever holds a policy keeps it from being deleted: roles of this stack let go of it, anybody else's stop the destroy and are
 * named. */
#include "attr/policy.h"
#include "resources/aws/iam_document.h"
#include "resources/aws/iam_quota.h"
#include "resources/aws/ownership.h"
#include "resources/aws/params.h"
#include "resources/iam/iam.h"

enum { AGAIN_MS = 1000, MAX_NAMED = 5 };

/* A policy as it is. */
struct policy {
    const struct sf_value *attrs; /* in the schema's terms */
    const struct sf_value *tags;  /* all of them; NULL: not looked at */
};

static const char *what_of(struct sf_op *op, struct sf_str name)
{
    return sf_str_fmt(op->arena, "policy '%.*s'", SF_ARG(name)).p;
}

static struct sf_str arn_of(struct sf_op *op, const struct sf_value *attrs)
{
    struct sf_str path = sf_map_str(attrs, POLICY_PATH), name = sf_map_str(attrs, POLICY_NAME);
    return sf_aws_arn(op, "iam", false, "policy%.*s%.*s", SF_ARG(path.n ? path : SF_STR("/")), SF_ARG(name));
}

static enum sf_code check_document(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *document = sf_map_getz(want, POLICY_DOCUMENT);
    return document ? sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, document, err) : SF_OK;
}

/* Called at every plan, so that what IAM would refuse is told before anything is done. */
static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *name = sf_map_getz(want, POLICY_NAME), *path = sf_map_getz(want, POLICY_PATH);
    if (name && name->type == SF_V_STRING && (!path || path->type == SF_V_STRING))
        sf_map_set_str(op->arena, want, POLICY_ARN, arn_of(op, want));
    return check_document(op, want, err);
}

/* --- looking --- */

static enum sf_code ask(struct sf_op *op, const char *action, const struct sf_value *params, struct sf_str arn,
                        const struct sf_value **reply, struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_IAM, .action = action, .effect = SF_AWS_READ, .params = params, .resource = arn};
    return sf_aws_call(op, &call, reply, err);
}

static enum sf_code get_policy(struct sf_op *op, struct sf_str arn, const struct sf_value **policy, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = ask(op, "GetPolicy", sf_aws_iam_params(op, "PolicyArn", arn), arn, &reply, err);
    if (!rc)
        *policy = sf_aws_at(reply, "Policy");
    return rc;
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *policy)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, policy, "Tags.member"), &sf_aws_tags_upper);
}

static struct sf_value *version_params(struct sf_op *op, struct sf_str arn, struct sf_str version)
{
    struct sf_value *params = sf_aws_iam_params(op, "PolicyArn", arn);
    sf_map_set_str(op->arena, params, "VersionId", version);
    return params;
}

static enum sf_code look(struct sf_op *op, struct sf_str arn, struct policy *out, struct sf_err *err)
{
    const struct sf_value *policy = NULL, *version = NULL;
    struct sf_value *attrs = sf_value_map(op->arena);
    enum sf_code rc = get_policy(op, arn, &policy, err);
    if (!rc)
        rc = ask(op, "GetPolicyVersion", version_params(op, arn, sf_aws_text(policy, "DefaultVersionId")), arn, &version, err);
    if (rc)
        return rc;
    out->tags = tags_of(op, policy);
    sf_map_set_str(op->arena, attrs, POLICY_NAME, sf_aws_text(policy, "PolicyName"));
    sf_map_set(op->arena, attrs, SF_STR(POLICY_DESCRIPTION),
               sf_aws_text_or_unset(op, POLICY_DESCRIPTION, sf_aws_text(policy, "Description")));
    sf_map_set(op->arena, attrs, SF_STR(POLICY_DOCUMENT),
               sf_aws_document_of(op->arena, sf_aws_text(version, "PolicyVersion.Document")));
    sf_map_set_str(op->arena, attrs, POLICY_PATH, sf_aws_text(policy, "Path"));
    sf_map_set(op->arena, attrs, SF_STR(POLICY_TAGS), sf_aws_user_tags(op->arena, out->tags));
    sf_map_set_str(op->arena, attrs, POLICY_ARN, sf_aws_text(policy, "Arn"));
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code read_policy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct policy policy;
    if (!sf_str_starts(id, SF_STR("arn:"))) {
        sf_fail(err, SF_E_CONFIG, "'%.*s' is not the ARN of a policy", SF_ARG(id));
        sf_hint(err, "it looks like %.*s", SF_ARG(sf_aws_arn(op, "iam", false, "policy/NAME")));
        return SF_E_CONFIG;
    }
    enum sf_code rc = look(op, id, &policy, err);
    if (!rc)
        rc = sf_aws_check_adopted(op, what_of(op, sf_map_str(policy.attrs, POLICY_NAME)), policy.tags, err);
    if (rc)
        return rc;
    out->id = id;
    out->attrs = policy.attrs;
    return SF_OK;
}

/* SF_OK when the ARN is free or this resource's own; *is_there says which. */
static enum sf_code check_owner(struct sf_op *op, struct sf_str arn, bool *is_there, struct sf_err *err)
{
    const struct sf_value *policy = NULL;
    enum sf_code rc = get_policy(op, arn, &policy, err);
    *is_there = rc == SF_OK;
    if (rc)
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return sf_aws_check_owner(op, what_of(op, sf_aws_text(policy, "PolicyName")), tags_of(op, policy), err);
}

static enum sf_code find_policy(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str arn = arn_of(op, want);
    struct policy policy;
    enum sf_code rc = look(op, arn, &policy, err);
    if (!rc)
        rc = sf_aws_check_found(op, what_of(op, sf_map_str(want, POLICY_NAME)), policy.tags, err);
    if (rc)
        return rc;
    out->id = arn;
    out->attrs = policy.attrs;
    return SF_OK;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str arn = sf_map_str(want, POLICY_ARN);
    bool is_there;
    enum sf_code rc = arn.n ? check_owner(op, arn, &is_there, err) : SF_OK;
    return rc ? rc : sf_aws_iam_check_quota(op, "Policies", "policies", err);
}

/* --- versions --- */

static enum sf_code list_versions(struct sf_op *op, struct sf_str arn, const struct sf_value **versions, struct sf_err *err)
{
    static const struct sf_aws_pages pages = {"Versions.member", "Marker", "Marker"};
    struct sf_aws_call call = {.service = SF_AWS_IAM,
                               .action = "ListPolicyVersions",
                               .effect = SF_AWS_READ,
                               .params = sf_aws_iam_params(op, "PolicyArn", arn),
                               .resource = arn};
    return sf_aws_list(op, &call, &pages, versions, err);
}

static enum sf_code delete_version(struct sf_op *op, struct sf_str arn, struct sf_str version, struct sf_err *err)
{
    enum sf_code rc = sf_aws_iam_put(op, "DeletePolicyVersion", version_params(op, arn, version), arn, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* "v12": 12. Numbers are never given twice. */
static int64_t number_of(struct sf_str version)
{
    int64_t n = 0;
    return version.n > 1 && sf_str_int64(sf_str_slice(version, 1, version.n), &n) ? n : 0;
}

static enum sf_code delete_oldest_version(struct sf_op *op, struct sf_str arn, struct sf_err *err)
{
    const struct sf_value *versions = NULL;
    struct sf_str oldest = SF_STR_NONE;
    enum sf_code rc = list_versions(op, arn, &versions, err);
    for (size_t i = 0; !rc && i < versions->list.n; i++) {
        struct sf_str version = sf_aws_text(versions->list.items[i], "VersionId");
        if (!sf_aws_bool(versions->list.items[i], "IsDefaultVersion", false) &&
            (!oldest.n || number_of(version) < number_of(oldest)))
            oldest = version;
    }
    return rc || !oldest.n ? rc : delete_version(op, arn, oldest, err);
}

static enum sf_code delete_other_versions(struct sf_op *op, struct sf_str arn, struct sf_err *err)
{
    const struct sf_value *versions = NULL;
    enum sf_code rc = list_versions(op, arn, &versions, err);
    for (size_t i = 0; !rc && i < versions->list.n; i++)
        if (!sf_aws_bool(versions->list.items[i], "IsDefaultVersion", false))
            rc = delete_version(op, arn, sf_aws_text(versions->list.items[i], "VersionId"), err);
    return rc;
}

/* --- making it what is wanted --- */

static enum sf_code put_version(struct sf_op *op, struct sf_str arn, const struct sf_value *document, struct sf_err *err)
{
    struct sf_value *params = sf_aws_iam_params(op, "PolicyArn", arn);
    sf_map_set_str(op->arena, params, "PolicyDocument", sf_aws_document_text(op->arena, document));
    sf_map_set_bool(op->arena, params, "SetAsDefault", true);
    enum sf_code rc = sf_aws_iam_put(op, "CreatePolicyVersion", params, arn, err);
    if (!rc || !sf_aws_is_error(err, "LimitExceeded", NULL))
        return rc;
    rc = delete_oldest_version(op, arn, err);
    return rc ? rc : sf_aws_iam_put(op, "CreatePolicyVersion", params, arn, err);
}

static enum sf_code put_tags(struct sf_op *op, struct sf_str arn, const struct policy *have, const struct sf_value *want,
                             struct sf_err *err)
{
    struct sf_aws_iam_tagged policy = {"Policy", "PolicyArn", arn, arn};
    const struct sf_value *tags = have->tags;
    enum sf_code rc = SF_OK;
    if (!tags && sf_value_equal(sf_map_getz(have->attrs, POLICY_TAGS), sf_map_getz(want, POLICY_TAGS)))
        return SF_OK;
    if (!tags)
        rc = sf_aws_iam_tags(op, &policy, &tags, err);
    return rc ? rc : sf_aws_iam_put_tags(op, &policy, tags, want, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct policy policy = {.attrs = have};
    const struct sf_value *document = sf_map_getz(want, POLICY_DOCUMENT);
    enum sf_code rc = have == want ? look(op, id, &policy, err) : SF_OK;
    out->id = id;
    if (rc)
        return rc;
    const struct sf_value *is = sf_map_getz(policy.attrs, POLICY_DOCUMENT);
    if (!is || !sf_value_equal(is, document))
        rc = put_version(op, id, document, err);
    if (!rc)
        rc = put_tags(op, id, &policy, want, err);
    if (!rc)
        out->attrs = want;
    return rc;
}

/* --- create --- */

static enum sf_code make(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_value *params = sf_aws_iam_params(op, "PolicyName", sf_map_str(want, POLICY_NAME));
    struct sf_str path = sf_map_str(want, POLICY_PATH), description = sf_map_str(want, POLICY_DESCRIPTION);
    sf_map_set_str(op->arena, params, "PolicyDocument", sf_aws_document_text(op->arena, sf_map_getz(want, POLICY_DOCUMENT)));
    if (path.n)
        sf_map_set_str(op->arena, params, "Path", path);
    if (description.n)
        sf_map_set_str(op->arena, params, "Description", description);
    sf_map_set(op->arena, params, SF_STR("Tags"),
               sf_params_members(op->arena, "member", sf_aws_tags_of(op, want, &sf_aws_tags_upper)));
    struct sf_aws_call call = {
        .service = SF_AWS_IAM, .action = "CreatePolicy", .effect = SF_AWS_MAKE, .params = params, .resource = arn_of(op, want)};
    return sf_aws_call(op, &call, NULL, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str arn = arn_of(op, want);
    bool is_there = false;
    enum sf_code rc = make(op, want, err);
    if (rc == SF_E_CONFLICT) {
        struct sf_err taken = *err; /* the name is unique whatever the path: another path's is not at our ARN */
        rc = check_owner(op, arn, &is_there, err);
        if (!rc && !is_there) {
            *err = taken;
            return SF_E_CONFLICT;
        }
    }
    if (!rc)
        rc = sf_op_made(op, arn, err);
    if (rc)
        return rc;
    out->id = arn;
    sf_aws_note_role(op, arn);
    if (is_there) /* an earlier try of this resource's made it */
        return update(op, arn, want, want, out, err);
    out->attrs = want;
    return SF_OK;
}

/* --- destroy --- */

static enum sf_code delete_policy(struct sf_op *op, struct sf_str arn, struct sf_err *err)
{
    enum sf_code rc = sf_aws_iam_put(op, "DeletePolicy", sf_aws_iam_params(op, "PolicyArn", arn), arn, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* A role of this stack lets go of the policy: it is being replaced, and the role gets the new one. */
static enum sf_code let_go(struct sf_op *op, struct sf_str arn, struct sf_str role, bool *has_let_go, struct sf_err *err)
{
    struct sf_aws_iam_tagged holder = {"Role", "RoleName", role, sf_aws_arn(op, "iam", false, "role/%.*s", SF_ARG(role))};
    struct sf_str ours = sf_str_fmt(op->arena, "%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage));
    const struct sf_value *tags = NULL;
    enum sf_code rc = sf_aws_iam_tags(op, &holder, &tags, err);
    *has_let_go = rc == SF_E_ABSENT || (!rc && sf_str_eq(sf_map_str(tags, "sfstack:stack"), ours));
    if (rc || !*has_let_go) /* who may not ask does not own it */
        return rc == SF_E_ABSENT || rc == SF_E_DENIED ? SF_OK : rc;
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", role);
    sf_map_set_str(op->arena, params, "PolicyArn", arn);
    rc = sf_aws_iam_put(op, "DetachRolePolicy", params, holder.arn, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* SF_E_CONFLICT names those who hold the policy and are not this stack's. */
static enum sf_code release(struct sf_op *op, struct sf_str arn, struct sf_err *err)
{
    static const struct {
        const char *list, *name, *what;
        bool is_role;
    } holders[] = {{"PolicyRoles.member", "RoleName", "role", true},
                   {"PolicyUsers.member", "UserName", "user", false},
                   {"PolicyGroups.member", "GroupName", "group", false}};
    struct sf_buf named = SF_BUF(SF_MAX_MESSAGE_BYTES / 2);
    enum sf_code rc = SF_OK;
    size_t n = 0;
    for (size_t i = 0; !rc && i < SF_COUNT(holders); i++) {
        struct sf_aws_pages pages = {holders[i].list, "Marker", "Marker"};
        struct sf_aws_call call = {.service = SF_AWS_IAM,
                                   .action = "ListEntitiesForPolicy",
                                   .effect = SF_AWS_READ,
                                   .params = sf_aws_iam_params(op, "PolicyArn", arn),
                                   .resource = arn};
        const struct sf_value *found = NULL;
        rc = sf_aws_list(op, &call, &pages, &found, err);
        for (size_t k = 0; !rc && k < found->list.n; k++) {
            struct sf_str name = sf_aws_text(found->list.items[k], holders[i].name);
            bool has_let_go = false;
            if (holders[i].is_role)
                rc = let_go(op, arn, name, &has_let_go, err);
            if (!rc && !has_let_go && n++ < MAX_NAMED)
                sf_buf_addf(&named, "%s%s '%.*s'", n > 1 ? ", " : "", holders[i].what, SF_ARG(name));
        }
    }
    if (!rc && n > 0) {
        if (n > MAX_NAMED)
            sf_buf_addf(&named, " and %zu more", n - MAX_NAMED);
        rc = sf_fail(err, SF_E_CONFLICT, "policy '%.*s' is still held by %s, not of this stack", SF_ARG(arn), named.p);
        sf_hint(err, "take it from them (detach it, or remove it as a permissions boundary), then destroy again");
    }
    sf_buf_free(&named);
    return rc;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    bool is_there;
    enum sf_code rc = check_owner(op, id, &is_there, err);
    if (rc || !is_there)
        return rc;
    rc = delete_policy(op, id, err);
    if (!rc || !sf_aws_is_error(err, "DeleteConflict", NULL))
        return rc;
    rc = release(op, id, err);
    if (!rc)
        rc = delete_other_versions(op, id, err);
    if (!rc)
        rc = delete_policy(op, id, err);
    if (!rc || !sf_aws_is_error(err, "DeleteConflict", NULL))
        return rc == SF_E_ABSENT ? SF_OK : rc;
    out->is_pending = out->again = true;
    out->poll_after_ms = AGAIN_MS;
    out->waiting_for = "IAM to see that nobody holds the policy any more";
    return SF_OK;
}

static const char own_arn[] = "arn:{partition}:iam::{account}:policy{path}{name}";
static const struct sf_need needs[] = {
    {"iam:CreatePolicy iam:GetPolicy iam:DeletePolicy iam:GetPolicyVersion iam:CreatePolicyVersion iam:ListPolicyVersions "
     "iam:DeletePolicyVersion iam:TagPolicy iam:UntagPolicy iam:ListPolicyTags iam:ListEntitiesForPolicy",
     own_arn},
    {"iam:GetAccountSummary", "*"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_policy;
const struct sf_driver sf_driver_aws_policy = {.kind = "policy",
                                               .world = "aws",
                                               .read = read_policy,
                                               .find = find_policy,
                                               .create = create,
                                               .destroy = destroy,
                                               .update = update,
                                               .preflight = preflight,
                                               .derive = derive,
                                               .needs = needs};

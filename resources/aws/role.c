/* kind `role`, AWS: IAM's.
 *
 * Its parts (trust, inline policies, attachments, boundary, tags) each have calls of their own; only what differs is sent. Whoever
 * is to use a role learns of it some seconds later: every change is noted, so that others may wait (sf_aws_awaits_role). */
#include "attr/role.h"
#include "resources/aws/iam_document.h"
#include "resources/aws/iam_quota.h"
#include "resources/aws/ownership.h"
#include "resources/aws/params.h"
#include "resources/iam/iam.h"
#include "resources/iam/trust.h"

enum { MAX_INLINE_CHARACTERS = 10240, MAX_ATTACHED = 10, DEFAULT_SESSION_S = 3600, AGAIN_MS = 1000 };

static const char new_everywhere[] = "IAM to know the new role everywhere";

/* A role as it is. */
struct role {
    const struct sf_value *attrs; /* in the schema's terms */
    const struct sf_value *tags;  /* all of them; NULL: not looked at */
};

static const char *what_of(struct sf_op *op, struct sf_str name)
{
    return sf_str_fmt(op->arena, "role '%.*s'", SF_ARG(name)).p;
}

static struct sf_str arn_of(struct sf_op *op, const struct sf_value *attrs, struct sf_str name)
{
    struct sf_str path = sf_map_str(attrs, ROLE_PATH);
    return sf_aws_arn(op, "iam", false, "role%.*s%.*s", SF_ARG(path.n ? path : SF_STR("/")), SF_ARG(name));
}

/* --- documents --- */

static enum sf_code trust_of(struct sf_op *op, const struct sf_value *attrs, const struct sf_value **document, struct sf_err *err)
{
    const struct sf_value *trust = sf_map_getz(attrs, ROLE_TRUST);
    *document = NULL;
    return trust ? sf_iam_trust_document(op->arena, trust, op->site->account, document, err) : SF_OK;
}

static enum sf_code check_inline(struct sf_op *op, const struct sf_value *own, struct sf_err *err)
{
    size_t total = 0;
    for (size_t i = 0; own && own->type == SF_V_MAP && i < own->map.n; i++) {
        const struct sf_pair *pair = &own->map.pairs[i];
        enum sf_code rc = sf_iam_check_document(op->arena, SF_IAM_IDENTITY_POLICY, pair->value, err);
        if (rc) {
            sf_context(err, "in the inline policy '%.*s'", SF_ARG(pair->key));
            return rc;
        }
        total += sf_aws_document_size(op->arena, pair->value);
    }
    if (total <= MAX_INLINE_CHARACTERS)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "the inline policies have %zu characters together, and a role may have %d", total,
            MAX_INLINE_CHARACTERS);
    sf_hint(err, "make policies of their own of some, and attach them");
    return SF_E_CONFIG;
}

static enum sf_code check_documents(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *document;
    enum sf_code rc = trust_of(op, want, &document, err);
    if (!rc && document)
        rc = sf_iam_check_document(op->arena, SF_IAM_TRUST_POLICY, document, err);
    return rc ? rc : check_inline(op, sf_map_getz(want, ROLE_INLINE), err);
}

/* Called at every plan, so that what IAM would refuse is told before anything is done. */
static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *name = sf_map_getz(want, ROLE_NAME), *path = sf_map_getz(want, ROLE_PATH);
    if (name && name->type == SF_V_STRING && (!path || path->type == SF_V_STRING))
        sf_map_set_str(op->arena, want, ROLE_ARN, arn_of(op, want, name->s));
    return check_documents(op, want, err);
}

/* --- looking --- */

static enum sf_code get_role(struct sf_op *op, struct sf_str name, const struct sf_value **role, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    struct sf_aws_call call = {.service = SF_AWS_IAM,
                               .action = "GetRole",
                               .effect = SF_AWS_READ,
                               .params = sf_aws_iam_params(op, "RoleName", name),
                               .resource = arn_of(op, op->self->attrs, name)};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (!rc)
        *role = sf_aws_at(reply, "Role");
    return rc;
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *role)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, role, "Tags.member"), &sf_aws_tags_upper);
}

static enum sf_code list(struct sf_op *op, const char *action, const char *items, struct sf_str name, const struct sf_value **found,
                         struct sf_err *err)
{
    struct sf_aws_pages pages = {items, "Marker", "Marker"};
    struct sf_aws_call call = {.service = SF_AWS_IAM,
                               .action = action,
                               .effect = SF_AWS_READ,
                               .params = sf_aws_iam_params(op, "RoleName", name),
                               .resource = arn_of(op, op->self->attrs, name)};
    return sf_aws_list(op, &call, &pages, found, err);
}

static enum sf_code attached(struct sf_op *op, struct sf_str name, const struct sf_value **arns, struct sf_err *err)
{
    const struct sf_value *found = NULL;
    enum sf_code rc = list(op, "ListAttachedRolePolicies", "AttachedPolicies.member", name, &found, err);
    if (rc)
        return rc;
    const struct sf_value **items = SF_NEW_ARRAY(op->arena, found->list.n, const struct sf_value *);
    for (size_t i = 0; i < found->list.n; i++)
        items[i] = sf_value_str(op->arena, sf_aws_text(found->list.items[i], "PolicyArn"));
    *arns = sf_value_list(op->arena, items, found->list.n);
    return SF_OK;
}

static enum sf_code inline_of(struct sf_op *op, struct sf_str name, const struct sf_value **own, struct sf_err *err)
{
    const struct sf_value *names = NULL;
    struct sf_value *map = sf_value_map(op->arena);
    enum sf_code rc = list(op, "ListRolePolicies", "PolicyNames.member", name, &names, err);
    for (size_t i = 0; !rc && i < names->list.n; i++) {
        struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
        const struct sf_value *reply = NULL;
        sf_map_set_str(op->arena, params, "PolicyName", names->list.items[i]->s);
        struct sf_aws_call call = {.service = SF_AWS_IAM,
                                   .action = "GetRolePolicy",
                                   .effect = SF_AWS_READ,
                                   .params = params,
                                   .resource = arn_of(op, op->self->attrs, name)};
        rc = sf_aws_call(op, &call, &reply, err);
        if (rc == SF_E_ABSENT) { /* deleted since it was listed */
            rc = SF_OK;
            continue;
        }
        if (!rc)
            sf_map_set(op->arena, map, names->list.items[i]->s,
                       sf_aws_document_of(op->arena, sf_aws_text(reply, "PolicyDocument")));
    }
    *own = map;
    return rc;
}

static enum sf_code look(struct sf_op *op, struct sf_str name, struct role *out, struct sf_err *err)
{
    const struct sf_value *role = NULL, *policies = NULL, *own = NULL;
    struct sf_value *attrs = sf_value_map(op->arena);
    enum sf_code rc = get_role(op, name, &role, err);
    if (!rc)
        rc = attached(op, name, &policies, err);
    if (!rc)
        rc = inline_of(op, name, &own, err);
    if (rc)
        return rc;
    const struct sf_value *trust = sf_aws_document_of(op->arena, sf_aws_text(role, "AssumeRolePolicyDocument"));
    trust = sf_iam_trust_report(op->arena, trust, sf_map_getz(op->self->attrs, ROLE_TRUST), op->site->account);
    out->tags = tags_of(op, role);
    sf_map_set_str(op->arena, attrs, ROLE_NAME, sf_aws_text(role, "RoleName"));
    sf_map_set(op->arena, attrs, SF_STR(ROLE_DESCRIPTION),
               sf_aws_text_or_unset(op, ROLE_DESCRIPTION, sf_aws_text(role, "Description")));
    sf_map_set(op->arena, attrs, SF_STR(ROLE_TRUST), trust);
    sf_map_set(op->arena, attrs, SF_STR(ROLE_POLICIES), policies);
    sf_map_set(op->arena, attrs, SF_STR(ROLE_INLINE), own);
    sf_map_set_str(op->arena, attrs, ROLE_PATH, sf_aws_text(role, "Path"));
    sf_map_set(op->arena, attrs, SF_STR(ROLE_BOUNDARY),
               sf_aws_text_or_unset(op, ROLE_BOUNDARY, sf_aws_text(role, "PermissionsBoundary.PermissionsBoundaryArn")));
    sf_map_set_int(op->arena, attrs, ROLE_MAX_SESSION_S, sf_aws_int(role, "MaxSessionDuration", DEFAULT_SESSION_S));
    sf_map_set(op->arena, attrs, SF_STR(ROLE_TAGS), sf_aws_user_tags(op->arena, out->tags));
    sf_map_set_str(op->arena, attrs, ROLE_ARN, sf_aws_text(role, "Arn"));
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code read_role(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct role role;
    enum sf_code rc = look(op, id, &role, err);
    if (!rc)
        rc = sf_aws_check_adopted(op, what_of(op, id), role.tags, err);
    if (rc)
        return rc;
    out->id = id;
    out->attrs = role.attrs;
    return SF_OK;
}

/* SF_OK when the name is free or this resource's own; *is_there says which. */
static enum sf_code check_name(struct sf_op *op, struct sf_str name, bool *is_there, struct sf_err *err)
{
    const struct sf_value *role = NULL;
    enum sf_code rc = get_role(op, name, &role, err);
    *is_there = rc == SF_OK;
    if (rc)
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return sf_aws_check_owner(op, what_of(op, name), tags_of(op, role), err);
}

static enum sf_code find_role(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, ROLE_NAME);
    struct role role;
    enum sf_code rc = look(op, name, &role, err);
    if (!rc)
        rc = sf_aws_check_found(op, what_of(op, name), role.tags, err);
    if (rc)
        return rc;
    out->id = name;
    out->attrs = role.attrs;
    return SF_OK;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, ROLE_NAME);
    bool is_there;
    enum sf_code rc = name.n ? check_name(op, name, &is_there, err) : SF_OK;
    return rc ? rc : sf_aws_iam_check_quota(op, "Roles", "roles", err);
}

/* --- making it what is wanted --- */

static enum sf_code put_trust(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                              struct sf_err *err)
{
    const struct sf_value *is = NULL, *wanted = NULL;
    if (trust_of(op, have, &is, NULL) != SF_OK) /* what is there may be anything */
        is = NULL;
    enum sf_code rc = trust_of(op, want, &wanted, err);
    if (rc || (is && sf_value_equal(is, wanted)))
        return rc;
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
    sf_map_set_str(op->arena, params, "PolicyDocument", sf_aws_document_text(op->arena, wanted));
    return sf_aws_iam_put(op, "UpdateAssumeRolePolicy", params, arn_of(op, want, name), err);
}

static bool is_same_text(const struct sf_value *have, const struct sf_value *want, const char *attr)
{
    return !sf_map_getz(want, attr) || sf_str_eq(sf_map_str(have, attr), sf_map_str(want, attr));
}

static enum sf_code put_settings(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                 struct sf_err *err)
{
    int64_t is_s = sf_map_int(have, ROLE_MAX_SESSION_S, DEFAULT_SESSION_S), session_s = sf_map_int(want, ROLE_MAX_SESSION_S, is_s);
    if (session_s == is_s && is_same_text(have, want, ROLE_DESCRIPTION))
        return SF_OK;
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
    sf_map_set_str(op->arena, params, "Description",
                   sf_map_str(sf_map_getz(want, ROLE_DESCRIPTION) ? want : have, ROLE_DESCRIPTION));
    sf_map_set_int(op->arena, params, "MaxSessionDuration", session_s);
    return sf_aws_iam_put(op, "UpdateRole", params, arn_of(op, want, name), err);
}

static enum sf_code put_boundary(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                 struct sf_err *err)
{
    struct sf_str boundary = sf_map_str(want, ROLE_BOUNDARY);
    if (is_same_text(have, want, ROLE_BOUNDARY))
        return SF_OK;
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
    if (boundary.n) {
        sf_map_set_str(op->arena, params, "PermissionsBoundary", boundary);
        return sf_aws_iam_put(op, "PutRolePermissionsBoundary", params, arn_of(op, want, name), err);
    }
    enum sf_code rc = sf_aws_iam_put(op, "DeleteRolePermissionsBoundary", params, arn_of(op, want, name), err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static bool holds(const struct sf_value *list, const struct sf_value *item)
{
    for (size_t i = 0; list && list->type == SF_V_LIST && i < list->list.n; i++)
        if (sf_value_equal(list->list.items[i], item))
            return true;
    return false;
}

/* AttachRolePolicy or DetachRolePolicy for each of `from` that is not in `except`. */
static enum sf_code move_policies(struct sf_op *op, struct sf_str name, const char *action, const struct sf_value *from,
                                  const struct sf_value *except, struct sf_err *err)
{
    bool is_detaching = action[0] == 'D';
    for (size_t i = 0; from && from->type == SF_V_LIST && i < from->list.n; i++) {
        bool is_again = false;
        for (size_t k = 0; k < i && !is_again; k++)
            is_again = sf_value_equal(from->list.items[k], from->list.items[i]);
        if (is_again || holds(except, from->list.items[i]))
            continue;
        struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
        sf_map_set(op->arena, params, SF_STR("PolicyArn"), from->list.items[i]);
        enum sf_code rc = sf_aws_iam_put(op, action, params, arn_of(op, op->self->attrs, name), err);
        if (rc && !(is_detaching && rc == SF_E_ABSENT))
            return rc;
    }
    return SF_OK;
}

/* What is new first, so that the role is never without what it keeps needing; unless both together are more than it may have. */
static enum sf_code put_policies(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                 struct sf_err *err)
{
    const struct sf_value *is = sf_map_getz(have, ROLE_POLICIES), *wanted = sf_map_getz(want, ROLE_POLICIES);
    size_t n = is && is->type == SF_V_LIST ? is->list.n : 0;
    for (size_t i = 0; wanted && wanted->type == SF_V_LIST && i < wanted->list.n; i++)
        n += !holds(is, wanted->list.items[i]);
    enum sf_code rc = n > MAX_ATTACHED ? move_policies(op, name, "DetachRolePolicy", is, wanted, err) : SF_OK;
    if (!rc)
        rc = move_policies(op, name, "AttachRolePolicy", wanted, is, err);
    if (!rc && n <= MAX_ATTACHED)
        rc = move_policies(op, name, "DetachRolePolicy", is, wanted, err);
    return rc;
}

static enum sf_code delete_inline(struct sf_op *op, struct sf_str name, struct sf_str policy, struct sf_err *err)
{
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
    sf_map_set_str(op->arena, params, "PolicyName", policy);
    enum sf_code rc = sf_aws_iam_put(op, "DeleteRolePolicy", params, arn_of(op, op->self->attrs, name), err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static enum sf_code put_inline(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                               struct sf_err *err)
{
    const struct sf_value *is = sf_map_getz(have, ROLE_INLINE), *wanted = sf_map_getz(want, ROLE_INLINE);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && wanted && wanted->type == SF_V_MAP && i < wanted->map.n; i++) {
        const struct sf_pair *pair = &wanted->map.pairs[i];
        const struct sf_value *there = sf_map_get(is, pair->key);
        if (there && sf_value_equal(there, pair->value))
            continue;
        struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
        sf_map_set_str(op->arena, params, "PolicyName", pair->key);
        sf_map_set_str(op->arena, params, "PolicyDocument", sf_aws_document_text(op->arena, pair->value));
        rc = sf_aws_iam_put(op, "PutRolePolicy", params, arn_of(op, want, name), err);
    }
    for (size_t i = 0; !rc && is && is->type == SF_V_MAP && i < is->map.n; i++)
        if (!sf_map_get(wanted, is->map.pairs[i].key))
            rc = delete_inline(op, name, is->map.pairs[i].key, err);
    return rc;
}

static enum sf_code put_tags(struct sf_op *op, struct sf_str name, const struct role *have, const struct sf_value *want,
                             struct sf_err *err)
{
    struct sf_aws_iam_tagged role = {"Role", "RoleName", name, arn_of(op, want, name)};
    const struct sf_value *tags = have->tags;
    enum sf_code rc = SF_OK;
    if (!tags && sf_value_equal(sf_map_getz(have->attrs, ROLE_TAGS), sf_map_getz(want, ROLE_TAGS)))
        return SF_OK;
    if (!tags)
        rc = sf_aws_iam_tags(op, &role, &tags, err);
    return rc ? rc : sf_aws_iam_put_tags(op, &role, tags, want, err);
}

static enum sf_code converge(struct sf_op *op, struct sf_str name, const struct role *have, const struct sf_value *want,
                             struct sf_err *err)
{
    enum sf_code rc = put_trust(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_settings(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_boundary(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_policies(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_inline(op, name, have->attrs, want, err);
    return rc ? rc : put_tags(op, name, have, want, err);
}

static enum sf_code wait_and_go_on(struct sf_outcome *out, const char *waiting_for)
{
    out->is_pending = out->again = true;
    out->poll_after_ms = AGAIN_MS;
    out->waiting_for = waiting_for;
    return SF_OK;
}

/* What IAM's "no such entity" is about: a policy that could not be attached, which its words quote, or else the role. */
static struct sf_str missing(struct sf_op *op, struct sf_str arn, const struct sf_value *want, const struct sf_err *err)
{
    const struct sf_value *policies = sf_map_getz(want, ROLE_POLICIES);
    if (!sf_aws_is_error(err, "NoSuchEntity", "not attachable"))
        return arn;
    for (size_t i = 0; policies && policies->type == SF_V_LIST && i < policies->list.n; i++)
        if (policies->list.items[i]->type == SF_V_STRING &&
            strstr(err->message, sf_str_fmt(op->arena, "%.*s ", SF_ARG(policies->list.items[i]->s)).p))
            return policies->list.items[i]->s;
    return SF_STR_NONE;
}

static enum sf_code finish(struct sf_op *op, struct sf_str name, const struct role *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *trust = NULL;
    struct sf_str arn = arn_of(op, want, name);
    enum sf_code rc = converge(op, name, have, want, err);
    out->id = name;
    if (rc && trust_of(op, want, &trust, NULL) == SF_OK && sf_aws_awaits_role(op, sf_aws_roles_named(op->arena, trust), err))
        return wait_and_go_on(out, "IAM to know the roles that it trusts");
    if (rc && sf_aws_awaits_role(op, sf_value_str(op->arena, missing(op, arn, want, err)), err))
        return wait_and_go_on(out, new_everywhere);
    if (rc && sf_aws_is_error(err, "NoSuchEntity", "not attachable"))
        sf_hint(err, "correct its ARN under `policies`; `aws iam list-policies` prints those that there are");
    if (rc)
        return rc;
    sf_aws_note_role(op, arn);
    out->attrs = want;
    return SF_OK;
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct role role = {.attrs = have};
    enum sf_code rc = have == want ? look(op, id, &role, err) : SF_OK;
    if (rc && have == want && sf_aws_awaits_role(op, sf_value_str(op->arena, arn_of(op, want, id)), err))
        return wait_and_go_on(out, new_everywhere);
    return rc ? rc : finish(op, id, &role, want, out, err);
}

/* --- create --- */

static enum sf_code make(struct sf_op *op, struct sf_str name, const struct sf_value *want, struct sf_err *err)
{
    struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
    struct sf_str path = sf_map_str(want, ROLE_PATH), description = sf_map_str(want, ROLE_DESCRIPTION),
                  boundary = sf_map_str(want, ROLE_BOUNDARY);
    const struct sf_value *trust = NULL;
    enum sf_code rc = trust_of(op, want, &trust, err);
    if (rc)
        return rc;
    sf_map_set_str(op->arena, params, "AssumeRolePolicyDocument", sf_aws_document_text(op->arena, trust));
    sf_map_set_int(op->arena, params, "MaxSessionDuration", sf_map_int(want, ROLE_MAX_SESSION_S, DEFAULT_SESSION_S));
    if (path.n)
        sf_map_set_str(op->arena, params, "Path", path);
    if (description.n)
        sf_map_set_str(op->arena, params, "Description", description);
    if (boundary.n)
        sf_map_set_str(op->arena, params, "PermissionsBoundary", boundary);
    sf_map_set(op->arena, params, SF_STR("Tags"),
               sf_params_members(op->arena, "member", sf_aws_tags_of(op, want, &sf_aws_tags_upper)));
    struct sf_aws_call call = {
        .service = SF_AWS_IAM, .action = "CreateRole", .effect = SF_AWS_MAKE, .params = params, .resource = arn_of(op, want, name)};
    return sf_aws_call(op, &call, NULL, err);
}

/* What CreateRole does not take: the rest is there already. */
static const struct sf_value *fresh(struct sf_op *op, const struct sf_value *want)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    for (size_t i = 0; i < want->map.n; i++) {
        const struct sf_pair *pair = &want->map.pairs[i];
        if (!sf_str_is(pair->key, ROLE_POLICIES) && !sf_str_is(pair->key, ROLE_INLINE))
            sf_map_add(op->arena, attrs, pair->key, pair->value);
    }
    return attrs;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, ROLE_NAME);
    struct role role = {.attrs = fresh(op, want)};
    bool is_there = false;
    enum sf_code rc = make(op, name, want, err);
    const struct sf_value *trust = NULL;
    if (rc && trust_of(op, want, &trust, NULL) == SF_OK && sf_aws_awaits_role(op, sf_aws_roles_named(op->arena, trust), err))
        return wait_and_go_on(out, "IAM to know the roles that it trusts");
    if (rc == SF_E_CONFLICT) {
        rc = check_name(op, name, &is_there, err);
        if (!rc && !is_there)
            return sf_fail(err, SF_E_UNAVAILABLE, "role '%.*s' is just being deleted", SF_ARG(name));
    }
    if (!rc)
        rc = sf_op_made(op, name, err);
    if (rc)
        return rc;
    out->id = name;
    sf_aws_note_role(op, arn_of(op, want, name));
    if (is_there) /* an earlier try of this resource's made it */
        return update(op, name, want, want, out, err);
    return finish(op, name, &role, want, out, err);
}

/* --- destroy --- */

static enum sf_code delete_role(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    enum sf_code rc =
        sf_aws_iam_put(op, "DeleteRole", sf_aws_iam_params(op, "RoleName", name), arn_of(op, op->self->attrs, name), err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static enum sf_code strip(struct sf_op *op, struct sf_str name, const struct sf_value *policies, const struct sf_value *own,
                          struct sf_err *err)
{
    enum sf_code rc = move_policies(op, name, "DetachRolePolicy", policies, NULL, err);
    for (size_t i = 0; !rc && own && own->type == SF_V_MAP && i < own->map.n; i++)
        rc = delete_inline(op, name, own->map.pairs[i].key, err);
    return rc;
}

static enum sf_code leave_profiles(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    const struct sf_value *profiles = NULL;
    enum sf_code rc = list(op, "ListInstanceProfilesForRole", "InstanceProfiles.member", name, &profiles, err);
    for (size_t i = 0; !rc && i < profiles->list.n; i++) {
        struct sf_value *params = sf_aws_iam_params(op, "RoleName", name);
        sf_map_set_str(op->arena, params, "InstanceProfileName", sf_aws_text(profiles->list.items[i], "InstanceProfileName"));
        rc = sf_aws_iam_put(op, "RemoveRoleFromInstanceProfile", params, sf_aws_text(profiles->list.items[i], "Arn"), err);
        rc = rc == SF_E_ABSENT ? SF_OK : rc;
    }
    return rc;
}

/* More hangs on the role than state knows of: all that is there goes. */
static enum sf_code strip_all(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    const struct sf_value *policies = NULL, *names = NULL;
    enum sf_code rc = attached(op, name, &policies, err);
    if (!rc)
        rc = list(op, "ListRolePolicies", "PolicyNames.member", name, &names, err);
    if (!rc)
        rc = strip(op, name, policies, NULL, err);
    for (size_t i = 0; !rc && i < names->list.n; i++)
        rc = delete_inline(op, name, names->list.items[i]->s, err);
    return rc ? rc : leave_profiles(op, name, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    bool is_there;
    enum sf_code rc = check_name(op, id, &is_there, err);
    if (rc || !is_there)
        return rc;
    rc = strip(op, id, sf_map_getz(op->self->attrs, ROLE_POLICIES), sf_map_getz(op->self->attrs, ROLE_INLINE), err);
    if (!rc)
        rc = delete_role(op, id, err);
    if (!rc || !sf_aws_is_error(err, "DeleteConflict", NULL))
        return rc;
    rc = strip_all(op, id, err);
    if (!rc)
        rc = delete_role(op, id, err);
    if (!rc || !sf_aws_is_error(err, "DeleteConflict", NULL))
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return wait_and_go_on(out, "IAM to see that nothing hangs on the role any more");
}

static const char own_arn[] = "arn:{partition}:iam::{account}:role{path}{name}";
static const struct sf_need needs[] = {
    {"iam:CreateRole iam:GetRole iam:DeleteRole iam:TagRole iam:UntagRole iam:ListRoleTags iam:UpdateRole "
     "iam:UpdateAssumeRolePolicy "
     "iam:AttachRolePolicy iam:DetachRolePolicy iam:ListAttachedRolePolicies iam:PutRolePolicy iam:GetRolePolicy "
     "iam:DeleteRolePolicy "
     "iam:ListRolePolicies iam:PutRolePermissionsBoundary iam:DeleteRolePermissionsBoundary iam:ListInstanceProfilesForRole",
     own_arn},
    {"iam:RemoveRoleFromInstanceProfile", "arn:{partition}:iam::{account}:instance-profile/*"},
    {"iam:GetAccountSummary", "*"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_role;
const struct sf_driver sf_driver_aws_role = {.kind = "role",
                                             .world = "aws",
                                             .read = read_role,
                                             .find = find_role,
                                             .create = create,
                                             .destroy = destroy,
                                             .update = update,
                                             .preflight = preflight,
                                             .derive = derive,
                                             .needs = needs};

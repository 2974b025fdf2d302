/* A Redshift Serverless namespace and workgroup of one name. See serverless.h.
 *
 * The namespace gives the identity; the workgroup is made, changed and deleted after it and never without it. UpdateWorkgroup takes
 * one setting a call and one call at a time, with ConflictException for all others: so each change is made, waited for, and the
 * rest is done by the next call of update(), which looks first. Source: Redshift Serverless API reference, UpdateWorkgroup and
 * UpdateNamespace. */
#include "resources/aws/serverless.h"

#include "attr/cluster.h"
#include "resources/aws/cluster_parts.h"
#include "resources/aws/login.h"
#include "resources/aws/params.h"

enum { AGAIN_MS = 1000, SETTLED_MS = 50, NO_MAXIMUM = -1 };

static const char namespace_name[] = "namespaceName", workgroup_name[] = "workgroupName";

/* Both halves as they are. */
struct pair {
    const struct sf_value *space; /* the namespace */
    const struct sf_value *group; /* the workgroup; NULL when there is none */
    const struct sf_value *space_tags, *group_tags;
};

static const char *what_of(struct sf_op *op, struct sf_str id)
{
    return sf_str_fmt(op->arena, "serverless namespace '%.*s'", SF_ARG(id)).p;
}

static struct sf_str arn_of(struct sf_op *op, const char *kind)
{
    return sf_aws_arn(op, "redshift-serverless", true, "%s/*", kind); /* its last part is a UUID that AWS chooses */
}

static enum sf_code call(struct sf_op *op, const char *action, enum sf_aws_effect effect, const struct sf_value *params,
                         const struct sf_value **reply, struct sf_err *err)
{
    bool is_group = strstr(action, "Workgroup") != NULL;
    struct sf_aws_call request = {.service = SF_AWS_SERVERLESS,
                                  .action = action,
                                  .effect = effect,
                                  .params = params,
                                  .resource = arn_of(op, is_group ? "workgroup" : "namespace")};
    return sf_aws_call(op, &request, reply, err);
}

static struct sf_value *named(struct sf_op *op, const char *key, struct sf_str id)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, key, id);
    return params;
}

/* --- looking --- */

static enum sf_code get_space(struct sf_op *op, struct sf_str id, const struct sf_value **space, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = call(op, "GetNamespace", SF_AWS_READ, named(op, namespace_name, id), &reply, err);
    *space = rc ? NULL : sf_aws_at(reply, "namespace");
    return rc;
}

/* *group is NULL when there is none: that is no failure. */
static enum sf_code get_group(struct sf_op *op, struct sf_str id, const struct sf_value **group, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = call(op, "GetWorkgroup", SF_AWS_READ, named(op, workgroup_name, id), &reply, err);
    *group = rc ? NULL : sf_aws_at(reply, "workgroup");
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static enum sf_code get_tags(struct sf_op *op, struct sf_str arn, const struct sf_value **tags, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = call(op, "ListTagsForResource", SF_AWS_READ, named(op, "resourceArn", arn), &reply, err);
    *tags = sf_aws_tag_map(op->arena, sf_aws_items(op->arena, reply, "tags"), &sf_aws_tags_lower);
    return rc;
}

static enum sf_code get_halves(struct sf_op *op, struct sf_str id, struct pair *pair, struct sf_err *err)
{
    *pair = (struct pair){0};
    enum sf_code rc = get_space(op, id, &pair->space, err);
    return rc ? rc : get_group(op, id, &pair->group, err);
}

static enum sf_code get_all_tags(struct sf_op *op, struct pair *pair, struct sf_err *err)
{
    enum sf_code rc = get_tags(op, sf_aws_text(pair->space, "namespaceArn"), &pair->space_tags, err);
    if (!rc && pair->group)
        rc = get_tags(op, sf_aws_text(pair->group, "workgroupArn"), &pair->group_tags, err);
    return rc;
}

static enum sf_code get_pair(struct sf_op *op, struct sf_str id, struct pair *pair, struct sf_err *err)
{
    enum sf_code rc = get_halves(op, id, pair, err);
    return rc ? rc : get_all_tags(op, pair, err);
}

static bool is_available(const struct sf_value *half)
{
    return sf_str_is(sf_aws_text(half, "status"), "AVAILABLE");
}

/* AWS writes a role as "IamRole(applyStatus=in-sync, iamRoleArn=arn:...)", or as the ARN alone. */
static struct sf_str role_arn(struct sf_str text)
{
    struct sf_str rest = sf_str_slice(text, sf_str_find(text, SF_STR("arn:")), text.n);
    size_t end = 0;
    while (end < rest.n && rest.p[end] != ')' && rest.p[end] != ',')
        end++;
    return sf_str_slice(rest, 0, end);
}

static bool is_settling_role(struct sf_str text)
{
    return sf_str_find(text, SF_STR("applyStatus=")) != SIZE_MAX && sf_str_find(text, SF_STR("applyStatus=in-sync")) == SIZE_MAX;
}

/* What has to be waited for, in words; NULL: nothing. */
static const char *busy_with(struct sf_op *op, const struct pair *pair)
{
    if (!is_available(pair->space))
        return "the namespace to be available";
    if (pair->group && !is_available(pair->group))
        return "the workgroup to be available";
    const struct sf_value *roles = sf_aws_items(op->arena, pair->space, "iamRoles");
    for (size_t i = 0; i < roles->list.n; i++)
        if (roles->list.items[i]->type == SF_V_STRING && is_settling_role(roles->list.items[i]->s))
            return "its roles to be in sync";
    return NULL;
}

static uint32_t poll_ms(const struct pair *pair)
{
    int64_t made_ms = sf_cluster_time_ms(sf_aws_text(pair->group, "creationDate"));
    bool is_creating = pair->group && sf_str_is(sf_aws_text(pair->group, "status"), "CREATING");
    return is_creating && made_ms ? sf_cluster_poll_ms(made_ms) : AGAIN_MS;
}

/* --- read --- */

static const struct sf_value *roles_of(struct sf_op *op, const struct sf_value *space)
{
    const struct sf_value *texts = sf_aws_items(op->arena, space, "iamRoles");
    const struct sf_value **arns = SF_NEW_ARRAY(op->arena, texts->list.n, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < texts->list.n; i++)
        if (texts->list.items[i]->type == SF_V_STRING &&
            sf_str_find(texts->list.items[i]->s, SF_STR("applyStatus=removing")) == SIZE_MAX)
            arns[n++] = sf_value_str(op->arena, role_arn(texts->list.items[i]->s));
    return sf_value_list(op->arena, arns, n);
}

static void report_group(struct sf_op *op, const struct sf_value *group, struct sf_value *attrs)
{
    struct sf_value *capacity = sf_value_map(op->arena);
    struct sf_str host = sf_aws_text(group, "endpoint.address"), version = sf_aws_text(group, "workgroupVersion");
    int64_t base = sf_aws_int(group, "baseCapacity", 0), most = sf_aws_int(group, "maxCapacity", 0),
            port = sf_aws_int(group, "endpoint.port", sf_aws_int(group, "port", 0));
    if (base)
        sf_map_set_int(op->arena, capacity, CLUSTER_SERVERLESS_BASE_RPUS, base);
    if (most > 0)
        sf_map_set_int(op->arena, capacity, CLUSTER_SERVERLESS_MAX_RPUS, most);
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_SERVERLESS), capacity); /* without a workgroup: empty, which differs */
    if (!group)
        return;
    sf_map_set_bool(op->arena, attrs, CLUSTER_PUBLICLY_ACCESSIBLE, sf_aws_bool(group, "publiclyAccessible", false));
    sf_map_set_bool(op->arena, attrs, CLUSTER_ENHANCED_VPC_ROUTING, sf_aws_bool(group, "enhancedVpcRouting", false));
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_SUBNETS), sf_aws_items(op->arena, group, "subnetIds"));
    if (port)
        sf_map_set_int(op->arena, attrs, CLUSTER_PORT, port);
    if (version.n)
        sf_map_set_str(op->arena, attrs, CLUSTER_VERSION, version);
    if (!host.n || !port)
        return;
    sf_map_set_str(op->arena, attrs, CLUSTER_HOST, host);
    sf_map_set_str(op->arena, attrs, CLUSTER_ENDPOINT, sf_str_fmt(op->arena, "%.*s:%lld", SF_ARG(host), (long long)port));
}

static enum sf_code report(struct sf_op *op, const struct pair *pair, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    struct sf_str kms_key = sf_aws_text(pair->space, "kmsKeyId"), secret = sf_aws_text(pair->space, "adminPasswordSecretArn");
    const struct sf_value *groups = NULL;
    enum sf_code rc = sf_cluster_groups_told(op, sf_aws_items(op->arena, pair->group, "securityGroupIds"),
                                             sf_map_getz(op->self->attrs, CLUSTER_SECURITY_GROUPS), &groups, err);
    if (rc)
        return rc;
    out->id = sf_aws_text(pair->space, namespace_name);
    sf_map_set_str(op->arena, attrs, CLUSTER_IDENTIFIER, out->id);
    sf_map_set_str(op->arena, attrs, CLUSTER_DEPLOYMENT, SF_STR("serverless"));
    sf_map_set_str(op->arena, attrs, CLUSTER_DATABASE, sf_aws_text(pair->space, "dbName"));
    sf_map_set_str(op->arena, attrs, CLUSTER_USERNAME, sf_aws_text(pair->space, "adminUsername"));
    sf_map_set_bool(op->arena, attrs, CLUSTER_MANAGE_PASSWORD, secret.n > 0);
    if (secret.n)
        sf_map_set_str(op->arena, attrs, CLUSTER_MASTER_SECRET, secret);
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_ROLES), roles_of(op, pair->space));
    if (pair->group)
        sf_map_set(op->arena, attrs, SF_STR(CLUSTER_SECURITY_GROUPS), groups);
    sf_map_set_bool(op->arena, attrs, CLUSTER_RUNNING, true);
    sf_map_set_bool(op->arena, attrs, CLUSTER_ENCRYPTED, true);
    if (sf_str_starts(kms_key, SF_STR("arn:")))
        sf_map_set_str(op->arena, attrs, CLUSTER_KMS_KEY, kms_key);
    if (op->is_adopting) /* of provisioned clusters; its default says nothing here */
        sf_map_set_int(op->arena, attrs, CLUSTER_SNAPSHOT_DAYS, sf_map_int(op->self->attrs, CLUSTER_SNAPSHOT_DAYS, 0));
    report_group(op, pair->group, attrs);
    const struct sf_value *tags = sf_aws_user_tags(op->arena, pair->space_tags),
                          *group_tags = sf_aws_user_tags(op->arena, pair->group_tags);
    /* both carry them: where one differs from what is wanted, that one is told */
    bool is_group_told = pair->group && sf_value_equal(tags, sf_map_getz(op->self->attrs, CLUSTER_TAGS));
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_TAGS), is_group_told ? group_tags : tags);
    sf_map_set_str(op->arena, attrs, CLUSTER_QUERY_EDITOR_URL, sf_cluster_editor_url(op));
    out->attrs = attrs;
    return sf_login_read(op, out->id, attrs, err);
}

enum sf_code sf_serverless_read(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct pair pair;
    enum sf_code rc = get_halves(op, id, &pair, err);
    if (rc == SF_E_ABSENT)
        out->has_remains = sf_login_remains(op, id);
    if (rc)
        return rc;
    const char *busy = busy_with(op, &pair);
    if (busy && !op->is_planning)
        return sf_cluster_wait(out, false, poll_ms(&pair), busy);
    rc = get_all_tags(op, &pair, err);
    if (rc)
        return rc;
    if (sf_cluster_is_foreign(op, what_of(op, id), pair.space_tags))
        return op->is_adopting ? sf_aws_check_owner(op, what_of(op, id), pair.space_tags, err)
                               : sf_fail(err, SF_E_ABSENT, "serverless namespace '%.*s' is another stack's now", SF_ARG(id));
    return report(op, &pair, out, err);
}

enum sf_code sf_serverless_find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    struct pair pair;
    enum sf_code rc = get_pair(op, id, &pair, err);
    if (!rc && sf_aws_check_owner(op, what_of(op, id), pair.space_tags, err))
        return sf_fail(err, SF_E_ABSENT, "serverless namespace '%.*s' is not this stack's", SF_ARG(id));
    return rc ? rc : report(op, &pair, out, err);
}

/* --- changes, each by one call: the parameters, none if there is nothing to do --- */

static enum sf_code key(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                        struct sf_err *err)
{
    struct sf_str wanted = sf_map_str(want, CLUSTER_KMS_KEY);
    (void)err;
    if (wanted.n && !sf_str_eq(wanted, sf_aws_text(is->space, "kmsKeyId")))
        sf_map_set_str(op->arena, params, "kmsKeyId", wanted);
    return SF_OK;
}

/* The default role has to be given along; nothing of ours uses it. */
static enum sf_code roles(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                          struct sf_err *err)
{
    const struct sf_value *wanted = sf_map_getz(want, CLUSTER_ROLES);
    struct sf_str usual = sf_aws_text(is->space, "defaultIamRoleArn");
    (void)err;
    if (!wanted || sf_cluster_is_same_set(roles_of(op, is->space), wanted))
        return SF_OK;
    sf_map_set(op->arena, params, SF_STR("iamRoles"), wanted);
    sf_map_set_str(op->arena, params, "defaultIamRoleArn", sf_cluster_has(wanted, usual) ? usual : SF_STR(""));
    return SF_OK;
}

static enum sf_code password(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                             struct sf_err *err)
{
    bool is_managed = sf_aws_text(is->space, "adminPasswordSecretArn").n > 0,
         shall_be = sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false);
    const struct sf_value *clear = is_managed ? sf_map_getz(want, CLUSTER_PASSWORD) : sf_cluster_password_to_set(op, want);
    (void)err;
    if (is_managed != shall_be)
        sf_map_set_bool(op->arena, params, "manageAdminPassword", shall_be);
    if (shall_be || !clear || clear->type != SF_V_STRING)
        return SF_OK;
    sf_map_set_str(op->arena, params, "adminUsername", sf_aws_text(is->space, "adminUsername"));
    sf_map_set(op->arena, params, SF_STR("adminUserPassword"), clear);
    return SF_OK;
}

/* The maximum may never be below the base: it is raised before the base is and lowered after. */
static enum sf_code capacity(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                             struct sf_err *err)
{
    const struct sf_value *wanted = sf_map_getz(want, CLUSTER_SERVERLESS);
    int64_t base = sf_aws_int(is->group, "baseCapacity", 0), most = sf_aws_int(is->group, "maxCapacity", NO_MAXIMUM);
    int64_t shall_base = sf_map_int(wanted, CLUSTER_SERVERLESS_BASE_RPUS, base),
            shall_most = sf_map_int(wanted, CLUSTER_SERVERLESS_MAX_RPUS, NO_MAXIMUM);
    (void)err;
    most = most > 0 ? most : NO_MAXIMUM;
    bool is_base_first = shall_base != base && (most == NO_MAXIMUM || shall_base <= most);
    if (is_base_first)
        sf_map_set_int(op->arena, params, "baseCapacity", shall_base);
    else if (shall_most != most)
        sf_map_set_int(op->arena, params, "maxCapacity", shall_most);
    return SF_OK;
}

static enum sf_code groups(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                           struct sf_err *err)
{
    const struct sf_value *set = NULL;
    enum sf_code rc = sf_cluster_groups_to_set(op, sf_aws_items(op->arena, is->group, "securityGroupIds"),
                                               sf_map_getz(want, CLUSTER_SECURITY_GROUPS), &set, err);
    if (!rc && set && set->list.n)
        sf_map_set(op->arena, params, SF_STR("securityGroupIds"), set);
    return rc;
}

static enum sf_code subnets(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                            struct sf_err *err)
{
    const struct sf_value *wanted = sf_map_getz(want, CLUSTER_SUBNETS);
    (void)err;
    if (wanted && wanted->type == SF_V_LIST && !sf_cluster_is_same_set(wanted, sf_aws_items(op->arena, is->group, "subnetIds")))
        sf_map_set(op->arena, params, SF_STR("subnetIds"), wanted);
    return SF_OK;
}

static enum sf_code switch_of(struct sf_op *op, const struct pair *is, const struct sf_value *want, const char *attr,
                              const char *name, struct sf_value *params)
{
    bool now = sf_aws_bool(is->group, name, false), shall_be = sf_map_bool(want, attr, now);
    if (now != shall_be)
        sf_map_set_bool(op->arena, params, name, shall_be);
    return SF_OK;
}

static enum sf_code access(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                           struct sf_err *err)
{
    (void)err;
    return switch_of(op, is, want, CLUSTER_PUBLICLY_ACCESSIBLE, "publiclyAccessible", params);
}

static enum sf_code routing(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                            struct sf_err *err)
{
    (void)err;
    return switch_of(op, is, want, CLUSTER_ENHANCED_VPC_ROUTING, "enhancedVpcRouting", params);
}

/* Capacity twice: base and maximum are two calls. The password comes last, once all else is as it should be. */
static const struct change {
    enum sf_code (*differences)(struct sf_op *op, const struct pair *is, const struct sf_value *want, struct sf_value *params,
                                struct sf_err *err);
    bool is_of_space;
} changes[] = {{key, true},      {roles, true},   {capacity, false}, {capacity, false}, {groups, false},
               {subnets, false}, {access, false}, {routing, false},  {password, true}};

static enum sf_code put_tags(struct sf_op *op, struct sf_str arn, const struct sf_value *is, const struct sf_value *want,
                             bool *has_changed, struct sf_err *err)
{
    const struct sf_value *set = NULL, *unset = NULL;
    enum sf_code rc = SF_OK;
    sf_aws_tag_changes(op, is, want, &sf_aws_tags_lower, &set, &unset);
    *has_changed |= set->list.n || unset->list.n;
    if (set->list.n) {
        struct sf_value *params = named(op, "resourceArn", arn);
        sf_map_set(op->arena, params, SF_STR("tags"), set);
        rc = call(op, "TagResource", SF_AWS_PUT, params, NULL, err);
    }
    if (!rc && unset->list.n) {
        struct sf_value *params = named(op, "resourceArn", arn);
        sf_map_set(op->arena, params, SF_STR("tagKeys"), unset);
        rc = call(op, "UntagResource", SF_AWS_PUT, params, NULL, err);
    }
    return rc;
}

/* One update: the half it changes is as the reply says afterwards. */
static enum sf_code apply_change(struct sf_op *op, struct sf_str id, bool is_of_space, const struct sf_value *want,
                                 struct sf_value *params, struct pair *is, struct sf_err *err)
{
    bool sets_password = sf_map_getz(params, "adminUserPassword") != NULL;
    const struct sf_value *reply = NULL;
    enum sf_code rc = sets_password ? sf_cluster_note_password(op, want, false, err) : SF_OK;
    if (rc)
        return rc;
    sf_map_set_str(op->arena, params, is_of_space ? namespace_name : workgroup_name, id);
    rc = call(op, is_of_space ? "UpdateNamespace" : "UpdateWorkgroup", SF_AWS_PUT, params, &reply, err);
    if (!rc && is_of_space)
        is->space = sf_aws_at(reply, "namespace");
    else if (!rc)
        is->group = sf_aws_at(reply, "workgroup");
    return rc || !sets_password ? rc : sf_cluster_note_password(op, want, true, err);
}

static bool is_busy_error(const struct sf_err *err)
{
    return sf_aws_is_error(err, "ConflictException", NULL);
}

static enum sf_code make_changes(struct sf_op *op, struct sf_str id, struct pair *is, const struct sf_value *want,
                                 bool *has_changed, struct sf_outcome *out, struct sf_err *err)
{
    for (size_t i = 0; i < SF_COUNT(changes); i++) {
        struct sf_value *params = sf_value_map(op->arena);
        enum sf_code rc = changes[i].differences(op, is, want, params, err);
        if (!rc && params->map.n == 0)
            continue;
        if (!rc)
            rc = apply_change(op, id, changes[i].is_of_space, want, params, is, err);
        if (rc && (is_busy_error(err) || sf_aws_awaits_role(op, sf_map_getz(want, CLUSTER_ROLES), err)))
            return sf_cluster_wait(out, true, AGAIN_MS, "the workgroup to take the next change");
        if (rc)
            return rc;
        *has_changed = true;
        const char *busy = busy_with(op, is);
        if (busy)
            return sf_cluster_wait(out, true, SETTLED_MS, busy);
    }
    return SF_OK;
}

/* --- the workgroup --- */

static enum sf_code make_group(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_outcome *out,
                               struct sf_err *err)
{
    struct sf_value *params = named(op, workgroup_name, id);
    const struct sf_value *size = sf_map_getz(want, CLUSTER_SERVERLESS), *with = sf_map_getz(want, CLUSTER_SECURITY_GROUPS),
                          *in = sf_map_getz(want, CLUSTER_SUBNETS);
    int64_t base = sf_map_int(size, CLUSTER_SERVERLESS_BASE_RPUS, 0), most = sf_map_int(size, CLUSTER_SERVERLESS_MAX_RPUS, 0);
    sf_map_set_str(op->arena, params, namespace_name, id);
    if (base)
        sf_map_set_int(op->arena, params, "baseCapacity", base);
    if (most)
        sf_map_set_int(op->arena, params, "maxCapacity", most);
    if (with && with->list.n)
        sf_map_set(op->arena, params, SF_STR("securityGroupIds"), with);
    if (in && in->type == SF_V_LIST && in->list.n)
        sf_map_set(op->arena, params, SF_STR("subnetIds"), in);
    sf_map_set_bool(op->arena, params, "publiclyAccessible", sf_map_bool(want, CLUSTER_PUBLICLY_ACCESSIBLE, false));
    sf_map_set_bool(op->arena, params, "enhancedVpcRouting", sf_map_bool(want, CLUSTER_ENHANCED_VPC_ROUTING, false));
    sf_map_set_int(op->arena, params, "port", sf_map_int(want, CLUSTER_PORT, 0));
    sf_map_set(op->arena, params, SF_STR("tags"), sf_aws_tags_of(op, want, &sf_aws_tags_lower));
    enum sf_code rc = call(op, "CreateWorkgroup", SF_AWS_PUT, params, NULL, err);
    if (rc && is_busy_error(err)) /* there already, or the namespace is not ready for it: the next look tells */
        return sf_cluster_wait(out, true, AGAIN_MS, "the namespace to take a workgroup");
    if (rc && sf_aws_is_error(err, "InsufficientCapacityException", NULL))
        sf_hint(err, "AWS has no capacity free just now: try again later, or fewer base_rpus");
    return rc ? rc : sf_cluster_wait(out, false, SETTLED_MS, "the workgroup to be available");
}

/* The secret that statements log in with: there as long as it is wanted. */
static enum sf_code put_login(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_outcome *out,
                              struct sf_err *err)
{
    bool is_settling = false;
    enum sf_code rc = sf_login_put(op, id, want, &is_settling, err);
    return !rc && is_settling ? sf_cluster_wait(out, true, AGAIN_MS, "a deleted secret to be gone") : rc;
}

enum sf_code sf_serverless_update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                                  struct sf_outcome *out, struct sf_err *err)
{
    struct pair is;
    bool has_changed = false;
    out->id = id; /* what is under way, and half of the tags, is in no attribute: both halves themselves are asked */
    enum sf_code rc = get_halves(op, id, &is, err);
    if (!rc && sf_login_is_kept(have) && !sf_login_is_kept(want))
        rc = sf_login_drop(op, id, err); /* now: later calls of this update do not know that there was one */
    if (rc)
        return rc;
    const char *busy = busy_with(op, &is);
    if (busy)
        return sf_cluster_wait(out, true, poll_ms(&is), busy);
    rc = get_all_tags(op, &is, err);
    if (!rc)
        rc = put_tags(op, sf_aws_text(is.space, "namespaceArn"), is.space_tags, want, &has_changed, err);
    if (!rc && is.group)
        rc = put_tags(op, sf_aws_text(is.group, "workgroupArn"), is.group_tags, want, &has_changed, err);
    if (rc)
        return rc;
    if (!is.group) {
        rc = make_group(op, id, want, out, err);
        out->again = true; /* the namespace may differ, too */
        return rc;
    }
    rc = make_changes(op, id, &is, want, &has_changed, out, err);
    if (!rc && !out->is_pending)
        rc = put_login(op, id, want, out, err);
    if (rc || out->is_pending)
        return rc;
    if (has_changed) /* what read() says of it then counts */
        return sf_cluster_wait(out, false, SETTLED_MS, "the workgroup to settle");
    return report(op, &is, out, err);
}

/* --- create --- */

static enum sf_code make_space(struct sf_op *op, struct sf_str id, const struct sf_value *want, struct sf_err *err)
{
    struct sf_value *params = named(op, namespace_name, id);
    const struct sf_value *with = sf_map_getz(want, CLUSTER_ROLES);
    struct sf_str kms_key = sf_map_str(want, CLUSTER_KMS_KEY);
    sf_map_set_str(op->arena, params, "dbName", sf_map_str(want, CLUSTER_DATABASE));
    sf_map_set_str(op->arena, params, "adminUsername", sf_map_str(want, CLUSTER_USERNAME));
    if (sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false))
        sf_map_set_bool(op->arena, params, "manageAdminPassword", true);
    else
        sf_map_set(op->arena, params, SF_STR("adminUserPassword"), sf_map_getz(want, CLUSTER_PASSWORD));
    if (with && with->list.n)
        sf_map_set(op->arena, params, SF_STR("iamRoles"), with);
    if (kms_key.n)
        sf_map_set_str(op->arena, params, "kmsKeyId", kms_key);
    sf_map_set(op->arena, params, SF_STR("tags"), sf_aws_tags_of(op, want, &sf_aws_tags_lower));
    return call(op, "CreateNamespace", SF_AWS_MAKE, params, NULL, err);
}

/* SF_E_ABSENT: the name is free. SF_OK: taken by what an earlier call of this very create made. */
static enum sf_code check_taken(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    const struct sf_value *space = NULL, *tags = NULL;
    enum sf_code rc = get_space(op, id, &space, err);
    if (!rc)
        rc = get_tags(op, sf_aws_text(space, "namespaceArn"), &tags, err);
    return rc ? rc : sf_aws_check_owner(op, what_of(op, id), tags, err);
}

enum sf_code sf_serverless_create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    enum sf_code rc = make_space(op, id, want, err);
    if (rc && is_busy_error(err))
        rc = check_taken(op, id, err);
    else if (rc && sf_aws_awaits_role(op, sf_map_getz(want, CLUSTER_ROLES), err))
        return sf_cluster_wait(out, true, AGAIN_MS, "Redshift to see the new role");
    if (rc)
        return rc;
    out->id = id;
    rc = sf_op_made(op, id, err);
    if (!rc && !sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false))
        rc = sf_cluster_note_password(op, want, true, err);
    if (!rc)
        rc = put_login(op, id, want, out, err);
    return rc || out->is_pending ? rc : make_group(op, id, want, out, err);
}

/* --- destroy: the workgroup, then the namespace, then the secret, which read() reports for as long as it remains --- */

static enum sf_code drop_login(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    return sf_login_is_kept(op->self->attrs) ? sf_login_drop(op, id, err) : SF_OK;
}

static enum sf_code destroy_space(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *params = named(op, namespace_name, id);
    struct sf_str snapshot = sf_map_str(op->self->attrs, CLUSTER_FINAL_SNAPSHOT);
    if (snapshot.n)
        sf_map_set_str(op->arena, params, "finalSnapshotName", snapshot);
    enum sf_code rc = call(op, "DeleteNamespace", SF_AWS_PUT, params, NULL, err);
    if (rc == SF_E_ABSENT)
        return drop_login(op, id, err);
    if (rc && sf_aws_is_error(err, "ConflictException", "napshot")) {
        sf_hint(err, "give final_snapshot another name, or delete it: aws redshift-serverless delete-snapshot --snapshot-name %.*s",
                SF_ARG(snapshot));
        return rc;
    }
    if (rc && !is_busy_error(err))
        return rc;
    if (!rc && snapshot.n)
        sf_op_warn(op, "snapshot '%.*s' stays, and costs money: aws redshift-serverless delete-snapshot --snapshot-name %.*s",
                   SF_ARG(snapshot), SF_ARG(snapshot));
    return sf_cluster_wait(out, true, rc ? AGAIN_MS : SETTLED_MS, "the namespace to be gone");
}

enum sf_code sf_serverless_destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct pair is;
    out->id = id;
    enum sf_code rc = get_halves(op, id, &is, err);
    if (rc == SF_E_ABSENT)
        return drop_login(op, id, err);
    if (!rc && sf_str_is(sf_aws_text(is.group ? is.group : is.space, "status"), "DELETING"))
        return sf_cluster_wait(out, true, AGAIN_MS, is.group ? "the workgroup to be gone" : "the namespace to be gone");
    if (!rc)
        rc = get_tags(op, sf_aws_text(is.space, "namespaceArn"), &is.space_tags, err);
    if (rc)
        return rc;
    if (sf_cluster_is_foreign(op, what_of(op, id), is.space_tags)) /* ours is gone, and this is not it */
        return drop_login(op, id, err);
    if (!is.group)
        return destroy_space(op, id, out, err);
    rc = call(op, "DeleteWorkgroup", SF_AWS_PUT, named(op, workgroup_name, id), NULL, err);
    if (rc && rc != SF_E_ABSENT && !is_busy_error(err))
        return rc;
    return sf_cluster_wait(out, true, SETTLED_MS, "the workgroup to be gone");
}

/* --- preflight --- */

enum sf_code sf_serverless_preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    const struct sf_value *group = NULL;
    enum sf_code rc = id.n ? check_taken(op, id, err) : SF_OK;
    if (rc != SF_E_ABSENT)
        return rc;
    rc = get_group(op, id, &group, err);
    if (rc || !group)
        return rc;
    sf_fail(err, SF_E_CONFLICT, "workgroup '%.*s' exists already, on namespace '%.*s'", SF_ARG(id),
            SF_ARG(sf_aws_text(group, namespace_name)));
    sf_hint(err, "choose another identifier, or delete it: aws redshift-serverless delete-workgroup --workgroup-name %.*s",
            SF_ARG(id));
    return SF_E_CONFLICT;
}

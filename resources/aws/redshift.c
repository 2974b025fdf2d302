/* A provisioned Redshift cluster. See redshift.h.
 *
 * A cluster does one thing at a time: while it is being made, modified, resized, paused or resumed every other change is refused
 * with InvalidClusterState. So a change is made, waited for, and the rest is done by the next call of update(), which looks at the
 * cluster first and does what still differs. Source: Redshift API reference, ModifyCluster and Cluster. */
#include "resources/aws/redshift.h"

#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "resources/aws/cluster_parts.h"
#include "resources/aws/login.h"
#include "resources/aws/params.h"

enum { AGAIN_MS = 1000, SETTLED_MS = 50 };

const char sf_redshift_usual_node_type[] = "ra3.large";

static const char *const usable_states[] = {"available", "available, prep-for-resize", "available, resize-cleanup", "storage-full",
                                            "paused"};
static const char *const failed_states[] = {"incompatible-hsm", "incompatible-network", "incompatible-parameters",
                                            "incompatible-restore", "hardware-failure"};
/* What is under way though the status is "available". Others wait for the maintenance window, and so do not hold us up. */
static const char *const pending_values[] = {
    "MasterUserPassword", "NodeType",           "NumberOfNodes",  "ClusterType",
    "PubliclyAccessible", "EnhancedVpcRouting", "EncryptionType", "AutomatedSnapshotRetentionPeriod"};

static bool is_listed(struct sf_str text, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (sf_str_is(text, list[i]))
            return true;
    return false;
}

/* --- looking --- */

static const char *what_of(struct sf_op *op, struct sf_str id)
{
    return sf_str_fmt(op->arena, "cluster '%.*s'", SF_ARG(id)).p;
}

static struct sf_str arn_of(struct sf_op *op, struct sf_str id)
{
    return sf_aws_arn(op, "redshift", true, "cluster:%.*s", SF_ARG(id));
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *cluster)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, cluster, "Tags.Tag"), &sf_aws_tags_upper);
}

static enum sf_code describe(struct sf_op *op, struct sf_str id, const struct sf_value **cluster, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, params, "ClusterIdentifier", id);
    struct sf_aws_call call = {
        .service = SF_AWS_REDSHIFT, .action = "DescribeClusters", .params = params, .resource = arn_of(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    const struct sf_value *clusters = sf_aws_items(op->arena, reply, "Clusters.Cluster");
    if (!rc && clusters->list.n == 0)
        return sf_fail(err, SF_E_ABSENT, "there is no cluster '%.*s'", SF_ARG(id));
    if (!rc)
        *cluster = clusters->list.items[0];
    return rc;
}

static struct sf_str status_of(const struct sf_value *cluster)
{
    return sf_aws_text(cluster, "ClusterStatus");
}

static bool is_paused(const struct sf_value *cluster)
{
    return sf_str_is(status_of(cluster), "paused");
}

static bool has_failed(const struct sf_value *cluster)
{
    return is_listed(status_of(cluster), failed_states, SF_COUNT(failed_states));
}

static bool is_any_not(struct sf_op *op, const struct sf_value *cluster, const char *path, const char *key, const char *state)
{
    const struct sf_value *items = sf_aws_items(op->arena, cluster, path);
    for (size_t i = 0; i < items->list.n; i++)
        if (!sf_str_is(sf_aws_text(items->list.items[i], key), state))
            return true;
    return false;
}

/* What has to be waited for, in words; NULL: nothing. */
static const char *busy_with(struct sf_op *op, const struct sf_value *cluster)
{
    struct sf_str status = status_of(cluster);
    const struct sf_value *pending = sf_aws_at(cluster, "PendingModifiedValues");
    if (has_failed(cluster))
        return NULL;
    if (!is_listed(status, usable_states, SF_COUNT(usable_states)))
        return sf_str_fmt(op->arena, "the cluster, which is %.*s", SF_ARG(status)).p;
    for (size_t i = 0; i < SF_COUNT(pending_values); i++)
        if (sf_aws_text(pending, pending_values[i]).n)
            return "pending changes of the cluster";
    if (is_any_not(op, cluster, "IamRoles.ClusterIamRole", "ApplyStatus", "in-sync"))
        return "its roles to be in sync";
    if (is_any_not(op, cluster, "VpcSecurityGroups.VpcSecurityGroup", "Status", "active"))
        return "its security groups to be active";
    return NULL;
}

static uint32_t poll_ms(const struct sf_value *cluster)
{
    int64_t made_ms = sf_cluster_time_ms(sf_aws_text(cluster, "ClusterCreateTime"));
    return sf_str_is(status_of(cluster), "creating") && made_ms ? sf_cluster_poll_ms(made_ms) : AGAIN_MS;
}

/* --- read --- */

static const struct sf_value *roles_of(struct sf_op *op, const struct sf_value *cluster)
{
    return sf_cluster_column(op->arena, sf_aws_items(op->arena, cluster, "IamRoles.ClusterIamRole"), "IamRoleArn", "ApplyStatus",
                             "removing");
}

static const struct sf_value *groups_of(struct sf_op *op, const struct sf_value *cluster)
{
    return sf_cluster_column(op->arena, sf_aws_items(op->arena, cluster, "VpcSecurityGroups.VpcSecurityGroup"),
                             "VpcSecurityGroupId", "Status", "removing");
}

static void set_if_known(struct sf_op *op, struct sf_value *attrs, const char *attr, struct sf_str text)
{
    if (text.n)
        sf_map_set_str(op->arena, attrs, attr, text);
}

static void report_endpoint(struct sf_op *op, const struct sf_value *cluster, struct sf_value *attrs)
{
    struct sf_str host = sf_aws_text(cluster, "Endpoint.Address");
    int64_t port = sf_aws_int(cluster, "Endpoint.Port", 0);
    if (port)
        sf_map_set_int(op->arena, attrs, CLUSTER_PORT, port);
    if (!host.n || !port)
        return;
    sf_map_set_str(op->arena, attrs, CLUSTER_HOST, host);
    sf_map_set_str(op->arena, attrs, CLUSTER_ENDPOINT, sf_str_fmt(op->arena, "%.*s:%lld", SF_ARG(host), (long long)port));
}

static enum sf_code report(struct sf_op *op, const struct sf_value *cluster, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    struct sf_str kms_key = sf_aws_text(cluster, "KmsKeyId"), secret = sf_aws_text(cluster, "MasterPasswordSecretArn");
    const struct sf_value *groups = NULL;
    enum sf_code rc =
        sf_cluster_groups_told(op, groups_of(op, cluster), sf_map_getz(op->self->attrs, CLUSTER_SECURITY_GROUPS), &groups, err);
    if (rc)
        return rc;
    out->id = sf_aws_text(cluster, "ClusterIdentifier");
    sf_map_set_str(op->arena, attrs, CLUSTER_IDENTIFIER, out->id);
    sf_map_set_str(op->arena, attrs, CLUSTER_DEPLOYMENT, SF_STR("provisioned"));
    sf_map_set_str(op->arena, attrs, CLUSTER_DATABASE, sf_aws_text(cluster, "DBName"));
    sf_map_set_str(op->arena, attrs, CLUSTER_USERNAME, sf_aws_text(cluster, "MasterUsername"));
    sf_map_set_bool(op->arena, attrs, CLUSTER_MANAGE_PASSWORD, secret.n > 0);
    set_if_known(op, attrs, CLUSTER_MASTER_SECRET, secret);
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_ROLES), roles_of(op, cluster));
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_SECURITY_GROUPS), groups);
    sf_map_set_bool(op->arena, attrs, CLUSTER_RUNNING, !is_paused(cluster) && !sf_str_is(status_of(cluster), "pausing"));
    sf_map_set_str(op->arena, attrs, CLUSTER_NODE_TYPE, sf_aws_text(cluster, "NodeType"));
    sf_map_set_int(op->arena, attrs, CLUSTER_NUMBER_OF_NODES, sf_aws_int(cluster, "NumberOfNodes", SF_REDSHIFT_USUAL_NODES));
    sf_map_set_bool(op->arena, attrs, CLUSTER_PUBLICLY_ACCESSIBLE, sf_aws_bool(cluster, "PubliclyAccessible", false));
    sf_map_set_bool(op->arena, attrs, CLUSTER_ENCRYPTED, sf_aws_bool(cluster, "Encrypted", false));
    if (sf_str_starts(kms_key, SF_STR("arn:")))
        sf_map_set_str(op->arena, attrs, CLUSTER_KMS_KEY, kms_key);
    set_if_known(op, attrs, CLUSTER_SUBNET_GROUP, sf_aws_text(cluster, "ClusterSubnetGroupName"));
    sf_map_set_bool(op->arena, attrs, CLUSTER_ENHANCED_VPC_ROUTING, sf_aws_bool(cluster, "EnhancedVpcRouting", false));
    sf_map_set_int(op->arena, attrs, CLUSTER_SNAPSHOT_DAYS, sf_aws_int(cluster, "AutomatedSnapshotRetentionPeriod", 0));
    set_if_known(op, attrs, CLUSTER_MAINTENANCE_WINDOW, sf_aws_text(cluster, "PreferredMaintenanceWindow"));
    set_if_known(op, attrs, CLUSTER_VERSION, sf_aws_text(cluster, "ClusterVersion"));
    sf_map_set(op->arena, attrs, SF_STR(CLUSTER_TAGS), sf_aws_user_tags(op->arena, tags_of(op, cluster)));
    report_endpoint(op, cluster, attrs);
    sf_map_set_str(op->arena, attrs, CLUSTER_QUERY_EDITOR_URL, sf_cluster_editor_url(op));
    out->attrs = attrs;
    return sf_login_read(op, out->id, attrs, err);
}

static enum sf_code refuse_failed(const struct sf_value *cluster, struct sf_err *err)
{
    struct sf_str status = status_of(cluster);
    sf_fail(err, SF_E_REFUSED, "cluster '%.*s' is '%.*s'", SF_ARG(sf_aws_text(cluster, "ClusterIdentifier")), SF_ARG(status));
    sf_hint(err, "AWS says why among the cluster's events: aws redshift describe-events --source-type cluster");
    return SF_E_REFUSED;
}

enum sf_code sf_redshift_read(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *cluster = NULL;
    enum sf_code rc = describe(op, id, &cluster, err);
    if (rc)
        return rc;
    if (sf_cluster_is_foreign(op, what_of(op, id), tags_of(op, cluster)))
        return op->is_adopting ? sf_aws_check_owner(op, what_of(op, id), tags_of(op, cluster), err)
                               : sf_fail(err, SF_E_ABSENT, "cluster '%.*s' is another stack's now", SF_ARG(id));
    const char *busy = busy_with(op, cluster);
    if (busy && !op->is_planning)
        return sf_cluster_wait(out, false, poll_ms(cluster), busy);
    if (has_failed(cluster) && !op->is_planning)
        return refuse_failed(cluster, err);
    if (has_failed(cluster))
        sf_op_warn(op, "cluster '%.*s' is '%.*s'", SF_ARG(id), SF_ARG(status_of(cluster)));
    return report(op, cluster, out, err);
}

enum sf_code sf_redshift_find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    const struct sf_value *cluster = NULL;
    enum sf_code rc = describe(op, id, &cluster, err);
    if (!rc && sf_aws_check_owner(op, what_of(op, id), tags_of(op, cluster), err))
        return sf_fail(err, SF_E_ABSENT, "cluster '%.*s' is not this stack's", SF_ARG(id));
    return rc ? rc : report(op, cluster, out, err);
}

/* --- changes, each by one call: the parameters, none if there is nothing to do --- */

static bool differs_text(const struct sf_value *want, const char *attr, struct sf_str is)
{
    struct sf_str text = sf_map_str(want, attr);
    return text.n && !sf_str_eq(text, is);
}

static void add_size(struct sf_op *op, struct sf_str node_type, int64_t nodes, struct sf_value *params)
{
    sf_map_set_str(op->arena, params, "ClusterType", nodes > 1 ? SF_STR("multi-node") : SF_STR("single-node"));
    sf_map_set_str(op->arena, params, "NodeType", node_type);
    if (nodes > 1)
        sf_map_set_int(op->arena, params, "NumberOfNodes", nodes);
}

static enum sf_code encryption(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params,
                               struct sf_err *err)
{
    (void)err;
    bool has_other_key = differs_text(want, CLUSTER_KMS_KEY, sf_aws_text(is, "KmsKeyId"));
    bool is_encrypted = sf_aws_bool(is, "Encrypted", false), shall_be = sf_map_bool(want, CLUSTER_ENCRYPTED, is_encrypted);
    if (!has_other_key && shall_be == is_encrypted)
        return SF_OK;
    sf_map_set_bool(op->arena, params, "Encrypted", shall_be);
    if (has_other_key)
        sf_map_set_str(op->arena, params, "KmsKeyId", sf_map_str(want, CLUSTER_KMS_KEY));
    return SF_OK;
}

static enum sf_code size(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params,
                         struct sf_err *err)
{
    (void)err;
    struct sf_str type = sf_aws_text(is, "NodeType"), wanted = sf_map_str(want, CLUSTER_NODE_TYPE);
    int64_t nodes = sf_aws_int(is, "NumberOfNodes", SF_REDSHIFT_USUAL_NODES),
            shall_be = sf_map_int(want, CLUSTER_NUMBER_OF_NODES, nodes);
    if (differs_text(want, CLUSTER_NODE_TYPE, type) || nodes != shall_be)
        add_size(op, wanted.n ? wanted : type, shall_be, params);
    return SF_OK;
}

static enum sf_code roles(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params,
                          struct sf_err *err)
{
    (void)err;
    const struct sf_value *wanted = sf_map_getz(want, CLUSTER_ROLES), *there = roles_of(op, is);
    const struct sf_value *add = sf_cluster_missing(op->arena, wanted, there),
                          *remove = sf_cluster_missing(op->arena, there, wanted);
    if (add->list.n)
        sf_map_set(op->arena, params, SF_STR("AddIamRoles"), sf_params_members(op->arena, "IamRoleArn", add));
    if (remove->list.n)
        sf_map_set(op->arena, params, SF_STR("RemoveIamRoles"), sf_params_members(op->arena, "IamRoleArn", remove));
    return SF_OK;
}

static void add_password(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params)
{
    bool is_managed = sf_aws_text(is, "MasterPasswordSecretArn").n > 0,
         shall_be = sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false);
    const struct sf_value *password = is_managed ? sf_map_getz(want, CLUSTER_PASSWORD) : sf_cluster_password_to_set(op, want);
    if (is_managed != shall_be)
        sf_map_set_bool(op->arena, params, "ManageMasterPassword", shall_be);
    if (!shall_be && password && password->type == SF_V_STRING)
        sf_map_set(op->arena, params, SF_STR("MasterUserPassword"), password);
}

static enum sf_code settings(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params,
                             struct sf_err *err)
{
    static const struct {
        const char *attr, *name;
    } switches[] = {{CLUSTER_PUBLICLY_ACCESSIBLE, "PubliclyAccessible"}, {CLUSTER_ENHANCED_VPC_ROUTING, "EnhancedVpcRouting"}};
    for (size_t i = 0; i < SF_COUNT(switches); i++) {
        bool now = sf_aws_bool(is, switches[i].name, false), shall_be = sf_map_bool(want, switches[i].attr, now);
        if (now != shall_be)
            sf_map_set_bool(op->arena, params, switches[i].name, shall_be);
    }
    int64_t days = sf_aws_int(is, "AutomatedSnapshotRetentionPeriod", 0),
            wanted_days = sf_map_int(want, CLUSTER_SNAPSHOT_DAYS, days);
    if (days != wanted_days)
        sf_map_set_int(op->arena, params, "AutomatedSnapshotRetentionPeriod", wanted_days);
    struct sf_str window = sf_aws_text(is, "PreferredMaintenanceWindow"),
                  wanted_window = sf_map_str(want, CLUSTER_MAINTENANCE_WINDOW);
    if (wanted_window.n && (window.n != wanted_window.n || strncasecmp(window.p, wanted_window.p, window.n) != 0))
        sf_map_set_str(op->arena, params, "PreferredMaintenanceWindow", wanted_window);
    const struct sf_value *groups = NULL;
    enum sf_code rc = sf_cluster_groups_to_set(op, groups_of(op, is), sf_map_getz(want, CLUSTER_SECURITY_GROUPS), &groups, err);
    if (!rc && groups && groups->list.n)
        sf_map_set(op->arena, params, SF_STR("VpcSecurityGroupIds"), sf_params_members(op->arena, "VpcSecurityGroupId", groups));
    if (!rc)
        add_password(op, is, want, params);
    return rc;
}

/* In this order: what takes longest comes first, and the password once all else is as it should be. A resize is ResizeCluster's:
 * its elastic way takes minutes, where ModifyCluster's leaves the cluster read-only for hours. */
static const struct change {
    const char *action;
    enum sf_code (*differences)(struct sf_op *op, const struct sf_value *is, const struct sf_value *want, struct sf_value *params,
                                struct sf_err *err);
} changes[] = {{"ModifyCluster", encryption},
               {"ResizeCluster", size},
               {"ModifyClusterIamRoles", roles},
               {"ModifyCluster", settings}};

static bool is_busy_error(const struct sf_err *err)
{
    return sf_aws_is_error(err, "InvalidClusterState", NULL) || sf_aws_is_error(err, "InvalidClusterStateFault", NULL);
}

static enum sf_code put(struct sf_op *op, struct sf_str id, const char *action, struct sf_value *params,
                        const struct sf_value **cluster, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, params, "ClusterIdentifier", id);
    struct sf_aws_call call = {
        .service = SF_AWS_REDSHIFT, .action = action, .effect = SF_AWS_PUT, .params = params, .resource = arn_of(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (!rc)
        *cluster = sf_aws_at(reply, "Cluster");
    return rc;
}

static enum sf_code resize(struct sf_op *op, struct sf_str id, struct sf_value *params, const struct sf_value **cluster,
                           struct sf_err *err)
{
    enum sf_code rc = put(op, id, "ResizeCluster", params, cluster, err);
    if (rc != SF_E_REFUSED ||
        !(sf_aws_is_error(err, "UnsupportedOperation", NULL) || sf_aws_is_error(err, "UnsupportedOptionFault", NULL)))
        return rc;
    sf_op_warn(op, "cluster '%.*s' cannot be resized the elastic way: it will be read-only until its data are copied", SF_ARG(id));
    sf_map_set_bool(op->arena, params, "Classic", true);
    return put(op, id, "ResizeCluster", params, cluster, err);
}

static enum sf_code apply_change(struct sf_op *op, struct sf_str id, const struct change *change, const struct sf_value *want,
                                 struct sf_value *params, const struct sf_value **cluster, struct sf_err *err)
{
    bool sets_password = sf_map_getz(params, "MasterUserPassword") != NULL;
    enum sf_code rc = sets_password ? sf_cluster_note_password(op, want, false, err) : SF_OK;
    if (!rc)
        rc = change->differences == size ? resize(op, id, params, cluster, err) : put(op, id, change->action, params, cluster, err);
    return rc || !sets_password ? rc : sf_cluster_note_password(op, want, true, err);
}

static enum sf_code put_tags(struct sf_op *op, struct sf_str id, const struct sf_value *is, const struct sf_value *want,
                             bool *has_changed, struct sf_err *err)
{
    const struct sf_value *set = NULL, *unset = NULL;
    enum sf_code rc = SF_OK;
    sf_aws_tag_changes(op, tags_of(op, is), want, &sf_aws_tags_upper, &set, &unset);
    const struct {
        const char *action, *name;
        const struct sf_value *list;
    } calls[] = {{"CreateTags", "Tags", sf_params_members(op->arena, "Tag", set)},
                 {"DeleteTags", "TagKeys", sf_params_members(op->arena, "TagKey", unset)}};
    for (size_t i = 0; !rc && i < SF_COUNT(calls); i++) {
        struct sf_value *params = sf_value_map(op->arena);
        if ((i == 0 ? set : unset)->list.n == 0)
            continue;
        sf_map_set_str(op->arena, params, "ResourceName", arn_of(op, id));
        sf_map_set(op->arena, params, sf_str_of(calls[i].name), calls[i].list);
        struct sf_aws_call call = {.service = SF_AWS_REDSHIFT,
                                   .action = calls[i].action,
                                   .effect = SF_AWS_PUT,
                                   .params = params,
                                   .resource = arn_of(op, id)};
        rc = sf_aws_call(op, &call, NULL, err);
        *has_changed = true;
    }
    return rc;
}

/* Resumes or pauses; with `out` pending when it did. */
static enum sf_code switch_to(struct sf_op *op, struct sf_str id, const char *action, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *cluster = NULL;
    enum sf_code rc = put(op, id, action, sf_value_map(op->arena), &cluster, err);
    if (rc && !is_busy_error(err))
        return rc;
    return sf_cluster_wait(out, true, rc ? AGAIN_MS : SETTLED_MS, "the cluster to settle");
}

static enum sf_code refuse_paused(struct sf_str id, struct sf_err *err)
{
    sf_fail(err, SF_E_REFUSED, "cluster '%.*s' is paused, and a paused cluster cannot be changed", SF_ARG(id));
    sf_hint(err, "set running: true, apply, and pause it again afterwards");
    return SF_E_REFUSED;
}

/* The changes that are due, one after the other until one has to be waited for. *is is the cluster after the last of them. */
static enum sf_code make_changes(struct sf_op *op, struct sf_str id, const struct sf_value **is, const struct sf_value *want,
                                 bool *has_changed, struct sf_outcome *out, struct sf_err *err)
{
    for (size_t i = 0; i < SF_COUNT(changes); i++) {
        struct sf_value *params = sf_value_map(op->arena);
        enum sf_code rc = changes[i].differences(op, *is, want, params, err);
        if (rc || params->map.n == 0) {
            if (rc)
                return rc;
            continue;
        }
        if (is_paused(*is))
            return refuse_paused(id, err);
        rc = apply_change(op, id, &changes[i], want, params, is, err);
        if (rc && (is_busy_error(err) || sf_aws_awaits_role(op, sf_map_getz(want, CLUSTER_ROLES), err)))
            return sf_cluster_wait(out, true, AGAIN_MS, "the cluster to take the next change");
        if (rc)
            return rc;
        *has_changed = true;
        const char *busy = busy_with(op, *is);
        if (busy)
            return sf_cluster_wait(out, true, SETTLED_MS, busy);
    }
    return SF_OK;
}

enum sf_code sf_redshift_update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                                struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *is = NULL;
    bool has_changed = false;
    (void)have; /* roles in sync, pending changes and the like are no attributes: the cluster itself is asked */
    out->id = id;
    enum sf_code rc = describe(op, id, &is, err);
    if (!rc)
        rc = put_tags(op, id, is, want, &has_changed, err);
    if (rc)
        return rc;
    bool shall_run = sf_map_bool(want, CLUSTER_RUNNING, true);
    const char *busy = busy_with(op, is);
    if (has_failed(is))
        return refuse_failed(is, err);
    if (busy)
        return sf_cluster_wait(out, true, poll_ms(is), busy);
    if (is_paused(is) && shall_run)
        return switch_to(op, id, "ResumeCluster", out, err);
    rc = make_changes(op, id, &is, want, &has_changed, out, err);
    if (rc || out->is_pending)
        return rc;
    if (!is_paused(is) && !shall_run)
        return switch_to(op, id, "PauseCluster", out, err);
    if (has_changed) /* what read() says of it then counts */
        return sf_cluster_wait(out, false, SETTLED_MS, "the cluster to settle");
    return report(op, is, out, err);
}

/* --- create --- */

static void add_text(struct sf_op *op, struct sf_value *params, const char *name, const struct sf_value *want, const char *attr)
{
    set_if_known(op, params, name, sf_map_str(want, attr));
}

static const struct sf_value *create_params(struct sf_op *op, const struct sf_value *want)
{
    struct sf_value *params = sf_value_map(op->arena);
    struct sf_str type = sf_map_str(want, CLUSTER_NODE_TYPE);
    const struct sf_value *groups = sf_map_getz(want, CLUSTER_SECURITY_GROUPS), *with = sf_map_getz(want, CLUSTER_ROLES),
                          *password = sf_map_getz(want, CLUSTER_PASSWORD);
    add_text(op, params, "ClusterIdentifier", want, CLUSTER_IDENTIFIER);
    add_size(op, type.n ? type : sf_str_of(sf_redshift_usual_node_type),
             sf_map_int(want, CLUSTER_NUMBER_OF_NODES, SF_REDSHIFT_USUAL_NODES), params);
    add_text(op, params, "DBName", want, CLUSTER_DATABASE);
    add_text(op, params, "MasterUsername", want, CLUSTER_USERNAME);
    if (sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false))
        sf_map_set_bool(op->arena, params, "ManageMasterPassword", true);
    else
        sf_map_set(op->arena, params, SF_STR("MasterUserPassword"), password);
    if (groups && groups->list.n)
        sf_map_set(op->arena, params, SF_STR("VpcSecurityGroupIds"), sf_params_members(op->arena, "VpcSecurityGroupId", groups));
    if (with && with->list.n)
        sf_map_set(op->arena, params, SF_STR("IamRoles"), sf_params_members(op->arena, "IamRoleArn", with));
    add_text(op, params, "ClusterSubnetGroupName", want, CLUSTER_SUBNET_GROUP);
    sf_map_set_int(op->arena, params, "Port", sf_map_int(want, CLUSTER_PORT, 0));
    sf_map_set_bool(op->arena, params, "PubliclyAccessible", sf_map_bool(want, CLUSTER_PUBLICLY_ACCESSIBLE, false));
    sf_map_set_bool(op->arena, params, "Encrypted", sf_map_bool(want, CLUSTER_ENCRYPTED, true));
    add_text(op, params, "KmsKeyId", want, CLUSTER_KMS_KEY);
    sf_map_set_bool(op->arena, params, "EnhancedVpcRouting", sf_map_bool(want, CLUSTER_ENHANCED_VPC_ROUTING, false));
    sf_map_set_int(op->arena, params, "AutomatedSnapshotRetentionPeriod", sf_map_int(want, CLUSTER_SNAPSHOT_DAYS, 1));
    add_text(op, params, "PreferredMaintenanceWindow", want, CLUSTER_MAINTENANCE_WINDOW);
    sf_map_set(op->arena, params, SF_STR("Tags"),
               sf_params_members(op->arena, "Tag", sf_aws_tags_of(op, want, &sf_aws_tags_upper)));
    return params;
}

/* The identifier is taken: SF_OK when by what an earlier call of this very create made. */
static enum sf_code check_taken(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    const struct sf_value *cluster = NULL;
    enum sf_code rc = describe(op, id, &cluster, err);
    return rc ? rc : sf_aws_check_owner(op, what_of(op, id), tags_of(op, cluster), err);
}

static void explain_quota(struct sf_op *op, struct sf_err *err)
{
    if (sf_aws_is_error(err, "ClusterQuotaExceeded", NULL) || sf_aws_is_error(err, "NumberOfNodesQuotaExceeded", NULL))
        sf_hint(err, "account %.*s may have no more in %.*s: delete one, or ask for more under Service Quotas, Amazon Redshift",
                SF_ARG(op->site->account), SF_ARG(op->site->region));
    if (sf_aws_is_error(err, "InsufficientClusterCapacity", NULL))
        sf_hint(err, "AWS has no such nodes free just now: try again later, another node_type, or aws: {serverless: {}}");
}

enum sf_code sf_redshift_create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    const struct sf_value *reply = NULL;
    struct sf_aws_call call = {.service = SF_AWS_REDSHIFT,
                               .action = "CreateCluster",
                               .effect = SF_AWS_MAKE,
                               .params = create_params(op, want),
                               .resource = arn_of(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (rc && sf_aws_is_error(err, "ClusterAlreadyExists", NULL))
        rc = check_taken(op, id, err);
    else if (rc && sf_aws_awaits_role(op, sf_map_getz(want, CLUSTER_ROLES), err))
        return sf_cluster_wait(out, true, AGAIN_MS, "Redshift to see the new role");
    if (rc) {
        explain_quota(op, err);
        return rc;
    }
    out->id = id;
    rc = sf_op_made(op, id, err);
    if (!rc && !sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false))
        rc = sf_cluster_note_password(op, want, true, err);
    /* to pause it is the rest of the work; else it is only waited for */
    return rc ? rc : sf_cluster_wait(out, !sf_map_bool(want, CLUSTER_RUNNING, true), SETTLED_MS, "the cluster, which is creating");
}

/* --- destroy --- */

enum sf_code sf_redshift_destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    static const char waiting_for[] = "the cluster to be gone";
    const struct sf_value *cluster = NULL;
    struct sf_value *params = sf_value_map(op->arena);
    struct sf_str snapshot = sf_map_str(op->self->attrs, CLUSTER_FINAL_SNAPSHOT);
    out->id = id;
    enum sf_code rc = describe(op, id, &cluster, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc)
        return rc;
    if (sf_cluster_is_foreign(op, what_of(op, id), tags_of(op, cluster))) /* ours is gone, and this is not it */
        return SF_OK;
    if (sf_str_is(status_of(cluster), "deleting") || sf_str_is(status_of(cluster), "final-snapshot"))
        return sf_cluster_wait(out, true, AGAIN_MS, waiting_for);
    sf_map_set_bool(op->arena, params, "SkipFinalClusterSnapshot", snapshot.n == 0);
    set_if_known(op, params, "FinalClusterSnapshotIdentifier", snapshot);
    rc = put(op, id, "DeleteCluster", params, &cluster, err);
    if (rc == SF_E_ABSENT)
        return SF_OK;
    if (rc && is_busy_error(err))
        return sf_cluster_wait(out, true, AGAIN_MS, "the cluster to be done with what it is doing");
    if (rc && sf_aws_is_error(err, "ClusterSnapshotAlreadyExists", NULL))
        sf_hint(err,
                "give final_snapshot another name, or delete it: aws redshift delete-cluster-snapshot --snapshot-identifier %.*s",
                SF_ARG(snapshot));
    if (rc)
        return rc;
    if (snapshot.n)
        sf_op_warn(op, "snapshot '%.*s' stays, and costs money: aws redshift delete-cluster-snapshot --snapshot-identifier %.*s",
                   SF_ARG(snapshot), SF_ARG(snapshot));
    return sf_cluster_wait(out, true, SETTLED_MS, waiting_for);
}

/* --- preflight --- */

enum sf_code sf_redshift_preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    enum sf_code rc = id.n ? check_taken(op, id, err) : SF_OK;
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

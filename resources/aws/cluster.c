/* kind `cluster`, AWS: a Redshift cluster (redshift.h) or a serverless workgroup (serverless.h), as `deployment` says, which
 * follows from whether the stack gives `serverless`. What is wrong with the words of the stack file is said here, while planning.
 */
#include "attr/cluster.h"
#include "resources/aws/direct.h"
#include "resources/aws/login.h"
#include "resources/aws/redshift.h"
#include "resources/aws/serverless.h"

#include "engine/core/json.h"

enum { MAX_PASSWORD = 64, MIN_PASSWORD = 8, RPU_STEP = 8, LEAST_RPUS = 4, MIN_SERVERLESS_NAME = 3 };

/* What RA3 and later nodes and workgroups listen on. Source: CreateCluster, Port. */
static const struct {
    int64_t from, to;
} port_ranges[] = {{5431, 5455}, {8191, 8215}};

/* Source: CreateCluster, NodeType; and the management guide's table of node ranges. */
static const struct {
    const char *name;
    int64_t least_nodes;
} node_types[] = {
    {"ra3.large", 1}, {"ra3.xlplus", 1}, {"ra3.4xlarge", 2}, {"ra3.16xlarge", 2},
    {"rg.large", 1},  {"rg.xlarge", 1},  {"rg.4xlarge", 1},  {"rg.12xlarge", 1},
};

/* Attributes that only one of the deployments has. */
static const struct {
    const char *attr;
    bool is_serverless;
} one_sided[] = {
    {CLUSTER_SUBNETS, true},       {CLUSTER_NODE_TYPE, false},          {CLUSTER_NUMBER_OF_NODES, false},
    {CLUSTER_SUBNET_GROUP, false}, {CLUSTER_MAINTENANCE_WINDOW, false},
};

static bool is_serverless(const struct sf_value *attrs)
{
    struct sf_str deployment = sf_map_str(attrs, CLUSTER_DEPLOYMENT);
    const struct sf_value *block = sf_map_getz(attrs, CLUSTER_SERVERLESS);
    return deployment.n ? sf_str_is(deployment, "serverless") : block && block->type == SF_V_MAP;
}

/* --- what is wrong with the words of the stack file --- */

static enum sf_code check_identifier(struct sf_str id, bool serverless, struct sf_err *err)
{
    bool is_good = id.n >= (serverless ? MIN_SERVERLESS_NAME : 1) && !sf_str_ends(id, SF_STR("-")) &&
                   sf_str_find(id, SF_STR("--")) == SIZE_MAX && id.p[0] >= 'a' && id.p[0] <= 'z';
    if (is_good)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%.*s' cannot be a cluster's identifier on AWS", SF_ARG(id));
    sf_hint(err, "begin with a letter, do not end with '-', no two '-' in a row%s", serverless ? ", at least 3 characters" : "");
    return SF_E_CONFIG;
}

static enum sf_code check_name(const struct sf_value *want, const char *attr, struct sf_err *err)
{
    static const char *const reserved[] = {"public", "template0", "template1", "padb_harvest", "rdsdb", "none"};
    struct sf_str name = sf_map_str(want, attr);
    bool is_good = true;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        is_good = is_good && ((c >= 'a' && c <= 'z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_')));
    }
    for (size_t i = 0; i < SF_COUNT(reserved); i++)
        is_good = is_good && !sf_str_is(name, reserved[i]);
    if (is_good)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%.*s' cannot be a cluster's %s on AWS", SF_ARG(name), attr);
    sf_hint(err, "use a-z, 0-9 and '_', beginning with a letter, and no word that Redshift reserves");
    return SF_E_CONFIG;
}

/* Source: CreateCluster, MasterUserPassword. */
static enum sf_code check_password_text(struct sf_str text, struct sf_err *err)
{
    bool has_upper = false, has_lower = false, has_digit = false, is_plain = true;
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        has_upper |= c >= 'A' && c <= 'Z';
        has_lower |= c >= 'a' && c <= 'z';
        has_digit |= c >= '0' && c <= '9';
        is_plain = is_plain && c > ' ' && c <= '~' && !strchr("'\"\\/@", c);
    }
    if (has_upper && has_lower && has_digit && is_plain && text.n >= MIN_PASSWORD && text.n <= MAX_PASSWORD)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "Redshift would refuse the password: %s",
            !is_plain                                        ? "it has a blank or one of ' \" \\ / @"
            : text.n < MIN_PASSWORD || text.n > MAX_PASSWORD ? "it must have 8 to 64 characters"
            : !has_upper                                     ? "it has no upper-case letter"
            : !has_lower                                     ? "it has no lower-case letter"
                                                             : "it has no digit");
    sf_hint(err, "let sfstack make one: generate: {length: 32} on the variable; or aws: {manage_password: true}");
    return SF_E_CONFIG;
}

static enum sf_code check_password(const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *password = sf_map_getz(want, CLUSTER_PASSWORD), *managed = sf_map_getz(want, CLUSTER_MANAGE_PASSWORD);
    bool is_given = password && password->type != SF_V_NULL, is_managed = sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false);
    if (managed && managed->type == SF_V_UNKNOWN)
        return SF_OK;
    if (is_given == is_managed) {
        sf_fail(err, SF_E_CONFIG,
                is_given ? "a cluster has either a password or manage_password: true, not both"
                         : "a cluster needs a password, or manage_password: true");
        sf_hint(
            err,
            is_given
                ? "leave one of them out"
                : "write `password: \"${var.db_password}\"`, or `aws: {manage_password: true}` to have Secrets Manager keep one");
        return SF_E_CONFIG;
    }
    return is_given && password->type == SF_V_STRING ? check_password_text(password->s, err) : SF_OK;
}

static enum sf_code check_port(const struct sf_value *want, struct sf_err *err)
{
    int64_t port = sf_map_int(want, CLUSTER_PORT, port_ranges[0].from);
    for (size_t i = 0; i < SF_COUNT(port_ranges); i++)
        if (port >= port_ranges[i].from && port <= port_ranges[i].to)
            return SF_OK;
    sf_fail(err, SF_E_CONFIG, "Redshift does not listen on port %lld", (long long)port);
    sf_hint(err, "choose one of %lld to %lld or %lld to %lld", (long long)port_ranges[0].from, (long long)port_ranges[0].to,
            (long long)port_ranges[1].from, (long long)port_ranges[1].to);
    return SF_E_CONFIG;
}

static enum sf_code check_nodes(const struct sf_value *want, struct sf_err *err)
{
    struct sf_str type = sf_map_str(want, CLUSTER_NODE_TYPE);
    int64_t nodes = sf_map_int(want, CLUSTER_NUMBER_OF_NODES, SF_REDSHIFT_USUAL_NODES);
    const struct sf_value *number = sf_map_getz(want, CLUSTER_NUMBER_OF_NODES);
    for (size_t i = 0; i < SF_COUNT(node_types); i++) {
        if (!sf_str_is(type, node_types[i].name))
            continue;
        if (nodes >= node_types[i].least_nodes || (number && number->type != SF_V_INT))
            return SF_OK;
        sf_fail(err, SF_E_CONFIG, "a cluster of '%s' has at least %lld nodes", node_types[i].name,
                (long long)node_types[i].least_nodes);
        sf_hint(err, "write number_of_nodes: %lld, or a smaller node_type", (long long)node_types[i].least_nodes);
        return SF_E_CONFIG;
    }
    bool is_old = sf_str_starts(type, SF_STR("dc")) || sf_str_starts(type, SF_STR("ds"));
    if (!type.n || (!is_old && (sf_str_starts(type, SF_STR("ra3.")) || sf_str_starts(type, SF_STR("rg.")))))
        return SF_OK; /* a size that is newer than this program: AWS knows */
    sf_fail(err, SF_E_CONFIG, is_old ? "AWS makes no clusters of '%.*s' any more" : "'%.*s' is not a node type", SF_ARG(type));
    sf_hint(err, "choose ra3.large, ra3.xlplus, ra3.4xlarge or ra3.16xlarge; or aws: {serverless: {}}");
    return SF_E_CONFIG;
}

static enum sf_code check_capacity(const struct sf_value *size, struct sf_err *err)
{
    int64_t base = sf_map_int(size, CLUSTER_SERVERLESS_BASE_RPUS, RPU_STEP),
            most = sf_map_int(size, CLUSTER_SERVERLESS_MAX_RPUS, base);
    if ((base == LEAST_RPUS || base % RPU_STEP == 0) && most >= base)
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, most < base ? "max_rpus %lld is less than base_rpus" : "base_rpus cannot be %lld",
            (long long)(most < base ? most : base));
    sf_hint(err, "base_rpus is 4 or a multiple of 8; max_rpus is at least that, or left out");
    return SF_E_CONFIG;
}

static enum sf_code check_deployment(const struct sf_value *want, bool serverless, struct sf_err *err)
{
    for (size_t i = 0; i < SF_COUNT(one_sided); i++) {
        if (!sf_map_getz(want, one_sided[i].attr) || one_sided[i].is_serverless == serverless)
            continue;
        sf_fail(err, SF_E_CONFIG, "'%s' is for a %s cluster", one_sided[i].attr, serverless ? "provisioned" : "serverless");
        sf_hint(err, "leave it out, or %s `serverless`", serverless ? "leave out" : "add");
        return SF_E_CONFIG;
    }
    if (serverless && !sf_map_bool(want, CLUSTER_RUNNING, true)) {
        sf_fail(err, SF_E_CONFIG,
                "a serverless cluster cannot be stopped: its workgroup costs nothing while nobody asks it anything");
        sf_hint(err, "leave out `running`");
        return SF_E_CONFIG;
    }
    if (!sf_map_bool(want, CLUSTER_ENCRYPTED, true)) {
        sf_fail(err, SF_E_CONFIG, "AWS makes no cluster that does not encrypt what it stores");
        sf_hint(err, "leave out `encrypted`");
        return SF_E_CONFIG;
    }
    return serverless ? check_capacity(sf_map_getz(want, CLUSTER_SERVERLESS), err) : check_nodes(want, err);
}

/* A role of this stack that does not let Redshift use it would be refused only after the cluster was asked for. */
static enum sf_code check_roles(struct sf_op *op, struct sf_err *err)
{
    const struct sf_object *role;
    for (size_t i = 0; (role = sf_op_ref(op, NULL, CLUSTER_ROLES, i)) != NULL; i++) {
        const struct sf_value *trust = sf_map_getz(role->attrs, "trust");
        if (!trust || sf_value_has_unknown(trust, NULL))
            continue;
        struct sf_str text = trust->type == SF_V_STRING ? trust->s : sf_json_text(op->arena, trust, SF_JSON_PLAIN);
        if (sf_str_find(text, SF_STR("redshift")) != SIZE_MAX)
            continue;
        sf_fail(err, SF_E_CONFIG, "'%.*s' does not trust Redshift, so no cluster can use it", SF_ARG(role->address));
        sf_hint(err, "write `trust: redshift` there, or take it out of `roles`");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *block = sf_map_getz(want, CLUSTER_SERVERLESS);
    bool serverless = block && block->type == SF_V_MAP;
    struct sf_str id = sf_map_str(want, CLUSTER_IDENTIFIER);
    sf_map_set_str(op->arena, want, CLUSTER_DEPLOYMENT, serverless ? SF_STR("serverless") : SF_STR("provisioned"));
    struct sf_str login = sf_login_of(want);
    if (login.n)
        sf_map_set_str(op->arena, want, CLUSTER_LOGIN, login);
    enum sf_code rc = id.n ? check_identifier(id, serverless, err) : SF_OK;
    if (!rc)
        rc = check_name(want, CLUSTER_DATABASE, err);
    if (!rc)
        rc = check_name(want, CLUSTER_USERNAME, err);
    if (!rc)
        rc = check_password(want, err);
    if (!rc)
        rc = check_port(want, err);
    if (!rc)
        rc = check_deployment(want, serverless, err);
    if (!rc)
        rc = sf_aws_direct_review(op, want, err);
    return rc ? rc : check_roles(op, err);
}

/* --- the driver --- */

static enum sf_code read_cluster(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    return is_serverless(op->self->attrs) ? sf_serverless_read(op, id, out, err) : sf_redshift_read(op, id, out, err);
}

static enum sf_code find(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    return is_serverless(want) ? sf_serverless_find(op, want, out, err) : sf_redshift_find(op, want, out, err);
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    return is_serverless(want) ? sf_serverless_create(op, want, out, err) : sf_redshift_create(op, want, out, err);
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    return is_serverless(want) ? sf_serverless_update(op, id, have, want, out, err)
                               : sf_redshift_update(op, id, have, want, out, err);
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    return is_serverless(op->self->attrs) ? sf_serverless_destroy(op, id, out, err) : sf_redshift_destroy(op, id, out, err);
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    return is_serverless(want) ? sf_serverless_preflight(op, want, err) : sf_redshift_preflight(op, want, err);
}

static const struct sf_need needs[] = {
    {"redshift:CreateCluster redshift:DescribeClusters redshift:ModifyCluster redshift:ResizeCluster "
     "redshift:ModifyClusterIamRoles "
     "redshift:PauseCluster redshift:ResumeCluster redshift:DeleteCluster redshift:CreateTags redshift:DeleteTags",
     "arn:{partition}:redshift:{region}:{account}:cluster:{identifier}"},
    {"redshift:CreateClusterSnapshot", "arn:{partition}:redshift:{region}:{account}:snapshot:{identifier}/*"},
    {"redshift-serverless:CreateNamespace redshift-serverless:GetNamespace redshift-serverless:UpdateNamespace "
     "redshift-serverless:DeleteNamespace redshift-serverless:CreateSnapshot redshift-serverless:ListTagsForResource "
     "redshift-serverless:TagResource redshift-serverless:UntagResource",
     "arn:{partition}:redshift-serverless:{region}:{account}:namespace/*"},
    {"redshift-serverless:CreateWorkgroup redshift-serverless:GetWorkgroup redshift-serverless:UpdateWorkgroup "
     "redshift-serverless:DeleteWorkgroup redshift-serverless:ListTagsForResource redshift-serverless:TagResource "
     "redshift-serverless:UntagResource",
     "arn:{partition}:redshift-serverless:{region}:{account}:workgroup/*"},
    {"secretsmanager:CreateSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue "
     "secretsmanager:RestoreSecret secretsmanager:DeleteSecret secretsmanager:TagResource",
     "arn:{partition}:secretsmanager:{region}:{account}:secret:sfstack/*"},
    /* a password that Redshift manages: Management Guide, "Managing Amazon Redshift admin passwords" */
    {"secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret secretsmanager:GetSecretValue "
     "secretsmanager:RotateSecret secretsmanager:TagResource secretsmanager:UpdateSecret",
     "arn:{partition}:secretsmanager:{region}:{account}:secret:redshift!*"},
    /* statements */
    {"redshift-data:BatchExecuteStatement redshift-data:ExecuteStatement",
     "arn:{partition}:redshift:{region}:{account}:cluster:{identifier}"},
    {"redshift-data:BatchExecuteStatement redshift-data:ExecuteStatement",
     "arn:{partition}:redshift-serverless:{region}:{account}:workgroup/*"},
    {"redshift-data:CancelStatement redshift-data:DescribeStatement redshift-data:GetStatementResult "
     "secretsmanager:GetRandomPassword",
     "*"},
    {"redshift:GetClusterCredentials", "arn:{partition}:redshift:{region}:{account}:dbuser:{identifier}/*"},
    {"redshift:GetClusterCredentials", "arn:{partition}:redshift:{region}:{account}:dbname:{identifier}/{database}"},
    {"ec2:DescribeSecurityGroups ec2:DescribeVpcs ec2:DescribeSubnets ec2:DescribeAvailabilityZones ec2:DescribeAccountAttributes",
     "*"},
    {"iam:PassRole", "{roles}"},
    {"iam:CreateServiceLinkedRole",
     "arn:{partition}:iam::{account}:role/aws-service-role/redshift.amazonaws.com/AWSServiceRoleForRedshift"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_cluster;
const struct sf_driver sf_driver_aws_cluster = {.kind = "cluster",
                                                .world = "aws",
                                                .read = read_cluster,
                                                .find = find,
                                                .create = create,
                                                .destroy = destroy,
                                                .update = update,
                                                .preflight = preflight,
                                                .derive = derive,
                                                .needs = needs};

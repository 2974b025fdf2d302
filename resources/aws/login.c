/* See login.h. */
#include "resources/aws/login.h"

#include "attr/cluster.h"
#include "engine/core/json.h"
#include "resources/aws/cluster_parts.h"

struct sf_str sf_login_of(const struct sf_value *want)
{
    const struct sf_value *managed = sf_map_getz(want, CLUSTER_MANAGE_PASSWORD);
    if (managed && managed->type == SF_V_UNKNOWN)
        return SF_STR_NONE;
    if (sf_map_bool(want, CLUSTER_MANAGE_PASSWORD, false))
        return SF_STR(SF_LOGIN_MANAGED);
    bool is_serverless = sf_str_is(sf_map_str(want, CLUSTER_DEPLOYMENT), "serverless");
    return is_serverless ? SF_STR(SF_LOGIN_KEPT) : SF_STR(SF_LOGIN_TEMPORARY);
}

bool sf_login_is_kept(const struct sf_value *attrs)
{
    return sf_str_is(sf_map_str(attrs, CLUSTER_LOGIN), SF_LOGIN_KEPT);
}

/* --- the secret --- */

static struct sf_str name_of(struct sf_op *op, struct sf_str cluster)
{
    return sf_str_fmt(op->arena, "sfstack/%.*s/%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage), SF_ARG(cluster));
}

static struct sf_value *named(struct sf_op *op, struct sf_str cluster)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "SecretId", name_of(op, cluster));
    return params;
}

static enum sf_code call(struct sf_op *op, const char *action, enum sf_aws_effect effect, const struct sf_value *params,
                         const struct sf_value **reply, struct sf_err *err)
{
    const struct sf_aws_call request = {.service = SF_AWS_SECRETS,
                                        .action = action,
                                        .effect = effect,
                                        .params = params,
                                        .resource = sf_aws_arn(op, "secretsmanager", true, "secret:sfstack/*")};
    return sf_aws_call(op, &request, reply, err);
}

/* SF_E_ABSENT also for one that somebody deleted and that only waits for its end; *is_deleted then. */
static enum sf_code get(struct sf_op *op, struct sf_str cluster, const struct sf_value **secret, bool *is_deleted,
                        struct sf_err *err)
{
    enum sf_code rc = call(op, "GetSecretValue", SF_AWS_READ, named(op, cluster), secret, err);
    *is_deleted = rc && sf_aws_is_error(err, "InvalidRequestException", "delet");
    return *is_deleted ? SF_E_ABSENT : rc;
}

/* The password in it is the one that was set last, of which the state keeps a fingerprint. */
static bool is_current(struct sf_op *op, const struct sf_value *secret)
{
    const struct sf_value *content = NULL;
    struct sf_err ignored = {0};
    struct sf_str text = sf_aws_text(secret, "SecretString");
    return sf_json_parse(op->arena, text, "secret", SF_JSON_PLAIN, &content, &ignored) == SF_OK && content->type == SF_V_MAP &&
           sf_cluster_is_password_set(op, sf_map_str(content, "password"));
}

enum sf_code sf_login_read(struct sf_op *op, struct sf_str cluster, struct sf_value *attrs, struct sf_err *err)
{
    static const char *const chosen[] = {CLUSTER_CONNECTION, CLUSTER_CA, CLUSTER_LOGIN};
    const struct sf_value *secret = NULL;
    bool is_deleted = false;
    for (size_t i = 0; op->is_adopting && i < SF_COUNT(chosen); i++)
        if (sf_map_getz(op->self->attrs, chosen[i]))
            sf_map_set(op->arena, attrs, sf_str_of(chosen[i]), sf_map_getz(op->self->attrs, chosen[i]));
    if (!sf_login_is_kept(op->self->attrs) || sf_map_bool(attrs, CLUSTER_MANAGE_PASSWORD, false))
        return SF_OK;
    enum sf_code rc = get(op, cluster, &secret, &is_deleted, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    const char *login = rc ? "none" : is_current(op, secret) || op->is_adopting ? SF_LOGIN_KEPT : "a secret with another password";
    sf_map_set_str(op->arena, attrs, CLUSTER_LOGIN, sf_str_of(login));
    if (!rc)
        sf_map_set_str(op->arena, attrs, CLUSTER_MASTER_SECRET, sf_aws_text(secret, "ARN"));
    return SF_OK;
}

bool sf_login_remains(struct sf_op *op, struct sf_str cluster)
{
    const struct sf_value *secret = NULL;
    struct sf_err ignored = {0};
    bool is_deleted = false;
    return sf_login_is_kept(op->self->attrs) && get(op, cluster, &secret, &is_deleted, &ignored) == SF_OK;
}

static const struct sf_value *text_of(struct sf_op *op, const struct sf_value *want)
{
    struct sf_value *secret = sf_value_map(op->arena);
    sf_map_set_str(op->arena, secret, "username", sf_map_str(want, CLUSTER_USERNAME));
    sf_map_set_str(op->arena, secret, "password", sf_map_str(want, CLUSTER_PASSWORD));
    return sf_value_secret(op->arena, sf_json_text(op->arena, secret, SF_JSON_PLAIN));
}

static enum sf_code make(struct sf_op *op, struct sf_str cluster, const struct sf_value *want, bool *is_settling,
                         struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "Name", name_of(op, cluster));
    sf_map_set_str(op->arena, params, "Description",
                   sf_str_fmt(op->arena, "master user of '%.*s', for the Redshift Data API", SF_ARG(cluster)));
    sf_map_set(op->arena, params, SF_STR("SecretString"), text_of(op, want));
    sf_map_set(op->arena, params, SF_STR("Tags"), sf_aws_tags_of(op, want, &sf_aws_tags_upper));
    enum sf_code rc = call(op, "CreateSecret", SF_AWS_PUT, params, NULL, err);
    *is_settling = rc && sf_aws_is_error(err, "InvalidRequestException", "scheduled for deletion");
    return *is_settling ? SF_OK : rc;
}

enum sf_code sf_login_put(struct sf_op *op, struct sf_str cluster, const struct sf_value *want, bool *is_settling,
                          struct sf_err *err)
{
    const struct sf_value *held = NULL;
    bool is_deleted = false;
    *is_settling = false;
    if (!sf_login_is_kept(want))
        return SF_OK;
    if (!sf_map_str(want, CLUSTER_PASSWORD).n)
        return sf_fail(err, SF_E_INTERNAL, "the password of cluster '%.*s' is not at hand", SF_ARG(cluster));
    enum sf_code rc = get(op, cluster, &held, &is_deleted, err);
    if (rc == SF_E_ABSENT && is_deleted)
        rc = call(op, "RestoreSecret", SF_AWS_PUT, named(op, cluster), NULL, err);
    else if (rc == SF_E_ABSENT)
        return make(op, cluster, want, is_settling, err);
    if (rc)
        return rc;
    const struct sf_value *text = text_of(op, want);
    if (!is_deleted && sf_str_eq(sf_aws_text(held, "SecretString"), text->s))
        return SF_OK;
    struct sf_value *params = named(op, cluster);
    sf_map_set(op->arena, params, SF_STR("SecretString"), text);
    return call(op, "PutSecretValue", SF_AWS_PUT, params, NULL, err);
}

enum sf_code sf_login_drop(struct sf_op *op, struct sf_str cluster, struct sf_err *err)
{
    struct sf_value *params = named(op, cluster);
    sf_map_set_bool(op->arena, params, "ForceDeleteWithoutRecovery", true);
    enum sf_code rc = call(op, "DeleteSecret", SF_AWS_PUT, params, NULL, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

/* --- logging in --- */

static enum sf_code take_secret(struct sf_op *op, struct sf_str arn, struct sf_str *user, struct sf_str *password,
                                struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *secret = NULL, *content = NULL;
    struct sf_err ignored = {0};
    sf_map_set_str(op->arena, params, "SecretId", arn);
    const struct sf_aws_call request = {
        .service = SF_AWS_SECRETS, .action = "GetSecretValue", .effect = SF_AWS_READ, .params = params, .resource = arn};
    enum sf_code rc = sf_aws_call(op, &request, &secret, err);
    if (rc)
        return rc;
    struct sf_str text = sf_aws_text(secret, "SecretString");
    if (!sf_json_parse(op->arena, text, "secret", SF_JSON_PLAIN, &content, &ignored) && content->type == SF_V_MAP) {
        *user = sf_map_str(content, "username");
        *password = sf_map_str(content, "password");
    }
    if (user->n && password->n)
        return SF_OK;
    return sf_fail(err, SF_E_AUTH, "secret '%.*s' holds no username and password", SF_ARG(arn));
}

static enum sf_code take_temporary(struct sf_op *op, const struct sf_object *cluster, struct sf_str *user, struct sf_str *password,
                                   struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    struct sf_str name = sf_map_str(cluster->attrs, CLUSTER_USERNAME);
    sf_map_set_str(op->arena, params, "ClusterIdentifier", cluster->id);
    sf_map_set_str(op->arena, params, "DbName", sf_map_str(cluster->attrs, CLUSTER_DATABASE));
    sf_map_set_str(op->arena, params, "DbUser", name);
    sf_map_set_bool(op->arena, params, "AutoCreate", false);
    const struct sf_aws_call request = {
        .service = SF_AWS_REDSHIFT,
        .action = "GetClusterCredentials",
        .effect = SF_AWS_READ,
        .params = params,
        .resource = sf_aws_arn(op, "redshift", true, "dbuser:%.*s/%.*s", SF_ARG(cluster->id), SF_ARG(name))};
    enum sf_code rc = sf_aws_call(op, &request, &reply, err);
    *user = sf_aws_text(reply, "DbUser");
    *password = sf_aws_text(reply, "DbPassword");
    return rc;
}

enum sf_code sf_login_take(struct sf_op *op, const struct sf_object *cluster, struct sf_str *user, struct sf_str *password,
                           struct sf_err *err)
{
    const struct sf_value *clear = sf_map_getz(cluster->attrs, CLUSTER_PASSWORD);
    struct sf_str secret = sf_map_str(cluster->attrs, CLUSTER_MASTER_SECRET);
    *user = sf_map_str(cluster->attrs, CLUSTER_USERNAME);
    *password = SF_STR_NONE;
    if (clear && clear->type == SF_V_STRING && !sf_map_bool(cluster->attrs, CLUSTER_MANAGE_PASSWORD, false)) {
        *password = clear->s;
        return SF_OK;
    }
    if (secret.n)
        return take_secret(op, secret, user, password, err);
    if (!sf_str_is(sf_map_str(cluster->attrs, CLUSTER_DEPLOYMENT), "serverless"))
        return take_temporary(op, cluster, user, password, err);
    sf_fail(err, SF_E_AUTH, "the password of cluster '%.*s' is needed, and this run does not have it", SF_ARG(cluster->id));
    sf_hint(err, "give the variable that its `password` comes from, as in SF_VAR_name=..., or apply: that puts it into its secret");
    return SF_E_AUTH;
}

/* See direct.h. */
#include "resources/aws/direct.h"

#include "attr/cluster.h"
#include "attr/security_group.h"
#include "engine/core/clock.h"
#include "resources/aws/client/client.h"
#include "resources/aws/cluster_parts.h"
#include "resources/aws/data_api.h"
#include "resources/aws/login.h"
#include "resources/aws/warehouse.h"
#include "resources/net/pg.h"

#include <stdio.h>
#include <unistd.h>

enum { CONNECT_MS = 20000, DEFAULT_WAIT_MS = 600000, USUAL_PORT = 5439 };

/* Where systems keep the authorities they trust. Redshift's certificates are signed by Amazon Trust Services, which is among them.
 * Source: Redshift Management Guide, "Configuring security options for connections". */
static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                      "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

/* --- connecting --- */

static enum sf_code find_ca(struct sf_op *op, const struct sf_value *attrs, const char **path, struct sf_err *err)
{
    struct sf_str given = sf_map_str(attrs, CLUSTER_CA);
    if (given.n) {
        *path = given.p[0] == '/' ? sf_str_dup(op->arena, given).p
                                  : sf_str_fmt(op->arena, "%s/%.*s", op->site->stack_dir, SF_ARG(given)).p;
        if (access(*path, R_OK) == 0)
            return SF_OK;
        sf_fail_errno(err, SF_E_CONFIG, "cannot read '%s', which `ca` names", *path);
    } else {
        for (size_t i = 0; i < SF_COUNT(bundles); i++)
            if (access(*path = bundles[i], R_OK) == 0)
                return SF_OK;
        sf_fail(err, SF_E_CONFIG, "this system has no file of certificate authorities, so no server's name can be verified");
    }
    sf_hint(err,
            "`aws: {ca: FILE}` on the cluster; Amazon's is https://s3.amazonaws.com/redshift-downloads/amazon-trust-ca-bundle.crt");
    return SF_E_CONFIG;
}

static bool is_stopped(void *op)
{
    return sf_op_is_cancelled(op);
}

static void pass_warning(void *op, const char *message)
{
    sf_op_warn(op, "%s", message);
}

static bool says(const struct sf_err *err, const char *text)
{
    return strstr(err->message, text) != NULL;
}

/* "paused", "resuming"; empty when it is not provisioned or will not say. */
static struct sf_str ask_status(struct sf_op *op, const struct sf_object *cluster)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    struct sf_err ignored = {0};
    if (sf_str_is(sf_map_str(cluster->attrs, CLUSTER_DEPLOYMENT), "serverless") || sf_op_is_cancelled(op))
        return SF_STR_NONE;
    sf_map_set_str(op->arena, params, "ClusterIdentifier", cluster->id);
    const struct sf_aws_call call = {.service = SF_AWS_REDSHIFT, .action = "DescribeClusters", .params = params};
    if (sf_aws_call(op, &call, &reply, &ignored))
        return SF_STR_NONE;
    const struct sf_value *clusters = sf_aws_items(op->arena, reply, "Clusters.Cluster");
    return clusters->list.n ? sf_aws_text(clusters->list.items[0], "ClusterStatus") : SF_STR_NONE;
}

/* Why nobody got in. */
static enum sf_code explain_connect(struct sf_op *op, const struct sf_object *cluster, const struct sf_pg_target *target,
                                    enum sf_code rc, struct sf_err *err)
{
    if (says(err, "does not match host name")) { /* libpq names both */
        sf_hint(err,
                "another server answers in the cluster's place: see what '%s' resolves to here, and whether a tunnel or proxy "
                "stands between",
                target->host);
        return err->code = SF_E_REFUSED;
    }
    if (says(err, "certificate verify failed") || says(err, "root certificate file") || says(err, "does not support SSL")) {
        sf_hint(err,
                "the server's certificate is not signed by any authority in '%s': see that nobody stands between, or give "
                "`aws: {ca: FILE}` on the cluster",
                target->ssl_root_cert);
        return err->code = SF_E_REFUSED;
    }
    if (rc == SF_E_AUTH)
        sf_hint(err, "the password of '%s' is another in the warehouse than in the stack: a change of it sets it", target->user);
    else if (rc == SF_E_DENIED)
        sf_hint(err, "the warehouse lets user '%s' in from nowhere, or not from here", target->user);
    if (rc != SF_E_UNAVAILABLE)
        return rc;
    struct sf_str status = ask_status(op, cluster);
    if (sf_str_is(status, "paused"))
        return sf_cluster_refuse_paused(op, cluster->id, false, err);
    if (status.n && !sf_str_is(status, "available"))
        sf_context(err, "cluster '%.*s' is %.*s", SF_ARG(cluster->id), SF_ARG(status));
    sf_hint(err,
            "is port %d open from here? a security group of the cluster must admit this machine's address, and %s; or "
            "`connection: data_api`, which needs no open port",
            target->port,
            sf_map_bool(cluster->attrs, CLUSTER_PUBLICLY_ACCESSIBLE, false) ? "its VPC must have a way in"
                                                                            : "this machine must be in its VPC");
    return rc;
}

static enum sf_code connect(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                            const char *application, struct sf_pg **conn, struct sf_err *err)
{
    struct sf_str host = sf_map_str(cluster->attrs, CLUSTER_HOST);
    const char *ca = NULL;
    if (!cluster->id.n || !host.n) {
        sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' has no address yet", SF_ARG(cluster->name));
        sf_hint(err, "sfapply makes it");
        return SF_E_UNAVAILABLE;
    }
    if (!sf_map_bool(cluster->attrs, CLUSTER_RUNNING, true))
        return sf_cluster_refuse_paused(op, cluster->id, true, err);
    enum sf_code rc = find_ca(op, cluster->attrs, &ca, err);
    if (rc)
        return rc;
    int64_t deadline_ms = op->deadline_ms > 0 ? op->deadline_ms : sf_clock_ms() + DEFAULT_WAIT_MS,
            left = deadline_ms - sf_clock_ms();
    struct sf_pg_target target = {
        .host = sf_str_dup(op->arena, host).p,
        .port = (int)sf_map_int(cluster->attrs, CLUSTER_PORT, USUAL_PORT),
        .user = sf_str_dup(op->arena, user).p,
        .database = sf_str_dup(op->arena, sf_map_str(cluster->attrs, CLUSTER_DATABASE)).p,
        .password = sf_str_dup(op->arena, password).p,
        .ssl_mode = "verify-full",
        .ssl_root_cert = ca,
        .application_name = application,
        .setup = sf_str_fmt(op->arena,
                            "set statement_timeout to %lld; set datestyle to 'ISO, YMD'; set timezone to 'UTC'; "
                            "set extra_float_digits to 1",
                            (long long)(left < 1000 ? 1000 : left))
                     .p,
        .connect_ms = CONNECT_MS,
        .deadline_ms = deadline_ms,
        .is_cancelled = is_stopped,
        .warn = pass_warning,
        .ctx = op,
    };
    rc = sf_pg_open(op->arena, &target, conn, err);
    return rc && rc != SF_E_CANCELLED ? explain_connect(op, cluster, &target, rc, err) : rc;
}

static enum sf_code connect_as_master(struct sf_op *op, const struct sf_object *cluster, struct sf_pg **conn, struct sf_err *err)
{
    struct sf_str user = SF_STR_NONE, password = SF_STR_NONE;
    if (!sf_map_bool(cluster->attrs, CLUSTER_RUNNING, true)) /* a paused cluster gives no credentials either */
        return sf_cluster_refuse_paused(op, cluster->id, true, err);
    enum sf_code rc = sf_login_take(op, cluster, &user, &password, err);
    return rc ? rc : connect(op, cluster, user, password, "sfstack load", conn, err);
}

/* --- what a failure means --- */

/* Redshift has one SQLSTATE, XX000, for what is its own: COPY, roles, conflicts. The text says which. */
static enum sf_code explain(struct sf_op *op, enum sf_code rc, struct sf_err *err)
{
    if (rc == SF_E_DENIED && !err->hint[0])
        sf_hint(err, "the database user that this runs as lacks the right: grant it, or let its owner do it");
    if ((rc != SF_E_REFUSED && rc != SF_E_THROTTLED) || strcmp(err->remote_code, "XX000") != 0)
        return rc;
    struct sf_str text = sf_str_dup(op->arena, sf_str_of(err->message));
    rc = sf_data_api_failure(op->arena, text, err);
    if (!err->remote_code[0])
        snprintf(err->remote_code, sizeof err->remote_code, "XX000");
    return rc;
}

static void explain_copy(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *copy, struct sf_err *err)
{
    const struct sf_value *rows = NULL;
    struct sf_err local = {0};
    if (!sf_pg_exec(conn, SF_STR("ROLLBACK"), NULL, &local) &&
        !sf_pg_exec(conn, sf_aws_copy_errors_sql(op->arena, copy), &rows, &local)) /* else what COPY itself said stands */
        sf_aws_copy_explain(rows, err);
}

/* --- transactions --- */

static enum sf_code begin(struct sf_pg *conn, struct sf_err *err)
{
    enum sf_code rc = sf_pg_exec(conn, SF_STR("BEGIN"), NULL, err);
    return rc == SF_E_UNKNOWN ? sf_fail(err, SF_E_UNAVAILABLE, "lost the connection before the transaction began") : rc;
}

static enum sf_code run_statement(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *statement,
                                  const struct sf_value **rows, struct sf_err *err)
{
    struct sf_str sql = statement->sql;
    enum sf_code rc = SF_OK;
    if (statement->what)
        sf_op_progress(op, "%s", statement->what);
    if (!sql.n)
        rc = sf_aws_copy_make(op, statement, &sql, err);
    if (!rc)
        rc = explain(op, sf_pg_exec(conn, sql, rows, err), err);
    if (rc == SF_E_REFUSED && !statement->sql.n && sf_aws_copy_kept_rows(err))
        explain_copy(op, conn, statement, err);
    if (rc && statement->what)
        sf_context(err, "%s", statement->what);
    return rc;
}

static enum sf_code transact(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *statements, size_t n,
                             const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    const struct sf_value **results = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    bool is_alone = n == 1 && statements[0].opens; /* VACUUM, which no transaction takes */
    enum sf_code rc = is_alone ? SF_OK : begin(conn, err);
    for (size_t i = 0; !rc && i < n; i++) {
        const struct sf_value *result = NULL;
        *failed = i;
        rc = run_statement(op, conn, &statements[i], statements[i].wants_rows ? &result : NULL, err);
        results[i] = result ? result : &sf_null_value;
    }
    if (rc)
        return rc; /* closing the connection rolls back */
    *failed = n;
    if (!is_alone)
        rc = explain(op, sf_pg_commit(conn, err), err);
    if (!rc && rows)
        *rows = sf_value_list(op->arena, results, n);
    return rc;
}

static enum sf_code stage_one(struct sf_op *op, struct sf_pg *conn, const struct sf_statement *copy, struct sf_err *err)
{
    enum sf_code rc = begin(conn, err);
    for (size_t i = 0; !rc && i < copy->n_prepare; i++)
        rc = explain(op, sf_pg_exec(conn, copy->prepare[i], NULL, err), err);
    if (!rc)
        rc = run_statement(op, conn, copy, NULL, err);
    return rc ? rc : explain(op, sf_pg_commit(conn, err), err);
}

/* --- the calls --- */

/* What changed nothing, or nothing that matters, is not in doubt. */
static enum sf_code forget_doubt(enum sf_code rc, struct sf_err *err)
{
    if (rc == SF_E_UNKNOWN)
        rc = err->code = SF_E_UNAVAILABLE;
    return rc;
}

enum sf_code sf_aws_direct_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql, const struct sf_value **rows,
                                 struct sf_err *err)
{
    struct sf_pg *conn = NULL;
    enum sf_code rc = connect_as_master(op, cluster, &conn, err);
    if (!rc)
        rc = forget_doubt(explain(op, sf_pg_exec(conn, sql, rows, err), err), err);
    sf_pg_close(conn);
    return rc;
}

enum sf_code sf_aws_direct_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                 size_t *failed, struct sf_err *err)
{
    struct sf_pg *conn = NULL;
    *failed = 0;
    if (n == 0)
        return SF_OK;
    enum sf_code rc = connect_as_master(op, cluster, &conn, err);
    if (rc)
        return rc;
    sf_aws_copy_clean(op, copies[0].bucket);
    for (size_t i = 0; !rc && i < n; i++) {
        *failed = i;
        rc = stage_one(op, conn, &copies[i], err);
    }
    sf_aws_copy_clean(op, copies[0].bucket);
    sf_pg_close(conn);
    return forget_doubt(rc, err);
}

enum sf_code sf_aws_direct_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements, size_t n,
                               const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    struct sf_pg *conn = NULL;
    const struct sf_object *bucket = NULL;
    *failed = 0;
    for (size_t i = 0; i < n; i++)
        bucket = !statements[i].sql.n ? statements[i].bucket : bucket;
    enum sf_code rc = connect_as_master(op, cluster, &conn, err);
    if (!rc)
        rc = transact(op, conn, statements, n, rows, failed, err);
    if (bucket && conn)
        sf_aws_copy_clean(op, bucket);
    sf_pg_close(conn);
    return rc;
}

enum sf_code sf_aws_direct_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                               struct sf_str sql, struct sf_answer *out, struct sf_err *err)
{
    struct sf_pg *conn = NULL;
    enum sf_code rc = connect(op, cluster, user, password, "sfstack query", &conn, err);
    if (!rc)
        rc = sf_pg_exec(conn, SF_STR("begin read only"), NULL, err);
    if (!rc)
        rc = explain(op, sf_pg_ask(conn, sql, &out->columns, &out->rows, err), err);
    sf_pg_close(conn);
    return forget_doubt(rc, err);
}

/* --- the review of a plan --- */

/* Whether a rule lets somebody from outside reach the port over TCP. */
static bool admits(const struct sf_value *rule, int64_t port)
{
    const struct sf_value *from = sf_map_getz(rule, SECURITY_GROUP_INGRESS_FROM);
    struct sf_str protocol = sf_map_str(rule, SECURITY_GROUP_INGRESS_PROTOCOL);
    int64_t first = sf_map_int(rule, SECURITY_GROUP_INGRESS_PORT, 0),
            last = sf_map_int(rule, SECURITY_GROUP_INGRESS_TO_PORT, first ? first : UINT16_MAX);
    bool is_tcp = !protocol.n || sf_str_is(protocol, "tcp") || sf_str_is(protocol, "all");
    return is_tcp && from && from->type == SF_V_LIST && from->list.n > 0 && port >= first && port <= last;
}

/* Whether a client can be let in at all; true while that is not known. */
static bool may_admit(struct sf_op *op, const struct sf_object *cluster, const struct sf_value *want)
{
    int64_t port = sf_map_int(want, CLUSTER_PORT, USUAL_PORT);
    const struct sf_value *groups = sf_map_getz(want, CLUSTER_SECURITY_GROUPS);
    size_t n = groups && groups->type == SF_V_LIST ? groups->list.n : 0, known = 0;
    const struct sf_object *group;
    for (size_t i = 0; (group = sf_op_ref(op, cluster, CLUSTER_SECURITY_GROUPS, i)) != NULL; i++, known++) {
        const struct sf_value *rules = sf_map_getz(group->attrs, SECURITY_GROUP_INGRESS);
        if (!rules || rules->type != SF_V_LIST || sf_value_has_unknown(rules, NULL))
            return true;
        for (size_t k = 0; k < rules->list.n; k++)
            if (admits(rules->list.items[k], port))
                return true;
    }
    return known != n || (groups && groups->type == SF_V_UNKNOWN);
}

enum sf_code sf_aws_direct_review(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    const char *ca = NULL;
    if (!sf_str_is(sf_map_str(want, CLUSTER_CONNECTION), "direct"))
        return SF_OK;
    enum sf_code rc = find_ca(op, want, &ca, err);
    if (rc)
        return rc;
    if (!may_admit(op, NULL, want)) {
        sf_fail(err, SF_E_CONFIG, "the security groups of '%.*s' let nobody reach port %lld, and `connection: direct` needs it",
                SF_ARG(op->self->address), (long long)sf_map_int(want, CLUSTER_PORT, USUAL_PORT));
        sf_hint(err, "admit this machine's address there, or leave out `connection`: the Data API needs no open port");
        return SF_E_CONFIG;
    }
    const struct sf_value *is_public = sf_map_getz(want, CLUSTER_PUBLICLY_ACCESSIBLE);
    if (op->is_planning && is_public && is_public->type == SF_V_BOOL && !is_public->b)
        sf_op_warn(op, "'%.*s' has no public address: with `connection: direct` statements reach it from inside its VPC only",
                   SF_ARG(op->self->address));
    return SF_OK;
}

/* --- psql of a person --- */

bool sf_aws_warehouse_client(struct sf_op *op, const struct sf_object *cluster, struct sf_str *environment)
{
    const char *ca = NULL;
    struct sf_err ignored = {0};
    if (!may_admit(op, cluster, cluster->attrs))
        return false;
    *environment = SF_STR("PGSSLMODE=verify-full");
    if (!find_ca(op, cluster->attrs, &ca, &ignored) && !strpbrk(ca, " '\"\\$`"))
        *environment = sf_str_fmt(op->arena, "PGSSLMODE=verify-full PGSSLROOTCERT=%s", ca);
    return true;
}

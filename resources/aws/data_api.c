/* See data_api.h. */
#include "resources/aws/data_api.h"

#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "resources/aws/client/client.h"
#include "resources/aws/cluster_parts.h"

#include <stdio.h>
#include <time.h>

enum {
    SUBMIT_SECONDS = 2,  /* for which a submission waits for the end: until it is answered nobody knows what to stop */
    WAIT_SECONDS = 20,   /* of one long poll; 30 at most */
    MAX_PAUSE_MS = 2000, /* between polls that came back at once */
    FIRST_PAUSE_MS = 20,
    SUBMIT_TRIES = 4,
    LOST_POLLS = 20, /* in a row, before the outcome is called unknown */
    STOP_MS = 6000,  /* for telling a statement to stop and seeing that it did */
    LAST_WAIT_SECONDS = 1,
    MAX_TEXT = 1500,
};

/* --- where --- */

enum sf_code sf_data_api_of(struct sf_op *op, const struct sf_object *cluster, struct sf_data_api *api, struct sf_err *err)
{
    const struct sf_value *attrs = cluster->attrs;
    struct sf_str id = cluster->id.n ? cluster->id : sf_map_str(attrs, CLUSTER_IDENTIFIER);
    bool is_serverless = sf_str_is(sf_map_str(attrs, CLUSTER_DEPLOYMENT), "serverless");
    if (!cluster->id.n)
        return sf_fail(err, SF_E_UNAVAILABLE, "cluster '%.*s' does not exist yet", SF_ARG(id));
    if (!sf_map_bool(attrs, CLUSTER_RUNNING, true))
        return sf_cluster_refuse_paused(op, id, true, err);
    *api =
        (struct sf_data_api){.database = sf_map_str(attrs, CLUSTER_DATABASE), .secret = sf_map_str(attrs, CLUSTER_MASTER_SECRET)};
    if (is_serverless) {
        api->workgroup = id;
        api->arn = sf_aws_arn(op, "redshift-serverless", true, "workgroup/*");
    } else {
        api->cluster = id;
        api->arn = sf_aws_arn(op, "redshift", true, "cluster:%.*s", SF_ARG(id));
        if (!api->secret.n)
            api->user = sf_map_str(attrs, CLUSTER_USERNAME);
    }
    return SF_OK;
}

static void set_if_given(struct sf_op *op, struct sf_value *params, const char *name, struct sf_str value)
{
    if (value.n)
        sf_map_set_str(op->arena, params, name, value);
}

static struct sf_value *target(struct sf_op *op, const struct sf_data_api *api)
{
    struct sf_value *params = sf_value_map(op->arena);
    set_if_given(op, params, "ClusterIdentifier", api->cluster);
    set_if_given(op, params, "WorkgroupName", api->workgroup);
    set_if_given(op, params, "Database", api->database);
    set_if_given(op, params, "DbUser", api->user);
    set_if_given(op, params, "SecretArn", api->secret);
    sf_map_set_int(op->arena, params, "WaitTimeSeconds", SUBMIT_SECONDS);
    return params;
}

/* --- what a failure means --- */

/* Redshift's texts are those of PostgreSQL 8, and some of its own. The first that fits counts. */
static const struct {
    const char *text;
    const char *sqlstate;
    enum sf_code code;
    const char *hint;
} failures[] = {
    {"is not authorized to assume IAM Role", "42501", SF_E_DENIED,
     "the role must trust the warehouse (`trust: redshift`) and be attached to it (`roles: [..]` of the cluster)"},
    {"Not authorized to get credentials of role", "42501", SF_E_DENIED,
     "the role must trust the warehouse (`trust: redshift`) and be attached to it (`roles: [..]` of the cluster)"},
    {"is not associated to cluster", "42501", SF_E_DENIED, "attach the role to the warehouse: `roles: [..]` of the cluster"},
    {"not associated with", "42501", SF_E_DENIED, "attach the role to the warehouse: `roles: [..]` of the cluster"},
    {"kms:", "42501", SF_E_DENIED,
     "the bucket is encrypted by a KMS key: a policy of the load's role, and the key's own, must allow kms:Decrypt on it"},
    {"S3ServiceException:Access Denied", "42501", SF_E_DENIED,
     "a policy of the load's role must allow s3:GetObject on the bucket's objects and s3:ListBucket on the bucket; and on a bucket "
     "encrypted by a KMS key, kms:Decrypt on that key"},
    {"AccessDenied", "42501", SF_E_DENIED,
     "a policy of the load's role must allow s3:GetObject on the bucket's objects and s3:ListBucket"},
    {"PermanentRedirect", "55000", SF_E_REFUSED, "the bucket is in another region than the warehouse: make both in one region"},
    {"must be addressed using the specified endpoint", "55000", SF_E_REFUSED,
     "the bucket is in another region than the warehouse: make both in one region"},
    {"KMS.", "42501", SF_E_DENIED, "the load's role needs kms:Decrypt on the key that encrypts the bucket"},
    {"NoSuchKey", "55000", SF_E_REFUSED, "run sfapply again: the upload delivers what is missing"},
    {"NoSuchBucket", "55000", SF_E_REFUSED, "run sfapply again: it makes the bucket and delivers into it"},
    {"password authentication failed", "28P01", SF_E_AUTH,
     "the secret that `master_secret` names holds another password than the warehouse: sfapply mends what is known to differ; a "
     "new "
     "`password` sets both"},
    {"permission denied", "42501", SF_E_DENIED,
     "the database user that runs the load lacks the right: `aws: {manage_password: true}` on the cluster lets the load run as its "
     "master user; or grant it to that user"},
    {"Serializable isolation violation", "40001", SF_E_THROTTLED, NULL}, /* 1023: somebody else wrote in the meantime */
    {"could not serialize access", "40001", SF_E_THROTTLED, NULL},
    {"tuple concurrently ", "40001", SF_E_THROTTLED, NULL}, /* two changed one row of the catalog, as GRANT does */
    {"deadlock detected", "40P01", SF_E_THROTTLED, NULL},
    {"could not open relation", "42P01", SF_E_REFUSED, NULL},
    {"relation \"", "42P01", SF_E_REFUSED, NULL},
    {"Schema \"", "3F000", SF_E_REFUSED, NULL},
    {"schema \"", "3F000", SF_E_REFUSED, NULL},
    {"database \"", "3D000", SF_E_REFUSED, NULL},
    {"column \"", "42703", SF_E_REFUSED, NULL},
    {"function ", "42883", SF_E_REFUSED, NULL},
    {"operator does not exist", "42883", SF_E_REFUSED, NULL},
    {"Load into table", "22000", SF_E_REFUSED, NULL},
    {"invalid input syntax", "22P02", SF_E_REFUSED, NULL},
    {"Invalid digit", "22P02", SF_E_REFUSED, NULL},
    {"value too long", "22001", SF_E_REFUSED, NULL},
    {"ull value ", "23502", SF_E_REFUSED, NULL},
    {"NULL value", "23502", SF_E_REFUSED, NULL},
    {"Disk Full", "53100", SF_E_REFUSED, "the warehouse is full: give it more nodes, or delete what is not needed"},
    {"The specified S3 prefix", "22000", SF_E_REFUSED, "run sfapply again: the upload delivers what is missing"},
    {"Mandatory url is not present", "22000", SF_E_REFUSED, "run sfapply again: the upload delivers what is missing"},
    {"usage limit", "53400", SF_E_REFUSED, "a usage limit of the warehouse is reached: raise it, or wait until its period is over"},
};

enum sf_code sf_data_api_failure(struct sf_arena *arena, struct sf_str text, struct sf_err *err)
{
    text = sf_str_trim(text);
    if (sf_str_starts(text, SF_STR("ERROR: ")))
        text = sf_str_trim(sf_str_slice(text, sizeof "ERROR: " - 1, text.n));
    struct sf_buf clean = SF_BUF(MAX_TEXT + 1); /* texts of others: nothing of them may steer a terminal */
    for (size_t i = 0; i < text.n && clean.n < MAX_TEXT; i++)
        sf_buf_addc(&clean, (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i]);
    text = clean.n ? sf_str_dup(arena, sf_buf_str(&clean)) : SF_STR("the warehouse gave no reason");
    sf_buf_free(&clean);
    for (size_t i = 0; i < SF_COUNT(failures); i++) {
        if (sf_str_find(text, sf_str_of(failures[i].text)) == SIZE_MAX)
            continue;
        sf_fail(err, failures[i].code, "%.*s", SF_ARG(text));
        if (err)
            snprintf(err->remote_code, sizeof err->remote_code, "%s", failures[i].sqlstate);
        if (failures[i].hint)
            sf_hint(err, "%s", failures[i].hint);
        return failures[i].code;
    }
    return sf_fail(err, SF_E_REFUSED, "%.*s", SF_ARG(text));
}

/* --- submitting --- */

static void pause_for(int64_t ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* The call names a warehouse that is there but does not answer. */
static enum sf_code explain_refusal(const struct sf_op *op, const struct sf_data_api *api, enum sf_code rc, struct sf_err *err)
{
    struct sf_str name = api->cluster.n ? api->cluster : api->workgroup;
    if (rc == SF_E_REFUSED && sf_aws_is_error(err, "ValidationException", "paused")) {
        rc = sf_cluster_refuse_paused(op, name, false, err);
    } else if (rc == SF_E_REFUSED && sf_aws_is_error(err, "ValidationException", "not available")) { /* being made, or resumed */
        rc = err->code = SF_E_UNAVAILABLE;
        sf_context(err, "asking warehouse '%.*s'", SF_ARG(name));
    } else if (rc == SF_E_REFUSED || rc == SF_E_ABSENT) {
        sf_context(err, "asking warehouse '%.*s'", SF_ARG(name));
    }
    return rc;
}

/* Sends it, again under the same token when nobody knows whether it arrived; once more even when time is up, for what runs has to
 * be known to be stopped. What only reads goes under a token of its own. */
static enum sf_code submit(struct sf_op *op, const struct sf_data_api *api, const char *action, struct sf_value *params,
                           struct sf_str token, const struct sf_value **reply, struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_REDSHIFT_DATA,
                               .action = action,
                               .effect = token.n ? SF_AWS_MAKE : SF_AWS_READ,
                               .params = params,
                               .resource = api->arn};
    enum sf_code rc = SF_OK;
    struct sf_op last = *op;
    if (sf_op_is_cancelled(op))
        return sf_fail(err, SF_E_CANCELLED, "stopped before a statement was submitted");
    sf_map_set_str(op->arena, params, "ClientToken", token.n ? token : sf_random_uuid(op->arena));
    for (int attempt = 0; attempt < SUBMIT_TRIES && !call.is_last_word; attempt++) {
        bool is_over = attempt > 0 && (sf_op_is_cancelled(op) || sf_clock_ms() >= op->deadline_ms);
        if (is_over) {
            last.deadline_ms = sf_clock_ms() + STOP_MS;
            call.is_last_word = call.is_announced = true;
        }
        rc = sf_aws_call(is_over ? &last : op, &call, reply, err);
        bool is_lost = rc == SF_E_UNKNOWN || rc == SF_E_UNAVAILABLE || (rc == SF_E_CANCELLED && attempt == 0 && !token.n);
        if (!is_lost || attempt + 1 == SUBMIT_TRIES)
            break;
        pause_for((int64_t)FIRST_PAUSE_MS << attempt);
    }
    return explain_refusal(op, api, rc, err);
}

/* --- waiting --- */

static bool is_over(struct sf_str status)
{
    return sf_str_is(status, "FINISHED") || sf_str_is(status, "FAILED") || sf_str_is(status, "ABORTED");
}

/* A call about a statement. All of them are reads as far as we are concerned: they change nothing that outlives it, and are
 * announced nowhere. */
static enum sf_code call_about(struct sf_op *op, const char *action, struct sf_str id, int wait_seconds, bool is_last_word,
                               const struct sf_value **reply, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "Id", id);
    if (wait_seconds)
        sf_map_set_int(op->arena, params, "WaitTimeSeconds", wait_seconds);
    const struct sf_aws_call call = {
        .service = SF_AWS_REDSHIFT_DATA, .action = action, .effect = SF_AWS_READ, .params = params, .is_last_word = is_last_word};
    return sf_aws_call(op, &call, reply, err);
}

/* Tells a statement to stop, and sees how it ended: it may have been through before it was told. False when nobody says. */
static bool stop(const struct sf_op *of, struct sf_str id, const struct sf_value **found)
{
    struct sf_err ignored = {0};
    struct sf_op last = *of;
    int64_t until_ms = sf_clock_ms() + STOP_MS, pause_ms = FIRST_PAUSE_MS;
    last.deadline_ms = until_ms; /* its own time may be what is over */
    if (call_about(&last, "CancelStatement", id, 0, true, NULL, &ignored) == SF_E_DENIED)
        sf_op_warn(&last, "statement '%.*s' could not be stopped and runs on in the warehouse: %s", SF_ARG(id), ignored.message);
    for (; sf_clock_ms() + pause_ms < until_ms; pause_ms = pause_ms * 2 < MAX_PAUSE_MS ? pause_ms * 2 : MAX_PAUSE_MS) {
        enum sf_code rc = call_about(&last, "DescribeStatement", id, LAST_WAIT_SECONDS, true, found, &ignored);
        if (!rc && is_over(sf_aws_text(*found, "Status")))
            return true;
        if (rc && rc != SF_E_UNAVAILABLE && rc != SF_E_THROTTLED)
            return false;
        pause_for(pause_ms);
    }
    return false;
}

/* The description of a statement that is over. One whose end cannot be waited for is stopped, so that nothing goes on in the
 * warehouse of which nobody knows. */
static enum sf_code await(struct sf_op *op, struct sf_str id, const struct sf_value **found, struct sf_err *err)
{
    int64_t pause_ms = FIRST_PAUSE_MS;
    enum sf_code rc = SF_OK;
    for (int lost = 0; lost <= LOST_POLLS && !sf_op_is_cancelled(op) && sf_clock_ms() < op->deadline_ms;) {
        int64_t asked_ms = sf_clock_ms();
        rc = call_about(op, "DescribeStatement", id, WAIT_SECONDS, false, found, err);
        if (!rc && is_over(sf_aws_text(*found, "Status")))
            return SF_OK;
        bool is_lost = rc == SF_E_UNAVAILABLE || rc == SF_E_THROTTLED;
        lost = is_lost ? lost + 1 : 0;
        if (rc && !is_lost)
            break;
        if (sf_clock_ms() - asked_ms < 1000 * WAIT_SECONDS / 2) { /* it was no long poll */
            pause_for(pause_ms);
            pause_ms = pause_ms * 2 < MAX_PAUSE_MS ? pause_ms * 2 : MAX_PAUSE_MS;
        }
    }
    if (stop(op, id, found))
        return SF_OK;
    struct sf_str why = rc && rc != SF_E_CANCELLED ? sf_str_fmt(op->arena, ": %s", err->message) : SF_STR_NONE;
    sf_fail(err, SF_E_UNKNOWN, "statement '%.*s' was submitted to the warehouse and its end was not seen%.*s", SF_ARG(id),
            SF_ARG(why));
    sf_hint(err, "run the same command again: it looks first whether it came true");
    return SF_E_UNKNOWN;
}

/* --- results --- */

const struct sf_value *sf_data_api_field(struct sf_op *op, const struct sf_value *field)
{
    const struct sf_value *v = sf_map_getz(field, "stringValue");
    if (!v)
        v = sf_map_getz(field, "longValue");
    if (!v)
        v = sf_map_getz(field, "doubleValue");
    if (!v)
        v = sf_map_getz(field, "booleanValue");
    if (!v || sf_map_bool(field, "isNull", false))
        return &sf_null_value;
    switch (v->type) {
    case SF_V_INT:
        return sf_value_str(op->arena, sf_str_fmt(op->arena, "%lld", (long long)v->i));
    case SF_V_BOOL:
        return sf_value_str(op->arena, v->b ? SF_STR("t") : SF_STR("f")); /* as PostgreSQL writes them */
    case SF_V_NUMBER:
    case SF_V_STRING:
        return sf_value_str(op->arena, v->s);
    case SF_V_NULL:
    case SF_V_LIST:
    case SF_V_MAP:
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        break;
    }
    return &sf_null_value;
}

static enum sf_code fetch_rows(struct sf_op *op, struct sf_str id, const struct sf_value **rows, struct sf_err *err)
{
    static const struct sf_aws_pages pages = {.items = "Records", .token_in = "NextToken", .token_out = "NextToken"};
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "Id", id);
    const struct sf_aws_call call = {.service = SF_AWS_REDSHIFT_DATA, .action = "GetStatementResult", .params = params};
    const struct sf_value *records = NULL;
    enum sf_code rc = sf_aws_list(op, &call, &pages, &records, err);
    if (rc)
        return rc;
    const struct sf_value **list = SF_NEW_ARRAY(op->arena, records->list.n + 1, const struct sf_value *);
    for (size_t r = 0; r < records->list.n; r++) {
        const struct sf_value *record = records->list.items[r];
        size_t n = record->type == SF_V_LIST ? record->list.n : 0;
        const struct sf_value **fields = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
        for (size_t f = 0; f < n; f++)
            fields[f] = sf_data_api_field(op, record->list.items[f]);
        list[r] = sf_value_list(op->arena, fields, n);
    }
    *rows = sf_value_list(op->arena, list, records->list.n);
    return SF_OK;
}

/* Which statement of the batch failed, and why. */
static enum sf_code fail_statement(struct sf_op *op, const struct sf_value *found, size_t *failed, struct sf_err *err)
{
    const struct sf_value *parts = sf_aws_items(op->arena, found, "SubStatements");
    struct sf_str text = sf_aws_text(found, "Error");
    for (size_t i = 0; i < parts->list.n; i++) {
        if (!sf_str_is(sf_aws_text(parts->list.items[i], "Status"), "FAILED"))
            continue;
        *failed = i;
        struct sf_str of_part = sf_aws_text(parts->list.items[i], "Error");
        text = of_part.n ? of_part : text;
        break;
    }
    if (sf_str_is(sf_aws_text(found, "Status"), "ABORTED")) {
        bool is_late = sf_clock_ms() >= op->deadline_ms && !sf_op_is_cancelled(op);
        sf_fail(err, sf_op_is_cancelled(op) ? SF_E_CANCELLED : SF_E_UNAVAILABLE,
                "the statement was stopped in the warehouse before its end%s; nothing of it was kept",
                is_late ? ", since it took too long" : "");
        if (is_late)
            sf_hint(err, "it took longer than this resource's time limit: raise it with 'timeouts'");
        snprintf(err->remote_code, sizeof err->remote_code, SF_DATA_API_ABORTED);
        return err->code;
    }
    return sf_data_api_failure(op->arena, text, err);
}

/* What would have to be cut would not be one transaction, or one statement, any more. */
static enum sf_code refuse_many(size_t n, struct sf_err *err)
{
    sf_fail(err, SF_E_CONFIG, "this takes a transaction of %zu statements, and one of the Redshift Data API holds %d", n,
            SF_DATA_API_MAX_STATEMENTS);
    sf_hint(err, "`aws: {connection: direct}` on the cluster has no such limit; nothing was changed");
    return SF_E_CONFIG;
}

static enum sf_code refuse_long(size_t n_bytes, struct sf_err *err)
{
    sf_fail(err, SF_E_CONFIG, "this takes a statement of %zu bytes, and the Redshift Data API takes %d", n_bytes,
            SF_DATA_API_MAX_BYTES);
    sf_hint(err, "`aws: {connection: direct}` on the cluster has no such limit; nothing was changed");
    return SF_E_CONFIG;
}

enum sf_code sf_data_api_takes(const struct sf_str *statements, size_t n, struct sf_err *err)
{
    for (size_t i = 0; i < n; i++)
        if (statements[i].n > SF_DATA_API_MAX_BYTES)
            return refuse_long(statements[i].n, err);
    return n > SF_DATA_API_MAX_STATEMENTS ? refuse_many(n, err) : SF_OK;
}

/* --- entry points --- */

enum sf_code sf_data_api_submit(struct sf_op *op, const struct sf_data_api *api, const struct sf_str *statements, size_t n,
                                struct sf_str token, struct sf_str *id, size_t *failed, struct sf_err *err)
{
    const struct sf_value **sqls = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *), *reply = NULL, *found = NULL;
    *failed = n;
    enum sf_code rc = sf_data_api_takes(statements, n, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        sqls[i] = sf_value_str(op->arena, statements[i]);
    struct sf_value *params = target(op, api);
    sf_map_set(op->arena, params, SF_STR("Sqls"), sf_value_list(op->arena, sqls, n));
    rc = submit(op, api, "BatchExecuteStatement", params, token, &reply, err);
    *id = sf_aws_text(reply, "Id");
    if (!rc)
        rc = await(op, *id, &found, err);
    if (!rc && !sf_str_is(sf_aws_text(found, "Status"), "FINISHED"))
        rc = fail_statement(op, found, failed, err);
    return rc;
}

enum sf_code sf_data_api_run(struct sf_op *op, const struct sf_data_api *api, const struct sf_str *statements, size_t n,
                             struct sf_str token, const bool *wants_rows, const struct sf_value **rows, size_t *failed,
                             struct sf_err *err)
{
    const struct sf_value **results = SF_NEW_ARRAY(op->arena, n + 1, const struct sf_value *);
    struct sf_str id = SF_STR_NONE;
    for (size_t i = 0; i < n; i++)
        results[i] = &sf_null_value;
    enum sf_code rc = sf_data_api_submit(op, api, statements, n, token, &id, failed, err);
    if (rc)
        return rc;
    for (size_t i = 0; !rc && rows && i < n; i++)
        if (wants_rows && wants_rows[i])
            rc = fetch_rows(op, sf_str_fmt(op->arena, "%.*s:%zu", SF_ARG(id), i + 1), &results[i], err);
    if (rc) /* committed, but what it said is not known */
        rc = err->code = SF_E_UNKNOWN;
    if (!rc && rows)
        *rows = sf_value_list(op->arena, results, n);
    return rc;
}

enum sf_code sf_data_api_alone(struct sf_op *op, const struct sf_data_api *api, struct sf_str sql, struct sf_str token,
                               struct sf_err *err)
{
    const struct sf_value *reply = NULL, *found = NULL;
    struct sf_value *params = target(op, api);
    size_t failed = 0;
    sf_map_set_str(op->arena, params, "Sql", sql);
    enum sf_code rc =
        sql.n > SF_DATA_API_MAX_BYTES ? refuse_long(sql.n, err) : submit(op, api, "ExecuteStatement", params, token, &reply, err);
    if (!rc)
        rc = await(op, sf_aws_text(reply, "Id"), &found, err);
    if (!rc && !sf_str_is(sf_aws_text(found, "Status"), "FINISHED"))
        rc = fail_statement(op, found, &failed, err);
    return rc;
}

enum sf_code sf_data_api_query(struct sf_op *op, const struct sf_data_api *api, struct sf_str sql, const struct sf_value **rows,
                               struct sf_err *err)
{
    const struct sf_value *reply = NULL, *found = NULL;
    struct sf_value *params = target(op, api);
    sf_map_set_str(op->arena, params, "Sql", sql);
    if (sql.n > SF_DATA_API_MAX_BYTES)
        return refuse_long(sql.n, err);
    enum sf_code rc = submit(op, api, "ExecuteStatement", params, SF_STR_NONE, &reply, err);
    struct sf_str id = sf_aws_text(reply, "Id");
    if (!rc)
        rc = await(op, id, &found, err);
    if (rc == SF_E_UNKNOWN) /* a lost reader changed nothing */
        rc = err->code = sf_op_is_cancelled(op) ? SF_E_CANCELLED : SF_E_UNAVAILABLE;
    size_t failed = 0;
    if (!rc && !sf_str_is(sf_aws_text(found, "Status"), "FINISHED"))
        rc = fail_statement(op, found, &failed, err);
    return rc ? rc : fetch_rows(op, id, rows, err);
}

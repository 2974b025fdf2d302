/* See warehouse.h. */
#include "resources/aws/warehouse.h"

#include "attr/cluster.h"
#include "attr/role.h"
#include "engine/core/clock.h"
#include "resources/aws/client/client.h"
#include "resources/aws/data_api.h"
#include "resources/aws/direct.h"
#include "resources/data/manifest.h"
#include "resources/data/sql.h"

#include <string.h>
#include <time.h>

enum {
    MAX_ATTEMPTS = 10,
    FIRST_PAUSE_MS = 50,
    MAX_PAUSE_MS = 5000,
    ROLE_PAUSE_MS = 3000,
    NAP_MS = 100,     /* between looks at whether a pause is to go on */
    PUT_ATTEMPTS = 5, /* to put a manifest: given back to the engine, a failure would have all that is staged copied anew */
    FOLDER_DIGITS = 16,
    MAX_NAMED_FILES = 200,
};

/* Nothing is tried, guessed or mended: MAXERROR is 0 by default. EMPTYASNULL: a file says null as nothing at all, and holds no
 * empty text. Encodings are declared, so COPY need not look for some; statistics come from ANALYZE after the load. Source: Redshift
 * Database Developer Guide, "COPY". */
struct sf_str sf_aws_copy_sql(struct sf_arena *arena, const struct sf_statement *copy, struct sf_str manifest,
                              struct sf_str role_arn)
{
    return sf_str_fmt(arena,
                      "copy %.*s (%.*s) from %s iam_role %s manifest format as csv gzip ignoreheader 1 emptyasnull compupdate off "
                      "statupdate off",
                      SF_ARG(copy->table), SF_ARG(copy->columns), sf_sql_text(arena, manifest).p, sf_sql_text(arena, role_arn).p);
}

static struct sf_str role_arn_of(const struct sf_object *role)
{
    return role ? sf_map_str(role->attrs, ROLE_ARN) : SF_STR_NONE;
}

static void pause_for(const struct sf_op *op, int64_t ms)
{
    for (int64_t until_ms = sf_clock_ms() + ms, left; (left = until_ms - sf_clock_ms()) > 0 && !sf_op_is_cancelled(op);) {
        int64_t nap_ms = left < NAP_MS ? left : NAP_MS;
        nanosleep(&(struct timespec){.tv_nsec = nap_ms * 1000000}, NULL);
    }
}

static bool may_go_on(const struct sf_op *op)
{
    return !sf_op_is_cancelled(op) && sf_clock_ms() < op->deadline_ms;
}

/* A load's own place among the manifests of all that copy from this bucket, at the same time maybe: the same for each of its runs,
 * so that it finds what an earlier one left. */
static struct sf_str copy_folder(struct sf_op *op)
{
    struct sf_str whose =
        sf_str_fmt(op->arena, "%.*s %.*s", SF_ARG(op->site->lineage), SF_ARG(op->self ? op->self->address : SF_STR_NONE));
    return sf_str_slice(sf_sha256_hex(op->arena, whose), 0, FOLDER_DIGITS);
}

/* Not ours to worry about when they cannot be seen. */
void sf_aws_copy_clean(struct sf_op *op, const struct sf_object *bucket)
{
    struct sf_err err = {0};
    struct sf_bucket_entry *entries = NULL;
    size_t n = 0;
    if (!bucket)
        return;
    struct sf_str ours = sf_str_fmt(op->arena, SF_AWS_COPY_PREFIX "%.*s/", SF_ARG(copy_folder(op)));
    if (op->site->world->bucket_list(op, bucket, ours, &entries, &n, &err))
        return;
    for (size_t i = 0; i < n; i++)
        if (op->site->world->bucket_delete(op, bucket, entries[i].key, &err))
            sf_op_warn(op, "'%.*s' could not be deleted from bucket '%.*s': %s", SF_ARG(entries[i].key), SF_ARG(bucket->id),
                       err.message);
}

/* The sizes are what COPY compares: an object that was cut short is refused, not half loaded. */
static enum sf_code list_object(struct sf_op *op, const struct sf_statement *copy, struct sf_str key,
                                struct sf_delivered_file *file, struct sf_err *err)
{
    struct sf_bucket_entry *entries = NULL;
    size_t n = 0;
    enum sf_code rc = op->site->world->bucket_list(op, copy->bucket, key, &entries, &n, err);
    if (rc)
        return rc;
    if (n == 0 || !sf_str_eq(entries[0].key, key)) {
        sf_fail(err, SF_E_DATA, "object '%.*s' is not in bucket '%.*s' any more", SF_ARG(key), SF_ARG(copy->bucket->id));
        sf_hint(err, "the upload puts it back: run sfapply again");
        return SF_E_DATA;
    }
    *file = (struct sf_delivered_file){.key = key, .bytes = entries[0].bytes};
    return SF_OK;
}

static enum sf_code put_manifest(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                                 struct sf_err *err)
{
    for (int attempt = 0;; attempt++) {
        enum sf_code rc = op->site->world->bucket_put(op, bucket, key, bytes, err);
        int64_t pause_ms = (int64_t)FIRST_PAUSE_MS << attempt;
        if (rc && err->retry_after_ms > pause_ms)
            pause_ms = err->retry_after_ms;
        bool is_passing = rc == SF_E_UNAVAILABLE || rc == SF_E_THROTTLED;
        if (!is_passing || attempt + 1 == PUT_ATTEMPTS || pause_ms > MAX_PAUSE_MS || !may_go_on(op))
            return rc;
        pause_for(op, pause_ms);
    }
}

enum sf_code sf_aws_copy_make(struct sf_op *op, const struct sf_statement *copy, struct sf_str *sql, struct sf_err *err)
{
    struct sf_str arn = role_arn_of(copy->role);
    if (!arn.n) {
        sf_fail(err, SF_E_DENIED, "a load names no role that exists");
        sf_hint(err, "give the load a `role` that is attached to the cluster");
        return SF_E_DENIED;
    }
    struct sf_delivered_file *files = SF_NEW_ARRAY(op->arena, copy->n_keys + 1, struct sf_delivered_file);
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < copy->n_keys; i++)
        rc = list_object(op, copy, copy->keys[i], &files[i], err);
    if (rc)
        return rc;
    struct sf_str bytes = sf_manifest_bytes(op->arena, copy->bucket->id, files, copy->n_keys);
    struct sf_str key = sf_manifest_key(op->arena, SF_STR(SF_AWS_COPY_PREFIX), copy_folder(op), bytes, "manifest");
    *sql = sf_aws_copy_sql(op->arena, copy, sf_manifest_url(op->arena, copy->bucket->id, key), arn);
    return put_manifest(op, copy->bucket, key, bytes, err);
}

struct sf_str sf_aws_copy_errors_sql(struct sf_arena *arena, const struct sf_statement *copy)
{
    struct sf_buf files = SF_BUF(SF_MAX_SQL_BYTES);
    for (size_t i = 0; i < copy->n_keys && i < MAX_NAMED_FILES; i++)
        sf_buf_addf(&files, "%s%s", i ? ", " : "", sf_sql_text(arena, sf_manifest_url(arena, copy->bucket->id, copy->keys[i])).p);
    struct sf_str sql = sf_str_fmt(arena,
                                   "select trim(file_name), cast(line_number as varchar), trim(column_name), trim(error_message) "
                                   "from sys_load_error_detail where query_id = (select max(query_id) from sys_load_error_detail "
                                   "where trim(file_name) in (%.*s)) order by line_number limit 5",
                                   SF_ARG(sf_buf_str(&files)));
    sf_buf_free(&files);
    return sql;
}

bool sf_aws_copy_kept_rows(const struct sf_err *err)
{
    return strstr(err->message, "Load into table") != NULL;
}

/* Rows of the load that were refused, as the system view has them: "file, line 12, column amount: Invalid digit". */
void sf_aws_copy_explain(const struct sf_value *rows, struct sf_err *err)
{
    struct sf_buf list = SF_BUF(SF_MAX_MESSAGE_BYTES);
    for (size_t i = 0; i < sf_rows_count(rows); i++) {
        struct sf_str file = sf_rows_text(rows, i, 0), line = sf_rows_text(rows, i, 1), column = sf_rows_text(rows, i, 2),
                      reason = sf_rows_text(rows, i, 3);
        sf_buf_addf(&list, "%s%.*s, line %.*s, column %.*s: %.*s", i ? "\n  " : "", SF_ARG(file), SF_ARG(line), SF_ARG(column),
                    SF_ARG(reason));
    }
    if (list.n)
        sf_hint(err, "the rows that did not fit:\n  %s", list.p);
    sf_buf_free(&list);
}

static void explain_copy(struct sf_op *op, const struct sf_data_api *api, const struct sf_statement *copy, struct sf_err *err)
{
    const struct sf_value *rows = NULL;
    struct sf_err local = {0};
    if (!sf_data_api_query(op, api, sf_aws_copy_errors_sql(op->arena, copy), &rows, &local)) /* else what COPY itself said stands */
        sf_aws_copy_explain(rows, err);
}

static bool is_direct(const struct sf_object *cluster)
{
    return sf_str_is(sf_map_str(cluster->attrs, CLUSTER_CONNECTION), "direct");
}

/* One for each different batch of `of`. */
static struct sf_str token_of(struct sf_op *op, struct sf_str of, const struct sf_str *sqls, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sf_str one = sf_sha256_hex(op->arena, sqls[i]);
        of = sf_sha256_hex(op->arena, sf_str_fmt(op->arena, "%.*s\n%.*s", SF_ARG(of), SF_ARG(one)));
    }
    return of;
}

enum sf_code sf_aws_warehouse_takes(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                    size_t n, struct sf_err *err)
{
    struct sf_str *sqls = SF_NEW_ARRAY(op->arena, n + 1, struct sf_str);
    for (size_t i = 0; i < n; i++)
        sqls[i] = statements[i].sql;
    return is_direct(cluster) ? SF_OK : sf_data_api_takes(sqls, n, err);
}

enum sf_code sf_aws_warehouse_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql,
                                    const struct sf_value **rows, struct sf_err *err)
{
    struct sf_data_api api;
    if (is_direct(cluster))
        return sf_aws_direct_query(op, cluster, sql, rows, err);
    enum sf_code rc = sf_data_api_of(op, cluster, &api, err);
    return rc ? rc : sf_data_api_query(op, &api, sql, rows, err);
}

/* One copy in a transaction of its own. */
static enum sf_code stage_one(struct sf_op *op, const struct sf_data_api *api, const struct sf_statement *copy, struct sf_err *err)
{
    size_t n = copy->n_prepare + 1, failed = 0;
    struct sf_str *sqls = SF_NEW_ARRAY(op->arena, n, struct sf_str);
    for (size_t i = 0; i < copy->n_prepare; i++)
        sqls[i] = copy->prepare[i];
    sqls[n - 1] = copy->sql;
    enum sf_code rc = copy->sql.n ? SF_OK : sf_aws_copy_make(op, copy, &sqls[n - 1], err);
    /* what is staged is staged anew each time */
    if (!rc)
        rc = sf_data_api_run(op, api, sqls, n, token_of(op, sf_random_uuid(op->arena), sqls, n), NULL, NULL, &failed, err);
    if (rc == SF_E_REFUSED && failed + 1 == n && !copy->sql.n && sf_aws_copy_kept_rows(err))
        explain_copy(op, api, copy, err);
    if (rc == SF_E_UNKNOWN) {
        rc = SF_E_UNAVAILABLE; /* nobody reads what is staged */
        err->code = rc;
    }
    if (rc && copy->what)
        sf_context(err, "%s", copy->what);
    return rc;
}

static enum sf_code stage_by_api(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                 size_t *failed, struct sf_err *err)
{
    struct sf_data_api api;
    *failed = 0;
    enum sf_code rc = sf_data_api_of(op, cluster, &api, err);
    if (n > 0 && !rc)
        sf_aws_copy_clean(op, copies[0].bucket);
    for (size_t i = 0; !rc && i < n; i++) {
        *failed = i;
        if (copies[i].what)
            sf_op_progress(op, "%s", copies[i].what);
        rc = stage_one(op, &api, &copies[i], err);
    }
    if (n > 0)
        sf_aws_copy_clean(op, copies[0].bucket);
    return rc;
}

/* Redshift takes up to two minutes to see a role that was just made, and says until then that it may not have it. */
static bool is_role_unseen(struct sf_op *op, const struct sf_statement *copy, enum sf_code rc, const struct sf_err *err)
{
    bool is_about_role = rc == SF_E_DENIED && (strstr(err->message, "Not authorized to get credentials of role") ||
                                               strstr(err->message, "is not authorized to assume IAM Role"));
    return is_about_role && sf_aws_is_role_new(op, role_arn_of(copy->role)) && may_go_on(op);
}

/* --- again --- */

/* Whether the transaction is over and left nothing, for no fault of its own: another was in the way, or somebody ended it. */
static bool is_worth_another(const struct sf_op *op, enum sf_code rc, const struct sf_err *err)
{
    static const char *const reasons[] = {"40001", "40P01", SF_DATA_API_ABORTED};
    for (size_t i = 0; rc && i < SF_COUNT(reasons); i++)
        if (strcmp(err->remote_code, reasons[i]) == 0)
            return may_go_on(op);
    return false;
}

/* After a transaction that did not come true: SF_OK when it is to be tried once more, after a pause; else its code, or what to make
 * of having tried so often. On either road. */
static enum sf_code wait_for_turn(const struct sf_op *op, int attempt, enum sf_code rc, struct sf_err *err)
{
    if (!is_worth_another(op, rc, err))
        return rc;
    if (attempt + 1 == MAX_ATTEMPTS) {
        err->code = SF_E_REFUSED; /* to ask in the same words again would only bring the same answers back */
        sf_hint(err, "%d times something else was in the way: see what else writes to these tables, and run the command again",
                MAX_ATTEMPTS);
        return SF_E_REFUSED;
    }
    pause_for(op, attempt < 6 ? (int64_t)FIRST_PAUSE_MS << attempt : MAX_PAUSE_MS);
    return SF_OK;
}

enum sf_code sf_aws_warehouse_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                    size_t *failed, struct sf_err *err)
{
    int attempt = 0;
    *failed = 0;
    for (size_t from = 0, at = 0;; from += at) {
        enum sf_code rc = is_direct(cluster) ? sf_aws_direct_stage(op, cluster, copies + from, n - from, &at, err)
                                             : stage_by_api(op, cluster, copies + from, n - from, &at, err);
        *failed = from + at;
        if (!rc || *failed >= n)
            return rc;
        attempt = at ? 0 : attempt;
        if (is_role_unseen(op, &copies[*failed], rc, err)) {
            sf_op_progress(op, "waiting until the warehouse sees the role");
            pause_for(op, ROLE_PAUSE_MS);
        } else if ((rc = wait_for_turn(op, attempt++, rc, err)) != SF_OK) {
            return rc;
        }
    }
}

/* One try of a transaction. The token is that of `of`, the running intent, and the attempt: who comes back after a reply that was
 * lost gets what became of each attempt, and never a second one beside one that may yet come true. */
static enum sf_code run_by_api(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements, size_t n,
                               struct sf_str of, const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    struct sf_data_api api;
    struct sf_str *sqls = SF_NEW_ARRAY(op->arena, n + 1, struct sf_str);
    bool *wants_rows = SF_NEW_ARRAY(op->arena, n + 1, bool);
    *failed = 0;
    enum sf_code rc = sf_data_api_of(op, cluster, &api, err);
    for (size_t i = 0; !rc && i < n; i++) {
        wants_rows[i] = statements[i].wants_rows;
        sqls[i] = statements[i].sql;
        if (!sqls[i].n)
            rc = sf_fail(err, SF_E_INTERNAL, "a transaction of Redshift was asked to copy: copies are staged");
    }
    if (rc)
        return rc;
    struct sf_str token = token_of(op, of, sqls, n);
    if (n == 1 && statements[0].opens)
        rc = sf_data_api_alone(op, &api, sqls[0], token, err);
    else
        rc = sf_data_api_run(op, &api, sqls, n, token, wants_rows, rows, failed, err);
    if (rc && *failed < n && statements[*failed].what)
        sf_context(err, "%s", statements[*failed].what);
    return rc;
}

/* Batches of what one call takes would not be one transaction any more. */
enum sf_code sf_aws_warehouse_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                  size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err)
{
    /* by the intent's token a second try would be told what became of the first, whose tables may be gone or out of date */
    struct sf_str of = n > 0 && statements[0].is_anew ? sf_random_uuid(op->arena) : op->intent;
    for (int attempt = 0;; attempt++) {
        struct sf_str this_one = sf_str_fmt(op->arena, "%.*s %d", SF_ARG(of), attempt);
        enum sf_code rc = is_direct(cluster) ? sf_aws_direct_run(op, cluster, statements, n, rows, failed, err)
                                             : run_by_api(op, cluster, statements, n, this_one, rows, failed, err);
        if (!rc || (rc = wait_for_turn(op, attempt, rc, err)) != SF_OK)
            return rc;
    }
}

/* SQL through the Redshift Data API: no connection, no password, no open port.
 *
 * A batch is one transaction of at most 40 statements of 100 KB each. It is submitted under a client token: sent again after a lost
 * reply it is the same batch, not a second one. Then it is waited for by long polling. What is not waited for any longer (a
 * deadline, a signal) is stopped in the warehouse, and looked at once more, for it may have been through by then. A failed
 * statement brings a text without a SQLSTATE; the few that callers tell apart are read off it. Knows no table.
 *
 * Source: Redshift Management Guide, "Using the Amazon Redshift Data API" and "Reduce API calls with long polling"; Data API
 * reference, BatchExecuteStatement, DescribeStatement, CancelStatement, GetStatementResult. */
#ifndef SF_AWS_DATA_API_H
#define SF_AWS_DATA_API_H

#include "engine/kind.h"

enum { SF_DATA_API_MAX_STATEMENTS = 40, SF_DATA_API_MAX_BYTES = 100 * 1000 };

/* err->remote_code of a statement that was stopped. */
#define SF_DATA_API_ABORTED "ABORTED"

/* Who runs the SQL, and where. As the master user where that can be had without a password: by the secret that Secrets Manager
 * keeps, else on a provisioned cluster by name. On a serverless workgroup without such a secret it is the database user that the
 * caller's IAM identity stands for. */
struct sf_data_api {
    struct sf_str cluster, workgroup; /* one of them is empty */
    struct sf_str database, user, secret;
    struct sf_str arn; /* for messages about rights */
};

/* From the attributes of a cluster. SF_E_UNAVAILABLE when it does not exist yet. */
enum sf_code sf_data_api_of(struct sf_op *op, const struct sf_object *cluster, struct sf_data_api *api,
                            struct sf_err *err) SF_MUST_CHECK;

/* SF_E_CONFIG: these are more, or one is longer, than a batch takes. Asks nobody. */
enum sf_code sf_data_api_takes(const struct sf_str *statements, size_t n, struct sf_err *err) SF_MUST_CHECK;

/* Runs the statements in one transaction, in order. `token` (at most 64 bytes, or empty) makes it happen once however often it is
 * asked for within eight hours. *rows (may be NULL) gets one entry a statement: a list of lists of text or null for those in
 * `wants_rows` (may be NULL: none), else null.
 *
 * SF_E_CONFIG: more or longer than a batch takes. SF_E_REFUSED and SF_E_DENIED: a statement failed, *failed is its index,
 * err->remote_code a SQLSTATE where the text tells it, and nothing happened. SF_E_THROTTLED: too many statements at a time, or
 * another transaction was in the way: nothing happened. SF_E_UNAVAILABLE: the warehouse does not take statements now (paused).
 * SF_E_CANCELLED, and SF_E_UNAVAILABLE past the deadline: it was stopped, and nothing happened. SF_E_UNKNOWN: it was submitted and
 * nobody said how it ended, or it is committed and what it gave could not be had. */
enum sf_code sf_data_api_run(struct sf_op *op, const struct sf_data_api *api, const struct sf_str *statements, size_t n,
                             struct sf_str token, const bool *wants_rows, const struct sf_value **rows, size_t *failed,
                             struct sf_err *err) SF_MUST_CHECK;
/* The same without a look at what it gave: the result of its n-th statement, from 1, is "*id:n" to GetStatementResult. */
enum sf_code sf_data_api_submit(struct sf_op *op, const struct sf_data_api *api, const struct sf_str *statements, size_t n,
                                struct sf_str token, struct sf_str *id, size_t *failed, struct sf_err *err) SF_MUST_CHECK;
/* One statement outside of any transaction, as VACUUM has to be. Codes as of sf_data_api_run(). */
enum sf_code sf_data_api_alone(struct sf_op *op, const struct sf_data_api *api, struct sf_str sql, struct sf_str token,
                               struct sf_err *err) SF_MUST_CHECK;
/* One query; a lost one has changed nothing (SF_E_UNAVAILABLE). */
enum sf_code sf_data_api_query(struct sf_op *op, const struct sf_data_api *api, struct sf_str sql, const struct sf_value **rows,
                               struct sf_err *err) SF_MUST_CHECK;

/* A field of GetStatementResult as text, or null. */
const struct sf_value *sf_data_api_field(struct sf_op *op, const struct sf_value *field);

/* What the text of a failed statement means: err is made of it. Also for texts that come over a connection. */
enum sf_code sf_data_api_failure(struct sf_arena *arena, struct sf_str text, struct sf_err *err);

#endif

/* The warehouse half of the AWS world: Redshift, through its Data API, or where the cluster's `connection` says so over one of our
 * own (direct.h). world.h has the contracts.
 *
 * A copy names its objects in a manifest of its own, put into the bucket under SF_AWS_COPY_PREFIX before it and deleted after it.
 * Each load has a folder there, for others may copy from the same bucket at the same time; what a killed run left in it is deleted
 * by the load's next copy, and belongs to the bucket when it is destroyed. A manifest that could not be put is put again.
 *
 * A transaction that another one was in the way of (error 1023), or that somebody stopped, is tried again, on either road: up to
 * ten times, after pauses of up to five seconds. Source: Redshift Database Developer Guide, "Serializable isolation". */
#ifndef SF_AWS_WAREHOUSE_H
#define SF_AWS_WAREHOUSE_H

#include "resources/data/world.h"

#define SF_AWS_COPY_PREFIX "sfstack-copy/"

enum sf_code sf_aws_warehouse_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql,
                                    const struct sf_value **rows, struct sf_err *err);
/* One copy after the other, each with what prepares its table in one transaction: a COPY uses every slice by itself. */
enum sf_code sf_aws_warehouse_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                    size_t *failed, struct sf_err *err);
/* The statements of one call are one transaction: at most 40, 100 KB each. The running intent is the client token. */
enum sf_code sf_aws_warehouse_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                  size_t n, const struct sf_value **rows, size_t *failed, struct sf_err *err);

/* world.h's warehouse_takes. */
enum sf_code sf_aws_warehouse_takes(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements,
                                    size_t n, struct sf_err *err);

/* COPY for Redshift, from the manifest at `manifest` (an s3:// URL). */
struct sf_str sf_aws_copy_sql(struct sf_arena *arena, const struct sf_statement *copy, struct sf_str manifest,
                              struct sf_str role_arn);

/* The COPY of `copy`, its manifest put into the bucket before. SF_E_DENIED without a role, SF_E_DATA for an object that is gone. */
enum sf_code sf_aws_copy_make(struct sf_op *op, const struct sf_statement *copy, struct sf_str *sql,
                              struct sf_err *err) SF_MUST_CHECK;
/* Deletes the load's manifests: before it those that an earlier run could not delete, after it its own. */
void sf_aws_copy_clean(struct sf_op *op, const struct sf_object *bucket);
/* Whether a COPY failed for rows that did not fit: of any other failure the warehouse keeps no rows, and its newest are of another.
 */
bool sf_aws_copy_kept_rows(const struct sf_err *err);
/* What the newest load of the copy's files that failed says of each row that did not fit (others fail at the same time), and how it
 * is told: as the hint of err. Source: Redshift Database Developer Guide, "SYS_LOAD_ERROR_DETAIL". */
struct sf_str sf_aws_copy_errors_sql(struct sf_arena *arena, const struct sf_statement *copy);
void sf_aws_copy_explain(const struct sf_value *rows, struct sf_err *err);

#endif

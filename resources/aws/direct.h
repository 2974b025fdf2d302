/* The warehouse half of the AWS world over a connection of one's own, for clusters with `connection: direct`: libpq, TLS with the
 * server's name and certificate verified, Redshift's SQL. world.h has the contracts; warehouse.h is the other road.
 *
 * Who logs in is login.h's. A session is set by statements, since Redshift refuses startup options that PostgreSQL 8.0 did not
 * know. A lost connection before the commit has changed nothing; one during it leaves it open (SF_E_UNKNOWN), and find() looks. */
#ifndef SF_AWS_DIRECT_H
#define SF_AWS_DIRECT_H

#include "resources/data/world.h"

enum sf_code sf_aws_direct_query(struct sf_op *op, const struct sf_object *cluster, struct sf_str sql, const struct sf_value **rows,
                                 struct sf_err *err);
/* One copy after the other, each with what prepares its table in a transaction of its own: a COPY uses every slice by itself. */
enum sf_code sf_aws_direct_stage(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *copies, size_t n,
                                 size_t *failed, struct sf_err *err);
/* Copies, too. */
enum sf_code sf_aws_direct_run(struct sf_op *op, const struct sf_object *cluster, const struct sf_statement *statements, size_t n,
                               const struct sf_value **rows, size_t *failed, struct sf_err *err);
/* In a transaction that is read only. */
enum sf_code sf_aws_direct_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                               struct sf_str sql, struct sf_answer *out, struct sf_err *err);

/* While planning: SF_E_CONFIG when what the stack says lets no client through to the cluster's port, or `ca` cannot be read; a
 * warning when only its VPC can reach it. What is not known yet is let pass. */
enum sf_code sf_aws_direct_review(struct sf_op *op, const struct sf_value *want, struct sf_err *err) SF_MUST_CHECK;

/* world.h's warehouse_client, whatever `connection` says. */
bool sf_aws_warehouse_client(struct sf_op *op, const struct sf_object *cluster, struct sf_str *environment);

#endif

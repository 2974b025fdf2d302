/* A person's statement to Redshift (`sfstate query`), as a star's reader.
 *
 * Over a direct connection the reader logs in himself, into a transaction that may only read. Through the Data API a provisioned
 * cluster gives the reader's credentials to who may have them; on a workgroup, and where a secret is the only door, the master user
 * becomes the reader for this one transaction. Either way the reader's rights are what counts; that the text is one statement and
 * one that reads is looked at here, so that nothing in it can undo this. Source: Redshift Database Developer Guide, "SET SESSION
 * AUTHORIZATION"; Data API reference, "GetStatementResult". */
#ifndef SF_AWS_QUERY_H
#define SF_AWS_QUERY_H

#include "resources/data/world.h"

/* world.h's warehouse_ask, by whichever road the cluster's `connection` says. */
enum sf_code sf_aws_warehouse_ask(struct sf_op *op, const struct sf_object *cluster, struct sf_str user, struct sf_str password,
                                  struct sf_str sql, struct sf_answer *out, struct sf_err *err);

/* SF_OK when `sql` is one statement that begins like one that reads, however quotes, backslashes and comments are taken.
 * SF_E_REFUSED: it is empty, more than one (42601), or would write (25006). */
enum sf_code sf_aws_check_question(struct sf_str sql, struct sf_err *err);

#endif

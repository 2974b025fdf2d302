/* How statements log in to a cluster as its master user: attribute `login`, which follows from the others.
 *
 * A provisioned cluster gives temporary credentials for any database user to who may have them. A serverless workgroup gives them
 * only for a database user named after the caller, who may do nothing at first; so there the Data API takes the password from a
 * secret. One that Redshift manages is such a secret. Else the password of the stack is put into one of the stack's own: it bears
 * the stack's tags, follows the password and goes after the cluster does. Source: Redshift Management Guide, "Authorizing access
 * to the Amazon Redshift Data API" and "Storing database credentials in AWS Secrets Manager". */
#ifndef SF_AWS_LOGIN_H
#define SF_AWS_LOGIN_H

#include "engine/kind.h"

#define SF_LOGIN_KEPT "kept_secret"
#define SF_LOGIN_MANAGED "managed_secret"
#define SF_LOGIN_TEMPORARY "temporary_credentials"

/* From `manage_password` and `deployment` of want; empty while the first is not known. */
struct sf_str sf_login_of(const struct sf_value *want);
/* Whether want's `login` is a secret of ours. */
bool sf_login_is_kept(const struct sf_value *attrs);

/* For read(): where state says that there is a secret of ours, sets `login` and `master_secret` as they are: "none" when it is
 * gone. */
enum sf_code sf_login_read(struct sf_op *op, struct sf_str cluster, struct sf_value *attrs, struct sf_err *err) SF_MUST_CHECK;
/* Whether a secret of ours is there of a cluster that is not. */
bool sf_login_remains(struct sf_op *op, struct sf_str cluster);
/* Makes the secret, or gives it want's password where it holds another. Nothing when want needs none. *is_settling: a secret of
 * the name is just going: again in a second. */
enum sf_code sf_login_put(struct sf_op *op, struct sf_str cluster, const struct sf_value *want, bool *is_settling,
                          struct sf_err *err) SF_MUST_CHECK;
/* Deletes it, at once and for good. SF_OK when there is none. */
enum sf_code sf_login_drop(struct sf_op *op, struct sf_str cluster, struct sf_err *err) SF_MUST_CHECK;

/* Name and password of the master user for a connection of one's own: the password where this run has it, else what `login` says.
 * Changes nothing; works while planning. SF_E_AUTH when there is no way. */
enum sf_code sf_login_take(struct sf_op *op, const struct sf_object *cluster, struct sf_str *user, struct sf_str *password,
                           struct sf_err *err) SF_MUST_CHECK;

#endif

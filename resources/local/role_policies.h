/* What a role may do and who may use it, as its files say now: for the SFTP server's configuration and for loads. */
#ifndef SF_LOCAL_ROLE_POLICIES_H
#define SF_LOCAL_ROLE_POLICIES_H

#include "resources/iam/iam.h"
#include "resources/local/territory.h"

struct sf_role_policies {
    struct sf_str name, arn;
    const struct sf_value *trust;     /* trust policy, short names expanded */
    const struct sf_value *documents; /* list: attached and inline policies */
};

/* The role of this ARN or name. SF_E_ABSENT when there is none. An attached policy that is gone grants nothing; SF_E_IO when a file
 * cannot be read, since a Deny might be in it. */
enum sf_code sf_local_role_policies(struct sf_op *op, struct sf_str arn_or_name, struct sf_role_policies *out,
                                    struct sf_err *err) SF_MUST_CHECK;
/* Whether `service` ("transfer", "redshift") may assume the role; SF_E_DENIED says what to add. */
enum sf_code sf_local_role_trusts(struct sf_op *op, const struct sf_role_policies *role, const char *service,
                                  struct sf_err *err) SF_MUST_CHECK;

#endif

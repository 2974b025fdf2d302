/* How many more of a thing IAM lets this account have. */
#ifndef SF_AWS_IAM_QUOTA_H
#define SF_AWS_IAM_QUOTA_H

#include "resources/aws/client/client.h"

/* SF_E_REFUSED when the account has as many as it may: `counted` is GetAccountSummary's word ("Roles"), `what` ours ("roles"). Who
 * may not ask is told nothing: the create itself would be refused. Source: IAM API reference, GetAccountSummary. */
enum sf_code sf_aws_iam_check_quota(struct sf_op *op, const char *counted, const char *what, struct sf_err *err) SF_MUST_CHECK;

#endif

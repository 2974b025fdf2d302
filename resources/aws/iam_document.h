/* Policies on their way to IAM and back, and what roles and policies have in common. */
#ifndef SF_AWS_IAM_DOCUMENT_H
#define SF_AWS_IAM_DOCUMENT_H

#include "resources/aws/client/client.h"

/* The text that is sent: JSON without blanks, which IAM does not count anyway. */
struct sf_str sf_aws_document_text(struct sf_arena *arena, const struct sf_value *document);
/* A document as IAM gives it back, percent-encoded (RFC 3986). One that is not JSON is returned as its text, to show as drift. */
const struct sf_value *sf_aws_document_of(struct sf_arena *arena, struct sf_str encoded);
/* Characters that count against IAM's limits. */
size_t sf_aws_document_size(struct sf_arena *arena, const struct sf_value *document);

/* The roles that a document names, as a list for sf_aws_awaits_role(). */
const struct sf_value *sf_aws_roles_named(struct sf_arena *arena, const struct sf_value *document);

/* What an optional text reports: null where there is none, but "" if state has the attribute, and of what is adopted: that nothing
 * was said of it in a stack is then no change. */
const struct sf_value *sf_aws_text_or_unset(const struct sf_op *op, const char *attr, struct sf_str text);

/* One idempotent IAM call on `arn`. SF_E_ABSENT is left to the caller. */
enum sf_code sf_aws_iam_put(struct sf_op *op, const char *action, const struct sf_value *params, struct sf_str arn,
                            struct sf_err *err) SF_MUST_CHECK;
/* {name: value}, the parameters of most calls. */
struct sf_value *sf_aws_iam_params(struct sf_op *op, const char *name, struct sf_str value);

/* A role (by name) or a policy (by ARN), whose tags are changed by calls of the same form: TagRole, UntagRole. */
struct sf_aws_iam_tagged {
    const char *kind; /* "Role" */
    const char *key;  /* "RoleName" */
    struct sf_str id, arn;
};
/* Makes the tags what `want` and ownership ask for; `have`: all that are there, as a map. */
enum sf_code sf_aws_iam_put_tags(struct sf_op *op, const struct sf_aws_iam_tagged *object, const struct sf_value *have,
                                 const struct sf_value *want, struct sf_err *err) SF_MUST_CHECK;
/* All tags of it as a map, ours among them. */
enum sf_code sf_aws_iam_tags(struct sf_op *op, const struct sf_aws_iam_tagged *object, const struct sf_value **map,
                             struct sf_err *err) SF_MUST_CHECK;

#endif

/* S3 calls as the bucket, its emptying and its objects make them. */
#ifndef SF_AWS_S3_H
#define SF_AWS_S3_H

#include "resources/aws/client/client.h"

/* One part of a bucket ("versioning", "policy"): GET, PUT, DELETE /bucket?part. */
struct sf_s3_part {
    const char *name;       /* "publicAccessBlock" */
    const char *get;        /* "GetPublicAccessBlock" */
    const char *put;        /* "PutPublicAccessBlock" */
    const char *remove;     /* "DeletePublicAccessBlock", or NULL */
    const char *may_get;    /* IAM's action where it has another name, or NULL */
    const char *may_put;    /* also for remove, which IAM mostly counts as a put */
    const char *may_remove; /* or NULL */
};
extern const struct sf_s3_part sf_s3_versioning, sf_s3_encryption, sf_s3_public_access, sf_s3_policy, sf_s3_lifecycle,
    sf_s3_tagging;

/* SF_E_ABSENT: the bucket has no such part, or *is_bucket_gone. */
enum sf_code sf_s3_get(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, const struct sf_value **reply,
                       bool *is_bucket_gone, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_s3_put(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, struct sf_str body,
                       struct sf_err *err) SF_MUST_CHECK;
/* Its absence is success; that of the bucket is not. */
enum sf_code sf_s3_remove(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, struct sf_err *err) SF_MUST_CHECK;

struct sf_str sf_s3_bucket_arn(const struct sf_op *op, struct sf_str bucket);
/* "arn:aws:s3:::bucket/key" */
struct sf_str sf_s3_key_arn(const struct sf_op *op, struct sf_str bucket, struct sf_str key);
/* A query of one name without a value ("?versions"), to which more may be added. */
struct sf_value *sf_s3_query(struct sf_op *op, const char *name);
/* What encoding-type=url makes of a key, undone: %XX, and '+' for a blank. */
struct sf_str sf_s3_key_of(struct sf_arena *arena, struct sf_str encoded);
/* Without its quotes. */
struct sf_str sf_s3_bare_etag(struct sf_str etag);

#endif

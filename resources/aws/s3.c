/* See s3.h. Paths and names: S3 API reference; IAM's names for them: "Actions defined by Amazon S3", Service authorization
 * reference. */
#include "resources/aws/s3.h"

#include "resources/aws/client/uri.h"

const struct sf_s3_part sf_s3_versioning = {"versioning", "GetBucketVersioning", "PutBucketVersioning", NULL, NULL, NULL, NULL};
const struct sf_s3_part sf_s3_encryption = {.name = "encryption",
                                            .get = "GetBucketEncryption",
                                            .put = "PutBucketEncryption",
                                            .may_get = "s3:GetEncryptionConfiguration",
                                            .may_put = "s3:PutEncryptionConfiguration"};
const struct sf_s3_part sf_s3_public_access = {.name = "publicAccessBlock",
                                               .get = "GetPublicAccessBlock",
                                               .put = "PutPublicAccessBlock",
                                               .remove = "DeletePublicAccessBlock",
                                               .may_get = "s3:GetBucketPublicAccessBlock",
                                               .may_put = "s3:PutBucketPublicAccessBlock",
                                               .may_remove = "s3:PutBucketPublicAccessBlock"};
const struct sf_s3_part sf_s3_policy = {.name = "policy",
                                        .get = "GetBucketPolicy",
                                        .put = "PutBucketPolicy",
                                        .remove = "DeleteBucketPolicy"};
const struct sf_s3_part sf_s3_lifecycle = {.name = "lifecycle",
                                           .get = "GetBucketLifecycleConfiguration",
                                           .put = "PutBucketLifecycleConfiguration",
                                           .remove = "DeleteBucketLifecycle",
                                           .may_get = "s3:GetLifecycleConfiguration",
                                           .may_put = "s3:PutLifecycleConfiguration",
                                           .may_remove = "s3:PutLifecycleConfiguration"};
const struct sf_s3_part sf_s3_tagging = {.name = "tagging", .get = "GetBucketTagging", .put = "PutBucketTagging"};

struct sf_str sf_s3_bucket_arn(const struct sf_op *op, struct sf_str bucket)
{
    return sf_aws_arn(op, "s3", false, "%.*s", SF_ARG(bucket));
}

struct sf_str sf_s3_key_arn(const struct sf_op *op, struct sf_str bucket, struct sf_str key)
{
    return sf_aws_arn(op, "s3", false, "%.*s/%.*s", SF_ARG(bucket), SF_ARG(key));
}

struct sf_value *sf_s3_query(struct sf_op *op, const char *name)
{
    struct sf_value *query = sf_value_map(op->arena);
    sf_map_add(op->arena, query, sf_str_of(name), &sf_null_value);
    return query;
}

struct sf_str sf_s3_key_of(struct sf_arena *arena, struct sf_str encoded)
{
    char *text = sf_arena_alloc(arena, encoded.n + 1);
    for (size_t i = 0; i < encoded.n; i++)
        text[i] = encoded.p[i] == '+' ? ' ' : encoded.p[i];
    return sf_uri_decode(arena, (struct sf_str){text, encoded.n});
}

struct sf_str sf_s3_bare_etag(struct sf_str etag)
{
    bool is_quoted = etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"';
    return is_quoted ? sf_str_slice(etag, 1, etag.n - 1) : etag;
}

static struct sf_aws_call call_of(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part)
{
    return (struct sf_aws_call){
        .service = SF_AWS_S3, .bucket = bucket, .query = sf_s3_query(op, part->name), .resource = sf_s3_bucket_arn(op, bucket)};
}

enum sf_code sf_s3_get(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, const struct sf_value **reply,
                       bool *is_bucket_gone, struct sf_err *err)
{
    struct sf_aws_call call = call_of(op, bucket, part);
    call.method = "GET";
    call.action = part->get;
    call.effect = SF_AWS_READ;
    call.permission = part->may_get;
    enum sf_code rc = sf_aws_call(op, &call, reply, err);
    *is_bucket_gone = rc == SF_E_ABSENT && sf_aws_is_error(err, "NoSuchBucket", NULL);
    return rc;
}

enum sf_code sf_s3_put(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, struct sf_str body,
                       struct sf_err *err)
{
    struct sf_aws_call call = call_of(op, bucket, part);
    call.method = "PUT";
    call.action = part->put;
    call.effect = SF_AWS_PUT;
    call.permission = part->may_put;
    call.body = body;
    return sf_aws_call(op, &call, NULL, err);
}

enum sf_code sf_s3_remove(struct sf_op *op, struct sf_str bucket, const struct sf_s3_part *part, struct sf_err *err)
{
    struct sf_aws_call call = call_of(op, bucket, part);
    call.method = "DELETE";
    call.action = part->remove;
    call.effect = SF_AWS_PUT;
    call.permission = part->may_remove;
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    return rc == SF_E_ABSENT && !sf_aws_is_error(err, "NoSuchBucket", NULL) ? SF_OK : rc;
}

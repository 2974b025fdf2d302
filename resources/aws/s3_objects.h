/* The bucket half of the AWS world; world.h has the contracts. */
#ifndef SF_AWS_S3_OBJECTS_H
#define SF_AWS_S3_OBJECTS_H

#include "resources/data/world.h"

enum sf_code sf_aws_bucket_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                struct sf_bucket_entry **entries, size_t *n, struct sf_err *err);
/* Read in ranges of 8 MiB; one that was replaced in between is SF_E_STALE. */
enum sf_code sf_aws_bucket_open(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_reader *reader,
                                struct sf_err *err);
/* With Content-MD5, which S3 compares. */
enum sf_code sf_aws_bucket_put(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                               struct sf_err *err);
enum sf_code sf_aws_bucket_delete(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_err *err);

#endif

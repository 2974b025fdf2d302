/* Emptying a bucket, or one key of it: versions, delete markers, open multipart uploads. */
#ifndef SF_AWS_S3_EMPTY_H
#define SF_AWS_S3_EMPTY_H

#include "resources/aws/s3.h"

/* Deletes what keeps an object-free bucket from being deleted: earlier versions, delete markers and open uploads. If it holds
 * objects it is SF_E_CONFLICT, naming the first, unless `with_objects`: then they go too. SF_E_CANCELLED between pages of 1,000;
 * done again it goes on. A key that S3 would not delete is the error, though the reply as a whole was a success. */
enum sf_code sf_s3_empty(struct sf_op *op, struct sf_str bucket, bool with_objects, struct sf_err *err) SF_MUST_CHECK;
/* Deletes one object with all its versions and markers. None is success. */
enum sf_code sf_s3_delete_key(struct sf_op *op, struct sf_str bucket, struct sf_str key, struct sf_err *err) SF_MUST_CHECK;
/* Deletes all objects whose keys start with `prefix`, in the same way. */
enum sf_code sf_s3_delete_prefix(struct sf_op *op, struct sf_str bucket, struct sf_str prefix, struct sf_err *err) SF_MUST_CHECK;

#endif

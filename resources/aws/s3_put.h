/* Files put straight into a bucket: several at once over as many connections, each request with its SHA-256, which S3 compares.
 *
 * A file of up to 8 MiB is one PutObject. A longer one is a multipart upload of parts of 8 MiB or more, each put and compared by
 * itself, the whole by the checksum of their checksums. One that was left open is gone on with: parts that are there are not sent
 * again. What a thread holds in memory is a part. Source: S3 API reference, PutObject, CreateMultipartUpload, UploadPart,
 * ListParts, CompleteMultipartUpload; user guide, "Checking object integrity", "Amazon S3 multipart upload limits". */
#ifndef SF_AWS_S3_PUT_H
#define SF_AWS_S3_PUT_H

#include "resources/data/world.h"

/* The AWS world's bucket_put_many() and bucket_abandon(). */
enum sf_code sf_aws_bucket_put_many(struct sf_op *op, const struct sf_object *bucket, struct sf_put_file *files, size_t n,
                                    const struct sf_put_calls *calls, struct sf_err *err);
enum sf_code sf_aws_bucket_abandon(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                   const struct sf_map *keys, struct sf_err *err);

#endif

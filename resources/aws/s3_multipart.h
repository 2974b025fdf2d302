/* Multipart uploads of S3: what is open, what it holds, beginning, ending and giving up. Calls are made with the operation's own
 * thread and arena but for finish(). */
#ifndef SF_AWS_S3_MULTIPART_H
#define SF_AWS_S3_MULTIPART_H

#include "resources/aws/s3.h"

#include "engine/core/map.h"

enum { SF_S3_DIGEST_BYTES = 32, SF_S3_MAX_CHECKSUM = 48, SF_S3_MAX_ETAG = 80 };

struct sf_s3_part_put {
    bool is_there;
    int64_t bytes;                     /* of a listed one */
    char checksum[SF_S3_MAX_CHECKSUM]; /* base64 of its SHA-256; of a listed one empty when S3 does not say */
    char etag[SF_S3_MAX_ETAG];         /* without quotes */
};

struct sf_s3_upload {
    struct sf_str key, id;
    struct sf_s3_part_put *parts; /* part 1 first */
    size_t n_parts;
};

/* Size of the parts of a file of so many bytes: 8 MiB at least, and not more than 10,000 of them. */
int64_t sf_s3_part_bytes(int64_t bytes);

/* Begins `upload` (key, parts and n_parts given), or takes up one that is open for its key and notes the parts that it holds;
 * further open ones for this key are ended. */
enum sf_code sf_s3_upload_begin(struct sf_op *op, struct sf_str bucket, struct sf_s3_upload *upload,
                                struct sf_err *err) SF_MUST_CHECK;
/* Makes an object of the parts, all of which are there. After SF_E_UNAVAILABLE it may have been done: NoSuchUpload says that then.
 * S3 compares each checksum; the one of the whole is compared here. The arena is op's; *etag is in it. */
enum sf_code sf_s3_upload_finish(struct sf_op *op, struct sf_str bucket, const struct sf_s3_upload *upload, struct sf_str *etag,
                                 struct sf_err *err) SF_MUST_CHECK;
/* Ends every open upload below `prefix` whose key is in `keys`. */
enum sf_code sf_s3_uploads_abort(struct sf_op *op, struct sf_str bucket, struct sf_str prefix, const struct sf_map *keys,
                                 struct sf_err *err) SF_MUST_CHECK;

#endif

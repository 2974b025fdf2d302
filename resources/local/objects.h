/* The bucket half of the local world (world.h has the contracts): objects are files under <territory>/buckets/NAME/data, keys
 * are paths. Links inside a bucket are never followed. */
#ifndef SF_LOCAL_OBJECTS_H
#define SF_LOCAL_OBJECTS_H

#include "resources/data/world.h"

enum sf_code sf_local_bucket_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                  struct sf_bucket_entry **entries, size_t *n, struct sf_err *err);
enum sf_code sf_local_bucket_open(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_reader *reader,
                                  struct sf_err *err);
enum sf_code sf_local_bucket_put(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                                 struct sf_err *err);
/* One after the other: a disk is not a long line. */
enum sf_code sf_local_bucket_put_many(struct sf_op *op, const struct sf_object *bucket, struct sf_put_file *files, size_t n,
                                      const struct sf_put_calls *calls, struct sf_err *err);
enum sf_code sf_local_bucket_delete(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_err *err);

/* Whether `key` may be a path in a bucket: 1 to 1,024 bytes of UTF-8, no control characters, no empty, "." or ".." segment (so
 * neither absolute nor ending in "/"), no segment over 255 bytes or starting with SF_TEMP_PREFIX. SF_E_REFUSED says what is wrong.
 */
enum sf_code sf_local_check_key(struct sf_str key, struct sf_err *err) SF_MUST_CHECK;
/* Whether `name` is a bucket's: S3's rule, 3 to 63 of a-z 0-9 . - , ends with letter or digit, no "..". */
bool sf_local_is_bucket_name(struct sf_str name);

#endif

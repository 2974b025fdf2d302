/* A bucket's policy: one statement of ours that demands TLS, and those of the stack file. Pure.
 *
 * S3 keeps one document a bucket. The attributes `tls_only` and `policy` are put together into it and taken apart again, so that
 * each is compared by itself. Our statement is known by its Sid. */
#ifndef SF_AWS_BUCKET_POLICY_H
#define SF_AWS_BUCKET_POLICY_H

#include "engine/core/value.h"

/* The document to put; NULL: none, as neither asks for one. `policy` may be NULL or null. */
const struct sf_value *sf_bucket_policy_join(struct sf_arena *arena, struct sf_str bucket_arn, bool tls_only,
                                             const struct sf_value *policy);
/* What the document that is there (NULL: none) says: *policy is null when nothing but ours is in it. A statement with our Sid that
 * says something else than ours is not ours, and not the stack file's: *tls_only is false. */
void sf_bucket_policy_split(struct sf_arena *arena, struct sf_str bucket_arn, const struct sf_value *document, bool *tls_only,
                            const struct sf_value **policy);

/* What S3 would refuse: grammar and size of the whole, our Sid used for something else, a statement for everybody while public
 * access is blocked. SF_E_CONFIG. */
enum sf_code sf_bucket_policy_check(struct sf_arena *arena, struct sf_str bucket_arn, bool tls_only, bool is_public,
                                    const struct sf_value *policy, struct sf_err *err) SF_MUST_CHECK;

#endif

/* A bucket's lifecycle rules, between attribute `lifecycle` and S3's LifecycleConfiguration. Pure. */
#ifndef SF_AWS_BUCKET_LIFECYCLE_H
#define SF_AWS_BUCKET_LIFECYCLE_H

#include "engine/core/value.h"

/* What attribute `lifecycle` reports for GetBucketLifecycleConfiguration's reply (NULL: none). A rule that a stack file cannot
 * express (transitions, tags, dates, one that is off) is reported with what it has that cannot be said in its id, so that it shows
 * as drift and is never taken for one of the stack's: "archive (with Transition)". */
const struct sf_value *sf_bucket_lifecycle_of(struct sf_arena *arena, const struct sf_value *reply);
/* The body of PutBucketLifecycleConfiguration. */
struct sf_str sf_bucket_lifecycle_xml(struct sf_arena *arena, const struct sf_value *rules);
/* What S3 would refuse: a rule that does nothing, an id used twice. SF_E_CONFIG. */
enum sf_code sf_bucket_lifecycle_check(const struct sf_value *rules, struct sf_err *err) SF_MUST_CHECK;

#endif

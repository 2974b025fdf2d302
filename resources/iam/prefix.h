/* From policies to directories: what a caller may do where in a bucket, for a server that grants by directory.
 *
 * The evaluator is the judge; this only finds the directories at which its answer can change. Patterns must be cut at a directory
 * ("bucket/in/" + "*"): one that ends inside a name, names a single object or has a wildcard in the middle is refused, as is a
 * condition that cannot be known beforehand; nothing is silently left unapplied. */
#ifndef SF_IAM_PREFIX_H
#define SF_IAM_PREFIX_H

#include "resources/iam/iam.h"

enum {
    SF_IAM_LIST = 1,   /* s3:ListBucket: list directories */
    SF_IAM_GET = 2,    /* s3:GetObject */
    SF_IAM_PUT = 4,    /* s3:PutObject: put, mkdir */
    SF_IAM_DELETE = 8, /* s3:DeleteObject: rm, rmdir; with PUT: rename */
    SF_IAM_ALL = 15,
};

/* One directory of the bucket: what is allowed on everything below it, until a deeper area says otherwise. */
struct sf_iam_area {
    struct sf_str dir; /* "" is the bucket's root; "in", "in/deep": no slash at either end */
    unsigned below;    /* SF_IAM_* allowed on objects and directories below `dir` (LIST: listing subdirectories) */
    bool may_list;     /* listing `dir` itself */
};

/* All areas of the bucket for this caller, sorted by `dir` (so a directory comes before what is in it); the first always is
 * the root. `request` gives principal and what is known of the context (Transfer:UserName, ...); keys it lacks count as not known.
 * SF_E_CONFIG (err->where: the statement's place) when a policy says something that cannot be granted by directory. */
enum sf_code sf_iam_areas(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                          struct sf_str bucket_arn, struct sf_iam_area **areas, size_t *n, struct sf_err *err) SF_MUST_CHECK;
/* The deepest area that holds `key` (an object) or, with is_dir, that directory. Never NULL when n > 0. */
const struct sf_iam_area *sf_iam_area_of(const struct sf_iam_area *areas, size_t n, struct sf_str key);

#endif

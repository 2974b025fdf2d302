/* The IAM policy evaluator: pure, offline, three-valued.
 *
 * Semantics are those of the IAM user guide, "Policy evaluation logic" and "JSON policy elements": a matching Deny anywhere wins;
 * else identity and resource policies must allow as the accounts demand, inside the permissions boundary and the session policy.
 * What hangs on something that is not known (a context key, an attribute known after apply) is `depends`, never `allowed`.
 * Documents are values as JSON or YAML gave them; unknown attributes inside them are allowed. Nothing here does I/O or keeps state.
 */
#ifndef SF_IAM_IAM_H
#define SF_IAM_IAM_H

#include "engine/core/value.h"

enum sf_iam_decision { SF_IAM_ALLOWED, SF_IAM_EXPLICITLY_DENIED, SF_IAM_IMPLICITLY_DENIED, SF_IAM_DEPENDS };

struct sf_iam_request {
    struct sf_str action;   /* "s3:PutObject" */
    struct sf_str resource; /* ARN, or "*" */
    /* account that owns the resource; empty: what its ARN says, or the principal's own */
    struct sf_str resource_account;
    /* ARN as a string, "*" for anonymous, or a map {"AWS" | "Service" | "Federated": text}; NULL when not known */
    const struct sf_value *principal;
    /* map: key -> string, number, bool or list of them; null or unknown: present but not known. Keys are case-blind. */
    const struct sf_value *context;
    /* a key that is not in `context` is absent from the request (as AWS would evaluate); else it is not known */
    bool is_context_complete;
};

/* Each may be NULL (there is none), one document, or a list of documents. A boundary or session policy that is an empty list is
 * none. */
struct sf_iam_policies {
    const struct sf_value *identity;
    const struct sf_value *resource;
    const struct sf_value *boundary;
    const struct sf_value *session;
};

struct sf_iam_answer {
    enum sf_iam_decision decision;
    const struct sf_value *statement; /* the one that decided, or on which it depends; NULL when no statement applies */
    const char *source;               /* "identity policy", "resource policy", "permissions boundary", "session policy", or "" */
    size_t policy, index;             /* place of the statement: which document of that kind, which statement in it, from 0 */
    struct sf_str unknown;            /* depends: the context key or attribute that is not known */
};

/* Evaluates one request. SF_E_CONFIG when a document is malformed (err->where is the value's place). */
enum sf_code sf_iam_evaluate(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                             struct sf_iam_answer *answer, struct sf_err *err) SF_MUST_CHECK;

/* "allowed", "explicitly denied", "implicitly denied", "depends". */
const char *sf_iam_decision_name(enum sf_iam_decision decision);

/* `action` ("s3:GetObject") on object `key` of `bucket_arn`, or on the bucket itself when `key` is empty. For ListBucket on a
 * prefix put "s3:prefix" into the context. `request` gives principal and context; its action and resource are not looked at. */
enum sf_code sf_iam_s3_allows(struct sf_arena *arena, const struct sf_iam_request *request, const struct sf_iam_policies *policies,
                              const char *action, struct sf_str bucket_arn, struct sf_str key, struct sf_iam_answer *answer,
                              struct sf_err *err) SF_MUST_CHECK;

enum sf_iam_document {
    SF_IAM_IDENTITY_POLICY, /* Resource demanded, Principal refused; at most 6,144 characters without blanks */
    SF_IAM_TRUST_POLICY,    /* Principal demanded, Resource refused; at most 2,048 characters without blanks */
    SF_IAM_RESOURCE_POLICY, /* both; at most 20,480 bytes (S3) */
};

/* What IAM would refuse as MalformedPolicyDocument or LimitExceeded: elements, effects, action and ARN forms, condition operators
 * and keys, Sid (unique), version, size, characters. SF_E_CONFIG with err->where and a hint. Unknown attributes pass. */
enum sf_code sf_iam_check_document(struct sf_arena *arena, enum sf_iam_document kind, const struct sf_value *document,
                                   struct sf_err *err) SF_MUST_CHECK;

#endif

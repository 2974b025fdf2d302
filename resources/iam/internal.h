/* What the evaluator's files share: three-valued truth, context look-up, patterns, conditions. */
#ifndef SF_IAM_INTERNAL_H
#define SF_IAM_INTERNAL_H

#include "resources/iam/iam.h"

/* Ordered, so that `and` is the smaller and `or` the larger of two. */
enum sf_iam_tri { SF_NO, SF_MAYBE, SF_YES };

static inline enum sf_iam_tri sf_iam_and(enum sf_iam_tri a, enum sf_iam_tri b)
{
    return a < b ? a : b;
}
static inline enum sf_iam_tri sf_iam_or(enum sf_iam_tri a, enum sf_iam_tri b)
{
    return a > b ? a : b;
}
static inline enum sf_iam_tri sf_iam_not(enum sf_iam_tri a)
{
    return a == SF_YES ? SF_NO : a == SF_NO ? SF_YES : SF_MAYBE;
}

/* One evaluation. */
struct sf_iam_eval {
    struct sf_arena *arena;
    const struct sf_iam_request *request;
    bool has_variables;    /* the document at hand is of version 2012-10-17 */
    bool has_boundary;     /* the principal has a permissions boundary */
    struct sf_str unknown; /* first thing that was not known in the statement at hand */
};

enum sf_iam_presence { SF_KEY_ABSENT, SF_KEY_PRESENT, SF_KEY_UNKNOWN };

/* The request's value of a context key; what follows from the principal (aws:PrincipalArn, aws:username...) is filled in. */
enum sf_iam_presence sf_iam_lookup(const struct sf_iam_eval *eval, struct sf_str key, const struct sf_value **value);
/* Text of a scalar ("true", "42"); false when it is none. */
bool sf_iam_text(struct sf_arena *arena, const struct sf_value *v, struct sf_str *text);

/* A pattern: bytes, SF_ANY_RUN for `*`, SF_ANY_ONE for `?`. What a policy variable brings is literal. */
enum { SF_ANY_RUN = 256, SF_ANY_ONE = 257 };
struct sf_iam_pattern {
    const uint16_t *t;
    size_t n;
};

/* Compiles `text`. SF_NO: a variable in it is absent, so it matches nothing; SF_MAYBE: one is not known (eval->unknown). */
enum sf_iam_tri sf_iam_compile(struct sf_iam_eval *eval, struct sf_str text, bool has_wildcards, struct sf_iam_pattern *out);
/* Whole-text match; `?` is one UTF-8 character. At most length of pattern times length of text steps, never more. */
bool sf_iam_match(const struct sf_iam_pattern *pattern, struct sf_str text, bool folds_case);
/* ARNs: each of the six parts by itself, as condition operators Arn* do. */
bool sf_iam_match_arn(const struct sf_iam_pattern *pattern, struct sf_str arn);

/* A Condition element (NULL: always true). */
enum sf_code sf_iam_conditions(struct sf_iam_eval *eval, const struct sf_value *conditions, enum sf_iam_tri *holds,
                               struct sf_err *err) SF_MUST_CHECK;
/* Whether `name` ("ForAnyValue:StringLikeIfExists") is a condition operator. */
bool sf_iam_is_operator(struct sf_str name);

/* Items of an element that is one value or a list of values. */
static inline size_t sf_iam_count(const struct sf_value *v)
{
    return !v ? 0 : v->type == SF_V_LIST ? v->list.n : 1;
}
static inline const struct sf_value *sf_iam_item(const struct sf_value *v, size_t i)
{
    return v->type == SF_V_LIST ? v->list.items[i] : v;
}

bool sf_iam_equal_fold(struct sf_str a, struct sf_str b);
/* The account in an ARN, empty when it has none. */
struct sf_str sf_iam_arn_part(struct sf_str arn, size_t part);

/* Malformed document: SF_E_CONFIG at the value's place. */
enum sf_code sf_iam_malformed(struct sf_err *err, const struct sf_value *at, const char *fmt, ...) SF_PRINTF(3, 4);

#endif

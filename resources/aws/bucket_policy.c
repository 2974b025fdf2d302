/* See bucket_policy.h. */
#include "resources/aws/bucket_policy.h"

#include "resources/iam/iam.h"

static const char own_sid[] = "SfstackTlsOnly";
static const char statements_name[] = "Statement";

static const struct sf_value *text(struct sf_arena *arena, const char *s)
{
    return sf_value_str(arena, sf_str_of(s));
}

static const struct sf_value *own_statement(struct sf_arena *arena, struct sf_str bucket_arn)
{
    struct sf_value *statement = sf_value_map(arena), *secure = sf_value_map(arena), *condition = sf_value_map(arena);
    const struct sf_value **resources = SF_NEW_ARRAY(arena, 2, const struct sf_value *);
    resources[0] = sf_value_str(arena, bucket_arn);
    resources[1] = sf_value_str(arena, sf_str_fmt(arena, "%.*s/*", SF_ARG(bucket_arn)));
    sf_map_add(arena, secure, SF_STR("aws:SecureTransport"), text(arena, "false"));
    sf_map_add(arena, condition, SF_STR("Bool"), secure);
    sf_map_add(arena, statement, SF_STR("Sid"), text(arena, own_sid));
    sf_map_add(arena, statement, SF_STR("Effect"), text(arena, "Deny"));
    sf_map_add(arena, statement, SF_STR("Principal"), text(arena, "*"));
    sf_map_add(arena, statement, SF_STR("Action"), text(arena, "s3:*"));
    sf_map_add(arena, statement, SF_STR("Resource"), sf_value_list(arena, resources, 2));
    sf_map_add(arena, statement, SF_STR("Condition"), condition);
    return statement;
}

static size_t count(const struct sf_value *v)
{
    return !v ? 0 : v->type == SF_V_LIST ? v->list.n : 1;
}

static const struct sf_value *item(const struct sf_value *v, size_t i)
{
    return v->type == SF_V_LIST ? v->list.items[i] : v;
}

/* The document with other statements. */
static const struct sf_value *with_statements(struct sf_arena *arena, const struct sf_value *document,
                                              const struct sf_value *statements)
{
    struct sf_value *out = sf_value_map(arena);
    for (size_t i = 0; document && document->type == SF_V_MAP && i < document->map.n; i++)
        sf_map_add(arena, out, document->map.pairs[i].key, document->map.pairs[i].value);
    if (!document || document->type != SF_V_MAP)
        sf_map_set_str(arena, out, "Version", SF_STR("2012-10-17"));
    sf_map_set(arena, out, sf_str_of(statements_name), statements);
    return out;
}

const struct sf_value *sf_bucket_policy_join(struct sf_arena *arena, struct sf_str bucket_arn, bool tls_only,
                                             const struct sf_value *policy)
{
    const struct sf_value *theirs = sf_map_getz(policy, statements_name);
    const struct sf_value **all = SF_NEW_ARRAY(arena, count(theirs) + 1, const struct sf_value *);
    size_t n = 0;
    if (tls_only)
        all[n++] = own_statement(arena, bucket_arn);
    for (size_t i = 0; i < count(theirs); i++)
        all[n++] = item(theirs, i);
    return n ? with_statements(arena, policy, sf_value_list(arena, all, n)) : NULL;
}

void sf_bucket_policy_split(struct sf_arena *arena, struct sf_str bucket_arn, const struct sf_value *document, bool *tls_only,
                            const struct sf_value **policy)
{
    const struct sf_value *all = sf_map_getz(document, statements_name), *own = own_statement(arena, bucket_arn);
    const struct sf_value **theirs = SF_NEW_ARRAY(arena, count(all) + 1, const struct sf_value *);
    size_t n = 0;
    *tls_only = false;
    for (size_t i = 0; i < count(all); i++) {
        if (!sf_str_is(sf_map_str(item(all, i), "Sid"), own_sid))
            theirs[n++] = item(all, i);
        else
            *tls_only = sf_value_equal(item(all, i), own);
    }
    *policy = n ? with_statements(arena, document, sf_value_list(arena, theirs, n)) : &sf_null_value;
}

/* --- checks --- */

static bool is_everybody(const struct sf_value *who)
{
    if (!who || who->type == SF_V_UNKNOWN)
        return false;
    if (who->type == SF_V_MAP)
        return is_everybody(sf_map_getz(who, "AWS"));
    for (size_t i = 0; i < count(who); i++)
        if (item(who, i)->type == SF_V_STRING && sf_str_is(item(who, i)->s, "*"))
            return true;
    return false;
}

/* S3 user guide, "The meaning of public": a wildcard principal, unless a condition narrows it. */
static bool is_public_statement(const struct sf_value *statement)
{
    return sf_str_is(sf_map_str(statement, "Effect"), "Allow") && is_everybody(sf_map_getz(statement, "Principal")) &&
           !sf_map_getz(statement, "Condition");
}

static enum sf_code fail_at(struct sf_err *err, const struct sf_value *at, const char *message, const char *hint)
{
    sf_fail(err, SF_E_CONFIG, "%s", message);
    sf_hint(err, "%s", hint);
    if (err)
        err->where = at->mark;
    return SF_E_CONFIG;
}

enum sf_code sf_bucket_policy_check(struct sf_arena *arena, struct sf_str bucket_arn, bool tls_only, bool is_public,
                                    const struct sf_value *policy, struct sf_err *err)
{
    if (!policy || policy->type != SF_V_MAP)
        return SF_OK;
    const struct sf_value *statements = sf_map_getz(policy, statements_name);
    enum sf_code rc = sf_iam_check_document(arena, SF_IAM_RESOURCE_POLICY, policy, err);
    for (size_t i = 0; !rc && i < count(statements); i++) {
        const struct sf_value *statement = item(statements, i);
        if (sf_str_is(sf_map_str(statement, "Sid"), own_sid))
            rc = fail_at(err, statement, "the Sid 'SfstackTlsOnly' is that of the statement of `tls_only`",
                         "give the statement another Sid");
        else if (!is_public && is_public_statement(statement))
            rc = fail_at(err, statement,
                         "the bucket's policy lets everybody in, but its public access is blocked: S3 would refuse it",
                         "name the principals, or write `public: true`");
    }
    const struct sf_value *whole = sf_bucket_policy_join(arena, bucket_arn, tls_only, policy);
    return rc || !whole ? rc : sf_iam_check_document(arena, SF_IAM_RESOURCE_POLICY, whole, err);
}

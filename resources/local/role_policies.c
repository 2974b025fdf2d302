/* See role_policies.h. */
#include "resources/local/role_policies.h"

#include "resources/iam/trust.h"
#include "resources/local/record.h"

static struct sf_str after_last_slash(struct sf_str s)
{
    size_t from = s.n;
    while (from > 0 && s.p[from - 1] != '/')
        from--;
    return sf_str_slice(s, from, s.n);
}

/* "attrs" of iam/<folder>/<name>.json. */
static enum sf_code read_attrs(struct sf_op *op, const char *folder, struct sf_str name, const struct sf_value **attrs,
                               struct sf_err *err)
{
    const struct sf_value *meta;
    *attrs = NULL;
    if (!sf_record_is_name(name))
        return sf_fail(err, SF_E_ABSENT, "there is nothing named '%.*s' in %s", SF_ARG(name), folder);
    enum sf_code rc = sf_territory_read_meta(op, sf_territory_path(op, "iam/%s/%.*s.json", folder, SF_ARG(name)), &meta, err);
    if (rc == SF_OK)
        *attrs = sf_map_getz(meta, "attrs");
    return rc;
}

static enum sf_code collect(struct sf_op *op, const struct sf_value *attrs, struct sf_role_policies *out, struct sf_err *err)
{
    const struct sf_value *arns = sf_map_getz(attrs, "policies"), *own = sf_map_getz(attrs, "inline");
    size_t n_arns = arns && arns->type == SF_V_LIST ? arns->list.n : 0, n_own = own && own->type == SF_V_MAP ? own->map.n : 0,
           n = 0;
    const struct sf_value **documents = SF_NEW_ARRAY(op->arena, n_arns + n_own + 1, const struct sf_value *);
    for (size_t i = 0; i < n_arns; i++) {
        const struct sf_value *policy, *arn = arns->list.items[i];
        enum sf_code rc =
            read_attrs(op, "policies", after_last_slash(arn->type == SF_V_STRING ? arn->s : SF_STR_NONE), &policy, err);
        if (rc == SF_E_ABSENT)
            continue;
        if (rc)
            return rc;
        const struct sf_value *document = sf_map_getz(policy, "document");
        if (document)
            documents[n++] = document;
    }
    for (size_t i = 0; i < n_own; i++)
        documents[n++] = own->map.pairs[i].value;
    out->documents = sf_value_list(op->arena, documents, n);
    return SF_OK;
}

enum sf_code sf_local_role_policies(struct sf_op *op, struct sf_str arn_or_name, struct sf_role_policies *out, struct sf_err *err)
{
    const struct sf_value *attrs;
    struct sf_str name = after_last_slash(arn_or_name);
    *out = (struct sf_role_policies){
        .name = name, .arn = sf_str_fmt(op->arena, "arn:aws:iam::%.*s:role/%.*s", SF_ARG(op->site->account), SF_ARG(name))};
    enum sf_code rc = read_attrs(op, "roles", name, &attrs, err);
    if (rc == SF_E_ABSENT) {
        sf_fail(err, SF_E_ABSENT, "there is no role '%.*s'", SF_ARG(name));
        sf_hint(err, "sfapply makes it");
    }
    if (rc)
        return rc;
    const struct sf_value *trust = sf_map_getz(attrs, "trust");
    rc = trust ? sf_iam_trust_document(op->arena, trust, SF_STR_NONE, &out->trust, err) : SF_OK;
    return rc ? rc : collect(op, attrs, out, err);
}

enum sf_code sf_local_role_trusts(struct sf_op *op, const struct sf_role_policies *role, const char *service, struct sf_err *err)
{
    struct sf_value *who = sf_value_map(op->arena);
    sf_map_set_str(op->arena, who, "Service", sf_str_fmt(op->arena, "%s.amazonaws.com", service));
    struct sf_iam_request request = {
        .action = SF_STR("sts:AssumeRole"), .resource = role->arn, .principal = who, .is_context_complete = true};
    struct sf_iam_policies policies = {.resource = role->trust};
    struct sf_iam_answer answer = {.decision = SF_IAM_IMPLICITLY_DENIED};
    enum sf_code rc = sf_iam_evaluate(op->arena, &request, &policies, &answer, err);
    if (rc || answer.decision == SF_IAM_ALLOWED)
        return rc;
    sf_fail(err, SF_E_DENIED, "role '%.*s' does not trust %s.amazonaws.com: %s", SF_ARG(role->name), service,
            sf_iam_decision_name(answer.decision));
    sf_hint(err, "write `trust: %s` in the role", service);
    return SF_E_DENIED;
}

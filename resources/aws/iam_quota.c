/* See iam_quota.h. */
#include "resources/aws/iam_quota.h"

/* SummaryMap is a list of {key, value}. */
static int64_t entry(struct sf_arena *arena, const struct sf_value *reply, struct sf_str name)
{
    const struct sf_value *entries = sf_aws_items(arena, reply, "SummaryMap.entry");
    for (size_t i = 0; i < entries->list.n; i++)
        if (sf_str_eq(sf_aws_text(entries->list.items[i], "key"), name))
            return sf_aws_int(entries->list.items[i], "value", -1);
    return -1;
}

enum sf_code sf_aws_iam_check_quota(struct sf_op *op, const char *counted, const char *what, struct sf_err *err)
{
    const struct sf_aws_call call = {.service = SF_AWS_IAM, .action = "GetAccountSummary", .effect = SF_AWS_READ};
    const struct sf_value *reply = NULL;
    struct sf_err ignored;
    if (sf_aws_call(op, &call, &reply, &ignored) != SF_OK)
        return SF_OK;
    int64_t used = entry(op->arena, reply, sf_str_of(counted)),
            most = entry(op->arena, reply, sf_str_fmt(op->arena, "%sQuota", counted));
    if (used < 0 || most <= 0 || used < most)
        return SF_OK;
    sf_fail(err, SF_E_REFUSED, "the account has %lld of at most %lld %s", (long long)used, (long long)most, what);
    sf_hint(err, "delete some that nobody needs, or have the quota raised: Service Quotas, IAM");
    return SF_E_REFUSED;
}

/* See trust.h. */
#include "resources/iam/trust.h"

#include <stdlib.h>

static const struct {
    const char *name;
    const char *principals[2];
    bool names_account;
} services[] = {
    {"transfer", {"transfer.amazonaws.com"}, true},
    {"redshift", {"redshift.amazonaws.com", "redshift-serverless.amazonaws.com"}, false},
};

static const struct sf_value *principals_of(struct sf_arena *arena, size_t service)
{
    const struct sf_value **list = SF_NEW_ARRAY(arena, 2, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < 2 && services[service].principals[i]; i++)
        list[n++] = sf_value_str(arena, sf_str_of(services[service].principals[i]));
    return n == 1 ? list[0] : sf_value_list(arena, list, n);
}

static const struct sf_value *only_for(struct sf_arena *arena, struct sf_str account)
{
    struct sf_value *key = sf_value_map(arena), *condition = sf_value_map(arena);
    sf_map_set_str(arena, key, "aws:SourceAccount", account);
    sf_map_add(arena, condition, SF_STR("StringEquals"), key);
    return condition;
}

static const struct sf_value *expand(struct sf_arena *arena, size_t service, struct sf_str account)
{
    struct sf_value *who = sf_value_map(arena), *statement = sf_value_map(arena), *policy = sf_value_map(arena);
    const struct sf_value **list = SF_NEW_ARRAY(arena, 1, const struct sf_value *);
    sf_map_add(arena, who, SF_STR("Service"), principals_of(arena, service));
    sf_map_set_str(arena, statement, "Effect", SF_STR("Allow"));
    sf_map_add(arena, statement, SF_STR("Principal"), who);
    sf_map_set_str(arena, statement, "Action", SF_STR("sts:AssumeRole"));
    if (account.n && services[service].names_account)
        sf_map_add(arena, statement, SF_STR("Condition"), only_for(arena, account));
    list[0] = statement;
    sf_map_set_str(arena, policy, "Version", SF_STR("2012-10-17"));
    sf_map_add(arena, policy, SF_STR("Statement"), sf_value_list(arena, list, 1));
    return policy;
}

enum sf_code sf_iam_trust_document(struct sf_arena *arena, const struct sf_value *trust, struct sf_str account,
                                   const struct sf_value **document, struct sf_err *err)
{
    *document = trust->type == SF_V_MAP ? trust : NULL;
    if (trust->type == SF_V_MAP || trust->type == SF_V_UNKNOWN)
        return SF_OK;
    for (size_t i = 0; trust->type == SF_V_STRING && i < SF_COUNT(services); i++) {
        if (!sf_str_is(trust->s, services[i].name))
            continue;
        *document = expand(arena, i, account);
        return SF_OK;
    }
    sf_fail(err, SF_E_CONFIG, "'%.*s' is not a service that a role can trust by name",
            trust->type == SF_V_STRING ? (int)trust->s.n : 0, trust->type == SF_V_STRING ? trust->s.p : "");
    if (err)
        err->where = trust->mark;
    sf_hint(err, "write `trust: transfer`, `trust: redshift`, or a whole trust policy");
    return SF_E_CONFIG;
}

static int by_order(const void *a, const void *b)
{
    return sf_value_order(*(const struct sf_value *const *)a, *(const struct sf_value *const *)b);
}

/* A list of one is its item, the order of a list and an empty Sid say nothing. */
static const struct sf_value *loosen(struct sf_arena *arena, const struct sf_value *v)
{
    if (v->type == SF_V_LIST && v->list.n == 1)
        return loosen(arena, v->list.items[0]);
    if (v->type == SF_V_LIST) {
        const struct sf_value **items = SF_NEW_ARRAY(arena, v->list.n, const struct sf_value *);
        for (size_t i = 0; i < v->list.n; i++)
            items[i] = loosen(arena, v->list.items[i]);
        qsort(items, v->list.n, sizeof(struct sf_value *), by_order);
        return sf_value_list(arena, items, v->list.n);
    }
    if (v->type != SF_V_MAP)
        return v;
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < v->map.n; i++) {
        const struct sf_pair *pair = &v->map.pairs[i];
        if (!sf_str_is(pair->key, "Sid") || pair->value->type != SF_V_STRING || pair->value->s.n)
            sf_map_add(arena, map, pair->key, loosen(arena, pair->value));
    }
    return map;
}

const struct sf_value *sf_iam_trust_report(struct sf_arena *arena, const struct sf_value *document, const struct sf_value *trust,
                                           struct sf_str account)
{
    const struct sf_value *wanted = NULL;
    if (!trust || trust->type != SF_V_STRING || sf_iam_trust_document(arena, trust, account, &wanted, NULL) || !wanted)
        return document;
    return sf_value_equal(loosen(arena, document), loosen(arena, wanted)) ? trust : document;
}

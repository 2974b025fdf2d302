/* What the caller may not do, asked of IAM beforehand: SimulatePrincipalPolicy (IAM API reference). It knows the caller's own
 * policies and boundary, not those of the organization. */
#include "resources/aws/rights.h"

#include "resources/aws/client/client.h"

#include "engine/core/clock.h"

enum { ASK_SECONDS = 20, MAX_NAMED = 5 };

/* The ARN that can be simulated: a user's, or the role behind a session; empty for root and federated users. */
static struct sf_str principal_of(const struct sf_op *op, struct sf_str caller)
{
    size_t at = sf_str_find(caller, SF_STR(":assumed-role/"));
    if (at != SIZE_MAX) {
        struct sf_str rest = sf_str_slice(caller, at + strlen(":assumed-role/"), caller.n);
        return sf_aws_arn(op, "iam", false, "role/%.*s", SF_ARG(sf_str_slice(rest, 0, sf_str_find(rest, SF_STR("/")))));
    }
    return sf_str_find(caller, SF_STR(":user/")) != SIZE_MAX ? caller : SF_STR_NONE;
}

static const struct sf_value *members(struct sf_arena *arena, const struct sf_value *list)
{
    struct sf_value *wrapped = sf_value_map(arena);
    sf_map_add(arena, wrapped, SF_STR("member"), list);
    return wrapped;
}

static const struct sf_value *denied_of(struct sf_arena *arena, const struct sf_value *results)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, results->list.n + 1, const struct sf_value *);
    size_t n = 0, more = 0;
    for (size_t i = 0; i < results->list.n; i++) {
        const struct sf_value *result = results->list.items[i];
        if (sf_str_is(sf_aws_text(result, "EvalDecision"), "allowed"))
            continue;
        if (n == MAX_NAMED) {
            more++;
            continue;
        }
        items[n++] = sf_value_str(arena, sf_str_fmt(arena, "%.*s on %.*s", SF_ARG(sf_aws_text(result, "EvalActionName")),
                                                    SF_ARG(sf_aws_text(result, "EvalResourceName"))));
    }
    if (more)
        items[n++] = sf_value_str(arena, sf_str_fmt(arena, "%zu further actions", more));
    return sf_value_list(arena, items, n);
}

enum sf_code sf_aws_ask_rights(struct sf_arena *arena, const struct sf_site *site, const struct sf_value *statement,
                               const struct sf_value **denied, struct sf_err *err)
{
    static const struct sf_object nobody;
    struct sf_op op = {
        .arena = arena, .site = site, .self = &nobody, .deadline_ms = sf_clock_ms() + 1000LL * ASK_SECONDS, .is_planning = true};
    struct sf_str principal = principal_of(&op, site->caller);
    struct sf_value *params = sf_value_map(arena);
    *denied = sf_value_list(arena, NULL, 0);
    if (!principal.n)
        return SF_OK;
    sf_map_set_str(arena, params, "PolicySourceArn", principal);
    sf_map_add(arena, params, SF_STR("ActionNames"), members(arena, sf_map_getz(statement, "Action")));
    sf_map_add(arena, params, SF_STR("ResourceArns"), members(arena, sf_map_getz(statement, "Resource")));
    const struct sf_aws_call call = {
        .service = SF_AWS_IAM, .action = "SimulatePrincipalPolicy", .effect = SF_AWS_READ, .params = params, .resource = principal};
    static const struct sf_aws_pages pages = {"EvaluationResults.member", "Marker", "Marker"};
    const struct sf_value *results = NULL;
    enum sf_code rc = sf_aws_list(&op, &call, &pages, &results, err);
    if (rc == SF_OK)
        *denied = denied_of(arena, results);
    return rc;
}

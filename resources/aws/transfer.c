/* See transfer.h. */
#include "resources/aws/transfer.h"

#include "attr/role.h"
#include "engine/core/clock.h"
#include "resources/aws/ownership.h"

enum { WHOLE_WAIT_MS = 1200 * 1000, FIRST_POLL_MS = 50, LAST_POLL_MS = 5000 };

static const char principal[] = "transfer.amazonaws.com";

struct sf_str sf_transfer_server_arn(const struct sf_op *op, struct sf_str server)
{
    return sf_aws_arn(op, "transfer", true, "server/%.*s", SF_ARG(server));
}

struct sf_str sf_transfer_user_arn(const struct sf_op *op, struct sf_str server, struct sf_str user)
{
    return sf_aws_arn(op, "transfer", true, "user/%.*s/%.*s", SF_ARG(server), SF_ARG(user));
}

enum sf_code sf_transfer_call(struct sf_op *op, enum sf_aws_effect effect, const char *action, const struct sf_value *params,
                              struct sf_str arn, const struct sf_value **reply, struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_TRANSFER, .action = action, .effect = effect, .params = params, .resource = arn};
    return sf_aws_call(op, &call, reply, err);
}

struct sf_value *sf_transfer_params(struct sf_op *op, struct sf_str server)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "ServerId", server);
    return params;
}

enum sf_code sf_transfer_put_tags(struct sf_op *op, struct sf_str arn, const struct sf_value *list, const struct sf_value *want,
                                  struct sf_err *err)
{
    const struct sf_value *set, *unset;
    sf_aws_tag_changes(op, sf_aws_tag_map(op->arena, list, &sf_aws_tags_upper), want, &sf_aws_tags_upper, &set, &unset);
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set_str(op->arena, params, "Arn", arn);
    enum sf_code rc = SF_OK;
    if (set->list.n) {
        sf_map_set(op->arena, params, SF_STR("Tags"), set);
        rc = sf_transfer_call(op, SF_AWS_PUT, "TagResource", params, arn, NULL, err);
    }
    if (rc == SF_OK && unset->list.n) {
        sf_map_set(op->arena, params, SF_STR("Tags"), NULL);
        sf_map_set(op->arena, params, SF_STR("TagKeys"), unset);
        rc = sf_transfer_call(op, SF_AWS_PUT, "UntagResource", params, arn, NULL, err);
    }
    return rc;
}

void sf_transfer_point_at(const struct sf_value *value, struct sf_err *err)
{
    bool is_written = value && value->mark.file && strcmp(value->mark.file, "schema") != 0; /* by a person, not a default */
    if (is_written && err && !err->where.line)
        err->where = value->mark;
}

/* --- waits --- */

void sf_transfer_wait(const struct sf_op *op, bool again, const char *what, struct sf_outcome *out)
{
    /* a quarter of the time that has passed: nothing remembers when the wait began, but the deadline tells */
    int64_t wait = (WHOLE_WAIT_MS - (op->deadline_ms - sf_clock_ms())) / 4;
    out->is_pending = true;
    out->again = again;
    out->poll_after_ms = (uint32_t)(wait < FIRST_POLL_MS ? FIRST_POLL_MS : wait > LAST_POLL_MS ? LAST_POLL_MS : wait);
    out->waiting_for = what;
}

enum sf_code sf_transfer_await_role(struct sf_op *op, enum sf_code rc, const struct sf_value *role, struct sf_outcome *out,
                                    const struct sf_err *err)
{
    if (!rc || !role || !sf_aws_awaits_role(op, role, err))
        return rc;
    sf_transfer_wait(op, true, "the role to be known to Transfer Family", out);
    return SF_OK;
}

/* --- who may assume a role --- */

static bool is_or_holds(const struct sf_value *v, const char *text)
{
    if (!v)
        return false;
    if (v->type == SF_V_UNKNOWN || (v->type == SF_V_STRING && (sf_str_is(v->s, text) || sf_str_is(v->s, "*"))))
        return true;
    for (size_t i = 0; v->type == SF_V_LIST && i < v->list.n; i++)
        if (is_or_holds(v->list.items[i], text))
            return true;
    return false;
}

/* Whether a trust policy lets Transfer Family in; its conditions are not looked at, and what is not known yet passes. */
static bool trusts_transfer(const struct sf_value *trust)
{
    if (trust->type == SF_V_STRING)
        return sf_str_is(trust->s, "transfer");
    const struct sf_value *statements = sf_map_getz(trust, "Statement");
    const struct sf_value *const *list = statements && statements->type == SF_V_LIST ? statements->list.items : &statements;
    size_t n = !statements ? 0 : statements->type == SF_V_LIST ? statements->list.n : 1;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *who = sf_map_getz(list[i], "Principal");
        if (!sf_str_is(sf_map_str(list[i], "Effect"), "Deny") &&
            (is_or_holds(who, "*") || is_or_holds(sf_map_getz(who, "Service"), principal)))
            return true;
    }
    return !statements || statements->type == SF_V_UNKNOWN;
}

enum sf_code sf_transfer_check_trust(struct sf_op *op, const char *attr, struct sf_err *err)
{
    const struct sf_object *role = sf_op_ref(op, NULL, attr, 0);
    const struct sf_value *trust = role ? sf_map_getz(role->attrs, ROLE_TRUST) : NULL;
    if (!trust || trust->type == SF_V_UNKNOWN || trust->type == SF_V_NULL || trusts_transfer(trust))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%.*s' does not let Transfer Family assume it", SF_ARG(role->address));
    sf_hint(err, "write `trust: transfer` there, or allow the service %s in its trust policy", principal);
    return SF_E_CONFIG;
}

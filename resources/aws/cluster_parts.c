/* See cluster_parts.h. */
#include "resources/aws/cluster_parts.h"

#include "attr/cluster.h"
#include "engine/core/clock.h"
#include "resources/aws/params.h"

#include <time.h>

enum { FIRST_POLL_MS = 50, LAST_POLL_MS = 15000, POLLS_PER_AGE = 10 };

static const char password_seal[] = "master_password_set";

enum sf_code sf_cluster_wait(struct sf_outcome *out, bool again, uint32_t after_ms, const char *waiting_for)
{
    out->is_pending = true;
    out->again = again;
    out->poll_after_ms = after_ms;
    out->waiting_for = waiting_for;
    return SF_OK;
}

uint32_t sf_cluster_poll_ms(int64_t since_ms)
{
    int64_t wait = (sf_clock_wall_ms() - since_ms) / POLLS_PER_AGE;
    return (uint32_t)(wait < FIRST_POLL_MS ? FIRST_POLL_MS : wait > LAST_POLL_MS ? LAST_POLL_MS : wait);
}

int64_t sf_cluster_time_ms(struct sf_str text)
{
    struct tm at = {0};
    char copy[32];
    if (text.n < 19 || text.n >= sizeof copy)
        return 0;
    memcpy(copy, text.p, text.n);
    copy[text.n] = 0;
    return strptime(copy, "%Y-%m-%dT%H:%M:%S", &at) ? (int64_t)timegm(&at) * 1000 : 0;
}

struct sf_str sf_cluster_editor_url(const struct sf_op *op)
{
    static const struct {
        const char *partition, *host;
    } consoles[] = {{"aws-cn", "console.amazonaws.cn"}, {"aws-us-gov", "console.amazonaws-us-gov.com"}};
    const char *host = "console.aws.amazon.com";
    for (size_t i = 0; i < SF_COUNT(consoles); i++)
        if (strcmp(sf_aws_partition(sf_aws_of(op))->name, consoles[i].partition) == 0)
            host = consoles[i].host;
    struct sf_str region = op->site->region;
    return sf_str_fmt(op->arena, "https://%.*s.%s/sqlworkbench/home?region=%.*s#/client", SF_ARG(region), host, SF_ARG(region));
}

enum sf_code sf_cluster_refuse_paused(const struct sf_op *op, struct sf_str id, bool is_as_wanted, struct sf_err *err)
{
    enum sf_code rc = is_as_wanted && !op->is_planning ? SF_E_REFUSED : SF_E_UNAVAILABLE;
    sf_fail(err, rc, "cluster '%.*s' is paused", SF_ARG(id));
    sf_hint(err, "`running: true` in the stack file resumes it");
    return rc;
}

bool sf_cluster_is_foreign(struct sf_op *op, const char *what, const struct sf_value *tags)
{
    struct sf_err ignored;
    return sf_map_getz(tags, "sfstack:stack") && sf_aws_check_owner(op, what, tags, &ignored) != SF_OK;
}

/* --- the master password --- */

bool sf_cluster_is_password_set(struct sf_op *op, struct sf_str password)
{
    struct sf_str last;
    struct sf_err ignored;
    return sf_op_unseal(op, NULL, password_seal, &last, &ignored) == SF_OK && sf_str_eq(last, sf_op_fingerprint(op, password));
}

const struct sf_value *sf_cluster_password_to_set(struct sf_op *op, const struct sf_value *want)
{
    const struct sf_value *password = sf_map_getz(want, CLUSTER_PASSWORD);
    return password && password->type == SF_V_STRING && !sf_cluster_is_password_set(op, password->s) ? password : NULL;
}

enum sf_code sf_cluster_note_password(struct sf_op *op, const struct sf_value *want, bool is_set, struct sf_err *err)
{
    const struct sf_value *password = sf_map_getz(want, CLUSTER_PASSWORD);
    bool is_known = is_set && password && password->type == SF_V_STRING;
    return sf_op_seal(op, password_seal, is_known ? sf_op_fingerprint(op, password->s) : SF_STR("in doubt"), err);
}

/* --- lists of texts --- */

static size_t length(const struct sf_value *list)
{
    return list && list->type == SF_V_LIST ? list->list.n : 0;
}

bool sf_cluster_has(const struct sf_value *list, struct sf_str text)
{
    for (size_t i = 0; i < length(list); i++)
        if (list->list.items[i]->type == SF_V_STRING && sf_str_eq(list->list.items[i]->s, text))
            return true;
    return false;
}

const struct sf_value *sf_cluster_missing(struct sf_arena *arena, const struct sf_value *list, const struct sf_value *other)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, length(list), const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < length(list); i++)
        if (list->list.items[i]->type == SF_V_STRING && !sf_cluster_has(other, list->list.items[i]->s))
            items[n++] = list->list.items[i];
    return sf_value_list(arena, items, n);
}

static bool holds_all_of(const struct sf_value *a, const struct sf_value *b)
{
    for (size_t i = 0; i < length(b); i++)
        if (b->list.items[i]->type == SF_V_STRING && !sf_cluster_has(a, b->list.items[i]->s))
            return false;
    return true;
}

bool sf_cluster_is_same_set(const struct sf_value *a, const struct sf_value *b)
{
    return holds_all_of(a, b) && holds_all_of(b, a);
}

const struct sf_value *sf_cluster_column(struct sf_arena *arena, const struct sf_value *list, const char *key,
                                         const char *state_key, const char *not_state)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, length(list), const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < length(list); i++) {
        struct sf_str text = sf_aws_text(list->list.items[i], key);
        if (text.n && !(state_key && sf_str_is(sf_aws_text(list->list.items[i], state_key), not_state)))
            items[n++] = sf_value_str(arena, text);
    }
    return sf_value_list(arena, items, n);
}

/* --- security groups --- */

static enum sf_code describe_groups(struct sf_op *op, const struct sf_value *params, const struct sf_value **groups,
                                    struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "DescribeSecurityGroups", .params = params};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    *groups = sf_aws_items(op->arena, reply, "securityGroupInfo.item");
    return rc;
}

static enum sf_code describe_ids(struct sf_op *op, const struct sf_value *ids, const struct sf_value **groups, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set(op->arena, params, SF_STR("GroupId"), ids);
    return describe_groups(op, params, groups, err);
}

enum sf_code sf_cluster_groups_told(struct sf_op *op, const struct sf_value *ids, const struct sf_value *wanted,
                                    const struct sf_value **told, struct sf_err *err)
{
    const struct sf_value *groups = NULL;
    *told = ids;
    if (length(wanted) > 0 || length(ids) == 0)
        return SF_OK;
    enum sf_code rc = describe_ids(op, ids, &groups, err);
    if (rc == SF_E_ABSENT) /* one of them is just going */
        return SF_OK;
    const struct sf_value **kept = SF_NEW_ARRAY(op->arena, groups->list.n, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; !rc && i < groups->list.n; i++)
        if (!sf_str_is(sf_aws_text(groups->list.items[i], "groupName"), "default"))
            kept[n++] = sf_value_str(op->arena, sf_aws_text(groups->list.items[i], "groupId"));
    *told = sf_value_list(op->arena, kept, n);
    return rc;
}

enum sf_code sf_cluster_groups_to_set(struct sf_op *op, const struct sf_value *ids, const struct sf_value *wanted,
                                      const struct sf_value **set, struct sf_err *err)
{
    const struct sf_value *groups = NULL, *told = NULL;
    *set = NULL;
    enum sf_code rc = sf_cluster_groups_told(op, ids, wanted, &told, err);
    if (rc || sf_cluster_is_same_set(told, wanted))
        return rc;
    *set = wanted;
    if (length(wanted) > 0)
        return SF_OK;
    /* an empty list would leave them as they are: the VPC's default group takes their place */
    rc = describe_ids(op, ids, &groups, err);
    if (rc || groups->list.n == 0)
        return rc;
    const struct sf_value **filters = SF_NEW_ARRAY(op->arena, 2, const struct sf_value *);
    filters[0] = sf_params_filter(op->arena, "group-name", SF_STR("default"));
    filters[1] = sf_params_filter(op->arena, "vpc-id", sf_aws_text(groups->list.items[0], "vpcId"));
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_set(op->arena, params, SF_STR("Filter"), sf_value_list(op->arena, filters, 2));
    rc = describe_groups(op, params, &groups, err);
    *set = sf_cluster_column(op->arena, groups, "groupId", NULL, NULL);
    return rc;
}

/* kind `security_group`, AWS: EC2's, in a VPC.
 *
 * Rules are compared permission by permission (rules.h), and only what differs is authorised or revoked; what is new comes first,
 * so that nobody who stays admitted is locked out in between. A group that a network interface still uses cannot go: that of a
 * deleted cluster stays for minutes, and destroy() waits for it. */
#include "attr/security_group.h"
#include "resources/aws/ownership.h"
#include "resources/aws/params.h"
#include "resources/aws/rules.h"

#include "engine/core/clock.h"

enum { WAREHOUSE_PORT = 5439, AGAIN_MS = 1000, MAX_NAMED = 5 };

static const char own_kind[] = "security-group"; /* as EC2 calls it in tags and ARNs */

/* A group as it is. */
struct group {
    const struct sf_value *tags; /* map, ours among them */
    struct sf_rules rules[2];    /* ingress, egress */
};

/* --- looking --- */

static const char *what_of(struct sf_op *op, struct sf_str name)
{
    return sf_str_fmt(op->arena, "security group '%.*s'", SF_ARG(name)).p;
}

static struct sf_str arn_of(struct sf_op *op, struct sf_str id)
{
    return sf_aws_arn(op, "ec2", true, "security-group/%.*s", SF_ARG(id));
}

static const struct sf_value *tags_of(struct sf_op *op, const struct sf_value *reply)
{
    return sf_aws_tag_map(op->arena, sf_aws_items(op->arena, reply, "tagSet.item"), &sf_aws_tags_lower);
}

static enum sf_code describe(struct sf_op *op, const struct sf_value *params, const struct sf_value **groups, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "DescribeSecurityGroups", .params = params};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (!rc)
        *groups = sf_aws_items(op->arena, reply, "securityGroupInfo.item");
    return rc;
}

static enum sf_code describe_one(struct sf_op *op, struct sf_str id, const struct sf_value **group, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *groups = NULL;
    sf_map_add(op->arena, params, SF_STR("GroupId"), sf_params_text(op->arena, id));
    enum sf_code rc = describe(op, params, &groups, err);
    if (!rc && groups->list.n == 0)
        return sf_fail(err, SF_E_ABSENT, "there is no security group '%.*s'", SF_ARG(id));
    if (!rc)
        *group = groups->list.items[0];
    return rc;
}

/* Groups of that name, in that VPC or, if `vpc` is empty, in any. */
static enum sf_code describe_named(struct sf_op *op, struct sf_str name, struct sf_str vpc, const struct sf_value **groups,
                                   struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value **filters = SF_NEW_ARRAY(op->arena, 2, const struct sf_value *);
    filters[0] = sf_params_filter(op->arena, "group-name", name);
    filters[1] = sf_params_filter(op->arena, "vpc-id", vpc);
    sf_map_add(op->arena, params, SF_STR("Filter"), sf_value_list(op->arena, filters, vpc.n ? 2 : 1));
    return describe(op, params, groups, err);
}

static enum sf_code default_vpc(struct sf_op *op, struct sf_str *vpc, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    sf_map_add(op->arena, params, SF_STR("Filter"),
               sf_params_one(op->arena, sf_params_filter(op->arena, "is-default", SF_STR("true"))));
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "DescribeVpcs", .params = params};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (rc)
        return rc;
    const struct sf_value *vpcs = sf_aws_items(op->arena, reply, "vpcSet.item");
    if (vpcs->list.n == 0) {
        sf_fail(err, SF_E_REFUSED, "region '%.*s' has no default VPC", SF_ARG(op->site->region));
        sf_hint(err, "name one, aws: {vpc: vpc-...}; or make the default one: aws ec2 create-default-vpc --region %.*s",
                SF_ARG(op->site->region));
        return SF_E_REFUSED;
    }
    *vpc = sf_aws_text(vpcs->list.items[0], "vpcId");
    return SF_OK;
}

static enum sf_code vpc_of(struct sf_op *op, const struct sf_value *want, struct sf_str *vpc, struct sf_err *err)
{
    *vpc = sf_map_str(want, SECURITY_GROUP_VPC);
    return vpc->n ? SF_OK : default_vpc(op, vpc, err);
}

/* The name is taken in the VPC: whose is it? SF_OK when it is free or this resource's own. */
static enum sf_code check_name(struct sf_op *op, struct sf_str name, struct sf_str vpc, struct sf_err *err)
{
    const struct sf_value *groups = NULL;
    enum sf_code rc = describe_named(op, name, vpc, &groups, err);
    if (rc || groups->list.n == 0)
        return rc;
    return sf_aws_check_owner(op, what_of(op, name), tags_of(op, groups->list.items[0]), err);
}

/* --- what is known without asking --- */

static enum sf_code check_texts(const struct sf_value *want, struct sf_err *err)
{
    static const char *const texts[] = {SECURITY_GROUP_NAME, SECURITY_GROUP_DESCRIPTION};
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME);
    if (sf_str_starts(name, SF_STR("sg-"))) {
        sf_fail(err, SF_E_CONFIG, "the name of a security group cannot start with 'sg-'");
        sf_hint(err, "EC2 keeps that for ids; choose another name");
        return SF_E_CONFIG;
    }
    for (size_t i = 0; i < SF_COUNT(texts); i++) {
        struct sf_str text = sf_map_str(want, texts[i]);
        if (sf_rules_is_description(text))
            continue;
        sf_fail(err, SF_E_CONFIG, "the %s '%.*s' has characters that AWS refuses", texts[i], SF_ARG(text));
        sf_hint(err, "use a-z, A-Z, 0-9, blanks and ._-:/()#,@[]+=&;{}!$*");
        return SF_E_CONFIG;
    }
    return SF_OK;
}

static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const char *open_to_all = NULL;
    enum sf_code rc = check_texts(want, err);
    for (size_t i = SF_COUNT(sf_rules_ways); !rc && i-- > 0;)
        rc = sf_rules_check(op->arena, sf_map_getz(want, sf_rules_ways[i].attr), &sf_rules_ways[i], WAREHOUSE_PORT, &open_to_all,
                            err);
    if (!rc && open_to_all && op->is_planning)
        sf_op_warn(op, "'%.*s' lets the whole internet (%s) reach port %d", SF_ARG(op->self->address), open_to_all, WAREHOUSE_PORT);
    return rc;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME), vpc;
    const struct sf_value *wanted = sf_map_getz(want, SECURITY_GROUP_VPC);
    if (!name.n || (wanted && wanted->type == SF_V_UNKNOWN))
        return SF_OK;
    enum sf_code rc = vpc_of(op, want, &vpc, err);
    return rc ? rc : check_name(op, name, vpc, err);
}

/* --- read --- */

/* Egress that the stack file does not speak of is AWS's own business. */
static bool is_managed(const struct sf_value *attrs, size_t way)
{
    return way == 0 || sf_map_getz(attrs, sf_rules_ways[way].attr);
}

static enum sf_code report(struct sf_op *op, struct sf_str id, const struct sf_value *reply, struct sf_outcome *out,
                           struct sf_err *err)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    struct sf_str name = sf_aws_text(reply, "groupName");
    const struct sf_value *tags = tags_of(op, reply);
    enum sf_code rc = sf_aws_check_adopted(op, what_of(op, name), tags, err);
    if (rc)
        return rc;
    sf_map_set_str(op->arena, attrs, SECURITY_GROUP_NAME, name);
    sf_map_set_str(op->arena, attrs, SECURITY_GROUP_DESCRIPTION, sf_aws_text(reply, "groupDescription"));
    for (size_t i = 0; i < SF_COUNT(sf_rules_ways); i++) {
        const struct sf_rules_way *way = &sf_rules_ways[i];
        if (is_managed(op->self->attrs, i))
            sf_map_set(
                op->arena, attrs, sf_str_of(way->attr),
                sf_rules_report(op->arena, sf_rules_of_reply(op->arena, reply, way), sf_map_getz(op->self->attrs, way->attr), way));
    }
    sf_map_set_str(op->arena, attrs, SECURITY_GROUP_VPC, sf_aws_text(reply, "vpcId"));
    sf_map_set(op->arena, attrs, SF_STR(SECURITY_GROUP_TAGS), sf_aws_user_tags(op->arena, tags));
    out->id = id;
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code read_group(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    if (!sf_str_starts(id, SF_STR("sg-")))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not the id of a security group (sg-...)", SF_ARG(id));
    enum sf_code rc = describe_one(op, id, &reply, err);
    return rc ? rc : report(op, id, reply, out, err);
}

static enum sf_code find_group(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME);
    const struct sf_value *groups = NULL;
    enum sf_code rc = describe_named(op, name, sf_map_str(want, SECURITY_GROUP_VPC), &groups, err);
    for (size_t i = 0; !rc && i < groups->list.n; i++) {
        const struct sf_value *group = groups->list.items[i];
        if (sf_aws_check_owner(op, what_of(op, name), tags_of(op, group), err) == SF_OK)
            return report(op, sf_aws_text(group, "groupId"), group, out, err);
    }
    return rc ? rc : sf_fail(err, SF_E_ABSENT, "there is no security group '%.*s' of this stack's", SF_ARG(name));
}

/* --- making it what is wanted --- */

static enum sf_code put(struct sf_op *op, struct sf_str id, const char *action, const struct sf_value *rules, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    if (rules->list.n == 0)
        return SF_OK;
    sf_map_set_str(op->arena, params, "GroupId", id);
    sf_map_set(op->arena, params, SF_STR("IpPermissions"), rules);
    struct sf_aws_call call = {
        .service = SF_AWS_EC2, .action = action, .effect = SF_AWS_PUT, .params = params, .resource = arn_of(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    if (rc && sf_aws_is_error(err, "RulesPerSecurityGroupLimitExceeded", NULL))
        sf_hint(err, "60 rules each way are AWS's usual limit, and new ones are added before old ones go: use fewer, wider ranges");
    return rc;
}

static enum sf_code put_rules(struct sf_op *op, struct sf_str id, const struct group *group, const struct sf_value *want, size_t i,
                              struct sf_err *err)
{
    const struct sf_rules_way *way = &sf_rules_ways[i];
    struct sf_rules wanted = sf_rules_of_attr(op->arena, sf_map_getz(want, way->attr), way);
    struct sf_rules_diff diff = sf_rules_compare(op->arena, group->rules[i], wanted);
    enum sf_code rc = put(op, id, way->authorize, sf_rules_params(op->arena, diff.add, true), err);
    if (!rc)
        rc = put(op, id, way->describe, sf_rules_params(op->arena, diff.describe, true), err);
    return rc ? rc : put(op, id, way->revoke, sf_rules_params(op->arena, diff.remove, false), err);
}

static enum sf_code put_tags(struct sf_op *op, struct sf_str id, const char *action, const struct sf_value *tags,
                             struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    if (tags->list.n == 0)
        return SF_OK;
    sf_map_set(op->arena, params, SF_STR("ResourceId"), sf_params_text(op->arena, id));
    sf_map_set(op->arena, params, SF_STR("Tag"), tags);
    struct sf_aws_call call = {
        .service = SF_AWS_EC2, .action = action, .effect = SF_AWS_PUT, .params = params, .resource = arn_of(op, id)};
    return sf_aws_call(op, &call, NULL, err);
}

/* DeleteTags takes tags, of which the key counts. */
static const struct sf_value *as_tags(struct sf_op *op, const struct sf_value *keys)
{
    const struct sf_value **tags = SF_NEW_ARRAY(op->arena, keys->list.n, const struct sf_value *);
    for (size_t i = 0; i < keys->list.n; i++) {
        struct sf_value *tag = sf_value_map(op->arena);
        sf_map_set_str(op->arena, tag, "Key", keys->list.items[i]->s);
        tags[i] = tag;
    }
    return sf_value_list(op->arena, tags, keys->list.n);
}

static enum sf_code converge(struct sf_op *op, struct sf_str id, const struct group *group, const struct sf_value *want,
                             struct sf_err *err)
{
    const struct sf_value *set = NULL, *unset = NULL;
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < SF_COUNT(sf_rules_ways); i++)
        if (is_managed(want, i))
            rc = put_rules(op, id, group, want, i, err);
    sf_aws_tag_changes(op, group->tags, want, &sf_aws_tags_upper, &set, &unset);
    if (!rc)
        rc = put_tags(op, id, "CreateTags", set, err);
    return rc ? rc : put_tags(op, id, "DeleteTags", as_tags(op, unset), err);
}

/* What was compared is not what is there: a reply that was lost, or EC2 not up to date with itself. */
static bool is_outdated(const struct sf_err *err)
{
    return sf_aws_is_error(err, "InvalidPermission.Duplicate", NULL) || sf_aws_is_error(err, "InvalidPermission.NotFound", NULL);
}

static enum sf_code wait_and_compare_again(struct sf_outcome *out, const char *waiting_for)
{
    out->is_pending = out->again = true;
    out->poll_after_ms = AGAIN_MS;
    out->waiting_for = waiting_for;
    return SF_OK;
}

/* After converge(): the group is what is wanted. */
static void report_wanted(struct sf_op *op, struct sf_str vpc, const struct sf_value *want, struct sf_outcome *out)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    static const char *const as_wanted[] = {SECURITY_GROUP_NAME, SECURITY_GROUP_DESCRIPTION, SECURITY_GROUP_INGRESS,
                                            SECURITY_GROUP_EGRESS, SECURITY_GROUP_TAGS};
    for (size_t i = 0; i < SF_COUNT(as_wanted); i++)
        sf_map_set(op->arena, attrs, sf_str_of(as_wanted[i]), sf_map_getz(want, as_wanted[i]));
    sf_map_set_str(op->arena, attrs, SECURITY_GROUP_VPC, vpc);
    out->attrs = attrs;
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    out->id = id;
    enum sf_code rc = describe_one(op, id, &reply, err);
    if (rc == SF_E_ABSENT && have == want)
        return wait_and_compare_again(out, "EC2 to know the new group everywhere");
    if (rc)
        return rc;
    struct group group = {.tags = tags_of(op, reply)};
    for (size_t i = 0; i < SF_COUNT(sf_rules_ways); i++)
        group.rules[i] = sf_rules_of_reply(op->arena, reply, &sf_rules_ways[i]);
    rc = converge(op, id, &group, want, err);
    if (rc && is_outdated(err))
        return wait_and_compare_again(out, "EC2 to show the rules as they are");
    if (!rc)
        report_wanted(op, sf_aws_text(reply, "vpcId"), want, out);
    return rc;
}

/* --- create --- */

static enum sf_code make(struct sf_op *op, const struct sf_value *want, struct sf_str vpc, struct sf_str *id, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena), *tags = sf_value_map(op->arena);
    struct sf_str name = sf_map_str(want, SECURITY_GROUP_NAME);
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, params, "GroupName", name);
    sf_map_set_str(op->arena, params, "GroupDescription", sf_map_str(want, SECURITY_GROUP_DESCRIPTION));
    sf_map_set_str(op->arena, params, "VpcId", vpc);
    sf_map_set_str(op->arena, tags, "ResourceType", sf_str_of(own_kind));
    sf_map_set(op->arena, tags, SF_STR("Tag"), sf_aws_tags_of(op, want, &sf_aws_tags_upper));
    sf_map_set(op->arena, params, SF_STR("TagSpecification"), sf_params_one(op->arena, tags));
    struct sf_aws_call call = {.service = SF_AWS_EC2,
                               .action = "CreateSecurityGroup",
                               .effect = SF_AWS_MAKE,
                               .params = params,
                               .resource = arn_of(op, SF_STR("*"))};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (rc && sf_aws_is_error(err, "InvalidGroup.Duplicate", NULL)) {
        struct sf_err whose;
        rc = SF_E_CONFLICT;
        if (check_name(op, name, vpc, &whose) == SF_E_CONFLICT)
            *err = whose;
    }
    *id = sf_aws_text(reply, "groupId");
    return rc;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str vpc, id = SF_STR_NONE;
    enum sf_code rc = vpc_of(op, want, &vpc, err);
    if (!rc)
        rc = make(op, want, vpc, &id, err);
    if (rc)
        return rc;
    out->id = id;
    rc = sf_op_made(op, id, err);
    if (rc)
        return rc;
    if (is_managed(want, 1)) /* which rules of its own a new group has depends on the VPC */
        return update(op, id, want, want, out, err);
    struct group fresh = {.tags = sf_aws_tag_map(op->arena, sf_aws_tags_of(op, want, &sf_aws_tags_upper), &sf_aws_tags_upper)};
    rc = converge(op, id, &fresh, want, err);
    if (rc == SF_E_ABSENT || (rc && is_outdated(err)))
        return wait_and_compare_again(out, "EC2 to know the new group everywhere");
    if (!rc)
        report_wanted(op, vpc, want, out);
    return rc;
}

/* --- destroy --- */

/* What still holds the group, by name, when waiting has come to its end. */
static enum sf_code name_users(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    struct sf_err ignored;
    struct sf_buf users = SF_BUF(SF_MAX_MESSAGE_BYTES / 2);
    sf_map_set(op->arena, params, SF_STR("Filter"), sf_params_one(op->arena, sf_params_filter(op->arena, "group-id", id)));
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "DescribeNetworkInterfaces", .params = params};
    if (sf_aws_call(op, &call, &reply, &ignored) != SF_OK)
        reply = NULL;
    const struct sf_value *items = sf_aws_items(op->arena, reply, "networkInterfaceSet.item");
    for (size_t i = 0; i < items->list.n && i < MAX_NAMED; i++) {
        struct sf_str description = sf_aws_text(items->list.items[i], "description");
        sf_buf_addf(&users, "%s%.*s%s%.*s%s", i ? ", " : "", SF_ARG(sf_aws_text(items->list.items[i], "networkInterfaceId")),
                    description.n ? " (" : "", SF_ARG(description), description.n ? ")" : "");
    }
    if (items->list.n > MAX_NAMED)
        sf_buf_addf(&users, " and %zu more", items->list.n - MAX_NAMED);
    bool is_by_interface = items->list.n > 0;
    sf_fail(err, SF_E_REFUSED, "security group '%.*s' is still in use by %s", SF_ARG(id),
            is_by_interface ? users.p : "a rule of another security group");
    sf_hint(err, is_by_interface ? "take the group off that (or delete it), then run the same command again"
                                 : "remove the rules that name it, then run the same command again");
    sf_buf_free(&users);
    return SF_E_REFUSED;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    out->id = id;
    sf_map_set_str(op->arena, params, "GroupId", id);
    struct sf_aws_call call = {
        .service = SF_AWS_EC2, .action = "DeleteSecurityGroup", .effect = SF_AWS_PUT, .params = params, .resource = arn_of(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    if (rc == SF_OK || rc == SF_E_ABSENT)
        return SF_OK;
    if (!sf_aws_is_error(err, "DependencyViolation", NULL))
        return rc;
    if (sf_clock_ms() + 2 * AGAIN_MS >= op->deadline_ms)
        return name_users(op, id, err);
    return wait_and_compare_again(out, "network interfaces that still use it");
}

static const char own_arn[] = "arn:{partition}:ec2:{region}:{account}:security-group/*";
static const struct sf_need needs[] = {
    {"ec2:DescribeSecurityGroups ec2:DescribeVpcs ec2:DescribeNetworkInterfaces", "*"},
    {"ec2:CreateSecurityGroup", "arn:{partition}:ec2:{region}:{account}:vpc/*"},
    {"ec2:CreateSecurityGroup ec2:DeleteSecurityGroup ec2:CreateTags ec2:DeleteTags ec2:AuthorizeSecurityGroupIngress "
     "ec2:AuthorizeSecurityGroupEgress ec2:RevokeSecurityGroupIngress ec2:RevokeSecurityGroupEgress "
     "ec2:UpdateSecurityGroupRuleDescriptionsIngress ec2:UpdateSecurityGroupRuleDescriptionsEgress",
     own_arn},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_security_group;
const struct sf_driver sf_driver_aws_security_group = {.kind = "security_group",
                                                       .world = "aws",
                                                       .read = read_group,
                                                       .find = find_group,
                                                       .create = create,
                                                       .destroy = destroy,
                                                       .update = update,
                                                       .preflight = preflight,
                                                       .derive = derive,
                                                       .needs = needs};

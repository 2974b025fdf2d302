/* See sftp_vpc.h. */
#include "resources/aws/sftp_vpc.h"

#include "attr/sftp_server.h"
#include "resources/aws/params.h"
#include "resources/aws/transfer.h"

enum { MAX_ADDRESSES = 3 };

/* The fields of the attribute, beside their names in EndpointDetails. */
static const struct {
    const char *field, *detail;
} lists[] = {{SFTP_SERVER_VPC_SUBNETS, "SubnetIds"},
             {SFTP_SERVER_VPC_ADDRESSES, "AddressAllocationIds"},
             {SFTP_SERVER_VPC_SECURITY_GROUPS, "SecurityGroupIds"}};
enum { SUBNETS, ADDRESSES, GROUPS };

static bool is_private(const struct sf_value *vpc)
{
    return vpc && vpc->type == SF_V_MAP;
}

static const struct sf_value *list_of(const struct sf_value *vpc, int which)
{
    static const struct sf_value none = {.type = SF_V_LIST};
    const struct sf_value *list = sf_map_getz(vpc, lists[which].field);
    return list && list->type == SF_V_LIST ? list : &none;
}

static bool holds(const struct sf_value *list, const struct sf_value *item)
{
    for (size_t i = 0; i < list->list.n; i++)
        if (sf_value_equal(list->list.items[i], item))
            return true;
    return false;
}

/* What is in `a` and not in `b`. */
static const struct sf_value *without(struct sf_arena *arena, const struct sf_value *a, const struct sf_value *b)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, a->list.n + 1, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < a->list.n; i++)
        if (!holds(b, a->list.items[i]))
            items[n++] = a->list.items[i];
    return sf_value_list(arena, items, n);
}

static bool same_set(const struct sf_value *a, const struct sf_value *b)
{
    bool same = a->list.n == b->list.n;
    for (size_t i = 0; same && i < a->list.n; i++)
        same = holds(b, a->list.items[i]);
    return same;
}

/* --- plan time and create --- */

enum sf_code sf_sftp_vpc_check(const struct sf_value *vpc, struct sf_err *err)
{
    if (!is_private(vpc) || sf_value_has_unknown(vpc, NULL))
        return SF_OK;
    size_t n = list_of(vpc, ADDRESSES)->list.n, subnets = list_of(vpc, SUBNETS)->list.n;
    if (n == 0 || (n == subnets && n <= MAX_ADDRESSES))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "%zu elastic addresses for %zu subnets", n, subnets);
    sf_hint(err, "give one a subnet, %d at most, or none for an endpoint that only the VPC reaches", MAX_ADDRESSES);
    sf_transfer_point_at(vpc, err);
    return SF_E_CONFIG;
}

static struct sf_value *details_of(struct sf_op *op, const struct sf_value *vpc)
{
    struct sf_value *details = sf_value_map(op->arena);
    sf_map_set_str(op->arena, details, "VpcId", sf_map_str(vpc, SFTP_SERVER_VPC_ID));
    sf_map_add(op->arena, details, sf_str_of(lists[SUBNETS].detail), list_of(vpc, SUBNETS));
    if (list_of(vpc, GROUPS)->list.n)
        sf_map_add(op->arena, details, sf_str_of(lists[GROUPS].detail), list_of(vpc, GROUPS));
    return details;
}

void sf_sftp_vpc_add(struct sf_op *op, const struct sf_value *vpc, struct sf_value *params)
{
    sf_map_set_str(op->arena, params, "EndpointType", is_private(vpc) ? SF_STR("VPC") : SF_STR("PUBLIC"));
    if (is_private(vpc))
        sf_map_add(op->arena, params, SF_STR("EndpointDetails"), details_of(op, vpc));
}

bool sf_sftp_vpc_has_addresses(const struct sf_value *vpc)
{
    return list_of(vpc, ADDRESSES)->list.n > 0;
}

/* --- read --- */

/* The security groups of the VPC endpoint; none when it is gone. */
static enum sf_code read_groups(struct sf_op *op, struct sf_str endpoint, const struct sf_value **groups, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    sf_map_add(op->arena, params, SF_STR("VpcEndpointId"), sf_params_text(op->arena, endpoint));
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "DescribeVpcEndpoints", .params = params};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (rc && rc != SF_E_ABSENT)
        return rc;
    const struct sf_value *endpoints = sf_aws_items(op->arena, reply, "vpcEndpointSet.item");
    const struct sf_value *found = sf_aws_items(op->arena, endpoints->list.n ? endpoints->list.items[0] : NULL, "groupSet.item");
    const struct sf_value **ids = SF_NEW_ARRAY(op->arena, found->list.n + 1, const struct sf_value *);
    for (size_t i = 0; i < found->list.n; i++)
        ids[i] = sf_value_str(op->arena, sf_aws_text(found->list.items[i], "groupId"));
    *groups = sf_value_list(op->arena, ids, found->list.n);
    return SF_OK;
}

enum sf_code sf_sftp_vpc_read(struct sf_op *op, const struct sf_value *server, const struct sf_value *wanted,
                              const struct sf_value **vpc, struct sf_err *err)
{
    *vpc = &sf_null_value;
    if (!sf_str_is(sf_aws_text(server, "EndpointType"), "VPC"))
        return SF_OK;
    struct sf_value *found = sf_value_map(op->arena);
    const struct sf_value *groups = sf_aws_items(op->arena, server, "EndpointDetails.SecurityGroupIds");
    struct sf_str endpoint = sf_aws_text(server, "EndpointDetails.VpcEndpointId");
    enum sf_code rc = SF_OK;
    sf_map_set_str(op->arena, found, SFTP_SERVER_VPC_ID, sf_aws_text(server, "EndpointDetails.VpcId"));
    sf_map_add(op->arena, found, SF_STR(SFTP_SERVER_VPC_SUBNETS), sf_aws_items(op->arena, server, "EndpointDetails.SubnetIds"));
    sf_map_add(op->arena, found, SF_STR(SFTP_SERVER_VPC_ADDRESSES),
               sf_aws_items(op->arena, server, "EndpointDetails.AddressAllocationIds"));
    if (!list_of(wanted, GROUPS)->list.n)
        groups = list_of(NULL, GROUPS); /* the VPC's default group, which AWS chose */
    else if (!groups->list.n && endpoint.n)
        rc = read_groups(op, endpoint, &groups, err);
    sf_map_add(op->arena, found, SF_STR(SFTP_SERVER_VPC_SECURITY_GROUPS), groups);
    *vpc = found;
    return rc;
}

/* --- change --- */

bool sf_sftp_vpc_needs_offline(const struct sf_value *have, const struct sf_value *want)
{
    if (is_private(have) != is_private(want))
        return true;
    return is_private(want) && (!same_set(list_of(have, SUBNETS), list_of(want, SUBNETS)) ||
                                !same_set(list_of(have, ADDRESSES), list_of(want, ADDRESSES)));
}

static enum sf_code update_server(struct sf_op *op, struct sf_str id, struct sf_value *params, struct sf_err *err)
{
    sf_map_set_str(op->arena, params, "ServerId", id);
    return sf_transfer_call(op, SF_AWS_PUT, "UpdateServer", params, sf_transfer_server_arn(op, id), NULL, err);
}

static enum sf_code put_list(struct sf_op *op, struct sf_str id, int which, const struct sf_value *list, struct sf_err *err)
{
    struct sf_value *params = sf_value_map(op->arena);
    sf_map_add(op->arena, params, SF_STR("EndpointDetails"), sf_params_members(op->arena, lists[which].detail, list));
    return update_server(op, id, params, err);
}

static enum sf_code put_groups(struct sf_op *op, const struct sf_value *server, const struct sf_value *have,
                               const struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *is = list_of(have, GROUPS), *shall = list_of(want, GROUPS);
    struct sf_str endpoint = sf_aws_text(server, "EndpointDetails.VpcEndpointId");
    if (!shall->list.n || !endpoint.n || same_set(is, shall))
        return SF_OK;
    struct sf_value *params = sf_value_map(op->arena);
    const struct sf_value *more = without(op->arena, shall, is), *less = without(op->arena, is, shall);
    sf_map_set_str(op->arena, params, "VpcEndpointId", endpoint);
    if (more->list.n)
        sf_map_add(op->arena, params, SF_STR("AddSecurityGroupId"), more);
    if (less->list.n)
        sf_map_add(op->arena, params, SF_STR("RemoveSecurityGroupId"), less);
    struct sf_aws_call call = {.service = SF_AWS_EC2, .action = "ModifyVpcEndpoint", .effect = SF_AWS_PUT, .params = params};
    return sf_aws_call(op, &call, NULL, err);
}

enum sf_code sf_sftp_vpc_converge(struct sf_op *op, struct sf_str id, const struct sf_value *server, const struct sf_value *have,
                                  const struct sf_value *want, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    const struct sf_value *addresses = list_of(have, ADDRESSES), *none = list_of(NULL, ADDRESSES);
    if (is_private(have) != is_private(want)) {
        struct sf_value *params = sf_value_map(op->arena);
        sf_sftp_vpc_add(op, want, params);
        rc = update_server(op, id, params, err);
        addresses = none;
    } else if (is_private(want)) {
        bool moves = !same_set(list_of(have, SUBNETS), list_of(want, SUBNETS));
        if (moves && addresses->list.n) {
            rc = put_list(op, id, ADDRESSES, none, err);
            addresses = none;
        }
        if (rc == SF_OK && moves)
            rc = put_list(op, id, SUBNETS, list_of(want, SUBNETS), err);
        if (rc == SF_OK)
            rc = put_groups(op, server, have, want, err);
    }
    if (rc == SF_OK && is_private(want) && !same_set(addresses, list_of(want, ADDRESSES)))
        rc = put_list(op, id, ADDRESSES, list_of(want, ADDRESSES), err);
    return rc;
}

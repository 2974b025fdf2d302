"""Amazon EC2, as far as networks of the stack go: moto's, with what it lets pass checked and put in AWS's canonical form."""

import ipaddress

from server_wire import AwsError
from server_world import handles

RULE_ACTIONS = ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupIngress",
                "RevokeSecurityGroupEgress", "ModifySecurityGroupRules", "UpdateSecurityGroupRuleDescriptionsIngress",
                "UpdateSecurityGroupRuleDescriptionsEgress")
CIDR_NAMES = ("CidrIp", "CidrIpv6", "CidrIpv4")


class Interfaces:
    """Network interfaces that outlive what they belonged to: [(security groups, Wait)]."""

    def __init__(self):
        self.kept = []


def default_vpc(call):
    return next((vpc.id for vpc in call.moto("ec2").vpcs.values() if str(vpc.is_default).lower() == "true"), None)


def default_group(call, vpc):
    groups = call.moto("ec2").describe_security_groups()
    return next(group.id for group in groups if group.name == "default" and group.vpc_id == vpc)


def vpc_of_subnets(call, subnet_ids):
    return call.moto("ec2").get_subnet(subnet_ids[0]).vpc_id


def check_groups(call, group_ids, error):
    known = {group.id for group in call.moto("ec2").describe_security_groups()}
    for group in group_ids:
        if group not in known:
            raise error(f"The security group '{group}' does not exist")


def keep_interface(call, groups):
    call.state(Interfaces).kept.append((list(groups), call.clock.wait("interface_delete")))


def groups_in_use(call):
    """Security groups of clusters, workgroups, VPC endpoints and of interfaces that are not gone yet."""
    from server_redshift import Redshift
    from server_serverless import Serverless

    interfaces = call.state(Interfaces)
    interfaces.kept = [(groups, wait) for groups, wait in interfaces.kept if not wait.look()]
    used = {group for groups, _ in interfaces.kept for group in groups}
    used |= {group for cluster in call.state(Redshift).clusters.values() for group in cluster.groups}
    used |= {group for workgroup in call.state(Serverless).workgroups.values() for group in workgroup.groups}
    for endpoint in live_endpoints(call.moto("ec2")):
        used |= set(endpoint.security_group_ids or [])
    return used


def live_endpoints(backend):
    """VPC endpoints; moto keeps those that were deleted as well."""
    return [endpoint for endpoint in backend.vpc_end_points.values() if endpoint.state != "deleted"]


@handles("ec2", "DeleteSecurityGroup")
def delete_security_group(call):
    group = call.params.get("GroupId")
    if group in groups_in_use(call):
        raise AwsError("DependencyViolation", f"resource {group} has a dependent object")
    return call.pass_on()


@handles("ec2", "CreateSecurityGroup")
def create_security_group(call):
    call.check_quota("security_groups", len(call.moto().describe_security_groups()), "SecurityGroupLimitExceeded")
    if call.params["GroupName"].startswith("sg-"):
        raise AwsError("InvalidParameterValue", "Group names may not be in the format sg-*")
    return call.pass_on()


@handles("ec2", *RULE_ACTIONS)
def change_rules(call):
    """Ports are checked and networks canonicalised as EC2 does, 10.1.2.3/8 to 10.0.0.0/8, before moto sees them."""
    for permission in call.params.get("IpPermissions") or [call.params]:
        check_ports(permission)
    form = [(name, canonical(value) if name.rpartition(".")[2] in CIDR_NAMES else value) for name, value in call.request.form_pairs()]
    return call.pass_on(form)


def canonical(cidr):
    try:
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"CIDR block {cidr} is malformed") from error


def check_ports(permission):
    protocol, low, high = permission.get("IpProtocol"), permission.get("FromPort"), permission.get("ToPort")
    if protocol not in ("tcp", "udp", "6", "17"):
        return
    if low is None or high is None:
        raise AwsError("InvalidParameterValue", f"Invalid value 'Must specify both from and to ports with {protocol}.' for portRange.")
    for port in (low, high):
        if not 0 <= port <= 65535:
            raise AwsError("InvalidParameterValue", f"Invalid value '{port}' for portRange. Must be between 0 and 65535")
    if low > high:
        raise AwsError("InvalidParameterValue", f"Invalid TCP/UDP port range ({low}:{high})")

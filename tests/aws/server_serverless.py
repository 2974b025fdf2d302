"""Amazon Redshift Serverless: namespaces and workgroups, of which moto has none."""

import datetime
import uuid

import server_redshift
import server_world
from server_ec2 import check_groups, default_group, default_vpc, keep_interface, vpc_of_subnets
from server_redshift import PORTS, delete_secret, managed_secret
from server_time import Changing
from server_wire import AwsError
from server_world import handles

CONFIG = {"auto_mv": "true", "datestyle": "ISO, MDY", "enable_case_sensitive_identifier": "false", "query_group": "default",
          "enable_user_activity_logging": "true", "max_query_execution_time": "14400", "require_ssl": "true",
          "search_path": "$user, public", "use_fips_ssl": "false"}
WORKGROUP_DEFAULTS = {"baseCapacity": 128, "port": 5439, "publiclyAccessible": False, "enhancedVpcRouting": False,
                      "ipAddressType": "ipv4", "trackName": "current"}
WORKGROUP_SETTABLE = ("baseCapacity", "maxCapacity", "port", "publiclyAccessible", "enhancedVpcRouting", "subnetIds", "ipAddressType",
                      "trackName", "pricePerformanceTarget", "extraComputeForAutomaticOptimization")
# "Unless required, you can't update multiple parameters in one request": what goes together
NAMESPACE_UPDATES = ({"adminUsername", "adminUserPassword", "manageAdminPassword", "adminPasswordSecretKmsKeyId"},
                     {"iamRoles", "defaultIamRoleArn"}, {"kmsKeyId"}, {"logExports"})
WORKGROUP_UPDATES = tuple({name} for name in (*WORKGROUP_SETTABLE, "securityGroupIds", "configParameters"))


class Serverless:
    """Everything of one account in one region."""

    def __init__(self):
        self.namespaces, self.workgroups, self.snapshots, self.tags = {}, {}, {}, {}


class Namespace(Changing):
    def __init__(self, call):
        self.name, self.uuid = call.params["namespaceName"], new_uuid(call)
        self.arn = call.arn(f"namespace/{self.uuid}")
        self.status, self.created = "AVAILABLE", datetime.datetime.now(datetime.timezone.utc)
        self.settings, self.roles = {}, {}  # role ARN -> apply status
        self.password, self.secret_arn = None, None

    def describe(self):
        # the roles are told in this form, not as ARNs
        roles = [f"IamRole(applyStatus={status}, iamRoleArn={arn})" for arn, status in self.roles.items()]
        shown = {name: value for name, value in self.settings.items() if value is not None}
        shown |= {"namespaceName": self.name, "namespaceId": self.uuid, "namespaceArn": self.arn, "status": self.status,
                  "creationDate": self.created, "iamRoles": roles}
        if self.secret_arn:
            shown["adminPasswordSecretArn"] = self.secret_arn
        return shown

    def modify(self, clock):
        def finish():
            self.status = "AVAILABLE"
            self.roles = {arn: "in-sync" for arn in self.roles}
        self.status = "MODIFYING"
        self.change(clock.wait("namespace_modify"), finish)


class Workgroup(Changing):
    def __init__(self, call):
        self.name, self.uuid = call.params["workgroupName"], new_uuid(call)
        self.arn = call.arn(f"workgroup/{self.uuid}")
        self.status, self.created = "CREATING", datetime.datetime.now(datetime.timezone.utc)
        self.namespace, self.groups, self.settings, self.config = call.params["namespaceName"], [], {}, dict(CONFIG)
        self.address = f"{self.name}.{call.account}.{call.region}.redshift-serverless.amazonaws.com"

    def describe(self):
        shown = {name: value for name, value in self.settings.items() if value is not None}
        shown |= {"workgroupName": self.name, "workgroupId": self.uuid, "workgroupArn": self.arn, "status": self.status,
                  "creationDate": self.created, "namespaceName": self.namespace, "securityGroupIds": self.groups,
                  "configParameters": [{"parameterKey": key, "parameterValue": value} for key, value in self.config.items()]}
        if self.status != "CREATING":
            address, port = server_world.endpoint_of(self, self.address, self.settings["port"])
            shown["endpoint"] = {"address": address, "port": port, "vpcEndpoints": []}
        return shown

    def become(self, status):
        self.status = status


def new_uuid(call):
    return str(uuid.UUID(call.world.hex_id("", 32), version=4))


def invalid(message):
    return AwsError("ValidationException", message)


def conflict(message):
    return AwsError("ConflictException", message)


def not_found(kind, name):
    return AwsError("ResourceNotFoundException", f"The {kind} {name} does not exist or you do not have access.", resourceName=name)


def find(call, kind, name):
    things = getattr(call.state(Serverless), kind + "s")
    if name not in things:
        raise not_found(kind, name)
    return things[name]


def find_idle(call, kind, name):
    thing = find(call, kind, name)
    if thing.status != "AVAILABLE":
        raise conflict(f"The {kind} {name} is {thing.status}: there is an operation running on it")
    return thing


def check_one_update(call, groups):
    given = [group for group in groups if group & call.params.keys()]
    if not given:
        raise invalid("No parameter to update")
    if len(given) > 1:
        raise invalid("You can't update multiple parameters in one request")


def listed(call, kind, key):
    things = list(getattr(call.state(Serverless), kind).values())
    for thing in things:
        thing.look()
    things = list(getattr(call.state(Serverless), kind).values())  # what was being deleted may be gone
    start = int(call.params.get("nextToken") or 0)
    end = start + call.params.get("maxResults", 100)
    following = {"nextToken": str(end)} if end < len(things) else {}
    return {key: [thing.describe() for thing in things[start:end]], **following}


# --- namespaces ---


@handles("redshift-serverless", "CreateNamespace")
def create_namespace(call):
    state, name = call.state(Serverless), call.params["namespaceName"]
    if name in state.namespaces:
        raise conflict(f"The namespace {name} already exists")
    call.check_quota("namespaces", len(state.namespaces), "ServiceQuotaExceededException")
    namespace = Namespace(call)
    namespace.settings = {"dbName": call.params.get("dbName", "dev"), "kmsKeyId": call.params.get("kmsKeyId", "AWS_OWNED_KMS_KEY"),
                          "adminUsername": "admin", "logExports": call.params.get("logExports", [])}
    set_admin(call, namespace)
    set_roles(call, namespace)
    namespace.roles = {arn: "in-sync" for arn in namespace.roles}
    state.namespaces[name] = namespace
    state.tags[namespace.arn] = {tag["key"]: tag["value"] for tag in call.params.get("tags", [])}
    return {"namespace": namespace.describe()}


def set_admin(call, namespace):
    is_managed, password = call.params.get("manageAdminPassword"), call.params.get("adminUserPassword")
    if is_managed and password:
        raise invalid("adminUserPassword can't be used when manageAdminPassword is true")
    if call.params.get("adminUsername") and not password and not is_managed:
        raise invalid("adminUserPassword is required with adminUsername")
    if password:
        try:
            server_redshift.check_password(password)
        except AwsError as error:
            raise invalid(error.message.replace("MasterUserPassword", "adminUserPassword")) from error
        namespace.password = password
    if call.params.get("adminUsername"):
        namespace.settings["adminUsername"] = call.params["adminUsername"]
    if is_managed and not namespace.secret_arn:
        user = namespace.settings["adminUsername"]
        namespace.secret_arn = managed_secret(call, f"redshift!{namespace.name}-{user}", user, "redshift-serverless")
    elif (is_managed is False or password) and namespace.secret_arn:
        delete_secret(call, namespace)


def set_roles(call, namespace):
    if "iamRoles" in call.params:
        arns = call.params["iamRoles"]
        for arn in arns:
            call.check_role(arn, invalid(
                f"The IAM role {arn} is not valid. The IAM role must delegate access to an Amazon Redshift account."))
        namespace.roles = {arn: namespace.roles.get(arn, "adding") for arn in arns}
    default = call.params.get("defaultIamRoleArn")
    if default:
        if default not in namespace.roles:
            raise invalid("defaultIamRoleArn must be one of iamRoles")
        namespace.settings["defaultIamRoleArn"] = default
    elif default == "":
        namespace.settings["defaultIamRoleArn"] = None


@handles("redshift-serverless", "GetNamespace")
def get_namespace(call):
    find(call, "namespace", call.params["namespaceName"]).look()
    return {"namespace": find(call, "namespace", call.params["namespaceName"]).describe()}


@handles("redshift-serverless", "ListNamespaces")
def list_namespaces(call):
    return listed(call, "namespaces", "namespaces")


@handles("redshift-serverless", "UpdateNamespace")
def update_namespace(call):
    namespace = find_idle(call, "namespace", call.params["namespaceName"])
    check_one_update(call, NAMESPACE_UPDATES)
    set_admin(call, namespace)
    set_roles(call, namespace)
    namespace.settings |= {name: call.params[name] for name in ("kmsKeyId", "logExports") if name in call.params}
    namespace.modify(call.clock)
    return {"namespace": namespace.describe()}


@handles("redshift-serverless", "DeleteNamespace")
def delete_namespace(call):
    state = call.state(Serverless)
    namespace = find_idle(call, "namespace", call.params["namespaceName"])
    if any(workgroup.namespace == namespace.name for workgroup in state.workgroups.values()):
        raise conflict(f"There is a workgroup associated with the namespace {namespace.name}")
    if call.params.get("finalSnapshotName"):
        add_snapshot(call, namespace)

    def vanish():
        del state.namespaces[namespace.name]
        state.tags.pop(namespace.arn, None)
        delete_secret(call, namespace)

    namespace.status = "DELETING"
    namespace.change(call.clock.wait("namespace_delete"), vanish)
    return {"namespace": namespace.describe()}


# --- snapshots ---


def add_snapshot(call, namespace):
    snapshots, name = call.state(Serverless).snapshots, call.params["finalSnapshotName"]
    if name in snapshots:
        raise conflict(f"The snapshot {name} already exists")
    snapshots[name] = {"snapshotName": name, "namespaceName": namespace.name, "namespaceArn": namespace.arn, "status": "AVAILABLE",
                       "snapshotArn": call.arn(f"snapshot/{new_uuid(call)}"), "adminUsername": namespace.settings["adminUsername"],
                       "snapshotCreateTime": datetime.datetime.now(datetime.timezone.utc),
                       "snapshotRetentionPeriod": call.params.get("finalSnapshotRetentionPeriod", -1)}


@handles("redshift-serverless", "ListSnapshots")
def list_snapshots(call):
    wanted = call.params.get("namespaceName")
    snapshots = call.state(Serverless).snapshots.values()
    return {"snapshots": [snapshot for snapshot in snapshots if wanted in (None, snapshot["namespaceName"])]}


@handles("redshift-serverless", "DeleteSnapshot")
def delete_snapshot(call):
    snapshot = call.state(Serverless).snapshots.pop(call.params["snapshotName"], None)
    if snapshot is None:
        raise not_found("snapshot", call.params["snapshotName"])
    return {"snapshot": snapshot | {"status": "DELETED"}}


# --- workgroups ---


@handles("redshift-serverless", "CreateWorkgroup")
def create_workgroup(call):
    state, name = call.state(Serverless), call.params["workgroupName"]
    if name in state.workgroups:
        raise conflict(f"The workgroup {name} already exists")
    call.check_quota("workgroups", len(state.workgroups), "ServiceQuotaExceededException")
    namespace = find_idle(call, "namespace", call.params["namespaceName"])
    if any(workgroup.namespace == namespace.name for workgroup in state.workgroups.values()):
        raise conflict(f"The namespace {namespace.name} already has a workgroup")
    workgroup = Workgroup(call)
    workgroup.settings = WORKGROUP_DEFAULTS | {name: call.params[name] for name in WORKGROUP_SETTABLE if name in call.params}
    check_workgroup(workgroup.settings)
    place(call, workgroup)
    set_config(call, workgroup)
    state.workgroups[name] = workgroup
    state.tags[workgroup.arn] = {tag["key"]: tag["value"] for tag in call.params.get("tags", [])}
    workgroup.change(call.clock.wait("workgroup_create"), lambda: workgroup.become("AVAILABLE"))
    return {"workgroup": workgroup.describe()}


def check_workgroup(settings):
    base, most = settings["baseCapacity"], settings.get("maxCapacity")
    if base != 4 and (base % 8 or not 8 <= base <= 1024):
        raise invalid(f"baseCapacity must be 4, or a multiple of 8 between 8 and 1024, not {base}")
    if most and most != -1 and most < base:
        raise invalid(f"maxCapacity {most} must not be less than baseCapacity {base}")
    if settings["port"] not in PORTS:
        raise invalid(f"Invalid port {settings['port']}: valid are 5431-5455 and 8191-8215")


def place(call, workgroup):
    """Subnets and security groups of a workgroup: the default VPC's, unless they were named."""
    subnets = workgroup.settings.get("subnetIds")
    vpc = vpc_of_subnets(call, subnets) if subnets else default_vpc(call)
    if not subnets:
        workgroup.settings["subnetIds"] = [subnet.id for subnet in call.moto("ec2").describe_subnets() if subnet.vpc_id == vpc][:3]
    if len(workgroup.settings["subnetIds"]) < 3:
        raise invalid("A workgroup needs at least three subnets, in three Availability Zones")
    workgroup.groups = call.params.get("securityGroupIds") or [default_group(call, vpc)]
    check_groups(call, workgroup.groups, invalid)


def set_config(call, workgroup):
    for parameter in call.params.get("configParameters", []):
        if parameter["parameterKey"] not in CONFIG | {"max_query_cpu_time": ""}:
            raise invalid(f"Unknown configuration parameter {parameter['parameterKey']}")
        workgroup.config[parameter["parameterKey"]] = parameter["parameterValue"]


@handles("redshift-serverless", "GetWorkgroup")
def get_workgroup(call):
    find(call, "workgroup", call.params["workgroupName"]).look()
    return {"workgroup": find(call, "workgroup", call.params["workgroupName"]).describe()}


@handles("redshift-serverless", "ListWorkgroups")
def list_workgroups(call):
    return listed(call, "workgroups", "workgroups")


@handles("redshift-serverless", "UpdateWorkgroup")
def update_workgroup(call):
    workgroup = find_idle(call, "workgroup", call.params["workgroupName"])
    check_one_update(call, WORKGROUP_UPDATES)
    settings = workgroup.settings | {name: call.params[name] for name in WORKGROUP_SETTABLE if name in call.params}
    check_workgroup(settings)
    if call.params.get("securityGroupIds"):
        check_groups(call, call.params["securityGroupIds"], invalid)
        workgroup.groups = call.params["securityGroupIds"]
    set_config(call, workgroup)
    workgroup.settings, workgroup.status = settings, "MODIFYING"
    workgroup.change(call.clock.wait("workgroup_modify"), lambda: workgroup.become("AVAILABLE"))
    return {"workgroup": workgroup.describe()}


@handles("redshift-serverless", "DeleteWorkgroup")
def delete_workgroup(call):
    state = call.state(Serverless)
    workgroup = find_idle(call, "workgroup", call.params["workgroupName"])

    def vanish():
        del state.workgroups[workgroup.name]
        state.tags.pop(workgroup.arn, None)
        keep_interface(call, workgroup.groups)

    workgroup.status = "DELETING"
    workgroup.change(call.clock.wait("workgroup_delete"), vanish)
    return {"workgroup": workgroup.describe()}


# --- tags ---


def find_tags(call):
    tags = call.state(Serverless).tags
    if call.params["resourceArn"] not in tags:
        raise not_found("resource", call.params["resourceArn"])
    return tags[call.params["resourceArn"]]


@handles("redshift-serverless", "TagResource")
def tag_resource(call):
    tags = find_tags(call)
    tags |= {tag["key"]: tag["value"] for tag in call.params["tags"]}


@handles("redshift-serverless", "UntagResource")
def untag_resource(call):
    tags = find_tags(call)
    for key in call.params["tagKeys"]:
        tags.pop(key, None)


@handles("redshift-serverless", "ListTagsForResource")
def list_tags_for_resource(call):
    return {"tags": [{"key": key, "value": value} for key, value in find_tags(call).items()]}

"""Amazon Redshift, provisioned: clusters with their states, roles, passwords, snapshots and tags.

Subnet groups, parameter groups and the rest are moto's; clusters are written anew, because moto's know no states, drop the
security groups and take any password, node type and role.
"""

import datetime
import json
import re
import uuid

import server_world
from server_ec2 import check_groups, default_group, default_vpc, keep_interface, vpc_of_subnets
from server_time import Changing
from server_wire import AwsError
from server_world import handles, tag_dict, tag_list

NODE_TYPES = ("ra3.large", "ra3.xlplus", "ra3.4xlarge", "ra3.16xlarge", "rg.large", "rg.xlarge", "rg.4xlarge", "rg.12xlarge")
SINGLE_NODE_TYPES = ("ra3.large", "ra3.xlplus", "rg.large", "rg.xlarge")
PORTS = [*range(5431, 5456), *range(8191, 8216)]
IDENTIFIER = re.compile(r"[a-z](?!.*--)[a-z0-9-]{0,62}(?<!-)")
DATABASE = re.compile(r"[a-z_][a-z0-9_$]{0,63}")
USER = re.compile(r"[a-z_][a-z0-9_+.@-]{0,127}", re.IGNORECASE)
WINDOW = re.compile(r"(mon|tue|wed|thu|fri|sat|sun):[0-2]\d:[0-5]\d-(mon|tue|wed|thu|fri|sat|sun):[0-2]\d:[0-5]\d", re.IGNORECASE)
BUSY = "There is an operation running on the Cluster. Please try to manage it at a later time."
AVAILABILITY = {"available": "Available", "paused": "Paused"}  # all else: Modifying
DEFAULTS = {
    "DBName": "dev", "Port": 5439, "PubliclyAccessible": False, "Encrypted": True, "AllowVersionUpgrade": True,
    "AutomatedSnapshotRetentionPeriod": 1, "ManualSnapshotRetentionPeriod": -1, "EnhancedVpcRouting": False,
    "ClusterVersion": "1.0", "MaintenanceTrackName": "current", "PreferredMaintenanceWindow": "sun:08:30-sun:09:00",
    "ClusterParameterGroupName": "default.redshift-1.0", "ClusterType": "multi-node", "MultiAZ": False,
    "AvailabilityZoneRelocation": False, "IpAddressType": "ipv4",
}
SHOWN = ("NodeType", "MasterUsername", "DBName", "AutomatedSnapshotRetentionPeriod", "ManualSnapshotRetentionPeriod",
         "PreferredMaintenanceWindow", "ClusterVersion", "AllowVersionUpgrade", "NumberOfNodes", "PubliclyAccessible", "Encrypted",
         "KmsKeyId", "EnhancedVpcRouting", "MaintenanceTrackName", "IpAddressType", "AvailabilityZone", "ClusterSubnetGroupName",
         "DefaultIamRoleArn", "MasterPasswordSecretKmsKeyId")
SETTABLE = (*SHOWN, "Port", "ClusterType", "ClusterParameterGroupName", "MultiAZ", "AvailabilityZoneRelocation")
RESIZING = ("NodeType", "NumberOfNodes", "ClusterType")
# what a modification shows while it is pending
PENDING = (*RESIZING, "ClusterVersion", "AutomatedSnapshotRetentionPeriod", "PubliclyAccessible", "EnhancedVpcRouting",
           "MaintenanceTrackName")


class Redshift:
    """Everything of one account in one region."""

    def __init__(self):
        self.clusters, self.snapshots = {}, {}


class Cluster(Changing):
    def __init__(self, identifier, arn, tags):
        self.id, self.arn, self.tags = identifier, arn, tags
        self.status = "creating"
        self.settings, self.pending = {}, {}
        self.groups, self.roles = [], {}  # role ARN -> ApplyStatus
        self.password, self.secret_arn = None, None
        self.created = datetime.datetime.now(datetime.timezone.utc)

    def move(self, clock, delay, passing, then):
        self.status = passing
        self.change(clock.wait(delay), then)

    def become(self, status):
        self.status = status
        self.roles = {arn: "in-sync" for arn, state in self.roles.items() if state != "removing"}

    def describe(self):
        shown = {name: self.settings[name] for name in SHOWN if self.settings.get(name) is not None}
        shown |= {
            "ClusterIdentifier": self.id, "ClusterStatus": self.status, "ClusterCreateTime": self.created, "VpcId": self.vpc,
            "ClusterAvailabilityStatus": AVAILABILITY.get(self.status, "Modifying"),
            "ClusterSecurityGroups": [], "Tags": tag_list(self.tags), "PendingModifiedValues": self.pending,
            "VpcSecurityGroups": [{"VpcSecurityGroupId": group, "Status": "active"} for group in self.groups],
            "ClusterParameterGroups": [
                {"ParameterGroupName": self.settings["ClusterParameterGroupName"], "ParameterApplyStatus": "in-sync"}],
            "IamRoles": [{"IamRoleArn": arn, "ApplyStatus": state} for arn, state in self.roles.items()],
            "MultiAZ": "Enabled" if self.settings["MultiAZ"] else "Disabled",
            "AvailabilityZoneRelocationStatus": "enabled" if self.settings["AvailabilityZoneRelocation"] else "disabled",
            "ClusterNamespaceArn": self.namespace_arn, "ClusterRevisionNumber": "74000", "DeferredMaintenanceWindows": [],
            "ClusterNodes": self.nodes(),
        }
        if self.secret_arn:
            shown["MasterPasswordSecretArn"] = self.secret_arn
        if self.status != "creating":
            address, port = server_world.endpoint_of(self, self.address, self.settings["Port"])
            shown["Endpoint"] = {"Address": address, "Port": port}
        return shown

    def nodes(self):
        count = self.settings["NumberOfNodes"]
        roles = ["SHARED"] if count == 1 else ["LEADER", *(f"COMPUTE-{number}" for number in range(count))]
        return [{"NodeRole": role, "PrivateIPAddress": f"172.31.0.{10 + number}"} for number, role in enumerate(roles)]


def invalid(message):
    return AwsError("InvalidParameterValue", message)


def clashing(message):
    return AwsError("InvalidParameterCombination", message)


def find_cluster(call, identifier=None):
    identifier = identifier or call.params["ClusterIdentifier"]
    cluster = call.state(Redshift).clusters.get(identifier)
    if cluster is None:
        raise AwsError("ClusterNotFound", f"Cluster {identifier} not found.", 404)
    return cluster


def find_idle_cluster(call, *states):
    cluster = find_cluster(call)
    if cluster.status not in (states or ("available",)):
        raise AwsError("InvalidClusterState", BUSY)
    return cluster


# --- rules ---


def check_identifier(identifier):
    if not IDENTIFIER.fullmatch(identifier):
        raise invalid("The parameter ClusterIdentifier is not a valid identifier. Identifiers must begin with a lower case letter and"
                      " contain only lower case letters, digits and hyphens; they must not end with a hyphen or contain two"
                      " consecutive hyphens.")


def check_password(password):
    kinds = (str.isupper, str.islower, str.isdigit)
    if not 8 <= len(password) <= 64 or not all(any(map(kind, password)) for kind in kinds):
        raise invalid("The parameter MasterUserPassword is not a valid password. It must have 8 to 64 characters, and contain at"
                      " least one upper case letter, one lower case letter and one digit.")
    if any(not 33 <= ord(c) <= 126 or c in "'\"\\/@" for c in password):
        raise invalid("The parameter MasterUserPassword must contain only printable ASCII characters, without ' \" \\ / @ or space.")


def check_settings(settings):
    if settings["NodeType"] not in NODE_TYPES:
        raise invalid(f"Invalid node type: {settings['NodeType']}")
    if not DATABASE.fullmatch(settings["DBName"]):
        raise invalid("The parameter DBName must contain only lower case letters, digits and underscores.")
    if not USER.fullmatch(settings["MasterUsername"]) or settings["MasterUsername"].lower() == "public":
        raise invalid("The parameter MasterUsername is not a valid user name.")
    if settings["Port"] not in PORTS:
        raise invalid(f"Invalid port {settings['Port']}: valid for RA3 and RG nodes are 5431-5455 and 8191-8215.")
    if not settings["Encrypted"]:
        raise invalid("Unencrypted clusters cannot be made: Encrypted must be true.")
    if not 1 <= settings["AutomatedSnapshotRetentionPeriod"] <= 35:
        raise invalid("AutomatedSnapshotRetentionPeriod must be between 1 and 35 for this node type.")
    if not WINDOW.fullmatch(settings["PreferredMaintenanceWindow"]):
        raise invalid("PreferredMaintenanceWindow must have the form ddd:hh24:mi-ddd:hh24:mi.")
    settings["PreferredMaintenanceWindow"] = settings["PreferredMaintenanceWindow"].lower()
    check_nodes(settings)


def check_nodes(settings):
    nodes = settings.get("NumberOfNodes")
    if settings["ClusterType"] == "single-node":
        if (nodes or 1) != 1:
            raise clashing("Number of nodes for cluster type single-node must be 1")
        if settings["NodeType"] not in SINGLE_NODE_TYPES:
            raise clashing(f"The node type {settings['NodeType']} needs at least two nodes")
        settings["NumberOfNodes"] = 1
    elif settings["ClusterType"] != "multi-node":
        raise invalid("ClusterType must be multi-node or single-node")
    elif (nodes or 0) < 2:
        raise clashing("Number of nodes for cluster type multi-node must be greater than or equal to 2")


def check_roles(call, arns):
    for arn in arns:
        call.check_role(arn, invalid(
            f"The IAM role {arn} is not valid. The IAM role must delegate access to an Amazon Redshift account."))


def set_password(call, cluster):
    """A password that was given, or a secret that Redshift manages; never both."""
    is_managed, password = call.params.get("ManageMasterPassword"), call.params.get("MasterUserPassword")
    if is_managed and password:
        raise clashing("MasterUserPassword cannot be specified when ManageMasterPassword is true")
    if password:
        check_password(password)
        cluster.password = password
    if is_managed and not cluster.secret_arn:
        user = cluster.settings["MasterUsername"]
        cluster.secret_arn = managed_secret(call, f"redshift!{cluster.id}-{user}", user, "redshift")
    elif (is_managed is False or password) and cluster.secret_arn:
        delete_secret(call, cluster)


def managed_secret(call, name, user, owner):
    text = json.dumps({"username": user, "password": call.world.password()})
    return call.moto("secretsmanager").create_managed_secret(owner, name, secret_string=text).arn


def delete_secret(call, owner):
    if owner.secret_arn:
        call.moto("secretsmanager").delete_secret(owner.secret_arn, recovery_window_in_days=None, force_delete_without_recovery=True)
        owner.secret_arn = None


# --- clusters ---


@handles("redshift", "CreateCluster")
def create_cluster(call):
    state, identifier = call.state(Redshift), call.params["ClusterIdentifier"]
    check_identifier(identifier)
    if identifier in state.clusters:
        raise AwsError("ClusterAlreadyExists", "Cluster already exists")
    call.check_quota("clusters", len(state.clusters), "ClusterQuotaExceeded")
    cluster = Cluster(identifier, call.arn(f"cluster:{identifier}"), tag_dict(call.params.get("Tags")))
    cluster.settings = DEFAULTS | {"AvailabilityZone": call.region + "a"} | {k: call.params[k] for k in SETTABLE if k in call.params}
    check_settings(cluster.settings)
    roles = call.params.get("IamRoles", [])
    check_roles(call, roles)
    if not call.params.get("MasterUserPassword") and not call.params.get("ManageMasterPassword"):
        raise clashing("MasterUserPassword is required unless ManageMasterPassword is true")
    cluster.vpc = vpc_of_subnet_group(call, call.params.get("ClusterSubnetGroupName"))
    cluster.groups = call.params.get("VpcSecurityGroupIds") or [default_group(call, cluster.vpc)]
    check_groups(call, cluster.groups, invalid)
    set_password(call, cluster)
    cluster.roles = {arn: "in-sync" for arn in roles}
    cluster.address = f"{identifier}.{call.world.hex_id('c', 11)}.{call.region}.redshift.amazonaws.com"
    cluster.namespace_arn = call.arn(f"namespace:{uuid.UUID(call.world.hex_id('', 32), version=4)}")
    state.clusters[identifier] = cluster
    cluster.move(call.clock, "cluster_create", "creating", lambda: cluster.become("available"))
    return {"Cluster": cluster.describe()}


def vpc_of_subnet_group(call, name):
    if not name:
        vpc = default_vpc(call)
        if vpc is None:
            raise AwsError("InvalidVPCNetworkStateFault", "No default VPC: a cluster subnet group is required")
        return vpc
    group = call.moto().subnet_groups.get(name)
    if group is None:
        raise AwsError("ClusterSubnetGroupNotFoundFault", f"Subnet group {name} not found.")
    return vpc_of_subnets(call, group.subnet_ids)


@handles("redshift", "DescribeClusters")
def describe_clusters(call):
    state = call.state(Redshift)
    if call.params.get("ClusterIdentifier"):
        cluster = find_cluster(call)
        cluster.look()
        return {"Clusters": [find_cluster(call).describe()]}  # it may be gone by now
    for cluster in list(state.clusters.values()):
        cluster.look()
    return {"Clusters": [cluster.describe() for cluster in state.clusters.values() if has_tags(call, cluster)]}


def has_tags(call, cluster):
    keys, values = call.params.get("TagKeys") or [], call.params.get("TagValues") or []
    return (not keys or set(keys) & cluster.tags.keys()) and (not values or set(values) & set(cluster.tags.values()))


@handles("redshift", "ModifyCluster")
def modify_cluster(call):
    cluster = find_idle_cluster(call)
    given = {name: call.params[name] for name in SETTABLE if name in call.params}
    changed = {name: value for name, value in given.items() if value != cluster.settings.get(name)}
    settings = cluster.settings | changed
    if changed.get("ClusterType") == "multi-node" and "NumberOfNodes" not in given:
        settings["NumberOfNodes"] = None
    if changed.get("ClusterType") == "single-node":
        settings["NumberOfNodes"] = 1
    check_settings(settings)
    groups = call.params.get("VpcSecurityGroupIds") or cluster.groups
    check_groups(call, groups, invalid)
    new_identifier = call.params.get("NewClusterIdentifier", cluster.id)
    if new_identifier != cluster.id:
        check_identifier(new_identifier)
        if new_identifier in call.state(Redshift).clusters:
            raise AwsError("ClusterAlreadyExists", "Cluster already exists")
    set_password(call, cluster)
    cluster.groups = groups
    cluster.pending = {name: value for name, value in changed.items() if name in PENDING}
    if call.params.get("MasterUserPassword"):
        cluster.pending["MasterUserPassword"] = "****"
    if new_identifier != cluster.id:
        cluster.pending["ClusterIdentifier"] = new_identifier
    is_resize = any(name in changed for name in RESIZING)

    def finish():
        cluster.settings, cluster.pending = settings, {}
        rename(call, cluster, new_identifier)
        cluster.become("available")

    cluster.move(call.clock, "cluster_resize" if is_resize else "cluster_modify", "resizing" if is_resize else "modifying", finish)
    return {"Cluster": cluster.describe()}


@handles("redshift", "ResizeCluster")
def resize_cluster(call):
    """The elastic way: to the model the same change of size, without the hours in which the cluster is read-only."""
    return modify_cluster(call)


def rename(call, cluster, identifier):
    clusters = call.state(Redshift).clusters
    del clusters[cluster.id]
    cluster.address = cluster.address.replace(f"{cluster.id}.", f"{identifier}.", 1)
    cluster.id, cluster.arn = identifier, call.arn(f"cluster:{identifier}")
    clusters[identifier] = cluster


@handles("redshift", "ModifyClusterIamRoles")
def modify_cluster_iam_roles(call):
    cluster = find_idle_cluster(call)
    adding = call.params.get("AddIamRoles") or []
    removing = call.params.get("RemoveIamRoles") or []
    check_roles(call, adding)
    if len(set(cluster.roles) - set(removing) | set(adding)) > 50:
        raise invalid("A cluster can have at most 50 IAM roles")
    cluster.roles |= {arn: "adding" for arn in adding if arn not in cluster.roles}
    cluster.roles |= {arn: "removing" for arn in removing if arn in cluster.roles}
    default = call.params.get("DefaultIamRoleArn")
    if default is not None:
        cluster.settings["DefaultIamRoleArn"] = default or None
    cluster.move(call.clock, "cluster_roles", "modifying", lambda: cluster.become("available"))
    return {"Cluster": cluster.describe()}


@handles("redshift", "PauseCluster")
def pause_cluster(call):
    cluster = find_idle_cluster(call)
    cluster.move(call.clock, "cluster_pause", "pausing", lambda: cluster.become("paused"))
    return {"Cluster": cluster.describe()}


@handles("redshift", "ResumeCluster")
def resume_cluster(call):
    cluster = find_idle_cluster(call, "paused")
    cluster.move(call.clock, "cluster_resume", "resuming", lambda: cluster.become("available"))
    return {"Cluster": cluster.describe()}


@handles("redshift", "RebootCluster")
def reboot_cluster(call):
    cluster = find_idle_cluster(call)
    cluster.move(call.clock, "cluster_reboot", "rebooting", lambda: cluster.become("available"))
    return {"Cluster": cluster.describe()}


@handles("redshift", "DeleteCluster")
def delete_cluster(call):
    cluster = find_idle_cluster(call, "available", "paused", "creating")
    final = call.params.get("FinalClusterSnapshotIdentifier")
    if call.params.get("SkipFinalClusterSnapshot") and final:
        raise clashing("FinalClusterSnapshotIdentifier cannot be specified when SkipFinalClusterSnapshot is true")
    if not call.params.get("SkipFinalClusterSnapshot") and not final:
        raise clashing("FinalClusterSnapshotIdentifier is required unless SkipFinalClusterSnapshot is true")
    if final:
        add_snapshot(call, cluster, final)
    state = call.state(Redshift)

    def vanish():
        del state.clusters[cluster.id]
        keep_interface(call, cluster.groups)
        delete_secret(call, cluster)

    cluster.move(call.clock, "cluster_delete", "final-snapshot" if final else "deleting", vanish)
    return {"Cluster": cluster.describe()}


# --- snapshots, logging, tags ---


def add_snapshot(call, cluster, identifier):
    snapshots = call.state(Redshift).snapshots
    if identifier in snapshots:
        raise AwsError("ClusterSnapshotAlreadyExists", f"Cannot create the snapshot because {identifier} already exists")
    snapshots[identifier] = {
        "SnapshotIdentifier": identifier, "ClusterIdentifier": cluster.id, "Status": "available", "SnapshotType": "manual",
        "SnapshotCreateTime": datetime.datetime.now(datetime.timezone.utc), "NodeType": cluster.settings["NodeType"],
        "NumberOfNodes": cluster.settings["NumberOfNodes"], "DBName": cluster.settings["DBName"], "Encrypted": True,
        "ManualSnapshotRetentionPeriod": call.params.get("FinalClusterSnapshotRetentionPeriod", -1),
        "MasterUsername": cluster.settings["MasterUsername"], "Port": cluster.settings["Port"],
        "SnapshotArn": call.arn(f"snapshot:{cluster.id}/{identifier}"), "Tags": tag_list(tag_dict(call.params.get("Tags"))),
    }
    return snapshots[identifier]


@handles("redshift", "CreateClusterSnapshot")
def create_cluster_snapshot(call):
    return {"Snapshot": add_snapshot(call, find_idle_cluster(call), call.params["SnapshotIdentifier"])}


@handles("redshift", "DescribeClusterSnapshots")
def describe_cluster_snapshots(call):
    identifier, cluster = call.params.get("SnapshotIdentifier"), call.params.get("ClusterIdentifier")
    snapshots = call.state(Redshift).snapshots
    if identifier and identifier not in snapshots:
        raise AwsError("ClusterSnapshotNotFound", f"Snapshot {identifier} not found.", 404)
    return {"Snapshots": [snapshot for name, snapshot in snapshots.items()
                          if identifier in (None, name) and cluster in (None, snapshot["ClusterIdentifier"])]}


@handles("redshift", "DeleteClusterSnapshot")
def delete_cluster_snapshot(call):
    snapshot = call.state(Redshift).snapshots.pop(call.params["SnapshotIdentifier"], None)
    if snapshot is None:
        raise AwsError("ClusterSnapshotNotFound", f"Snapshot {call.params['SnapshotIdentifier']} not found.", 404)
    return {"Snapshot": snapshot | {"Status": "deleted"}}


@handles("redshift", "DescribeLoggingStatus")
def describe_logging_status(call):
    find_cluster(call)
    return {"LoggingEnabled": False}


def find_tagged(call, arn):
    clusters = call.state(Redshift).clusters.values()
    return next((cluster for cluster in clusters if cluster.arn == arn), None)


@handles("redshift", "CreateTags")
def create_tags(call):
    cluster = find_tagged(call, call.params["ResourceName"])
    if cluster is None:
        return call.pass_on()
    cluster.tags |= tag_dict(call.params["Tags"])
    return {}


@handles("redshift", "DeleteTags")
def delete_tags(call):
    cluster = find_tagged(call, call.params["ResourceName"])
    if cluster is None:
        return call.pass_on()
    for key in call.params["TagKeys"]:
        cluster.tags.pop(key, None)
    return {}


@handles("redshift", "DescribeTags")
def describe_tags(call):
    arn = call.params.get("ResourceName")
    if arn and ":cluster:" not in arn:
        return call.pass_on()
    clusters = [cluster for cluster in call.state(Redshift).clusters.values()
                if arn in (None, cluster.arn) and has_tags(call, cluster)]
    return {"TaggedResources": [{"ResourceName": cluster.arn, "ResourceType": "cluster", "Tag": tag}
                                for cluster in clusters for tag in tag_list(cluster.tags)]}

"""AWS Transfer Family: servers, users, their SSH keys, host keys, tags and security policies.

Written anew, because moto's forgets defaults, takes wrong input, and lacks half of the operations. Things are kept in the form
in which Describe shows them.
"""

import time

import server_keys
import server_ssh_policies
from server_time import Changing
from server_wire import AwsError
from server_world import handles, tag_dict, tag_list

SHOWN = ("Certificate", "Domain", "EndpointType", "IdentityProviderDetails", "IdentityProviderType", "LoggingRole",
         "PostAuthenticationLoginBanner", "PreAuthenticationLoginBanner", "Protocols", "SecurityPolicyName", "WorkflowDetails",
         "StructuredLogDestinations", "IpAddressType")
UPDATABLE = set(SHOWN) - {"Domain"}
SERVER_DEFAULTS = {"Domain": "S3", "EndpointType": "PUBLIC", "IdentityProviderType": "SERVICE_MANAGED", "Protocols": ["SFTP"],
                   "SecurityPolicyName": "TransferSecurityPolicy-2024-01", "IpAddressType": "IPV4"}
PROTOCOL_DEFAULTS = {"PassiveIp": "AUTO", "TlsSessionResumptionMode": "ENFORCED", "SetStatOption": "DEFAULT"}
USER_SHOWN = ("HomeDirectory", "HomeDirectoryMappings", "HomeDirectoryType", "Policy", "PosixProfile", "Role")


class Transfer:
    """Everything of one account in one region."""

    def __init__(self):
        self.servers = {}


class Server(Changing):
    def __init__(self, server_id, arn, tags):
        self.id, self.arn, self.tags = server_id, arn, tags
        self.settings = {}
        self.protocol_details = dict(PROTOCOL_DEFAULTS)
        self.storage = {"DirectoryListingOptimization": "DISABLED"}
        self.endpoint = {}
        self.state = "OFFLINE"
        self.users, self.host_keys = {}, {}
        self.is_default_key_shown = True

    def move(self, clock, delay, passing, final):
        self.state = passing
        self.change(clock.wait(delay), lambda: setattr(self, "state", final))

    def describe(self):
        shown = {name: self.settings[name] for name in SHOWN if self.settings.get(name)}
        shown |= {"Arn": self.arn, "ServerId": self.id, "State": self.state, "UserCount": len(self.users),
                  "Tags": tag_list(self.tags), "ProtocolDetails": self.protocol_details, "S3StorageOptions": self.storage,
                  "HostKeyFingerprint": self.newest_host_key().fingerprint}
        if self.endpoint:
            shown["EndpointDetails"] = {name: value for name, value in self.endpoint.items() if name != "SecurityGroupIds"}
        return shown

    def newest_host_key(self):
        return list(self.host_keys.values())[-1]


class HostKey:
    def __init__(self, key_id, server_arn, private, description, tags):
        self.kind, body = server_keys.public_of(private)
        self.id, self.private, self.description, self.tags = key_id, private, description, tags
        self.arn = server_arn.replace(":server/", ":host-key/") + "/" + key_id
        self.fingerprint = server_keys.fingerprint(body)
        self.imported = time.time()

    def describe(self, fingerprint_name):
        return {"Arn": self.arn, "HostKeyId": self.id, fingerprint_name: self.fingerprint, "Type": self.kind,
                "Description": self.description, "DateImported": self.imported}


class User:
    def __init__(self, name, arn, tags):
        self.name, self.arn, self.tags = name, arn, tags
        self.settings, self.keys = {}, {}

    def describe(self):
        shown = {name: self.settings[name] for name in USER_SHOWN if self.settings.get(name)}
        return shown | {"Arn": self.arn, "UserName": self.name, "Tags": tag_list(self.tags), "SshPublicKeys": list(self.keys.values())}


def invalid(message):
    return AwsError("InvalidRequestException", message)


def not_found(kind, what):
    return AwsError("ResourceNotFoundException", f"Unknown {kind}", Resource=what, ResourceType=kind)


def exists(kind, what, message):
    return AwsError("ResourceExistsException", message, Resource=what, ResourceType=kind)


def find_server(call):
    server = call.state(Transfer).servers.get(call.params["ServerId"])
    if server is None:
        raise not_found("server", call.params["ServerId"])
    return server


def find_user(call):
    server = find_server(call)
    if call.params["UserName"] not in server.users:
        raise not_found("user", call.params["UserName"])
    return server, server.users[call.params["UserName"]]


def find_host_key(call):
    server = find_server(call)
    if call.params["HostKeyId"] not in server.host_keys:
        raise not_found("host key", call.params["HostKeyId"])
    return server, server.host_keys[call.params["HostKeyId"]]


def page(call, items):
    """One page of a list: MaxResults of it from NextToken on, and the next token."""
    start = int(call.params.get("NextToken") or 0)
    end = start + (call.params.get("MaxResults") or 1000)
    return items[start:end], ({"NextToken": str(end)} if end < len(items) else {})


def check_role(call, arn):
    if arn:
        call.check_role(arn, invalid(f"Role {arn} is not valid: Transfer Family cannot assume it"))


# --- servers ---


@handles("transfer", "CreateServer")
def create_server(call):
    state = call.state(Transfer)
    call.check_quota("servers", len(state.servers), "ServiceQuotaExceededException")
    settings = SERVER_DEFAULTS | {name: call.params[name] for name in SHOWN if name in call.params}
    private = call.params.get("HostKey") or server_keys.new_private()
    server_id = call.world.hex_id("s-")
    server = Server(server_id, call.arn(f"server/{server_id}"), tag_dict(call.params.get("Tags")))
    apply_settings(call, server, settings)
    add_host_key(call, server, private, "", {})
    state.servers[server_id] = server
    server.move(call.clock, "server_start", "STARTING", "ONLINE")
    return {"ServerId": server_id}


def apply_settings(call, server, changes):
    """Puts settings into a server after checking that they make sense together; on an error nothing has changed."""
    settings = server.settings | changes
    check_role(call, changes.get("LoggingRole"))
    if settings["SecurityPolicyName"] not in server_ssh_policies.NAMES:
        raise invalid(f"Unknown security policy: {settings['SecurityPolicyName']}")
    if settings["EndpointType"] == "PUBLIC" and call.params.get("EndpointDetails"):
        raise invalid("EndpointDetails cannot be specified when the endpoint type is PUBLIC")
    if settings["EndpointType"] == "PUBLIC" and settings["Protocols"] != ["SFTP"]:
        raise invalid("A PUBLIC endpoint supports the protocol SFTP only")
    if "FTPS" in settings["Protocols"] and not settings.get("Certificate"):
        raise invalid("Certificate is required for the protocol FTPS")
    if settings["IdentityProviderType"] != "SERVICE_MANAGED" and not settings.get("IdentityProviderDetails"):
        raise invalid(f"IdentityProviderDetails is required for {settings['IdentityProviderType']}")
    endpoint = vpc_endpoint(call, server, settings)
    server.settings, server.endpoint = settings, endpoint
    server.protocol_details = server.protocol_details | (call.params.get("ProtocolDetails") or {})
    server.storage = server.storage | (call.params.get("S3StorageOptions") or {})


def vpc_endpoint(call, server, settings):
    """EndpointDetails of a server in a VPC; an interface endpoint is made for it as Transfer does."""
    if settings["EndpointType"] != "VPC":
        return {}
    details = server.endpoint | (call.params.get("EndpointDetails") or {})
    if not details.get("VpcId") or not details.get("SubnetIds"):
        raise invalid("VpcId and SubnetIds are required when the endpoint type is VPC")
    if server.endpoint and details["VpcId"] != server.endpoint["VpcId"]:
        raise invalid("VpcId cannot be changed")
    moves_addresses = details.get("AddressAllocationIds") != server.endpoint.get("AddressAllocationIds")
    if server.endpoint and moves_addresses and server.state != "OFFLINE":
        raise AwsError("ConflictException", "Server must be OFFLINE to update AddressAllocationIds")
    if not server.endpoint:
        made = call.moto("ec2").create_vpc_endpoint(
            vpc_id=details["VpcId"], service_name=f"com.amazonaws.{call.region}.transfer.server.c-0001",
            endpoint_type="Interface", policy_document=None, route_table_ids=[], subnet_ids=details["SubnetIds"],
            security_group_ids=details.get("SecurityGroupIds", []))
        made.state = "Available"  # as the model spells it
        details["VpcEndpointId"] = made.id
    return details


@handles("transfer", "DescribeServer")
def describe_server(call):
    server = find_server(call)
    server.look()
    return {"Server": server.describe()}


@handles("transfer", "ListServers")
def list_servers(call):
    servers = list(call.state(Transfer).servers.values())
    for server in servers:
        server.look()
    shown, following = page(call, servers)
    names = ("Arn", "Domain", "IdentityProviderType", "EndpointType", "LoggingRole", "ServerId", "State", "UserCount")
    rows = [server.describe() for server in shown]
    return {"Servers": [{name: row[name] for name in names if name in row} for row in rows], **following}


@handles("transfer", "UpdateServer")
def update_server(call):
    server = find_server(call)
    if server.state in ("STARTING", "STOPPING"):
        raise AwsError("ConflictException", f"Server is {server.state}: it cannot be updated now")
    apply_settings(call, server, {name: call.params[name] for name in UPDATABLE if name in call.params})
    if call.params.get("HostKey"):
        add_host_key(call, server, call.params["HostKey"], "", {})
    return {"ServerId": server.id}


@handles("transfer", "StartServer")
def start_server(call):
    server = find_server(call)
    if server.state in ("OFFLINE", "START_FAILED"):
        server.move(call.clock, "server_start", "STARTING", "ONLINE")


@handles("transfer", "StopServer")
def stop_server(call):
    server = find_server(call)
    if server.state in ("ONLINE", "STOP_FAILED"):
        server.move(call.clock, "server_stop", "STOPPING", "OFFLINE")


@handles("transfer", "DeleteServer")
def delete_server(call):
    server = find_server(call)
    if server.endpoint.get("VpcEndpointId"):
        call.moto("ec2").delete_vpc_endpoints([server.endpoint["VpcEndpointId"]])
    del call.state(Transfer).servers[server.id]


# --- users and their keys ---


@handles("transfer", "CreateUser")
def create_user(call):
    server = find_server(call)
    if server.settings["IdentityProviderType"] != "SERVICE_MANAGED":
        raise invalid("Users can be created only on servers with identity provider SERVICE_MANAGED")
    name = call.params["UserName"]
    if name in server.users:
        raise exists("user", name, f"User already exists: {name}")
    call.check_quota("users", len(server.users), "ServiceQuotaExceededException")
    user = User(name, call.arn(f"user/{server.id}/{name}"), tag_dict(call.params.get("Tags")))
    apply_user_settings(call, user, {"HomeDirectoryType": "PATH"} | {k: call.params[k] for k in USER_SHOWN if k in call.params})
    if call.params.get("SshPublicKeyBody"):
        add_ssh_key(call, user)
    server.users[name] = user
    return {"ServerId": server.id, "UserName": name}


def apply_user_settings(call, user, changes):
    settings = user.settings | changes
    check_role(call, changes.get("Role"))
    is_logical = settings["HomeDirectoryType"] == "LOGICAL"
    if is_logical and not settings.get("HomeDirectoryMappings"):
        raise invalid("HomeDirectoryMappings is required when HomeDirectoryType is LOGICAL")
    if is_logical and changes.get("HomeDirectory"):
        raise invalid("HomeDirectory must not be used when HomeDirectoryType is LOGICAL")
    if not is_logical and changes.get("HomeDirectoryMappings"):
        raise invalid("HomeDirectoryMappings must not be used when HomeDirectoryType is PATH")
    settings.pop("HomeDirectory" if is_logical else "HomeDirectoryMappings", None)
    user.settings = settings


@handles("transfer", "DescribeUser")
def describe_user(call):
    server, user = find_user(call)
    return {"ServerId": server.id, "User": user.describe()}


@handles("transfer", "ListUsers")
def list_users(call):
    server = find_server(call)
    shown, following = page(call, list(server.users.values()))
    rows = [
        {"Arn": user.arn, "UserName": user.name, "SshPublicKeyCount": len(user.keys),
         **{name: user.settings[name] for name in ("HomeDirectory", "HomeDirectoryType", "Role") if name in user.settings}}
        for user in shown
    ]
    return {"ServerId": server.id, "Users": rows, **following}


@handles("transfer", "UpdateUser")
def update_user(call):
    server, user = find_user(call)
    apply_user_settings(call, user, {name: call.params[name] for name in USER_SHOWN if name in call.params})
    return {"ServerId": server.id, "UserName": user.name}


@handles("transfer", "DeleteUser")
def delete_user(call):
    server, user = find_user(call)
    del server.users[user.name]


def add_ssh_key(call, user):
    body = call.params["SshPublicKeyBody"].strip()
    try:
        kind, key = server_keys.parse_public(body)
    except ValueError as error:
        raise invalid("Unsupported or invalid SSH public key format") from error
    if any(server_keys.parse_public(have["SshPublicKeyBody"]) == (kind, key) for have in user.keys.values()):
        raise exists("sshpublickey", user.name, "The SSH public key already exists for this user")
    call.check_quota("ssh_keys", len(user.keys), "ServiceQuotaExceededException")
    key_id = call.world.hex_id("key-")
    user.keys[key_id] = {"SshPublicKeyId": key_id, "SshPublicKeyBody": body, "DateImported": time.time()}
    return key_id


@handles("transfer", "ImportSshPublicKey")
def import_ssh_public_key(call):
    server, user = find_user(call)
    return {"ServerId": server.id, "UserName": user.name, "SshPublicKeyId": add_ssh_key(call, user)}


@handles("transfer", "DeleteSshPublicKey")
def delete_ssh_public_key(call):
    _, user = find_user(call)
    if user.keys.pop(call.params["SshPublicKeyId"], None) is None:
        raise not_found("sshpublickey", call.params["SshPublicKeyId"])


# --- host keys ---


def add_host_key(call, server, private, description, tags):
    key_id = call.world.hex_id("hostkey-")
    try:
        key = HostKey(key_id, server.arn, private, description, tags)
    except ValueError as error:
        raise invalid(f"Invalid host key: {error}") from error
    if any(have.fingerprint == key.fingerprint for have in server.host_keys.values()):
        raise exists("hostkey", server.id, "The host key already exists on this server")
    call.check_quota("host_keys", len(server.host_keys), "ServiceQuotaExceededException")
    server.host_keys[key_id] = key
    return key_id


@handles("transfer", "ImportHostKey")
def import_host_key(call):
    server = find_server(call)
    description, tags = call.params.get("Description", ""), tag_dict(call.params.get("Tags"))
    return {"ServerId": server.id, "HostKeyId": add_host_key(call, server, call.params["HostKeyBody"], description, tags)}


@handles("transfer", "DescribeHostKey")
def describe_host_key(call):
    _, key = find_host_key(call)
    return {"HostKey": key.describe("HostKeyFingerprint") | {"Tags": tag_list(key.tags)}}


@handles("transfer", "ListHostKeys")
def list_host_keys(call):
    server = find_server(call)
    shown, following = page(call, list(server.host_keys.values()))
    return {"ServerId": server.id, "HostKeys": [key.describe("Fingerprint") for key in shown], **following}


@handles("transfer", "UpdateHostKey")
def update_host_key(call):
    server, key = find_host_key(call)
    key.description = call.params["Description"]
    return {"ServerId": server.id, "HostKeyId": key.id}


@handles("transfer", "DeleteHostKey")
def delete_host_key(call):
    server, key = find_host_key(call)
    if len(server.host_keys) == 1:
        raise invalid("A server needs at least one host key")
    del server.host_keys[key.id]


# --- tags and security policies ---


def find_tagged(call):
    """The tags of the server, user or host key that an ARN names."""
    for server in call.state(Transfer).servers.values():
        for thing in (server, *server.users.values(), *server.host_keys.values()):
            if thing.arn == call.params["Arn"]:
                return thing.tags
    raise not_found("resource", call.params["Arn"])


@handles("transfer", "TagResource")
def tag_resource(call):
    tags = find_tagged(call)
    tags |= tag_dict(call.params["Tags"])


@handles("transfer", "UntagResource")
def untag_resource(call):
    tags = find_tagged(call)
    for key in call.params["TagKeys"]:
        tags.pop(key, None)


@handles("transfer", "ListTagsForResource")
def list_tags_for_resource(call):
    shown, following = page(call, tag_list(find_tagged(call)))
    return {"Arn": call.params["Arn"], "Tags": shown, **following}


@handles("transfer", "ListSecurityPolicies")
def list_security_policies(call):
    shown, following = page(call, sorted(server_ssh_policies.NAMES))
    return {"SecurityPolicyNames": shown, **following}


@handles("transfer", "DescribeSecurityPolicy")
def describe_security_policy(call):
    name = call.params["SecurityPolicyName"]
    if name not in server_ssh_policies.NAMES:
        raise not_found("security policy", name)
    return {"SecurityPolicy": server_ssh_policies.describe(name)}

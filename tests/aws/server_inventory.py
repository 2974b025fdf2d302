"""Everything that exists on the test server, for tests that say: destroy leaves nothing."""

from server_ec2 import live_endpoints
from server_redshift import Redshift
from server_serverless import Serverless
from server_transfer import Transfer
from server_world import moto_backend


def of(world):
    """{kind: [names]}; what an AWS account has from the beginning (default network, AWS's own policies) is left out."""
    found = {
        "transfer server": [server.id for _, _, state in world.all_states(Transfer) for server in state.servers.values()],
        "transfer user": [f"{server.id}/{name}" for _, _, state in world.all_states(Transfer)
                          for server in state.servers.values() for name in server.users],
        "redshift cluster": [name for _, _, state in world.all_states(Redshift) for name in state.clusters],
        "redshift snapshot": [name for _, _, state in world.all_states(Redshift) for name in state.snapshots],
        "serverless snapshot": [name for _, _, state in world.all_states(Serverless) for name in state.snapshots],
        "redshift namespace": [name for _, _, state in world.all_states(Serverless) for name in state.namespaces],
        "redshift workgroup": [name for _, _, state in world.all_states(Serverless) for name in state.workgroups],
    }
    for service, kinds in MOTO_KINDS.items():
        if service in world.moto_apps:
            for kind, names in kinds.items():
                found[kind] = [name for account, region in places(service) for name in names(moto_backend(service, account, region))]
    return {kind: sorted(names) for kind, names in found.items() if names}


def places(service):
    import moto.backends

    return [(account, region) for account, regions in moto.backends.get_backend(service).items() for region in regions]


MOTO_KINDS = {
    "s3": {"bucket": lambda backend: list(backend.buckets)},
    "iam": {
        "iam role": lambda backend: [role.name for role in backend.roles.values() if not role.path.startswith("/aws-service-role/")],
        "iam policy": lambda backend: [policy.name for policy in backend.managed_policies.values() if "::aws:" not in policy.arn],
        "saml provider": lambda backend: list(backend.saml_providers),
    },
    "ec2": {
        "security group": lambda backend: [group.id for group in backend.describe_security_groups() if group.name != "default"],
        "vpc": lambda backend: [vpc.id for vpc in backend.vpcs.values() if str(vpc.is_default).lower() != "true"],
        "vpc endpoint": lambda backend: [endpoint.id for endpoint in live_endpoints(backend)],
    },
    "redshift": {"redshift subnet group": lambda backend: list(backend.subnet_groups)},
    "secretsmanager": {"secret": lambda backend: [secret.name for secret in backend.secrets.values()]},
}

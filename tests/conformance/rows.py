"""The table of drivers: what a stack of each kind is, how it is changed, and how somebody else deletes or owns what it made.

A new driver is a row here. Blocks are the same in both worlds, as far as the kinds are."""

import dataclasses
import json
import os
import shutil
import signal
import typing

from conftest import start_time, wait_until

BLOCKS = {  # name: (resource, what it stands on)
    "landing": ("kind: bucket, name: conf-landing, versioning: false, tags: {year: '2025'}", ()),
    "rights": ('kind: policy, name: conf-rights, document: {Version: "2012-10-17", Statement: ['
               '{Effect: Allow, Action: [s3:ListBucket, s3:GetBucketLocation], Resource: "${landing.arn}"}, '
               '{Effect: Allow, Action: [s3:GetObject, s3:PutObject], Resource: "${landing.arn}/*"}]}', ("landing",)),
    "writer": ("kind: role, name: conf-writer, trust: transfer, description: writes, policies: [rights], inline: {own: "
               '{Version: "2012-10-17", Statement: {Effect: Deny, Action: s3:DeleteObject, Resource: "*"}}}', ("rights",)),
    "reader": ("kind: role, name: conf-reader, trust: redshift, policies: [rights]", ("rights",)),
    "host": ("kind: ssh_key, comment: host", ()),
    "second": ("kind: ssh_key, comment: second", ()),
    "mine": ("kind: ssh_key, comment: mine", ()),
    "yours": ("kind: ssh_key, comment: yours", ()),
    "office": ("kind: security_group, name: conf-office, ingress: [{port: 5439, from: [10.0.0.0/8, 127.0.0.1/32]}]", ()),
    "sftp": ("kind: sftp_server, host_keys: [host]", ("host", "second")),
    "uploader": ("kind: sftp_user, server: sftp, name: uploader, role: writer, home: landing, keys: [mine]",
                 ("sftp", "writer", "mine", "yours")),
    "dw": ('kind: cluster, identifier: conf, database: main, username: steward, password: "${var.password}", roles: [reader], '
           "security_groups: [office], tags: {year: '2025'}", ("reader", "office")),
    "rows": ("kind: dataset, source: {sample: {rows: 2000, seed: 1}}, conform: builtin:sf/spending_revenue", ()),
    "delivery": ("kind: upload, of: rows, to: landing, as: uploader, key: mine", ("rows", "uploader")),
    "star": ("kind: star_schema, cluster: dw, schema: report, tables: builtin:sf/star, reader: analyst", ("dw",)),
    "load": ("kind: load, into: star, from: delivery, role: reader, checks: builtin:sf/checks", ("star", "delivery")),
}
THIS_MACHINE = ", 127.0.0.1/32"  # without it nobody here reaches the warehouse; AWS lets nobody in from there
VARIABLES = "variables:\n  password: {type: string, secret: true, generate: {length: 20}}\n"


@dataclasses.dataclass(frozen=True)
class Row:
    kind: str
    world: str  # "aws", "local"; what drivers of both worlds share ("data") is tested in the local one
    name: str  # of BLOCKS
    change: tuple = None  # (old, new) in the block, in place
    replace: tuple = None  # (old, new) that makes another object of it; without one by -replace
    vanish: typing.Callable = None  # (ws): somebody else deletes it
    own: typing.Callable = None  # (ws, stack/lineage or None): somebody else, or nobody, owns it
    make: str = None  # AWS: the call that gives it its identity
    then: str = None  # AWS: a call of create() after that, if there is one
    variant: str = ""
    driver_world: str = ""
    without: str = ""  # why there is no `change`, `vanish` or `own`
    id_stays_on_replace: bool = False
    after_vanish: tuple = ("create",)  # what the plan then says
    block: tuple = None  # (old, new) in the block, for a variant

    @property
    def address(self):
        return f"{self.kind}.{self.name}"

    @property
    def id(self):
        return "-".join(filter(None, (self.world, self.kind, self.variant)))

    def text(self, *changes):
        """The stack file; `changes` are made in this resource."""
        names, lines = [], []

        def add(name):
            for need in BLOCKS[name][1]:
                add(need)
            if name not in names:
                names.append(name)
        add(self.name)
        for name in names:
            block = BLOCKS[name][0]
            if name == self.name:
                for old, new in [c for c in (self.block, *changes) if c]:
                    assert block.count(old) == 1, f"{old!r} is not once in {block!r}"
                    block = block.replace(old, new)
            lines.append(f"  {name}: {{{block}}}\n")
        variables = VARIABLES if "dw" in names else ""
        text = f"stack: conf\nprovider: {self.world}\n{variables}resources:\n{''.join(lines)}"
        return text if self.world == "local" else text.replace(THIS_MACHINE, "")


# --- the local world ---


def path_of(ws, *parts):
    return os.path.join(ws.territory(), *parts)


def remove(*parts):
    """Removes a file or directory of the territory; `{id}` is the resource's id."""
    def vanish(ws, row):
        path = path_of(ws, *parts).format(id=ws.id_of(row.address))
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    return vanish


def kill_and_remove(pid_of, *parts):
    def vanish(ws, row):
        pid = pid_of(ws)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: start_time(pid) is None)
        remove(*parts)(ws, row)
    return vanish


def marked(*parts):
    """Writes another owner into the file of an object."""
    def own(ws, row, owner):
        path = path_of(ws, *parts).format(id=ws.id_of(row.address))
        with open(path) as file:
            meta = json.load(file)
        if owner:
            meta["owner"]["stack"] = owner
        else:
            del meta["owner"]
        with open(path, "w") as file:  # as the same account, with the same mode
            json.dump(meta, file)
    return own


def run_sql(*statements):
    def vanish(ws, _row):
        for statement in statements:
            ws.sql(statement, database="main")
    return vanish


def comment_schema(ws, _row, owner):
    marks = f"sfstack:stack={owner} sfstack:address=star_schema.star sfstack:intent=1 " if owner else "nothing of ours"
    ws.sql(f"comment on schema report is '{marks}'", database="main")


def empty_bucket(ws, _row):
    data = path_of(ws, "buckets/conf-landing/data")
    for name in os.listdir(data):
        path = os.path.join(data, name)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)


DOCUMENT = ("[s3:GetObject, s3:PutObject]", "s3:GetObject")
COMMON = {  # (kind, name): change, replace
    "landing": dict(kind="bucket", change=("versioning: false", "versioning: true"), replace=("conf-landing", "conf-other")),
    "rights": dict(kind="policy", change=DOCUMENT, replace=("conf-rights", "conf-other")),
    "writer": dict(kind="role", change=("policies: [rights]", "policies: []"), replace=("conf-writer", "conf-other")),
    "mine": dict(kind="ssh_key", replace=("comment: mine", "comment: other")),
    "sftp": dict(kind="sftp_server", change=("[host]", "[host, second]")),
    "uploader": dict(kind="sftp_user", change=("keys: [mine]", "keys: [yours]"), replace=("name: uploader", "name: other")),
    "office": dict(kind="security_group", change=("10.0.0.0/8", "192.168.0.0/16"), replace=("conf-office", "conf-other")),
    "dw": dict(kind="cluster", change=("'2025'", "'2026'"), replace=("identifier: conf", "identifier: other")),
}


def both(name, world, **more):
    return Row(world=world, driver_world=world, name=name, **{**COMMON[name], **more})


LOCAL = [
    both("landing", "local", vanish=remove("buckets/conf-landing"), own=marked("buckets/conf-landing/meta.json")),
    both("rights", "local", vanish=remove("iam/policies/conf-rights.json"), own=marked("iam/policies/conf-rights.json")),
    both("writer", "local", vanish=remove("iam/roles/conf-writer.json"), own=marked("iam/roles/conf-writer.json")),
    both("mine", "local", vanish=remove("ssh_keys/{id}"), without="a key has no name that somebody else could have"),
    both("sftp", "local", vanish=kill_and_remove(lambda ws: ws.ftpd(), "sftp/{id}"),
         without="a server has no name that somebody else could have"),
    both("uploader", "local", vanish=lambda ws, row: remove("sftp", ws.id_of("sftp_server.sftp"), "users/uploader.json")(ws, row),
         own=lambda ws, row, owner: marked("sftp", ws.id_of("sftp_server.sftp"), "users/uploader.json")(ws, row, owner)),
    both("office", "local", vanish=remove("security_groups/{id}.json"), without="groups are told apart by their ids"),
    both("dw", "local", vanish=kill_and_remove(lambda ws: ws.postmaster(), "clusters/conf"), own=marked("clusters/conf/meta.json")),
    Row(kind="dataset", world="local", driver_world="data", name="rows", change=("rows: 2000", "rows: 2001"), id_stays_on_replace=True,
        without="there is nothing of it outside the cache"),
    Row(kind="upload", world="local", driver_world="data", name="delivery", vanish=empty_bucket, id_stays_on_replace=True,
        without="keys follow from what is in them: nobody else's bytes have them"),
    Row(kind="star_schema", world="local", driver_world="data", name="star", change=("reader: analyst", "reader: clerk"),
        replace=("schema: report", "schema: other"), vanish=run_sql("drop schema report cascade"), own=comment_schema),
    Row(kind="load", world="local", driver_world="data", name="load", change=(", checks: builtin:sf/checks", ""), id_stays_on_replace=True,
        vanish=run_sql("delete from report.load_ledger"), without="what is loaded lives in the stack's own schema"),
]


# --- AWS ---


def tags_of(owner):
    stack, lineage = owner.split("/")
    return {"sfstack:stack": f"{stack}/{lineage}", "sfstack:address": "any.thing", "sfstack:intent": lineage}


def pairs(owner, key="Key", value="Value"):
    return [{key: k, value: v} for k, v in tags_of(owner).items()] if owner else []


def own_by(service, tag, untag, name, key="Tags", names="TagKeys", spelt=("Key", "Value")):
    """Changes the tags by two operations; `name(ws, row)` is what they call the object."""
    def own(ws, row, owner):
        if owner:
            ws.call(service, tag, **name(ws, row), **{key: pairs(owner, *spelt)})
        else:
            ws.call(service, untag, **name(ws, row), **{names: list(tags_of("a/b"))})
    return own


def own_bucket(ws, _row, owner):
    ws.call("s3", "put_bucket_tagging", Bucket="conf-landing", Tagging={"TagSet": pairs(owner) or [{"Key": "a", "Value": "b"}]})


def own_group(ws, row, owner):
    ident = [ws.id_of(row.address)]
    if owner:
        ws.call("ec2", "create_tags", Resources=ident, Tags=pairs(owner))
    else:
        ws.call("ec2", "delete_tags", Resources=ident, Tags=[{"Key": k} for k in tags_of("a/b")])


def own_serverless(ws, _row, owner):
    names = {"namespace": ("list_namespaces", "namespaces", "namespaceArn"), "workgroup": ("list_workgroups", "workgroups", "workgroupArn")}
    for operation, items, arn in names.values():
        for item in ws.call("redshift-serverless", operation)[items]:
            if owner:
                ws.call("redshift-serverless", "tag_resource", resourceArn=item[arn], tags=pairs(owner, "key", "value"))
            else:
                ws.call("redshift-serverless", "untag_resource", resourceArn=item[arn], tagKeys=list(tags_of("a/b")))


def delete_role(ws, row):
    for policy in ws.call("iam", "list_attached_role_policies", RoleName="conf-writer")["AttachedPolicies"]:
        ws.call("iam", "detach_role_policy", RoleName="conf-writer", PolicyArn=policy["PolicyArn"])
    ws.call("iam", "delete_role_policy", RoleName="conf-writer", PolicyName="own")
    ws.call("iam", "delete_role", RoleName="conf-writer")


def calling(service, operation, **params):
    """One call; `{id}` in a parameter is the resource's id."""
    def vanish(ws, row):
        ident = ws.id_of(row.address)
        ws.call(service, operation, **{k: v.format(id=ident) if isinstance(v, str) else v for k, v in params.items()})
    return vanish


def delete_cluster(ws, _row):
    ws.settings(delays={"cluster_delete": 0})
    ws.call("redshift", "delete_cluster", ClusterIdentifier="conf", SkipFinalClusterSnapshot=True)
    ws.server.call("redshift", "describe_clusters", ClusterIdentifier="conf")  # the look at which it is gone


def delete_serverless(ws, _row):
    ws.settings(delays={"workgroup_delete": 0, "namespace_delete": 0})
    for what in ("workgroup", "namespace"):
        ws.call("redshift-serverless", f"delete_{what}", **{f"{what}Name": "conf"})
        ws.server.call("redshift-serverless", f"get_{what}", **{f"{what}Name": "conf"})


def delete_user(ws, row):
    server, _, name = ws.id_of(row.address).partition("/")
    ws.call("transfer", "delete_user", ServerId=server, UserName=name)


def user_arn(ws, row):
    return {"Arn": f"arn:aws:transfer:us-west-2:123456789012:user/{ws.id_of(row.address)}"}


AWS = [
    both("landing", "aws", make="CreateBucket", then="PutBucketVersioning", own=own_bucket,
         block=("versioning: false", "versioning: true"), change=("'2025'", "'2026'"),
         vanish=calling("s3", "delete_bucket", Bucket="{id}")),
    both("rights", "aws", make="CreatePolicy", vanish=calling("iam", "delete_policy", PolicyArn="{id}"),
         own=own_by("iam", "tag_policy", "untag_policy", lambda ws, row: {"PolicyArn": ws.id_of(row.address)})),
    both("writer", "aws", make="CreateRole", then="AttachRolePolicy", vanish=delete_role,
         own=own_by("iam", "tag_role", "untag_role", lambda ws, row: {"RoleName": ws.id_of(row.address)})),
    both("mine", "aws", without="AWS has no such thing: state has the key"),
    both("sftp", "aws", make="CreateServer", then="ImportHostKey", block=("[host]", "[host, second]"),
         change=("[host, second]", "[second]"), vanish=calling("transfer", "delete_server", ServerId="{id}"),
         without="a server has no name that somebody else could have"),
    both("uploader", "aws", make="CreateUser", vanish=delete_user,
         own=own_by("transfer", "tag_resource", "untag_resource", user_arn)),
    both("office", "aws", make="CreateSecurityGroup", then="AuthorizeSecurityGroupIngress", own=own_group,
         vanish=calling("ec2", "delete_security_group", GroupId="{id}")),
    both("dw", "aws", variant="provisioned", make="CreateCluster", vanish=delete_cluster,
         own=own_by("redshift", "create_tags", "delete_tags",
                    lambda ws, row: {"ResourceName": "arn:aws:redshift:us-west-2:123456789012:cluster:conf"})),
    both("dw", "aws", variant="serverless", make="CreateNamespace", then="CreateWorkgroup", vanish=delete_serverless, own=own_serverless,
         block=("kind: cluster,", "kind: cluster, aws: {serverless: {base_rpus: 8}},")),
]
ROWS = LOCAL + AWS
# drivers without a row, and why
WITHOUT_A_ROW = {("data", "value"): "it has no outside object"}


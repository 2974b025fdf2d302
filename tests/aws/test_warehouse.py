"""A star in a warehouse on AWS from the outside: questions by `sfstate query`, the psql command, a cluster that is paused."""

import json
import re

import pytest

from aws.city import FOR_CLIENTS, WAREHOUSE
from aws.conftest import workspace_on

STACK = """stack: city
provider: aws
variables:
  password: {type: string, secret: true, generate: {length: 32}}
  clients: {type: list, default: []}
resources:
  sql: {kind: security_group, name: city-sql, ingress: [{from: "${var.clients}"}]}
""" + WAREHOUSE + FOR_CLIENTS + """    #more
    aws: {node_type: ra3.large}
  star: {kind: star_schema, cluster: dw, schema: report, tables: builtin:sf/star, reader: analyst}
outputs: {psql: "${star.psql_command}", editor: "${dw.query_editor_url}"}
"""
CLUSTER = "aws: {node_type: ra3.large}"
CHANGING = ("PauseCluster", "ResumeCluster", "ModifyCluster", "DeleteCluster")


@pytest.fixture
def city(installed, sql_aws_server):
    for ws in workspace_on(installed, sql_aws_server):
        ws.write("stack.yaml", STACK)
        ws.write("ca.pem", open(sql_aws_server.control("GET", "sql")["ca"]).read())
        yield ws


ROADS = {"provisioned": CLUSTER, "serverless": "aws: {serverless: {base_rpus: 8}}",
         "direct": "aws: {node_type: ra3.large, connection: direct, ca: ca.pem}",
         "serverless and direct": "aws: {serverless: {base_rpus: 8}, connection: direct, ca: ca.pem}"}


@pytest.mark.parametrize("road", ROADS)
def test_a_star_is_asked_as_its_reader(city, road):
    city.edit("stack.yaml", (CLUSTER, ROADS[road]))
    city.env["SF_VAR_clients"] = "[203.0.113.0/24]"
    city.control("DELETE", "log")
    city.apply()
    assert city.changes() == {}
    answer = city.ok("sfstate", "query", "select current_user as who, count(*) as n from program").out
    assert re.search(r"who +\| +n\n-+\+-+\nanalyst +\| +0\n\(1 row\)", answer), answer
    assert city.ok("sfstate", "query", "-csv", "select 1 as a, null as b, '' as c").out == 'a,b,c\n1,,""\n'
    refused = city.refuse(1, "sfstate", "query", "delete from program")
    assert "cannot execute 'delete' here" in refused.err and "only reads" in refused.err
    assert "more than one statement" in city.refuse(1, "sfstate", "query", "select 1; drop table program").err
    policy = json.loads(city.ok("sfplan", "-caller-policy").out)
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    asked = {f"{call['service']}:{call['action']}" for call in city.log() if call["service"].startswith(("redshift", "secrets"))}
    assert asked - allowed == set(), "the policy for the caller lacks what was asked for"


def test_the_road_can_be_changed_at_any_time(city):
    city.env["SF_VAR_clients"] = "[203.0.113.0/24]"
    city.apply()
    city.edit("stack.yaml", (CLUSTER, ROADS["direct"]))
    assert city.changes() == {"cluster.dw": "update", "star_schema.star": "update"}  # its psql command names the authorities
    assert [c["action"] for c in city.calls_of("sfapply", "-auto-approve") if c["action"] in CHANGING] == []
    city.control("DELETE", "log")
    assert city.changes() == {} and city.ok("sfstate", "query", "-csv", "select 1 as a").out == "a\n1\n"
    assert not [call for call in city.log() if call["service"] == "redshift-data"]


def test_psql_gets_a_command_that_works_when_somebody_is_let_in(city):
    city.edit("stack.yaml", (CLUSTER, "aws: {node_type: ra3.large, ca: ca.pem}"))
    note = "no security group of 'cluster.dw' lets anybody in, so there is no psql command"
    assert note in city.run("sfplan").out
    city.apply()
    assert "sqlworkbench" in city.output("editor") and note not in city.run("sfplan").out
    assert "no output 'psql'" in city.refuse(64, "sfstate", "outputs", "psql").err  # what has no value is none
    city.env["SF_VAR_clients"] = "[203.0.113.0/24]"
    city.apply()
    command = city.output("psql")
    assert "PGSSLMODE=verify-full PGSSLROOTCERT=/" in command and "PGPASSFILE=" in command and "assword=" not in command, command
    done = city.shell(f"{command} -X -At -c 'select current_user'")
    assert (done.code, done.out) == (0, "analyst\n"), done
    assert city.shell(f"{command} -X -At -c 'delete from program'").code != 0
    assert city.changes() == {}


# --- paused ---


def test_what_is_inside_a_paused_cluster_is_not_checked_and_assumed(city):
    city.apply()
    city.edit("stack.yaml", ("#more", "running: false"))
    assert city.changes() == {"cluster.dw": "update"}
    assert [c["action"] for c in city.calls_of("sfapply", "-auto-approve") if c["action"] in CHANGING] == ["PauseCluster"]
    city.control("DELETE", "log")
    plan = city.ok("sfplan")
    assert "not checked" in plan.out and "star_schema.star" in plan.out and city.changes() == {}, plan
    assert not [call for call in city.log() if call["service"] == "redshift-data"]
    refused = city.refuse(1, "sfstate", "query", "select 1")
    assert "cluster 'city-dw' is paused" in refused.err and "running: true" in refused.err, refused
    city.edit("stack.yaml", ("running: false", "#more"))
    assert [c["action"] for c in city.calls_of("sfapply", "-auto-approve") if c["action"] in CHANGING] == ["ResumeCluster"]
    assert city.changes() == {}
    assert "1" in city.ok("sfstate", "query", "select 1").out


def test_a_cluster_that_somebody_paused_is_resumed(city):
    city.apply()
    city.call("redshift", "pause_cluster", ClusterIdentifier="city-dw")
    for _ in range(4):
        city.call("redshift", "describe_clusters", ClusterIdentifier="city-dw")
    plan = city.ok("sfplan")
    assert city.changes() == {"cluster.dw": "update"} and "not checked" in plan.out, plan
    city.apply()
    assert city.changes() == {}


def test_a_change_inside_a_paused_cluster_says_what_to_do(city):
    city.apply()
    city.edit("stack.yaml", ("#more", "running: false"))
    city.apply()
    city.edit("stack.yaml", ("reader: analyst", "reader: auditor"))
    refused = city.refuse(1, "sfapply", "-auto-approve")
    assert "cluster 'city-dw' is paused" in refused.err and "running: true" in refused.err, refused
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}


LOADED = """
  landing: {kind: bucket, name: city-landing}
  read: {kind: policy, name: city-read, document: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: ["s3:ListBucket", "s3:GetObject"],
    Resource: ["${landing.arn}", "${landing.arn}/*"]}]}}
  loader: {kind: role, name: city-load, trust: redshift, policies: [read]}
  facts: {kind: dataset, source: "${var.source}", conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: facts, to: landing, via: bucket}
  weekly: {kind: load, into: star, from: delivery, role: loader}
outputs:"""


def test_a_load_into_a_paused_cluster_is_explained_and_done_once_it_runs(city):
    city.edit("stack.yaml", ("\noutputs:", LOADED), ("#more", "roles: [loader]\n    #more"), ("  clients:", "  source: {type: map}\n  clients:"))
    city.env["SF_VAR_source"] = "{sample: {rows: 1000, seed: 1}}"
    city.apply()
    assert city.changes() == {}
    city.edit("stack.yaml", ("#more", "running: false"))
    city.apply()
    assert city.changes() == {}
    city.env["SF_VAR_source"] = "{sample: {rows: 1100, seed: 1}}"
    refused = city.refuse(1, "sfapply", "-auto-approve")
    assert "cluster 'city-dw' is paused" in refused.err and "`running: true` in the stack file resumes it" in refused.err, refused
    city.edit("stack.yaml", ("running: false", "#more"))
    city.apply()
    assert city.changes() == {}
    assert city.ok("sfstate", "query", "-csv", 'select count(*) from "transaction"').out == "count\n1100\n"


def test_a_serverless_cluster_cannot_be_paused(city):
    city.edit("stack.yaml", (CLUSTER, ROADS["serverless"]), ("#more", "running: false"))
    assert "cannot be stopped" in city.refuse(65, "sfplan").err


def test_a_workgroup_at_its_limit_is_asked_again_until_it_takes_statements(city):
    city.edit("stack.yaml", (CLUSTER, ROADS["serverless"]))
    city.settings(quotas={"active_statements": 500})
    city.faults([{"service": "redshift-data", "action": "BatchExecuteStatement", "fault": "error", "code": "ActiveStatementsExceededException",
                  "message": "Active statements exceeded the allowed quota (500).", "status": 400, "times": 5}])
    city.apply()
    assert city.changes() == {}


def test_a_workgroup_that_is_over_a_quota_says_which(city):
    city.edit("stack.yaml", (CLUSTER, ROADS["serverless"]))
    city.faults([{"service": "redshift-serverless", "action": "CreateWorkgroup", "fault": "error", "code": "ServiceQuotaExceededException",
                  "message": "The number of workgroups exceeds the quota of 25.", "status": 400}])
    refused = city.refuse(1, "sfapply", "-auto-approve")
    assert "exceeds the quota of 25" in refused.err, refused
    city.faults([])
    city.apply()
    assert city.changes() == {}


def test_a_star_of_many_views_is_changed_and_taken_away(city):
    """More than a batch holds statements, each view on the one before it."""
    with open(f"{city.share}/schemas/data/sf/star.yaml") as file:
        text = file.read()
    view = "  v{n}:\n    comment: \"View {n}\"\n    sql: select year from {of}\n    columns: {{year: \"A year\"}}\n"
    views = [view.format(n=n, of=f"v{n - 1}" if n else "(select fiscal_year as year from fiscal_year) y") for n in range(50)]
    city.edit("stack.yaml", ("tables: builtin:sf/star", "tables: star.yaml"))
    city.write("star.yaml", text + "".join(views))
    city.apply()
    assert city.changes() == {}
    city.write("star.yaml", text + "".join(views[:25]).replace("View 0", "Other words"))
    city.apply()
    assert city.changes() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert city.inventory() == {}

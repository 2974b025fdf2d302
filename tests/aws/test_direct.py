"""`connection: direct`: TLS with the server's name verified, one transaction, who logs in, and every way not to get in, explained."""

import os
import socket

import pytest

from aws.city import CLIENTS, FOR_CLIENTS, HEAD, WAREHOUSE, city_on
from server_client import PASSWORD, done, rows, set_up, sql_server  # noqa: F401  (fixtures)
from warehouse_client import Warehouse

# ruff: noqa: F811


@pytest.fixture
def dw(sql_server):
    return Warehouse(sql_server, password=PASSWORD)


def the(answer):
    assert "rows" in answer, answer
    return answer["rows"]


def test_a_query_over_tls_gives_rows_as_texts(dw):
    assert the(dw("query", "select 1, 'a', null, 2.50::numeric(20,2), date '2020-01-02', true, 1.5::float8, current_user")) == [
        ["1", "a", None, "2.50", "2020-01-02", "t", "1.5", "steward"]]


def test_nothing_of_the_environment_steers_it(dw):
    env = {"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody", "PGSSLMODE": "disable", "PGOPTIONS": "-c search_path=x", "PGTZ": "Asia/Tokyo",
           "PGDATESTYLE": "German", "PGSSLROOTCERT": "/nonexistent", "PGSSLCERT": "/nonexistent", "PGSERVICE": "x", "PGGEQO": "off"}
    assert the(dw("query", "select current_user, date '2020-01-02', current_setting('timezone')", env=env)) == [["steward", "2020-01-02", "UTC"]]


def test_statements_are_one_transaction(dw):
    answer = dw("run", ["create table t (a int)", "insert into t values (1), (2)", "select count(*) from t"])
    assert the(answer)[2] == [["2"]]
    failed = dw("run", ["insert into t values (3)", "insert into t values ('x')"])
    assert (failed["failed"], failed["remote_code"]) == (1, "22P02") and failed["message"].startswith("a statement: invalid input syntax"), failed
    assert the(dw("query", "select count(*) from t")) == [["2"]]


@pytest.mark.parametrize("fault, statement, is_open", [("cut", "^INSERT", False), ("cut-after", "^INSERT", False), ("cut", "^COMMIT", True),
                                                       ("cut-after", "^COMMIT", True)])
def test_a_lost_connection_changed_nothing_but_in_the_commit(dw, fault, statement, is_open):
    dw("run", ["create table t (a int)"])
    set_up(dw.server, sql_faults=[{"match": statement, "fault": fault, "times": 1}])
    lost = dw("run", ["insert into t values (1)", "select 1"])
    assert lost["exit"] == (6 if is_open else 1), lost
    assert ("is not known" if is_open else "nothing was changed") in lost["message"], lost
    assert the(dw("query", "select count(*) from t")) == [["1" if fault == "cut-after" and is_open else "0"]]


@pytest.mark.parametrize("statement", ["^INSERT", "^COMMIT"])
@pytest.mark.parametrize("fault", [{"fault": "conflict"}, {"fault": "error", "message": "1023\nDetail: Serializable isolation violation on table"},
                                   {"fault": "error", "message": "tuple concurrently updated"}])
def test_another_transaction_in_the_way_is_waited_for(dw, statement, fault):
    """By its SQLSTATE, or by its number where it has none but Redshift's own, XX000."""
    dw("run", ["create table t (a int)"])
    set_up(dw.server, sql_faults=[{"match": statement, "times": 2, **fault}])
    assert the(dw("run", ["insert into t values (1)", "select count(*) from t"]))[1] == [["1"]]


def test_a_statement_past_its_deadline_is_stopped_in_the_warehouse(dw):
    dw("run", ["create table t (a int)"])
    set_up(dw.server, sql_faults=[{"match": "^INSERT", "fault": "stuck"}])
    late = dw("run", ["select 1", "insert into t values (1)"], wait_ms=2000)
    assert late["exit"] == 1 and late["failed"] == 1 and late["remote_code"] == "57014" and "'timeouts'" in late["hint"], late
    assert rows(dw.server, "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(3600)'") == [[0]]


def test_a_stop_cancels_the_statement_in_the_warehouse(dw):
    dw("run", ["create table t (a int)", "insert into t values (1)"] + ["insert into t select a from t"] * 12)
    slow = "select count(*) from t a, t b, t c, t d"

    def running():
        where = "state = 'active' and query like 'select count(*) from t a, t b%'"
        return rows(dw.server, f"select count(*) from pg_stat_activity where {where}")[0][0]

    assert dw.interrupted("query", slow, running)["exit"] == 130
    assert not running()


# --- who logs in ---


def test_without_the_password_at_hand_redshift_gives_credentials_for_a_while(dw):
    del dw.attrs["password"]
    dw.server.control("DELETE", "log")
    assert the(dw("query", "select current_user")) == [["steward"]]
    [call] = [c for c in dw.server.control("GET", "log") if c["service"] == "redshift"]
    assert call["action"] == "GetClusterCredentials" and call["params"]["DbUser"] == "steward"


def test_a_secret_holds_the_password_of_a_workgroup(sql_server):
    dw = Warehouse(sql_server, "serverless")
    refused = dw("query", "select 1")
    assert refused["exit"] == 4 and "password of cluster 'sf-dw' is needed" in refused["message"] and "SF_VAR_" in refused["hint"], refused
    text = f'{{"username": "steward", "password": "{PASSWORD}"}}'
    dw.attrs["master_secret"] = done(sql_server, "secretsmanager", "create_secret", Name="mine", SecretString=text)["ARN"]
    assert the(dw("query", "select current_user")) == [["steward"]]
    done(sql_server, "secretsmanager", "put_secret_value", SecretId="mine", SecretString="{}")
    assert "holds no username and password" in dw("query", "select 1")["message"]


def test_a_managed_password_is_read_from_its_secret(sql_server):
    dw = Warehouse(sql_server, manage_password=True)
    done(sql_server, "redshift", "modify_cluster", ClusterIdentifier="dw", ManageMasterPassword=True)
    for _ in range(4):
        [cluster] = done(sql_server, "redshift", "describe_clusters", ClusterIdentifier="dw")["Clusters"]
    dw.attrs["master_secret"] = cluster["MasterPasswordSecretArn"]
    assert the(dw("query", "select current_user")) == [["steward"]]


# --- every way not to get in ---


def test_a_certificate_of_another_host_is_refused_by_both_names(dw):
    set_up(dw.server, is_other_host=True)
    refused = dw("query", "select 1")
    assert refused["exit"] == 1 and "other-host.example" in refused["message"] and '"localhost"' in refused["message"], refused
    assert "another server answers in the cluster's place" in refused["hint"]


def test_an_authority_that_is_not_trusted_is_refused(dw, tmp_path):
    dw.attrs["ca"] = ""
    refused = dw("query", "select 1")
    assert refused["exit"] == 1 and "certificate verify failed" in refused["message"] and "ca: FILE" in refused["hint"], refused
    dw.attrs["ca"] = str(tmp_path / "none.pem")
    refused = dw("query", "select 1")
    assert refused["exit"] == 65 and "none.pem" in refused["message"] and "amazon-trust-ca-bundle.crt" in refused["hint"], refused


def test_a_shut_port_says_what_to_open(dw):
    with socket.create_server(("127.0.0.1", 0)) as server:
        dw.attrs["port"] = server.getsockname()[1]
    refused = dw("query", "select 1")
    assert refused["exit"] == 1 and "refused" in refused["message"].lower(), refused
    assert f"is port {dw.attrs['port']} open from here?" in refused["hint"] and "data_api" in refused["hint"], refused


def test_a_paused_cluster_says_so(dw):
    done(dw.server, "redshift", "pause_cluster", ClusterIdentifier="dw")
    for _ in range(4):
        done(dw.server, "redshift", "describe_clusters", ClusterIdentifier="dw")
    for dw.attrs["running"] in (True, False):
        refused = dw("query", "select 1")
        assert refused["message"] == "cluster 'dw' is paused" and "running: true" in refused["hint"], refused


def test_a_wrong_password_is_a_login_that_failed(dw):
    dw.attrs["password"] = "Wrong1horse2battery"
    refused = dw("query", "select 1")
    assert refused["exit"] == 4 and refused["remote_code"] == "28P01" and "'steward'" in refused["hint"], refused


def test_a_user_without_the_right_is_told_which(dw):
    dw("run", [f"create user loader password '{PASSWORD}'", "create table t (a int)"])
    dw.attrs |= {"username": "loader"}
    refused = dw("run", ["insert into t values (1)"])
    assert refused["exit"] == 4 and refused["remote_code"] == "42501" and "permission denied" in refused["message"], refused
    assert "lacks the right" in refused["hint"]


def test_what_copy_says_becomes_advice_as_through_the_data_api(dw):
    dw("run", ["create table t (a int)"])
    refused = dw("run", ["copy t from 's3://nowhere/x' iam_role 'arn:aws:iam::123456789012:role/none'"])
    assert refused["exit"] == 4 and "not associated" in refused["message"] and "attach the role" in refused["hint"], refused


# --- what a plan says ---

STACK = HEAD + CLIENTS + WAREHOUSE + FOR_CLIENTS + "    aws: {connection: direct}\n"


@pytest.fixture
def city(aws):
    return city_on(aws, STACK)


def test_a_plan_says_that_only_its_vpc_reaches_a_cluster_without_a_public_address(city):
    assert "from inside its VPC only" in city.run("sfplan").out
    city.edit("stack.yaml", ("connection: direct", "connection: direct, publicly_accessible: true"))
    assert "from inside its VPC only" not in city.run("sfplan").out


@pytest.mark.parametrize("old, new", [("security_groups: [sql]", "security_groups: []"), ("port: 5439, from", "port: 5440, from"),
                                      ("from: [203.0.113.0/24]", "from: []"), ("{port: 5439", "{protocol: udp, port: 5439")])
def test_a_plan_refuses_a_direct_connection_that_nobody_is_let_in_for(city, old, new):
    city.edit("stack.yaml", (old, new))
    refused = city.refuse(65, "sfplan")
    assert "let nobody reach port 5439" in refused.err and "Data API needs no open port" in refused.err
    city.edit("stack.yaml", ("connection: direct", "connection: data_api"))
    assert "update" not in city.run("sfplan").err


def test_a_plan_refuses_a_file_of_authorities_that_is_not_there(city):
    city.edit("stack.yaml", ("connection: direct", "connection: direct, ca: amazon.pem"))
    assert os.path.basename("amazon.pem") in city.refuse(65, "sfplan").err
    city.write("amazon.pem", "")
    city.ok("sfplan", "-out=p")

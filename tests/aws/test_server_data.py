"""The AWS test server's Redshift Data API and temporary database users, by boto3."""

import datetime
import json

import pytest
from server_client import (PASSWORD, cluster, code_of, describe, done, ended, error_of, make_cluster, make_warehouse, make_workgroup, psql,
                           rows, server, set_up, settle, sql_server, statement)  # noqa: F401  (fixtures)

# ruff: noqa: F811


@pytest.fixture
def dw(sql_server):
    make_warehouse(sql_server)
    return sql_server


def test_a_statement_goes_through_its_states_and_gives_typed_fields(dw):
    set_up(dw, delays={"statement_queue": 40, "statement_run": 40})
    shown = ended(dw, "select 1, 2::bigint, 2.50::numeric(20,2), 'a', null, true, 1.5::float8, date '2020-01-02'")
    assert shown["States"] == ["SUBMITTED", "STARTED", "STARTED", "FINISHED"]
    assert shown["HasResultSet"] and shown["ResultRows"] == 1 and shown["RedshiftPid"] > 0 and shown["RedshiftQueryId"] > 0
    assert shown["Duration"] > 0 and "Error" not in shown and shown["ClusterIdentifier"] == "dw" and shown["DbUser"] == "steward"
    result = done(dw, "redshift-data", "get_statement_result", Id=shown["Id"])
    assert result["Records"] == [[{"longValue": 1}, {"longValue": 2}, {"stringValue": "2.50"}, {"stringValue": "a"}, {"isNull": True},
                                  {"booleanValue": True}, {"doubleValue": 1.5}, {"stringValue": "2020-01-02"}]]
    assert [column["typeName"] for column in result["ColumnMetadata"][:3]] == ["int4", "int8", "numeric"]
    assert (result["ColumnMetadata"][2]["precision"], result["ColumnMetadata"][2]["scale"]) == (20, 2)


def test_who_asks_to_wait_is_answered_when_it_is_over(dw):
    set_up(dw, delays={"statement_queue": 10, "statement_run": 15}, seconds_per_look=0)
    asked = {"ClusterIdentifier": "dw", "Database": "dev", "DbUser": "steward"}
    given = done(dw, "redshift-data", "execute_statement", Sql="select 1", WaitTimeSeconds=30, **asked)
    assert given["Status"] == "FINISHED" and given["HasResultSet"] and given["RedshiftPid"] > 0
    short = done(dw, "redshift-data", "batch_execute_statement", Sqls=["select 1"], WaitTimeSeconds=5, **asked)
    assert short["Status"] == "SUBMITTED"
    waited = [done(dw, "redshift-data", "describe_statement", Id=short["Id"], WaitTimeSeconds=10)["Status"] for _ in range(2)]
    assert waited == ["STARTED", "FINISHED"]
    plain = done(dw, "redshift-data", "execute_statement", Sql="select 1", **asked)
    assert "Status" not in plain and [describe(dw, plain["Id"])["Status"] for _ in range(3)] == ["SUBMITTED"] * 3
    for seconds in (0, 31):
        assert code_of(dw, "redshift-data", "describe_statement", Id=plain["Id"], WaitTimeSeconds=seconds) is not None


def test_a_token_may_wait_longer_the_second_time(dw):
    ended(dw, "create table t (a int)")
    set_up(dw, delays={"statement_run": 20})
    first, again = (statement(dw, "insert into t values (1)", ClientToken="token-3", WaitTimeSeconds=seconds) for seconds in (1, 30))
    assert first == again and rows(dw, "select count(*) from t") == [[1]]


def test_what_came_of_a_statement_is_kept_for_a_day(dw):
    shown = ended(dw, "select 1")
    set_up(dw, delays={"statement_kept": -1})
    for operation in ("describe_statement", "get_statement_result"):
        assert code_of(dw, "redshift-data", operation, Id=shown["Id"]) == "ResourceNotFoundException"


def test_results_come_in_pages(dw):
    ended(dw, "create table t (a int)")
    ended(dw, "insert into t values (1), (2), (3), (4), (5)")
    set_up(dw, quotas={"result_page_rows": 2})
    statement_id, token, pages = ended(dw, "select a from t order by a")["Id"], {}, []
    while token is not None:
        page = done(dw, "redshift-data", "get_statement_result", Id=statement_id, **token)
        pages.append([record[0]["longValue"] for record in page["Records"]])
        assert page["TotalNumRows"] == 5
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else None
    assert pages == [[1, 2], [3, 4], [5]]


def test_a_batch_is_one_transaction(dw):
    shown = ended(dw, ["create table t (a int)", "insert into t values (1), (2)", "select sum(a) from t"])
    assert shown["Status"] == "FINISHED" and [part["Status"] for part in shown["SubStatements"]] == ["FINISHED"] * 3
    assert [part["Id"] for part in shown["SubStatements"]] == [f"{shown['Id']}:{n}" for n in (1, 2, 3)]
    assert [part["HasResultSet"] for part in shown["SubStatements"]] == [False, False, True] and shown["HasResultSet"]
    assert shown["SubStatements"][1]["ResultRows"] == 2
    assert done(dw, "redshift-data", "get_statement_result", Id=shown["Id"] + ":3")["Records"] == [[{"longValue": 3}]]
    failed = ended(dw, ["delete from t", "select 1/0", "select 1"])
    assert failed["Status"] == "FAILED" and failed["Error"] == "Query #2 failed with ERROR: division by zero"
    assert [part["Status"] for part in failed["SubStatements"]] == ["FINISHED", "FAILED", "ABORTED"]
    assert rows(dw, "select count(*) from t") == [[2]]


def test_a_batch_has_no_transactions_of_its_own(dw):
    for sqls in (["begin", "select 1", "commit"], ["vacuum"]):
        assert ended(dw, sqls)["Status"] == "FAILED"
    assert ended(dw, "vacuum")["Status"] == "FINISHED"


def test_who_signed_may_do_nothing_with_the_tables_of_others(dw):
    ended(dw, "create table t (a int)")
    statement_id = done(dw, "redshift-data", "execute_statement", Sql="select * from t", ClusterIdentifier="dw", Database="dev")["Id"]
    while (shown := describe(dw, statement_id))["Status"] not in ("FAILED", "FINISHED"):
        pass
    assert shown["Error"] == "ERROR: permission denied for relation t"


def test_truncate_commits_the_batch_it_is_in(dw):
    ended(dw, ["create table t (a int)", "insert into t values (1)"])
    assert ended(dw, ["truncate t", "select 1/0"])["Status"] == "FAILED"
    assert rows(dw, "select count(*) from t") == [[0]]


def test_a_statement_that_fails_says_why(dw):
    assert error_of(dw, "select * from nowhere") == 'ERROR: relation "nowhere" does not exist'
    assert error_of(dw, "select 1", Database="nowhere") == 'ERROR: database "nowhere" does not exist'
    assert error_of(dw, "select 1", DbUser="nobody") == 'ERROR: user "nobody" does not exist'
    failed = ended(dw, "selec")
    assert failed["Status"] == "FAILED" and not failed["HasResultSet"]
    assert code_of(dw, "redshift-data", "get_statement_result", Id=failed["Id"]) == "ResourceNotFoundException"


def test_a_client_token_is_taken_once(dw):
    ended(dw, "create table t (a int)")
    first, again = (statement(dw, "insert into t values (1)", ClientToken="token-1") for _ in range(2))
    assert first == again
    while describe(dw, first)["Status"] != "FINISHED":
        pass
    assert statement(dw, "insert into t values (1)", ClientToken="token-1") == first
    assert rows(dw, "select count(*) from t") == [[1]]
    assert code_of(dw, "redshift-data", "execute_statement", Sql="insert into t values (2)", ClientToken="token-1", ClusterIdentifier="dw",
                   Database="dev", DbUser="steward") == "ValidationException"


def test_a_statement_whose_reply_is_lost_runs_once(dw):
    ended(dw, "create table t (a int)")
    dw.control("POST", "faults", [{"service": "redshift-data", "action": "ExecuteStatement", "fault": "500-after", "times": 2}])
    asked = {"Sql": "insert into t values (1)", "ClientToken": "token-2", "ClusterIdentifier": "dw", "Database": "dev", "DbUser": "steward"}
    assert code_of(dw, "redshift-data", "execute_statement", **asked) == "InternalServerException"
    again = done(dw, "redshift-data", "execute_statement", **asked)["Id"]
    while describe(dw, again)["Status"] != "FINISHED":
        pass
    assert rows(dw, "select count(*) from t") == [[1]]


def test_a_long_statement_can_be_cancelled_and_leaves_nothing(dw):
    ended(dw, "create table t (a int)")
    set_up(dw, delays={"statement_run": 6000})
    statement_id = statement(dw, "insert into t values (1)")
    assert [describe(dw, statement_id)["Status"] for _ in range(3)] == ["STARTED"] * 3
    assert done(dw, "redshift-data", "cancel_statement", Id=statement_id)["Status"] is True
    while (shown := describe(dw, statement_id))["Status"] != "ABORTED":
        assert shown["Status"] == "STARTED"
    assert "cancelled" in shown["Error"]
    assert code_of(dw, "redshift-data", "cancel_statement", Id=statement_id) == "ValidationException"
    set_up(dw, delays={"statement_run": 0})
    assert rows(dw, "select count(*) from t") == [[0]]


def test_parameters_are_values(dw):
    parameters = [{"name": "a", "value": "it's"}, {"name": "b", "value": "7"}]
    assert rows(dw, "select :a::varchar, ':a', :b::int + 1", Parameters=parameters) == [["it's", ":a", 8]]
    for given in (parameters[:1], [*parameters, {"name": "c", "value": "x"}]):
        assert code_of(dw, "redshift-data", "execute_statement", Sql="select :a, :b", Parameters=given, ClusterIdentifier="dw",
                       Database="dev", DbUser="steward") == "ValidationException"


@pytest.mark.parametrize("change", [
    {"Sql": "select '" + "x" * 102400 + "'"}, {"Sql": "select 1; select 2"}, {"WorkgroupName": "sf-dw"}, {"Sql": " "}, {"Database": None},
    {"ClusterIdentifier": "nowhere"}, {"ClusterIdentifier": None}, {"SecretArn": "arn:aws:secretsmanager:us-west-2:123456789012:secret:x"}])
def test_what_the_data_api_does_not_take(dw, change):
    asked = {"Sql": "select 1", "ClusterIdentifier": "dw", "Database": "dev", "DbUser": "steward"} | change
    asked = {name: value for name, value in asked.items() if value is not None}
    assert code_of(dw, "redshift-data", "execute_statement", **asked) == "ValidationException"


def test_batches_have_at_most_40_statements(dw):
    assert ended(dw, ["select 1"] * 40)["Status"] == "FINISHED"
    assert code_of(dw, "redshift-data", "batch_execute_statement", Sqls=["select 1"] * 41, ClusterIdentifier="dw", Database="dev",
                   DbUser="steward") in ("ValidationException", "ParamValidationError")


def test_limits(dw):
    set_up(dw, quotas={"active_statements": 1, "result_bytes": 100}, delays={"statement_run": 600})
    busy = statement(dw, "select 1")
    make_cluster(dw, ClusterIdentifier="dx")
    settle(dw, "dx")
    statement(dw, "select 1", ClusterIdentifier="dx")  # the limit is that of a cluster
    assert code_of(dw, "redshift-data", "execute_statement", Sql="select 1", ClusterIdentifier="dw", Database="dev",
                   DbUser="steward") == "ActiveStatementsExceededException"
    done(dw, "redshift-data", "cancel_statement", Id=busy)
    while describe(dw, busy)["Status"] != "ABORTED":
        pass
    set_up(dw, delays={"statement_run": 0})
    assert "limit of 100 bytes" in error_of(dw, "select repeat('x', 101)")


def test_unknown_statements(dw):
    nobody = "12345678-1234-1234-1234-123456789012"
    for operation in ("describe_statement", "get_statement_result", "cancel_statement"):
        assert code_of(dw, "redshift-data", operation, Id=nobody) == "ResourceNotFoundException"


def test_statements_are_listed(dw):
    ended(dw, "select 1", StatementName="load-a")
    ended(dw, ["select 1", "select 2"], StatementName="load-b")
    error_of(dw, "selec", StatementName="other")
    found = done(dw, "redshift-data", "list_statements", StatementName="load")["Statements"]
    assert [(row["StatementName"], row["IsBatchStatement"]) for row in found] == [("load-b", True), ("load-a", False)]
    assert len(done(dw, "redshift-data", "list_statements", Status="FAILED")["Statements"]) == 1
    page = done(dw, "redshift-data", "list_statements", MaxResults=2)
    assert len(page["Statements"]) == 2
    assert len(done(dw, "redshift-data", "list_statements", MaxResults=2, NextToken=page["NextToken"])["Statements"]) == 1


def test_who_signed_is_a_database_user(dw):
    where = {"ClusterIdentifier": "dw", "Database": "dev"}
    statement_id = done(dw, "redshift-data", "execute_statement", Sql="select current_user", **where)["Id"]
    while describe(dw, statement_id)["Status"] != "FINISHED":
        pass
    assert done(dw, "redshift-data", "get_statement_result", Id=statement_id)["Records"] == [[{"stringValue": "IAM:admin"}]]


def test_a_secret_holds_user_and_password(dw):
    secrets = {name: done(dw, "secretsmanager", "create_secret", Name=name,
                          SecretString=json.dumps({"username": "steward", "password": password}))["ARN"]
               for name, password in (("right", PASSWORD), ("wrong", "Wrong0Wrong0"))}
    assert rows(dw, "select current_user", SecretArn=secrets["right"]) == [["steward"]]
    assert "password authentication failed" in error_of(dw, "select 1", SecretArn=secrets["wrong"])


def test_a_managed_password_works(sql_server):
    done(sql_server, "redshift", "create_cluster", ClusterIdentifier="dw", NodeType="ra3.large", ClusterType="single-node",
         MasterUsername="steward", ManageMasterPassword=True)
    settle(sql_server)
    secret = cluster(sql_server)["MasterPasswordSecretArn"]
    assert rows(sql_server, "select current_user", SecretArn=secret) == [["steward"]]


def test_serverless_has_its_own_database(sql_server):
    endpoint = make_workgroup(sql_server)
    assert rows(sql_server, "select 1", WorkgroupName="sf-dw") == [[1]]
    assert psql(sql_server, endpoint, "select current_user") == ("steward\n", "")
    assert code_of(sql_server, "redshift-data", "execute_statement", Sql="select 1", WorkgroupName="sf-dw", Database="dev",
                   DbUser="steward") == "ValidationException"


def test_clusters_that_are_not_available_take_no_statements(sql_server):
    asked = {"Sql": "select 1", "ClusterIdentifier": "dw", "Database": "dev", "DbUser": "steward"}
    make_cluster(sql_server)
    assert code_of(sql_server, "redshift-data", "execute_statement", **asked) == "ValidationException"
    settle(sql_server)
    endpoint = cluster(sql_server)["Endpoint"]
    rows(sql_server, ["create table t (a int)", "insert into t values (1)"])
    done(sql_server, "redshift", "pause_cluster", ClusterIdentifier="dw")
    assert code_of(sql_server, "redshift-data", "execute_statement", **asked) == "ValidationException"
    assert psql(sql_server, endpoint, "select 1")[0] == ""
    settle(sql_server)
    done(sql_server, "redshift", "resume_cluster", ClusterIdentifier="dw")
    while cluster(sql_server)["ClusterStatus"] != "available":
        pass
    assert rows(sql_server, "select a from t") == [[1]]


def test_databases_vanish_with_their_cluster(dw):
    rows(dw, "create table t (a int)")
    endpoint = cluster(dw)["Endpoint"]
    done(dw, "redshift", "delete_cluster", ClusterIdentifier="dw", SkipFinalClusterSnapshot=True)
    while code_of(dw, "redshift", "describe_clusters", ClusterIdentifier="dw") is None:
        pass
    assert dw.control("GET", "sql")["endpoints"] == {} and dw.control("GET", "inventory") == {}
    assert psql(dw, endpoint, "select 1")[0] == ""
    make_warehouse(dw)
    assert 'relation "t" does not exist' in error_of(dw, "select * from t")


# --- faults ---


def test_a_conflict_is_error_1023_and_leaves_nothing(dw):
    ended(dw, "create table t (a int)")
    set_up(dw, sql_faults=[{"match": "^INSERT", "fault": "conflict", "times": 1}])
    assert "1023" in error_of(dw, ["select 1", "insert into t values (1)"])
    assert ended(dw, ["select 1", "insert into t values (1)"])["Status"] == "FINISHED"
    assert rows(dw, "select count(*) from t") == [[1]]


def test_sessions_can_be_cut(dw):
    ended(dw, "create table t (a int)")
    set_up(dw, sql_faults=[{"match": "^INSERT", "fault": "cut", "times": 1}])
    assert ended(dw, "insert into t values (1)")["Status"] == "ABORTED"
    set_up(dw, sql_faults=[{"match": "^COMMIT", "fault": "cut-after", "times": 1}])
    assert ended(dw, "insert into t values (1)")["Status"] == "ABORTED"  # and yet it is committed
    assert rows(dw, "select count(*) from t") == [[1]]


def test_a_commit_can_be_told_late(dw):
    ended(dw, "create table t (a int)")
    set_up(dw, sql_faults=[{"match": "^INSERT", "fault": "late", "looks": 2, "times": 1}])
    assert ended(dw, "insert into t values (1)")["States"] == ["STARTED", "STARTED", "STARTED", "FINISHED"]


def test_replies_of_the_data_api_can_fail(dw):
    statement_id = statement(dw, "select 1")
    dw.control("POST", "faults", [{"service": "redshift-data", "action": "DescribeStatement", "fault": "throttle", "times": 2}])
    assert code_of(dw, "redshift-data", "describe_statement", Id=statement_id) == "ThrottlingException"
    assert describe(dw, statement_id)["Status"] == "STARTED"


def test_without_databases_statements_fail(server):
    make_cluster(server)
    settle(server)
    assert "--sql" in error_of(server, "select 1")


# --- temporary users ---


def test_temporary_users_log_in_for_a_while(dw):
    endpoint = cluster(dw)["Endpoint"]
    given = done(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="dw", DbUser="steward", DbName="dev", DurationSeconds=1000)
    assert given["DbUser"] == "IAM:steward"
    left = datetime.datetime.fromisoformat(given["Expiration"]) - datetime.datetime.now(datetime.timezone.utc)
    assert 0 < left.total_seconds() <= 1000
    out, _ = psql(dw, endpoint, "select current_user", user=given["DbUser"], password=given["DbPassword"])
    assert out == "steward\n"
    assert "authentication failed" in psql(dw, endpoint, "select 1", user=given["DbUser"], password="another")[1]
    set_up(dw, delays={"credentials": -1})
    late = done(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="dw", DbUser="steward")
    assert "authentication failed" in psql(dw, endpoint, "select 1", user=late["DbUser"], password=late["DbPassword"])[1]


def test_temporary_users_of_nobody(dw):
    endpoint = cluster(dw)["Endpoint"]
    nobody = done(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="dw", DbUser="analyst")
    assert psql(dw, endpoint, "select 1", user=nobody["DbUser"], password=nobody["DbPassword"])[0] == ""
    made = done(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="dw", DbUser="analyst", AutoCreate=True)
    assert made["DbUser"] == "IAMA:analyst"
    assert psql(dw, endpoint, "select current_user", user=made["DbUser"], password=made["DbPassword"])[0] == "analyst\n"
    assert code_of(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="dw", DbUser="a", DurationSeconds=10) is not None
    assert code_of(dw, "redshift", "get_cluster_credentials", ClusterIdentifier="no", DbUser="a") == "ClusterNotFound"


def test_temporary_users_of_iam(dw):
    given = done(dw, "redshift", "get_cluster_credentials_with_iam", ClusterIdentifier="dw", DbName="dev")
    assert given["DbUser"] == "IAM:admin"
    out, _ = psql(dw, cluster(dw)["Endpoint"], "select current_user", user="IAM:admin", password=given["DbPassword"])
    assert out == "IAM:admin\n"


def test_temporary_users_of_serverless(sql_server):
    endpoint = make_workgroup(sql_server)
    given = done(sql_server, "redshift-serverless", "get_credentials", workgroupName="sf-dw")
    out, _ = psql(sql_server, endpoint, "select current_user", user=given["dbUser"],
                  password=given["dbPassword"])
    assert out == "IAM:admin\n"
    assert code_of(sql_server, "redshift-serverless", "get_credentials", workgroupName="nowhere") == "ResourceNotFoundException"

"""The databases behind the AWS test server's Redshift: what psql meets, what Redshift's SQL is there and is not, COPY."""

import bz2
import gzip
import json
import os
import signal
import subprocess

import pytest
from aws.conftest import Server
from server_client import (cluster, done, ended, error_of, make_bucket, make_warehouse, make_workgroup, psql, rows, set_up, settle, sql_server,
                           trust)  # noqa: F401  (fixtures)

# ruff: noqa: F811

ALLOWED = [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::sf-landing/*"},
           {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::sf-landing"}]
TABLE = "create table facts (id bigint not null, name varchar(5), amount numeric(10,2), day date, is_open boolean)"


@pytest.fixture
def dw(sql_server):
    sql_server.endpoint = make_warehouse(sql_server)
    return sql_server


@pytest.fixture
def loading(dw):
    """A cluster with a table, a bucket, and a role that may read it."""
    make_bucket(dw)
    dw.role = done(dw, "iam", "create_role", RoleName="sf-load", AssumeRolePolicyDocument=trust())["Role"]["Arn"]
    allow(dw, ALLOWED)
    attach(dw, dw.role)
    rows(dw, TABLE)
    return dw


def allow(server, statements):
    done(server, "iam", "put_role_policy", RoleName="sf-load", PolicyName="load",
         PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def attach(server, role):
    done(server, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", AddIamRoles=[role])
    settle(server)


def put(server, key, body, bucket="sf-landing", **more):
    """Puts bytes or text, by the aws signature of the test's own client."""
    if isinstance(body, bytes):
        path = f"/tmp/sf-put-{os.getpid()}"
        with open(path, "wb") as file:
            file.write(body)
        script = "import boto3, sys; boto3.client('s3').put_object(Bucket=sys.argv[1], Key=sys.argv[2], Body=open(sys.argv[3], 'rb'))"
        subprocess.run([server.python, "-c", script, bucket, key, path], env={**os.environ, **server.env}, check=True)
        os.remove(path)
    else:
        done(server, "s3", "put_object", Bucket=bucket, Key=key, Body=body, **more)


def manifest(server, *keys, mandatory=True):
    entries = [{"url": f"s3://sf-landing/{key}", "mandatory": mandatory} for key in keys]
    put(server, "load.manifest", json.dumps({"entries": entries}))
    return "s3://sf-landing/load.manifest"


def copy(server, source, options="MANIFEST CSV IGNOREHEADER 1", columns="(id, name, amount, day, is_open)", role=None):
    return f"COPY facts {columns} FROM '{source}' IAM_ROLE '{role or server.role}' {options}"


# --- how libpq gets in ---


def test_psql_verifies_the_endpoint(dw):
    assert psql(dw, dw.endpoint, "select current_user || ' in ' || current_database()") == ("steward in dev\n", "")


def test_psql_refuses_the_certificate_of_another_host(dw):
    set_up(dw, is_other_host=True)
    out, error = psql(dw, dw.endpoint, "select 1")
    assert out == "" and "does not match host name" in error
    assert psql(dw, dw.endpoint, "select 1", mode="verify-ca")[0] == "1\n"


def test_psql_is_refused_without_tls_and_with_a_wrong_password(dw):
    assert "SSL is required" in psql(dw, dw.endpoint, "select 1", mode="disable")[1]
    assert "password authentication failed" in psql(dw, dw.endpoint, "select 1", password="another")[1]


def test_a_changed_password_is_the_one_that_works(dw):
    done(dw, "redshift", "modify_cluster", ClusterIdentifier="dw", MasterUserPassword="Another0Password")
    settle(dw)
    assert psql(dw, dw.endpoint, "select 1", password="Another0Password")[0] == "1\n"
    assert psql(dw, dw.endpoint, "select 1")[0] == ""


def test_it_says_it_is_redshift(dw):
    assert "Redshift" in psql(dw, dw.endpoint, "select version()")[0]
    out, _ = psql(dw, dw.endpoint, r"\echo :SERVER_VERSION_NAME")
    assert out == "8.0.2\n"


def test_a_text_of_several_statements_is_one_transaction(dw):
    rows(dw, "create table t (a int)")
    out, error = psql(dw, dw.endpoint, "insert into t values (1); select 1/0")
    assert "division by zero" in error and rows(dw, "select count(*) from t") == [[0]]
    assert psql(dw, dw.endpoint, "insert into t values (1); select count(*) from t", "select count(*) from t")[0].endswith("1\n1\n")


def test_truncate_ends_a_transaction_and_vacuum_is_refused_in_one(dw):
    rows(dw, ["create table t (a int)", "insert into t values (1)"])
    psql(dw, dw.endpoint, "begin", "truncate t", "rollback")
    assert rows(dw, "select count(*) from t") == [[0]]
    assert "cannot run inside a transaction block" in psql(dw, dw.endpoint, "begin", "vacuum t")[1]
    assert psql(dw, dw.endpoint, "vacuum t", "analyze t", "vacuum delete only t to 99 percent") == ("VACUUM\nANALYZE\nVACUUM\n", "")


def test_a_statement_that_is_refused_breaks_its_transaction(dw):
    out, error = psql(dw, dw.endpoint, "begin", "create index i on t (a)", "select 1", options=("-v", "ON_ERROR_STOP=0"))
    assert "CREATE INDEX" in error and "current transaction is aborted" in error


# --- the dialect ---


def test_tables_of_redshift(dw):
    sql = """CREATE TABLE public.facts (
               id bigint IDENTITY(1,1) ENCODE az64, "year" smallint NOT NULL ENCODE raw DISTKEY SORTKEY, name VARCHAR ENCODE lzo, -- a comment
               body VARCHAR(MAX), dim int REFERENCES nowhere (id), code char(3) UNIQUE DEFAULT 'a;b',
               PRIMARY KEY (id), UNIQUE (name), FOREIGN KEY (dim) REFERENCES nowhere (id))
             BACKUP NO DISTSTYLE KEY COMPOUND SORTKEY ("year", id)"""
    assert ended(dw, sql)["Status"] == "FINISHED"
    assert ended(dw, "insert into facts (\"year\", name) values (2020, 'a'), (2021, 'a')")["ResultRows"] == 2
    assert rows(dw, "select id, code from facts order by id") == [[1, "a;b"], [2, "a;b"]]
    assert rows(dw, "select character_maximum_length from information_schema.columns where table_name = 'facts' and column_name in"
                " ('name', 'body') order by 1") == [[256], [65535]]
    for more in ("create table d (a int) diststyle all", "create table e distkey (a) sortkey (a) as select 1 as a",
                 "alter table d add primary key (a)", "alter table d add column b varchar(9) encode zstd", "comment on table d is 'x'",
                 "alter table d alter diststyle even", "create view v as select a from d with no schema binding", "lock table d",
                 "set query_group to 'load'", "create temp table f (a int)", "grant select on d to public",
                 "create table g (id bigint generated by default as identity(1,1))"):
        assert ended(dw, more)["Status"] == "FINISHED", error_of(dw, more)


FUNCTIONS = [
    ("select sha2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("select func_sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"), ("select strtol('ff', 16)", 255),
    ("select strtol('-deadbeef', 16)", -3735928559), ("select nvl(null, 'b')", "b"), ("select len('abc')", 3), ("select mod(7, 4)", 3),
    ("select listagg(a, ';') within group (order by a desc) from two", "2;1"), ("select listagg(distinct a) from two where a = 1", "1"),
    ("select getdate() <= sysdate", True), ("select regexp_replace('a  b  c', ' +', ' ')", "a b c"), ("select regexp_replace('abcb', 'b')", "ac"),
    ("select concat('a', 'b')", "ab"), ("select length(repeat('x', 300)::text)", 256), ("select length(cast(repeat('x', 300) as varchar))", 256),
    ("select length(repeat('x', 300)::varchar(300))", 300), ("select 2.5::numeric", "3"), ("select cast(2.5 as decimal(3,1))", "2.5"),
    (r"select 'a\\b'", "a\\b"), ("select 'a' as text", "a"), ("select count(*) from pg_class where relname = 'two'", 1),
    ("select extract(year from day)::int from (select date '2020-01-02' as day, a from two) as x limit 1", 2020),
    ("with a as (select 1 as b), c as (select b from a) select b from c", 1), ("select current_schema()", "public"),
    ("select pg_last_copy_id()", -1), ("select 'it''s' || \"A\" from (select ' ok' as \"A\") as x", "it's ok"),
    ("select length(current_setting('search_path')) > 0", True), ("select 'a on conflict b'", "a on conflict b")]
REFUSED = [
    "create index i on t (a)", "create unique index i on t (a)", "create sequence s", "create table x (a serial)", "create table x (a uuid)",
    "create table x (a int check (a > 0))", "create table x (a int generated always as identity)", "create table x (a int[])",
    "create table x (a int) partition by list (a)", "create temp table x (a int) on commit drop", "create unlogged table x (a int)",
    "insert into t values (1) on conflict do nothing", "insert into t values (1) returning a", "select count(*) filter (where a > 1) from t",
    "select string_agg(a::text, ',') from t", "select array_agg(a) from t", "select distinct on (a) a from t", "select 't'::regclass",
    "select * from t, lateral (select 1) as x", "select * from (values (1)) as x", "select * from generate_series(1, 2)", "savepoint s",
    "select a is distinct from 1 from t", "lock table t in access exclusive mode", "set lock_timeout = 1", "set work_mem = '1MB'",
    "do $$ begin end $$", "truncate t, t", "select a from t for update", "alter table t add column if not exists b int",
    "create table x (a varchar(65536))", "select ctid from t", "explain (analyze) select 1", "create extension pgcrypto",
    "select pg_advisory_lock(1)", "select now() from t", "select a, current_timestamp from t", "create table x (a timestamp default now())",
    "select current_schema() from t", "select has_table_privilege('t', 'select') from t", "insert into t select count(*) from pg_class",
    "select * from t join information_schema.columns c on true", "select listagg(b) from (select 1 as b) as x", "select * from pg_roles",
    "with x as (select 1 as a) insert into t select a from x", "with x as (insert into t values (1)) select 1",
    "with x as materialized (select 1) select 1", "select a from t except all select a from t", "select a from t fetch first 1 rows only",
    "select a from t where a = any ('{1,2}')", "select 'a' collate \"C\"", "comment on schema public is 'x'", "create role r login",
    "alter database dev set timezone = 'UTC'", "grant connect on database dev to public", "alter table t set schema other",
    "alter table t alter column a type bigint", "create table x (a int references t (a) on delete cascade)", "create table x (a interval)",
    "analyze t, t", "select a as tag from t", "select regexp_replace('a', 'b', 'c', 'g')", "select concat('a', 'b', 'c')", "select sha256('a')",
    "select to_json(1)", "select make_date(2020, 1, 2)", "select pg_typeof(1)", "create user u superuser", "drop role if exists r",
    "copy t from stdin", "alter table t alter column a set not null", "vacuum verbose t"]


def test_functions_of_redshift(dw):
    rows(dw, ["create table two (a int)", "insert into two values (1), (2)"])
    assert {sql: rows(dw, sql) for sql, _ in FUNCTIONS} == {sql: [[result]] for sql, result in FUNCTIONS}


def test_sql_of_postgresql_alone_is_refused(dw):
    rows(dw, "create table t (a int)")
    assert [sql for sql in REFUSED if ended(dw, sql)["Status"] != "FAILED"] == []


# --- COPY ---

GOOD = 'id,name,amount,day,is_open\n1,"a,""b",2.999,2020-01-02,true\n2,,,,\n'


@pytest.mark.parametrize("pack, option", [(gzip.compress, " GZIP"), (bz2.compress, " BZIP2")])
def test_copy_loads_what_the_manifest_names(loading, pack, option):
    put(loading, "a.csv", pack(GOOD.encode()))
    shown = ended(loading, [copy(loading, manifest(loading, "a.csv", "a.csv"), "MANIFEST CSV IGNOREHEADER 1 REGION 'us-west-2'" + option),
                            "select pg_last_copy_count()"])
    assert shown["Status"] == "FINISHED", shown
    assert rows(loading, "select * from facts order by id") == [
        [1, 'a,"b', "2.99", "2020-01-02", True]] * 2 + [[2, "", None, None, None]] * 2
    assert done(loading, "redshift-data", "get_statement_result", Id=shown["Id"] + ":2")["Records"] == [[{"longValue": 4}]]


def test_copy_by_psql_and_by_prefix(loading):
    put(loading, "in/a.csv", GOOD)
    put(loading, "in/b.csv", GOOD)
    out, error = psql(loading, loading.endpoint, copy(loading, "s3://sf-landing/in/", "CSV IGNOREHEADER 1 EMPTYASNULL"),
                      "select pg_last_copy_count(), pg_last_copy_id() > 0", "select count(*) from facts where name is null")
    assert out == "COPY\n4|t\n2\n" and "Load into table 'facts' completed, 4 record(s) loaded successfully." in error


ROWS = [("x,a,1,,", 1207, "id", "Invalid digit, Value 'x', Pos 0, Type: Bigint"), (",a,1,,", 1213, "id", "Missing data for not-null field"),
        ("1,äää,1,,", 1204, "name", "String length exceeds DDL length"), ("1,a,123456789.5,,", 1209, "amount", "Numeric data overflow"),
        ("1,a,1,2020-13-01,", 1205, "day", "Invalid Date Format"), ("1,a,1,,maybe", 1210, "is_open", "Unknown boolean format"),
        ("1,a,1,", 1214, "is_open", "Delimiter not found"), ("1,a,1,,,9", 1202, "", "Extra column(s) found")]


def test_rows_that_cannot_be_loaded(loading):
    for number, (row, code, column, reason) in enumerate(ROWS, 1):
        put(loading, "a.csv", GOOD + row + "\n")
        error = error_of(loading, copy(loading, manifest(loading, "a.csv")))
        assert error == "ERROR: Load into table 'facts' failed.  Check 'stl_load_errors' system table for details."
        found = rows(loading, "select trim(file_name), line_number, trim(column_name), error_code, trim(error_message) from"
                     " sys_load_error_detail order by query_id")
        assert [found[-1][:4], len(found)] == [["s3://sf-landing/a.csv", 4, column, code], number] and found[-1][4].startswith(reason)
    assert rows(loading, "select err_code, trim(err_reason) = '' from stl_load_errors order by query desc limit 1") == [[code, False]]
    assert rows(loading, "select count(*) from facts") == [[0]]
    assert error_of(loading, copy(loading, manifest(loading, "a.csv"), "MANIFEST CSV IGNOREHEADER 1 MAXERROR 1")) is None
    assert rows(loading, "select count(*) from facts") == [[2]]


def test_load_errors_are_found_by_the_last_copy(loading):
    put(loading, "a.csv", GOOD + "x,a,1,,\n")
    out, error = psql(loading, loading.endpoint, "begin", copy(loading, manifest(loading, "a.csv")), "rollback",
                      "select line_number from stl_load_errors where query = pg_last_copy_id()")
    assert out == "BEGIN\nROLLBACK\n4\n" and "failed" in error


@pytest.mark.parametrize("statements, what", [
    ([], "load.manifest"), (ALLOWED[:1], "Access Denied"), (ALLOWED[1:], "load.manifest"),
    ([*ALLOWED, {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::sf-landing/a.*"}], "a.csv"),
    ([{**ALLOWED[0], "Resource": "arn:aws:s3:::sf-landing/*.manifest"}, ALLOWED[1]], "a.csv")])
def test_copy_reads_what_its_role_may_read(loading, statements, what):
    put(loading, "a.csv", GOOD)
    allow(loading, statements or [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}])
    error = error_of(loading, copy(loading, manifest(loading, "a.csv")))
    assert "S3ServiceException:Access Denied,Status 403" in error and what in error


def test_policies_that_are_attached_count(loading):
    put(loading, "a.csv", GOOD)
    done(loading, "iam", "delete_role_policy", RoleName="sf-load", PolicyName="load")
    arn = done(loading, "iam", "create_policy", PolicyName="read", PolicyDocument=json.dumps(
        {"Version": "2012-10-17", "Statement": [{**ALLOWED[0], "Action": ["S3:Get?bject"]}, ALLOWED[1]]}))["Policy"]["Arn"]
    assert "Access Denied" in error_of(loading, copy(loading, manifest(loading, "a.csv")))
    done(loading, "iam", "attach_role_policy", RoleName="sf-load", PolicyArn=arn)
    assert error_of(loading, copy(loading, manifest(loading, "a.csv"))) is None


def test_copy_takes_a_role_that_is_attached_and_trusts_redshift(loading):
    put(loading, "a.csv", GOOD)
    source = manifest(loading, "a.csv")
    other = done(loading, "iam", "create_role", RoleName="sf-other", AssumeRolePolicyDocument=trust("transfer.amazonaws.com"))["Role"]["Arn"]
    assert f"The requested role {other} is not associated to cluster" in error_of(loading, copy(loading, source, role=other))
    attach(loading, other)
    assert f":dbuser:dw/steward is not authorized to assume IAM Role {other}" in error_of(loading, copy(loading, source, role=other))
    done(loading, "redshift", "modify_cluster_iam_roles", ClusterIdentifier="dw", RemoveIamRoles=[loading.role])
    assert "is not associated to cluster" in error_of(loading, copy(loading, source))


def test_manifests_that_name_what_is_not_there(loading):
    put(loading, "a.csv", GOOD)
    assert "mandatory entry s3://sf-landing/b.csv" in error_of(loading, copy(loading, manifest(loading, "a.csv", "b.csv")))
    assert error_of(loading, copy(loading, manifest(loading, "a.csv", "b.csv", mandatory=False))) is None
    put(loading, "load.manifest", "{bad")
    assert "not in correct json format" in error_of(loading, copy(loading, "s3://sf-landing/load.manifest"))
    assert "NoSuchKey" in error_of(loading, copy(loading, "s3://sf-landing/no.manifest"))
    assert "NoSuchBucket" in error_of(loading, copy(loading, "s3://sf-nowhere/no.manifest"))


def test_an_object_can_vanish_and_a_row_be_bad_when_it_is_wanted(loading):
    put(loading, "a.csv", GOOD)
    source = copy(loading, manifest(loading, "a.csv"))
    set_up(loading, sql_faults=[{"match": "^COPY", "fault": "gone", "times": 1}])
    assert "mandatory entry s3://sf-landing/a.csv does not exist" in error_of(loading, source)
    set_up(loading, sql_faults=[{"match": "^COPY", "fault": "row", "row": 2, "times": 1}])
    assert "Load into table 'facts' failed" in error_of(loading, source)
    assert rows(loading, "select line_number, trim(column_name) from sys_load_error_detail") == [[3, "id"]]
    assert error_of(loading, source) is None


def test_a_workgroup_at_its_limit_takes_no_queries(sql_server):
    endpoint = make_workgroup(sql_server)
    set_up(sql_server, exhausted=["sf-dw"])
    assert "usage limit" in error_of(sql_server, "select 1", WorkgroupName="sf-dw")
    assert "usage limit" in psql(sql_server, endpoint, "select 1")[1]
    set_up(sql_server, exhausted=[])
    assert psql(sql_server, endpoint, "select 1")[0] == "1\n"


def test_a_bucket_elsewhere_needs_its_region(loading):
    put(loading, "a.csv", GOOD)
    source = manifest(loading, "a.csv")
    assert "PermanentRedirect" in error_of(loading, copy(loading, source, "MANIFEST CSV IGNOREHEADER 1 REGION 'us-east-1'"))


def test_objects_under_a_key_that_the_role_may_not_use(loading):
    put(loading, "a.csv", GOOD, ServerSideEncryption="aws:kms")
    source = manifest(loading, "a.csv")
    set_up(loading, is_kms_denied=True)
    assert "kms:Decrypt" in error_of(loading, copy(loading, source))
    set_up(loading, is_kms_denied=False)
    assert error_of(loading, copy(loading, source)) is None


def test_a_bucket_may_encrypt_all_its_objects_under_a_key(loading):
    put(loading, "a.csv", GOOD)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}
    source = manifest(loading, "a.csv")
    set_up(loading, is_kms_denied=True)
    assert error_of(loading, copy(loading, source)) is None
    done(loading, "s3", "put_bucket_encryption", Bucket="sf-landing", ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert "kms:Decrypt" in error_of(loading, copy(loading, source))


@pytest.mark.parametrize("change, said", [
    (("IAM_ROLE", "ROLE"), 'near "role"'), (("CSV", "CSV HEADER"), 'near "header"'), (("facts", "nowhere"), "nonexistent table"),
    (("(id,", "(nr,"), 'column "nr"'), (("(id, ", "("), "NULL value into column id"), (("s3://", "/tmp/"), "reads from S3 only")])
def test_a_copy_that_is_written_wrong(loading, change, said):
    put(loading, "a.csv", GOOD)
    assert said in error_of(loading, copy(loading, manifest(loading, "a.csv")).replace(*change))


def test_files_that_are_not_what_they_are_said_to_be(loading):
    put(loading, "a.csv", GOOD)
    assert "inflate" in error_of(loading, copy(loading, manifest(loading, "a.csv"), "MANIFEST CSV GZIP"))
    put(loading, "a.csv", b"id\n1,\xff,,,\n")
    assert "failed" in error_of(loading, copy(loading, manifest(loading, "a.csv")))
    assert rows(loading, "select error_code, line_number from sys_load_error_detail") == [[1220, 2]]


# --- processes ---


@pytest.mark.parametrize("ending", ["input", signal.SIGTERM])
def test_nothing_outlives_the_server(sql_aws_server, ending):
    other = Server("--sql")
    make_warehouse(other)
    rows(other, "select 1")
    folder = os.path.dirname(other.control("GET", "sql")["ca"])
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit() and folder.encode() in command_of(name)]
    assert pids
    if ending == "input":
        other.close()
    else:
        other.process.send_signal(ending)
        other.process.wait()
    assert not os.path.exists(folder) and not [pid for pid in pids if folder.encode() in command_of(str(pid))]


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read()
    except OSError:
        return b""


def test_the_endpoint_is_that_of_describe_clusters(dw):
    assert cluster(dw)["Endpoint"] == dw.endpoint and dw.endpoint["Address"] == "localhost"

"""The flagship's data on AWS, for the tests of the data plane: a server with databases and SFTP, workspaces on it, and the same stack in
the local world to compare with.

Tables are compared by a checksum that is the same in either world and in any order of rows: every column as text, a digest of the row,
the sum of these over the table.
"""

import contextlib
import csv
import io
import re
import shutil

from aws.conftest import AwsWorkspace

TABLES = ("transaction", "program", "type", "fund", "finance", "code_alias", "type_crosswalk")
OVER_TIME = ("loaded_at", "published_at")  # columns that say when: no two loads agree
SERVERLESS, PROVISIONED = "aws: {serverless: {base_rpus: 8}}", "aws: {node_type: ra3.large}"
SERVERLESS_DIRECT = "aws: {serverless: {base_rpus: 8}, connection: direct, ca: ca.pem}"
PROVISIONED_DIRECT = "aws: {node_type: ra3.large, connection: direct, ca: ca.pem}"
BY_BUCKET = ("delivery:         {kind: upload, of: spending_revenue, to: landing, as: uploader, key: uploader_key}",
             "delivery:         {kind: upload, of: spending_revenue, to: landing, via: bucket}")
LANDING = """  landing: {kind: bucket, name: tryout-landing}
  landing_read:
    kind: policy
    name: tryout-landing-read
    document:
      Version: "2012-10-17"
      Statement:
        - {Sid: List, Effect: Allow, Action: [s3:ListBucket, s3:GetBucketLocation], Resource: "${landing.arn}"}
        - {Sid: Get, Effect: Allow, Action: s3:GetObject, Resource: "${landing.arn}/*"}
  load_role: {kind: role, name: tryout-load, trust: redshift, policies: [landing_read]}
"""  # a stack's bucket, and the role by which a warehouse reads what was delivered there
ENDED = ("FINISHED", "FAILED", "ABORTED")


FILE = "{file: rows.csv}"


def of_years(text, first):
    """A table without the years before the first: fewer parts to deliver."""
    rows = list(csv.reader(io.StringIO(text)))
    year = rows[0].index("fiscal_year")
    return as_csv([rows[0], *(row for row in rows[1:] if int(row[year]) >= first)])


def with_one_amount_changed(text, year, amount="123456.78"):
    """A table with one row of one year changed, which no dimension notices."""
    rows = list(csv.reader(io.StringIO(text)))
    row = next(row for row in rows[1:] if row[rows[0].index("fiscal_year")] == year)
    row[rows[0].index("amount")] = amount
    return as_csv(rows)


def as_csv(rows):
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


class Finance(AwsWorkspace):
    """A workspace in an account of the data server, empty at first."""

    def flagship(self, *changes, source=FILE, cluster=SERVERLESS):
        with open(f"{self.share}/stacks/sf-finance.yaml") as file:
            self.write("stack.yaml", file.read())
        self.edit("stack.yaml", ("provider: local # or aws; --provider overrides", "provider: aws"), (SERVERLESS, cluster), *changes)
        self.env |= {"SF_VAR_source": source, "SF_VAR_sql_clients": '["203.0.113.0/24"]'}
        shutil.copy(self.control("GET", "sql")["ca"], self.path("ca.pem"))

    @contextlib.contextmanager
    def nothing_to_do(self):
        """Asserts that nothing is changed at AWS, nor in any table, by what is done inside."""
        self.control("DELETE", "log")
        yield
        changed = [call["action"] for call in self.log() if not re.match("Get|List|Describe|Head|Simulate", call["action"])]
        assert set(changed) <= {"ExecuteStatement"}, changed
        sqls = [call["params"]["Sql"] for call in self.log() if call["action"] == "ExecuteStatement"]
        assert all(re.match(r"\s*(select|with)\b", sql, re.I) for sql in sqls), sqls

    def sql_faults(self, *rules):
        self.settings(sql_faults=list(rules))

    # --- what is in the warehouse, by boto3 and the Data API ---

    def where(self):
        """What names the warehouse in a call, as its master user."""
        cluster = self.show("cluster.dw")
        if cluster["deployment"] == "serverless":
            return {"WorkgroupName": cluster["identifier"], "Database": cluster["database"], "SecretArn": cluster["master_secret"]}
        return {"ClusterIdentifier": cluster["identifier"], "Database": cluster["database"], "DbUser": cluster["username"]}

    def rows(self, sql):
        """Rows of a query, as texts."""
        given = self.call("redshift-data", "execute_statement", Sql=sql, WaitTimeSeconds=30, **self.where())
        while given["Status"] not in ENDED:
            given = self.call("redshift-data", "describe_statement", Id=given["Id"], WaitTimeSeconds=30)
        if given["Status"] != "FINISHED":
            raise AssertionError(self.call("redshift-data", "describe_statement", Id=given["Id"])["Error"])
        found, more = [], {}
        while more is not None:
            page = self.call("redshift-data", "get_statement_result", Id=given["Id"], **more)
            found += [[None if "isNull" in field else str(next(iter(field.values()))) for field in record] for record in page["Records"]]
            more = {"NextToken": page["NextToken"]} if page.get("NextToken") else None
        return found

    def checksums(self):
        """{table: (rows, checksum)}; {} while there is no schema."""
        columns = {}
        for table, name in self.rows("select table_name, column_name from information_schema.columns where table_schema = 'report'"):
            columns.setdefault(table, []).append(name)
        if not columns:
            return {}
        found = self.rows(checksum_sql(columns, "cast(strtol(substring(md5($), 1, 15), 16) as numeric(38,0))"))
        return {table: (int(rows), int(total)) for table, rows, total in found}

    def ledger(self):
        """What is published: {(table, part): id of the load}; fails when anything is there twice."""
        rows = self.rows("select table_name, cast(part as varchar(20)), load_id from report.load_ledger where is_current")
        found = {(table, part): load for table, part, load in rows}
        assert len(found) == len(rows), rows
        return found


def local_checksums(ws):
    """Checksums of a workspace in the local world."""
    columns = {}
    for table, name in ws.sql("select table_name, column_name from information_schema.columns where table_schema = 'report'"):
        columns.setdefault(table, []).append(name)
    found = ws.sql(checksum_sql(columns, "cast(('x' || lpad(substring(md5($), 1, 15), 16, '0'))::bit(64)::bigint as numeric)"))
    return {table: (int(rows), int(total)) for table, rows, total in found}


def checksum_sql(columns, digest):
    """One row a table: name, rows, sum of the rows' digests. `digest`: of the text $, a number."""
    parts = []
    for table in TABLES:
        names = sorted(set(columns[table]) - set(OVER_TIME))
        text = " || '|' || ".join(f"coalesce(cast(\"{name}\" as varchar(2000)), '~')" for name in names)
        parts.append(f"select '{table}' as name, count(*) as n, cast(coalesce(sum({digest.replace('$', text)}), 0) as numeric(38,0)) as total"
                     f" from report.\"{table}\"")
    return " union all ".join(parts)

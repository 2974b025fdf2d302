"""COPY from S3, as Redshift does it: the role is checked, the manifest read, each row checked against its table, and load errors kept.

Error numbers and reasons: "Load error reference" of the Amazon Redshift Database Developer Guide. The wording of refusals by IAM and
S3 is what users report of Redshift; it is nowhere specified.
"""

import bz2
import csv
import datetime
import decimal
import gzip
import io
import json
import re
import zlib

import server_policy
import server_world
from server_dialect import closing, split_commas
from server_pg import DONE, NOTICE, PgError, literal

SYNTAX, FAILED = "42601", "XX000"
FLAGS = {"MANIFEST", "GZIP", "BZIP2", "CSV", "EMPTYASNULL", "BLANKSASNULL", "TRUNCATECOLUMNS", "TRIMBLANKS", "ROUNDEC", "NOLOAD",
         "REMOVEQUOTES", "ESCAPE", "FILLRECORD", "IGNOREBLANKLINES", "ACCEPTANYDATE", "EXPLICIT_IDS"}
VALUES = {"IGNOREHEADER": int, "MAXERROR": int, "REGION": str, "DELIMITER": str, "QUOTE": str, "NULL": str, "COMPUPDATE": str,
          "STATUPDATE": str, "IAM_ROLE": str, "FORMAT": str, "ENCODING": str, "DATEFORMAT": str, "TIMEFORMAT": str, "ACCEPTINVCHARS": str}
RANGES = {"smallint": 2 ** 15, "integer": 2 ** 31, "bigint": 2 ** 63}
SHORT = {"smallint": "int2", "integer": "int4", "bigint": "int8", "character varying": "varchar", "character": "char",
         "double precision": "float8", "real": "float4", "boolean": "bool", "timestamp without time zone": "timestamp",
         "timestamp with time zone": "timestamptz"}


class Spec:
    """A COPY statement, read."""

    def __init__(self, statement):
        self.words, self.at = statement, 1
        self.options = {}
        self.table = self.take_name()
        self.columns = []
        if self.peek() == "(":
            end = closing(statement, self.at)
            self.columns = [item[0] for item in split_commas(statement[self.at + 1:end])]
            self.at = end + 1
        self.expect("FROM")
        self.source = self.take_string()
        if not self.source.startswith("s3://"):
            raise PgError(f"COPY from '{self.source}': this test server reads from S3 only", "0A000")
        while self.at < len(statement):
            self.take_option()
        if "IAM_ROLE" not in self.options:
            raise PgError("COPY needs IAM_ROLE: this test server knows no other authorization", SYNTAX)

    def peek(self):
        return self.words[self.at].upper() if self.at < len(self.words) else ""

    def take(self):
        if self.at >= len(self.words):
            raise PgError("syntax error at end of input", SYNTAX)
        self.at += 1
        return self.words[self.at - 1]

    def expect(self, word):
        if self.take().upper() != word:
            raise PgError(f'syntax error at or near "{self.words[self.at - 1]}"', SYNTAX)

    def take_name(self):
        name = self.take()
        while self.peek() == ".":
            name += self.take() + self.take()
        return name

    def take_string(self):
        word = self.take()
        if word.kind != "string":
            raise PgError(f'syntax error at or near "{word}"', SYNTAX)
        return re.sub(r"\\(.)", r"\1", word[1:-1].replace("''", "'"))

    def take_option(self):
        name = self.take().upper()
        if name in FLAGS:
            self.options[name] = True
        elif name not in VALUES:
            raise PgError(f'syntax error at or near "{name.lower()}"', SYNTAX)
        elif name == "IAM_ROLE" and self.peek() == "DEFAULT":
            self.take()
            self.options[name] = "default"
        else:
            if self.peek() == "AS":
                self.take()
            if name in ("COMPUPDATE", "STATUPDATE", "ACCEPTINVCHARS") and self.peek() not in ("ON", "OFF", "TRUE", "FALSE", "PRESET"):
                return
            word = self.words[self.at] if self.at < len(self.words) else ""
            value = self.take_string() if getattr(word, "kind", "") == "string" else self.take()
            if VALUES[name] is int and not value.isdigit():
                raise PgError(f'syntax error at or near "{value}"', SYNTAX)
            self.options["CSV" if name == "FORMAT" and value.upper() == "CSV" else name] = VALUES[name](value)


# --- may the role read what the COPY names ---


class Reader:
    """Reads objects under a role. Everything of moto is looked at with the world's lock held."""

    def __init__(self, databases, thing, spec):
        self.world, self.thing = databases.world, thing
        self.account, self.region = databases.place_of(thing)
        self.owner = databases.owner_of(thing)
        arn = spec.options["IAM_ROLE"]
        if arn == "default":
            arn = self.owner.settings.get("DefaultIamRoleArn") or self.owner.settings.get("defaultIamRoleArn")
            if not arn:
                raise PgError("No default IAM role is set for this cluster", FAILED)
        self.role = self.assume(arn)
        self.source_region = spec.options.get("REGION", self.region)

    def assume(self, arn):
        is_serverless = hasattr(self.thing, "namespace")
        call = server_world.Call(self.world, None, "redshift", "", self.account, "", self.region, {})
        role = call.find_role(arn)
        services = ("redshift.amazonaws.com", "redshift-serverless.amazonaws.com") if is_serverless else ("redshift.amazonaws.com",)
        context = {"aws:sourceaccount": self.account, "aws:sourcearn": self.thing.arn}
        settings = self.owner.settings
        user = settings.get("MasterUsername") or settings.get("adminUsername")
        database = f"dbuser:{getattr(self.thing, 'id', None) or self.thing.name}/{user}"
        is_attached = self.owner.roles.get(arn) == "in-sync"
        if is_serverless and not (is_attached and role and server_policy.is_trusted(role, services, context)):
            raise PgError(f"Not authorized to get credentials of role {arn}", FAILED)
        if not is_attached:
            raise PgError(f"The requested role {arn} is not associated to cluster", FAILED)
        if role is None or not server_policy.is_trusted(role, services, context):
            raise PgError(f"User arn:aws:redshift:{self.region}:{self.account}:{database} is not authorized to assume IAM Role {arn}",
                          FAILED)
        return role

    def check(self, action, resource, what):
        if not server_policy.role_may(self.role, action, resource):
            raise s3_error("Access Denied", 403, "AccessDenied", what)

    def bucket(self, name):
        buckets = server_world.moto_backend("s3", self.account, "aws").buckets if "s3" in self.world.moto_apps else {}
        if name in self.world.foreign_buckets:
            raise s3_error("Access Denied", 403, "AccessDenied", name)
        if name not in buckets:
            raise s3_error("The specified bucket does not exist", 404, "NoSuchBucket", name)
        if buckets[name].region_name != self.source_region:
            raise s3_error("The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future"
                           " requests to this endpoint.", 301, "PermanentRedirect", name)
        return buckets[name]

    def read(self, bucket, key, problem_text=None):
        place = self.bucket(bucket)
        self.check("s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", f"{bucket}/{key}")
        found = place.keys.get(key)
        if found is None or type(found).__name__ == "FakeDeleteMarker":
            if problem_text:
                raise PgError(problem_text, FAILED)
            raise s3_error("The specified key does not exist.", 404, "NoSuchKey", key)
        if self.world.is_kms_denied and "aws:kms" in (getattr(found, "encryption", None), default_encryption(place)):
            raise s3_error(f"User: {self.role.arn} is not authorized to perform: kms:Decrypt on this resource because no identity-based"
                           " policy allows the kms:Decrypt action", 403, "AccessDenied", key)
        return found.value

    def keys_under(self, bucket, prefix):
        place = self.bucket(bucket)
        self.check("s3:ListBucket", f"arn:aws:s3:::{bucket}", bucket)
        return sorted(key for key in place.keys.keys() if key.startswith(prefix))


def default_encryption(bucket):
    """By what a bucket encrypts objects for which nothing else was said; those that come by SFTP are kept without a word of it."""
    rule = ((bucket.encryption or {}).get("ServerSideEncryptionConfiguration") or bucket.encryption or {}).get("Rule") or {}
    rule = rule[0] if isinstance(rule, list) else rule
    return (rule.get("ApplyServerSideEncryptionByDefault") or {}).get("SSEAlgorithm")


def s3_error(text, status, code, what):
    return PgError(f"S3ServiceException:{text},Status {status},Error {code},Rid 5C3A8E4F0BD1A6F2,ExtRid sfstack,CanRetry 1\nDetail: \n"
                   f"  error:  S3ServiceException:{text},Status {status},Error {code}\n  code:      8001\n  context:   {what}\n", FAILED)


def parts_of(url):
    found = re.fullmatch(r"s3://([^/]+)/(.*)", url)
    if not found:
        raise PgError(f"The S3 bucket addressed by the query is not valid: {url}", FAILED)
    return found.groups()


def files_of(spec, reader, is_first_gone=False):
    """[(url, bytes)] that the COPY loads, in order. `is_first_gone`: see server_faults.SqlRule, gone."""
    bucket, key = parts_of(spec.source)
    if "MANIFEST" not in spec.options:
        keys = reader.keys_under(bucket, key)
        if not keys:
            raise PgError(f"The specified S3 prefix '{key}' does not exist", FAILED)
        return [(f"s3://{bucket}/{name}", reader.read(bucket, name)) for name in keys]
    text = reader.read(bucket, key)
    try:
        entries = json.loads(text)["entries"]
        urls = [(entry["url"], bool(entry.get("mandatory", False))) for entry in entries]
    except (ValueError, KeyError, TypeError) as error:
        raise PgError(f"Manifest file is not in correct json format: {spec.source}", FAILED) from error
    files = []
    for url, is_mandatory in urls:
        reader.check("s3:ListBucket", f"arn:aws:s3:::{parts_of(url)[0]}", parts_of(url)[0])
        try:
            if is_first_gone and url == urls[0][0]:
                raise s3_error("The specified key does not exist.", 404, "NoSuchKey", url)
            files.append((url, reader.read(*parts_of(url))))
        except PgError as error:
            if "NoSuchKey" not in error.message:
                raise
            if is_mandatory:
                raise PgError(f"Problem reading manifest file - The specified mandatory entry {url} does not exist: "
                              "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey", FAILED) from error
    return files


def plain(url, data, options):
    try:
        if "GZIP" in options:
            return gzip.decompress(data)
        if "BZIP2" in options:
            return bz2.decompress(data)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise PgError(f"failed to inflate with zlib: inflate error code: -3, file {url}", FAILED) from error
    return data


# --- rows ---


class Column:
    def __init__(self, name, kind, is_not_null):
        found = re.fullmatch(r"([a-z ]+?)(?:\((\d+)(?:,(\d+))?\))?( with(?:out)? time zone)?", kind)
        self.name, self.is_not_null = name, is_not_null
        self.kind = (found.group(1) + (found.group(4) or "")) if found else kind
        self.length, self.scale = int(found.group(2) or 0) if found else 0, int(found.group(3) or 0) if found else 0


class RowError(Exception):
    def __init__(self, code, reason, column=None, value=""):
        super().__init__(reason)
        self.code, self.reason, self.column, self.value = code, reason, column, value


def checked(column, value, options):
    """The field as PostgreSQL's COPY takes it, None for null; RowError. Lengths are in bytes, as Redshift's are."""
    is_text = column.kind in ("character varying", "character")
    if "TRIMBLANKS" in options and is_text:
        value = value.rstrip(" ")
    is_null = value == options.get("NULL", "\\N") or (not value and (not is_text or "EMPTYASNULL" in options)) or (
        "BLANKSASNULL" in options and is_text and value and not value.strip())
    if is_null:
        if column.is_not_null:
            raise RowError(1213, "Missing data for not-null field", column, value)
        return None
    if is_text:
        return text_field(column, value, options)
    return other_field(column, value, options)


def text_field(column, value, options):
    if "\0" in value:
        raise RowError(1220, "String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: 00 (error 4)", column, value)
    size = len(value.encode())
    if column.length and size > column.length:
        if "TRUNCATECOLUMNS" not in options:
            raise RowError(1204, "String length exceeds DDL length", column, value)
        value = value.encode()[:column.length].decode(errors="ignore")
    return value


def other_field(column, value, options):
    kind, value = column.kind, value.strip(" ")
    if kind in RANGES:
        if not re.fullmatch(r"[+-]?\d+", value):
            bad = re.match(r"[+-]?\d*", value).end()
            raise RowError(1207, f"Invalid digit, Value '{value[bad:bad + 1]}', Pos {bad}, Type: {kind.capitalize()}", column, value)
        if not -RANGES[kind] <= int(value) < RANGES[kind]:
            raise RowError(1207, f"Overflow, Value '{value}', Type: {kind.capitalize()}", column, value)
    elif kind == "numeric":
        if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", value):
            bad = re.match(r"[+-]?[\d.]*", value).end()
            raise RowError(1207, f"Invalid digit, Value '{value[bad:bad + 1]}', Pos {bad}, Type: Decimal", column, value)
        rounding = decimal.ROUND_HALF_UP if "ROUNDEC" in options else decimal.ROUND_DOWN
        with decimal.localcontext(decimal.Context(prec=80)):
            number = decimal.Decimal(value).quantize(decimal.Decimal(1).scaleb(-column.scale), rounding)
            if column.length and abs(number) >= decimal.Decimal(10) ** (column.length - column.scale):
                raise RowError(1209, "Numeric data overflow (result precision)", column, value)
        return format(number, "f")
    elif kind == "date":
        return moment(column, value, 1205, "Invalid Date Format - length must be 10 or more", datetime.date.fromisoformat, value[:10])
    elif kind.startswith("timestamp"):
        moment(column, value, 1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]", datetime.datetime.fromisoformat, value)
    elif kind == "boolean" and value.lower() not in ("t", "f", "true", "false", "y", "n", "yes", "no", "1", "0"):
        raise RowError(1210, "Unknown boolean format", column, value)
    elif kind in ("double precision", "real"):
        try:
            float(value)
        except ValueError as error:
            raise RowError(1208, "Invalid floating point format", column, value) from error
    return value


def moment(column, value, code, reason, read, part):
    try:
        read(part)
    except ValueError as error:
        raise RowError(code, reason, column, value) from error
    return part


def rows_of(data, options):
    """(line number, fields, raw line) of a file."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        text = f"String contains invalid or unsupported UTF8 codepoints. Bad UTF8 hex sequence: {data[error.start]:02x} (error 3)"
        yield line, RowError(1220, text), ""
        return
    if "CSV" in options:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=options.get("DELIMITER", ","), quotechar=options.get("QUOTE", '"'),
                            strict=True)
    else:
        reader = ([line] if line == "" else line.split(options.get("DELIMITER", "|")) for line in text.splitlines())
    number, ended = 0, 0
    skipped = options.get("IGNOREHEADER", 0)
    try:
        for fields in reader:
            number, ended = ended + 1, reader.line_num if hasattr(reader, "line_num") else ended + 1
            if skipped >= number or not fields:
                continue
            yield number, fields, ",".join(fields)
    except csv.Error as error:
        reason = "Invalid quote formatting for CSV" if "expected after" in str(error) else "Delimiter not found"
        yield ended + 1, RowError(1214, reason), str(error)


def lines(files, columns, options, errors, bad_row=0):
    """PostgreSQL's text format of the good rows; load errors are appended to `errors`, and end it when there are too many. `bad_row`: see
    server_faults.SqlRule."""
    most, seen = options.get("MAXERROR", 0), 0
    for url, data in files:
        for number, fields, row in rows_of(plain(url, data, options), options):
            seen += 1
            try:
                if isinstance(fields, RowError):
                    raise fields
                if seen == bad_row:
                    column = next((column for column in columns if column.kind in RANGES), columns[0])
                    raise RowError(1207, f"Invalid digit, Value 'x', Pos 0, Type: {column.kind.capitalize()}", column, "x")
                if len(fields) > len(columns):
                    raise RowError(1202, "Extra column(s) found")
                if len(fields) < len(columns) and "FILLRECORD" not in options:
                    raise RowError(1203 if "CSV" not in options else 1214, "Delimiter not found", columns[len(fields)])
                fields = [*fields, *[""] * (len(columns) - len(fields))]
                values = [checked(column, value, options) for column, value in zip(columns, fields)]
            except RowError as error:
                errors.append((url, number, row, error))
                if len(errors) > most:
                    return
                continue
            yield "\t".join(map(escaped, values)) + "\n"


ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def escaped(value):
    return "\\N" if value is None else value.translate(ESCAPES)


# --- the command ---


def run(session, statement):
    """Yields messages, as Session.run does; raises PgError."""
    spec = Spec(statement)
    table = spec.table
    name = "'" + table.replace("'", "''") + "'"
    oid = session.connection.run(f"select to_regclass({name})::oid").texts()[0][0]
    if oid is None:
        raise PgError(f"Cannot COPY into nonexistent table {table}", "42P01")
    rows = session.connection.run(f"select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute where attrelid = {oid}"
                                  " and attnum > 0 and not attisdropped and attidentity <> 'a' order by attnum").texts()
    have = {row[0]: Column(row[0], row[1], row[2] == "t") for row in rows}
    names = [folded(column) for column in spec.columns] or list(have)
    for column in names:
        if column not in have:
            raise PgError(f'column "{column}" of relation "{table}" does not exist', "42703")
    columns = [have[column] for column in names]
    for column in have.values():
        if column.name not in names and column.is_not_null and not has_default(session, oid, column):
            raise PgError(f'Cannot insert a NULL value into column {column.name}', "23502")
    with session.databases.world.lock:
        if session.databases.world.sftp:
            session.databases.world.sftp.sync()  # what was uploaded is an object by now
        query = session.databases.world.next_query()
        files = files_of(spec, Reader(session.databases, session.thing, spec), session.is_gone)
    session.last_copy_id = query
    errors = []
    loaded = list(lines(files, columns, spec.options, errors, session.bad_row))
    if errors:
        keep_errors(session, query, oid, errors)
    if len(errors) > spec.options.get("MAXERROR", 0):
        is_serverless = hasattr(session.thing, "namespace")
        view = "sys_load_error_detail" if is_serverless else "stl_load_errors"
        raise PgError(f"Load into table '{bare(table)}' failed.  Check '{view}' system table for details.", FAILED)
    if "NOLOAD" not in spec.options:
        chunks = ("".join(loaded[at:at + 1000]).encode() for at in range(0, len(loaded), 1000))
        quoted = ", ".join('"' + column.replace('"', '""') + '"' for column in names)
        session.connection.copy(f"COPY {table} ({quoted}) FROM STDIN", chunks)
    session.last_copy_count = len(loaded)
    text = f"Load into table '{bare(table)}' completed, {len(loaded)} record(s) loaded successfully."
    yield NOTICE, PgError(text, "00000").encoded(b"INFO")
    yield DONE, b"COPY\0"


def has_default(session, oid, column):
    found = session.connection.run(f"select 1 from pg_attribute where attrelid = {oid} and attname = '{column.name}'"
                                   " and (atthasdef or attidentity <> '')")
    return bool(found.rows)


def folded(name):
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def bare(table):
    return folded(table.rpartition(".")[2])


def keep_errors(session, query, oid, errors):
    """Load errors outlive the transaction: they are written by the engine's own connection."""
    engine = session.store.engine(session.database)
    for url, number, row, error in errors:
        column = error.column
        shown = [column.name, SHORT.get(column.kind, column.kind), str(column.length or "")] if column else ["", "", ""]
        values = [query, oid, session.database, url, number, *shown, error.code, error.reason, row[:1024], error.value[:1024]]
        texts = [literal(str(value).replace("\0", "")) for value in values]
        engine.run("insert into sf_internal.load_errors (query_id, table_id, database_name, file_name, line_number, column_name, column_type,"
                   " column_length, error_code, error_message, raw_line, raw_field_value, start_time, session_id, position, transaction_id,"
                   f" user_id) values ({', '.join(texts)}, now(), 0, 0, 0, 100)")
    engine.close()

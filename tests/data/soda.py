"""A portal that speaks Socrata, for tests: metadata, the export in one piece, SODA 2.1 and SODA 3 in pages, plain files; and what
portals do on bad days. It is written after the published protocol, not after the client.

    with soda.Portal() as portal:
        portal.publish("bpnb-jwfb", csv_text)
        portal.fault("rows.csv", status=429, headers={"Retry-After": "0"})
"""

import collections
import csv
import email.utils
import gzip
import hashlib
import http.server
import io
import json
import re
import threading
import urllib.parse

Request = collections.namedtuple("Request", "method path query headers body")
DISPLAY = {"vendor": "Supplier & Other Non-Supplier Payees", "non_profit_indicator": "Non-Profit Indicator",
           "sub_object": "Sub-object", "sub_object_code": "Sub-object Code", "revenue_or_spending": "Revenue or Spending",
           "related_gov_t_units": "Related Gov\u2019t Units", "data_as_of": "data_as_of", "data_loaded_at": "data_loaded_at"}


def display_name(field):
    return DISPLAY.get(field, field.replace("_", " ").title())


class Table:
    """Rows as texts, with API field names; amounts plain."""

    def __init__(self, text, updated_at, types=None):
        rows = list(csv.reader(io.StringIO(text)))
        self.fields, self.rows = [name.replace("\u2019", "_") for name in rows[0]], rows[1:]
        self.updated_at = updated_at
        self.types = {field: "text" for field in self.fields}
        self.types.update({"amount": "number", "data_as_of": "calendar_date", "data_loaded_at": "calendar_date"}, **(types or {}))
        self.types = {field: self.types[field] for field in self.fields}
        self.counted = len(self.rows)  # what the profile says; it can lag
        self.thousands, self.bom = True, False

    def amounts(self):
        return [n for n, field in enumerate(self.fields) if self.types[field] == "number"]

    def metadata(self, table_id):
        columns = [{"name": ":id", "fieldName": ":id", "dataTypeName": "meta_data"}]
        for n, field in enumerate(self.fields):
            values = [row[n] for row in self.rows if row[n]]
            profile = {"non_null": str(len(values)), "null": str(self.counted - len(values)), "count": str(self.counted),
                       "cardinality": str(self.counted)}
            if values:
                profile.update(largest=max(values), smallest=min(values))
            columns.append({"name": display_name(field), "fieldName": field, "dataTypeName": self.types[field], "position": n + 1,
                            "cachedContents": profile})
        return {"id": table_id, "name": "Spending and Revenue", "rowsUpdatedAt": self.updated_at,
                "viewLastModified": self.updated_at - 960, "columns": columns}

    def bulk(self):
        """rows.csv: display names, quoted where it must be, two decimals and thousands separators."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([display_name(field) for field in self.fields])
        for row in self.rows:
            row = list(row)
            for amount in self.amounts():
                if self.thousands and re.fullmatch(r"-?\d+\.\d\d", row[amount]):
                    whole, _, cents = row[amount].partition(".")
                    row[amount] = f"{'-' if whole.startswith('-') else ''}{abs(int(whole)):,}.{cents}"
            writer.writerow(row)
        return ("\ufeff" if self.bom else "") + out.getvalue()

    def chosen(self, where):
        """Rows that a condition as of ours leaves: field='text', field=number, field is null. None: cannot be understood."""
        if not where:
            return self.rows
        said = re.fullmatch(r"(\w+)(?:=(?:'((?:[^']|'')*)'|(-?\d+))| (is null))", where)
        if not said or said.group(1) not in self.fields or (said.group(2) is None) != (self.types[said.group(1)] != "text" or
                                                                                     said.group(4) is not None):
            return None
        wanted = "" if said.group(4) else said.group(3) if said.group(2) is None else said.group(2).replace("''", "'")
        return [row for row in self.rows if row[self.fields.index(said.group(1))] == wanted]

    def groups(self, field):
        """select FIELD,count(*) group by FIELD: a null one has no field."""
        counts = collections.Counter(row[self.fields.index(field)] for row in self.rows)
        return [{**({field: value} if value else {}), "count": str(n)} for value, n in sorted(counts.items())]

    def page(self, limit, offset, where=None):
        """A page of SODA: field names, every field quoted, trailing zeros dropped. None: the condition cannot be understood."""
        rows = self.chosen(where)
        if rows is None:
            return None
        out = io.StringIO()
        writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(self.fields)
        for row in rows[offset:offset + limit]:
            row = list(row)
            for amount in self.amounts():
                if re.fullmatch(r"-?\d+\.\d\d", row[amount]):
                    row[amount] = row[amount].rstrip("0").rstrip(".")
            writer.writerow(row)
        return out.getvalue()


class Fault:
    def __init__(self, where, times, skip, status, headers, body, cut, stall, then):
        self.where, self.times, self.skip = where, times, skip
        self.status, self.headers, self.body, self.cut, self.stall, self.then = status, headers or {}, body, cut, stall, then


class Portal:
    def __init__(self, tokens=None, wants_token=False):
        self.tables, self.files, self.faults, self.requests = {}, {}, [], []
        self.tokens, self.wants_token, self.has_ranges = tokens, wants_token, False
        self.has_groups = True  # whether rows can be counted by a column
        self.lock, self.released, self.stalled = threading.Lock(), threading.Event(), threading.Event()
        portal = self

        class Handler(PortalHandler):
            pass
        Handler.portal = portal
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_exc):
        self.released.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    # --- what is published ---

    def publish(self, table_id, text, updated_at=1790000000, **kwargs):
        self.tables[table_id] = Table(text, updated_at, **kwargs)
        return self.tables[table_id]

    def put_file(self, name, data, etag=True, date=None):
        """A plain file under /files/NAME."""
        tag = f'"{hashlib.md5(data).hexdigest()}"' if etag is True else etag
        self.files[name] = (data, tag, date)
        return f"{self.origin}/files/{name}"

    # --- what goes wrong ---

    def fault(self, where, times=1, skip=0, status=None, headers=None, body=None, cut=None, stall=None, then=None):
        """For the next `times` requests whose path and query contain `where`, after `skip` of them: another status or body; the body
        cut after so many bytes; a stall after so many bytes until release(); `then` is called when the reply was given."""
        self.faults.append(Fault(where, times, skip, status, headers, body, cut, stall, then))

    def release(self):
        self.released.set()

    def take_fault(self, target):
        with self.lock:
            for fault in self.faults:
                if fault.where not in target or fault.times == 0:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    # --- what was asked ---

    def asked(self, part=""):
        """Requests so far whose path and query contain `part`, in order: "GET /path?query"."""
        with self.lock:
            lines = [f"{r.method} {r.path}{'?' + r.query if r.query else ''}" for r in self.requests]
        return [line for line in lines if part in line]

    def forget(self):
        with self.lock:
            self.requests.clear()


class PortalHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    portal = None

    def log_message(self, *_args):
        pass

    def do_GET(self):
        self.answer("GET", b"")

    def do_POST(self):
        self.answer("POST", self.rfile.read(int(self.headers.get("Content-Length", 0))))

    # --- one request ---

    def answer(self, method, body):
        url = urllib.parse.urlsplit(self.path)
        with self.portal.lock:
            self.portal.requests.append(Request(method, url.path, urllib.parse.unquote(url.query), dict(self.headers), body))
        fault = self.portal.take_fault(urllib.parse.unquote(self.path))
        try:
            if fault and (fault.status or fault.body is not None):
                self.send(fault.status or 200, (fault.body or "").encode(), fault.headers)
            else:
                status, data, headers = self.route(method, url, body)
                self.send(status, data, headers, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        if fault and fault.then:
            fault.then()

    def route(self, method, url, body):
        portal, query = self.portal, dict(urllib.parse.parse_qsl(url.query))
        token = self.headers.get("X-App-Token") or query.get("$$app_token")
        if url.path.startswith("/files/"):
            return self.file(url.path[len("/files/"):])
        if url.path.startswith("/moved/"):
            return 302, b"", {"Location": url.path.replace("/moved/", "/files/", 1)}
        if token and portal.tokens is not None and token not in portal.tokens:
            return self.message(403, "permission_denied", "Invalid app_token specified")
        found = re.fullmatch(r"/(?:api/views|resource|api/v3/views)/(\w{4}-\w{4})(.*)", url.path)
        if not found or found.group(1) not in portal.tables:
            return self.message(404, "dataset.missing", "Not found")
        table, rest = portal.tables[found.group(1)], found.group(2)
        kind = url.path[:-len(rest)] if rest else url.path
        is_view = kind.startswith("/api/views/")
        if is_view and rest == ".json":
            return 200, json.dumps(table.metadata(found.group(1))).encode(), {"Content-Type": "application/json"}
        if is_view and rest == "/rows.csv":
            return self.tagged(table.bulk().encode())
        if kind.startswith("/resource/") and rest == ".json" and query.get("$select") == "count(*)":
            return 200, json.dumps([{"count": str(len(table.rows))}]).encode(), {}
        if kind.startswith("/resource/") and rest == ".json" and "$group" in query:
            if not portal.has_groups or query.get("$select") != f"{query['$group']},count(*)":
                return self.message(400, "query.soql", "cannot be grouped")
            return 200, json.dumps(table.groups(query["$group"])[:int(query.get("$limit", 1000))]).encode(), {}
        if kind.startswith("/resource/") and rest == ".csv":
            if "$order" not in query:
                return self.message(400, "query.order", "the order of pages is not defined")
            return self.rows(table.page(int(query.get("$limit", 1000)), int(query.get("$offset", 0)), query.get("$where")))
        if kind.startswith("/api/v3/views/") and rest in ("/query.csv", "/query.json") and method == "POST":
            if not token:
                return self.message(403, "permission_denied", "An app_token is required")
            asked = json.loads(body)
            size = asked["page"]["pageSize"]
            grouped = re.fullmatch(r"SELECT (\w+),count\(\*\) GROUP BY \1 ORDER BY \1", asked["query"])
            if rest == "/query.json":
                if not portal.has_groups or not grouped:
                    return self.message(400, "query.soql", "cannot be grouped")
                return 200, json.dumps(table.groups(grouped.group(1))[:size]).encode(), {}
            said = re.fullmatch(r"SELECT \*(?: WHERE (.*))? ORDER BY :id", asked["query"])
            assert said, asked
            return self.rows(table.page(size, (asked["page"]["pageNumber"] - 1) * size, said.group(1)))
        return self.message(404, "not_found", "no such door")

    @staticmethod
    def message(status, code, text):
        return status, json.dumps({"code": code, "error": True, "message": text}).encode(), {"Content-Type": "application/json"}

    def rows(self, text):
        return self.message(400, "query.soql", "cannot be understood") if text is None else (200, text.encode(), {})

    def tagged(self, data):
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        return self.ranged(data, {"ETag": tag}, tag) if self.portal.has_ranges else (200, data, {})

    def file(self, name):
        if name not in self.portal.files:
            return 404, b"not here", {}
        data, tag, date = self.portal.files[name]
        headers = {}
        if tag:
            headers["ETag"] = tag
        if date:
            headers["Last-Modified"] = email.utils.formatdate(date, usegmt=True)
        is_same = (tag and self.headers.get("If-None-Match") == tag) or \
            (date and self.headers.get("If-Modified-Since") == headers.get("Last-Modified"))
        return (304, b"", headers) if is_same else self.ranged(data, headers, tag)

    def ranged(self, data, headers, tag):
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted or self.headers.get("If-Range") != tag:
            return 200, data, headers
        first = int(wanted.group(1))
        if first >= len(data):
            return 416, b"", {**headers, "Content-Range": f"bytes */{len(data)}"}
        return 206, data[first:], {**headers, "Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}

    def send(self, status, data, headers, fault=None):
        is_file = "ETag" in headers or "Last-Modified" in headers
        self.send_response(status)
        if "gzip" in self.headers.get("Accept-Encoding", "") and status == 200 and not is_file:
            data = gzip.compress(data, 1)
            headers = {**headers, "Content-Encoding": "gzip"}
        for name, value in headers.items():
            self.send_header(name, value)
        is_chunked = status == 200 and not is_file
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif status != 304:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for at in range(0, len(data), 16384):
            piece = data[at:at + 16384]
            end = next((n for n in (fault and fault.cut, fault and fault.stall) if n is not None), None)
            if end is not None and at + len(piece) > end:
                self.write(piece[:end - at], is_chunked)
                self.wfile.flush()
                if fault.stall is not None:
                    self.portal.stalled.set()
                    self.portal.released.wait(60)
                self.close_connection = True
                return
            self.write(piece, is_chunked)
        if is_chunked:
            self.wfile.write(b"0\r\n\r\n")

    def write(self, piece, is_chunked):
        if piece:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if is_chunked else piece)

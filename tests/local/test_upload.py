"""kind upload on this machine, straight into the bucket's directory: `via: bucket`."""

import hashlib
import os

STACK = """stack: straight
resources:
  landing: {kind: bucket, name: straight-landing}
  figures: {kind: dataset, source: {sample: {rows: 400, seed: 1}}, conform: builtin:sf/spending_revenue}
  delivery: {kind: upload, of: figures, to: landing, via: bucket}
"""


def objects(ws):
    """{key: (bytes, sha256)} of the bucket's files."""
    base, found = os.path.join(ws.territory(), "buckets/straight-landing/data"), {}
    for folder, _, names in os.walk(base):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                data = file.read()
            found[os.path.relpath(os.path.join(folder, name), base)] = (len(data), hashlib.sha256(data).hexdigest())
    return found


def wanted(ws):
    return {key: (file["bytes"], file["sha256"]) for key, file in ws.show("upload.delivery")["files"].items()}


def test_files_arrive_without_a_server_and_what_is_done_to_them_is_put_right(ws):
    ws.write("stack.yaml", STACK)
    ws.apply()
    assert objects(ws) == wanted(ws) != {}
    assert ws.changes() == {} and ws.drift() == {}
    key = next(key for key in wanted(ws) if "/fy=" in key)
    path = os.path.join(ws.territory(), "buckets/straight-landing/data", key)
    os.truncate(path, 5)
    assert ws.changes() == {"upload.delivery": "update"}
    ws.apply()
    assert objects(ws) == wanted(ws) and ws.changes() == {}
    ws.ok("sfdestroy", "-auto-approve")
    assert ws.recorded() == []


def test_over_sftp_a_user_and_a_key_must_be_named(ws1):
    ws1.write("stack.yaml", STACK.replace(", via: bucket", ""))
    plan = ws1.refuse(65, "sfplan")
    assert "goes over SFTP and does not say `as`" in plan.err and "via: bucket" in plan.err

"""The schema compiler: wrong schemas are refused with their place, right ones become tables, names and a JSON Schema."""
import json
import os
import subprocess

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))))
SCHEMAC = os.path.join(os.environ.get("BUILD", os.path.join(ROOT, "build")), "schemac")
HEAD = "kind: thing\nsummary: a thing\nidentity: name\nattributes:\n  name: {type: string, required: true}\n"


def compile_kind(tmp_path, text, *flags):
    path = tmp_path / "thing.yaml"
    path.write_text(text)
    (tmp_path / "attr").mkdir(exist_ok=True)
    return subprocess.run([SCHEMAC, *(flags or [str(tmp_path)]), str(path)], capture_output=True, text=True, check=False)


def test_names_of_attributes_and_fields_become_macros(tmp_path):
    done = compile_kind(tmp_path, HEAD + "  rules:\n    type: list\n    of: {type: object, fields: {port: int}}\n")
    assert done.returncode == 0, done.stderr
    header = (tmp_path / "attr" / "thing.h").read_text()
    assert '#define THING_NAME "name"' in header
    assert '#define THING_RULES_PORT "port"' in header
    assert '.kind = "thing"' in (tmp_path / "schemas.c").read_text()


def test_files_are_written_only_when_they_change(tmp_path):
    compile_kind(tmp_path, HEAD)
    before = os.stat(tmp_path / "schemas.c").st_mtime_ns
    compile_kind(tmp_path, HEAD)
    assert os.stat(tmp_path / "schemas.c").st_mtime_ns == before


def test_the_json_schema_describes_a_resource_by_its_kind(tmp_path):
    out = tmp_path / "stack.schema.json"
    assert compile_kind(tmp_path, HEAD + "  made_at: {type: string, computed: true}\n", "--json-schema", str(out)).returncode == 0
    schema = json.loads(out.read_text())
    assert schema["$schema"].endswith("draft-07/schema#")
    properties = schema["definitions"]["kind_thing"]["properties"]
    assert "name" in properties and "after" in properties and "made_at" not in properties
    assert set(schema["properties"]) == {"stack", "provider", "aws", "local", "tags", "variables", "include", "lookup", "resources",
                                         "moved", "outputs"}


@pytest.mark.parametrize("text, words", [
    (HEAD + "  x: {typ: string}\n", ["unknown key 'typ'", "did you mean 'type'?", "thing.yaml:6:7"]),
    (HEAD + "  x: strin\n", ["unknown type 'strin'", "did you mean 'string'?"]),
    (HEAD + "  x: {type: string, on_change: recreate}\n", ["'on_change' cannot be 'recreate'", "replace"]),
    (HEAD + "  x: {type: int, default: many}\n", ["no value of type int"]),
    (HEAD + "  x: {type: string, of: string}\n", ["'of' belongs to a list or a map"]),
    (HEAD + "  x: {type: string, to: [thing]}\n", ["belong to a ref"]),
    (HEAD + "  x: {type: string, required: true, computed: true}\n", ["cannot be required"]),
    (HEAD + "  x: {type: string, computed: true, changes_with: [y]}\n", ["'y' is not an attribute"]),
    (HEAD + "  x: {type: ref, to: [thing], ref_attr: arn}\n", ["kind 'thing' has no attribute 'arn'"]),
    (HEAD + "  after: string\n", ["key of every resource"]),
    (HEAD + "  X: string\n", ["must be of a-z"]),
    (HEAD.replace("identity: name", "identity: id"), ["'id' is not an attribute"]),
    (HEAD.replace("kind: thing", "kind: other"), ["must say 'kind: thing'"]),
    (HEAD.replace("summary: a thing\n", ""), ["needs summary"]),
    (HEAD + "  name: string\n", ["duplicate key 'name'"]),
])
def test_a_wrong_schema_is_refused(tmp_path, text, words):
    done = compile_kind(tmp_path, text)
    assert done.returncode == 1
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "schemas.c").exists()

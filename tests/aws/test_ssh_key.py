"""kind ssh_key on AWS: there is no such thing there, so state has the key, and only its file can go astray."""

import os
import stat

import pytest

STACK = """stack: city
provider: aws
resources:
  mine: {kind: ssh_key, comment: city}
"""
FILE = ".sf/city/aws/secrets/mine"


@pytest.fixture
def city(aws):
    aws.write("stack.yaml", STACK)
    return aws


def printed(ws, path=FILE):
    """What ssh-keygen says of a key file: its fingerprint."""
    return ws.ok("ssh-keygen", "-l", "-f", ws.path(path)).out.split()[1]


def test_a_key_is_made_without_asking_aws_for_anything(city):
    calls = city.calls_of("sfapply", "-auto-approve")
    assert {call["action"] for call in calls} <= {"GetCallerIdentity"}
    shown = city.show("ssh_key.mine")
    assert shown["fingerprint"] == printed(city) and shown["public_key"].endswith(" city")
    assert stat.S_IMODE(os.stat(city.path(FILE)).st_mode) == 0o600
    assert "PRIVATE KEY" in city.read(FILE) and "PRIVATE KEY" not in city.state_dump()
    assert city.changes() == {} and city.drift() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert not os.path.exists(city.path(FILE)) and city.recorded() == []


@pytest.mark.parametrize("harm", [lambda p: os.unlink(p), lambda p: os.chmod(p, 0o644), lambda p: open(p, "a").write("x")])
def test_a_private_file_that_is_lost_or_changed_is_put_back(city, harm):
    city.apply()
    before = printed(city)
    harm(city.path(FILE))
    assert city.drift() == city.changes() == {"ssh_key.mine": "update"}
    city.apply()
    assert printed(city) == before == city.show("ssh_key.mine")["fingerprint"]
    assert stat.S_IMODE(os.stat(city.path(FILE)).st_mode) == 0o600
    assert city.changes() == {}


@pytest.mark.parametrize("new", ["algorithm: rsa, bits: 2048", "comment: town", "algorithm: rsa, bits: 2048, format: pem"])
def test_every_attribute_is_another_key(city, new):
    city.apply()
    before = printed(city)
    city.edit("stack.yaml", ("comment: city", new))
    assert city.changes() == {"ssh_key.mine": "replace"}
    city.apply()
    assert printed(city) == city.show("ssh_key.mine")["fingerprint"] != before
    assert ("BEGIN RSA" in city.read(FILE)) == ("pem" in new)
    assert city.changes() == {}


def test_an_imported_key_has_a_public_half_only(city):
    city.ok("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "somebody", "-f", city.path("theirs"))
    public = city.read("theirs.pub").strip()
    city.edit("stack.yaml", ("comment: city", f'public_key: "{public}"'))
    city.apply()
    shown = city.show("ssh_key.mine")
    assert shown["public_key"] == public and shown["fingerprint"] == printed(city, "theirs") and shown["comment"] == "somebody"
    assert "private_key_file" not in shown and not os.path.exists(city.path(FILE))
    assert city.changes() == {}
    city.ok("sfdestroy", "-auto-approve")
    assert os.path.exists(city.path("theirs"))


def test_a_renamed_key_stays_and_its_file_goes_along(city):
    city.apply()
    before = printed(city)
    city.edit("stack.yaml", ("  mine:", "  yours:"))
    city.write("stack.yaml", city.read("stack.yaml") + "moved: [{from: mine, to: yours}]\n")
    city.apply()
    assert printed(city, ".sf/city/aws/secrets/yours") == before and not os.path.exists(city.path(FILE))
    assert city.changes() == {}


def test_a_private_key_given_as_a_public_one_is_refused_without_repeating_it(city):
    city.edit("stack.yaml", ("comment: city", 'public_key: "-----BEGIN OPENSSH PRIVATE KEY----- c2VjcmV0"'))
    refused = city.refuse(65, "sfplan")
    assert "private key where a public key belongs" in refused.err and "c2VjcmV0" not in refused.out.replace(city.read("stack.yaml"), "")

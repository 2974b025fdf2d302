"""The AWS test server's SFTP endpoints: OpenSSH's sftp on one side, boto3 on the other."""

import ctypes
import ctypes.util
import glob
import json
import os
import shutil
import socket
import subprocess

import pytest
from server_client import code_of, done, make_bucket, make_key, make_server, server, set_up, trust  # noqa: F401  (server is a fixture)

# ruff: noqa: F811

NEEDED = ("sftp", "ssh-keyscan")
BUCKET = "arn:aws:s3:::sf-landing"
ALL = [{"Effect": "Allow", "Action": "s3:*", "Resource": [BUCKET, BUCKET + "/*"]}]
OLD_POLICY = "TransferSecurityPolicy-2022-03"


@pytest.fixture
def sftp_process(sftp_aws_server):
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        pytest.skip(f"{', '.join(missing)}: not installed")
    return sftp_aws_server


class Site:
    """A Transfer server with a bucket, and an SFTP client with a key."""

    def __init__(self, process, folder):
        self.process, self.folder = process, folder
        process.control("POST", "reset")
        make_bucket(process)
        make_key(folder, "-t", "ed25519")
        self.public = (folder / "key.pub").read_text()
        self.id = make_server(process)
        done(process, "transfer", "describe_server", ServerId=self.id)
        self.role = self.add_role("sf-upload", ALL)

    def add_role(self, name, statements, who="transfer.amazonaws.com"):
        arn = done(self.process, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust(who))["Role"]["Arn"]
        self.allow(name, statements)
        return arn

    def allow(self, name, statements):
        done(self.process, "iam", "put_role_policy", RoleName=name, PolicyName="p",
             PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def add_user(self, name="city", **more):
        place = {"HomeDirectoryType": "LOGICAL", "HomeDirectoryMappings": [{"Entry": "/", "Target": "/sf-landing"}]}
        if "HomeDirectory" in more:
            place = {}
        done(self.process, "transfer", "create_user", **{"ServerId": self.id, "UserName": name, "Role": self.role,
                                                         "SshPublicKeyBody": self.public, **place, **more})

    def port(self):
        return self.process.control("GET", "sftp")[self.id]["port"]

    def sftp(self, *commands, user="city", options=()):
        """(whether all went well, output, errors)"""
        argv = ["sftp", "-q", "-b", "-", "-i", str(self.folder / "key"), "-P", str(self.port()), "-oStrictHostKeyChecking=no",
                "-oUserKnownHostsFile=/dev/null", "-oIdentitiesOnly=yes", "-oPasswordAuthentication=no", *options, f"{user}@127.0.0.1"]
        run = subprocess.run(argv, input="\n".join(commands) + "\n", capture_output=True, text=True)
        return run.returncode == 0 and "Permission denied" not in run.stderr, "\n".join(line for line in run.stdout.splitlines() if not line.startswith("sftp>")).strip(), run.stderr

    def file(self, name, text):
        (self.folder / name).write_text(text)
        return str(self.folder / name)

    def objects(self):
        found = done(self.process, "s3", "list_objects_v2", Bucket="sf-landing").get("Contents", [])
        return [thing["Key"] for thing in found]

    def put(self, key, body):
        done(self.process, "s3", "put_object", Bucket="sf-landing", Key=key, Body=body)

    def get(self, key):
        return done(self.process, "s3", "get_object", Bucket="sf-landing", Key=key)["Body"]


@pytest.fixture
def site(sftp_process, tmp_path):
    yield Site(sftp_process, tmp_path)
    assert sftp_process.control("GET", "problems") == []


def test_files_are_objects_and_objects_are_files(site):
    site.add_user()
    assert site.sftp(f"put {site.file('a.csv', 'one')} a.csv")[0]
    assert site.objects() == ["a.csv"] and site.get("a.csv") == "one"
    site.put("in/2020/b.csv", "two")
    good, out, _ = site.sftp("ls in/2020", f"get in/2020/b.csv {site.folder}/b", "rename a.csv in/c.csv", "mkdir new")
    assert good and out == "in/2020/b.csv" and (site.folder / "b").read_text() == "two"
    assert site.objects() == ["in/2020/b.csv", "in/c.csv", "new/"]
    assert site.sftp("rm in/2020/b.csv", "rmdir new", f"put {site.file('a.csv', 'other')} in/c.csv")[0]
    assert site.objects() == ["in/c.csv"] and site.get("in/c.csv") == "other"
    done(site.process, "s3", "delete_object", Bucket="sf-landing", Key="in/c.csv")
    assert not site.sftp("ls in/c.csv")[0]


def test_a_large_file_arrives_whole(site):
    site.add_user()
    path = site.folder / "large"
    path.write_bytes(os.urandom(1 << 20) * 20)
    assert site.sftp(f"put {path} large")[0]
    assert done(site.process, "s3", "head_object", Bucket="sf-landing", Key="large")["ContentLength"] == 20 << 20


@pytest.mark.parametrize("mappings, there, key", [
    ([{"Entry": "/", "Target": "/sf-landing/home"}], "/a", "home/a"),
    ([{"Entry": "/up", "Target": "/sf-landing/in"}, {"Entry": "/down", "Target": "/sf-landing/out"}], "/up/a", "in/a"),
    ([{"Entry": "/", "Target": "/sf-landing/users/${transfer:UserName}"}], "/x/a", "users/city/x/a")])
def test_logical_homes(site, mappings, there, key):
    site.add_user(HomeDirectoryMappings=mappings)
    if there == "/x/a":
        assert site.sftp("mkdir x")[0]
    good, out, error = site.sftp("pwd", f"put {site.file('a', 'x')} {there}")
    assert good and "Remote working directory: /" in out, error
    assert key in site.objects()


def test_a_path_home_shows_where_it_is(site):
    site.add_user(HomeDirectory="/sf-landing/in", HomeDirectoryType="PATH")
    good, out, _ = site.sftp("pwd", f"put {site.file('a', 'x')} a")
    assert good and "Remote working directory: /sf-landing/in" in out and site.objects() == ["in/a"]


# verbs that a role is given -> the commands that then work, of all below
COMMANDS = {"ls": "ls", "get": "get have.csv got", "put": "put a.csv new.csv", "over": "put a.csv have.csv", "mkdir": "mkdir d",
            "rm": "rm more.csv", "rename": "rename have.csv moved.csv", "chmod": "chmod 600 have.csv", "symlink": "symlink have.csv link"}
RIGHTS = [({"ListBucket"}, {"ls"}), ({"GetObject"}, {"get"}), ({"PutObject"}, {"put", "over", "mkdir"}), ({"DeleteObject"}, set()),  # rm looks first
          ({"ListBucket", "DeleteObject"}, {"ls", "rm"}),
          ({"GetObject", "PutObject", "DeleteObject", "ListBucket"}, {"ls", "get", "put", "over", "mkdir", "rm", "rename"})]


@pytest.mark.parametrize("actions, works", RIGHTS)
def test_a_user_may_do_what_its_role_may(site, actions, works):
    site.allow("sf-upload", [{"Effect": "Allow", "Action": [f"s3:{name}" for name in sorted(actions)], "Resource": [BUCKET, BUCKET + "/*"]}])
    site.add_user()
    site.file("a.csv", "text")
    done_by = set()
    for name, command in COMMANDS.items():
        for key in ("have.csv", "more.csv"):
            site.put(key, "as it was")
        for key in set(site.objects()) - {"have.csv", "more.csv"}:
            done(site.process, "s3", "delete_object", Bucket="sf-landing", Key=key)
        before = {key: site.get(key) for key in site.objects()}
        command = command.replace("a.csv ", f"{site.folder}/a.csv ").replace(" got", f" {site.folder}/got")
        if site.sftp(command)[0]:
            done_by.add(name)
        else:
            assert {key: site.get(key) for key in site.objects()} == before, name
    assert done_by == works


def test_rights_differ_by_prefix(site):
    site.allow("sf-upload", [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [BUCKET, BUCKET + "/*"]},
                             {"Effect": "Allow", "Action": "s3:PutObject", "Resource": BUCKET + "/in/*"},
                             {"Effect": "Deny", "Action": "s3:GetObject", "Resource": BUCKET + "/secret/*"}])
    site.put("secret/x", "x")
    site.put("open/x", "x")
    site.add_user()
    here = site.file("a", "x")
    assert site.sftp(f"put {here} in/a")[0] and not site.sftp(f"put {here} a")[0] and not site.sftp(f"put {here} open/a")[0]
    assert site.sftp(f"get open/x {here}")[0] and not site.sftp(f"get secret/x {here}")[0]
    site.allow("sf-upload", [{"Effect": "Allow", "Action": "s3:ListBucket", "Resource": BUCKET}])  # a change holds at once
    assert not site.sftp(f"put {here} in/b")[0]


def test_a_session_policy_takes_away(site):
    scope = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": BUCKET + "/users/${transfer:UserName}/*"}]}
    site.add_user(Policy=json.dumps(scope))
    here = site.file("a", "x")
    assert site.sftp(f"put {here} users/city/a")[0] and not site.sftp(f"put {here} a")[0]


def test_attributes_can_be_set_where_that_is_a_no_op(site):
    site.add_user()
    site.put("a", "x")
    assert not site.sftp("chmod 600 a")[0]
    done(site.process, "transfer", "update_server", ServerId=site.id, ProtocolDetails={"SetStatOption": "ENABLE_NO_OP"})
    assert site.sftp("chmod 600 a")[0] and site.get("a") == "x"


def test_who_gets_in(site):
    other = site.add_role("sf-redshift", ALL, "redshift.amazonaws.com")
    site.add_user()
    site.add_user("untrusted", Role=other)
    assert site.sftp("ls")[0]
    assert not site.sftp("ls", user="untrusted")[0] and not site.sftp("ls", user="nobody")[0]
    keys = done(site.process, "transfer", "describe_user", ServerId=site.id, UserName="city")["User"]["SshPublicKeys"]
    done(site.process, "transfer", "delete_ssh_public_key", ServerId=site.id, UserName="city", SshPublicKeyId=keys[0]["SshPublicKeyId"])
    assert not site.sftp("ls")[0]
    done(site.process, "transfer", "import_ssh_public_key", ServerId=site.id, UserName="city", SshPublicKeyBody=site.public)
    assert site.sftp("ls")[0]
    done(site.process, "transfer", "delete_user", ServerId=site.id, UserName="city")
    assert not site.sftp("ls")[0]


def test_users_do_not_see_each_other(site):
    site.add_user(HomeDirectoryMappings=[{"Entry": "/", "Target": "/sf-landing/a"}])
    site.add_user("guest", HomeDirectoryMappings=[{"Entry": "/", "Target": "/sf-landing/b"}], Role=site.add_role("sf-read", [
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [BUCKET, BUCKET + "/*"]}]))
    here = site.file("a", "x")
    assert site.sftp(f"put {here} f")[0] and not site.sftp(f"put {here} f", user="guest")[0]
    assert site.sftp("ls", user="guest")[1] == "" and not site.sftp("get ../a/f", user="guest")[0]


# --- faults ---


@pytest.mark.parametrize("after", [1 << 20, 5 << 20])
def test_a_transfer_can_break_off(site, after):
    site.add_user()
    path = site.folder / "large"
    path.write_bytes(b"x" * (20 << 20))
    set_up(site.process, sftp_faults=[{"fault": "cut", "after_bytes": after, "times": 1}])
    assert not site.sftp(f"put {path} large")[0]
    size = done(site.process, "s3", "head_object", Bucket="sf-landing", Key="large")["ContentLength"] if site.objects() else 0
    assert size < 20 << 20
    assert site.sftp(f"put {path} large")[0]
    assert done(site.process, "s3", "head_object", Bucket="sf-landing", Key="large")["ContentLength"] == 20 << 20


def test_a_transfer_can_stall(site):
    site.add_user()
    path = site.folder / "large"
    path.write_bytes(b"x" * (20 << 20))
    set_up(site.process, sftp_faults=[{"fault": "stall", "after_bytes": 1 << 20, "times": 1}])
    assert not site.sftp(f"put {path} large", options=("-oServerAliveInterval=1", "-oServerAliveCountMax=1"))[0]


# --- security policies ---

ETM = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"]


def test_security_policies_tell_their_algorithms(server):
    names = done(server, "transfer", "list_security_policies")["SecurityPolicyNames"]
    shown = {name.removeprefix("TransferSecurityPolicy-"): done(server, "transfer", "describe_security_policy",
                                                                SecurityPolicyName=name)["SecurityPolicy"] for name in names}
    assert sorted(shown["2024-01"]["SshMacs"]) == ETM and "hmac-sha2-256" in shown["2022-03"]["SshMacs"]
    assert "diffie-hellman-group14-sha1" in shown["2018-11"]["SshKexs"] and "mlkem768x25519-sha256" in shown["2025-03"]["SshKexs"]
    assert "chacha20-poly1305@openssh.com" not in shown["Restricted-2020-06"]["SshCiphers"]
    assert {name for name, policy in shown.items() if policy["Fips"]} == {name for name in shown if "FIPS" in name}
    assert all(policy["Protocols"] == ["SFTP", "FTPS"] and policy["TlsCiphers"] for policy in shown.values())
    assert code_of(server, "transfer", "describe_security_policy", SecurityPolicyName="TransferSecurityPolicy-1999-01") is not None


def test_an_endpoint_has_the_algorithms_of_its_policy(site):
    site.add_user()
    assert site.sftp("ls", options=("-oMACs=hmac-sha2-256-etm@openssh.com", "-oCiphers=aes256-ctr"))[0]
    plain = ("-oMACs=hmac-sha2-256", "-oCiphers=aes256-ctr")
    assert not site.sftp("ls", options=plain)[0]
    done(site.process, "transfer", "update_server", ServerId=site.id, SecurityPolicyName=OLD_POLICY)
    assert site.sftp("ls", options=plain)[0] and not site.sftp("ls", options=("-oKexAlgorithms=ecdh-sha2-nistp256",))[0]


def test_what_libssh2_meets(site):
    """libssh2 before 1.11 has no encrypt-then-MAC: the default policy is not for it, 2022-03 is."""
    name = ctypes.util.find_library("ssh2")
    if not name:
        pytest.skip("libssh2 is not installed")
    library = ctypes.CDLL(name)
    library.libssh2_version.restype = ctypes.c_char_p
    if library.libssh2_version(0x010B00):
        pytest.skip("libssh2 1.11 or newer has the algorithms")
    assert handshake(library, site.port()) < 0
    done(site.process, "transfer", "update_server", ServerId=site.id, HostKey=make_key(site.folder, "-t", "ed25519")[0],
         SecurityPolicyName=OLD_POLICY)
    assert handshake(library, site.port()) == 0


def handshake(library, port):
    library.libssh2_session_init_ex.restype = ctypes.c_void_p
    library.libssh2_session_handshake.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.libssh2_session_free.argtypes = [ctypes.c_void_p]
    library.libssh2_init(0)
    session = library.libssh2_session_init_ex(None, None, None, None)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        code = library.libssh2_session_handshake(session, connection.fileno())
    library.libssh2_session_free(session)
    return code


# --- processes ---


def folder_of(site):
    """Where the server's ProFTPD has its files: one of the same id may belong to another test server, for ids are not drawn at random."""
    pids = [pid for path in glob.glob(f"/proc/{site.process.process.pid}/task/*/children") for pid in open(path).read().split()]
    opened = [os.readlink(path) for pid in pids for path in glob.glob(f"/proc/{pid}/fd/*")]
    return next(os.path.dirname(path) for path in opened if f"/{site.id}/" in path)


def test_endpoints_go_with_their_servers(site):
    site.add_user()
    folder = folder_of(site)
    assert os.path.isdir(folder)
    done(site.process, "transfer", "stop_server", ServerId=site.id)
    done(site.process, "transfer", "describe_server", ServerId=site.id)
    assert site.process.control("GET", "sftp") == {} and not os.path.exists(folder)
    done(site.process, "transfer", "start_server", ServerId=site.id)
    done(site.process, "transfer", "describe_server", ServerId=site.id)
    assert site.sftp("ls")[0]

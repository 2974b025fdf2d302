"""Every SFTP verb against a real ProFTPD, allowed and denied, for every combination of rights.

A <Limit> that silently does not apply is a hole, so nothing is taken from documentation: for each of the sixteen
combinations of list, get, put and delete there is a directory, and every verb is tried in it and the bucket compared with
what it was. The raw client sends what no polite client sends; OpenSSH's sftp and libssh2 follow for what they can do.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

from sftp_raw import APPEND, CREAT, EXCL, READ, TRUNC, WRITE
from sftp_site import Site, build_harness

ALL = ("list", "get", "put", "delete")
COMBINATIONS = [set(c) for n in range(5) for c in itertools.combinations(ALL, n)]
DENIED = ("PERMISSION_DENIED", "FAILURE", "OP_UNSUPPORTED", "EOF", "NO_SUCH_FILE", "BAD_MESSAGE")


def name_of(rights):
    return "-".join(r for r in ALL if r in rights) or "nothing"


def grant(prefix, *verbs, may_list=None):
    row = {"prefix": prefix, "verbs": list(verbs)}
    if may_list is not None:
        row["may_list"] = may_list
    return row


@pytest.fixture(scope="module")
def harness():
    """In a directory that every account can enter: pytest's own are closed."""
    where = tempfile.mkdtemp(prefix="sf-harness-", dir="/var/tmp")
    os.chmod(where, 0o755)
    try:
        yield build_harness(where)
    finally:
        shutil.rmtree(where)


@pytest.fixture(scope="module")
def site(harness):
    """A bucket with a directory for every combination of rights; `mixed` holds them all, and in `deep` two levels down."""
    site = Site(harness)
    try:
        grants = [grant("", may_list=True)]
        for rights in COMBINATIONS:
            grants.append(grant(f"{name_of(rights)}/", *rights))
            grants.append(grant(f"deep/er/{name_of(rights)}/", *rights))
        everything = [grant("", *ALL)]
        site.key("rsa4096", "rsa")
        site.start([
            {"name": "mixed", "bucket": "landing", "grants": grants, "keys": ["mixed", "rsa4096"]},
            {"name": "owner", "bucket": "landing", "grants": everything},
            {"name": "mover", "bucket": "moves", "grants": [grant("", "put", "delete")]},
            {"name": "below", "bucket": "landing", "prefix": "deep/er/", "grants": grants},
            {"name": "holes", "bucket": "holes",
             "grants": [grant("", *ALL), grant("secret/"), grant("lib/"), grant("a/b/keep/", "list", "get")]},
            {"name": "other", "bucket": "other", "grants": everything},
            {"name": "names", "bucket": "names",
             "grants": [grant("", *ALL), grant("free/", *ALL), grant("x/y[1]/", "list"), grant("two words/", "list", "get"),
                        grant("été/", "list")]},
            {"name": "liar", "bucket": "liar",
             "grants": [grant("", may_list=False), grant("open/", *ALL), grant(site.data("liar")[1:] + "/", "put")]},
        ])
        yield site
    finally:
        site.close()


def may_move(rights, everywhere=ALL):
    lost = set(everywhere) - set(rights)
    return "delete" in rights and "put" in rights and not lost & {"get", "list"}


# Verb -> (what it needs, how it is tried on a directory `d` that holds the file `f` and the empty directory `e`)
VERBS = {
    "ls": ("list", lambda r, d: r.ls(d)[0]),
    "stat": ("list|get", lambda r, d: r.stat(f"{d}/f")[0]),
    "lstat": ("list|get", lambda r, d: r.lstat(f"{d}/f")[0]),
    "get": ("get", lambda r, d: r.get(f"{d}/f")[0]),
    "put a new file": ("put", lambda r, d: r.put(f"{d}/new")),
    "put only if absent": ("put", lambda r, d: r.put(f"{d}/new", flags=WRITE | CREAT | EXCL)),
    "overwrite": ("put", lambda r, d: r.put(f"{d}/f")),
    "append": ("put", lambda r, d: r.put(f"{d}/f", flags=WRITE | APPEND)),
    "append without saying write": ("put", lambda r, d: r.put(f"{d}/f", flags=APPEND)),
    "resume": ("put", lambda r, d: r.put(f"{d}/f", flags=WRITE)),
    "write through a read-write handle": ("put", lambda r, d: r.put(f"{d}/f", flags=READ | WRITE)),
    "truncate": ("put", lambda r, d: r.setstat(f"{d}/f", size=0)),
    "mkdir": ("put", lambda r, d: r.mkdir(f"{d}/newdir")),
    "rm": ("delete", lambda r, d: r.remove(f"{d}/f")),
    "rmdir": ("delete", lambda r, d: r.rmdir(f"{d}/e")),
    "rename": ("move", lambda r, d: r.rename(f"{d}/f", f"{d}/g")),
    "posix-rename": ("move", lambda r, d: r.extended("posix-rename@openssh.com", f"{d}/f", f"{d}/g")[0]),
    "rename a directory": ("move", lambda r, d: r.rename(f"{d}/e", f"{d}/e2")),
    # never, whatever the rights: no object store has them, or ProFTPD does not check them
    "truncate by opening to read": ("never", lambda r, d: r.put(f"{d}/f", flags=READ | TRUNC)),
    "truncate by opening for nothing": ("never", lambda r, d: r.put(f"{d}/f", flags=TRUNC)),
    "create by opening to read": ("never", lambda r, d: r.put(f"{d}/new", flags=READ | CREAT)),
    "create by opening for nothing": ("never", lambda r, d: r.put(f"{d}/new", flags=CREAT | EXCL)),
    "symlink": ("never", lambda r, d: r.symlink("f", f"{d}/l")),
    "symlink, arguments swapped": ("never", lambda r, d: r.symlink(f"{d}/l", "f")),
    "hard link": ("never", lambda r, d: r.extended("hardlink@openssh.com", f"{d}/f", f"{d}/h")[0]),
    "link of a later version": ("never", lambda r, d: r.link21(f"{d}/h", f"{d}/f", False)),
    "symlink of a later version": ("never", lambda r, d: r.link21(f"{d}/h", f"{d}/f", True)),
    "readlink": ("never", lambda r, d: r.readlink(f"{d}/f")[0]),
    "copy-file": ("never", lambda r, d: r.extended("copy-file", f"{d}/f", f"{d}/c", "\0")[0]),
    "copy-data": ("never", lambda r, d: r.extended("copy-data", f"{d}/f", f"{d}/c")[0]),
    "check-file": ("never", lambda r, d: r.extended("check-file-name", f"{d}/f", "sha1", "\0" * 16)[0]),
    "set an attribute": ("never", lambda r, d: r.extended("setxattr@proftpd.org", f"{d}/f", "user.a", "b")[0]),
    "an upload with our temporary prefix": ("never", lambda r, d: r.put(f"{d}/.sfstack-0")),
}


def is_allowed(need, rights):
    if need == "never":
        return False
    if need == "move":
        return may_move(rights)
    return bool(set(need.split("|")) & set(rights))


def fill(site, place):
    os.makedirs(f"{site.data('landing')}/{place}/e", exist_ok=True)
    site.write("landing", f"{place}/f", "secret")


@pytest.mark.parametrize("where", ["", "deep/er/"])
@pytest.mark.parametrize("rights", COMBINATIONS, ids=name_of)
def test_each_verb_does_what_the_rights_say_and_no_more(site, rights, where):
    place = where + name_of(rights)
    wrong = []
    with site.raw("mixed") as raw:
        assert raw.ok, raw.error
        for verb, (need, attempt) in VERBS.items():
            site.clear("landing", place)
            fill(site, place)
            before = site.tree("landing")
            status = attempt(raw, "/" + place)
            changed = site.tree("landing") != before
            allowed = is_allowed(need, rights)
            looks = need in ("list", "get", "list|get")
            if (status == "OK") != allowed or (not allowed and (status not in DENIED or changed)) or (allowed and not looks and not changed):
                wrong.append((verb, status, "changed" if changed else "unchanged"))
    assert not wrong, (name_of(rights), wrong, site.log()[-3000:])


@pytest.mark.parametrize("rights", COMBINATIONS, ids=name_of)
def test_reading_through_a_handle_opened_to_write_needs_get(site, rights):
    place = name_of(rights)
    fill(site, place)
    with site.raw("mixed") as raw:
        status, handle = raw.open(f"/{place}/f", READ | WRITE)
        assert (status == "OK") == ("put" in rights)
        if status == "OK":
            status, data = raw.read(handle)
            assert (status, data) == (("OK", b"secret") if "get" in rights else ("PERMISSION_DENIED", None))


@pytest.mark.parametrize("rights", COMBINATIONS, ids=name_of)
def test_chmod_is_accepted_for_those_who_may_put_and_changes_nothing(site, rights):
    place = name_of(rights)
    fill(site, place)
    before = site.tree("landing")
    with site.raw("mixed") as raw:
        assert (raw.setstat(f"/{place}/f", mode=0o777) == "OK") == ("put" in rights)
        status, handle = raw.open(f"/{place}/f", WRITE)
        if status == "OK":
            assert raw.fsetstat(handle, mode=0o777) == "OK"
    assert site.tree("landing") == before


@pytest.mark.parametrize("rights", COMBINATIONS, ids=name_of)
def test_openssh_and_libssh2_agree_with_the_rights(site, rights, tmp_path):
    place = name_of(rights)
    local = tmp_path / "local"
    local.write_text("uploaded")
    home = site.data("landing") + "/" + place

    def there(name):
        return os.path.exists(f"{home}/{name}")

    site.clear("landing", place)
    fill(site, place)
    site.openssh("mixed", f"put {local} /{place}/by_sftp", f"put -p {local} /{place}/by_sftp_p", f"get /{place}/f {tmp_path}/got",
                 f"mkdir /{place}/made", f"reput {local} /{place}/f")
    assert there("by_sftp") == there("by_sftp_p") == there("made") == ("put" in rights)
    assert os.path.exists(tmp_path / "got") == ("get" in rights)
    # the shapes of sftp's own errors do not matter, what is there does
    site.openssh("mixed", f"rename /{place}/by_sftp /{place}/moved", f"rmdir /{place}/e", f"rm /{place}/f",
                 f"ln -s f /{place}/soft", f"ln f /{place}/hard")
    assert there("moved") == may_move(rights)
    assert there("f") == there("e") == ("delete" not in rights)
    assert not os.path.lexists(f"{home}/soft") and not there("hard")
    fill(site, place)
    login, put, putfile, get, ls, stat, mkdir, rmdir, remove = site.libssh2(
        "mixed", ("put", f"/{place}/bytes", "abc"), ("putfile", f"/{place}/file", str(local)), ("get", f"/{place}/f"),
        ("ls", f"/{place}"), ("stat", f"/{place}/f"), ("mkdir", f"/{place}/dir"), ("rmdir", f"/{place}/e"), ("rm", f"/{place}/f"))
    assert login[0] == "OK"
    for answer, need in ((put, "put"), (putfile, "put"), (get, "get"), (ls, "list"), (stat, "list|get"), (mkdir, "put"),
                         (rmdir, "delete"), (remove, "delete")):
        assert answer[0] == ("OK" if is_allowed(need, rights) else "DENIED"), (need, answer)
        if answer[0] == "DENIED":
            assert f"127.0.0.1:{site.port}" in answer[1] and "SSH_FX_PERMISSION_DENIED" in answer[1]


def test_put_and_delete_alone_can_rename(site):
    site.write("moves", "a", "1")
    site.write("moves", "d/x", "2")
    with site.raw("mover") as raw:
        assert raw.rename("/a", "/b") == "OK"
        assert raw.rename("/d", "/c") == "OK"
        assert raw.get("/b")[0] == "PERMISSION_DENIED"
    assert sorted(site.tree("moves")) == ["b", "c", "c/x"]


def test_moving_does_not_open_a_file_to_other_rights(site):
    """put-delete may not be read: so nothing leaves it for a place that may."""
    fill(site, "put-delete")
    os.makedirs(f"{site.data('landing')}/list-get-put-delete", exist_ok=True)
    site.give_away()
    with site.raw("mixed") as raw:
        for verb in (raw.rename, lambda a, b: raw.extended("posix-rename@openssh.com", a, b)[0]):
            assert verb("/put-delete/f", "/list-get-put-delete/f2") == "PERMISSION_DENIED"


def test_a_directory_that_holds_other_rights_is_neither_moved_nor_replaced(site):
    for key in ("secret/f", "a/b/keep/f", "a/b/f", "free/f"):
        site.write("holes", key, key)
    before = site.tree("holes")
    with site.raw("holes") as raw:
        for old, new in (("/secret", "/free/s"), ("/a", "/free/a"), ("/a/b", "/free/b"), ("/free", "/secret"), ("/free", "/a/b/keep"),
                         ("/free", "/a/b"), ("/free", "/a")):
            assert raw.rename(old, new) != "OK", (old, new)
            assert raw.extended("posix-rename@openssh.com", old, new)[0] != "OK", (old, new)
        assert raw.rename("/free", "/free2") == "OK" and raw.rename("/free2", "/free") == "OK"
    assert site.tree("holes") == before


@pytest.mark.parametrize("path", ["/free/../secret/f", "/secret//f", "//secret/f", "/./secret/./f", "secret/f", "free/../secret/f",
                                  "/../secret/f", "/secret/f/.", "~/secret/f", "/free/../../../../../../etc/passwd", "/etc/passwd",
                                  "../../../../../../etc/passwd", "/lib/f", "/lib/../secret/f"])
def test_no_spelling_of_a_path_leads_around_a_rule_or_out_of_the_bucket(site, path):
    for key in ("secret/f", "lib/f", "free/f"):
        site.write("holes", key, "hidden")
    before = site.tree("holes")
    with site.raw("holes") as raw:
        status, data = raw.get(path)
        assert status != "OK", (path, data)
        assert raw.put(path) != "OK"
        assert raw.setstat(path, size=0) != "OK"
        assert raw.remove(path) != "OK"
        assert raw.rename(path, "/free/stolen") != "OK"
        assert raw.put(path, flags=READ | TRUNC) != "OK"
    assert site.tree("holes") == before


def test_dot_dot_stays_in_the_bucket(site):
    with site.raw("holes") as raw:
        assert raw.realpath("/../../..") == ("OK", ["/"])
        assert raw.realpath("/free/../..") == ("OK", ["/"])
        assert site.dir not in str(raw.realpath("."))
        # with all rights at the root, a path that leaves the bucket by its spelling lands in it
        assert raw.put("/../../landed") == "OK"
    assert "landed" in site.tree("holes")


def test_links_that_lie_in_a_bucket_lead_nowhere(site):
    """Nobody can make one over SFTP, but a person with a shell can. Not covered, since ProFTPD follows them: links to what the
    server itself must read (/usr, /etc/passwd), and links by real path to another place below buckets/."""
    outside = f"{site.dir}/outside"
    os.makedirs(outside, exist_ok=True)
    with open(f"{outside}/f", "w") as file:
        file.write("not yours")
    subprocess.run(["chmod", "-R", "a+rwX", outside], check=True)
    site.write("holes", "secret/f", "hidden")
    site.write("holes", "free/plain", "mine")
    data = site.data("holes")
    links = {"out": f"{outside}/f", "outdir": outside, "in": "../secret/f", "indir": "../secret", "etc": "/etc", "up": "../../../..",
             "abs": "/secret/f", "absdir": "/secret", "conf": f"{site.dir}/srv"}
    for name, target in links.items():
        if not os.path.islink(f"{data}/free/{name}"):
            os.symlink(target, f"{data}/free/{name}")
    site.give_away()
    before = site.tree("holes")
    paths = ["out", "outdir/f", "in", "indir/f", "etc/hostname", "up/etc/hostname", "abs", "absdir/f"]
    with site.raw("holes") as raw:
        for path in paths:
            assert raw.get(f"/free/{path}")[0] != "OK", path
            for flags in (WRITE | CREAT | TRUNC, WRITE | APPEND, READ | WRITE, READ | TRUNC, READ | CREAT):
                assert raw.put(f"/free/{path}", flags=flags) != "OK", (path, flags)
            assert raw.setstat(f"/free/{path}", size=0) != "OK", path
        assert "srv" not in (raw.ls("/free/up")[1] or []), "the user's own root is as far up as it goes"
        for path in ("outdir", "indir", "etc", "absdir"):
            assert raw.ls(f"/free/{path}")[1] in (None, []), path
            assert raw.put(f"/free/{path}/new") != "OK"
            assert raw.mkdir(f"/free/{path}/newdir") != "OK"
            assert raw.remove(f"/free/{path}/f") != "OK"
    assert site.tree("holes") == before
    assert os.listdir(outside) == ["f"] and open(f"{outside}/f").read() == "not yours"


def test_a_virtual_path_that_spells_a_real_one_gains_nothing(site):
    """Some commands are checked by the real path: keys that look like it must not profit from its rights, nor the other way."""
    real = site.data("liar")
    site.write("liar", "open/f", "open")
    site.write("liar", f"{real[1:]}/open/f", "hidden")
    before = site.tree("liar")
    with site.raw("liar") as raw:
        assert raw.get("/open/f") == ("OK", b"open")
        assert raw.get(f"{real}/open/f")[0] == "PERMISSION_DENIED"
        assert raw.remove(f"{real}/open/f") == "PERMISSION_DENIED"
        assert raw.stat(f"{real}/open/f")[0] == "PERMISSION_DENIED"
        assert raw.ls(f"{real}/open")[0] == "PERMISSION_DENIED"
        assert raw.rename(f"{real}/open/f", "/open/stolen") == "PERMISSION_DENIED"
    assert site.tree("liar") == before


def test_an_uploaded_ftpaccess_file_changes_no_rule(site):
    rule = b"<Limit ALL>\n AllowAll\n</Limit>\n"
    site.write("holes", "secret/f", "hidden")
    with site.raw("holes") as raw:
        assert raw.put("/.ftpaccess", rule) == "OK"
        assert raw.put("/secret/.ftpaccess", rule) == "PERMISSION_DENIED"
    site.write("holes", "secret/.ftpaccess", rule.decode())
    with site.raw("holes") as raw:
        assert raw.get("/secret/f")[0] == "PERMISSION_DENIED"
        assert raw.put("/secret/new") == "PERMISSION_DENIED"
        assert raw.symlink("f", "/l") == "PERMISSION_DENIED"


def test_the_root_itself_cannot_be_removed_or_moved(site):
    with site.raw("other") as raw:
        assert raw.ls("/") == ("OK", [])
        assert raw.rmdir("/") != "OK" and raw.remove("/") != "OK" and raw.rename("/", "/x") != "OK"
    assert os.path.isdir(site.data("other"))


def test_a_right_on_a_directory_is_no_right_on_a_file_of_its_name(site):
    """`put/*` allows the keys below put/, not the key `put`."""
    site.clear("landing", "put")
    site.clear("landing", "delete")
    site.write("landing", "delete", "a file")
    with site.raw("mixed") as raw:
        assert raw.put("/put") == "PERMISSION_DENIED"
        assert raw.remove("/delete") == "PERMISSION_DENIED"
        assert raw.mkdir("/put") == "OK"
    os.unlink(f"{site.data('landing')}/delete")


def test_a_user_below_a_prefix_sees_that_part_only(site):
    for place in ("deep/er/get", "deep/er/put", "get"):
        fill(site, place)
    with site.raw("below") as raw:
        assert raw.get("/get/f") == ("OK", b"secret")
        assert raw.put("/get/f") == "PERMISSION_DENIED"
        assert raw.get("/../../get/f")[0] == "OK"  # is /get/f, not the one above
        assert raw.put("/put/new") == "OK"
        assert raw.get("/deep/er/get/f")[0] != "OK"
    assert os.path.exists(f"{site.data('landing')}/deep/er/put/new")


def test_users_see_their_own_bucket_only(site):
    site.write("other", "f", "theirs")
    site.write("landing", "mine", "mine")
    with site.raw("other") as raw:
        assert raw.ls("/") == ("OK", ["f"])
        assert raw.get("/mine")[0] != "OK"
        assert raw.get(f"{site.data('landing')}/mine")[0] != "OK"
        assert raw.get("/../../landing/data/mine")[0] != "OK"
    os.unlink(f"{site.data('other')}/f")


def test_directories_that_cannot_be_written_as_a_section_take_rights_away(site):
    """x/y[1]/ may only be listed: as a section cannot say so, neither may anything else below x/ be written."""
    for key in ("x/y[1]/f", "x/z/f", "two words/f", "free/f", "été/f"):
        site.write("names", key, "text")
    before = site.tree("names")
    with site.raw("names") as raw:
        assert raw.get("/free/f")[0] == "OK"
        for path in ("/x/y[1]/f", "/x/z/f", "/x/y1/f"):
            assert raw.get(path)[0] != "OK", path
            assert raw.put(path) != "OK" and raw.remove(path) != "OK", path
        assert raw.ls("/x/y[1]") == ("OK", ["f"])
        assert raw.get("/two words/f")[0] == "OK"
        assert raw.put("/two words/f") == "PERMISSION_DENIED"
        assert raw.get("/été/f")[0] == "PERMISSION_DENIED"
        assert raw.ls("/été") == ("OK", ["f"])
    assert site.tree("names") == before


def test_only_version_three_and_few_extensions_are_offered(site):
    with site.raw("owner") as raw:
        assert raw.version == 3
        assert set(raw.extensions) <= {"posix-rename@openssh.com", "fsync@openssh.com"}


def test_rsa_pem_and_ed25519_keys_log_in_with_openssh_and_libssh2(site):
    """mixed holds an RSA 4096 key in PEM beside its ed25519 one."""
    assert "BEGIN RSA PRIVATE KEY" in open(site.keys["rsa4096"]).read()
    for key in ("mixed", "rsa4096"):
        assert site.openssh("mixed", "pwd", key=key).returncode == 0
        assert site.libssh2("mixed", key=key)[0] == ("OK", "")


def test_strangers_are_refused(site):
    site.key("stranger")
    for user, key in (("mixed", "stranger"), ("nobody_here", "mixed"), ("root", "mixed"), ("other", "mixed")):
        assert site.openssh(user, "pwd", key=key).returncode != 0, user
        code, text = site.libssh2(user, key=key)[0]
        assert code == "AUTH" and f"127.0.0.1:{site.port}" in text, (user, text)


def test_a_host_key_other_than_the_pinned_one_ends_the_connection(site):
    code, text = site.libssh2("mixed", ("put", "/put/x", "y"), fingerprint="SHA256:" + "A" * 43)[0]
    assert code == "AUTH" and "host key" in text


@pytest.mark.parametrize("command", [["true"], ["scp", "-t", "/"], ["-W", "127.0.0.1:22"], ["-N", "-R", "0:127.0.0.1:22"]])
def test_nothing_but_sftp_is_served(site, command):
    options = [*site.options("owner"), "-o", "ExitOnForwardFailure=yes", "-p", str(site.port)]
    argv = ["ssh", *options, *command, "owner@127.0.0.1"] if command[0].startswith("-") else \
        ["ssh", *options, "owner@127.0.0.1", *command]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0


def test_no_password_is_ever_asked_for(site):
    done = subprocess.run(["ssh", "-F", "none", "-o", f"UserKnownHostsFile={site.dir}/known_hosts", "-o", "BatchMode=yes",
                           "-o", "PubkeyAuthentication=no", "-p", str(site.port), "owner@127.0.0.1", "-s", "sftp"],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode != 0 and "publickey" in done.stderr and "password" not in done.stderr


def test_a_hundred_files_put_by_libssh2_are_whole(site, tmp_path):
    sizes = [0, 1, 29999, 30000, 30001, 32768, 2 * 1024 * 1024 - 1, 2 * 1024 * 1024, 2 * 1024 * 1024 + 1, 5 * 1024 * 1024 + 7]
    sizes += [1000 + i for i in range(90)]
    commands = []
    for i, size in enumerate(sizes):
        path = tmp_path / f"f{i}"
        path.write_bytes(os.urandom(size))
        commands.append(("putfile", f"/many/of/them/f{i}", str(path)))
    answers = site.libssh2("owner", *commands)
    assert all(code == "OK" for code, _ in answers), [a for a in answers if a[0] != "OK"][:3]
    for i in range(len(sizes)):
        with open(f"{site.data('landing')}/many/of/them/f{i}", "rb") as there:
            assert there.read() == (tmp_path / f"f{i}").read_bytes(), i
    site.clear("landing", "many")


def test_changed_rules_hold_after_a_reload(harness):
    site = Site(harness)
    try:
        site.start([{"name": "someone", "bucket": "b", "grants": [grant("", *ALL)]}])
        with site.raw("someone") as raw:
            assert raw.put("/f") == "OK"
        site.configure([{"name": "someone", "bucket": "b", "grants": [grant("", "list")]}])
        conf = open(f"{site.dir}/srv/proftpd.conf").read()
        wanted = conf.split('ServerIdent on "')[1].split('"')[0]
        os.kill(site.server.pid, signal.SIGHUP)
        while wanted not in subprocess.run(["ssh-keyscan", "-p", str(site.port), "127.0.0.1"], capture_output=True, text=True).stderr:
            assert site.server.poll() is None, site.log()
        with site.raw("someone") as raw:
            assert raw.put("/f") == "PERMISSION_DENIED"
            assert raw.ls("/") == ("OK", ["f"])
    finally:
        site.close()

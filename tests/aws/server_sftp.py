"""A real SFTP server for every ONLINE Transfer server: ProFTPD on a loopback port, over directories that are kept like moto's S3.

It has the server's host keys and the algorithms of its security policy, lets the server's users in with their imported keys, and lets
them do what their roles allow. ProFTPD checks some commands against the path as the user sees it and some against the real one, hence
each area is written both ways. Clients meet a relay (server_relay.py), whose port stays, and which makes the faults.
"""

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import server_policy
import server_ssh_policies
from server_relay import Relay
from server_sftp_tree import Tree, View, is_usable
from server_transfer import Transfer
from server_world import Call

ACCOUNTS = ("_sfstack", "postgres", "nobody")
CONFIG = """\
LoadModule mod_sftp.c
LoadModule mod_vroot.c
ServerName "{server}"
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
UseReverseDNS off
Port {port}
User {user}
Group {group}
ControlsEngine off
DelayEngine off
WtmpLog off
UseLastlog off
LangEngine off
AuthPAM off
UseFtpUsers off
TransferLog none
SystemLog {folder}/log
SFTPLog {folder}/log
PidFile {folder}/pid
ScoreboardFile none
AuthOrder mod_auth_file.c
AuthUserFile {folder}/users
RequireValidShell off
AllowOverride off
AllowOverwrite on
AllowStoreRestart on
Umask 077 077
MaxInstances 100
TimeoutNoTransfer 0
Protocols sftp
VRootEngine on
DefaultRoot {folder}/trees/%u
SFTPEngine on
SFTPAuthMethods publickey
SFTPAuthorizedUserKeys file:{folder}/keys/%u
SFTPMaxChannels 10
SFTPExtensions -checkFile -copyFile -hardlink -homeDirectory -spaceAvailable -statvfs -vendorID -versionSelect
SFTPClientMatch ".*" sftpProtocolVersion 3
SFTPOptions IgnoreSFTPUploadPerms IgnoreSFTPSetPerms IgnoreSFTPSetTimes IgnoreSFTPSetOwners IgnoreFIFOs
SFTPCiphers {ciphers}
SFTPKeyExchanges {exchanges}
SFTPDigests {macs}
<Limit ALL>
  DenyAll
</Limit>
"""
# what mod_sftp 1.3.8 has of a policy's algorithms; chacha20, ML-KEM and Kyber are not among them
KNOWN = {"aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "curve25519-sha256",
         "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521",
         "diffie-hellman-group14-sha1", "diffie-hellman-group14-sha256", "diffie-hellman-group16-sha512",
         "diffie-hellman-group18-sha512", "diffie-hellman-group-exchange-sha256", "hmac-sha1", "hmac-sha1-etm@openssh.com",
         "hmac-sha2-256", "hmac-sha2-256-etm@openssh.com", "hmac-sha2-512", "hmac-sha2-512-etm@openssh.com", "umac-64@openssh.com",
         "umac-64-etm@openssh.com", "umac-128@openssh.com", "umac-128-etm@openssh.com"}
COMMANDS = (  # commands, verbs of which one is needed; no verb: everybody
    ("RETR READ", {"get"}), ("STOR APPE", {"put"}), ("FSTAT", {"list", "get", "put"}),
    ("OPENDIR LIST NLST MLSD MLST READDIR", {"list"}), ("STAT LSTAT", {"list", "get"}), ("REALPATH", None),
    ("MKDIR MKD XMKD", {"put"}), ("REMOVE DELE RMDIR RMD XRMD", {"delete"}), ("RNFR", {"delete"}), ("RNTO RENAME", {"put"}),
    ("SETSTAT FSETSTAT", {"setstat"}),
    ("SYMLINK LINK HARDLINK READLINK LOCK SITE SITE_CHMOD SITE_CHGRP SITE_COPY WRITE DIRS ALL", set()))


def program():
    """Path of ProFTPD, or None; it lies where only root's PATH leads."""
    return shutil.which("proftpd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


def account():
    """Whom ProFTPD runs as: never root."""
    if os.geteuid():
        return pwd.getpwuid(os.geteuid())
    return next(entry for name in ACCOUNTS for entry in pwd.getpwall() if entry.pw_name == name)


class Endpoints:
    def __init__(self, world):
        self.world, self.account = world, account()
        self.folder = tempfile.mkdtemp(prefix="sf-transfer-")
        os.chmod(self.folder, 0o755)
        self.running = {}  # server id -> Endpoint
        if not program():
            raise SystemExit("--sftp needs proftpd with mod_sftp and mod_vroot")
        self.front = Relay(self.newest_port, lambda: None)  # one address for clients that must know it before there is a server
        threading.Thread(target=self.poll, daemon=True).start()

    def newest_port(self):
        """Port of the server that was made last; OSError when there is none."""
        if not self.running:
            raise ConnectionRefusedError("no Transfer server is ONLINE")
        return self.running[list(self.running)[-1]].relay.port

    def follow(self):
        """Starts, changes and ends endpoints, so that they are what the Transfer servers say."""
        wanted = {server.id: (account_id, server) for account_id, _, state in self.world.all_states(Transfer)
                  for server in state.servers.values() if server.state == "ONLINE"}
        for server_id in self.running.keys() - wanted.keys():
            self.running.pop(server_id).stop()
        for server_id, (account_id, server) in wanted.items():
            if server_id not in self.running:
                self.running[server_id] = Endpoint(self, server_id)
            self.running[server_id].be(account_id, server)
        self.sync()

    def sync(self):
        """Makes directories and S3 alike; the caller holds the world's lock."""
        for endpoint in self.running.values():
            endpoint.sync()

    def poll(self):
        while True:
            time.sleep(0.2)
            if any(endpoint.relay.live for endpoint in list(self.running.values())):
                with self.world.lock:
                    try:
                        self.sync()
                    except Exception as error:
                        self.world.problems.append(f"sftp: {error!r}")

    def fault(self):
        """The rule for a new connection, or None."""
        with self.world.lock:
            for rule in self.world.sftp_faults:
                if rule.get("times") != 0:
                    if "times" in rule:
                        rule["times"] -= 1
                    return rule
        return None

    def endpoints(self):
        """{server id: {host, port}} of endpoints that answer."""
        return {server_id: {"host": "127.0.0.1", "port": endpoint.relay.port}
                for server_id, endpoint in self.running.items() if endpoint.answers()}

    def stop(self):
        for endpoint in self.running.values():
            endpoint.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Endpoint:
    """One ProFTPD, and the directories of its users."""

    def __init__(self, endpoints, server_id):
        self.all, self.folder = endpoints, os.path.join(endpoints.folder, server_id)
        self.process, self.text, self.trees, self.port = None, None, {}, 0
        for folder in (self.folder, self.folder + "/trees", self.folder + "/keys"):
            os.mkdir(folder, 0o700)
            self.own(folder)
        self.relay = Relay(lambda: self.port, endpoints.fault)

    def own(self, path):
        if not os.geteuid():
            os.chown(path, self.all.account.pw_uid, self.all.account.pw_gid)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        self.own(path)
        return path

    def be(self, account_id, server):
        """Becomes what the Transfer server is."""
        views = {view.name: view for view in self.views(account_id, server)}
        for name in self.trees.keys() - views.keys():
            shutil.rmtree(self.trees.pop(name).folder)
        for name, view in views.items():
            if name not in self.trees:
                self.trees[name] = Tree(f"{self.folder}/trees/{name}", view, self.own)
            self.trees[name].view = view
            self.trees[name].prepare()
        text = self.config(server, views)
        keys = {name: keys_text(view.user) for name, view in views.items()}
        private = [key.private for key in server.host_keys.values()]
        if (text, keys, private) == self.text and self.process.poll() is None:
            return
        is_new_kind = self.text is None or self.text[2] != private or self.process.poll() is not None
        self.text = (text, keys, private)
        for name, lines in keys.items():
            self.write(f"keys/{name}", lines)
        entry = self.all.account
        self.write("users", "".join(f"{name}:*:{entry.pw_uid}:{entry.pw_gid}::{self.folder}/trees/{name}{view.home.rstrip('/')}:/bin/false\n"
                                    for name, view in views.items()))
        self.start(text, is_new_kind)

    def views(self, account_id, server):
        """Of users who can get in: their role is there, and trusts Transfer."""
        world = self.all.world
        world.moto_app("iam")
        for user in server.users.values():
            role = Call(world, None, "transfer", "", account_id, "", "us-west-2", {}).find_role(user.settings.get("Role", ""))
            context = {"aws:sourceaccount": account_id, "aws:sourcearn": server.arn}
            if role and server_policy.is_trusted(role, ("transfer.amazonaws.com",), context):
                view = View(world, account_id, user, role)
                if is_usable(view):
                    yield view

    def config(self, server, views):
        policy = server_ssh_policies.describe(server.settings["SecurityPolicyName"])
        known = {key: " ".join(name for name in policy[key] if name in KNOWN) for key in ("SshCiphers", "SshKexs", "SshMacs")}
        text = CONFIG.format(server=server.id, port="{port}", folder=self.folder, user=self.all.account.pw_name, group=self.group(),
                             ciphers=known["SshCiphers"], exchanges=known["SshKexs"], macs=known["SshMacs"])
        for number in range(len(server.host_keys)):
            text += f"SFTPHostKey {self.folder}/host_key_{number}\n"
        extra = {"setstat"} if server.protocol_details.get("SetStatOption") == "ENABLE_NO_OP" else set()
        paths = {path for view in views.values() for path in view.areas}
        for path in sorted(paths):
            text += section(path, {name: verbs_at(view, path) | extra for name, view in views.items()})
        for name, view in views.items():
            for path in sorted(view.areas):
                text += section(f"{self.folder}/trees/{name}{path.rstrip('/')}", {name: view.areas[path] | extra})
        return text

    def group(self):
        return grp.getgrgid(self.all.account.pw_gid).gr_name

    def start(self, text, is_new):
        if not is_new:
            self.write("proftpd.conf", text.replace("{port}", str(self.port)))
            self.process.send_signal(signal.SIGHUP)
            self.wait_for_config()
            return
        if self.process:
            self.end()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for number, key in enumerate(self.text[2]):
            self.write(f"host_key_{number}", key.strip() + "\n")
        path = self.write("proftpd.conf", text.replace("{port}", str(self.port)))
        more = {} if os.geteuid() else {"user": self.all.account.pw_uid, "group": self.all.account.pw_gid, "extra_groups": []}
        self.process = subprocess.Popen([program(), "--nodaemon", "--quiet", "--config", path], stdin=subprocess.DEVNULL, cwd="/",
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True, **more)
        self.answers()

    def wait_for_config(self):
        """Until ProFTPD listens again: it closes its socket while it reads its configuration anew."""
        time.sleep(0.05)
        self.answers()

    def answers(self):
        """Waits until it listens; False when it has ended instead."""
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return True
            except OSError:
                time.sleep(0.01)
        return False

    def sync(self):
        for tree in self.trees.values():
            tree.sync(self.open_files)

    def open_files(self):
        """Real paths that sessions of this ProFTPD have open for writing."""
        found = set()
        for pid in children_of(self.process.pid):
            try:
                for number in os.listdir(f"/proc/{pid}/fd"):
                    path = os.readlink(f"/proc/{pid}/fd/{number}")
                    with open(f"/proc/{pid}/fdinfo/{number}") as file:
                        flags = next(int(line.split()[1], 8) for line in file if line.startswith("flags"))
                    if flags & (os.O_WRONLY | os.O_RDWR):
                        found.add(path)
            except (FileNotFoundError, ProcessLookupError, StopIteration):
                continue
        return found

    def end(self):
        """Ends ProFTPD with its sessions."""
        sessions = children_of(self.process.pid)
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        for pid in sessions:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def stop(self):
        self.relay.stop()
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def keys_text(user):
    """Keys in RFC 4716's form, all in one file."""
    text = ""
    for key in user.keys.values():
        blob = key["SshPublicKeyBody"].split()[1]
        lines = [blob[at:at + 70] for at in range(0, len(blob), 70)]
        text += "\n".join(["---- BEGIN SSH2 PUBLIC KEY ----", *lines, "---- END SSH2 PUBLIC KEY ----", ""])
    return text


def verbs_at(view, path):
    """What a user may do at a path that may be another user's area."""
    best = max((area for area in view.areas if (path.rstrip("/") + "/").startswith(area.rstrip("/") + "/")), key=len)
    return view.areas[best]


def section(path, rights):
    """<Directory> with what each user ({name: verbs}) may do there and below."""
    text = f'<Directory "{path or "/"}">\n'
    for commands, verbs in COMMANDS:
        allowed = [name for name in sorted(rights) if verbs is None or verbs & rights[name]]
        text += f"  <Limit {commands}>\n" + "".join(f"    AllowUser {name}\n" for name in allowed) + "    DenyAll\n  </Limit>\n"
    return text + "</Directory>\n"

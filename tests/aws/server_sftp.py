"""A real SSH server for every ONLINE Transfer server: ProFTPD's mod_sftp on a loopback port, with exactly the server's host keys.

It proves which host keys a client meets. Nobody can log in yet.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from server_transfer import Transfer

CONFIG = """\
ServerName "{server}"
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
UseIPv6 off
Port {port}
{account}
LoadModule mod_sftp.c
ControlsEngine off
DelayEngine off
WtmpLog off
TransferLog none
SystemLog {folder}/log
PidFile {folder}/pid
ScoreboardFile {folder}/scoreboard
AuthOrder mod_auth_file.c
AuthUserFile {folder}/users
RequireValidShell off
SFTPEngine on
SFTPAuthMethods publickey
SFTPAuthorizedUserKeys file:{folder}/keys/%u
"""


def program():
    """Path of ProFTPD, or None; it lies where only root's PATH leads."""
    return shutil.which("proftpd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


class Endpoints:
    def __init__(self, world):
        self.world = world
        self.folder = tempfile.mkdtemp(prefix="sf-transfer-")
        self.running = {}  # server id -> Endpoint
        if not program():
            raise SystemExit("--sftp needs proftpd with mod_sftp")

    def follow(self):
        """Starts, restarts and ends endpoints, so that they are what the Transfer servers say."""
        wanted = {server.id: [key.private for key in server.host_keys.values()]
                  for _, _, state in self.world.all_states(Transfer) for server in state.servers.values() if server.state == "ONLINE"}
        for server_id, endpoint in list(self.running.items()):
            if wanted.get(server_id) is None:
                endpoint.stop()
                del self.running[server_id]
            elif wanted[server_id] != endpoint.keys:
                endpoint.stop()
                endpoint.start(wanted[server_id])
        for server_id in wanted.keys() - self.running.keys():
            self.running[server_id] = Endpoint(os.path.join(self.folder, server_id))
            self.running[server_id].start(wanted[server_id])

    def endpoints(self):
        """{server id: {host, port}} of endpoints that answer."""
        answering = {server_id: endpoint for server_id, endpoint in self.running.items() if endpoint.answers()}
        return {server_id: {"host": "127.0.0.1", "port": endpoint.port} for server_id, endpoint in answering.items()}

    def stop(self):
        for endpoint in self.running.values():
            endpoint.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Endpoint:
    """One ProFTPD. It keeps its port when it is started again."""

    def __init__(self, folder):
        self.folder, self.keys, self.process = folder, [], None
        os.mkdir(folder, 0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        return path

    def start(self, keys):
        self.keys = keys
        account = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
        config = CONFIG.format(server=os.path.basename(self.folder), port=self.port, folder=self.folder, account=account)
        for number, key in enumerate(keys):
            config += f"SFTPHostKey {self.write(f'host_key_{number}', key.strip() + chr(10))}\n"
        self.write("users", "")
        path = self.write("proftpd.conf", config)
        self.process = subprocess.Popen([program(), "--nodaemon", "--quiet", "--config", path], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers(self):
        """Waits until it listens; False when it has ended instead."""
        while self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                return True
            except ConnectionRefusedError:
                time.sleep(0.01)
        return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

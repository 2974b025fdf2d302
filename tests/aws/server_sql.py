"""The databases behind Redshift: a private PostgreSQL for each cluster or namespace, made when somebody first connects, and the
certificates under which its endpoint answers.

A template is made once for all with what Redshift has and PostgreSQL lacks (server_catalog.py). PostgreSQL runs as an account
without privileges, listens on a Unix socket in a private directory only, and is met through server_proxy.py and server_session.py.
"""

import datetime
import ipaddress
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

import server_catalog
import server_world
from server_pg import ENGINE, Connection, PgError, literal, quoted
from server_redshift import Redshift
from server_serverless import Serverless
from server_wire import AwsError

ACCOUNTS = ("_sfstack", "postgres", "nobody")  # the first that exists runs PostgreSQL when we are root
SERVING = {"available", "modifying", "resizing", "final-snapshot", "AVAILABLE", "MODIFYING"}
OTHER_HOST = "other-host.example"
OPTIONS = ["listen_addresses=", "fsync=off", "shared_buffers=16MB", "max_connections=60", "password_encryption=md5", "autovacuum=off",
           "wal_level=minimal", "max_wal_senders=0", "unix_socket_permissions=0777", "logging_collector=off", "jit=off",
           "timezone=UTC", "log_timezone=UTC", "max_prepared_transactions=0",
           # in 8.0 a backslash escapes in every literal: "LIKE" of the Database Developer Guide writes '%start\\_%' for %start\_%
           "standard_conforming_strings=off", "escape_string_warning=off"]
HBA = f"local all {ENGINE} trust\nlocal all all md5\n"


def programs():
    """Directory of the newest PostgreSQL's programs, or None."""
    parent = "/usr/lib/postgresql"
    versions = [name for name in (os.listdir(parent) if os.path.isdir(parent) else []) if name.isdigit()]
    for version in sorted(versions, key=int, reverse=True):
        if os.access(f"{parent}/{version}/bin/initdb", os.X_OK):
            return f"{parent}/{version}/bin"
    found = shutil.which("initdb")
    return os.path.dirname(found) if found else None


# --- certificates ---


def make_certificates(folder):
    """ca.pem, and for `localhost` and another host NAME.pem with key and certificate."""
    authority = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sfstack test authority")])
    write(folder, "ca.pem", signed(issuer, authority.public_key(), issuer, authority, x509.BasicConstraints(ca=True, path_length=0)), 0o644)
    for host in ("localhost", OTHER_HOST):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = [x509.DNSName(host)] + ([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))] if host == "localhost" else [])
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        certificate = signed(subject, key.public_key(), issuer, authority, x509.SubjectAlternativeName(names))
        write(folder, host + ".pem", private + certificate, 0o600)


def signed(subject, public, issuer, authority, extension):
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
    builder = builder.serial_number(x509.random_serial_number()).add_extension(extension, critical=False)
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=30))
    return builder.sign(authority, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def write(folder, name, data, mode):
    with open(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        file.write(data)


# --- all databases of a server ---


def quick_folder(need=4 << 30):
    """Where files are in memory only, and there is room for them; None for the usual place."""
    folder = "/dev/shm"
    return folder if os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > need else None


class Databases:
    def __init__(self, world):
        self.world, self.bin = world, programs()
        if not self.bin:
            raise SystemExit("--sql needs PostgreSQL's initdb and postgres")
        self.account = next((name for name in ACCOUNTS if has_account(name)), None) if os.geteuid() == 0 else None
        self.folder = tempfile.mkdtemp(prefix="sf-redshift-", dir=quick_folder())
        os.chmod(self.folder, 0o755)  # clients read ca.pem
        make_certificates(self.folder)
        self.lock, self.template, self.made = threading.RLock(), None, 0
        self.stores, self.proxies = {}, {}  # cluster or namespace -> Store; cluster or workgroup -> Proxy
        server_world.endpoint_of = self.endpoint

    def as_account(self):
        return {"user": self.account, "group": pwd.getpwnam(self.account).pw_gid, "extra_groups": []} if self.account else {}

    def run(self, *argv):
        env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
        done = subprocess.run([os.path.join(self.bin, argv[0]), *argv[1:]], stdin=subprocess.DEVNULL, capture_output=True, cwd="/",
                              text=True, env=env, **self.as_account())
        if done.returncode:
            raise RuntimeError(f"{argv[0]}: {done.stderr}")

    def make_template(self):
        """A data directory with Redshift's functions and views in template1."""
        store = Store(self)
        self.run("initdb", "--no-sync", "-U", ENGINE, "-A", "trust", "--locale=C.UTF-8", "--encoding=UTF8", "-D", store.data)
        with open(os.path.join(store.data, "pg_hba.conf"), "w") as file:
            file.write(HBA)
        store.start("allow_system_table_mods=on")
        for database in ("template1", "postgres"):
            connection = store.engine(database)
            for statement in server_catalog.SETUP:
                connection.run(statement)
            connection.close()
        store.stop()
        self.template = store

    def endpoint(self, thing, address, port):
        """Where a cluster or workgroup is met; called when it is described."""
        import server_proxy

        with self.lock:
            if thing not in self.proxies:
                self.proxies[thing] = server_proxy.Proxy(self, thing)
            return "localhost", self.proxies[thing].port

    def store_of(self, thing):
        """The running database of a cluster or workgroup, with the master user's password as it is now."""
        with self.world.lock:  # never taken while self.lock is held: follow() takes both in this order
            owner = self.owner_of(thing)
            master = self.master_of(owner)
        with self.lock:
            if self.template is None:
                self.make_template()
            if owner not in self.stores:
                self.stores[owner] = Store(self, self.template)
            store = self.stores[owner]
            store.start()
            store.know_master(*master)
            return store

    def owner_of(self, thing):
        """Whose the data are: a workgroup's are its namespace's."""
        if not hasattr(thing, "namespace"):
            return thing
        for _, _, state in self.world.all_states(Serverless):
            if thing in state.workgroups.values():
                return state.namespaces[thing.namespace]
        raise KeyError(thing.name)

    def master_of(self, owner):
        """(user, password, database)"""
        names = ("MasterUsername", "DBName") if hasattr(owner, "id") else ("adminUsername", "dbName")
        user, database = (owner.settings[name] for name in names)
        password = owner.password
        if owner.secret_arn:
            password = json.loads(secret_text(owner.secret_arn))["password"]
        return user, password, database

    def all_endpoints(self):
        for account, region, state in self.world.all_states(Redshift):
            yield from ((account, region, cluster) for cluster in state.clusters.values())
        for account, region, state in self.world.all_states(Serverless):
            yield from ((account, region, group) for group in state.workgroups.values())

    def place_of(self, thing):
        """(account, region) of a cluster or workgroup."""
        return next((account, region) for account, region, have in self.all_endpoints() if have is thing)

    def follow(self):
        """Ends what the clusters and workgroups no longer have."""
        with self.lock:
            there = {thing: thing.status for _, _, thing in self.all_endpoints()}
            owners = {thing for thing in there if not hasattr(thing, "namespace")}
            owners |= {namespace for _, _, state in self.world.all_states(Serverless) for namespace in state.namespaces.values()}
            for thing in [thing for thing in self.proxies if there.get(thing) not in SERVING]:
                self.proxies[thing].disconnect()
                if thing not in there:
                    self.proxies.pop(thing).stop()
            for owner in list(self.stores):
                if owner not in owners:
                    self.stores.pop(owner).remove()
                elif there.get(owner, "AVAILABLE") not in SERVING:
                    self.stores[owner].stop()

    def show(self):
        """For /_test/sql."""
        endpoints = {getattr(thing, "id", None) or thing.name: {"host": "localhost", "port": proxy.port}
                     for thing, proxy in self.proxies.items()}
        return {"ca": os.path.join(self.folder, "ca.pem"), "endpoints": endpoints}

    def stop(self):
        for proxy in self.proxies.values():
            proxy.stop()
        for store in [*self.stores.values(), *([self.template] if self.template else [])]:
            store.stop(is_hasty=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def secret_text(arn):
    account, region = arn.split(":")[4], arn.split(":")[3]
    backend = server_world.moto_backend("secretsmanager", account, region)
    secret = backend.get_secret_value(arn, "", "AWSCURRENT")
    return secret["SecretString"]


def has_account(name):
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


class Store:
    """One PostgreSQL with its data directory."""

    def __init__(self, databases, template=None):
        self.databases, self.process, self.master = databases, None, None
        databases.made += 1
        self.folder = os.path.join(databases.folder, f"c{databases.made}")
        self.data = os.path.join(self.folder, "data")
        os.mkdir(self.folder, 0o700)
        if databases.account:
            shutil.chown(self.folder, databases.account)
        if template:
            subprocess.run(["cp", "-r", template.data, self.data], check=True, **databases.as_account())
        self.socket = os.path.join(self.folder, ".s.PGSQL.5432")

    def start(self, *more):
        if self.process and self.process.poll() is None:
            return
        with open(os.path.join(self.folder, "log"), "ab") as log:
            argv = [os.path.join(self.databases.bin, "postgres"), "-D", self.data, "-k", self.folder]
            for option in (*OPTIONS, *more):
                argv += ["-c", option]
            env = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=env,
                                            start_new_session=True, **self.databases.as_account())
        while True:
            try:
                self.engine("template1").close()
                return
            except (OSError, PgError, EOFError) as error:
                if self.process.poll() is not None:
                    with open(os.path.join(self.folder, "log")) as log:
                        raise RuntimeError("PostgreSQL ended: " + log.read()) from error
                time.sleep(0.01)

    def engine(self, database):
        return Connection(self.socket, ENGINE, database, client_encoding="UTF8", application_name="engine").greet()

    def know_master(self, user, password, database):
        if self.master == (user, password, database):
            return
        connection = self.engine("postgres")
        exists = connection.run(f"select 1 from pg_roles where rolname = {literal(user)}").rows
        connection.run(f"{'alter' if exists else 'create'} role {quoted(user)} login superuser"
                       + (f" password {literal(password)}" if password else ""))
        if not connection.run(f"select 1 from pg_database where datname = {literal(database)}").rows:
            connection.run(f"create database {quoted(database)} owner {quoted(user)}")
        connection.close()
        self.master = (user, password, database)

    def has_database(self, name):
        connection = self.engine("postgres")
        try:
            return bool(connection.run(f"select 1 from pg_database where datname = {literal(name)}").rows)
        finally:
            connection.close()

    def stop(self, is_hasty=False):
        """Ends connections and the server: the data stay. SIGINT rolls back, SIGQUIT drops everything."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT if is_hasty else signal.SIGINT)
            self.process.wait()
            self.process = None

    def remove(self):
        self.stop(is_hasty=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def find_endpoint(world, account, region, cluster=None, workgroup=None):
    """The cluster or workgroup of a Data API call; raises what AWS answers when it is not there or cannot be queried."""
    if cluster:
        thing = world.state(Redshift, account, region).clusters.get(cluster)
        kind, name = "cluster", cluster
    else:
        name = workgroup.rpartition("/")[2]
        groups = world.state(Serverless, account, region).workgroups
        thing = groups.get(name) or next((group for group in groups.values() if group.uuid == name), None)
        kind = "workgroup"
    if thing is None:
        # the Data API looks for a cluster before it takes a statement: its text for one that is not there
        raise AwsError("ValidationException", f"Redshift endpoint doesn't exist in this region. {kind} {name}" if kind == "workgroup"
                       else f"Redshift cluster {name} doesn't exist in this region.")
    return thing

"""What an SFTP user sees: a directory that is kept like moto's S3, under the user's role.

Files that are no longer open for writing go to S3; objects come from S3 where the role lets the user list or get them. What is on disk
and was changed there wins over what was changed in S3 meanwhile.
"""

import functools
import json
import os
import posixpath

import server_policy
from server_iam import as_list
from server_world import moto_backend

VERBS = {"list": "s3:ListBucket", "get": "s3:GetObject", "put": "s3:PutObject", "delete": "s3:DeleteObject"}


class View:
    """One user of one server: where in S3 its paths are, and what it may do there."""

    def __init__(self, world, account, user, role):
        self.world, self.account, self.role, self.user = world, account, role, user
        self.name, settings = user.name, user.settings
        self.places, self.home = [], "/"  # [(path, bucket, prefix that ends in / or is empty)]
        if settings["HomeDirectoryType"] == "LOGICAL":
            for mapping in settings["HomeDirectoryMappings"]:
                self.add_place(mapping["Entry"], self.filled(mapping["Target"]))
        else:
            self.home = self.filled(settings.get("HomeDirectory") or "/")
            bucket = self.home.strip("/").partition("/")[0]
            for name in [bucket] if bucket else self.buckets():
                self.add_place("/" + name, "/" + name)
        self.policy = self.filled_policy(settings.get("Policy"))
        self.areas = self.find_areas()

    def filled(self, text):
        return text.replace("${transfer:UserName}", self.name).replace("${Transfer:UserName}", self.name)

    def filled_policy(self, text):
        """The session policy, its variables filled in."""
        if not text:
            return None
        home = self.home if self.user.settings["HomeDirectoryType"] == "PATH" else "/"
        bucket, _, folder = home.strip("/").partition("/")
        values = {"UserName": self.name, "HomeDirectory": home.strip("/"), "HomeBucket": bucket, "HomeFolder": folder}
        for name, value in values.items():
            for form in ("transfer", "Transfer"):
                text = text.replace("${%s:%s}" % (form, name), value)
        return text

    def buckets(self):
        return list(moto_backend("s3", self.account, "aws").buckets) if "s3" in self.world.moto_apps else []

    def add_place(self, path, target):
        bucket, _, prefix = target.strip("/").partition("/")
        self.places.append((posixpath.normpath("/" + path.strip("/")), bucket, prefix + "/" if prefix else ""))

    def key_of(self, path):
        """(bucket, key) of a path such as /in/a.csv, or None."""
        best = None
        for base, bucket, prefix in self.places:
            head = base.rstrip("/") + "/"
            if (path + "/").startswith(head) and (best is None or len(base) > len(best[0])):
                best = (base, bucket, prefix + path[len(head):])
        return best and best[1:]

    def may(self, verb, path):
        place = self.key_of(path)
        if place is None:
            return verb == "list"  # directories above the mappings
        bucket, key = place
        if verb == "list":
            resource, context = f"arn:aws:s3:::{bucket}", {"s3:prefix": key}
        else:
            resource, context = f"arn:aws:s3:::{bucket}/{key}", {}
        return server_policy.role_may(self.role, VERBS[verb], resource, context, self.policy)

    def find_areas(self):
        """{directory: verbs} wherever what the user may do changes; each holds for what is below it."""
        paths = {"/"} | {base for base, _, _ in self.places}
        own, session = server_policy.statements_of(self.role, self.policy)
        for statement in own + (session or []):
            for resource in as_list(statement.get("Resource", statement.get("NotResource", []))):
                paths |= self.paths_of(resource.rpartition(":::")[2])
            for pairs in statement.get("Condition", {}).values():
                for key, values in pairs.items():
                    if key.lower() == "s3:prefix":
                        paths |= {path for _, bucket, _ in self.places for value in as_list(values)
                                  for path in self.paths_of(f"{bucket}/{value}")}
        return {path: self.verbs_in(path) for path in sorted(paths)}

    def paths_of(self, pattern):
        """The directory that a resource's pattern is about, as the user sees it."""
        head = pattern[:min((pattern.find(c) for c in "*?" if c in pattern), default=len(pattern))]
        bucket, _, key = head.rpartition("/")[0].partition("/")
        found = set()
        for base, have, prefix in self.places:
            if have == bucket and (key + "/").startswith(prefix):
                below = (key + "/")[len(prefix):].strip("/")
                found.add(posixpath.join(base, below) if below else base)
        return {path for path in found if all(part not in ("", ".", "..") for part in path.strip("/").split("/")) or path == "/"}

    def verbs_in(self, path):
        probe = posixpath.join(path, "sf probe of what is below")
        verbs = {verb for verb in ("get", "put", "delete") if self.key_of(probe) and self.may(verb, probe)}
        return frozenset(verbs | ({"list"} if self.may("list", path if path == "/" else path + "/") else set()))


class Tree:
    """The directory of one user."""

    def __init__(self, folder, view, own):
        self.folder, self.view, self.own = folder, view, own  # own(path) gives a file to the account that serves
        self.files, self.folders = {}, set()  # path -> (mark of the object, signature of the file); directories that were seen

    def prepare(self):
        """Directories that there are without any object."""
        for path in [base for base, _, _ in self.view.places] + list(self.view.areas) + [self.view.home]:
            self.make_folder(path)

    def real(self, path):
        return self.folder + path.rstrip("/")

    def make_folder(self, path):
        parts = path.strip("/").split("/") if path.strip("/") else []
        for count in range(len(parts) + 1):
            there = "/" + "/".join(parts[:count])
            if not os.path.isdir(self.real(there) or "/"):
                os.mkdir(self.real(there), 0o700)
                self.own(self.real(there))
            self.folders.add(there)

    def sync(self, open_files):
        """`open_files()` are the real paths that somebody writes to; it is asked after the directory was read."""
        found, folders = self.read()
        busy = open_files()
        self.to_s3(found, folders, busy)
        self.from_s3(busy)

    def read(self):
        found, folders = {}, set()
        for parent, names, files in os.walk(self.folder):
            there = parent[len(self.folder):] or "/"
            folders |= {posixpath.join(there, name) for name in names}
            for name in files:
                try:
                    found[posixpath.join(there, name)] = signature(os.path.join(parent, name))
                except FileNotFoundError:
                    pass
        return found, folders

    def backend(self):
        self.view.world.moto_app("s3")
        return moto_backend("s3", self.view.account, "aws")

    def to_s3(self, found, folders, busy):
        for path, mark in found.items():
            if self.real(path) in busy or self.files.get(path, (None, None))[1] == mark:
                continue
            place = self.view.key_of(path)
            if place and place[0] in self.backend().buckets and self.view.may("put", path):
                with open(self.real(path), "rb") as file:
                    data = file.read()
                if signature(self.real(path)) == mark:
                    key = self.backend().put_object(place[0], place[1], data)
                    self.files[path] = (mark_of(key), mark)
            else:
                os.remove(self.real(path))
        for path in [path for path in self.files if path not in found]:
            self.delete(path)
            del self.files[path]
        for path in folders - self.folders:
            if (place := self.view.key_of(path)) and place[0] in self.backend().buckets and self.view.may("put", path + "/"):
                self.backend().put_object(place[0], place[1] + "/", b"")  # as mkdir does on Transfer
        for path in self.folders - folders - {"/"}:
            self.delete(path + "/")
        self.folders = folders | {"/"}

    def delete(self, path):
        place = self.view.key_of(path.rstrip("/"))
        key = place and place[1] + ("/" if path.endswith("/") else "")
        bucket = place and self.backend().buckets.get(place[0])
        if bucket is not None and key in bucket.keys and self.view.may("delete", path):
            self.backend().delete_object(place[0], key)

    def from_s3(self, busy):
        wanted = self.objects()
        for path, key in wanted.items():
            if key is None:
                self.make_folder(path)
            elif self.real(path) not in busy and self.files.get(path, (None, None))[0] != mark_of(key):
                self.make_folder(posixpath.dirname(path))
                self.write(path, key)
        for path in [path for path in self.files if path not in wanted and self.real(path) not in busy]:
            os.remove(self.real(path))
            del self.files[path]

    def objects(self):
        """{path: object, or None for a directory} of what the user may get or list."""
        found, folders = {}, set()
        may_list = functools.cache(lambda folder: self.view.may("list", folder))
        for base, name, prefix in self.view.places:
            bucket = self.backend().buckets.get(name)
            for key in list(bucket.keys.keys()) if bucket else []:
                thing = bucket.keys[key]
                rest = key[len(prefix):]
                parts = rest.rstrip("/").split("/")
                if not key.startswith(prefix) or not rest or type(thing).__name__ == "FakeDeleteMarker":
                    continue
                if any(part in ("", ".", "..") or len(part.encode()) > 255 or "\0" in part for part in parts):
                    continue  # no name of a file
                path = posixpath.join(base, rest)
                if may_list(posixpath.dirname(path) + "/") or self.view.may("get", path):
                    found[path.rstrip("/")] = None if key.endswith("/") else thing
        for path in found:
            while (path := posixpath.dirname(path)) not in folders and path != "/":
                folders.add(path)
        # an object and a prefix of the same name: the directory is seen
        return {path: thing for path, thing in found.items() if thing is None or path not in folders}

    def write(self, path, key):
        there = self.real(path)
        if os.path.isdir(there):
            return
        beside = f"{self.folder}.new"
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key.value)
        self.own(beside)
        os.rename(beside, there)
        self.files[path] = (mark_of(key), signature(there))


def mark_of(key):
    return (key.etag, str(key.last_modified), key.size)


def signature(path):
    seen = os.stat(path)
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def is_usable(view):
    """Names that can stand in ProFTPD's configuration; others get no access."""
    return all(ord(c) >= 32 and c not in '*?[]{}\\"\'%~#<>$:' for c in json.dumps([view.name, view.home, *view.areas])[1:-1].replace('"', ""))

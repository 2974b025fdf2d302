"""What goes over the wire: a request as it was sent, byte for byte, a reply, and an error as AWS words it."""

import dataclasses
import urllib.parse


@dataclasses.dataclass
class Request:
    """One HTTP request, nothing decoded: signatures are made over these very bytes."""

    method: str
    target: str  # path and query as in the request line
    headers: dict  # names in lower case
    body: bytes

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def query_pairs(self):
        """Name and value pairs, decoded, in order."""
        return urllib.parse.parse_qsl(self.query, keep_blank_values=True)

    def form_pairs(self):
        return urllib.parse.parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)


@dataclasses.dataclass
class Reply:
    status: int
    headers: dict
    body: bytes


class AwsError(Exception):
    """An error reply: the code that clients look at, a text, the HTTP status, and members that only this error has."""

    def __init__(self, code, message, status=400, headers=None, **members):
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status
        self.headers, self.members = headers or {}, members

"""SSH keys as OpenSSH writes them: type and fingerprint of a private or public key."""

import base64
import hashlib
import re

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

KINDS = ("ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
PUBLIC = re.compile(rf"({'|'.join(KINDS)})\s+(\S+)(\s.*)?", re.DOTALL)


def new_private():
    """An ed25519 key in OpenSSH's form, for a server that was made without one."""
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()).decode()


def public_of(private):
    """(type, base64 body) of a private key in PEM or OpenSSH form; ValueError when it is none that Transfer takes."""
    data = private.strip().encode() + b"\n"
    load = serialization.load_ssh_private_key if b"OPENSSH PRIVATE KEY" in data else serialization.load_pem_private_key
    try:
        key = load(data, None)
    except (TypeError, ValueError) as error:
        raise ValueError("not a private key without a passphrase") from error
    if not isinstance(key, (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)):
        raise ValueError("neither RSA, ECDSA nor ED25519")
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    kind, body = public.decode().split()[:2]
    return kind, body


def fingerprint(body):
    """SHA256 fingerprint of a public key's base64 body, padded as DescribeServer shows it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(base64.b64decode(body)).digest()).decode()


def parse_public(text):
    """(type, base64 body) of a line as in id_ed25519.pub; ValueError when it is none."""
    found = PUBLIC.fullmatch(text.strip())
    if not found:
        raise ValueError("not an SSH public key")
    kind, body = found.group(1), found.group(2)
    serialization.load_ssh_public_key(f"{kind} {body}".encode())
    return kind, body

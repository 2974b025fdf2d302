"""Security policies of Transfer Family servers: which SSH and TLS algorithms each allows.

Source: "Security policies for AWS Transfer Family servers" in the AWS Transfer Family User Guide, its tables and listings (read in
November 2026). Not from there, because that page no longer lists them: the two PQ-SSH experimental policies, which are made of what
the page says of their kind (a hybrid exchange before those of the policy they extend), and the protocols of policies before 2025.
"""

GCM, CTR = ["aes256-gcm@openssh.com", "aes128-gcm@openssh.com"], ["aes256-ctr", "aes192-ctr"]
ALL_CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr", "aes192-ctr"]
OLD_CIPHERS = ["aes128-ctr", "aes192-ctr", "aes256-ctr", "aes128-gcm@openssh.com", "aes256-gcm@openssh.com"]
CHACHA = ["chacha20-poly1305@openssh.com"]
CURVE, NIST = ["curve25519-sha256", "curve25519-sha256@libssh.org"], ["ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"]
GROUPS = ["diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512", "diffie-hellman-group-exchange-sha256"]
OLD_GROUPS = ["diffie-hellman-group-exchange-sha256", "diffie-hellman-group16-sha512", "diffie-hellman-group18-sha512",
              "diffie-hellman-group14-sha256"]
MLKEM = ["mlkem768x25519-sha256", "mlkem768nistp256-sha256", "mlkem1024nistp384-sha384"]
KYBER = ["ecdh-nistp384-kyber-768r3-sha384-d00@openquantumsafe.org", "x25519-kyber-512r3-sha256-d00@amazon.com",
         "ecdh-nistp256-kyber-512r3-sha256-d00@openquantumsafe.org", "ecdh-nistp521-kyber-1024r3-sha512-d00@openquantumsafe.org"]
ETM, PLAIN = ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com"], ["hmac-sha2-256", "hmac-sha2-512"]
MACS_2020 = ["umac-128-etm@openssh.com", *ETM, "umac-128@openssh.com", *PLAIN]
MACS_2018 = ["umac-64-etm@openssh.com", "umac-128-etm@openssh.com", *ETM, "hmac-sha1-etm@openssh.com", "umac-64@openssh.com",
             "umac-128@openssh.com", *PLAIN, "hmac-sha1"]
KEXS_2018 = [*CURVE, *NIST, *OLD_GROUPS, "diffie-hellman-group14-sha1"]
TLS = [f"TLS_ECDHE_{key}_WITH_AES_{cipher}" for cipher in ("128_GCM_SHA256", "128_CBC_SHA256", "256_GCM_SHA384", "256_CBC_SHA384")
       for key in ("ECDSA", "RSA")]
TLS_2018 = [*TLS, "TLS_RSA_WITH_AES_128_CBC_SHA256", "TLS_RSA_WITH_AES_256_CBC_SHA256"]
HOST_KEYS = ["rsa-sha2-256", "rsa-sha2-512", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-ed25519"]

POLICIES = {  # ciphers, key exchanges, MACs, TLS ciphers
    "2018-11": (CHACHA + OLD_CIPHERS, KEXS_2018, MACS_2018, TLS_2018),
    "Restricted-2018-11": (OLD_CIPHERS, KEXS_2018, MACS_2018, TLS_2018),
    "2020-06": (CHACHA + OLD_CIPHERS, NIST + OLD_GROUPS, MACS_2020, TLS),
    "Restricted-2020-06": (OLD_CIPHERS, NIST + OLD_GROUPS, MACS_2020, TLS),
    "2022-03": (GCM + CTR, CURVE + GROUPS, ETM + PLAIN, TLS),
    "2023-05": (GCM + CTR, CURVE + GROUPS, ETM, TLS),
    "2024-01": (ALL_CIPHERS, NIST + CURVE + GROUPS, ETM, TLS),
    "SshAuditCompliant-2025-02": (ALL_CIPHERS, CURVE + GROUPS, ETM, TLS),
    "2025-03": (ALL_CIPHERS, MLKEM + NIST + CURVE + GROUPS, ETM, TLS),
    "AS2Restricted-2025-07": (ALL_CIPHERS, MLKEM + NIST + CURVE + GROUPS, ETM, TLS),
    "FIPS-2020-06": (OLD_CIPHERS, NIST + OLD_GROUPS, ETM + PLAIN, TLS),
    "FIPS-2023-05": (GCM + CTR, GROUPS, ETM, TLS),
    # the table has no group-exchange for these two, the listing has
    "FIPS-2024-01": (ALL_CIPHERS, NIST + GROUPS, ETM, TLS),
    "FIPS-2024-05": (ALL_CIPHERS, NIST + GROUPS, ETM, TLS),
    "FIPS-2025-03": (ALL_CIPHERS, MLKEM + NIST + GROUPS, ETM, TLS),
    # withdrawn; unsure, see above
    "PQ-SSH-Experimental-2023-04": (ALL_CIPHERS, KYBER + NIST + CURVE + GROUPS, ETM, TLS),
    "PQ-SSH-FIPS-Experimental-2023-04": (ALL_CIPHERS, KYBER + NIST + GROUPS, ETM, TLS),
}
# "the following security policies allow ssh-rsa"; of the restricted ones by what they are copies of
WITH_SSH_RSA = {"2018-11", "2020-06", "Restricted-2018-11", "Restricted-2020-06", "FIPS-2020-06", "FIPS-2023-05", "FIPS-2024-01",
                "PQ-SSH-FIPS-Experimental-2023-04"}
PREFIX = "TransferSecurityPolicy-"
NAMES = [PREFIX + name for name in POLICIES]


def describe(name):
    """As DescribeSecurityPolicy shows it; SshHostKeyAlgorithms is said to be for connectors only."""
    ciphers, exchanges, macs, tls = POLICIES[name.removeprefix(PREFIX)]
    return {"SecurityPolicyName": name, "Fips": "FIPS" in name, "SshCiphers": ciphers, "SshKexs": exchanges, "SshMacs": macs,
            "TlsCiphers": tls, "Type": "SERVER", "Protocols": ["SFTP", "FTPS"]}


def host_key_algorithms(name):
    return HOST_KEYS + (["ssh-rsa"] if name.removeprefix(PREFIX) in WITH_SSH_RSA else [])

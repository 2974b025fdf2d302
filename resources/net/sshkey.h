/* SSH keys: made, written in the forms that OpenSSH, libssh2 and mod_sftp read, and recognized. Pure but for randomness.
 *
 * Public: one line, "type base64 comment" (RFC 4253 section 6.6, RFC 8709). Private: openssh-key-v1 (OpenSSH's PROTOCOL.key) or
 * PKCS#1 PEM (RSA). Private keys are never encrypted with a passphrase: where they are kept is sealed or 0600. */
#ifndef SF_NET_SSHKEY_H
#define SF_NET_SSHKEY_H

#include "engine/core/err.h"

enum sf_sshkey_format { SF_SSHKEY_OPENSSH, SF_SSHKEY_PEM };

struct sf_sshkey {
    const char *algorithm;     /* "ed25519", "rsa" or "ecdsa" */
    int bits;                  /* 256 for ed25519 */
    struct sf_str public_key;  /* one line, no newline */
    struct sf_str comment;     /* last word(s) of it, maybe empty */
    struct sf_str fingerprint; /* "SHA256:..." as ssh-keygen -l prints it */
    struct sf_str private_key; /* text of the file; empty for an imported key */
};

/* A new key pair: "ed25519", or "rsa" with 2,048 to 16,384 bits. PEM is for rsa only: OpenSSH cannot read an ed25519 key in PKCS#8
 * before 9.6. The comment holds no line end. SF_E_CONFIG, or SF_E_INTERNAL when OpenSSL fails. */
enum sf_code sf_sshkey_generate(struct sf_arena *arena, struct sf_str algorithm, int bits, enum sf_sshkey_format format,
                                struct sf_str comment, struct sf_sshkey *key, struct sf_err *err) SF_MUST_CHECK;
/* Whether sf_sshkey_generate() would make such a key. */
enum sf_code sf_sshkey_check(struct sf_str algorithm, int bits, enum sf_sshkey_format format, struct sf_str comment,
                             struct sf_err *err) SF_MUST_CHECK;
/* Takes a public key line: ssh-ed25519, ssh-rsa (2,048 bits and more) or ecdsa-sha2-nistp256/384/521. SF_E_CONFIG says what is
 * wrong; a private key pasted by mistake is never repeated in the message. */
enum sf_code sf_sshkey_parse_public(struct sf_arena *arena, struct sf_str line, struct sf_sshkey *key,
                                    struct sf_err *err) SF_MUST_CHECK;

#endif

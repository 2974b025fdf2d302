/* SFTP over libssh2: one connection, pinned host key, public-key login, whole files. Blocking calls under one
 * deadline; one thread a session.
 *
 * Outcomes: SF_OK; SF_E_ABSENT (no such file); SF_E_DENIED (the server refuses this user this verb); SF_E_REFUSED (any other
 * answer of the server); SF_E_UNKNOWN (timeout or lost connection while something was under way); SF_E_CANCELLED (a put
 * may be partly there); SF_E_UNAVAILABLE and SF_E_AUTH from connecting only, before anything was sent but the login.
 * err->remote_code is the SFTP status
 * ("SSH_FX_PERMISSION_DENIED") or libssh2's error number. Nothing here prints or keeps a key. */
#ifndef SF_NET_SFTP_H
#define SF_NET_SFTP_H

#include "engine/core/err.h"
#include "resources/net/sftp_folders.h"

struct sf_sftp; /* a session: its memory is the arena's, its connection must be closed */

struct sf_sftp_target {
    struct sf_str host;
    int port;
    struct sf_str user;
    struct sf_str private_key;         /* text: OpenSSH form (ed25519, rsa) or PEM (rsa) */
    const struct sf_str *fingerprints; /* "SHA256:..." of the host keys to accept; at least one */
    size_t n_fingerprints;
    int64_t deadline_ms;             /* sf_clock_ms() that no call on this session passes; 0: 30 s from now */
    bool (*is_cancelled)(void *ctx); /* asked between packets of a transfer; NULL: never */
    void *ctx;
    struct sf_sftp_folders *folders; /* shared with other sessions; NULL: each put finds out by itself */
};

struct sf_sftp_entry {
    struct sf_str name;
    int64_t bytes;
    bool is_dir;
};

/* Connects, checks the host key, logs in. What calls return lives in `arena`. A server that hangs up before the login is done is
 * tried once more: it may have been reloading. */
enum sf_code sf_sftp_connect(struct sf_arena *arena, const struct sf_sftp_target *target, struct sf_sftp **out,
                             struct sf_err *err) SF_MUST_CHECK;
/* Ends the session. NULL is fine. */
void sf_sftp_close(struct sf_sftp *s);

/* Writes the whole object under its final name, over what is there; makes missing parent directories. Unless SF_OK the file may
 * be partly there. */
enum sf_code sf_sftp_put_bytes(struct sf_sftp *s, struct sf_str path, struct sf_str bytes, struct sf_err *err) SF_MUST_CHECK;
/* The same from a local file; *sent gets its size (may be NULL). */
enum sf_code sf_sftp_put_file(struct sf_sftp *s, struct sf_str path, const char *local_path, int64_t *sent,
                              struct sf_err *err) SF_MUST_CHECK;
/* Reads a whole file of at most `max_bytes` into the arena. */
enum sf_code sf_sftp_get(struct sf_sftp *s, struct sf_str path, size_t max_bytes, struct sf_str *bytes,
                         struct sf_err *err) SF_MUST_CHECK;
/* Makes the directories above `path`. What is there already, or may not be made, is passed over: using `path` will tell. */
enum sf_code sf_sftp_mkdir_parents(struct sf_sftp *s, struct sf_str path, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_sftp_mkdir(struct sf_sftp *s, struct sf_str path, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_sftp_stat(struct sf_sftp *s, struct sf_str path, struct sf_sftp_entry *entry, struct sf_err *err) SF_MUST_CHECK;
/* Entries of a directory without "." and "..", in the server's order, in the arena. */
enum sf_code sf_sftp_list(struct sf_sftp *s, struct sf_str path, struct sf_sftp_entry **entries, size_t *n,
                          struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_sftp_remove(struct sf_sftp *s, struct sf_str path, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_sftp_rmdir(struct sf_sftp *s, struct sf_str path, struct sf_err *err) SF_MUST_CHECK;
enum sf_code sf_sftp_rename(struct sf_sftp *s, struct sf_str from, struct sf_str to, struct sf_err *err) SF_MUST_CHECK;

#endif

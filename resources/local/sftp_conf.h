/* ProFTPD's configuration as a pure function of who may do what: text in, text out, no I/O.
 *
 * What a user may do is a table of directories with verbs; the longest prefix that fits a key decides. It becomes
 * <Directory> sections with one <Limit> for each class of commands. Three facts about ProFTPD shape the text (1.3.8; each has a
 * test in tests/local/test_sftp_verbs.py that would fail without it):
 *
 * - With mod_vroot some commands are checked against the path as the client sees it and some against the real one. Each class
 *   of commands is allowed in one of the two name spaces only and denied in the other, so a virtual path that spells a real one
 *   gains nothing; a command that another version would check elsewhere is denied, not open.
 * - A <Limit> of an outer directory for a command wins over an inner <Limit ALL>: every section names every command.
 * - <Directory /a> holds for the entry /a and all below it, with "/" and "*" appended for what is below it only: a right on the
 *   keys "a/..." is no right on a file "a". */
#ifndef SF_LOCAL_SFTP_CONF_H
#define SF_LOCAL_SFTP_CONF_H

#include "engine/core/str.h"
#include "engine/core/err.h"

#include <sys/types.h>

enum sf_sftp_verb { SF_SFTP_LIST = 1, SF_SFTP_GET = 2, SF_SFTP_PUT = 4, SF_SFTP_DELETE = 8, SF_SFTP_ALL = 15 };

/* Keys that start with `prefix` ("" or "a/b/") and with no longer prefix of the table. */
struct sf_sftp_grant {
    struct sf_str prefix;
    unsigned verbs; /* of enum sf_sftp_verb, on what is below */
    bool may_list;  /* listing the directory itself */
};

struct sf_sftp_login {
    struct sf_str name;
    struct sf_str data_dir; /* real path of the bucket's data directory, no final slash */
    struct sf_str born;     /* tells the directory from another that had or will have this path; empty: not known */
    struct sf_str prefix;   /* "" or "a/b/": the part of the bucket that the user sees as "/" */
    const struct sf_str *keys;
    size_t n_keys; /* public keys, one OpenSSH line each */
    const struct sf_sftp_grant *grants;
    size_t n_grants; /* on keys of the whole bucket */
};

struct sf_sftp_conf {
    struct sf_str dir; /* the server's directory, real path */
    struct sf_str address;
    int port;
    struct sf_str user, group; /* names of the run account */
    uid_t uid;
    gid_t gid;
    const struct sf_str *host_keys;
    size_t n_host_keys; /* file names in dir */
    const struct sf_sftp_login *logins;
    size_t n_logins;
};

/* Whether ProFTPD can be given this path in its configuration (it has no way to quote some characters). */
bool sf_sftp_is_usable_path(struct sf_str path);

/* proftpd.conf. Logins sorted by name give the same text for the same rights. */
struct sf_str sf_sftp_conf_text(struct sf_arena *arena, const struct sf_sftp_conf *conf);
/* The word in that text by which the server greets: "sfstack_" and a digest of the text. A session that greets so has these rules.
 */
struct sf_str sf_sftp_conf_ident(struct sf_str conf_text);
/* AuthUserFile. */
struct sf_str sf_sftp_users_text(struct sf_arena *arena, const struct sf_sftp_conf *conf);
/* One user's keys in RFC 4716 form. SF_E_CONFIG for a line that is no public key. */
enum sf_code sf_sftp_keys_text(struct sf_arena *arena, const struct sf_sftp_login *login, struct sf_str *text,
                               struct sf_err *err) SF_MUST_CHECK;
/* One user's rights and keys in words; it changes exactly when what the user may do, or who may be the user, changes. */
struct sf_str sf_sftp_access_text(struct sf_arena *arena, const struct sf_sftp_login *login);

/* "SHA256:..." of an OpenSSH public key line, as ssh-keygen -l prints it; empty when it is none. */
struct sf_str sf_sftp_fingerprint(struct sf_arena *arena, struct sf_str public_key);

#endif

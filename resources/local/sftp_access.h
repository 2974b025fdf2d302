/* From the territory to one SFTP server's files: users, their roles, policies and buckets become configuration, password file,
 * key files and a readable list of rights. A pure function of what is on disk. */
#ifndef SF_LOCAL_SFTP_ACCESS_H
#define SF_LOCAL_SFTP_ACCESS_H

#include "resources/iam/prefix.h"
#include "resources/local/proftpd.h"
#include "resources/local/sftp_conf.h"

/* A user as users/NAME.json (or a planned sftp_user) has it. */
struct sf_sftp_identity {
    struct sf_str name;
    struct sf_str bucket;
    struct sf_str prefix; /* "" or "a/b", as written */
    struct sf_str role_arn;
    const struct sf_value *documents; /* the role's, a list */
    const struct sf_value *session;   /* session policy or NULL */
};

/* What the policies grant this user on its bucket. SF_E_CONFIG with the statement's place when they say something that the local
 * server cannot grant by directory. */
enum sf_code sf_sftp_grants(struct sf_op *op, const struct sf_sftp_identity *who, const struct sf_sftp_grant **grants, size_t *n,
                            struct sf_err *err) SF_MUST_CHECK;

/* Writes every derived file that differs. *is_unread: the running master has not read this configuration yet. *users are those
 * whose rights or keys are other than confirmed, or who are gone. A crash at any point leaves both true until they are confirmed.
 * Called with the territory's mutex held. */
enum sf_code sf_sftp_write_access(struct sf_op *op, const struct sf_proftpd *p, bool *is_unread, struct sf_str **users, size_t *n,
                                  struct sf_err *err) SF_MUST_CHECK;
/* The server works by what is written, and no session by what was before. */
enum sf_code sf_sftp_confirm_access(struct sf_op *op, const struct sf_proftpd *p, struct sf_err *err) SF_MUST_CHECK;
/* NULL when the files on disk are what the territory says, else what differs ("proftpd.conf"). */
enum sf_code sf_sftp_access_drift(struct sf_op *op, const struct sf_proftpd *p, const char **drift,
                                  struct sf_err *err) SF_MUST_CHECK;

/* Why this user cannot log in now (no such role, no trust, no such bucket...), or NULL. */
const char *sf_sftp_user_defect(struct sf_op *op, const struct sf_proftpd *p, struct sf_str name);

#endif

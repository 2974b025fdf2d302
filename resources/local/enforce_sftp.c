/* The SFTP half of sf_local_enforce(): what is derived is rewritten, a running server reads it again, and sessions that hold rights
 * their user no longer has are ended. Starts nothing. Called with the territory's mutex held. */
#include "resources/local/enforce.h"

#include "resources/local/proftpd.h"
#include "resources/local/sftp_access.h"

static enum sf_code enforce_server(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    struct sf_proftpd p;
    struct sf_str *users;
    size_t n;
    bool is_unread;
    enum sf_code rc = sf_proftpd_load(op, id, &p, err);
    if (rc == SF_E_ABSENT)
        return SF_OK; /* being made, or being removed */
    if (rc == SF_OK && !p.port)
        return SF_OK; /* never started: its configuration is written with its port */
    if (rc == SF_OK)
        rc = sf_sftp_write_access(op, &p, &is_unread, &users, &n, err);
    if (rc || (!is_unread && !n))
        return rc;
    if (sf_proftpd_is_running(op, &p)) {
        if (is_unread)
            rc = sf_proftpd_reload(op, &p, err);
        if (rc == SF_OK)
            sf_proftpd_end_sessions(op, &p, users, n);
    }
    return rc ? rc : sf_sftp_confirm_access(op, &p, err);
}

enum sf_code sf_enforce_sftp(struct sf_op *op, struct sf_err *err)
{
    struct sf_str *ids;
    size_t n;
    enum sf_code rc = sf_territory_list(op, sf_territory_path(op, "sftp"), &ids, &n, err);
    for (size_t i = 0; i < n && rc == SF_OK; i++)
        rc = enforce_server(op, ids[i], err);
    return rc;
}

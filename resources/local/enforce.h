/* The two halves of sf_local_enforce() (territory.h). Each is a pure function of the territory to configuration files, plus the
 * reload of what changed; both are called with the territory's mutex held and never take it. */
#ifndef SF_LOCAL_ENFORCE_H
#define SF_LOCAL_ENFORCE_H

#include "resources/local/territory.h"

/* ProFTPD: users, homes, keys and what their roles' policies allow on each bucket and prefix. */
enum sf_code sf_enforce_sftp(struct sf_op *op, struct sf_err *err) SF_MUST_CHECK;
/* PostgreSQL: listening addresses and pg_hba.conf from the clusters' security groups. */
enum sf_code sf_enforce_pg(struct sf_op *op, struct sf_err *err) SF_MUST_CHECK;

#endif

/* What the SFTP server may not do at all, whatever its configuration says: a system call filter (seccomp) that it inherits.
 *
 * ProFTPD 1.3.8 checks an OPEN for reading that also creates or truncates against no <Limit> (contrib/mod_sftp/fxp.c,
 * fxp_handle_open: such flags are neither STOR, APPE nor RETR), so any user who may log in could empty any file of the bucket. The
 * kernel refuses that open here, and with it links and special files, which no object store has. */
#ifndef SF_LOCAL_CONFINE_H
#define SF_LOCAL_CONFINE_H

#include "resources/local/proc.h"

/* Confines the calling thread and all it starts, for good. False with errno; ENOSYS: not on this kind of machine. */
bool sf_confine_thread(void) SF_MUST_CHECK;

/* sf_proc_run() of a confined child; the caller's own thread stays free. */
enum sf_code sf_confine_run(struct sf_op *op, const struct sf_proc_spec *spec, int *exit_status, struct sf_str *output,
                            struct sf_err *err) SF_MUST_CHECK;

#endif

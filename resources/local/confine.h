/* What the SFTP server may not do at all, whatever its configuration says, because the kernel refuses it: a system call filter
 * (seccomp) and, where the kernel has it, a set of directories (Landlock). Both are inherited by sessions; neither needs root.
 *
 * ProFTPD 1.3.8 checks an OPEN for reading that also creates or truncates against no <Limit> (contrib/mod_sftp/fxp.c,
 * fxp_handle_open: such flags are neither STOR, APPE nor RETR), so any user who may log in could empty any file of the bucket. The
 * filter refuses that open, and with it links and special files, which no object store has. And mod_vroot follows a link to a
 * directory that a person planted in a bucket by its real path: the fence ends that at the buckets' own directory. (Below it such a
 * link is followed still. Only the account that owns all buckets can plant one.) */
#ifndef SF_LOCAL_CONFINE_H
#define SF_LOCAL_CONFINE_H

#include "resources/local/proc.h"

struct sf_confinement {
    const char *program;         /* read and executed, with what lies beside it */
    const char *const *writable; /* directories it may use at will, NULL-terminated */
};

/* Confines the calling thread and all it starts, for good. False with errno; ENOSYS: not on this kind of machine. */
bool sf_confine_thread(const struct sf_confinement *c) SF_MUST_CHECK;

/* sf_proc_run() of a confined child; the caller's own thread stays free. */
enum sf_code sf_confine_run(struct sf_op *op, const struct sf_confinement *c, const struct sf_proc_spec *spec, int *exit_status,
                            struct sf_str *output, struct sf_err *err) SF_MUST_CHECK;

#endif

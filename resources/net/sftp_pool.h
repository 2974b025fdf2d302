/* Many files put over several SFTP sessions at once, since libssh2 asks one thing at a time and waits for the answer, and a file
 * takes four to six questions. */
#ifndef SF_NET_SFTP_POOL_H
#define SF_NET_SFTP_POOL_H

#include "resources/net/put_pool.h"
#include "resources/net/sftp.h"

/* Puts all files, ordered by step; see sf_put_all(), and sftp.h for the codes. `calls` is told of files. `target` as for
 * sf_sftp_connect(); its is_cancelled is called from several threads. */
enum sf_code sf_sftp_put_many(const struct sf_sftp_target *target, const struct sf_put_file *files, size_t n,
                              const struct sf_put_calls *calls, struct sf_err *err) SF_MUST_CHECK;

#endif

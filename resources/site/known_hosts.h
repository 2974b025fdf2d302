/* <secrets_dir>/known_hosts: what people's own SSH clients check this stack's SFTP servers against. */
#ifndef SF_SITE_KNOWN_HOSTS_H
#define SF_SITE_KNOWN_HOSTS_H

#include "engine/kind.h"

/* Path of the file. */
const char *sf_known_hosts_path(const struct sf_op *op);
/* Makes the lines of host:port these public keys (OpenSSH lines) and no others; without keys the lines go, with the last the file.
 * Threads take turns. */
enum sf_code sf_known_hosts_set(struct sf_op *op, struct sf_str host, int port, const struct sf_str *keys, size_t n,
                                struct sf_err *err) SF_MUST_CHECK;
/* Whether the lines of host:port are exactly these. */
bool sf_known_hosts_has(struct sf_op *op, struct sf_str host, int port, const struct sf_str *keys, size_t n);

#endif

/* Which SSH algorithms this program speaks: those that the linked libssh2 has, less what is broken. Pure. */
#ifndef SF_NET_SFTP_METHODS_H
#define SF_NET_SFTP_METHODS_H

#include "engine/core/value.h"

enum sf_ssh_part { SF_SSH_EXCHANGE, SF_SSH_CIPHER, SF_SSH_MAC, SF_SSH_HOST_KEY };

/* Names in the order in which they are offered, joined by commas, as libssh2_session_method_pref() takes them; what an older
 * libssh2 does not have it passes over. NULL: libssh2's own order. */
const char *sf_ssh_offer(enum sf_ssh_part part);
/* Whether it speaks `name` ("hmac-sha2-256"). */
bool sf_ssh_speaks(enum sf_ssh_part part, struct sf_str name);
/* Whether it speaks one of these (a list of texts). */
bool sf_ssh_shares(enum sf_ssh_part part, const struct sf_value *names);
/* Its version: "1.10.0". */
const char *sf_ssh_version(void);

#endif

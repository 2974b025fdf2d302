/* The command that opens a session as a user of an SFTP server, in every world: complete, prompting for nothing, and trusting only
 * the host keys in this stack's known_hosts. */
#ifndef SF_SITE_SFTP_COMMAND_H
#define SF_SITE_SFTP_COMMAND_H

#include "engine/kind.h"

/* Sets `sftp_command` of an sftp_user once its server's host and port and one private key file of its keys are known. */
void sf_sftp_command_derive(struct sf_op *op, struct sf_value *want);

#endif

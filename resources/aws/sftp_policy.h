/* Whether this program's SSH can talk to a Transfer Family server under its security policy: asked while planning, for the
 * handshake would fail only after all else was made. The AWS world's sftp_check(). */
#ifndef SF_AWS_SFTP_POLICY_H
#define SF_AWS_SFTP_POLICY_H

#include "resources/data/world.h"

enum sf_code sf_aws_sftp_check(struct sf_op *op, const struct sf_object *server, const struct sf_object *key,
                               struct sf_err *err) SF_MUST_CHECK;

#endif

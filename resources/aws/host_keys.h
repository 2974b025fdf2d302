/* The host keys of a Transfer Family server: compared by fingerprint, through ListHostKeys, since DescribeServer shows one of them.
 *
 * Of several keys of one type clients are shown the oldest (Transfer Family user guide, "Manage host keys"), so a new key is
 * presented once the old one is deleted: what is new is imported first, then what is not wanted goes; the server is never without a
 * key. */
#ifndef SF_AWS_HOST_KEYS_H
#define SF_AWS_HOST_KEYS_H

#include "resources/aws/client/client.h"

/* What the service says of a fingerprint, as "SHA256:..." without padding: it may come bare, padded, or as a whole line of
 * `ssh-keygen -l`. */
struct sf_str sf_host_keys_fingerprint(struct sf_arena *arena, struct sf_str text);
/* The server's keys: list of {HostKeyId, Fingerprint}, the latter as above. */
enum sf_code sf_host_keys_list(struct sf_op *op, struct sf_str server, const struct sf_value **keys,
                               struct sf_err *err) SF_MUST_CHECK;
/* The fingerprints of such a list. */
const struct sf_value *sf_host_keys_fingerprints(struct sf_op *op, const struct sf_value *keys);

/* Plan time: can the host keys that this resource names be used there? SF_E_CONFIG names the key. */
enum sf_code sf_host_keys_check(struct sf_op *op, struct sf_err *err) SF_MUST_CHECK;
/* The private half of the wanted key with this fingerprint. SF_E_CONFIG when this stack does not have it. */
enum sf_code sf_host_keys_private(struct sf_op *op, struct sf_str fingerprint, struct sf_str *secret,
                                  struct sf_err *err) SF_MUST_CHECK;
/* The public lines of the ssh_keys that this resource names as its host keys, as far as they are known. */
const struct sf_str *sf_host_keys_public(struct sf_op *op, size_t *n);

/* Imports what `want` (list of fingerprints) has and `have` (as sf_host_keys_list() gives it) has not; then deletes the rest. */
enum sf_code sf_host_keys_converge(struct sf_op *op, struct sf_str server, const struct sf_value *have, const struct sf_value *want,
                                   struct sf_err *err) SF_MUST_CHECK;

#endif

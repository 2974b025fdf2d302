/* The credential chain, in botocore's order (credentials.py), with refresh.
 *
 *   environment (passed over when the stack names a profile) -> profile with role_arn (source_profile, credential_source,
 * external_id, session name, duration; mfa_serial is refused with what to do instead) -> web identity (AWS_WEB_IDENTITY_TOKEN_FILE
 * or the profile's)
 *   -> SSO's cached token (sso_session, sso_start_url) -> shared credentials file -> login_session (refused with what to do
 * instead)
 *   -> credential_process (no shell) -> config file -> container (loopback and the documented addresses only) -> instance metadata,
 *   version 2 only (AWS_EC2_METADATA_DISABLED; one second, once).
 *
 * The first that is configured decides: if it fails, that is the error, and no later one is tried. Only instance metadata that does
 * not answer counts as not being there. Temporary credentials are fetched anew 15 minutes before they expire if that works, and not
 * used in their last minute. */
#ifndef SF_AWS_CREDENTIALS_H
#define SF_AWS_CREDENTIALS_H

#include "resources/aws/client/config.h"
#include "resources/aws/client/sigv4.h"

struct sf_aws_provider; /* the chain with what it found; shared by threads */

/* Keeps `config` and `http` (not owned). `arena` holds what lives as long as the run. */
struct sf_aws_provider *sf_aws_provider_new(struct sf_arena *arena, const struct sf_aws_config *config, struct sf_http *http);
/* Overwrites and releases what it holds. NULL is fine. No call may be running. */
void sf_aws_provider_free(struct sf_aws_provider *provider);
/* Current credentials, copied into `arena`. Thread-safe: one thread fetches, others wait if they must.
 *
 * SF_E_AUTH: there are none (the hint lists the ways to give some), they are incomplete, refused, or have expired and cannot be
 * fetched anew; SF_E_DENIED: the role may not be assumed; SF_E_CONFIG: a profile that cannot be followed; SF_E_UNAVAILABLE,
 * SF_E_THROTTLED: their source does not answer. */
enum sf_code sf_aws_provider_get(struct sf_aws_provider *provider, struct sf_arena *arena, int64_t deadline_ms,
                                 struct sf_aws_credentials *credentials, struct sf_err *err) SF_MUST_CHECK;

#endif

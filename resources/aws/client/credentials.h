/* The credential chain, in botocore's order (credentials.py), with refresh.
 *
 *   environment (skipped when a profile was named) -> profile with role_arn (source_profile, credential_source, external_id, session name,
 *   duration; mfa_serial is refused with what to do instead) -> AWS_WEB_IDENTITY_TOKEN_FILE -> SSO's cached token (sso_session, sso_start_url)
 *   -> shared credentials file -> credential_process (execv, no shell) -> config file -> container (loopback and the documented
 *   addresses only) -> instance metadata, version 2 only (AWS_EC2_METADATA_DISABLED; one second, once).
 *
 * Temporary ones are fetched anew 15 minutes before they expire if that works, and not used in their last minute. */
#ifndef SF_AWS_CREDENTIALS_H
#define SF_AWS_CREDENTIALS_H

#include "resources/aws/client/config.h"
#include "resources/aws/client/sigv4.h"

struct sf_aws_provider; /* the chain with what it found; shared by threads */

/* Keeps `config` and `http` (not owned). `arena` holds what lives as long as the run. */
struct sf_aws_provider *sf_aws_provider_new(struct sf_arena *arena, const struct sf_aws_config *config, struct sf_http *http);
void sf_aws_provider_free(struct sf_aws_provider *provider);
/* Current credentials, copied into `arena`. SF_E_AUTH when there are none (the hint lists the ways to give some) or they have expired
 * and cannot be fetched anew; SF_E_UNAVAILABLE when their source does not answer. Thread-safe: one thread fetches, others wait. */
enum sf_code sf_aws_provider_get(struct sf_aws_provider *provider, struct sf_arena *arena, int64_t deadline_ms,
                                 struct sf_aws_credentials *credentials, struct sf_err *err) SF_MUST_CHECK;

#endif

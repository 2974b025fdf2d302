/* What the environment and ~/.aws say: profiles, region, endpoints. Read once a run, never written.
 *
 * Files: AWS_CONFIG_FILE (~/.aws/config) and AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials). Profile: the stack's `aws:
 * {profile}`, AWS_PROFILE, AWS_DEFAULT_PROFILE, "default". Region: the stack's `aws: {region}`, AWS_REGION, AWS_DEFAULT_REGION, the
 * profile's. An empty variable counts as one that is not set. */
#ifndef SF_AWS_CONFIG_H
#define SF_AWS_CONFIG_H

#include "engine/core/value.h"

struct sf_aws_config {
    struct sf_str profile;                  /* "default" if none was named */
    bool is_profile_explicit;               /* named in the stack, by AWS_PROFILE or AWS_DEFAULT_PROFILE: it must exist */
    bool is_profile_of_stack;               /* named in the stack: the environment's credentials and web identity are passed over */
    struct sf_str region;                   /* empty: none anywhere */
    bool use_fips, use_dualstack;           /* AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT, profile */
    bool ignores_overrides;                 /* AWS_IGNORE_CONFIGURED_ENDPOINT_URLS, profile */
    const struct sf_value *profiles;        /* map: name -> map of settings; what the credentials file says of a profile wins */
    const struct sf_value *config_profiles; /* map: what the config file alone says */
    const struct sf_value *credentials_profiles; /* map: what the credentials file alone says */
    const struct sf_value *sessions;             /* map: sso-session name -> map */
    const struct sf_value *services;             /* map: [services NAME] -> map service id -> map */
    const struct sf_value *overrides;            /* map: AWS_ENDPOINT_URL and each AWS_ENDPOINT_URL_<SERVICE> of the environment */
};

/* `settings` is the stack's aws block (may be NULL). SF_E_CONFIG: a file that cannot be read or parsed (file and line named), or a
 * profile that was named and is nowhere (with the names there are). Source: botocore's configloader.py and session.py. */
enum sf_code sf_aws_config_load(struct sf_arena *arena, const struct sf_value *settings, struct sf_aws_config *config,
                                struct sf_err *err) SF_MUST_CHECK;
/* Setting of the profile in use, or an empty view. */
struct sf_str sf_aws_config_get(const struct sf_aws_config *config, const char *key);
/* Variable of the environment, else the setting of the profile in use, else an empty view. */
struct sf_str sf_aws_config_ask(const struct sf_aws_config *config, const char *variable, const char *key);
/* `path` with a leading "~/" as the home directory ($HOME, else the account's). */
struct sf_str sf_aws_home_path(struct sf_arena *arena, struct sf_str path);

#endif

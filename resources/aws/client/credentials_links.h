/* What the links of the credential chain share. A link looks in one place; private to credentials*.c. */
#ifndef SF_AWS_CREDENTIALS_LINKS_H
#define SF_AWS_CREDENTIALS_LINKS_H

#include "resources/aws/client/credentials.h"

/* One walk along the chain. All that a link reads or is told lands in `arena`, which is overwritten when the walk ends. */
struct sf_cred_walk {
    const struct sf_aws_config *config;
    struct sf_http *http;
    struct sf_arena *arena;
    int64_t deadline_ms;
    const char *renewal; /* what a person can do if what was found has expired; NULL: nothing that is known */
};

/* Fills *found, whose source is set. SF_E_ABSENT (err untouched): nothing is configured there, go on. Anything else ends the walk.
 */
typedef enum sf_code sf_cred_link(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                  struct sf_err *err);

/* One link each; `profile` is passed over where it does not matter. */
sf_cred_link sf_cred_environment;             /* credentials.c */
sf_cred_link sf_cred_role;                    /* credentials_role.c: role_arn with source_profile or credential_source */
sf_cred_link sf_cred_sso;                     /* credentials_sso.c */
sf_cred_link sf_cred_process;                 /* credentials_process.c */
sf_cred_link sf_cred_container;               /* credentials_metadata.c */
sf_cred_link sf_cred_instance;                /* credentials_metadata.c */
sf_cred_link sf_cred_web_identity_of_profile; /* credentials_role.c */
sf_cred_link sf_cred_web_identity;            /* the same, but the environment's variables come first */

/* The links that read `profile` and nothing else, in order: web identity, SSO, shared file, login, process, config file. */
sf_cred_link sf_cred_profile;

/* SF_E_AUTH if `found` has a minute or less to live. */
enum sf_code sf_cred_check_fresh(struct sf_cred_walk *walk, const struct sf_aws_credentials *found,
                                 struct sf_err *err) SF_MUST_CHECK;

/* What a JSON reply calls the parts. */
struct sf_cred_names {
    const char *access_key, *secret_key, *token;
    const char *expiration; /* may be absent */
};
/* Takes credentials from a map. SF_E_AUTH: a key is missing, or the time is none. The expiration is a text or milliseconds. */
enum sf_code sf_cred_take(struct sf_cred_walk *walk, const struct sf_value *reply, const struct sf_cred_names *names,
                          const char *source, struct sf_aws_credentials *found, struct sf_err *err) SF_MUST_CHECK;
/* JSON object in `text`. SF_E_AUTH without quoting any of it. */
enum sf_code sf_cred_json(struct sf_cred_walk *walk, struct sf_str text, const char *source, const struct sf_value **object,
                          struct sf_err *err) SF_MUST_CHECK;

/* "2026-11-20T13:35:39Z", with a fraction, "UTC" or an offset instead of "Z", or nothing (which is UTC). */
bool sf_cred_time(struct sf_str text, int64_t *wall_ms) SF_MUST_CHECK;
/* A token's file, at most 64 KiB; blanks around it are taken off. SF_E_AUTH when it cannot be read or is empty. */
enum sf_code sf_cred_read_token(struct sf_cred_walk *walk, struct sf_str path, struct sf_str *token,
                                struct sf_err *err) SF_MUST_CHECK;
/* Sends a request that asks for credentials, which may be done again: a lost reply is SF_E_UNAVAILABLE. */
enum sf_code sf_cred_send(struct sf_cred_walk *walk, struct sf_http_request *request, int64_t within_ms,
                          struct sf_http_reply *reply, struct sf_err *err) SF_MUST_CHECK;
/* Setting of `profile` in both files, or an empty view. */
struct sf_str sf_cred_setting(const struct sf_cred_walk *walk, struct sf_str profile, const char *key);
/* Text of the other side for a message: control characters become blanks, at most 300 bytes. */
struct sf_str sf_cred_quote(struct sf_arena *arena, struct sf_str text);

#endif

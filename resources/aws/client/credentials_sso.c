/* IAM Identity Center: the token that `aws sso login` left in ~/.aws/sso/cache buys a role's credentials. See credentials_links.h.
 *
 * The token is read, never renewed: signing in is the person's. Source: SSOProvider of botocore's credentials.py; the portal's
 * GetRoleCredentials. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"
#include "resources/aws/client/endpoint.h"
#include "resources/aws/client/uri.h"

#include <openssl/evp.h>

#include <errno.h>
#include <unistd.h>

enum { PORTAL_MS = 20000 };

struct sso {
    struct sf_str session; /* name of the sso-session; empty: the settings stand in the profile */
    struct sf_str start_url, region, account, role;
};

/* Setting of the session if there is one, which must not contradict the profile's. */
static enum sf_code pick(struct sf_cred_walk *walk, struct sf_str profile, const struct sf_value *session, const char *key,
                         struct sf_str *value, struct sf_err *err)
{
    struct sf_str of_session = sf_map_str(session, key);
    *value = sf_cred_setting(walk, profile, key);
    if (of_session.n && value->n && !sf_str_eq(of_session, *value))
        return sf_fail(err, SF_E_CONFIG, "%s of profile '%.*s' is not that of its sso-session", key, SF_ARG(profile));
    if (of_session.n)
        *value = of_session;
    if (!value->n)
        return sf_fail(err, SF_E_CONFIG, "profile '%.*s' is for SSO and lacks %s", SF_ARG(profile), key);
    return SF_OK;
}

static enum sf_code read_settings(struct sf_cred_walk *walk, struct sf_str profile, struct sso *sso, struct sf_err *err)
{
    const struct sf_value *session = NULL;
    sso->session = sf_cred_setting(walk, profile, "sso_session");
    if (sso->session.n && !(session = sf_map_get(walk->config->sessions, sso->session)))
        return sf_fail(err, SF_E_CONFIG, "profile '%.*s' names sso-session '%.*s', which does not exist", SF_ARG(profile),
                       SF_ARG(sso->session));
    const struct {
        const char *key;
        struct sf_str *value;
    } wanted[] = {{"sso_role_name", &sso->role},
                  {"sso_account_id", &sso->account},
                  {"sso_start_url", &sso->start_url},
                  {"sso_region", &sso->region}};
    enum sf_code rc = SF_OK;
    for (size_t i = 0; !rc && i < SF_COUNT(wanted); i++)
        rc = pick(walk, profile, session, wanted[i].key, wanted[i].value, err);
    return rc;
}

static enum sf_code ask_to_sign_in(struct sf_str profile, const char *why, struct sf_err *err)
{
    sf_fail(err, SF_E_AUTH, "the SSO sign-in of profile '%.*s' %s", SF_ARG(profile), why);
    sf_hint(err, "aws sso login --profile %.*s", SF_ARG(profile));
    return SF_E_AUTH;
}

static enum sf_code read_token(struct sf_cred_walk *walk, struct sf_str profile, const struct sso *sso, struct sf_str *token,
                               struct sf_err *err)
{
    struct sf_str key = sso->session.n ? sso->session : sso->start_url, text;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_bytes = 0;
    const struct sf_value *cached;
    int64_t expires_ms;
    if (!EVP_Digest(key.p, key.n, digest, &digest_bytes, EVP_sha1(), NULL))
        return sf_fail(err, SF_E_INTERNAL, "SHA-1 is not to be had, and the name of the SSO token's file needs it");
    struct sf_str name = sf_str_hex(walk->arena, digest, digest_bytes);
    struct sf_str path = sf_aws_home_path(walk->arena, sf_str_fmt(walk->arena, "~/.aws/sso/cache/%.*s.json", SF_ARG(name)));
    if (access(path.p, F_OK) != 0 && errno == ENOENT)
        return ask_to_sign_in(profile, "has not been done", err);
    enum sf_code rc = sf_cred_read_token(walk, path, &text, err);
    if (!rc)
        rc = sf_cred_json(walk, text, "the SSO token's file", &cached, err);
    if (rc)
        return rc;
    *token = sf_map_str(cached, "accessToken");
    if (!token->n || !sf_cred_time(sf_map_str(cached, "expiresAt"), &expires_ms))
        return ask_to_sign_in(profile, "left no token that can be used", err);
    if (expires_ms <= sf_clock_wall_ms())
        return ask_to_sign_in(profile, "has expired", err);
    return SF_OK;
}

static enum sf_code refuse(struct sf_cred_walk *walk, struct sf_str profile, const struct sso *sso,
                           const struct sf_http_reply *reply, struct sf_err *err)
{
    const struct sf_value *said = NULL;
    struct sf_err unread = {.code = SF_OK};
    struct sf_str message = SF_STR_NONE;
    if (!sf_cred_json(walk, reply->body, "SSO", &said, &unread))
        message = sf_cred_quote(walk->arena, sf_map_str(said, "message"));
    if (reply->status == 401)
        return ask_to_sign_in(profile, "is not valid any more", err);
    if (reply->status == 429)
        return sf_fail(err, SF_E_THROTTLED, "SSO asks for fewer requests");
    if (reply->status >= 500 || !said)
        return sf_fail(err, SF_E_UNAVAILABLE, "SSO does not answer as it should (status %d)", reply->status);
    return sf_fail(err, reply->status == 403 ? SF_E_DENIED : SF_E_REFUSED,
                   "SSO gives no credentials for role '%.*s' in account '%.*s': %.*s", SF_ARG(sso->role), SF_ARG(sso->account),
                   SF_ARG(message));
}

enum sf_code sf_cred_sso(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found, struct sf_err *err)
{
    static const struct sf_cred_names names = {"accessKeyId", "secretAccessKey", "sessionToken", "expiration"};
    struct sso sso;
    struct sf_str token;
    struct sf_aws_endpoint portal;
    struct sf_http_reply reply;
    const struct sf_value *answer;
    if (!sf_cred_setting(walk, profile, "sso_role_name").n && !sf_cred_setting(walk, profile, "sso_account_id").n)
        return SF_E_ABSENT;
    enum sf_code rc = read_settings(walk, profile, &sso, err);
    if (!rc)
        rc = read_token(walk, profile, &sso, &token, err);
    if (!rc)
        rc = sf_aws_endpoint_of(walk->arena, walk->config, "sso", sso.region, &portal, err);
    if (rc)
        return rc;
    struct sf_buf url = SF_BUF(4096);
    sf_buf_addf(&url, "%.*s/federation/credentials?role_name=", SF_ARG(portal.url));
    sf_uri_encode(&url, sso.role, false);
    sf_buf_addz(&url, "&account_id=");
    sf_uri_encode(&url, sso.account, false);
    const struct sf_http_header header = {SF_STR("x-amz-sso_bearer_token"), token};
    struct sf_http_request request = {
        .method = "GET", .url = sf_str_dup(walk->arena, sf_buf_str(&url)), .headers = &header, .n_headers = 1};
    sf_buf_free(&url);
    rc = sf_cred_send(walk, &request, PORTAL_MS, &reply, err);
    if (rc)
        return rc;
    if (reply.status != 200)
        return refuse(walk, profile, &sso, &reply, err);
    const char *source = sf_str_fmt(walk->arena, "SSO of profile '%.*s'", SF_ARG(profile)).p;
    rc = sf_cred_json(walk, reply.body, source, &answer, err);
    return rc ? rc : sf_cred_take(walk, sf_map_getz(answer, "roleCredentials"), &names, source, found, err);
}

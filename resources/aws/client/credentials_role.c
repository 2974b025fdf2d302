/* Roles: role_arn of a profile, with the credentials that it says, and web identity. See credentials_links.h.
 *
 * STS is spoken to right here, since the client needs credentials first: one form by POST, one XML reply. */
#include "resources/aws/client/credentials_links.h"

#include "engine/core/clock.h"
#include "engine/core/xml.h"
#include "resources/aws/client/endpoint.h"
#include "resources/aws/client/uri.h"

#include <stdio.h>
#include <stdlib.h>

enum { STS_MS = 20000, MAX_FORM_BYTES = 256 * 1024, MAX_SKEW_MS = 4 * 60 * 1000 };

struct param {
    const char *name;
    struct sf_str value; /* empty: not sent */
};

struct sts_call {
    const char *action;
    const struct param *params;
    size_t n_params;
    const struct sf_aws_credentials *signer; /* NULL: not signed */
    struct sf_str role;                      /* for messages */
    const char *source;
};

/* What an error of STS means. Source: "Errors" of AssumeRole, AssumeRoleWithWebIdentity and "Common errors" in the STS API
 * reference. */
static const struct {
    const char *code;
    enum sf_code means;
    const char *hint;
} sts_errors[] = {
    {"AccessDenied", SF_E_DENIED, "the role's trust policy must name the caller, and the caller needs sts:AssumeRole on the role"},
    {"ExpiredToken", SF_E_AUTH, "sign in again: the credentials that assume the role have expired"},
    {"ExpiredTokenException", SF_E_AUTH, "the identity token has expired: have it written anew"},
    {"InvalidClientTokenId", SF_E_AUTH, "check the access key: STS does not know it"},
    {"InvalidIdentityToken", SF_E_AUTH, "check the identity token and the role's identity provider"},
    {"SignatureDoesNotMatch", SF_E_AUTH, "check the secret key, and this machine's clock"},
    {"RequestExpired", SF_E_AUTH, "check this machine's clock"},
    {"RequestTimeTooSkewed", SF_E_AUTH, "check this machine's clock"},
    {"RegionDisabledException", SF_E_CONFIG, "enable STS in the region, or choose another region"},
    {"Throttling", SF_E_THROTTLED, NULL},
    {"ThrottlingException", SF_E_THROTTLED, NULL},
    {"IDPCommunicationError", SF_E_UNAVAILABLE, NULL},
    {"ServiceUnavailable", SF_E_UNAVAILABLE, NULL},
    {"InternalFailure", SF_E_UNAVAILABLE, NULL},
};

static struct sf_str form_of(struct sf_arena *arena, const struct sts_call *call)
{
    struct sf_buf form = SF_BUF(MAX_FORM_BYTES);
    sf_buf_addf(&form, "Action=%s&Version=2011-06-15", call->action);
    for (size_t i = 0; i < call->n_params; i++) {
        if (!call->params[i].value.n)
            continue;
        sf_buf_addf(&form, "&%s=", call->params[i].name);
        sf_uri_encode(&form, call->params[i].value, false);
    }
    struct sf_str text = sf_str_dup(arena, sf_buf_str(&form));
    if (form.p)
        explicit_bzero(form.p, form.cap);
    sf_buf_free(&form);
    return text;
}

/* Host as it goes into the Host header, and the path. */
static void split_url(struct sf_str url, struct sf_str *host, struct sf_str *path)
{
    size_t scheme = sf_str_find(url, SF_STR("://")) + 3;
    struct sf_str rest = sf_str_slice(url, scheme, url.n);
    size_t slash = sf_str_find(rest, SF_STR("/"));
    *host = sf_str_slice(rest, 0, slash);
    *path = slash == SIZE_MAX ? SF_STR("/") : sf_str_slice(rest, slash, rest.n);
    struct sf_str usual = sf_str_starts(url, SF_STR("https:")) ? SF_STR(":443") : SF_STR(":80");
    if (sf_str_ends(*host, usual))
        host->n -= usual.n;
}

static enum sf_code send_form(struct sf_cred_walk *walk, const struct sts_call *call, int64_t clock_offset_ms,
                              struct sf_http_reply *reply, struct sf_err *err)
{
    struct sf_aws_endpoint endpoint;
    struct sf_str host, path;
    enum sf_code rc = sf_aws_endpoint_of(walk->arena, walk->config, "sts", walk->config->region, &endpoint, err);
    if (rc)
        return rc;
    split_url(endpoint.url, &host, &path);
    struct sf_http_header headers[8] = {{SF_STR("content-type"), SF_STR("application/x-www-form-urlencoded; charset=utf-8")},
                                        {SF_STR("host"), host}};
    struct sf_http_request request = {
        .method = "POST",
        .url = sf_str_is(path, "/") ? sf_str_fmt(walk->arena, "%.*s/", SF_ARG(endpoint.url)) : endpoint.url,
        .headers = headers,
        .n_headers = 1, /* Host is sent as it is anyway */
        .body = form_of(walk->arena, call),
    };
    if (call->signer) {
        struct sf_sigv4 sign = {
            .method = request.method,
            .path = path,
            .headers = headers,
            .n_headers = 2,
            .body = request.body,
            .service = endpoint.signing_name,
            .region = endpoint.signing_region,
            .time_ms = sf_clock_wall_ms() + clock_offset_ms,
        };
        struct sf_sigv4_result signature;
        sf_sigv4_sign(walk->arena, &sign, call->signer, &signature);
        for (size_t i = 0; i < signature.n_added && request.n_headers < SF_COUNT(headers); i++)
            headers[request.n_headers++] = signature.added[i];
    }
    return sf_cred_send(walk, &request, STS_MS, reply, err);
}

/* How far the other side's clock is from ours by its Date header; 0 when there is none. */
static int64_t skew_of(const struct sf_http_reply *reply)
{
    int64_t theirs;
    return sf_http_date(sf_http_header_of(reply, "date"), &theirs) ? theirs - sf_clock_wall_ms() : 0;
}

static enum sf_code refuse(struct sf_cred_walk *walk, const struct sts_call *call, const struct sf_http_reply *reply,
                           struct sf_err *err)
{
    struct sf_str root;
    struct sf_err unread = {.code = SF_OK};
    const struct sf_value *content = NULL;
    enum sf_code means = reply->status >= 500 ? SF_E_UNAVAILABLE : reply->status == 429 ? SF_E_THROTTLED : SF_E_REFUSED;
    const char *hint = NULL;
    if (sf_xml_parse(walk->arena, reply->body, &root, &content, &unread) || !sf_str_is(root, "ErrorResponse"))
        return sf_fail(err, means == SF_E_REFUSED ? SF_E_UNAVAILABLE : means, "what answers for STS is not STS (status %d)",
                       reply->status);
    const struct sf_value *error = sf_map_getz(content, "Error");
    struct sf_str code = sf_map_str(error, "Code");
    for (size_t i = 0; i < SF_COUNT(sts_errors); i++) {
        if (sf_str_is(code, sts_errors[i].code)) {
            means = sts_errors[i].means;
            hint = sts_errors[i].hint;
        }
    }
    sf_fail(err, means, "cannot assume role '%.*s': %s: %s", SF_ARG(call->role), sf_cred_quote(walk->arena, code).p,
            sf_cred_quote(walk->arena, sf_map_str(error, "Message")).p);
    if (hint)
        sf_hint(err, "%s", hint);
    if (err) {
        snprintf(err->remote_code, sizeof(err->remote_code), "%.*s", SF_ARG(code));
        snprintf(err->request_id, sizeof(err->request_id), "%.*s", SF_ARG(sf_map_str(content, "RequestId")));
    }
    return means;
}

static enum sf_code assume(struct sf_cred_walk *walk, const struct sts_call *call, struct sf_aws_credentials *found,
                           struct sf_err *err)
{
    static const struct sf_cred_names names = {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"};
    struct sf_http_reply reply;
    struct sf_str root;
    const struct sf_value *content;
    struct sf_err unread = {.code = SF_OK};
    enum sf_code rc = send_form(walk, call, 0, &reply, err);
    if (!rc && reply.status == 403 && call->signer && llabs(skew_of(&reply)) > MAX_SKEW_MS)
        rc = send_form(walk, call, skew_of(&reply), &reply, err);
    if (rc)
        return rc;
    if (reply.status != 200)
        return refuse(walk, call, &reply, err);
    if (sf_xml_parse(walk->arena, reply.body, &root, &content, &unread))
        return sf_fail(err, SF_E_UNAVAILABLE, "the answer of STS cannot be read");
    const struct sf_value *result = sf_map_getz(content, sf_str_fmt(walk->arena, "%sResult", call->action).p);
    return sf_cred_take(walk, sf_map_getz(result, "Credentials"), &names, call->source, found, err);
}

/* --- profiles with role_arn --- */

/* Profiles on the way, so that a circle is seen. */
struct visited {
    struct sf_str profile;
    const struct visited *before;
};

static enum sf_code assume_of_profile(struct sf_cred_walk *walk, struct sf_str profile, const struct visited *before,
                                      struct sf_aws_credentials *found, struct sf_err *err);

static bool has_role(const struct sf_cred_walk *walk, struct sf_str profile)
{
    const struct sf_value *settings = sf_map_get(walk->config->profiles, profile);
    /* a profile with a token's file is one for web identity, wherever it stands in a chain of roles */
    return sf_map_getz(settings, "role_arn") && !sf_map_getz(settings, "web_identity_token_file");
}

static bool has_static_keys(const struct sf_cred_walk *walk, struct sf_str profile)
{
    const struct sf_value *settings = sf_map_get(walk->config->profiles, profile);
    return sf_map_getz(settings, "aws_access_key_id") || sf_map_getz(settings, "aws_secret_access_key");
}

static enum sf_code from_named_source(struct sf_cred_walk *walk, struct sf_str profile, struct sf_str source,
                                      struct sf_aws_credentials *found, struct sf_err *err)
{
    static const struct {
        const char *name;
        sf_cred_link *link;
    } sources[] = {
        {"Environment", sf_cred_environment}, {"EcsContainer", sf_cred_container}, {"Ec2InstanceMetadata", sf_cred_instance}};
    for (size_t i = 0; i < SF_COUNT(sources); i++) {
        if (!sf_str_is(source, sources[i].name))
            continue;
        enum sf_code rc = sources[i].link(walk, profile, found, err);
        return rc == SF_E_ABSENT ? sf_fail(err, SF_E_AUTH, "credential_source '%.*s' of profile '%.*s' gives no credentials",
                                           SF_ARG(source), SF_ARG(profile))
                                 : rc;
    }
    sf_fail(err, SF_E_CONFIG, "profile '%.*s' has an unknown credential_source '%.*s'", SF_ARG(profile), SF_ARG(source));
    sf_hint(err, "it may be Environment, EcsContainer or Ec2InstanceMetadata");
    return SF_E_CONFIG;
}

static enum sf_code from_source_profile(struct sf_cred_walk *walk, struct sf_str profile, struct sf_str source,
                                        const struct visited *way, struct sf_aws_credentials *found, struct sf_err *err)
{
    if (!sf_map_get(walk->config->profiles, source))
        return sf_fail(err, SF_E_CONFIG, "profile '%.*s' names source_profile '%.*s', which does not exist", SF_ARG(profile),
                       SF_ARG(source));
    for (const struct visited *v = way; v; v = v->before) {
        /* a profile may name itself when it also has the keys */
        if (sf_str_eq(v->profile, source) && !(sf_str_eq(source, profile) && has_static_keys(walk, source)))
            return sf_fail(err, SF_E_CONFIG, "source_profile of profile '%.*s' leads back to profile '%.*s'", SF_ARG(profile),
                           SF_ARG(source));
    }
    if (!has_static_keys(walk, source) && has_role(walk, source))
        return assume_of_profile(walk, source, way, found, err);
    enum sf_code rc = sf_cred_profile(walk, source, found, err);
    if (rc == SF_E_ABSENT)
        return sf_fail(err, SF_E_AUTH, "source_profile '%.*s' of profile '%.*s' has no credentials", SF_ARG(source),
                       SF_ARG(profile));
    return rc;
}

static enum sf_code refuse_mfa(struct sf_str profile, struct sf_err *err)
{
    sf_fail(err, SF_E_AUTH, "profile '%.*s' asks for an MFA code (mfa_serial), which cannot be given here", SF_ARG(profile));
    sf_hint(err, "eval \"$(aws configure export-credentials --profile %.*s --format env)\" asks for it and sets the environment",
            SF_ARG(profile));
    return SF_E_AUTH;
}

static struct sf_str session_name(struct sf_arena *arena, struct sf_str wanted)
{
    return wanted.n ? wanted : sf_str_fmt(arena, "sfstack-%lld", (long long)(sf_clock_wall_ms() / 1000));
}

static enum sf_code assume_of_profile(struct sf_cred_walk *walk, struct sf_str profile, const struct visited *before,
                                      struct sf_aws_credentials *found, struct sf_err *err)
{
    struct visited way = {profile, before};
    struct sf_str source_profile = sf_cred_setting(walk, profile, "source_profile");
    struct sf_str credential_source = sf_cred_setting(walk, profile, "credential_source");
    struct sf_str duration = sf_cred_setting(walk, profile, "duration_seconds");
    struct sf_str role = sf_cred_setting(walk, profile, "role_arn");
    struct sf_aws_credentials signer = {.expires_ms = 0};
    int64_t seconds;
    if (source_profile.n && credential_source.n)
        return sf_fail(err, SF_E_CONFIG, "profile '%.*s' has both source_profile and credential_source", SF_ARG(profile));
    if (!source_profile.n && !credential_source.n)
        return sf_fail(err, SF_E_CONFIG, "profile '%.*s' has role_arn but neither source_profile nor credential_source",
                       SF_ARG(profile));
    if (duration.n && !sf_str_int64(duration, &seconds))
        return sf_fail(err, SF_E_CONFIG, "duration_seconds '%.*s' of profile '%.*s' is no number", SF_ARG(duration),
                       SF_ARG(profile));
    if (sf_cred_setting(walk, profile, "mfa_serial").n)
        return refuse_mfa(profile, err);
    enum sf_code rc = credential_source.n ? from_named_source(walk, profile, credential_source, &signer, err)
                                          : from_source_profile(walk, profile, source_profile, &way, &signer, err);
    if (!rc)
        rc = sf_cred_check_fresh(walk, &signer, err);
    if (rc)
        return rc;
    const struct param params[] = {
        {"RoleArn", role},
        {"RoleSessionName", session_name(walk->arena, sf_cred_setting(walk, profile, "role_session_name"))},
        {"ExternalId", sf_cred_setting(walk, profile, "external_id")},
        {"DurationSeconds", duration},
    };
    struct sts_call call = {
        .action = "AssumeRole",
        .params = params,
        .n_params = SF_COUNT(params),
        .signer = &signer,
        .role = role,
        .source = sf_str_fmt(walk->arena, "role of profile '%.*s'", SF_ARG(profile)).p,
    };
    walk->renewal = NULL;
    return assume(walk, &call, found, err);
}

enum sf_code sf_cred_role(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found, struct sf_err *err)
{
    return has_role(walk, profile) ? assume_of_profile(walk, profile, NULL, found, err) : SF_E_ABSENT;
}

/* --- web identity --- */

static enum sf_code web_identity(struct sf_cred_walk *walk, struct sf_str profile, bool asks_environment,
                                 struct sf_aws_credentials *found, struct sf_err *err)
{
    static const struct {
        const char *key, *variable;
    } settings[] = {{"web_identity_token_file", "AWS_WEB_IDENTITY_TOKEN_FILE"},
                    {"role_arn", "AWS_ROLE_ARN"},
                    {"role_session_name", "AWS_ROLE_SESSION_NAME"}};
    struct sf_str values[SF_COUNT(settings)] = {SF_STR_NONE}, token = SF_STR_NONE;
    for (size_t i = 0; i < SF_COUNT(settings); i++) {
        struct sf_str set = asks_environment ? sf_str_of(getenv(settings[i].variable)) : SF_STR_NONE;
        values[i] = set.n ? set : sf_cred_setting(walk, profile, settings[i].key);
    }
    if (!values[0].n)
        return SF_E_ABSENT;
    if (!values[1].n) {
        sf_fail(err, SF_E_CONFIG, "web identity needs a role, and there is none");
        sf_hint(err, "set AWS_ROLE_ARN, or role_arn in profile '%.*s'", SF_ARG(profile));
        return SF_E_CONFIG;
    }
    enum sf_code rc = sf_cred_read_token(walk, values[0], &token, err);
    if (rc)
        return rc;
    const struct param params[] = {
        {"RoleArn", values[1]},
        {"RoleSessionName", session_name(walk->arena, values[2])},
        {"WebIdentityToken", token},
    };
    struct sts_call call = {
        .action = "AssumeRoleWithWebIdentity",
        .params = params,
        .n_params = SF_COUNT(params),
        .role = values[1],
        .source = "web identity",
    };
    return assume(walk, &call, found, err);
}

enum sf_code sf_cred_web_identity(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                  struct sf_err *err)
{
    return web_identity(walk, profile, true, found, err);
}

enum sf_code sf_cred_web_identity_of_profile(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                                             struct sf_err *err)
{
    return web_identity(walk, profile, false, found, err);
}

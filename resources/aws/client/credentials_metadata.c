/* Credentials that the machine has: a container's agent, or EC2's instance metadata, version 2 only. See credentials_links.h.
 *
 * Which addresses plain http may go to is http.h's rule: loopback and the documented link-local ones. */
#include "resources/aws/client/credentials_links.h"

#include <stdlib.h>
#include <strings.h>

enum { CONTAINER_MS = 2000, INSTANCE_MS = 1000, MAX_INSTANCE_MS = 30000 };

static const struct sf_cred_names names = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};

/* --- container --- */

static enum sf_code authorization(struct sf_cred_walk *walk, struct sf_str *token, struct sf_err *err)
{
    struct sf_str file = sf_str_of(getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
    *token = sf_str_of(getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
    enum sf_code rc = file.n ? sf_cred_read_token(walk, file, token, err) : SF_OK;
    for (size_t i = 0; !rc && i < token->n; i++) {
        if (token->p[i] == '\r' || token->p[i] == '\n')
            rc = sf_fail(err, SF_E_CONFIG, "the container's authorization token has a line end in it");
    }
    return rc;
}

enum sf_code sf_cred_container(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                               struct sf_err *err)
{
    (void)profile;
    struct sf_str relative = sf_str_of(getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"));
    struct sf_str url = sf_str_of(getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI")), token;
    struct sf_http_reply reply;
    const struct sf_value *answer;
    if (relative.n)
        url = sf_str_fmt(walk->arena, "http://169.254.170.2%s%.*s", relative.p[0] == '/' ? "" : "/", SF_ARG(relative));
    if (!url.n)
        return SF_E_ABSENT;
    enum sf_code rc = authorization(walk, &token, err);
    if (rc)
        return rc;
    const struct sf_http_header headers[] = {{SF_STR("Accept"), SF_STR("application/json")}, {SF_STR("Authorization"), token}};
    struct sf_http_request request = {.method = "GET", .url = url, .headers = headers, .n_headers = token.n ? 2 : 1};
    rc = sf_cred_send(walk, &request, CONTAINER_MS, &reply, err);
    if (rc)
        return rc;
    if (reply.status != 200)
        return sf_fail(err, reply.status >= 500 || reply.status == 429 ? SF_E_UNAVAILABLE : SF_E_AUTH,
                       "the container's credential service answered with status %d", reply.status);
    rc = sf_cred_json(walk, reply.body, "container", &answer, err);
    return rc ? rc : sf_cred_take(walk, answer, &names, "container", found, err);
}

/* --- instance --- */

static struct sf_str metadata_url(const struct sf_cred_walk *walk)
{
    struct sf_str set = sf_aws_config_ask(walk->config, "AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint");
    struct sf_str mode =
        sf_aws_config_ask(walk->config, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode");
    if (!set.n)
        set = mode.n == 4 && strncasecmp(mode.p, "ipv6", 4) == 0 ? SF_STR("http://[fd00:ec2::254]")
                                                                 : SF_STR("http://169.254.169.254");
    while (set.n && set.p[set.n - 1] == '/')
        set.n--;
    return set;
}

static int64_t patience_ms(const struct sf_cred_walk *walk)
{
    struct sf_str set = sf_aws_config_ask(walk->config, "AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout");
    int64_t seconds;
    if (!sf_str_int64(set, &seconds) || seconds < 1)
        return INSTANCE_MS;
    return seconds < MAX_INSTANCE_MS / 1000 ? seconds * 1000 : MAX_INSTANCE_MS;
}

/* One request. SF_E_ABSENT: no answer, or none that is one. */
static enum sf_code ask(struct sf_cred_walk *walk, const char *method, const char *path, struct sf_http_header header,
                        struct sf_str *body)
{
    struct sf_str base = metadata_url(walk);
    struct sf_http_reply reply;
    struct sf_err ignored = {.code = SF_OK};
    int64_t patience = patience_ms(walk);
    struct sf_http_request request = {
        .method = method,
        .url = sf_str_fmt(walk->arena, "%.*s/latest/%s", SF_ARG(base), path),
        .headers = &header,
        .n_headers = 1,
        .connect_ms = (int)patience,
    };
    if (sf_cred_send(walk, &request, patience, &reply, &ignored) || reply.status != 200)
        return SF_E_ABSENT;
    *body = sf_str_trim(reply.body);
    return body->n ? SF_OK : SF_E_ABSENT;
}

static bool is_role_name(struct sf_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 0x7f || strchr("/?#%\\", name.p[i]))
            return false;
    }
    return name.n > 0 && name.n <= 128;
}

enum sf_code sf_cred_instance(struct sf_cred_walk *walk, struct sf_str profile, struct sf_aws_credentials *found,
                              struct sf_err *err)
{
    static const char ROLES[] = "meta-data/iam/security-credentials/";
    (void)profile;
    struct sf_str disabled = sf_str_of(getenv("AWS_EC2_METADATA_DISABLED"));
    struct sf_str token = SF_STR_NONE, role = SF_STR_NONE, text = SF_STR_NONE;
    const struct sf_value *answer;
    if (disabled.n == 4 && strncasecmp(disabled.p, "true", 4) == 0)
        return SF_E_ABSENT;
    struct sf_http_header lifetime = {SF_STR("x-aws-ec2-metadata-token-ttl-seconds"), SF_STR("21600")};
    enum sf_code rc = ask(walk, "PUT", "api/token", lifetime, &token);
    struct sf_http_header session = {SF_STR("x-aws-ec2-metadata-token"), token};
    if (!rc)
        rc = ask(walk, "GET", ROLES, session, &role);
    if (rc || !is_role_name(role))
        return SF_E_ABSENT;
    rc = ask(walk, "GET", sf_str_fmt(walk->arena, "%s%.*s", ROLES, SF_ARG(role)).p, session, &text);
    if (!rc)
        rc = sf_cred_json(walk, text, "instance metadata", &answer, err);
    return rc ? rc : sf_cred_take(walk, answer, &names, "instance metadata", found, err);
}

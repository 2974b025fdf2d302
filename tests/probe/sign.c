/* sfprobe sigv4 DIR [query]: a case of a signing test suite (context.json, request.txt) -> its three stages, header form or query
 * form.
 *
 * sfprobe sign FILE: {method, url, headers, body, region, service, time, access_key, secret_key, session_token?} ->
 * {canonical_request, string_to_sign, signature, authorization}. A file of several lines, each an object, is answered line by line,
 * {"error": message} where there is no answer. Host is taken from the URL unless it is among the headers; a service "s3" is signed
 * by S3's rules. */
#include "resources/aws/client/sigv4.h"

#include "engine/core/json.h"
#include "tests/probe/probe.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

/* "2026-11-20T13:35:39Z" or "20261120T133539Z". */
static bool read_time(struct sf_str text, int64_t *time_ms)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y%m%dT%H%M%S"};
    for (size_t i = 0; i < SF_COUNT(formats) && text.n; i++) {
        struct tm utc = {.tm_mday = 1};
        const char *end = strptime(text.p, formats[i], &utc);
        if (!end || (*end && strcmp(end, "Z") != 0 && strcmp(end, "+00:00") != 0))
            continue;
        *time_ms = (int64_t)timegm(&utc) * 1000;
        return true;
    }
    return false;
}

/* --- one request as JSON --- */

struct url {
    struct sf_str scheme, host, path, query;
};

static struct url split_url(struct sf_str text)
{
    struct url url = {.scheme = SF_STR_NONE};
    text = sf_str_slice(text, 0, sf_str_find(text, SF_STR("#")));
    size_t at = sf_str_find(text, SF_STR("://"));
    if (at == SIZE_MAX)
        return url;
    url.scheme = sf_str_slice(text, 0, at);
    text = sf_str_slice(text, at + 3, text.n);
    at = sf_str_find(text, SF_STR("?"));
    if (at != SIZE_MAX)
        url.query = sf_str_slice(text, at + 1, text.n);
    text = sf_str_slice(text, 0, at);
    at = sf_str_find(text, SF_STR("/"));
    url.path = at == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, at, text.n);
    url.host = sf_str_slice(text, 0, at);
    return url;
}

/* As an HTTP client sends it: without user and default port, in lower case. */
static struct sf_str host_header(struct sf_arena *arena, const struct url *url)
{
    struct sf_str host = url->host;
    size_t at = sf_str_find(host, SF_STR("@"));
    if (at != SIZE_MAX)
        host = sf_str_slice(host, at + 1, host.n);
    struct sf_str port = sf_str_is(url->scheme, "http") ? SF_STR(":80") : SF_STR(":443");
    if (sf_str_ends(host, port))
        host.n -= port.n;
    char *text = sf_arena_alloc(arena, host.n + 1);
    for (size_t i = 0; i < host.n; i++)
        text[i] = host.p[i] >= 'A' && host.p[i] <= 'Z' ? (char)(host.p[i] + ('a' - 'A')) : host.p[i];
    return (struct sf_str){text, host.n};
}

static enum sf_code read_headers(struct sf_arena *arena, const struct sf_value *given, const struct url *url,
                                 struct sf_sigv4 *request, struct sf_err *err)
{
    size_t n = given && given->type == SF_V_LIST ? given->list.n : 0;
    struct sf_http_header *headers = SF_NEW_ARRAY(arena, n + 1, struct sf_http_header);
    bool has_host = false;
    for (size_t i = 0; i < n; i++) {
        const struct sf_value *pair = given->list.items[i];
        if (pair->type != SF_V_LIST || pair->list.n != 2 || pair->list.items[0]->type != SF_V_STRING ||
            pair->list.items[1]->type != SF_V_STRING)
            return sf_fail(err, SF_E_CONFIG, "header %zu is not [name, value]", i + 1);
        headers[i] = (struct sf_http_header){pair->list.items[0]->s, pair->list.items[1]->s};
        has_host = has_host || (headers[i].name.n == 4 && strcasecmp(headers[i].name.p, "host") == 0);
    }
    if (!has_host)
        headers[n++] = (struct sf_http_header){SF_STR("host"), host_header(arena, url)};
    request->headers = headers;
    request->n_headers = n;
    return SF_OK;
}

static enum sf_code read_request(struct sf_arena *arena, const struct sf_value *asked, struct sf_sigv4 *request,
                                 struct sf_aws_credentials *credentials, struct sf_err *err)
{
    static const char *const needed[] = {"method", "url", "region", "service", "time", "access_key", "secret_key"};
    for (size_t i = 0; i < SF_COUNT(needed); i++)
        if (!sf_map_str(asked, needed[i]).n)
            return sf_fail(err, SF_E_CONFIG, "'%s' is missing", needed[i]);
    struct url url = split_url(sf_map_str(asked, "url"));
    if (!url.host.n)
        return sf_fail(err, SF_E_CONFIG, "'url' is not absolute");
    *request = (struct sf_sigv4){
        .method = sf_map_str(asked, "method").p,
        .path = url.path,
        .query = url.query,
        .body = sf_map_str(asked, "body"),
        .service = sf_map_str(asked, "service"),
        .region = sf_map_str(asked, "region"),
    };
    request->is_s3 = request->add_payload_header = sf_str_is(request->service, "s3");
    if (!read_time(sf_map_str(asked, "time"), &request->time_ms))
        return sf_fail(err, SF_E_CONFIG, "'time' is not like 2026-11-20T13:35:39Z");
    *credentials = (struct sf_aws_credentials){
        .access_key = sf_map_str(asked, "access_key"),
        .secret_key = sf_map_str(asked, "secret_key"),
        .session_token = sf_map_str(asked, "session_token"),
    };
    return read_headers(arena, sf_map_getz(asked, "headers"), &url, request, err);
}

static enum sf_code answer(struct sf_arena *arena, struct sf_str text, const char *file, struct sf_err *err)
{
    const struct sf_value *asked;
    struct sf_sigv4 request;
    struct sf_aws_credentials credentials;
    struct sf_sigv4_result result;
    enum sf_code rc = sf_json_parse(arena, text, file, SF_JSON_PLAIN, &asked, err);
    if (!rc)
        rc = read_request(arena, asked, &request, &credentials, err);
    if (rc)
        return rc;
    sf_sigv4_sign(arena, &request, &credentials, &result);
    struct sf_value *reply = sf_value_map(arena);
    sf_map_set_str(arena, reply, "canonical_request", result.canonical_request);
    sf_map_set_str(arena, reply, "string_to_sign", result.string_to_sign);
    sf_map_set_str(arena, reply, "signature", result.signature);
    sf_map_set_str(arena, reply, "authorization", result.authorization);
    puts(sf_json_text(arena, reply, SF_JSON_PLAIN).p);
    return SF_OK;
}

int sf_probe_sign(const char *file)
{
    return sf_probe_ask(file, answer);
}

/* --- a case of a suite --- */

static struct sf_str next_line(struct sf_str *text)
{
    size_t end = sf_str_find(*text, SF_STR("\n"));
    struct sf_str line = sf_str_slice(*text, 0, end);
    *text = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(*text, end + 1, text->n);
    if (sf_str_ends(line, SF_STR("\r")))
        line.n--;
    return line;
}

/* "GET /a path?query HTTP/1.1", headers (a line that starts with a blank goes on with the one before), an empty line, the body. */
static enum sf_code read_raw(struct sf_arena *arena, struct sf_str text, struct sf_sigv4 *request, struct sf_err *err)
{
    struct sf_http_header *headers = SF_NEW_ARRAY(arena, text.n / 2 + 1, struct sf_http_header);
    struct sf_str line = next_line(&text);
    size_t blank = sf_str_find(line, SF_STR(" "));
    if (blank == SIZE_MAX || !sf_str_ends(line, SF_STR(" HTTP/1.1")))
        return sf_fail(err, SF_E_CONFIG, "'%.*s' is not a request line", SF_ARG(line));
    struct sf_str target = sf_str_slice(line, blank + 1, line.n - strlen(" HTTP/1.1"));
    size_t mark = sf_str_find(target, SF_STR("?"));
    request->method = sf_str_dup(arena, sf_str_slice(line, 0, blank)).p;
    request->path = sf_str_slice(target, 0, mark);
    request->query = mark == SIZE_MAX ? SF_STR_NONE : sf_str_slice(target, mark + 1, target.n);
    request->headers = headers;
    while ((line = next_line(&text)).n) {
        if (line.p[0] == ' ' || line.p[0] == '\t') {
            if (!request->n_headers)
                return sf_fail(err, SF_E_CONFIG, "the first header has no name");
            struct sf_str *value = &headers[request->n_headers - 1].value;
            value->n = (size_t)(line.p + line.n - value->p);
            continue;
        }
        size_t colon = sf_str_find(line, SF_STR(":"));
        if (colon == SIZE_MAX)
            return sf_fail(err, SF_E_CONFIG, "'%.*s' is not a header", SF_ARG(line));
        headers[request->n_headers++] =
            (struct sf_http_header){sf_str_slice(line, 0, colon), sf_str_slice(line, colon + 1, line.n)};
    }
    request->body = text;
    return SF_OK;
}

static enum sf_code read_context(const struct sf_value *context, struct sf_sigv4 *request, struct sf_aws_credentials *credentials,
                                 struct sf_err *err)
{
    const struct sf_value *keys = sf_map_getz(context, "credentials");
    *credentials = (struct sf_aws_credentials){
        .access_key = sf_map_str(keys, "access_key_id"),
        .secret_key = sf_map_str(keys, "secret_access_key"),
        .session_token = sf_map_str(keys, "token"),
    };
    if (!credentials->access_key.n || !credentials->secret_key.n)
        return sf_fail(err, SF_E_CONFIG, "'credentials' is missing or without its keys");
    *request = (struct sf_sigv4){
        .service = sf_map_str(context, "service"),
        .region = sf_map_str(context, "region"),
        .keep_path = !sf_map_bool(context, "normalize", true),
        .add_payload_header = sf_map_bool(context, "sign_body", false),
        .omit_session_token = sf_map_bool(context, "omit_session_token", false),
        .expires_s = sf_map_int(context, "expiration_in_seconds", 3600),
    };
    if (!read_time(sf_map_str(context, "timestamp"), &request->time_ms))
        return sf_fail(err, SF_E_CONFIG, "'timestamp' is missing or no time");
    return SF_OK;
}

static enum sf_code sign_case(struct sf_arena *arena, const char *directory, bool is_query, struct sf_sigv4_result *result,
                              struct sf_err *err)
{
    struct sf_str context_file = sf_str_fmt(arena, "%s/context.json", directory);
    struct sf_str request_file = sf_str_fmt(arena, "%s/request.txt", directory);
    struct sf_str text;
    const struct sf_value *context;
    struct sf_sigv4 request;
    struct sf_aws_credentials credentials;
    enum sf_code rc = sf_probe_read(arena, context_file.p, SF_MAX_JSON_BYTES, &text, err);
    if (!rc)
        rc = sf_json_parse(arena, text, context_file.p, SF_JSON_PLAIN, &context, err);
    if (!rc)
        rc = read_context(context, &request, &credentials, err);
    if (!rc)
        rc = sf_probe_read(arena, request_file.p, SF_MAX_JSON_BYTES, &text, err);
    if (!rc)
        rc = read_raw(arena, text, &request, err);
    if (rc)
        return rc;
    if (is_query)
        sf_sigv4_presign(arena, &request, &credentials, result);
    else
        sf_sigv4_sign(arena, &request, &credentials, result);
    return SF_OK;
}

int sf_probe_sigv4(const char *directory, bool is_query)
{
    struct sf_arena *arena = sf_arena_new();
    struct sf_err err = {.code = SF_OK};
    struct sf_sigv4_result result;
    int status = 0;
    if (sign_case(arena, directory, is_query, &result, &err))
        status = sf_probe_refuse(&err);
    else
        printf("--- canonical-request\n%s\n--- string-to-sign\n%s\n--- signature\n%s\n", result.canonical_request.p,
               result.string_to_sign.p, result.signature.p);
    sf_arena_free(arena);
    return status;
}

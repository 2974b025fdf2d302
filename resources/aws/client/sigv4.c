/* See sigv4.h. Both forms are the same stages: they differ in where date, token and signature travel. */
#include "resources/aws/client/sigv4.h"

#include "engine/core/clock.h"
#include "resources/aws/client/uri.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { DIGEST_BYTES = 32, MAX_CANONICAL_BYTES = 16 * 1024 * 1024 };

static const char DATE[] = "x-amz-date", TOKEN[] = "x-amz-security-token", PAYLOAD[] = "x-amz-content-sha256";

/* Changed or dropped on the way by proxies and HTTP libraries, or not there yet. */
static const char *const never_signed[] = {
    "authorization", "connection",        "expect",  "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
    "trailer",       "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"};

struct line {
    struct sf_str name;  /* in lower case */
    struct sf_str value; /* trimmed, blanks collapsed */
    size_t at;           /* as given: lines of one name keep their order */
};

struct pair {
    struct sf_str name, value;
};

/* What the stages share. */
struct signing {
    struct sf_arena *arena;
    const struct sf_sigv4 *request;
    const struct sf_aws_credentials *credentials;
    bool is_query;
    struct sf_str stamp; /* "20261120T133539Z" */
    struct sf_str scope; /* "20261120/us-west-2/s3/aws4_request" */
    struct sf_str payload_hash;
    struct line *lines;
    size_t n_lines;
    struct sf_str signed_headers; /* "host;x-amz-date" */
};

static struct sf_str finish(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

static struct sf_str stamp_of(struct sf_arena *arena, int64_t time_ms)
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm utc;
    char text[32] = "";
    gmtime_r(&seconds, &utc);
    strftime(text, sizeof(text), "%Y%m%dT%H%M%SZ", &utc);
    return sf_str_dup(arena, sf_str_of(text));
}

/* --- headers --- */

static struct sf_str lower(struct sf_arena *arena, struct sf_str name)
{
    char *out = sf_arena_alloc(arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        out[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + ('a' - 'A')) : name.p[i];
    return (struct sf_str){out, name.n};
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct sf_str collapse(struct sf_arena *arena, struct sf_str value)
{
    char *out = sf_arena_alloc(arena, value.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++) {
        if (is_blank(value.p[i]))
            continue;
        if (n && is_blank(value.p[i - 1]))
            out[n++] = ' ';
        out[n++] = value.p[i];
    }
    return (struct sf_str){out, n};
}

static bool is_signed(const struct signing *s, struct sf_str name)
{
    for (size_t i = 0; i < SF_COUNT(never_signed); i++)
        if (sf_str_is(name, never_signed[i]))
            return false;
    if (s->is_query)
        return true;
    return !sf_str_is(name, DATE) && !sf_str_is(name, TOKEN) && !(s->request->add_payload_header && sf_str_is(name, PAYLOAD));
}

static void add_line(struct signing *s, struct sf_str name, struct sf_str value)
{
    s->lines[s->n_lines] = (struct line){name, collapse(s->arena, value), s->n_lines};
    s->n_lines++;
}

static int by_name(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    int order = sf_str_cmp(x->name, y->name);
    if (order)
        return order;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void gather_lines(struct signing *s)
{
    const struct sf_sigv4 *request = s->request;
    s->lines = SF_NEW_ARRAY(s->arena, request->n_headers + 3, struct line);
    for (size_t i = 0; i < request->n_headers; i++) {
        struct sf_str name = lower(s->arena, request->headers[i].name);
        if (is_signed(s, name))
            add_line(s, name, request->headers[i].value);
    }
    if (!s->is_query) {
        add_line(s, sf_str_of(DATE), s->stamp);
        if (s->credentials->session_token.n && !request->omit_session_token)
            add_line(s, sf_str_of(TOKEN), s->credentials->session_token);
        if (request->add_payload_header)
            add_line(s, sf_str_of(PAYLOAD), s->payload_hash);
    }
    qsort(s->lines, s->n_lines, sizeof(*s->lines), by_name);
    struct sf_buf names = SF_BUF(MAX_CANONICAL_BYTES);
    for (size_t i = 0; i < s->n_lines; i++) {
        if (i && sf_str_eq(s->lines[i].name, s->lines[i - 1].name))
            continue;
        if (i)
            sf_buf_addc(&names, ';');
        sf_buf_add(&names, s->lines[i].name);
    }
    s->signed_headers = finish(s->arena, &names);
}

static void add_headers(const struct signing *s, struct sf_buf *out)
{
    for (size_t i = 0; i < s->n_lines; i++) {
        if (i && sf_str_eq(s->lines[i].name, s->lines[i - 1].name)) {
            sf_buf_addc(out, ',');
        } else {
            if (i)
                sf_buf_addc(out, '\n');
            sf_buf_add(out, s->lines[i].name);
            sf_buf_addc(out, ':');
        }
        sf_buf_add(out, s->lines[i].value);
    }
    sf_buf_addc(out, '\n');
}

/* The hash of the body, unless the request says what counts as its hash: in payload_hash, or in the header of that name. */
static struct sf_str payload_hash_of(const struct signing *s)
{
    const struct sf_sigv4 *request = s->request;
    if (request->payload_hash.n)
        return request->payload_hash;
    if (s->is_query && request->is_s3) /* whoever uses the URL brings the body */
        return SF_STR("UNSIGNED-PAYLOAD");
    for (size_t i = 0; i < request->n_headers && !request->add_payload_header; i++)
        if (sf_str_is(lower(s->arena, request->headers[i].name), PAYLOAD))
            return request->headers[i].value;
    return sf_sha256_hex(s->arena, request->body);
}

/* --- path and query --- */

static void add_path(const struct signing *s, struct sf_buf *out)
{
    const struct sf_sigv4 *request = s->request;
    struct sf_str path = request->path.n ? request->path : SF_STR("/");
    if (request->is_s3)
        sf_buf_add(out, path);
    else
        sf_uri_encode(out, request->keep_path ? path : sf_uri_normalize(s->arena, path), true);
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = sf_str_cmp(x->name, y->name);
    return order ? order : sf_str_cmp(x->value, y->value);
}

/* Sorted as they are encoded: by name, those of one name by value. */
static void add_query(const struct signing *s, struct sf_str query, struct sf_buf *out)
{
    size_t n = query.n ? 1 : 0;
    for (size_t i = 0; i < query.n; i++)
        n += query.p[i] == '&';
    struct pair *pairs = SF_NEW_ARRAY(s->arena, n, struct pair);
    for (size_t i = 0; i < n; i++) {
        size_t end = sf_str_find(query, SF_STR("&"));
        struct sf_str piece = sf_str_slice(query, 0, end);
        size_t equals = sf_str_find(piece, SF_STR("="));
        pairs[i].name = sf_str_slice(piece, 0, equals);
        pairs[i].value = equals == SIZE_MAX ? SF_STR_NONE : sf_str_slice(piece, equals + 1, piece.n);
        query = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(query, end + 1, query.n);
    }
    qsort(pairs, n, sizeof(*pairs), by_name_and_value);
    for (size_t i = 0; i < n; i++) {
        if (i)
            sf_buf_addc(out, '&');
        sf_buf_add(out, pairs[i].name);
        sf_buf_addc(out, '=');
        sf_buf_add(out, pairs[i].value);
    }
}

/* --- the stages --- */

static void prepare(struct signing *s)
{
    s->stamp = stamp_of(s->arena, s->request->time_ms);
    s->scope = sf_str_fmt(s->arena, "%.*s/%.*s/%.*s/aws4_request", SF_ARG(sf_str_slice(s->stamp, 0, 8)), SF_ARG(s->request->region),
                          SF_ARG(s->request->service));
    s->payload_hash = payload_hash_of(s);
    gather_lines(s);
}

static struct sf_str canonical_request(const struct signing *s, struct sf_str query)
{
    struct sf_buf out = SF_BUF(MAX_CANONICAL_BYTES);
    sf_buf_addz(&out, s->request->method);
    sf_buf_addc(&out, '\n');
    add_path(s, &out);
    sf_buf_addc(&out, '\n');
    add_query(s, query, &out);
    sf_buf_addc(&out, '\n');
    add_headers(s, &out);
    sf_buf_addc(&out, '\n');
    sf_buf_add(&out, s->signed_headers);
    sf_buf_addc(&out, '\n');
    sf_buf_add(&out, s->payload_hash);
    return finish(s->arena, &out);
}

static void hmac(const void *key, size_t n_key, struct sf_str text, unsigned char out[DIGEST_BYTES])
{
    unsigned int n = 0;
    if (!HMAC(EVP_sha256(), key, (int)n_key, (const unsigned char *)(text.p ? text.p : ""), text.n, out, &n))
        sf_out_of_memory(); /* the one way for it to fail */
}

/* The key is derived by day, region and service; nothing of it is left in memory. */
static struct sf_str signature_of(const struct signing *s, struct sf_str string_to_sign)
{
    const struct sf_str steps[] = {s->request->region, s->request->service, SF_STR("aws4_request"), string_to_sign};
    struct sf_str secret = sf_str_fmt(s->arena, "AWS4%.*s", SF_ARG(s->credentials->secret_key));
    unsigned char key[DIGEST_BYTES], next[DIGEST_BYTES];
    hmac(secret.p, secret.n, sf_str_slice(s->stamp, 0, 8), key);
    for (size_t i = 0; i < SF_COUNT(steps); i++) {
        hmac(key, sizeof(key), steps[i], next);
        memcpy(key, next, sizeof(key));
    }
    struct sf_str hex = sf_str_hex(s->arena, key, sizeof(key));
    OPENSSL_cleanse((char *)(uintptr_t)secret.p, secret.n);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(next, sizeof(next));
    return hex;
}

static void run_stages(const struct signing *s, struct sf_str query, struct sf_sigv4_result *result)
{
    result->canonical_request = canonical_request(s, query);
    result->string_to_sign = sf_str_fmt(s->arena, ALGORITHM "\n%.*s\n%.*s\n%s", SF_ARG(s->stamp), SF_ARG(s->scope),
                                        sf_sha256_hex(s->arena, result->canonical_request).p);
    result->signature = signature_of(s, result->string_to_sign);
}

static void add_result(struct sf_sigv4_result *result, const char *name, struct sf_str value)
{
    result->added[result->n_added++] = (struct sf_http_header){sf_str_of(name), value};
}

void sf_sigv4_sign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                   struct sf_sigv4_result *result)
{
    struct signing s = {.arena = arena, .request = request, .credentials = credentials};
    struct sf_buf query = SF_BUF(MAX_CANONICAL_BYTES);
    *result = (struct sf_sigv4_result){.added = SF_NEW_ARRAY(arena, 4, struct sf_http_header)};
    prepare(&s);
    sf_uri_encode_stray(&query, request->query);
    run_stages(&s, finish(arena, &query), result);
    result->authorization =
        sf_str_fmt(arena, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s", SF_ARG(credentials->access_key),
                   SF_ARG(s.scope), SF_ARG(s.signed_headers), SF_ARG(result->signature));
    add_result(result, DATE, s.stamp);
    if (credentials->session_token.n)
        add_result(result, TOKEN, credentials->session_token);
    if (request->add_payload_header)
        add_result(result, PAYLOAD, s.payload_hash);
    add_result(result, "authorization", result->authorization);
}

static void add_parameter(struct sf_buf *query, const char *name, struct sf_str value)
{
    if (query->n)
        sf_buf_addc(query, '&');
    sf_buf_addz(query, name);
    sf_buf_addc(query, '=');
    sf_uri_encode(query, value, false);
}

void sf_sigv4_presign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                      struct sf_sigv4_result *result)
{
    struct signing s = {.arena = arena, .request = request, .credentials = credentials, .is_query = true};
    struct sf_buf query = SF_BUF(MAX_CANONICAL_BYTES);
    bool has_token = credentials->session_token.n > 0;
    *result = (struct sf_sigv4_result){.n_added = 0};
    prepare(&s);
    sf_uri_encode_stray(&query, request->query);
    add_parameter(&query, "X-Amz-Algorithm", SF_STR(ALGORITHM));
    add_parameter(&query, "X-Amz-Credential", sf_str_fmt(arena, "%.*s/%.*s", SF_ARG(credentials->access_key), SF_ARG(s.scope)));
    add_parameter(&query, "X-Amz-Date", s.stamp);
    add_parameter(&query, "X-Amz-SignedHeaders", s.signed_headers);
    add_parameter(&query, "X-Amz-Expires", sf_str_fmt(arena, "%lld", (long long)request->expires_s));
    if (has_token && !request->omit_session_token)
        add_parameter(&query, "X-Amz-Security-Token", credentials->session_token);
    run_stages(&s, sf_buf_str(&query), result);
    if (has_token && request->omit_session_token)
        add_parameter(&query, "X-Amz-Security-Token", credentials->session_token);
    add_parameter(&query, "X-Amz-Signature", result->signature);
    result->query = finish(arena, &query);
}

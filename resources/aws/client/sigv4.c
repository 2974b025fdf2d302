/* See sigv4.h. Three texts, each from the one before: canonical request, string to sign, signature. */
#include "resources/aws/client/sigv4.h"

#include "engine/core/clock.h"
#include "resources/aws/client/uri.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define EMPTY_PATH SF_STR("/")

enum { KEY_BYTES = 32, STAMP_CHARS = 16, DAY_CHARS = 8 };

/* What proxies and clients may change on the way. Source: botocore auth.py. */
static const char *const unsigned_headers[] = {
    "authorization", "connection",        "expect",  "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
    "trailer",       "transfer-encoding", "upgrade", "user-agent", "x-amzn-trace-id"};

struct pair {
    struct sf_str name, value;
};

struct signing {
    struct sf_arena *arena;
    const struct sf_sigv4 *request;
    struct pair *headers; /* canonical: lower-case names, sorted, one a name */
    size_t n_headers;
    struct sf_str signed_headers; /* "host;x-amz-date" */
    struct sf_str payload_hash;
    struct sf_str query; /* canonical */
    char stamp[STAMP_CHARS + 1];
    struct sf_str scope;
};

static struct sf_str take(struct sf_arena *arena, struct sf_buf *buf)
{
    struct sf_str text = sf_str_dup(arena, sf_buf_str(buf));
    sf_buf_free(buf);
    return text;
}

static int by_name_and_value(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    int order = sf_str_cmp(x->name, y->name);
    return order ? order : sf_str_cmp(x->value, y->value);
}

/* --- parts of the canonical request --- */

static struct sf_str canonical_path(struct sf_arena *arena, const struct sf_sigv4 *request)
{
    struct sf_str path = request->path.n ? request->path : EMPTY_PATH;
    struct sf_buf out = SF_BUF(SF_MAX_JSON_BYTES);
    if (request->is_s3)
        return path;
    sf_uri_encode(&out, request->keep_path ? path : sf_uri_normalize(arena, path), true);
    return take(arena, &out);
}

/* A query is encoded already; bytes that no URL may hold are encoded here, so that a raw one comes out right too. */
static struct sf_str encoded(struct sf_arena *arena, struct sf_str text)
{
    struct sf_buf out = SF_BUF(SF_MAX_JSON_BYTES);
    for (size_t i = 0; i < text.n; i++) {
        bool is_raw = text.p[i] <= ' ' || text.p[i] >= 0x7f; /* plain char is signed here: above 0x7f is below zero */
        if (is_raw)
            sf_uri_encode(&out, sf_str_slice(text, i, i + 1), false);
        else
            sf_buf_addc(&out, text.p[i]);
    }
    return take(arena, &out);
}

static struct sf_str canonical_query(struct sf_arena *arena, struct sf_str query)
{
    size_t n = 0, n_max = 1;
    for (size_t i = 0; i < query.n; i++)
        n_max += query.p[i] == '&';
    struct pair *pairs = SF_NEW_ARRAY(arena, n_max, struct pair);
    while (query.n) {
        size_t end = sf_str_find(query, SF_STR("&"));
        struct sf_str part = sf_str_slice(query, 0, end);
        size_t equals = sf_str_find(part, SF_STR("="));
        struct sf_str value = equals == SIZE_MAX ? SF_STR_NONE : sf_str_slice(part, equals + 1, part.n);
        pairs[n++] = (struct pair){encoded(arena, sf_str_slice(part, 0, equals)), encoded(arena, value)};
        query = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(query, end + 1, query.n);
    }
    qsort(pairs, n, sizeof(*pairs), by_name_and_value);
    struct sf_buf out = SF_BUF(SF_MAX_JSON_BYTES);
    for (size_t i = 0; i < n; i++)
        sf_buf_addf(&out, "%s%.*s=%.*s", i ? "&" : "", SF_ARG(pairs[i].name), SF_ARG(pairs[i].value));
    return take(arena, &out);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without blanks around it, runs of them inside as one. */
static void add_value(struct sf_buf *out, struct sf_str value)
{
    bool is_inside = false, has_gap = false;
    for (size_t i = 0; i < value.n; i++) {
        if (is_blank(value.p[i])) {
            has_gap = is_inside;
            continue;
        }
        if (has_gap)
            sf_buf_addc(out, ' ');
        sf_buf_addc(out, value.p[i]);
        is_inside = true;
        has_gap = false;
    }
}

static struct sf_str lower(struct sf_arena *arena, struct sf_str name)
{
    char *text = sf_arena_alloc(arena, name.n + 1);
    for (size_t i = 0; i < name.n; i++)
        text[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    return (struct sf_str){text, name.n};
}

static bool is_signed(struct sf_str name)
{
    for (size_t i = 0; i < SF_COUNT(unsigned_headers); i++)
        if (sf_str_is(name, unsigned_headers[i]))
            return false;
    return true;
}

static const struct sf_http_header *find_header(const struct sf_sigv4 *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++)
        if (request->headers[i].name.n == strlen(name) &&
            strncasecmp(request->headers[i].name.p, name, request->headers[i].name.n) == 0)
            return &request->headers[i];
    return NULL;
}

/* Headers of one name are joined by commas in the order they were given. */
static void gather_headers(struct signing *s, const struct sf_http_header *extra, size_t n_extra)
{
    struct sf_arena *arena = s->arena;
    const struct sf_sigv4 *request = s->request;
    size_t n_all = request->n_headers + n_extra;
    s->headers = SF_NEW_ARRAY(arena, n_all + 1, struct pair);
    for (size_t i = 0; i < n_all; i++) {
        const struct sf_http_header *header = i < request->n_headers ? &request->headers[i] : &extra[i - request->n_headers];
        struct sf_str name = lower(arena, header->name);
        struct sf_buf value = SF_BUF(SF_MAX_JSON_BYTES);
        size_t at = 0;
        if (!is_signed(name))
            continue;
        while (at < s->n_headers && !sf_str_eq(s->headers[at].name, name))
            at++;
        if (at < s->n_headers) {
            sf_buf_add(&value, s->headers[at].value);
            sf_buf_addc(&value, ',');
        } else {
            s->n_headers++;
        }
        add_value(&value, header->value);
        s->headers[at] = (struct pair){name, take(arena, &value)};
    }
    qsort(s->headers, s->n_headers, sizeof(*s->headers), by_name_and_value);
    struct sf_buf names = SF_BUF(SF_MAX_JSON_BYTES);
    for (size_t i = 0; i < s->n_headers; i++)
        sf_buf_addf(&names, "%s%.*s", i ? ";" : "", SF_ARG(s->headers[i].name));
    s->signed_headers = take(arena, &names);
}

static struct sf_str canonical_request(struct signing *s)
{
    struct sf_buf out = SF_BUF(SF_MAX_JSON_BYTES);
    sf_buf_addf(&out, "%s\n%.*s\n%.*s\n", s->request->method, SF_ARG(canonical_path(s->arena, s->request)), SF_ARG(s->query));
    for (size_t i = 0; i < s->n_headers; i++)
        sf_buf_addf(&out, "%.*s:%.*s\n", SF_ARG(s->headers[i].name), SF_ARG(s->headers[i].value));
    sf_buf_addf(&out, "\n%.*s\n%.*s", SF_ARG(s->signed_headers), SF_ARG(s->payload_hash));
    return take(s->arena, &out);
}

/* --- key and signature --- */

static void hmac(const unsigned char *key, size_t n_key, struct sf_str text, unsigned char out[KEY_BYTES])
{
    unsigned int n = KEY_BYTES;
    if (!HMAC(EVP_sha256(), key, (int)n_key, (const unsigned char *)(text.p ? text.p : ""), text.n, out, &n))
        abort(); /* SHA-256 is always there; only memory can have run out */
}

/* AWS4 + secret -> day -> region -> service -> aws4_request -> text. */
static struct sf_str sign_text(struct signing *s, struct sf_str secret, struct sf_str text)
{
    unsigned char key[KEY_BYTES];
    struct sf_buf first = SF_BUF(64 * 1024);
    const struct sf_str chain[] = {{s->stamp, DAY_CHARS}, s->request->region, s->request->service, SF_STR("aws4_request"), text};
    sf_buf_addz(&first, "AWS4");
    sf_buf_add(&first, secret);
    hmac((const unsigned char *)first.p, first.n, chain[0], key);
    OPENSSL_cleanse(first.p, first.n);
    sf_buf_free(&first);
    for (size_t i = 1; i < SF_COUNT(chain); i++) {
        unsigned char next[KEY_BYTES];
        hmac(key, sizeof(key), chain[i], next);
        memcpy(key, next, sizeof(key));
        OPENSSL_cleanse(next, sizeof(next));
    }
    struct sf_str signature = sf_str_hex(s->arena, key, sizeof(key));
    OPENSSL_cleanse(key, sizeof(key));
    return signature;
}

static void finish(struct signing *s, const struct sf_aws_credentials *credentials, struct sf_sigv4_result *result)
{
    result->canonical_request = canonical_request(s);
    struct sf_str hash = sf_sha256_hex(s->arena, result->canonical_request);
    result->string_to_sign = sf_str_fmt(s->arena, ALGORITHM "\n%s\n%.*s\n%.*s", s->stamp, SF_ARG(s->scope), SF_ARG(hash));
    result->signature = sign_text(s, credentials->secret_key, result->string_to_sign);
}

static void start(struct signing *s, struct sf_arena *arena, const struct sf_sigv4 *request)
{
    *s = (struct signing){.arena = arena, .request = request};
    const struct sf_http_header *hash = find_header(request, "x-amz-content-sha256");
    time_t seconds = (time_t)(request->time_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    strftime(s->stamp, sizeof(s->stamp), "%Y%m%dT%H%M%SZ", &utc);
    s->scope =
        sf_str_fmt(arena, "%.*s/%.*s/%.*s/aws4_request", DAY_CHARS, s->stamp, SF_ARG(request->region), SF_ARG(request->service));
    s->payload_hash = request->payload_hash.n ? request->payload_hash : hash ? hash->value : sf_sha256_hex(arena, request->body);
}

void sf_sigv4_sign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                   struct sf_sigv4_result *result)
{
    enum { MAX_ADDED = 4 };
    struct signing s;
    *result = (struct sf_sigv4_result){.added = SF_NEW_ARRAY(arena, MAX_ADDED, struct sf_http_header)};
    start(&s, arena, request);
    struct sf_http_header *added = result->added;
    struct sf_str token = credentials->session_token;
    size_t n = 0;
    if (!find_header(request, "x-amz-date"))
        added[n++] = (struct sf_http_header){SF_STR("x-amz-date"), sf_str_dup(arena, (struct sf_str){s.stamp, STAMP_CHARS})};
    if (request->add_payload_header && !find_header(request, "x-amz-content-sha256"))
        added[n++] = (struct sf_http_header){SF_STR("x-amz-content-sha256"), s.payload_hash};
    if (token.n && !request->omit_session_token && !find_header(request, "x-amz-security-token"))
        added[n++] = (struct sf_http_header){SF_STR("x-amz-security-token"), token};
    gather_headers(&s, added, n);
    s.query = canonical_query(arena, request->query);
    finish(&s, credentials, result);
    if (token.n && request->omit_session_token)
        added[n++] = (struct sf_http_header){SF_STR("x-amz-security-token"), token};
    result->authorization =
        sf_str_fmt(arena, ALGORITHM " Credential=%.*s/%.*s, SignedHeaders=%.*s, Signature=%.*s", SF_ARG(credentials->access_key),
                   SF_ARG(s.scope), SF_ARG(s.signed_headers), SF_ARG(result->signature));
    added[n++] = (struct sf_http_header){SF_STR("authorization"), result->authorization};
    result->n_added = n;
}

static void add_parameter(struct sf_buf *query, const char *name, struct sf_str value)
{
    sf_buf_addf(query, "%s%s=", query->n ? "&" : "", name);
    sf_uri_encode(query, value, false);
}

void sf_sigv4_presign(struct sf_arena *arena, const struct sf_sigv4 *request, const struct sf_aws_credentials *credentials,
                      struct sf_sigv4_result *result)
{
    struct signing s;
    *result = (struct sf_sigv4_result){0};
    start(&s, arena, request);
    gather_headers(&s, NULL, 0);
    struct sf_buf query = SF_BUF(SF_MAX_JSON_BYTES);
    sf_buf_add(&query, request->query);
    add_parameter(&query, "X-Amz-Algorithm", SF_STR(ALGORITHM));
    add_parameter(&query, "X-Amz-Credential", sf_str_fmt(arena, "%.*s/%.*s", SF_ARG(credentials->access_key), SF_ARG(s.scope)));
    add_parameter(&query, "X-Amz-Date", (struct sf_str){s.stamp, STAMP_CHARS});
    add_parameter(&query, "X-Amz-Expires", sf_str_fmt(arena, "%lld", (long long)request->expires_s));
    add_parameter(&query, "X-Amz-SignedHeaders", s.signed_headers);
    if (credentials->session_token.n && !request->omit_session_token)
        add_parameter(&query, "X-Amz-Security-Token", credentials->session_token);
    s.query = canonical_query(arena, sf_buf_str(&query));
    finish(&s, credentials, result);
    sf_buf_clear(&query);
    sf_buf_add(&query, s.query);
    if (credentials->session_token.n && request->omit_session_token)
        add_parameter(&query, "X-Amz-Security-Token", credentials->session_token);
    add_parameter(&query, "X-Amz-Signature", result->signature);
    result->query = take(arena, &query);
}

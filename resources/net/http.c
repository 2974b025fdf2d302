/* See http.h. Handles are kept in a stack: the one used last is taken first, best one that has a connection to the same host. */
#include "resources/net/http.h"

#include "engine/core/clock.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    MAX_REPLY_BYTES = 64 * 1024 * 1024,
    MAX_HEADERS = 256,
    MAX_HEADER_BYTES = 256 * 1024,
    MAX_REFUSAL_BYTES = 64 * 1024, /* of a reply that should have been streamed */
    CONNECT_MS = 5000,
    STALL_S = 60,
    MAX_IDLE_S = 8,      /* servers close idle connections after ten seconds and more: stay below, to meet none that is closed */
    MAX_IDLE_ONCE_S = 1, /* and well below, where a request could not be sent again */
    CONNECTIONS_PER_HANDLE = 8,
};

/* Where a cloud keeps its credential services; nobody routes there, so plain http is what they speak. */
static const char *const link_local[] = {"169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"};

struct handle {
    CURL *curl;
    char origin[160]; /* "https://host:port" it talked to last */
    struct handle *next;
};

struct sf_http {
    pthread_mutex_t mutex;
    struct handle *idle; /* the one used last first */
    char *ca_bundle;     /* AWS_CA_BUNDLE, or NULL */
};

/* One request on its way. */
struct exchange {
    struct sf_arena *arena;
    const struct sf_http_request *request;
    struct sf_http_reply *reply;
    struct handle *handle;
    struct curl_slist *headers;
    struct sf_buf body;
    const struct sf_http_stream *stream; /* NULL: the body is kept */
    struct sf_err *err;                  /* of the stream's callbacks */
    enum sf_code stream_rc;
    bool has_begun;
    size_t sent; /* bytes of the body handed out, when it may be sent only once */
    size_t header_bytes, header_cap;
    bool has_too_many_headers;
    bool has_head; /* the blank line after the headers came: libcurl takes a connection that ends before it for a reply without body
                    */
    char host[128]; /* of the URL, for messages */
    char origin[160];
    bool is_loopback, is_plain;
    char cause[CURL_ERROR_SIZE];
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        sf_out_of_memory();
}

struct sf_http *sf_http_new(void)
{
    struct sf_http *http = calloc(1, sizeof(*http));
    if (!http)
        sf_out_of_memory();
    pthread_mutex_init(&http->mutex, NULL);
    const char *bundle = getenv("AWS_CA_BUNDLE");
    if (bundle && *bundle && !(http->ca_bundle = strdup(bundle)))
        sf_out_of_memory();
    return http;
}

void sf_http_free(struct sf_http *http)
{
    if (!http)
        return;
    while (http->idle) {
        struct handle *handle = http->idle;
        http->idle = handle->next;
        curl_easy_cleanup(handle->curl);
        free(handle);
    }
    pthread_mutex_destroy(&http->mutex);
    free(http->ca_bundle);
    free(http);
}

/* --- handles --- */

static struct handle *borrow(struct sf_http *http, const char *origin)
{
    pthread_mutex_lock(&http->mutex);
    struct handle **at = &http->idle;
    while (*at && strcmp((*at)->origin, origin) != 0)
        at = &(*at)->next;
    if (!*at)
        at = &http->idle;
    struct handle *handle = *at;
    if (handle)
        *at = handle->next;
    pthread_mutex_unlock(&http->mutex);
    if (handle)
        return handle;
    pthread_once(&curl_once, start_curl);
    handle = calloc(1, sizeof(*handle));
    if (!handle || !(handle->curl = curl_easy_init()))
        sf_out_of_memory();
    return handle;
}

static void give_back(struct sf_http *http, struct handle *handle, const char *origin)
{
    curl_easy_reset(handle->curl); /* keeps connections, names and TLS sessions; drops pointers into the caller's memory */
    snprintf(handle->origin, sizeof(handle->origin), "%s", origin);
    pthread_mutex_lock(&http->mutex);
    handle->next = http->idle;
    http->idle = handle;
    pthread_mutex_unlock(&http->mutex);
}

/* --- addresses --- */

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    size_t n = strlen(host);
    if (strcasecmp(host, "localhost") == 0 || (n > 10 && strcasecmp(host + n - 10, ".localhost") == 0))
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static bool is_link_local(const char *host)
{
    for (size_t i = 0; i < SF_COUNT(link_local); i++)
        if (strcmp(host, link_local[i]) == 0)
            return true;
    return false;
}

static bool read_part(CURLU *url, CURLUPart part, unsigned int flags, char *text, size_t size)
{
    char *found = NULL;
    bool is_read = curl_url_get(url, part, &found, flags) == CURLUE_OK && strlen(found) < size;
    if (is_read)
        snprintf(text, size, "%s", found);
    curl_free(found);
    return is_read;
}

static enum sf_code read_address(struct exchange *x, struct sf_err *err)
{
    char scheme[16], port[16];
    CURLU *url = curl_url();
    if (!url)
        sf_out_of_memory();
    bool is_address = !memchr(x->request->url.p, 0, x->request->url.n) &&
                      curl_url_set(url, CURLUPART_URL, sf_str_dup(x->arena, x->request->url).p, CURLU_PATH_AS_IS) == CURLUE_OK &&
                      read_part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
                      read_part(url, CURLUPART_HOST, 0, x->host, sizeof(x->host)) &&
                      read_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, port, sizeof(port));
    char *login = NULL;
    bool has_login = is_address && curl_url_get(url, CURLUPART_USER, &login, 0) == CURLUE_OK;
    curl_free(login);
    curl_url_cleanup(url);
    if (!is_address || has_login)
        return sf_fail(err, SF_E_CONFIG, "an address is no URL of the form https://host[:port]/path");
    size_t n = strlen(x->host);
    if (x->host[0] == '[' && n > 2) { /* "[::1]" */
        memmove(x->host, x->host + 1, n - 2);
        x->host[n - 2] = 0;
    }
    snprintf(x->origin, sizeof(x->origin), "%s:%s:%s", scheme, x->host, port);
    x->is_loopback = is_loopback(x->host);
    x->is_plain = strcmp(scheme, "http") == 0;
    if (strcmp(scheme, "https") == 0 || (x->is_plain && (x->is_loopback || is_link_local(x->host))))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "'%s://%s' may not be used: what is sent there could be read and changed on the way", scheme,
            x->host);
    sf_hint(err, "use https; plain http goes to this machine only (localhost)");
    return SF_E_CONFIG;
}

/* --- callbacks --- */

/* Where a 206 says that its body begins: "bytes 100-199/200"; false when it does not say. */
static bool read_range(struct sf_str text, uint64_t *at)
{
    struct sf_str unit = SF_STR("bytes ");
    int64_t first = 0;
    size_t dash = sf_str_find(text, SF_STR("-"));
    bool is_range = dash != SIZE_MAX && sf_str_starts(text, unit) && sf_str_int64(sf_str_slice(text, unit.n, dash), &first);
    *at = (uint64_t)first;
    return is_range && first >= 0;
}

static enum sf_code begin_stream(struct exchange *x, long status)
{
    uint64_t at = 0;
    x->has_begun = true;
    x->reply->status = (int)status;
    if (status == 206 && (!read_range(sf_http_header_of(x->reply, "content-range"), &at) || at != x->stream->from))
        return sf_fail(x->err, SF_E_UNKNOWN, "'%s' goes on at another byte than it was asked for", x->host);
    return x->stream->begin(x->stream->ctx, x->reply, at, x->err);
}

static long status_of(const struct exchange *x)
{
    long status = 0;
    curl_easy_getinfo(x->handle->curl, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

static bool is_streamed(const struct exchange *x, long status)
{
    return x->stream && (status == 200 || status == 206);
}

static size_t take_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    struct sf_str more = {bytes, size * n};
    long status = x->stream ? status_of(x) : 0;
    if (is_streamed(x, status)) {
        if (!x->has_begun)
            x->stream_rc = begin_stream(x, status);
        if (!x->stream_rc)
            x->stream_rc = x->stream->take(x->stream->ctx, more, x->err);
        return x->stream_rc ? 0 : more.n;
    }
    sf_buf_add(&x->body, x->stream ? sf_str_slice(more, 0, x->body.max - x->body.n) : more);
    return x->body.overflow ? 0 : more.n;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    struct sf_http_reply *reply = x->reply;
    struct sf_str line = sf_str_trim((struct sf_str){bytes, size * n});
    if (line.n == 0)
        x->has_head = true;
    if (sf_str_starts(line, SF_STR("HTTP/"))) { /* a new reply: what came before was a 1xx or a proxy's */
        x->has_head = false;
        reply->n_headers = 0;
        return size * n;
    }
    size_t colon = sf_str_find(line, SF_STR(":"));
    if (colon == SIZE_MAX)
        return size * n;
    x->header_bytes += line.n;
    x->has_too_many_headers = reply->n_headers == MAX_HEADERS || x->header_bytes > MAX_HEADER_BYTES;
    if (x->has_too_many_headers)
        return 0;
    reply->headers = sf_arena_grow(x->arena, reply->headers, reply->n_headers, &x->header_cap, sizeof(*reply->headers));
    char *name = sf_arena_alloc(x->arena, colon + 1);
    for (size_t i = 0; i < colon; i++)
        name[i] = line.p[i] >= 'A' && line.p[i] <= 'Z' ? (char)(line.p[i] + 'a' - 'A') : line.p[i];
    reply->headers[reply->n_headers++] = (struct sf_http_header){
        .name = {name, colon},
        .value = sf_str_dup(x->arena, sf_str_trim(sf_str_slice(line, colon + 1, line.n))),
    };
    return size * n;
}

/* Hands the body out once: without a way to rewind, libcurl gives up where it would send it again. */
static size_t give_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct exchange *x = ctx;
    size_t left = x->request->body.n - x->sent, room = size * n;
    size_t now = left < room ? left : room;
    if (now)
        memcpy(bytes, x->request->body.p + x->sent, now);
    x->sent += now;
    return now;
}

static int check_cancelled(void *ctx, curl_off_t dl_total, curl_off_t dl_now, curl_off_t ul_total, curl_off_t ul_now)
{
    (void)dl_total, (void)dl_now, (void)ul_total, (void)ul_now;
    const struct exchange *x = ctx;
    return x->request->is_cancelled(x->request->ctx) ? 1 : 0;
}

/* --- one exchange --- */

static void add_header_line(struct exchange *x, const char *line)
{
    struct curl_slist *longer = curl_slist_append(x->headers, line);
    if (!longer)
        sf_out_of_memory();
    x->headers = longer;
}

/* What could end a header and begin another is refused, wherever it came from. */
static enum sf_code check_headers(const struct sf_http_request *request, struct sf_err *err)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct sf_http_header *header = &request->headers[i];
        for (size_t k = 0; k < header->value.n; k++)
            if ((unsigned char)header->value.p[k] < 0x20 && header->value.p[k] != '\t')
                return sf_fail(err, SF_E_CONFIG, "header '%.*s' would hold a line end or another control character",
                               SF_ARG(header->name));
    }
    return SF_OK;
}

static void set_headers(struct exchange *x)
{
    bool has_type = false;
    for (size_t i = 0; i < x->request->n_headers; i++) {
        const struct sf_http_header *header = &x->request->headers[i];
        bool is_empty = header->value.n == 0; /* libcurl drops "name:"; "name;" is how it sends one without a value */
        add_header_line(x,
                        sf_str_fmt(x->arena, "%.*s%s%.*s", SF_ARG(header->name), is_empty ? ";" : ": ", SF_ARG(header->value)).p);
        has_type |= header->name.n == 12 && strncasecmp(header->name.p, "content-type", 12) == 0;
    }
    if (x->stream && x->stream->from) {
        add_header_line(x, sf_str_fmt(x->arena, "Range: bytes=%llu-", (unsigned long long)x->stream->from).p);
        add_header_line(x, sf_str_fmt(x->arena, "If-Range: %.*s", SF_ARG(x->stream->validator)).p);
    }
    static const char *const unwanted[] = {"Accept:", "Expect:", "Content-Type:"};
    for (size_t i = 0; i < SF_COUNT(unwanted) - (has_type ? 1 : 0); i++)
        add_header_line(x, unwanted[i]);
    curl_easy_setopt(x->handle->curl, CURLOPT_HTTPHEADER, x->headers);
}

static void set_method(struct exchange *x)
{
    CURL *curl = x->handle->curl;
    const struct sf_http_request *request = x->request;
    const char *method = request->method;
    bool is_head = strcmp(method, "HEAD") == 0;
    if (is_head) {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
    } else if (request->body.n || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
        if (request->is_once && request->body.n) {
            curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_body);
            curl_easy_setopt(curl, CURLOPT_READDATA, x);
        } else {
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.n ? request->body.p : "");
        }
    }
    if (request->is_once && !request->body.n) /* nothing that could fail to rewind: a connection of its own is never tried again */
        curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    if (!is_head)
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct sf_http *http, struct exchange *x, int64_t left_ms)
{
    CURL *curl = x->handle->curl;
    const struct sf_http_request *request = x->request;
    int64_t connect_ms = request->connect_ms > 0 ? request->connect_ms : CONNECT_MS;
    curl_easy_setopt(curl, CURLOPT_URL, sf_str_dup(x->arena, request->url).p);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, x->is_plain ? "http" : "https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, (long)CONNECTIONS_PER_HANDLE);
    curl_easy_setopt(curl, CURLOPT_MAXAGE_CONN, (long)(request->is_once ? MAX_IDLE_ONCE_S : MAX_IDLE_S));
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
    if (http->ca_bundle)
        curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_bundle);
    if (x->is_plain || x->is_loopback)
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
    if (x->stream) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)(x->stream->stall_s ? x->stream->stall_s : STALL_S));
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
        if (x->stream->accepts_gzip)
            curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "gzip");
    } else {
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)left_ms);
        curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ms < left_ms ? connect_ms : left_ms));
    }
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, x->cause);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, x);
    if (request->is_cancelled) {
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_cancelled);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, x);
    }
    set_headers(x);
    set_method(x);
}

/* libcurl's own text begins in upper case and may end in a full stop; "OpenSSL" and "TLS" stay. */
static const char *cause_of(struct exchange *x, CURLcode result)
{
    if (!x->cause[0])
        snprintf(x->cause, sizeof(x->cause), "%s", curl_easy_strerror(result));
    size_t n = strlen(x->cause);
    while (n && (x->cause[n - 1] == '.' || x->cause[n - 1] == '\n'))
        x->cause[--n] = 0;
    size_t end = strcspn(x->cause + (x->cause[0] != 0), " ABCDEFGHIJKLMNOPQRSTUVWXYZ") + 1;
    bool is_plain_word = x->cause[0] >= 'A' && x->cause[0] <= 'Z' && x->cause[end] == ' ';
    if (is_plain_word)
        x->cause[0] = (char)(x->cause[0] + 'a' - 'A');
    return x->cause;
}

static bool is_tls(CURLcode result)
{
    return result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR || result == CURLE_SSL_CACERT_BADFILE ||
           result == CURLE_SSL_CERTPROBLEM || result == CURLE_SSL_ISSUER_ERROR;
}

/* libcurl names whom it could not connect to: if that is not the host it was a proxy. */
static bool is_about_proxy(const struct exchange *x, CURLcode result)
{
    return result == CURLE_COULDNT_RESOLVE_PROXY || strstr(x->cause, "CONNECT tunnel") ||
           (result == CURLE_COULDNT_CONNECT && !strstr(x->cause, x->host));
}

/* What happened cannot have arrived as long as libcurl was not about to send: CURLINFO_PRETRANSFER_TIME is zero till then. */
static enum sf_code explain(struct exchange *x, CURLcode result, struct sf_err *err)
{
    curl_off_t ready_us = 0;
    curl_easy_getinfo(x->handle->curl, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
    const char *cause = cause_of(x, result);
    if (result == CURLE_ABORTED_BY_CALLBACK)
        return sf_fail(err, SF_E_CANCELLED, "stopped while waiting for '%s'", x->host);
    if (x->body.overflow)
        return sf_fail(err, SF_E_UNKNOWN, "'%s' answered with more than %zu bytes", x->host, x->body.max);
    if (x->has_too_many_headers)
        return sf_fail(err, SF_E_UNKNOWN, "'%s' answered with more headers than anyone needs", x->host);
    if (result == CURLE_OUT_OF_MEMORY)
        sf_out_of_memory();
    if (ready_us == 0) {
        sf_fail(err, SF_E_UNAVAILABLE, "cannot reach '%s': %s", x->host, cause);
        if (result == CURLE_COULDNT_RESOLVE_HOST)
            sf_hint(err, "check the network and the name: a region that does not exist has no such host either");
        else if (is_about_proxy(x, result))
            sf_hint(err, "the way there leads through a proxy: see HTTPS_PROXY and NO_PROXY");
        else if (is_tls(result))
            sf_hint(err, "if a proxy of yours opens TLS, put its certificate into the file that AWS_CA_BUNDLE names");
        return SF_E_UNAVAILABLE;
    }
    if (result == CURLE_OPERATION_TIMEDOUT)
        return sf_fail(err, SF_E_UNKNOWN, "'%s' gave no whole answer in time: %s", x->host, cause);
    if (result == CURLE_SEND_FAIL_REWIND)
        return sf_fail(err, SF_E_UNKNOWN, "'%s' closed the connection without an answer", x->host);
    return sf_fail(err, SF_E_UNKNOWN, "lost the connection to '%s': %s", x->host, cause);
}

static enum sf_code fail(struct exchange *x, CURLcode result, struct sf_err *err)
{
    enum sf_code rc = explain(x, result, err);
    if (err)
        snprintf(err->remote_code, sizeof(err->remote_code), "curl:%d", (int)result);
    return rc;
}

static enum sf_code exchange(struct sf_http *http, struct exchange *x, struct sf_err *err)
{
    *x->reply = (struct sf_http_reply){0};
    enum sf_code rc = read_address(x, err);
    if (rc == SF_OK)
        rc = check_headers(x->request, err);
    if (rc)
        return rc;
    int64_t left_ms = x->request->deadline_ms - sf_clock_ms();
    if (left_ms <= 0 && !x->stream)
        return sf_fail(err, SF_E_UNAVAILABLE, "no time was left to ask '%s'", x->host);
    x->handle = borrow(http, x->origin);
    set_options(http, x, left_ms);
    CURLcode result = curl_easy_perform(x->handle->curl);
    long status = status_of(x);
    if (result == CURLE_OK && !x->has_head)
        result = CURLE_PARTIAL_FILE;
    if (result == CURLE_OK && is_streamed(x, status) && !x->has_begun)
        x->stream_rc = begin_stream(x, status); /* a body without a byte */
    rc = x->stream_rc;
    if (!rc && result != CURLE_OK)
        rc = fail(x, result, err);
    x->reply->status = (int)status;
    x->reply->body = sf_str_dup(x->arena, sf_buf_str(&x->body));
    give_back(http, x->handle, x->origin);
    curl_slist_free_all(x->headers);
    sf_buf_free(&x->body);
    return rc;
}

enum sf_code sf_http_send(struct sf_http *http, struct sf_arena *arena, const struct sf_http_request *request,
                          struct sf_http_reply *reply, struct sf_err *err)
{
    struct exchange x = {.arena = arena,
                         .request = request,
                         .reply = reply,
                         .body = SF_BUF(request->max_reply_bytes ? request->max_reply_bytes : MAX_REPLY_BYTES)};
    return exchange(http, &x, err);
}

enum sf_code sf_http_stream(struct sf_http *http, struct sf_arena *arena, const struct sf_http_request *request,
                            const struct sf_http_stream *stream, struct sf_http_reply *reply, struct sf_err *err)
{
    struct exchange x = {
        .arena = arena, .request = request, .reply = reply, .stream = stream, .err = err, .body = SF_BUF(MAX_REFUSAL_BYTES)};
    return exchange(http, &x, err);
}

bool sf_http_resolve(struct sf_arena *arena, struct sf_str base, struct sf_str location, struct sf_str *url)
{
    CURLU *address = curl_url();
    char *whole = NULL;
    if (!address)
        sf_out_of_memory();
    bool is_address = !memchr(base.p, 0, base.n) && location.n && !memchr(location.p, 0, location.n) &&
                      curl_url_set(address, CURLUPART_URL, sf_str_dup(arena, base).p, 0) == CURLUE_OK &&
                      curl_url_set(address, CURLUPART_URL, sf_str_dup(arena, location).p, 0) == CURLUE_OK &&
                      curl_url_set(address, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
                      curl_url_get(address, CURLUPART_URL, &whole, 0) == CURLUE_OK;
    if (is_address)
        *url = sf_str_dup(arena, sf_str_of(whole));
    curl_free(whole);
    curl_url_cleanup(address);
    return is_address;
}

struct sf_str sf_http_header_of(const struct sf_http_reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (sf_str_is(reply->headers[i].name, name))
            return reply->headers[i].value;
    return SF_STR_NONE;
}

bool sf_http_date(struct sf_str text, int64_t *wall_ms)
{
    char copy[64];
    if (!text.n || text.n >= sizeof(copy))
        return false;
    snprintf(copy, sizeof(copy), "%.*s", SF_ARG(text));
    time_t seconds = curl_getdate(copy, NULL);
    *wall_ms = (int64_t)seconds * 1000;
    return seconds >= 0;
}

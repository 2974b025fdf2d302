/* HTTP requests over libcurl: one blocking call, connections kept between calls.
 *
 * TLS certificates and host names are verified, TLS 1.2 at least. Redirects are never followed, .netrc is never read; plain http
 * only to loopback and the two link-local addresses of a cloud's own credential services. A proxy is taken from the environment
 * (HTTPS_PROXY, NO_PROXY) as curl does, never for loopback. Thread-safe: each call borrows a handle of its own. */
#ifndef SF_NET_HTTP_H
#define SF_NET_HTTP_H

#include "engine/core/value.h"

struct sf_http; /* connections and handles; shared by threads */

struct sf_http_header {
    struct sf_str name; /* as sent; of a reply: in lower case */
    struct sf_str value;
};

struct sf_http_request {
    const char *method; /* "GET" */
    struct sf_str url;  /* absolute, already encoded: sent as it is */
    const struct sf_http_header *headers;
    size_t n_headers;
    struct sf_str body;
    int64_t deadline_ms;    /* sf_clock_ms() that the call must not pass */
    int connect_ms;         /* cap on connecting; 0: 5,000 */
    size_t max_reply_bytes; /* 0: 64 MiB; a longer body is SF_E_UNKNOWN */
    bool is_once; /* never sent a second time by itself, even when a kept connection turns out to be closed: that is SF_E_UNKNOWN
                     then */
    bool (*is_cancelled)(void *ctx); /* asked about once a second, then SF_E_CANCELLED: it may have arrived; NULL: never */
    void *ctx;
};

struct sf_http_reply {
    int status;
    struct sf_http_header *headers;
    size_t n_headers;
    struct sf_str body;
};

struct sf_http *sf_http_new(void);
/* Closes every connection. NULL is fine. No call may be running. */
void sf_http_free(struct sf_http *http);

/* Sends one request and reads the whole reply, whatever its status; memory is the arena's.
 *
 * SF_E_UNAVAILABLE: cannot have arrived (no such host, connection refused, TLS refused, proxy refused). SF_E_UNKNOWN: it may have
 * arrived (timeout, reset, a reply cut short). SF_E_CONFIG: the address is not one that may be used. The message names host and
 * cause, never a header's value. */
enum sf_code sf_http_send(struct sf_http *http, struct sf_arena *arena, const struct sf_http_request *request,
                          struct sf_http_reply *reply, struct sf_err *err) SF_MUST_CHECK;

/* A body that goes to disk as it comes. The callbacks' errors end the transfer and are what sf_http_stream() returns. */
struct sf_http_stream {
    uint64_t from;           /* bytes that are there already: asks for the rest of the body (RFC 9110, section 14); 0: all of it */
    struct sf_str validator; /* strong ETag that they came with, sent as If-Range: a changed body comes whole instead */
    int stall_s;             /* gives up after so long without a byte, in place of request->deadline_ms; 0: 60 */
    bool accepts_gzip;       /* asks for a packed transfer, unpacked here; then `from` must be 0 */
    /* The head of a 200 or 206 is there, its body begins at byte `at`: 0 or `from`. */
    enum sf_code (*begin)(void *ctx, const struct sf_http_reply *head, uint64_t at, struct sf_err *err);
    enum sf_code (*take)(void *ctx, struct sf_str bytes, struct sf_err *err);
    void *ctx;
};

/* As sf_http_send(), but the body of a 200 or 206 goes to the callbacks and is never in memory whole; of any other status
 * reply->body is the first 64 KiB. However long it takes, as long as bytes come. SF_E_UNKNOWN too: the server goes on at another
 * byte than it was asked for. */
enum sf_code sf_http_stream(struct sf_http *http, struct sf_arena *arena, const struct sf_http_request *request,
                            const struct sf_http_stream *stream, struct sf_http_reply *reply, struct sf_err *err) SF_MUST_CHECK;

/* Address that a Location header means, seen from `base` (RFC 3986, section 5). False when it is none. */
bool sf_http_resolve(struct sf_arena *arena, struct sf_str base, struct sf_str location, struct sf_str *url) SF_MUST_CHECK;

/* Value of the header (name in lower case), or an empty view. */
struct sf_str sf_http_header_of(const struct sf_http_reply *reply, const char *name);

/* Wall time of a date as in headers ("Sat, 21 Nov 2026 08:00:43 GMT"), in milliseconds. False when it is none. */
bool sf_http_date(struct sf_str text, int64_t *wall_ms) SF_MUST_CHECK;

#endif

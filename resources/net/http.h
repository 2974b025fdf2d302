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

/* Value of the header (name in lower case), or an empty view. */
struct sf_str sf_http_header_of(const struct sf_http_reply *reply, const char *name);

/* Wall time of a date as in headers ("Sat, 21 Nov 2026 08:00:43 GMT"), in milliseconds. False when it is none. */
bool sf_http_date(struct sf_str text, int64_t *wall_ms) SF_MUST_CHECK;

#endif

/* GET and POST against an open-data server, with its manners: waits when it says so (429, 202), tries again what broke, goes on
 * where a transfer broke off, follows redirects, explains refusals. A token goes to the hosts it is meant for and nowhere else. */
#ifndef SF_DATA_SOURCE_FETCH_H
#define SF_DATA_SOURCE_FETCH_H

#include "engine/kind.h"
#include "resources/data/source/snapshot.h"
#include "resources/net/http.h"

struct sf_fetch {
    struct sf_op *op;
    struct sf_http *http;
    struct sf_str token; /* X-App-Token; empty: none */
    struct sf_str what;  /* for the progress line: "bpnb-jwfb" */
    uint64_t rows;       /* that are to be expected, for the progress line; 0: unknown */
    int64_t shown_ms;    /* when the progress line was written last */
};

struct sf_fetch_target {
    struct sf_str url;
    struct sf_str body;      /* JSON to POST; empty: GET */
    struct sf_str known_tag; /* ETag or, with is_date, Last-Modified of what is there already: 304 is SF_E_ABSENT then */
    bool known_tag_is_date;
    bool is_one_try;    /* what breaks is given up at once, with its own code: there is another way */
    bool is_page;       /* begins with a header again, and comes whole or not at all */
    bool may_be_packed; /* asks for a packed transfer */
    struct sf_str what; /* line that the partial file says it is of; the ETag of the body comes after it */
};

/* A small reply whole: redirects followed, statuses judged, tried again while that makes sense. SF_E_AUTH: the token is not
 * accepted; SF_E_DENIED, SF_E_ABSENT (404), SF_E_REFUSED: the server said no, or gave up waiting; SF_E_CANCELLED. */
enum sf_code sf_fetch_small(struct sf_fetch *fetch, const struct sf_fetch_target *target, struct sf_http_reply *reply,
                            struct sf_err *err) SF_MUST_CHECK;

/* One body to the end of the partial file: a page, or all of it. *tag is what the bytes that are there came with, and is set to its
 * ETag or Last-Modified, if it has one. What broke off is gone on from when the server gave a strong ETag, else begun again. As
 * sf_fetch_small(), and SF_E_ABSENT when it is not modified, SF_E_DATA when it is no CSV, SF_E_STALE when it does not go with what
 * is there, SF_E_UNKNOWN when it broke off. */
enum sf_code sf_fetch_body(struct sf_fetch *fetch, const struct sf_fetch_target *target, struct sf_partial *partial,
                           struct sf_meter *meter, struct sf_str *tag, bool *tag_is_date, struct sf_err *err) SF_MUST_CHECK;

/* Waits, unless a signal comes: SF_E_CANCELLED then. */
enum sf_code sf_fetch_wait(struct sf_fetch *fetch, int64_t ms, const char *why, struct sf_err *err) SF_MUST_CHECK;

/* "https://host" of an address, for messages and for who gets the token. */
struct sf_str sf_fetch_origin(struct sf_str url);

#endif

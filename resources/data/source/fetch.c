/* See fetch.h. */
#include "resources/data/source/fetch.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>

enum {
    MAX_REDIRECTS = 5,
    MAX_TRIES = 5,        /* in a row without a byte */
    MAX_WAIT_MS = 30000,  /* of our own choosing */
    PATIENCE_MS = 600000, /* of waits that the server asked for, in a row without a byte */
    PREPARING_MS = 3000,  /* between looks at what is still being prepared */
    SMALL_MS = 60000,
    STALL_S = 120, /* an export of the whole table takes its time until the first byte */
    MAX_SMALL_BYTES = 16 * 1024 * 1024,
    NAP_MS = 100,
    SHOW_MS = 500,
    MAX_TAG_BYTES = 512,
};

/* A request that is made until it succeeds. */
struct attempt {
    const struct sf_fetch_target *target;
    struct sf_str url; /* after redirects */
    int tries;         /* failed in a row */
    int64_t waited_ms; /* in a row */
};

/* The body of one exchange on its way to the partial file. */
struct transfer {
    struct sf_fetch *fetch;
    struct sf_partial *partial;
    struct sf_meter *meter;
    struct sf_str *tag;
    bool *tag_is_date;
    struct sf_str what;
    bool is_part;
    uint64_t got;
    uint64_t at, length; /* bytes that were there; that will be, 0: not said */
};

static bool is_cancelled(void *ctx)
{
    return sf_op_is_cancelled(ctx);
}

struct sf_str sf_fetch_origin(struct sf_str url)
{
    size_t scheme = sf_str_find(url, SF_STR("://"));
    size_t from = scheme == SIZE_MAX ? 0 : scheme + 3, end = from;
    while (end < url.n && !strchr("/?#", url.p[end]))
        end++;
    return sf_str_slice(url, 0, end);
}

static struct sf_str host_of(struct sf_str url)
{
    struct sf_str origin = sf_fetch_origin(url);
    size_t scheme = sf_str_find(origin, SF_STR("://"));
    return scheme == SIZE_MAX ? origin : sf_str_slice(origin, scheme + 3, origin.n);
}

enum sf_code sf_fetch_wait(struct sf_fetch *fetch, int64_t ms, const char *why, struct sf_err *err)
{
    for (int64_t until = sf_clock_ms() + ms, left = ms; left > 0; left = until - sf_clock_ms()) {
        sf_op_progress(fetch->op, "%.*s: %s, again in %" PRId64 " s", SF_ARG(fetch->what), why, (left + 999) / 1000);
        if (sf_op_is_cancelled(fetch->op))
            return sf_fail(err, SF_E_CANCELLED, "stopped while waiting for the source");
        poll(NULL, 0, left < NAP_MS ? (int)left : NAP_MS);
    }
    return SF_OK;
}

/* --- what an answer means --- */

/* Seconds or a date (RFC 9110, section 10.2.3); -1 when it does not say. */
static int64_t retry_after_ms(const struct sf_http_reply *reply)
{
    struct sf_str text = sf_http_header_of(reply, "retry-after");
    int64_t seconds, wall_ms;
    if (sf_str_int64(text, &seconds) && seconds >= 0 && seconds < 1000000)
        return seconds * 1000;
    if (sf_http_date(text, &wall_ms))
        return wall_ms > sf_clock_wall_ms() ? wall_ms - sf_clock_wall_ms() : 0;
    return -1;
}

/* What the server says about it, in its own words: {"code": ..., "error": true, "message": ...}. */
static struct sf_str words_of(struct sf_arena *arena, struct sf_str body)
{
    const struct sf_value *object;
    struct sf_str text = sf_str_trim(body);
    if (!sf_str_starts(text, SF_STR("{")) || sf_json_parse(arena, text, "reply", SF_JSON_PLAIN, &object, NULL))
        return SF_STR_NONE;
    struct sf_str message = sf_map_str(object, "message");
    return sf_str_slice(message.n ? message : sf_map_str(object, "code"), 0, 200);
}

static bool is_about_token(struct sf_str words)
{
    return sf_str_find(words, SF_STR("token")) != SIZE_MAX || sf_str_find(words, SF_STR("Token")) != SIZE_MAX;
}

static enum sf_code judge(struct sf_fetch *fetch, const struct attempt *attempt, const struct sf_http_reply *reply,
                          struct sf_err *err)
{
    struct sf_str host = host_of(attempt->url), words = words_of(fetch->op->arena, reply->body);
    const char *said = words.n ? sf_str_fmt(fetch->op->arena, ": '%.*s'", SF_ARG(words)).p : "";
    int status = reply->status;
    if (status == 200 || status == 206)
        return SF_OK;
    if (status == 304) {
        sf_fail(err, SF_E_ABSENT, "'%.*s' has nothing newer", SF_ARG(host));
        if (err)
            snprintf(err->remote_code, sizeof err->remote_code, "304");
        return SF_E_ABSENT;
    }
    if (status == 202)
        return sf_fail(err, SF_E_THROTTLED, "'%.*s' is still preparing the table", SF_ARG(host));
    if (status == 429)
        return sf_fail(err, SF_E_THROTTLED, "'%.*s' is throttling%s", SF_ARG(host), said);
    if (status == 408 || status >= 500)
        return sf_fail(err, SF_E_UNAVAILABLE, "'%.*s' answered with status %d%s", SF_ARG(host), status, said);
    if (status == 404 || status == 410) {
        sf_fail(err, SF_E_ABSENT, "'%.*s' has no such table%s", SF_ARG(attempt->url), said);
        sf_hint(err, "look at the id in the table's address on the portal");
        return SF_E_ABSENT;
    }
    if (status == 401 || status == 403) {
        bool is_token = fetch->token.n && is_about_token(words);
        sf_fail(err, is_token ? SF_E_AUTH : SF_E_DENIED,
                is_token ? "'%.*s' does not accept the application token in SF_APP_TOKEN (status %d)%s"
                         : "'%.*s' refused access (status %d)%s",
                SF_ARG(host), status, said);
        if (is_token)
            sf_hint(err, "correct SF_APP_TOKEN or unset it: the table can be read without, more slowly");
        else
            sf_hint(err, "download rows.csv in a browser and say -var 'source={file: rows.csv}'%s",
                    fetch->token.n ? "; or try without SF_APP_TOKEN" : "");
        return is_token ? SF_E_AUTH : SF_E_DENIED;
    }
    sf_fail(err, SF_E_REFUSED, "'%.*s' answered with status %d%s", SF_ARG(host), status, said);
    return SF_E_REFUSED;
}

/* --- one exchange --- */

static bool is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* Sets attempt->url to where the reply points. */
static enum sf_code follow(struct sf_fetch *fetch, struct attempt *attempt, const struct sf_http_reply *reply, struct sf_err *err)
{
    struct sf_str next, location = sf_http_header_of(reply, "location");
    bool is_safe = sf_http_resolve(fetch->op->arena, attempt->url, location, &next);
    bool was_https = sf_str_starts(attempt->url, SF_STR("https://"));
    is_safe = is_safe && (sf_str_starts(next, SF_STR("https://")) || (!was_https && sf_str_starts(next, SF_STR("http://"))));
    bool keeps_method = attempt->target->body.n == 0 || reply->status == 307 || reply->status == 308;
    if (!is_safe || !keeps_method)
        return sf_fail(err, SF_E_REFUSED, "'%.*s' points on to '%.*s', which cannot be followed", SF_ARG(host_of(attempt->url)),
                       SF_ARG(sf_str_slice(location, 0, 200)));
    attempt->url = next;
    return SF_OK;
}

static struct sf_http_request make_request(struct sf_fetch *fetch, const struct attempt *attempt)
{
    const struct sf_fetch_target *t = attempt->target;
    struct sf_http_header *headers = SF_NEW_ARRAY(fetch->op->arena, 4, struct sf_http_header);
    size_t n = 0;
    headers[n++] = (struct sf_http_header){SF_STR("User-Agent"), SF_STR("sfstack")};
    if (fetch->token.n && sf_str_eq(sf_fetch_origin(attempt->url), sf_fetch_origin(t->url)))
        headers[n++] = (struct sf_http_header){SF_STR("X-App-Token"), fetch->token};
    if (t->body.n)
        headers[n++] = (struct sf_http_header){SF_STR("Content-Type"), SF_STR("application/json")};
    if (t->known_tag.n)
        headers[n++] =
            (struct sf_http_header){t->known_tag_is_date ? SF_STR("If-Modified-Since") : SF_STR("If-None-Match"), t->known_tag};
    return (struct sf_http_request){.method = t->body.n ? "POST" : "GET",
                                    .url = attempt->url,
                                    .headers = headers,
                                    .n_headers = n,
                                    .body = t->body,
                                    .deadline_ms = sf_clock_ms() + SMALL_MS,
                                    .connect_ms = 15000,
                                    .max_reply_bytes = MAX_SMALL_BYTES,
                                    .is_cancelled = is_cancelled,
                                    .ctx = fetch->op};
}

static enum sf_code exchange(struct sf_fetch *fetch, struct attempt *attempt, const struct sf_http_stream *stream,
                             struct sf_http_reply *reply, struct sf_err *err)
{
    attempt->url = attempt->target->url;
    for (int hop = 0; hop <= MAX_REDIRECTS; hop++) {
        struct sf_http_request request = make_request(fetch, attempt);
        enum sf_code rc = stream ? sf_http_stream(fetch->http, fetch->op->arena, &request, stream, reply, err)
                                 : sf_http_send(fetch->http, fetch->op->arena, &request, reply, err);
        if (rc)
            return rc;
        if (!is_redirect(reply->status))
            return judge(fetch, attempt, reply, err);
        rc = follow(fetch, attempt, reply, err);
        if (rc)
            return rc;
    }
    return sf_fail(err, SF_E_REFUSED, "'%.*s' points on and on", SF_ARG(host_of(attempt->target->url)));
}

/* --- again and again --- */

/* Whether what failed is worth another try; waits before it. Else what comes of it in the end. */
static enum sf_code wait_for_another(struct sf_fetch *fetch, struct attempt *attempt, enum sf_code rc,
                                     const struct sf_http_reply *reply, struct sf_err *err)
{
    bool is_asked_for = rc == SF_E_THROTTLED;
    if (!is_asked_for && rc != SF_E_UNAVAILABLE && rc != SF_E_UNKNOWN)
        return rc;
    attempt->tries++;
    int64_t own_ms = attempt->tries < 6 ? 1000LL << (attempt->tries - 1) : MAX_WAIT_MS, said_ms = retry_after_ms(reply);
    int64_t wait_ms = said_ms >= 0 ? said_ms : is_asked_for && reply->status == 202 ? PREPARING_MS : own_ms;
    bool is_over = is_asked_for ? attempt->waited_ms + wait_ms > PATIENCE_MS || attempt->tries > 200
                                : attempt->tries >= (attempt->target->is_one_try ? 1 : MAX_TRIES);
    if (!is_over) {
        attempt->waited_ms += wait_ms;
        const char *why = reply->status == 202   ? "the server is preparing the table"
                          : reply->status == 429 ? "the server throttles"
                                                 : "the server cannot be reached";
        return sf_fetch_wait(fetch, wait_ms, why, err);
    }
    if (is_asked_for && said_ms > PATIENCE_MS)
        sf_hint(err, "it asks to come back in %" PRId64 " minutes; an application token in SF_APP_TOKEN is throttled less",
                said_ms / 60000);
    else if (is_asked_for)
        sf_hint(err, "run the same command later; an application token in SF_APP_TOKEN is throttled less");
    else if (!attempt->target->is_one_try)
        sf_hint(err, rc == SF_E_UNKNOWN
                         ? "run the same command again: it goes on where it stopped, if the portal can"
                         : "check the network, or download rows.csv in a browser and say -var 'source={file: rows.csv}'");
    if (attempt->target->is_one_try && !is_asked_for)
        return rc;
    if (err && rc != SF_E_UNKNOWN)
        err->code = SF_E_REFUSED; /* all patience is used up: nobody above needs to try again */
    return rc == SF_E_UNKNOWN ? rc : SF_E_REFUSED;
}

enum sf_code sf_fetch_small(struct sf_fetch *fetch, const struct sf_fetch_target *target, struct sf_http_reply *reply,
                            struct sf_err *err)
{
    struct attempt attempt = {.target = target};
    for (;;) {
        enum sf_code rc = exchange(fetch, &attempt, NULL, reply, err);
        if (!rc)
            return SF_OK;
        rc = wait_for_another(fetch, &attempt, rc, reply, err);
        if (rc)
            return rc;
    }
}

/* --- bodies --- */

static enum sf_code begin_body(void *ctx, const struct sf_http_reply *head, uint64_t at, struct sf_err *err)
{
    struct transfer *t = ctx;
    struct sf_arena *arena = t->fetch->op->arena;
    struct sf_str etag = sf_http_header_of(head, "etag"), date = sf_http_header_of(head, "last-modified");
    struct sf_str tag = etag.n ? etag : date;
    bool is_of_these_bytes = !sf_http_header_of(head, "content-encoding").n && tag.n <= MAX_TAG_BYTES;
    *t->tag = is_of_these_bytes ? sf_str_dup(arena, tag) : SF_STR_NONE;
    *t->tag_is_date = etag.n == 0;
    int64_t length;
    bool is_told =
        !sf_http_header_of(head, "content-encoding").n && sf_str_int64(sf_http_header_of(head, "content-length"), &length);
    t->at = at;
    t->length = is_told && length > 0 ? at + (uint64_t)length : 0;
    if (t->is_part)
        sf_meter_begin_part(t->meter);
    else if (at == 0)
        return sf_partial_begin(t->partial, sf_str_fmt(arena, "%.*s\n%.*s", SF_ARG(t->what), SF_ARG(*t->tag)), err);
    return SF_OK;
}

static enum sf_code take_body(void *ctx, struct sf_str bytes, struct sf_err *err)
{
    struct transfer *t = ctx;
    struct sf_fetch *fetch = t->fetch;
    t->got += bytes.n;
    int64_t now = sf_clock_ms();
    if (now - fetch->shown_ms >= SHOW_MS) {
        fetch->shown_ms = now;
        char what[128];
        snprintf(what, sizeof what, "fetching %.*s", SF_ARG(sf_str_slice(fetch->what, 0, 100)));
        if (fetch->rows)
            sf_op_progress_of(fetch->op, what, t->meter->rows, fetch->rows, "rows");
        else
            sf_op_progress_of(fetch->op, what, t->at + t->got, t->length, "bytes");
    }
    return sf_partial_add(t->partial, bytes, err);
}

/* Only a strong tag promises the same bytes (RFC 9110, section 8.8.3). */
static bool is_strong(struct sf_str tag, bool is_date)
{
    return tag.n > 2 && !is_date && tag.p[0] == '"';
}

/* After a break: what came of a page is asked for again; of a body that can be gone on with all that came is kept. */
static enum sf_code settle(const struct transfer *t, enum sf_code rc, struct sf_err *err)
{
    bool is_broken_off = rc == SF_E_UNKNOWN || rc == SF_E_CANCELLED || rc == SF_E_UNAVAILABLE;
    if (t->is_part)
        return sf_partial_rewind(t->partial, err);
    return is_broken_off && t->got && is_strong(*t->tag, *t->tag_is_date) ? sf_partial_keep(t->partial, err) : SF_OK;
}

enum sf_code sf_fetch_body(struct sf_fetch *fetch, const struct sf_fetch_target *target, struct sf_partial *partial,
                           struct sf_meter *meter, struct sf_str *tag, bool *tag_is_date, struct sf_err *err)
{
    struct attempt attempt = {.target = target};
    for (;;) {
        struct transfer t = {.fetch = fetch,
                             .partial = partial,
                             .meter = meter,
                             .tag = tag,
                             .tag_is_date = tag_is_date,
                             .what = target->what,
                             .is_part = target->is_page};
        bool can_go_on = !t.is_part && sf_partial_bytes(partial) > 0 && is_strong(*tag, *tag_is_date);
        struct sf_http_stream stream = {.from = can_go_on ? sf_partial_bytes(partial) : 0,
                                        .validator = *tag,
                                        .stall_s = STALL_S,
                                        .accepts_gzip = target->may_be_packed && !can_go_on,
                                        .begin = begin_body,
                                        .take = take_body,
                                        .ctx = &t};
        struct sf_http_reply reply = {.status = 0};
        enum sf_code rc = exchange(fetch, &attempt, &stream, &reply, err);
        if (rc && reply.status == 416 && can_go_on) { /* all of it was there already, or it became shorter: from the start, then */
            *tag = SF_STR_NONE;
            rc = sf_partial_begin(partial, SF_STR_NONE, err);
            if (rc)
                return rc;
            continue;
        }
        bool is_all = !rc;
        if (!rc)
            rc = sf_partial_end_part(partial, err);
        if (!rc)
            return SF_OK;
        struct sf_err ignored;
        if (is_all && rc == SF_E_UNKNOWN && !t.is_part) { /* the server has no more of it than this */
            sf_hint(err, "the source itself is cut off: run the same command again when it was written anew");
            return sf_partial_begin(partial, SF_STR_NONE, &ignored) ? SF_E_IO : rc;
        }
        if (settle(&t, rc, &ignored))
            return rc; /* what ended the transfer is the cause */
        if (t.got)
            attempt.waited_ms = 0;
        if (t.got && !t.is_part && is_strong(*tag, *tag_is_date))
            attempt.tries = 0; /* each try gets further */
        rc = wait_for_another(fetch, &attempt, rc, &reply, err);
        if (rc)
            return rc;
    }
}

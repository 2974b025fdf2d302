/* One call: checked, signed, announced, sent, read. */
#include "resources/aws/client/errors.h"

#include "engine/core/clock.h"
#include "engine/core/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    CALL_MS = 60 * 1000,     /* as botocore's read timeout */
    BODY_BYTES_PER_MS = 64,  /* and what a slow line takes for the body */
    SKEW_MS = 4 * 60 * 1000, /* AWS takes five minutes (S3: 15): what is nearer is not why it said no */
    TOLD_SKEW_MS = 5 * 60 * 1000,
    MORE_TRIES = 2, /* of a throttled call, at once */
    FIRST_PAUSE_MS = 100,
    MAX_HEADERS = 32,
    MAX_BODY_BYTES = 64 * 1024 * 1024,
};

struct outgoing {
    struct sf_aws_target target;
    struct sf_http_header headers[MAX_HEADERS]; /* all signed */
    size_t n_headers;
    const char *method;
    struct sf_str body;
    struct sf_str body_hash; /* hex, or empty */
};

static void add_header(struct outgoing *out, struct sf_str name, struct sf_str value)
{
    if (value.n && out->n_headers < MAX_HEADERS)
        out->headers[out->n_headers++] = (struct sf_http_header){name, value};
}

/* "https://host:port/base": base becomes the start of the path. */
static void split_url(struct sf_str url, struct sf_aws_target *target)
{
    size_t colon = sf_str_find(url, SF_STR("://"));
    target->scheme = sf_str_slice(url, 0, colon);
    struct sf_str rest = sf_str_slice(url, colon + 3, url.n);
    const char *slash = memchr(rest.p, '/', rest.n);
    size_t end = slash ? (size_t)(slash - rest.p) : rest.n;
    target->host = sf_str_slice(rest, 0, end);
    target->path = sf_str_slice(rest, end, rest.n);
    target->query = SF_STR_NONE;
}

/* --- what is sent --- */

static enum sf_code prepare_body(struct sf_op *op, const struct sf_aws_call *call, const struct sf_aws_wire *wire,
                                 struct outgoing *out, struct sf_err *err)
{
    struct sf_buf body = SF_BUF(MAX_BODY_BYTES);
    enum sf_code rc = wire->protocol == SF_AWS_JSON ? sf_aws_write_json(&body, call->params, err)
                                                    : sf_aws_write_form(&body, wire, call->action, call->params, err);
    if (!rc && body.overflow)
        rc = sf_fail(err, SF_E_INTERNAL, "the parameters of '%s' are longer than %d bytes", call->action, MAX_BODY_BYTES);
    out->body = sf_str_dup(op->arena, sf_buf_str(&body));
    sf_buf_free(&body);
    return rc;
}

static enum sf_code prepare_rpc(struct sf_op *op, const struct sf_aws_call *call, const struct sf_aws_wire *wire,
                                struct outgoing *out, struct sf_err *err)
{
    out->method = "POST";
    if (!out->target.path.n)
        out->target.path = SF_STR("/");
    if (wire->protocol == SF_AWS_JSON) {
        add_header(out, SF_STR("content-type"), SF_STR("application/x-amz-json-1.1"));
        add_header(out, SF_STR("x-amz-target"), sf_str_fmt(op->arena, "%s.%s", wire->target, call->action));
    } else {
        add_header(out, SF_STR("content-type"), SF_STR("application/x-www-form-urlencoded; charset=utf-8"));
    }
    return prepare_body(op, call, wire, out, err);
}

static void prepare_s3(struct sf_op *op, const struct sf_aws_call *call, const struct sf_aws_endpoint *endpoint,
                       struct outgoing *out)
{
    sf_aws_s3_address(op->arena, endpoint, call, &out->target);
    add_header(out, SF_STR("host"), out->target.host);
    out->method = call->method;
    out->body = call->body;
    if (call->body_sha256.n) {
        add_header(out, SF_STR("x-amz-checksum-sha256"), sf_aws_base64(op->arena, call->body_sha256));
        out->body_hash = sf_str_hex(op->arena, call->body_sha256.p, call->body_sha256.n);
    } else if (call->body.n) {
        add_header(out, SF_STR("content-md5"), sf_aws_content_md5(op->arena, call->body));
        if (!call->key.n && call->body.p[0] == '<')
            add_header(out, SF_STR("content-type"), SF_STR("application/xml"));
    }
    for (size_t i = 0; i < call->n_headers; i++)
        add_header(out, call->headers[i].name, call->headers[i].value);
}

static enum sf_code prepare(struct sf_op *op, const struct sf_aws_sent *sent, struct outgoing *out, struct sf_err *err)
{
    split_url(sent->endpoint->url, &out->target);
    if (sent->wire->protocol == SF_AWS_REST_XML) {
        prepare_s3(op, sent->call, sent->endpoint, out);
        return SF_OK;
    }
    add_header(out, SF_STR("host"), out->target.host);
    return prepare_rpc(op, sent->call, sent->wire, out, err);
}

static bool is_cancelled(void *op)
{
    return sf_op_is_cancelled(op);
}

/* A lost answer: nothing was changed by a read, a put is done again, a create is for find() to tell. A cancelled create too. */
static enum sf_code lost(const struct sf_aws_call *call, const struct sf_aws_wire *wire, enum sf_code rc, struct sf_err *err)
{
    sf_context(err, "AWS's %s, '%s'", wire->name, call->action);
    if (rc == SF_E_UNKNOWN && call->effect != SF_AWS_MAKE)
        rc = SF_E_UNAVAILABLE;
    if (rc == SF_E_CANCELLED && call->effect == SF_AWS_MAKE)
        rc = SF_E_UNKNOWN;
    err->code = rc;
    return rc;
}

static enum sf_code send_signed(struct sf_op *op, struct sf_aws_sent *sent, const struct outgoing *out, struct sf_err *err)
{
    struct sf_aws *aws = sf_aws_of(op);
    bool is_s3 = sent->wire->protocol == SF_AWS_REST_XML;
    sent->time_ms = sf_clock_wall_ms() + atomic_load(&aws->skew_ms);
    struct sf_sigv4 unsigned_request = {
        .method = out->method,
        .path = out->target.path,
        .query = out->target.query,
        .headers = out->headers,
        .n_headers = out->n_headers,
        .body = out->body,
        .payload_hash = out->body_hash,
        .service = sent->endpoint->signing_name,
        .region = sent->endpoint->signing_region,
        .time_ms = sent->time_ms,
        .is_s3 = is_s3,
        .add_payload_header = is_s3,
    };
    struct sf_sigv4_result signature;
    sf_sigv4_sign(op->arena, &unsigned_request, &sent->credentials, &signature);
    size_t n = out->n_headers + signature.n_added;
    struct sf_http_header *headers = SF_NEW_ARRAY(op->arena, n + 1, struct sf_http_header);
    memcpy(headers, out->headers, out->n_headers * sizeof(*headers));
    memcpy(headers + out->n_headers, signature.added, signature.n_added * sizeof(*headers));
    headers[n] = (struct sf_http_header){SF_STR("user-agent"), SF_STR("sfstack")};
    int64_t until = sf_clock_ms() + CALL_MS + (int64_t)(out->body.n / BODY_BYTES_PER_MS);
    struct sf_http_request request = {
        .method = out->method,
        .url = sf_str_fmt(op->arena, "%.*s://%.*s%.*s%s%.*s", SF_ARG(out->target.scheme), SF_ARG(out->target.host),
                          SF_ARG(out->target.path), out->target.query.n ? "?" : "", SF_ARG(out->target.query)),
        .headers = headers,
        .n_headers = n + 1,
        .body = out->body,
        .deadline_ms = op->deadline_ms && op->deadline_ms < until ? op->deadline_ms : until,
        .is_once = sent->call->effect == SF_AWS_MAKE,
        .is_cancelled = sent->call->is_last_word ? NULL : is_cancelled,
        .ctx = op,
    };
    enum sf_code rc = sf_http_send(aws->http, op->arena, &request, &sent->reply, err);
    if (rc == SF_E_UNAVAILABLE && sent->endpoint->is_custom && !err->hint[0])
        sf_aws_doubt_endpoint(sent, err);
    return rc ? lost(sent->call, sent->wire, rc, err) : SF_OK;
}

/* --- a wrong clock --- */

/* Whether the error came from this machine's clock; then the offset is right from now on. */
static bool has_corrected_clock(struct sf_aws *aws, const struct sf_aws_sent *sent, const struct sf_err *err)
{
    int64_t date_ms;
    if (!sf_aws_is_about_time(err) || !sf_http_date(sf_http_header_of(&sent->reply, "date"), &date_ms))
        return false;
    if (llabs(date_ms - sent->time_ms) < SKEW_MS)
        return false;
    atomic_store(&aws->skew_ms, date_ms - sf_clock_wall_ms());
    return true;
}

static void tell_skew(struct sf_op *op)
{
    struct sf_aws *aws = sf_aws_of(op);
    int64_t skew_ms = atomic_load(&aws->skew_ms);
    if (llabs(skew_ms) < TOLD_SKEW_MS || !op->run || atomic_exchange(&aws->has_told_skew, true))
        return;
    int64_t minutes = (llabs(skew_ms) + 30000) / 60000;
    sf_op_warn(op, "this machine's clock is %lld minutes %s AWS's; requests are signed with AWS's time, but set the clock",
               (long long)minutes, skew_ms > 0 ? "behind" : "ahead of");
}

/* --- too many calls --- */

/* A look at a bucket is six calls, and one that was turned away would have all of them made again: when each fifth is, hardly any
 * look would come to its end. So a throttled call is repeated here at first, after a pause that a worker can afford; the engine
 * parks what is turned away even then. A create is the first call of its operation and needs none of this. */
static bool is_repeated_at_once(const struct sf_op *op, const struct sf_aws_call *call, const struct sf_err *err, enum sf_code rc,
                                int tries)
{
    int64_t pause_ms = (int64_t)FIRST_PAUSE_MS << tries;
    uint32_t random;
    sf_random_bytes(&random, sizeof(random));
    pause_ms = pause_ms / 2 + random % (pause_ms / 2 + 1);
    if (rc != SF_E_THROTTLED || call->effect == SF_AWS_MAKE || tries >= MORE_TRIES || err->retry_after_ms > pause_ms ||
        (op->deadline_ms && sf_clock_ms() + pause_ms >= op->deadline_ms))
        return false;
    nanosleep(&(struct timespec){.tv_sec = pause_ms / 1000, .tv_nsec = pause_ms % 1000 * 1000000}, NULL);
    return !sf_op_is_cancelled(op);
}

/* --- one call --- */

static enum sf_code announce(struct sf_op *op, const struct sf_aws_call *call, struct sf_err *err)
{
    if (call->effect == SF_AWS_READ || call->is_announced)
        return SF_OK;
    if (op->is_planning)
        return sf_fail(err, SF_E_INTERNAL, "'%s' was about to be called while planning", call->action);
    return sf_op_intent(op, call->action, err);
}

static enum sf_code finish(struct sf_op *op, const struct sf_aws_sent *sent, const struct sf_value **reply, struct sf_err *err)
{
    const struct sf_value *decoded;
    if (!sf_aws_decode(op->arena, sent, &decoded))
        return sf_aws_foreign(op, sent, err);
    if (reply)
        *reply = decoded;
    return SF_OK;
}

enum sf_code sf_aws_call(struct sf_op *op, const struct sf_aws_call *call, const struct sf_value **reply, struct sf_err *err)
{
    struct sf_aws *aws = sf_aws_of(op);
    struct sf_err unheard;
    struct sf_aws_sent sent = {.call = call, .wire = sf_aws_wire_of(call->service), .endpoint = &aws->endpoints[call->service]};
    struct outgoing out = {0};
    if (!err)
        err = &unheard;
    enum sf_code rc = prepare(op, &sent, &out, err);
    sent.host = out.target.host;
    if (rc == SF_OK)
        rc = sf_aws_provider_get(aws->provider, op->arena, op->deadline_ms ? op->deadline_ms : sf_clock_ms() + CALL_MS,
                                 &sent.credentials, err);
    if (rc == SF_OK)
        rc = announce(op, call, err);
    if (rc)
        return rc;
    bool has_set_clock = false;
    for (int tries = 0;;) {
        rc = send_signed(op, &sent, &out, err);
        if (rc)
            return rc;
        if (!sf_aws_is_fault(&sent))
            break;
        rc = sf_aws_fault(op, &sent, err);
        if (!has_set_clock && has_corrected_clock(aws, &sent, err))
            has_set_clock = true;
        else if (!is_repeated_at_once(op, call, err, rc, tries++))
            return rc;
    }
    tell_skew(op);
    return finish(op, &sent, reply, err);
}

/* --- pages --- */

/* The call with the token among its parameters, or in S3's query. */
static struct sf_aws_call with_token(struct sf_arena *arena, const struct sf_aws_call *call, const char *name, struct sf_str token)
{
    struct sf_aws_call next = *call;
    bool is_s3 = call->service == SF_AWS_S3;
    const struct sf_value *before = is_s3 ? call->query : call->params;
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; before && i < before->map.n; i++)
        sf_map_add(arena, map, before->map.pairs[i].key, before->map.pairs[i].value);
    sf_map_set_str(arena, map, name, token);
    if (is_s3)
        next.query = map;
    else
        next.params = map;
    return next;
}

struct gathered {
    const struct sf_value **items;
    size_t n, cap;
};

static void gather(struct sf_arena *arena, struct gathered *all, const struct sf_value *page)
{
    if (all->n + page->list.n > all->cap) {
        all->cap = (all->n + page->list.n) * 2;
        const struct sf_value **more = SF_NEW_ARRAY(arena, all->cap, const struct sf_value *);
        if (all->n)
            memcpy(more, all->items, all->n * sizeof(struct sf_value *));
        all->items = more;
    }
    for (size_t i = 0; i < page->list.n; i++)
        all->items[all->n++] = page->list.items[i];
}

enum sf_code sf_aws_list(struct sf_op *op, const struct sf_aws_call *call, const struct sf_aws_pages *pages,
                         const struct sf_value **items, struct sf_err *err)
{
    struct gathered all = {0};
    struct sf_aws_call page = *call;
    struct sf_map *seen = sf_map_new(op->arena);
    for (;;) {
        const struct sf_value *reply = NULL;
        enum sf_code rc = sf_aws_call(op, &page, &reply, err);
        if (rc)
            return rc;
        gather(op->arena, &all, sf_aws_items(op->arena, reply, pages->items));
        struct sf_str next = sf_aws_text(reply, pages->token_out);
        if (!next.n) {
            *items = sf_value_list(op->arena, all.items, all.n);
            return SF_OK;
        }
        if (sf_map_find(seen, next))
            break;
        sf_map_put(seen, next, seen);
        page = with_token(op->arena, call, pages->token_in, next);
    }
    return sf_fail(err, SF_E_REFUSED, "AWS's %s gives the same page of '%s' again and again", sf_aws_wire_of(call->service)->name,
                   call->action);
}

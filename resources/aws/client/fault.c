/* See fault.h. */
#include "resources/aws/client/fault.h"

#include "engine/core/json.h"
#include "engine/core/xml.h"

#include <stdlib.h>
#include <strings.h>

enum { MAX_RETRY_AFTER_MS = 5 * 60 * 1000 };

static struct sf_str first_of(const struct sf_value *map, const char *const *paths, size_t n)
{
    struct sf_str text = SF_STR_NONE;
    for (size_t i = 0; i < n && !text.n; i++)
        text = sf_str_trim(sf_aws_text(map, paths[i]));
    return text;
}

/* <ErrorResponse><Error>.. (query), <Response><Errors><Error>.. (ec2), <Error>.. (S3), and the two of them that moto mixes up. */
static bool read_xml(struct sf_arena *arena, struct sf_str body, struct sf_aws_fault_text *fault)
{
    static const char *const codes[] = {"Error.Code", "Errors.Error.Code", "Code"};
    static const char *const messages[] = {"Error.Message", "Errors.Error.Message", "Message"};
    static const char *const ids[] = {"RequestId", "RequestID", "ResponseMetadata.RequestId"};
    struct sf_str root;
    const struct sf_value *content;
    if (sf_xml_parse(arena, body, &root, &content, NULL) != SF_OK)
        return false;
    fault->code = first_of(content, codes, SF_COUNT(codes));
    fault->message = first_of(content, messages, SF_COUNT(messages));
    struct sf_str id = first_of(content, ids, SF_COUNT(ids));
    if (id.n)
        fault->request_id = id;
    if (!fault->region.n)
        fault->region = sf_str_trim(sf_aws_text(content, "Region"));
    return fault->code.n > 0;
}

/* "com.amazonaws.transfer#ThrottlingException:http://..." is ThrottlingException. */
static struct sf_str bare_code(struct sf_str code)
{
    size_t colon = sf_str_find(code, SF_STR(":"));
    if (colon != SIZE_MAX)
        code = sf_str_slice(code, 0, colon);
    size_t hash = sf_str_find(code, SF_STR("#"));
    return sf_str_trim(hash == SIZE_MAX ? code : sf_str_slice(code, hash + 1, code.n));
}

static bool read_json(struct sf_arena *arena, const struct sf_http_reply *reply, struct sf_aws_fault_text *fault)
{
    static const char *const codes[] = {"__type", "code", "Code"};
    static const char *const messages[] = {"message", "Message", "errorMessage"};
    const struct sf_value *object = NULL;
    bool is_object = sf_json_parse(arena, reply->body, "reply", SF_JSON_PLAIN, &object, NULL) == SF_OK && object->type == SF_V_MAP;
    if (!is_object && sf_str_trim(reply->body).n)
        return false;
    fault->code = bare_code(sf_http_header_of(reply, "x-amzn-errortype"));
    if (!fault->code.n)
        fault->code = bare_code(first_of(object, codes, SF_COUNT(codes)));
    fault->message = first_of(object, messages, SF_COUNT(messages));
    int64_t seconds = sf_aws_int(object, "RetryAfterSeconds", 0);
    if (seconds > 0 && !fault->retry_after_ms)
        fault->retry_after_ms = seconds > 300 ? MAX_RETRY_AFTER_MS : seconds * 1000;
    return fault->code.n > 0;
}

/* S3 answers HEAD, and some failures of other calls, with a status alone. */
static bool read_status(const struct sf_aws_sent *sent, struct sf_aws_fault_text *fault)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {{301, "PermanentRedirect"}, {307, "TemporaryRedirect"}, {400, "BadRequest"}, {403, "Forbidden"},
                 {404, "NotFound"},          {405, "MethodNotAllowed"},  {409, "Conflict"},   {412, "PreconditionFailed"},
                 {429, "TooManyRequests"},   {500, "InternalError"},     {502, "BadGateway"}, {503, "ServiceUnavailable"},
                 {504, "GatewayTimeout"}};
    if (sf_str_trim(sent->reply.body).n)
        return false;
    bool is_bare = strcmp(sent->call->method ? sent->call->method : "", "HEAD") == 0 || sent->reply.status >= 500;
    for (size_t i = 0; i < SF_COUNT(codes); i++)
        if (codes[i].status == sent->reply.status && (is_bare || sent->wire->protocol == SF_AWS_REST_XML))
            fault->code = sf_str_of(codes[i].code);
    return fault->code.n > 0;
}

/* Retry-After in seconds or as a date; x-amz-retry-after in milliseconds. */
static int64_t read_retry_after(const struct sf_http_reply *reply, int64_t now_ms)
{
    int64_t n = 0, date_ms;
    struct sf_str text = sf_http_header_of(reply, "x-amz-retry-after");
    if (text.n && sf_str_int64(text, &n) && n > 0)
        return n > MAX_RETRY_AFTER_MS ? MAX_RETRY_AFTER_MS : n;
    text = sf_http_header_of(reply, "retry-after");
    if (!text.n)
        return 0;
    if (sf_str_int64(text, &n))
        n = n > MAX_RETRY_AFTER_MS / 1000 ? MAX_RETRY_AFTER_MS : n * 1000;
    else if (sf_http_date(text, &date_ms))
        n = date_ms - now_ms > MAX_RETRY_AFTER_MS ? MAX_RETRY_AFTER_MS : date_ms - now_ms;
    return n > 0 ? n : 0;
}

bool sf_aws_fault_read(struct sf_arena *arena, const struct sf_aws_sent *sent, int64_t now_ms, struct sf_aws_fault_text *fault)
{
    static const char *const ids[] = {"x-amzn-requestid", "x-amz-request-id", "x-amzn-request-id"};
    const struct sf_http_reply *reply = &sent->reply;
    *fault = (struct sf_aws_fault_text){.retry_after_ms = read_retry_after(reply, now_ms),
                                        .region = sf_http_header_of(reply, "x-amz-bucket-region")};
    for (size_t i = 0; i < SF_COUNT(ids) && !fault->request_id.n; i++)
        fault->request_id = sf_http_header_of(reply, ids[i]);
    if (sent->wire->protocol == SF_AWS_JSON)
        return read_json(arena, reply, fault) || read_status(sent, fault);
    return read_xml(arena, reply->body, fault) || read_status(sent, fault);
}

static const char *find_no_case(struct sf_str text, const char *needle)
{
    size_t n = strlen(needle);
    for (size_t i = 0; i + n <= text.n; i++)
        if (strncasecmp(text.p + i, needle, n) == 0)
            return text.p + i;
    return NULL;
}

bool sf_aws_is_web_page(struct sf_str body, struct sf_str *title)
{
    body = sf_str_trim(body);
    struct sf_str start = sf_str_slice(body, 0, 1024);
    if (title)
        *title = SF_STR_NONE;
    if (!body.n || body.p[0] != '<' || !(find_no_case(start, "<!doctype html") || find_no_case(start, "<html")))
        return false;
    struct sf_str head = sf_str_slice(body, 0, 64 * 1024);
    const char *from = find_no_case(head, "<title");
    from = from ? memchr(from, '>', (size_t)(head.p + head.n - from)) : NULL;
    if (!title || !from)
        return true;
    struct sf_str rest = {from + 1, (size_t)(head.p + head.n - from - 1)};
    const char *end = memchr(rest.p, '<', rest.n);
    *title = sf_str_trim((struct sf_str){rest.p, end ? (size_t)(end - rest.p) : 0});
    return true;
}

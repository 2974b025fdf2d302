/* See errors.h. */
#include "resources/aws/client/errors.h"

#include "engine/core/clock.h"
#include "engine/core/json.h"
#include "resources/aws/client/fault.h"

#include <stdio.h>

enum { MAX_REMOTE_TEXT = 400, MAX_TITLE = 80 };

enum fault_class {
    ABSENT,
    TAKEN,       /* something of that name exists */
    IN_CONFLICT, /* of a create: taken; of anything else: not in this state */
    THROTTLED,
    TRANSIENT, /* a 5xx in words: nobody says whether it was done */
    NOT_DONE,  /* for the moment, and certainly not done */
    BAD_LOGIN,
    DENIED,
    QUOTA,
    REFUSED,
};

/* The first that fits counts. SF_AWS_SERVICES: every service. '*' at one end of a code stands for anything. */
static const struct {
    const char *code;
    enum sf_aws_service service;
    enum fault_class class;
} classes[] = {
    /* quotas that look like throttling, and throttling that looks like a conflict */
    {"LimitExceeded", SF_AWS_IAM, QUOTA},
    {"LimitExceededException", SF_AWS_SECRETS, QUOTA},
    {"ConcurrentModification", SF_AWS_IAM, THROTTLED},
    {"EntityTemporarilyUnmodifiable", SF_AWS_IAM, THROTTLED},
    {"OperationAborted", SF_AWS_S3, THROTTLED},
    {"ActiveStatementsExceededException", SF_AWS_REDSHIFT_DATA, THROTTLED},
    {"ActiveSessionsExceededException", SF_AWS_REDSHIFT_DATA, THROTTLED},
    {"DependentServiceRequestThrottlingFault", SF_AWS_REDSHIFT, THROTTLED},
    {"DependentServiceUnavailableFault", SF_AWS_REDSHIFT, NOT_DONE},
    {"SnapshotScheduleUpdateInProgress", SF_AWS_REDSHIFT, REFUSED},
    /* botocore: retries/standard.py, ThrottledRetryableChecker */
    {"Throttling", SF_AWS_SERVICES, THROTTLED},
    {"ThrottlingException", SF_AWS_SERVICES, THROTTLED},
    {"ThrottledException", SF_AWS_SERVICES, THROTTLED},
    {"RequestThrottledException", SF_AWS_SERVICES, THROTTLED},
    {"TooManyRequestsException", SF_AWS_SERVICES, THROTTLED},
    {"TooManyRequests", SF_AWS_SERVICES, THROTTLED},
    {"ProvisionedThroughputExceededException", SF_AWS_SERVICES, THROTTLED},
    {"TransactionInProgressException", SF_AWS_SERVICES, THROTTLED},
    {"RequestLimitExceeded", SF_AWS_SERVICES, THROTTLED},
    {"BandwidthLimitExceeded", SF_AWS_SERVICES, THROTTLED},
    {"LimitExceededException", SF_AWS_SERVICES, THROTTLED},
    {"RequestThrottled", SF_AWS_SERVICES, THROTTLED},
    {"SlowDown", SF_AWS_SERVICES, THROTTLED},
    {"PriorRequestNotComplete", SF_AWS_SERVICES, THROTTLED},
    {"EC2ThrottledException", SF_AWS_SERVICES, THROTTLED},
    /* the same file, TransientRetryableChecker; S3 sends it before it has read the body */
    {"RequestTimeout", SF_AWS_SERVICES, NOT_DONE},
    {"RequestTimeoutException", SF_AWS_SERVICES, NOT_DONE},
    {"ServiceUnavailable", SF_AWS_SERVICES, NOT_DONE},
    {"ServiceUnavailableException", SF_AWS_SERVICES, NOT_DONE},
    {"Unavailable", SF_AWS_EC2, NOT_DONE},
    {"TemporaryRedirect", SF_AWS_S3, NOT_DONE}, /* in the bucket's own region: its name is not known everywhere yet */
    {"InsufficientCapacityException", SF_AWS_SERVERLESS, REFUSED},
    {"ServiceFailure", SF_AWS_IAM, TRANSIENT},
    {"InternalFailure", SF_AWS_SERVICES, TRANSIENT},
    {"InternalError", SF_AWS_SERVICES, TRANSIENT},
    {"InternalServiceError", SF_AWS_SERVICES, TRANSIENT},
    {"InternalServerError", SF_AWS_SERVICES, TRANSIENT},
    {"InternalServerException", SF_AWS_SERVICES, TRANSIENT},
    /* who are you */
    {"AuthFailure", SF_AWS_SERVICES, BAD_LOGIN},
    {"ExpiredToken*", SF_AWS_SERVICES, BAD_LOGIN},
    {"IncompleteSignature*", SF_AWS_SERVICES, BAD_LOGIN},
    {"InvalidAccessKeyId", SF_AWS_SERVICES, BAD_LOGIN},
    {"InvalidClientTokenId", SF_AWS_SERVICES, BAD_LOGIN},
    {"InvalidSecurity", SF_AWS_SERVICES, BAD_LOGIN},
    {"InvalidSignatureException", SF_AWS_SERVICES, BAD_LOGIN},
    {"InvalidToken", SF_AWS_S3, BAD_LOGIN},
    {"MissingAuthenticationToken*", SF_AWS_SERVICES, BAD_LOGIN},
    {"NotSignedUp", SF_AWS_SERVICES, BAD_LOGIN},
    {"OptInRequired", SF_AWS_SERVICES, BAD_LOGIN},
    {"RequestExpired", SF_AWS_SERVICES, BAD_LOGIN},
    {"RequestTimeTooSkewed", SF_AWS_SERVICES, BAD_LOGIN},
    {"SignatureDoesNotMatch", SF_AWS_SERVICES, BAD_LOGIN},
    {"TokenRefreshRequired", SF_AWS_SERVICES, BAD_LOGIN},
    {"UnrecognizedClientException", SF_AWS_SERVICES, BAD_LOGIN},
    /* may you */
    {"AccessDenied*", SF_AWS_SERVICES, DENIED},
    {"AllAccessDisabled", SF_AWS_S3, DENIED},
    {"Client.UnauthorizedOperation", SF_AWS_EC2, DENIED},
    {"Forbidden", SF_AWS_S3, DENIED},
    {"NotAuthorized", SF_AWS_SERVICES, DENIED},
    {"UnauthorizedOperation", SF_AWS_SERVICES, DENIED},
    {"DependentServiceAccessDenied", SF_AWS_REDSHIFT, DENIED},
    /* quotas */
    {"ServiceQuotaExceededException", SF_AWS_SERVICES, QUOTA},
    {"TooManyBuckets", SF_AWS_S3, QUOTA},
    {"TooManyTagsException", SF_AWS_SERVICES, REFUSED},
    {"*QuotaExceeded", SF_AWS_SERVICES, QUOTA},
    {"*QuotaExceededFault", SF_AWS_SERVICES, QUOTA},
    {"QuotaExceeded.*", SF_AWS_REDSHIFT, QUOTA},
    {"*LimitExceeded", SF_AWS_SERVICES, QUOTA},
    {"*LimitExceededFault", SF_AWS_SERVICES, QUOTA},
    /* no such thing */
    {"NoSuch*", SF_AWS_SERVICES, ABSENT},
    {"NotFound", SF_AWS_S3, ABSENT},
    {"*NotFoundError", SF_AWS_S3, ABSENT},
    {"*.NotFound", SF_AWS_EC2, ABSENT},
    {"*NotFound", SF_AWS_REDSHIFT, ABSENT},
    {"*NotFoundFault", SF_AWS_REDSHIFT, ABSENT},
    {"ResourceNotFoundException", SF_AWS_SERVICES, ABSENT},
    {"*NotFound", SF_AWS_TRANSFER, ABSENT}, /* moto: ServerNotFound, UserNotFound, PublicKeyNotFound */
    /* taken */
    {"BucketAlreadyExists", SF_AWS_S3, TAKEN},
    {"BucketAlreadyOwnedByYou", SF_AWS_S3, TAKEN},
    {"EntityAlreadyExists", SF_AWS_IAM, TAKEN},
    {"InvalidGroup.Duplicate", SF_AWS_EC2, TAKEN},
    {"*AlreadyExists", SF_AWS_REDSHIFT, TAKEN},
    {"*AlreadyExistsFault", SF_AWS_REDSHIFT, TAKEN},
    {"ResourceExistsException", SF_AWS_SERVICES, TAKEN},
    {"ConflictException", SF_AWS_SERVICES, IN_CONFLICT},
};

static const struct {
    const char *code, *hint;
} login_hints[] = {
    {"ExpiredToken*",
     "get new ones from where these came (`aws sso login`, or a new session token), then run again: it goes on where it stopped"},
    {"TokenRefreshRequired", "get new ones from where these came, then run again: it goes on where it stopped"},
    {"InvalidToken", "AWS_SESSION_TOKEN belongs to another access key, or was cut: set all three variables from one source"},
    {"InvalidClientTokenId",
     "the access key does not exist there (deleted, disabled, of another partition), or its session token is missing"},
    {"InvalidAccessKeyId",
     "the access key does not exist there (deleted, disabled, of another partition), or its session token is missing"},
    {"UnrecognizedClientException",
     "the access key or session token is not known in this region: is it of another partition, or the region switched off?"},
    {"AuthFailure", "access key and secret key do not go together, or the key is not known in this region: copy both again"},
    {"SignatureDoesNotMatch", "the secret key does not belong to the access key: copy both again"},
    {"InvalidSignatureException", "the secret key does not belong to the access key: copy both again"},
    {"RequestTimeTooSkewed", "set this machine's clock (`timedatectl set-ntp true`)"},
    {"RequestExpired", "set this machine's clock (`timedatectl set-ntp true`), or get new credentials if these have expired"},
    {"MissingAuthenticationToken*", "is it AWS that answers? a proxy may have removed the Authorization header"},
    {"IncompleteSignature*", "is it AWS that answers? a proxy may have changed the Authorization header"},
    {"OptInRequired", "the account is not signed up for this service, or not in this region: open it once in the AWS console"},
    {"NotSignedUp", "the account is not signed up for this service: open it once in the AWS console"},
};

static bool fits(const char *pattern, struct sf_str code)
{
    size_t n = strlen(pattern);
    if (pattern[0] == '*')
        return sf_str_ends(code, (struct sf_str){pattern + 1, n - 1});
    if (n && pattern[n - 1] == '*')
        return sf_str_starts(code, (struct sf_str){pattern, n - 1});
    return sf_str_is(code, pattern);
}

static enum fault_class class_of(const struct sf_aws_sent *sent, const struct sf_aws_fault_text *fault)
{
    for (size_t i = 0; i < SF_COUNT(classes); i++)
        if ((classes[i].service == SF_AWS_SERVICES || classes[i].service == sent->call->service) &&
            fits(classes[i].code, fault->code))
            return classes[i].class;
    if (sent->reply.status == 429)
        return THROTTLED;
    return sent->reply.status >= 500 ? TRANSIENT : REFUSED;
}

static enum sf_code code_of(enum fault_class class, enum sf_aws_effect effect)
{
    switch (class) {
    case ABSENT:
        return SF_E_ABSENT;
    case TAKEN:
        return SF_E_CONFLICT;
    case IN_CONFLICT:
        return effect == SF_AWS_MAKE ? SF_E_CONFLICT : SF_E_REFUSED;
    case THROTTLED:
        return SF_E_THROTTLED;
    case TRANSIENT:
        return effect == SF_AWS_MAKE ? SF_E_UNKNOWN : SF_E_UNAVAILABLE;
    case NOT_DONE:
        return SF_E_UNAVAILABLE;
    case BAD_LOGIN:
        return SF_E_AUTH;
    case DENIED:
        return SF_E_DENIED;
    case QUOTA:
    case REFUSED:
        return SF_E_REFUSED;
    }
    return SF_E_REFUSED;
}

/* --- remote text --- */

struct sf_str sf_aws_clean(struct sf_arena *arena, struct sf_str text, size_t max)
{
    text = sf_str_trim(text);
    bool is_utf8 = sf_str_is_utf8(text);
    char *out = sf_arena_alloc(arena, max + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.n && n < max; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool is_c1 = c == 0xc2 && i + 1 < text.n && (unsigned char)text.p[i + 1] < 0xa0; /* U+0080 to U+009F steer terminals too */
        if (c >= 0x80 && !is_utf8)
            out[n++] = '?';
        else if (is_c1)
            i++;
        else if (c > 0x20 && c != 0x7f)
            out[n++] = (char)c;
        else if (n && out[n - 1] != ' ')
            out[n++] = ' ';
    }
    while (n && !sf_str_is_utf8((struct sf_str){out, n})) /* cut inside a character */
        n--;
    return sf_str_trim((struct sf_str){out, n});
}

static struct sf_str replace_all(struct sf_arena *arena, struct sf_str text, struct sf_str what, struct sf_str with)
{
    struct sf_buf out = SF_BUF(64 * 1024);
    for (size_t at; (at = sf_str_find(text, what)) != SIZE_MAX; text = sf_str_slice(text, at + what.n, text.n)) {
        sf_buf_add(&out, sf_str_slice(text, 0, at));
        sf_buf_add(&out, with);
    }
    sf_buf_add(&out, text);
    struct sf_str result = sf_str_dup(arena, sf_buf_str(&out));
    sf_buf_free(&out);
    return result;
}

/* Validation errors repeat the value that they dislike; a password must not come back that way. */
static struct sf_str without_secrets(struct sf_arena *arena, struct sf_str text, const struct sf_value *sent)
{
    if (!sent || !text.n)
        return text;
    if (sent->is_secret && sent->type == SF_V_STRING && sent->s.n)
        return replace_all(arena, text, sent->s, SF_STR("(secret)"));
    for (size_t i = 0; sent->type == SF_V_LIST && i < sent->list.n; i++)
        text = without_secrets(arena, text, sent->list.items[i]);
    for (size_t i = 0; sent->type == SF_V_MAP && i < sent->map.n; i++)
        text = without_secrets(arena, text, sent->map.pairs[i].value);
    return text;
}

/* --- words --- */

/* "transfer 'CreateServer' on 'arn:..'" */
static struct sf_str name_call(struct sf_arena *arena, const struct sf_aws_sent *sent)
{
    const struct sf_aws_call *call = sent->call;
    if (call->resource.n)
        return sf_str_fmt(arena, "'%s' on '%.*s'", call->action, SF_ARG(call->resource));
    return sf_str_fmt(arena, "'%s'", call->action);
}

/* Text between `from` and the next of the blanks and stops after it, or until `to` if given. */
static struct sf_str between(struct sf_str text, struct sf_str from, struct sf_str to)
{
    size_t at = sf_str_find(text, from);
    if (at == SIZE_MAX)
        return SF_STR_NONE;
    text = sf_str_slice(text, at + from.n, text.n);
    size_t end = to.n ? sf_str_find(text, to) : 0;
    if (!to.n)
        while (end < text.n && !strchr(" ,;()\"", text.p[end]))
            end++;
    return end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(text, 0, end);
}

/* "User: arn:.. is not authorized to perform: iam:PassRole on resource: arn:.. because no identity-based policy allows ..": what
 * AWS says was missing counts for more than what the call is known to need. */
static enum sf_code fail_denied(struct sf_arena *arena, const struct sf_aws_sent *sent, struct sf_str text, struct sf_err *err)
{
    const struct sf_aws_call *call = sent->call;
    text = sf_str_slice(text, 0, sf_str_find(text, SF_STR(" Encoded authorization failure message"))); /* EC2: for machines */
    struct sf_str who = between(text, SF_STR("User: "), SF_STR(" is not authorized"));
    struct sf_str action = between(text, SF_STR("to perform: "), SF_STR_NONE);
    struct sf_str resource = between(text, SF_STR("on resource: \""), SF_STR_NONE); /* S3 quotes it */
    struct sf_str lacking = between(text, SF_STR("because no "), SF_STR(" allows"));
    struct sf_str denying = between(text, SF_STR("explicit deny in "), SF_STR(" policy"));
    bool is_explicit = sf_str_find(text, SF_STR("explicit deny")) != SIZE_MAX;
    bool is_told = action.n > 0;
    if (!resource.n)
        resource = between(text, SF_STR("on resource: "), SF_STR_NONE);
    if (sf_str_ends(resource, SF_STR(".")))
        resource.n--;
    if (!is_told)
        action = sf_aws_permission(arena, call);
    if (!resource.n || sf_str_is(resource, "*"))
        resource = call->resource;
    struct sf_buf line = SF_BUF(SF_MAX_MESSAGE_BYTES);
    sf_buf_addf(&line, "not allowed to do '%.*s'", SF_ARG(action));
    if (resource.n)
        sf_buf_addf(&line, " on '%.*s'", SF_ARG(resource));
    if (who.n)
        sf_buf_addf(&line, " as '%.*s'", SF_ARG(who));
    if (is_explicit)
        sf_buf_addf(&line, ": %.*s policy denies it", SF_ARG(denying.n ? denying : SF_STR("a")));
    else if (!is_told && text.n)
        sf_buf_addf(&line, ": %.*s", SF_ARG(text));
    sf_fail(err, SF_E_DENIED, "%s", line.p);
    sf_buf_clear(&line);
    sf_json_write_string(&line, action);
    sf_buf_addz(&line, ",\"Resource\":");
    sf_json_write_string(&line, resource.n ? resource : SF_STR("*"));
    if (is_explicit)
        sf_hint(err, "no Allow outweighs a Deny: find the statement that denies it and have it changed");
    else if (lacking.n && !sf_str_is(lacking, "identity-based policy"))
        sf_hint(err, "the %.*s in force must allow it too: {\"Effect\":\"Allow\",\"Action\":%s}", SF_ARG(lacking), line.p);
    else
        sf_hint(err, "a policy of the caller needs {\"Effect\":\"Allow\",\"Action\":%s}", line.p);
    sf_buf_free(&line);
    return SF_E_DENIED;
}

static enum sf_code fail_login(const struct sf_aws_sent *sent, struct sf_str code, struct sf_err *err)
{
    const char *hint = "check which credentials are in use: environment, profile, role";
    for (size_t i = 0; i < SF_COUNT(login_hints); i++)
        if (fits(login_hints[i].code, code))
            hint = login_hints[i].hint;
    const char *source = sent->credentials.source;
    bool has_expired = sf_str_starts(code, SF_STR("ExpiredToken"));
    if (sf_str_is(code, "RequestTimeTooSkewed"))
        sf_fail(err, SF_E_AUTH, "AWS's %s does not accept the time of the request", sent->wire->name);
    else
        sf_fail(err, SF_E_AUTH,
                has_expired ? "the credentials from %s have expired" : "the credentials from %s are not accepted by AWS's %s",
                source ? source : "their source", sent->wire->name);
    sf_hint(err, "%s", hint);
    return SF_E_AUTH;
}

/* S3 would redirect to the bucket's region: never followed, since requests are signed for one. */
static enum sf_code fail_region(const struct sf_aws_sent *sent, struct sf_str region, struct sf_err *err)
{
    struct sf_str bucket = sent->call->bucket, here = sent->endpoint->signing_region;
    sf_fail(err, SF_E_CONFLICT, "bucket '%.*s' is in region '%.*s', not in '%.*s'", SF_ARG(bucket), SF_ARG(region), SF_ARG(here));
    sf_hint(err, "if it is yours write `aws: {region: %.*s}` in the stack file, else choose another name", SF_ARG(region));
    return SF_E_CONFLICT;
}

static bool is_other_region(const struct sf_aws_sent *sent, const struct sf_aws_fault_text *fault)
{
    return sent->call->service == SF_AWS_S3 && sent->call->bucket.n && fault->region.n &&
           !sf_str_eq(fault->region, sent->endpoint->signing_region);
}

static enum sf_code fail_plain(struct sf_arena *arena, const struct sf_aws_sent *sent, enum fault_class class, struct sf_str text,
                               struct sf_err *err)
{
    enum sf_code rc = code_of(class, sent->call->effect);
    struct sf_str call = name_call(arena, sent);
    const char *service = sent->wire->name;
    if (!text.n)
        text = sf_str_fmt(arena, "status %d", sent->reply.status);
    if (class == THROTTLED)
        sf_fail(err, rc, "AWS's %s is throttling %.*s: %.*s", service, SF_ARG(call), SF_ARG(text));
    else if (rc == SF_E_UNKNOWN)
        sf_fail(err, rc, "AWS's %s failed at %.*s, maybe after doing it: %.*s", service, SF_ARG(call), SF_ARG(text));
    else if (rc == SF_E_UNAVAILABLE)
        sf_fail(err, rc, "AWS's %s cannot do %.*s now: %.*s", service, SF_ARG(call), SF_ARG(text));
    else
        sf_fail(err, rc, "AWS's %s refused %.*s: %.*s", service, SF_ARG(call), SF_ARG(text));
    if (class == QUOTA)
        sf_hint(err, "a quota of this account is used up: remove what is not needed, or have it raised (Service Quotas)");
    return rc;
}

static void note_remote(struct sf_arena *arena, const struct sf_aws_fault_text *fault, struct sf_err *err)
{
    struct sf_str code = sf_aws_clean(arena, fault->code, sizeof(err->remote_code) - 1);
    struct sf_str id = sf_aws_clean(arena, fault->request_id, sizeof(err->request_id) - 1);
    snprintf(err->remote_code, sizeof(err->remote_code), "%.*s", SF_ARG(code));
    snprintf(err->request_id, sizeof(err->request_id), "%.*s", SF_ARG(id));
    err->retry_after_ms = fault->retry_after_ms;
}

/* --- entry points --- */

bool sf_aws_is_fault(const struct sf_aws_sent *sent)
{
    if (sent->reply.status < 200 || sent->reply.status >= 300)
        return true;
    bool is_long_one = strcmp(sent->call->action, "CompleteMultipartUpload") == 0 || strcmp(sent->call->action, "CopyObject") == 0;
    return sent->call->service == SF_AWS_S3 && is_long_one && sf_str_find(sent->reply.body, SF_STR("<Error>")) != SIZE_MAX;
}

enum sf_code sf_aws_fault(struct sf_op *op, const struct sf_aws_sent *sent, struct sf_err *err)
{
    struct sf_aws_fault_text fault;
    struct sf_arena *arena = op->arena;
    enum sf_code rc;
    if (!sf_aws_fault_read(arena, sent, sf_clock_wall_ms(), &fault)) {
        rc = sf_aws_foreign(op, sent, err);
        err->retry_after_ms = fault.retry_after_ms;
        return rc;
    }
    struct sf_str text = sf_aws_clean(arena, without_secrets(arena, fault.message, sent->call->params), MAX_REMOTE_TEXT);
    enum fault_class class = class_of(sent, &fault);
    if (is_other_region(sent, &fault))
        rc = fail_region(sent, sf_aws_clean(arena, fault.region, 32), err);
    else if (class == DENIED)
        rc = fail_denied(arena, sent, text, err);
    else if (class == BAD_LOGIN)
        rc = fail_login(sent, fault.code, err);
    else
        rc = fail_plain(arena, sent, class, text, err);
    note_remote(arena, &fault, err);
    return rc;
}

void sf_aws_doubt_endpoint(const struct sf_aws_sent *sent, struct sf_err *err)
{
    sf_hint(err, "is AWS_ENDPOINT_URL (or the profile's endpoint_url) right? that is why '%.*s' was asked", SF_ARG(sent->host));
}

/* A page instead of an answer: what is between here and AWS said it, or the address is not AWS's. A gateway's own 502 to 504 is the
 * one sort of page that AWS's front ends send as well. */
enum sf_code sf_aws_foreign(struct sf_op *op, const struct sf_aws_sent *sent, struct sf_err *err)
{
    struct sf_str title = SF_STR_NONE;
    int status = sent->reply.status;
    bool may_be_done = status < 300 || status >= 500;
    enum sf_code rc = !may_be_done || (status < 300 && sent->call->effect == SF_AWS_READ) ? SF_E_REFUSED
                      : sent->call->effect == SF_AWS_MAKE                                 ? SF_E_UNKNOWN
                                                                                          : SF_E_UNAVAILABLE;
    struct sf_str type = sf_aws_clean(op->arena, sf_http_header_of(&sent->reply, "content-type"), 64);
    struct sf_str what = type.n ? sf_str_fmt(op->arena, "%.*s", SF_ARG(type)) : SF_STR("something unreadable");
    struct sf_str packing = sf_aws_clean(op->arena, sf_http_header_of(&sent->reply, "content-encoding"), 32);
    if (packing.n) /* never asked for */
        what = sf_str_fmt(op->arena, "%s packed as %.*s", what.p, SF_ARG(packing));
    if (sf_aws_is_web_page(sent->reply.body, &title)) {
        title = sf_aws_clean(op->arena, title, MAX_TITLE);
        what = title.n ? sf_str_fmt(op->arena, "an HTML page (\"%.*s\")", SF_ARG(title)) : SF_STR("an HTML page");
    }
    sf_fail(err, rc, "'%.*s' did not answer '%s' as AWS's %s would: it sent %.*s with status %d", SF_ARG(sent->host),
            sent->call->action, sent->wire->name, SF_ARG(what), status);
    if (sent->endpoint->is_custom)
        sf_aws_doubt_endpoint(sent, err);
    else
        sf_hint(err, "is there a proxy or a login page between this machine and AWS? see HTTPS_PROXY and NO_PROXY");
    snprintf(err->remote_code, sizeof(err->remote_code), "HTTP %d", status);
    return rc;
}

bool sf_aws_is_about_time(const struct sf_err *err)
{
    static const char *const codes[] = {"RequestTimeTooSkewed", "InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure",
                                        "RequestExpired"};
    for (size_t i = 0; i < SF_COUNT(codes); i++)
        if (sf_aws_is_error(err, codes[i], NULL))
            return true;
    return false;
}

/* What services say of a role that IAM has not told them of yet. Terraform's provider waits for the same words. */
bool sf_aws_is_not_yet(const struct sf_err *err)
{
    static const struct {
        const char *code, *text;
    } answers[] = {
        {"InvalidParameterValue", "IAM role"}, /* Redshift: "The IAM role .. is not valid. The IAM role must delegate access .." */
        {"InvalidParameterValue", "not authorized to assume"}, /* Redshift */
        {"InvalidClusterStateFault", "IAM role"},              /* Redshift */
        {"UnauthorizedOperation", "ssume"},                    /* Redshift, from the second try on */
        {"ValidationException", "role"},                       /* Redshift Serverless */
        {"ValidationException", "Role"},
        {"InvalidRequestException", "assume"}, /* Transfer: "Unable to assume role", "Role .. cannot be assumed" */
        {"InvalidRequestException", "role"},
        {"InvalidRequestException", "Role"},
        {"AccessDenied", "sts:AssumeRole"},
        {"AccessDenied", "ssume role"},
        {"AccessDeniedException", "sts:AssumeRole"},
        {"AccessDeniedException", "ssume role"},
        {"MalformedPolicyDocument", "nvalid principal"}, /* IAM: a trust policy that names a new role */
        {"MalformedPolicy", "nvalid principal"},         /* S3: a bucket policy that names one */
        {"InvalidPrincipal", NULL},                      /* KMS and others */
        {"NoSuchEntity", "role"},                        /* IAM itself, asked at another of its ends */
    };
    for (size_t i = 0; i < SF_COUNT(answers); i++)
        if (sf_aws_is_error(err, answers[i].code, answers[i].text))
            return true;
    return false;
}

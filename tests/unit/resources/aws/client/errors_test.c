/* What AWS's errors become: class, words, hint. */
#include "resources/aws/client/errors.h"
#include "engine/core/clock.h"
#include "resources/aws/client/fault.h"
#include "tests/unit/support/fake_run.h"

#include <time.h>

static struct sf_arena *arena;
static struct sf_err err;

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

struct answer {
    enum sf_aws_service service;
    enum sf_aws_effect effect;
    int status;
    const char *body;
    const char *method; /* S3 */
    struct sf_http_header headers[3];
    const struct sf_value *params;
    const char *permission;
    bool has_no_resource, is_custom;
};

static enum sf_code fault(struct answer a)
{
    static const struct sf_aws_endpoint aws = {.signing_region = {"us-west-2", 9}},
                                        custom = {.signing_region = {"us-west-2", 9}, .is_custom = true};
    struct sf_aws_call call = {.service = a.service,
                               .action = "Do",
                               .effect = a.effect,
                               .params = a.params,
                               .permission = a.permission,
                               .resource = a.has_no_resource ? SF_STR_NONE : SF_STR("arn:aws:x"),
                               .method = a.method,
                               .bucket = a.service == SF_AWS_S3 ? SF_STR("b") : SF_STR_NONE};
    struct sf_aws_sent sent = {
        .call = &call,
        .wire = sf_aws_wire_of(a.service),
        .endpoint = a.is_custom ? &custom : &aws,
        .credentials = {.source = "profile 'city'"},
        .host = SF_STR("x.amazonaws.com"),
        .reply = {.status = a.status, .headers = a.headers, .n_headers = SF_COUNT(a.headers), .body = sf_str_of(a.body)}};
    struct sf_op op = {.arena = arena};
    assert_true(sf_aws_is_fault(&sent));
    err = (struct sf_err){0};
    enum sf_code rc = sf_aws_fault(&op, &sent, &err);
    assert_int_equal(rc, err.code);
    return rc;
}

static const char *query_error(const char *code, const char *message)
{
    return sf_str_fmt(arena,
                      "<ErrorResponse "
                      "xmlns=\"x\"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>Q1</"
                      "RequestId></ErrorResponse>",
                      code, message)
        .p;
}

static const char *json_error(const char *code, const char *message)
{
    return sf_str_fmt(arena, "{\"__type\":\"%s\",\"message\":\"%s\"}", code, message).p;
}

static const char *s3_error(const char *code, const char *message)
{
    return sf_str_fmt(arena, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message><RequestId>S1</RequestId></Error>",
                      code, message)
        .p;
}

static void assert_message(const char *message, const char *hint)
{
    assert_string_equal(err.message, message);
    if (!strstr(err.hint, hint))
        print_error("'%s' is not in: %s\n", hint, err.hint);
    assert_non_null(strstr(err.hint, hint));
}

static void codes_are_found_where_each_protocol_keeps_them(void **state)
{
    (void)state;
    assert_int_equal(
        fault((struct answer){
            .service = SF_AWS_IAM, .effect = SF_AWS_READ, .status = 404, .body = query_error("NoSuchEntity", "no role r")}),
        SF_E_ABSENT);
    assert_string_equal(err.remote_code, "NoSuchEntity");
    assert_string_equal(err.request_id, "Q1");
    assert_message("AWS's iam refused 'Do' on 'arn:aws:x': no role r", "");
    assert_int_equal(fault((struct answer){
                         .service = SF_AWS_EC2,
                         .effect = SF_AWS_READ,
                         .status = 400,
                         .body = "<Response><Errors><Error><Code>InvalidGroup.NotFound</Code><Message>m</Message></Error></Errors>"
                                 "<RequestID>E1</RequestID></Response>"}),
                     SF_E_ABSENT);
    assert_string_equal(err.request_id, "E1");
    assert_int_equal(fault((struct answer){.service = SF_AWS_S3,
                                           .effect = SF_AWS_READ,
                                           .status = 404,
                                           .body = s3_error("NoSuchBucketPolicy", "m"),
                                           .method = "GET"}),
                     SF_E_ABSENT);
    assert_string_equal(err.request_id, "S1");
    assert_int_equal(fault((struct answer){.service = SF_AWS_TRANSFER,
                                           .effect = SF_AWS_READ,
                                           .status = 400,
                                           .body = json_error("com.amazonaws.transfer#ResourceNotFoundException", "m"),
                                           .headers = {{SF_STR("x-amzn-requestid"), SF_STR("J1")}}}),
                     SF_E_ABSENT);
    assert_string_equal(err.remote_code, "ResourceNotFoundException");
    assert_string_equal(err.request_id, "J1");
    assert_int_equal(fault((struct answer){
                         .service = SF_AWS_SERVERLESS,
                         .effect = SF_AWS_MAKE,
                         .status = 400,
                         .body = "{\"message\":\"taken\"}",
                         .headers = {{SF_STR("x-amzn-errortype"), SF_STR("ConflictException:http://internal.amazon.com/x/")}}}),
                     SF_E_CONFLICT);
    assert_string_equal(err.remote_code, "ConflictException");
}

static void every_code_has_its_class(void **state)
{
    static const struct {
        enum sf_aws_service service;
        enum sf_aws_effect effect;
        int status;
        const char *code;
        enum sf_code expected;
    } cases[] = {
        {SF_AWS_IAM, SF_AWS_MAKE, 409, "EntityAlreadyExists", SF_E_CONFLICT},
        {SF_AWS_IAM, SF_AWS_MAKE, 409, "LimitExceeded", SF_E_REFUSED}, /* a quota in IAM's words */
        {SF_AWS_IAM, SF_AWS_MAKE, 400, "LimitExceededException", SF_E_THROTTLED},
        {SF_AWS_SECRETS, SF_AWS_MAKE, 400, "LimitExceededException", SF_E_REFUSED},
        {SF_AWS_IAM, SF_AWS_PUT, 409, "ConcurrentModification", SF_E_THROTTLED},
        {SF_AWS_IAM, SF_AWS_PUT, 409, "DeleteConflict", SF_E_REFUSED},
        {SF_AWS_IAM, SF_AWS_PUT, 500, "ServiceFailure", SF_E_UNAVAILABLE},
        {SF_AWS_IAM, SF_AWS_MAKE, 500, "ServiceFailure", SF_E_UNKNOWN},
        {SF_AWS_IAM, SF_AWS_READ, 400, "Throttling", SF_E_THROTTLED},
        {SF_AWS_IAM, SF_AWS_READ, 403, "InvalidClientTokenId", SF_E_AUTH},
        {SF_AWS_S3, SF_AWS_READ, 403, "SignatureDoesNotMatch", SF_E_AUTH},
        {SF_AWS_S3, SF_AWS_READ, 403, "InvalidAccessKeyId", SF_E_AUTH},
        {SF_AWS_S3, SF_AWS_READ, 400, "ExpiredToken", SF_E_AUTH},
        {SF_AWS_EC2, SF_AWS_READ, 400, "RequestExpired", SF_E_AUTH},
        {SF_AWS_EC2, SF_AWS_READ, 401, "AuthFailure", SF_E_AUTH},
        {SF_AWS_TRANSFER, SF_AWS_READ, 400, "UnrecognizedClientException", SF_E_AUTH},
        {SF_AWS_TRANSFER, SF_AWS_READ, 400, "ExpiredTokenException", SF_E_AUTH},
        {SF_AWS_S3, SF_AWS_MAKE, 503, "SlowDown", SF_E_THROTTLED},
        {SF_AWS_S3, SF_AWS_MAKE, 409, "OperationAborted", SF_E_THROTTLED},
        {SF_AWS_S3, SF_AWS_PUT, 307, "TemporaryRedirect", SF_E_UNAVAILABLE},
        {SF_AWS_S3, SF_AWS_MAKE, 503, "ServiceUnavailable", SF_E_UNAVAILABLE}, /* not done, even of a create */
        {SF_AWS_S3, SF_AWS_MAKE, 500, "InternalError", SF_E_UNKNOWN},
        {SF_AWS_S3, SF_AWS_MAKE, 409, "BucketAlreadyExists", SF_E_CONFLICT},
        {SF_AWS_S3, SF_AWS_MAKE, 409, "BucketAlreadyOwnedByYou", SF_E_CONFLICT},
        {SF_AWS_S3, SF_AWS_MAKE, 400, "TooManyBuckets", SF_E_REFUSED},
        {SF_AWS_S3, SF_AWS_READ, 404, "ServerSideEncryptionConfigurationNotFoundError", SF_E_ABSENT},
        {SF_AWS_S3, SF_AWS_READ, 404, "NoSuchPublicAccessBlockConfiguration", SF_E_ABSENT},
        {SF_AWS_S3, SF_AWS_PUT, 403, "AccessDenied", SF_E_DENIED},
        {SF_AWS_EC2, SF_AWS_MAKE, 400, "InvalidGroup.Duplicate", SF_E_CONFLICT},
        {SF_AWS_EC2, SF_AWS_PUT, 400, "InvalidPermission.Duplicate", SF_E_REFUSED},
        {SF_AWS_EC2, SF_AWS_PUT, 400, "InvalidPermission.NotFound", SF_E_ABSENT},
        {SF_AWS_EC2, SF_AWS_PUT, 400, "DependencyViolation", SF_E_REFUSED},
        {SF_AWS_EC2, SF_AWS_MAKE, 403, "UnauthorizedOperation", SF_E_DENIED},
        {SF_AWS_EC2, SF_AWS_MAKE, 503, "RequestLimitExceeded", SF_E_THROTTLED},
        {SF_AWS_EC2, SF_AWS_MAKE, 400, "SecurityGroupLimitExceeded", SF_E_REFUSED},
        {SF_AWS_REDSHIFT, SF_AWS_READ, 404, "ClusterNotFound", SF_E_ABSENT},
        {SF_AWS_REDSHIFT, SF_AWS_READ, 404, "ClusterSubnetGroupNotFoundFault", SF_E_ABSENT},
        {SF_AWS_REDSHIFT, SF_AWS_MAKE, 400, "ClusterAlreadyExists", SF_E_CONFLICT},
        {SF_AWS_REDSHIFT, SF_AWS_MAKE, 400, "ClusterQuotaExceeded", SF_E_REFUSED},
        {SF_AWS_REDSHIFT, SF_AWS_PUT, 400, "InvalidClusterState", SF_E_REFUSED},
        {SF_AWS_REDSHIFT, SF_AWS_PUT, 400, "DependentServiceRequestThrottlingFault", SF_E_THROTTLED},
        {SF_AWS_TRANSFER, SF_AWS_READ, 400, "ServerNotFound", SF_E_ABSENT}, /* moto */
        {SF_AWS_TRANSFER, SF_AWS_READ, 400, "UserNotFound", SF_E_ABSENT},
        {SF_AWS_TRANSFER, SF_AWS_PUT, 400, "PublicKeyNotFound", SF_E_ABSENT},
        {SF_AWS_TRANSFER, SF_AWS_MAKE, 400, "ResourceExistsException", SF_E_CONFLICT},
        {SF_AWS_TRANSFER, SF_AWS_MAKE, 400, "AccessDeniedException", SF_E_DENIED},
        {SF_AWS_TRANSFER, SF_AWS_MAKE, 500, "InternalServiceError", SF_E_UNKNOWN},
        {SF_AWS_TRANSFER, SF_AWS_MAKE, 503, "ServiceUnavailableException", SF_E_UNAVAILABLE},
        {SF_AWS_SERVERLESS, SF_AWS_MAKE, 400, "ConflictException", SF_E_CONFLICT},
        {SF_AWS_SERVERLESS, SF_AWS_PUT, 400, "ConflictException", SF_E_REFUSED},
        {SF_AWS_SERVERLESS, SF_AWS_MAKE, 400, "ServiceQuotaExceededException", SF_E_REFUSED},
        {SF_AWS_REDSHIFT_DATA, SF_AWS_MAKE, 400, "ActiveStatementsExceededException", SF_E_THROTTLED},
        {SF_AWS_TRANSFER, SF_AWS_PUT, 429, "NeverHeardOf", SF_E_THROTTLED},
        {SF_AWS_TRANSFER, SF_AWS_MAKE, 418, "NeverHeardOf", SF_E_REFUSED},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        bool is_json = sf_aws_wire_of(cases[i].service)->protocol == SF_AWS_JSON, is_s3 = cases[i].service == SF_AWS_S3;
        enum sf_code rc = fault((struct answer){.service = cases[i].service,
                                                .effect = cases[i].effect,
                                                .status = cases[i].status,
                                                .body = is_json ? json_error(cases[i].code, "m")
                                                        : is_s3 ? s3_error(cases[i].code, "m")
                                                                : query_error(cases[i].code, "m"),
                                                .method = "PUT"});
        if (rc != cases[i].expected)
            print_error("%s\n", cases[i].code);
        assert_int_equal(rc, cases[i].expected);
        assert_string_equal(err.remote_code, cases[i].code);
    }
}

static void a_quota_is_told_with_what_to_do(void **state)
{
    (void)state;
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_MAKE,
                          .status = 409,
                          .body = query_error("LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: 1500")});
    assert_message("AWS's iam refused 'Do' on 'arn:aws:x': Cannot exceed quota for PoliciesPerAccount: 1500", "Service Quotas");
}

/* --- denied --- */

static void a_denied_call_names_action_resource_and_the_statement_that_is_missing(void **state)
{
    (void)state;
    assert_int_equal(fault((struct answer){.service = SF_AWS_S3,
                                           .effect = SF_AWS_READ,
                                           .status = 403,
                                           .body = s3_error("AccessDenied", "Access Denied"),
                                           .method = "GET",
                                           .permission = "s3:GetEncryptionConfiguration"}),
                     SF_E_DENIED);
    assert_message("not allowed to do 's3:GetEncryptionConfiguration' on 'arn:aws:x': Access Denied",
                   "{\"Effect\":\"Allow\",\"Action\":\"s3:GetEncryptionConfiguration\",\"Resource\":\"arn:aws:x\"}");
    fault((struct answer){.service = SF_AWS_REDSHIFT,
                          .effect = SF_AWS_READ,
                          .status = 403,
                          .body = query_error("AccessDenied", ""),
                          .has_no_resource = true});
    assert_message("not allowed to do 'redshift:Do'", "{\"Effect\":\"Allow\",\"Action\":\"redshift:Do\",\"Resource\":\"*\"}");
}

static void what_aws_says_was_missing_counts_for_more_than_the_call(void **state)
{
    (void)state;
    fault((struct answer){
        .service = SF_AWS_TRANSFER,
        .effect = SF_AWS_MAKE,
        .status = 400,
        .body = json_error("AccessDeniedException",
                           "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: iam:PassRole on resource: "
                           "arn:aws:iam::123456789012:role/sftp because no identity-based policy allows the iam:PassRole action")});
    assert_message(
        "not allowed to do 'iam:PassRole' on 'arn:aws:iam::123456789012:role/sftp' as 'arn:aws:iam::123456789012:user/ann'",
        "{\"Effect\":\"Allow\",\"Action\":\"iam:PassRole\",\"Resource\":\"arn:aws:iam::123456789012:role/sftp\"}");
}

static void the_policy_that_lacks_the_statement_is_named(void **state)
{
    (void)state;
    fault((struct answer){
        .service = SF_AWS_S3,
        .effect = SF_AWS_READ,
        .status = 403,
        .method = "GET",
        .body =
            s3_error("AccessDenied", "User: arn:u is not authorized to perform: s3:GetBucketPolicy on resource: \"arn:aws:s3:::b\" "
                                     "because no permissions boundary allows the s3:GetBucketPolicy action")});
    assert_message("not allowed to do 's3:GetBucketPolicy' on 'arn:aws:s3:::b' as 'arn:u'",
                   "the permissions boundary in force must allow it too: "
                   "{\"Effect\":\"Allow\",\"Action\":\"s3:GetBucketPolicy\",\"Resource\":\"arn:aws:s3:::b\"}");
}

static void what_ec2_encodes_for_machines_is_left_out(void **state)
{
    (void)state;
    fault((struct answer){.service = SF_AWS_EC2,
                          .effect = SF_AWS_MAKE,
                          .status = 403,
                          .body = query_error("UnauthorizedOperation",
                                              "You are not authorized to perform this operation. Encoded authorization failure "
                                              "message: 4OIYt0c4Zs")});
    assert_message("not allowed to do 'ec2:Do' on 'arn:aws:x': You are not authorized to perform this operation.", "ec2:Do");
}

static void an_explicit_deny_needs_another_remedy(void **state)
{
    (void)state;
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_MAKE,
                          .status = 403,
                          .body = query_error("AccessDenied",
                                              "User: arn:u is not authorized to perform: iam:CreateRole on resource: arn:r with an "
                                              "explicit deny in a service control policy")});
    assert_message("not allowed to do 'iam:CreateRole' on 'arn:r' as 'arn:u': a service control policy denies it",
                   "no Allow outweighs a Deny");
}

/* --- credentials --- */

static void wrong_credentials_say_where_they_came_from_and_repeat_nothing(void **state)
{
    (void)state;
    assert_int_equal(fault((struct answer){.service = SF_AWS_IAM,
                                           .effect = SF_AWS_READ,
                                           .status = 403,
                                           .body = query_error("SignatureDoesNotMatch",
                                                               "The Canonical String should have been 'POST / AKIDEXAMPLE'")}),
                     SF_E_AUTH);
    assert_message("the credentials from profile 'city' are not accepted by AWS's iam", "secret key");
    fault((struct answer){
        .service = SF_AWS_TRANSFER, .effect = SF_AWS_READ, .status = 400, .body = json_error("ExpiredTokenException", "x")});
    assert_message("the credentials from profile 'city' have expired", "run again");
    fault((struct answer){.service = SF_AWS_S3,
                          .effect = SF_AWS_READ,
                          .status = 403,
                          .body = s3_error("RequestTimeTooSkewed", "x"),
                          .method = "GET"});
    assert_message("AWS's s3 does not accept the time of the request", "clock");
}

/* --- S3's status-only answers and regions --- */

static void a_head_without_a_body_is_told_by_its_status(void **state)
{
    (void)state;
    assert_int_equal(
        fault((struct answer){.service = SF_AWS_S3, .effect = SF_AWS_READ, .status = 404, .body = "", .method = "HEAD"}),
        SF_E_ABSENT);
    assert_string_equal(err.remote_code, "NotFound");
    assert_int_equal(fault((struct answer){.service = SF_AWS_S3,
                                           .effect = SF_AWS_READ,
                                           .status = 403,
                                           .body = "",
                                           .method = "HEAD",
                                           .permission = "s3:ListBucket"}),
                     SF_E_DENIED);
    assert_message("not allowed to do 's3:ListBucket' on 'arn:aws:x'", "s3:ListBucket");
    assert_int_equal(
        fault((struct answer){.service = SF_AWS_S3, .effect = SF_AWS_READ, .status = 503, .body = "", .method = "HEAD"}),
        SF_E_UNAVAILABLE);
}

static void a_bucket_elsewhere_is_told_with_its_region(void **state)
{
    static const struct sf_http_header region = {{"x-amz-bucket-region", 19}, {"eu-west-1", 9}};
    (void)state;
    assert_int_equal(
        fault((struct answer){
            .service = SF_AWS_S3, .effect = SF_AWS_READ, .status = 301, .body = "", .method = "HEAD", .headers = {region}}),
        SF_E_CONFLICT);
    assert_message("bucket 'b' is in region 'eu-west-1', not in 'us-west-2'", "`aws: {region: eu-west-1}`");
    assert_int_equal(
        fault((struct answer){
            .service = SF_AWS_S3,
            .effect = SF_AWS_READ,
            .status = 400,
            .body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m</Message><Region>eu-west-1</Region></Error>",
            .method = "GET"}),
        SF_E_CONFLICT);
    assert_string_equal(err.remote_code, "AuthorizationHeaderMalformed");
}

/* --- when to come back --- */

static void the_time_to_come_back_is_read_in_all_its_forms(void **state)
{
    char date[64];
    time_t soon = (time_t)(sf_clock_wall_ms() / 1000) + 30;
    struct tm utc;
    (void)state;
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = query_error("Throttling", "m"),
                          .headers = {{SF_STR("retry-after"), SF_STR("7")}}});
    assert_int_equal(err.retry_after_ms, 7000);
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = query_error("Throttling", "m"),
                          .headers = {{SF_STR("retry-after"), SF_STR("7")}, {SF_STR("x-amz-retry-after"), SF_STR("250")}}});
    assert_int_equal(err.retry_after_ms, 250);
    fault((struct answer){.service = SF_AWS_TRANSFER,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = "{\"__type\":\"ThrottlingException\",\"message\":\"m\",\"RetryAfterSeconds\":\"3\"}"});
    assert_int_equal(err.retry_after_ms, 3000);
    gmtime_r(&soon, &utc);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = query_error("Throttling", "m"),
                          .headers = {{SF_STR("retry-after"), sf_str_of(date)}}});
    assert_in_range(err.retry_after_ms, 28000, 30000);
    static const char *const nonsense[] = {"-5", "soon", "99999999999999999999", ""};
    for (size_t i = 0; i < SF_COUNT(nonsense); i++) {
        fault((struct answer){.service = SF_AWS_IAM,
                              .effect = SF_AWS_READ,
                              .status = 400,
                              .body = query_error("Throttling", "m"),
                              .headers = {{SF_STR("retry-after"), sf_str_of(nonsense[i])}}});
        assert_int_equal(err.retry_after_ms, 0);
    }
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = query_error("Throttling", "m"),
                          .headers = {{SF_STR("retry-after"), SF_STR("86400")}}});
    assert_int_equal(err.retry_after_ms, 300000);
}

/* --- what is not AWS's --- */

static void a_web_page_instead_of_an_answer_is_called_that(void **state)
{
    (void)state;
    assert_int_equal(fault((struct answer){.service = SF_AWS_TRANSFER,
                                           .effect = SF_AWS_READ,
                                           .status = 403,
                                           .body = "\n<!DOCTYPE html><HTML><head><TITLE>\n Sign in\x1b[31m to WiFi </title>"}),
                     SF_E_REFUSED);
    assert_message("'x.amazonaws.com' did not answer 'Do' as AWS's transfer would: it sent an HTML page (\"Sign in [31m to WiFi\") "
                   "with status 403",
                   "HTTPS_PROXY");
    fault((struct answer){.service = SF_AWS_IAM, .effect = SF_AWS_READ, .status = 404, .body = "<html></html>", .is_custom = true});
    assert_message("'x.amazonaws.com' did not answer 'Do' as AWS's iam would: it sent an HTML page with status 404",
                   "AWS_ENDPOINT_URL");
    fault((struct answer){.service = SF_AWS_IAM,
                          .effect = SF_AWS_READ,
                          .status = 302,
                          .body = "{\"a\":1}",
                          .headers = {{SF_STR("content-type"), SF_STR("application/json")}}});
    assert_message("'x.amazonaws.com' did not answer 'Do' as AWS's iam would: it sent application/json with status 302", "proxy");
    assert_string_equal(err.remote_code, "HTTP 302");
}

static void a_gateways_page_leaves_a_create_in_doubt(void **state)
{
    static const char page[] = "<html><head><title>502 Bad Gateway</title></head></html>";
    (void)state;
    assert_int_equal(fault((struct answer){.service = SF_AWS_TRANSFER, .effect = SF_AWS_MAKE, .status = 502, .body = page}),
                     SF_E_UNKNOWN);
    assert_int_equal(fault((struct answer){.service = SF_AWS_TRANSFER, .effect = SF_AWS_PUT, .status = 502, .body = page}),
                     SF_E_UNAVAILABLE);
    assert_int_equal(fault((struct answer){.service = SF_AWS_TRANSFER, .effect = SF_AWS_MAKE, .status = 403, .body = page}),
                     SF_E_REFUSED);
}

/* --- remote text --- */

static void remote_text_cannot_steer_the_terminal_or_flood_it(void **state)
{
    struct sf_buf long_text = SF_BUF(1 << 16);
    (void)state;
    assert_string_equal(sf_str_dup(arena, sf_aws_clean(arena,
                                                       SF_STR(" a\r\n\tb\x1b]0;x\x07 \xc2\x9b"
                                                              "31m\xc3\xbc "),
                                                       100))
                            .p,
                        "a b ]0;x 31m\xc3\xbc");
    assert_string_equal(sf_str_dup(arena, sf_aws_clean(arena, SF_STR("a\xff\xfe"), 100)).p, "a??");
    assert_string_equal(sf_str_dup(arena, sf_aws_clean(arena, SF_STR("ab\xc3\xbc"), 3)).p, "ab");
    for (int i = 0; i < 5000; i++)
        sf_buf_addc(&long_text, 'x');
    fault((struct answer){.service = SF_AWS_IAM, .effect = SF_AWS_READ, .status = 400, .body = query_error("Odd", long_text.p)});
    assert_true(strlen(err.message) < 500);
    fault((struct answer){.service = SF_AWS_IAM, .effect = SF_AWS_READ, .status = 400, .body = query_error(long_text.p, "m")});
    assert_int_equal(strlen(err.remote_code), sizeof(err.remote_code) - 1);
    sf_buf_free(&long_text);
}

static void a_secret_that_comes_back_in_an_error_is_taken_out(void **state)
{
    struct sf_value *params = sf_value_map(arena);
    (void)state;
    sf_map_set(arena, params, SF_STR("Password"), sf_value_secret(arena, SF_STR("hunter2")));
    fault((struct answer){.service = SF_AWS_TRANSFER,
                          .effect = SF_AWS_READ,
                          .status = 400,
                          .body = json_error("ValidationException", "Value 'hunter2' at 'password' (hunter2) is too short"),
                          .params = params});
    assert_message("AWS's transfer refused 'Do' on 'arn:aws:x': Value '(secret)' at 'password' ((secret)) is too short", "");
}

static void services_that_do_not_see_a_role_yet_are_told_from_real_refusals(void **state)
{
    static const struct {
        const char *code, *message;
        bool is_not_yet;
    } cases[] = {
        {"InvalidParameterValue",
         "The IAM role arn:x is not valid. The IAM role must delegate access to an Amazon Redshift account.", true},
        {"InvalidParameterValue", "Invalid node type", false},
        {"InvalidRequestException", "Unable to assume role", true},
        {"AccessDeniedException", "not allowed to do 'sts:AssumeRole' on 'arn:x'", true},
        {"AccessDeniedException", "not allowed to do 'iam:PassRole' on 'arn:x'", false},
        {"MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"arn:x\"", true},
        {"MalformedPolicyDocument", "Syntax errors in policy", false},
        {"ThrottlingException", "role", false},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err said = {0};
        snprintf(said.remote_code, sizeof(said.remote_code), "%s", cases[i].code);
        snprintf(said.message, sizeof(said.message), "%s", cases[i].message);
        assert_int_equal(sf_aws_is_not_yet(&said), cases[i].is_not_yet);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_found_where_each_protocol_keeps_them),
        cmocka_unit_test(every_code_has_its_class),
        cmocka_unit_test(a_quota_is_told_with_what_to_do),
        cmocka_unit_test(a_denied_call_names_action_resource_and_the_statement_that_is_missing),
        cmocka_unit_test(what_aws_says_was_missing_counts_for_more_than_the_call),
        cmocka_unit_test(the_policy_that_lacks_the_statement_is_named),
        cmocka_unit_test(what_ec2_encodes_for_machines_is_left_out),
        cmocka_unit_test(an_explicit_deny_needs_another_remedy),
        cmocka_unit_test(wrong_credentials_say_where_they_came_from_and_repeat_nothing),
        cmocka_unit_test(a_head_without_a_body_is_told_by_its_status),
        cmocka_unit_test(a_bucket_elsewhere_is_told_with_its_region),
        cmocka_unit_test(the_time_to_come_back_is_read_in_all_its_forms),
        cmocka_unit_test(a_web_page_instead_of_an_answer_is_called_that),
        cmocka_unit_test(a_gateways_page_leaves_a_create_in_doubt),
        cmocka_unit_test(remote_text_cannot_steer_the_terminal_or_flood_it),
        cmocka_unit_test(a_secret_that_comes_back_in_an_error_is_taken_out),
        cmocka_unit_test(services_that_do_not_see_a_role_yet_are_told_from_real_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

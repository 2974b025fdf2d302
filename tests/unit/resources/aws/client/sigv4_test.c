/* Signatures of requests of our own, stage by stage. Expected hashes and signatures were computed by botocore for the same
 * requests. */
#include "resources/aws/client/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const int64_t AT_MS = 1795181739000; /* 2026-11-20T13:35:39Z */

static const struct sf_aws_credentials steward = {.access_key = {"AKIDSTEWARD", 11}, .secret_key = {"city+hall/secret=key", 20}};
static const struct sf_aws_credentials session = {.access_key = {"AKIDSTEWARD", 11},
                                                  .secret_key = {"city+hall/secret=key", 20},
                                                  .session_token = {"session/of+a=steward", 20}};

static void assert_text(struct sf_str got, const char *wanted)
{
    assert_string_equal(got.p, wanted);
    assert_int_equal(got.n, strlen(wanted));
}

static void assert_added(const struct sf_sigv4_result *result, size_t at, const char *name, const char *value)
{
    assert_true(at < result->n_added);
    assert_true(sf_str_is(result->added[at].name, name));
    assert_text(result->added[at].value, value);
}

static void signs_a_call_of_a_json_service_with_a_session_token(void **state)
{
    const struct sf_http_header headers[] = {{SF_STR("X-Amz-Target"), SF_STR("TransferService.ListServers")},
                                             {SF_STR("Content-Type"), SF_STR("application/x-amz-json-1.1")},
                                             {SF_STR("User-Agent"), SF_STR("x")},
                                             {SF_STR("Host"), SF_STR("transfer.us-west-2.amazonaws.com")}};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {.method = "POST",
                               .path = SF_STR("/"),
                               .headers = headers,
                               .n_headers = SF_COUNT(headers),
                               .body = SF_STR("{\"MaxResults\":7}"),
                               .service = SF_STR("transfer"),
                               .region = SF_STR("us-west-2"),
                               .time_ms = AT_MS};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &session, &result);
    assert_text(result.canonical_request,
                "POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:transfer.us-west-2.amazonaws.com\n"
                "x-amz-date:20261120T133539Z\nx-amz-security-token:session/of+a=steward\n"
                "x-amz-target:TransferService.ListServers\n\n"
                "content-type;host;x-amz-date;x-amz-security-token;x-amz-target\n"
                "42f6ae4a436144c1a6a32b1c1ad7d8d3c0045754deedc35ca18a916191fd1a1c");
    assert_text(result.string_to_sign, "AWS4-HMAC-SHA256\n20261120T133539Z\n20261120/us-west-2/transfer/aws4_request\n"
                                       "cc4f58af1951fea2478aed8784260ceb66e490befd0d8374e4ceb625b2389a5f");
    assert_text(result.signature, "320a5ad1615738467c719d86cd8d612c6e1a97f55a449114123483c4b08f410f");
    assert_int_equal(result.n_added, 3);
    assert_added(&result, 0, "x-amz-date", "20261120T133539Z");
    assert_added(&result, 1, "x-amz-security-token", "session/of+a=steward");
    assert_added(&result, 2, "authorization",
                 "AWS4-HMAC-SHA256 Credential=AKIDSTEWARD/20261120/us-west-2/transfer/aws4_request, "
                 "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
                 "Signature=320a5ad1615738467c719d86cd8d612c6e1a97f55a449114123483c4b08f410f");
    sf_arena_free(arena);
}

/* The same odd path for both, to show that S3's rule is another. */
#define ODD_PATH SF_STR("/a%20b//c/./d/../e%2Ff/")

static void normalizes_and_encodes_the_path_again_for_all_but_s3(void **state)
{
    const struct sf_http_header host = {SF_STR("host"), SF_STR("example.test")};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {.method = "GET",
                               .path = ODD_PATH,
                               .headers = &host,
                               .n_headers = 1,
                               .service = SF_STR("iam"),
                               .region = SF_STR("us-east-1"),
                               .time_ms = AT_MS};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_starts(result.canonical_request, SF_STR("GET\n/a%2520b/c/e%252Ff/\n\nhost:example.test\n")));
    assert_text(result.signature, "fc4aa98c3ca2e2c4bb830b1097d68bd9801fad8760d9362adb7114ad6c09f524");
    request.keep_path = true;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_starts(result.canonical_request, SF_STR("GET\n/a%2520b//c/./d/../e%252Ff/\n\n")));
    request.path = SF_STR_NONE;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_starts(result.canonical_request, SF_STR("GET\n/\n\n")));
    sf_arena_free(arena);
}

static void signs_an_object_of_s3_with_its_path_as_it_is_and_its_payload(void **state)
{
    const struct sf_http_header headers[] = {{SF_STR("x-amz-meta-note"), SF_STR("  two \t  blanks ")},
                                             {SF_STR("X-Amz-Acl"), SF_STR("private")},
                                             {SF_STR("x-amz-meta-note"), SF_STR("again")},
                                             {SF_STR("x-amz-meta-empty"), SF_STR("")},
                                             {SF_STR("host"), SF_STR("b.s3.eu-central-1.amazonaws.com")}};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {.method = "PUT",
                               .path = ODD_PATH,
                               .query = SF_STR("uploadId=a%2Bb%3D&partNumber=10&partNumber=9&acl"),
                               .headers = headers,
                               .n_headers = SF_COUNT(headers),
                               .body = SF_STR("ledger\n"),
                               .service = SF_STR("s3"),
                               .region = SF_STR("eu-central-1"),
                               .time_ms = AT_MS,
                               .is_s3 = true,
                               .add_payload_header = true};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_text(result.canonical_request, "PUT\n/a%20b//c/./d/../e%2Ff/\nacl=&partNumber=10&partNumber=9&uploadId=a%2Bb%3D\n"
                                          "host:b.s3.eu-central-1.amazonaws.com\nx-amz-acl:private\n"
                                          "x-amz-content-sha256:9bbba4f22271104473fde83a314b50f8347d10506c451dcf9aac4c2a54979bf2\n"
                                          "x-amz-date:20261120T133539Z\nx-amz-meta-empty:\nx-amz-meta-note:two blanks,again\n\n"
                                          "host;x-amz-acl;x-amz-content-sha256;x-amz-date;x-amz-meta-empty;x-amz-meta-note\n"
                                          "9bbba4f22271104473fde83a314b50f8347d10506c451dcf9aac4c2a54979bf2");
    assert_text(result.signature, "44923b640c4e0d0507480c0fa28101b30bbe88824357dff6f2270a1e4877f799");
    assert_added(&result, 1, "x-amz-content-sha256", "9bbba4f22271104473fde83a314b50f8347d10506c451dcf9aac4c2a54979bf2");
    sf_arena_free(arena);
}

static void puts_the_signature_of_s3_into_a_url_whose_body_is_not_known(void **state)
{
    const struct sf_http_header host = {SF_STR("host"), SF_STR("b.s3.us-west-2.amazonaws.com")};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {.method = "GET",
                               .path = SF_STR("/report%202026.csv"),
                               .query = SF_STR("versionId=1%2F2"),
                               .headers = &host,
                               .n_headers = 1,
                               .service = SF_STR("s3"),
                               .region = SF_STR("us-west-2"),
                               .time_ms = AT_MS,
                               .is_s3 = true,
                               .expires_s = 900};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_presign(arena, &request, &session, &result);
    assert_true(sf_str_ends(result.canonical_request, SF_STR("\nhost\nUNSIGNED-PAYLOAD")));
    assert_true(sf_str_ends(result.string_to_sign, SF_STR("\n61c9b61a4053b70a6dae6fdbdea78ffd94444bd8e8e05edd61a94bfcfe436bed")));
    assert_text(result.signature, "dd243d580840af7149e38581143863314a8e0fa747599949db82584f99e548b7");
    assert_text(result.query,
                "versionId=1%2F2&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDSTEWARD%2F20261120%2Fus-west-2%2Fs3"
                "%2Faws4_request&X-Amz-Date=20261120T133539Z&X-Amz-SignedHeaders=host&X-Amz-Expires=900"
                "&X-Amz-Security-Token=session%2Fof%2Ba%3Dsteward"
                "&X-Amz-Signature=dd243d580840af7149e38581143863314a8e0fa747599949db82584f99e548b7");
    sf_arena_free(arena);
}

static void sends_a_token_that_is_not_to_be_signed_all_the_same(void **state)
{
    const struct sf_http_header host = {SF_STR("host"), SF_STR("example.test")};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {
        .method = "GET", .headers = &host, .n_headers = 1, .service = SF_STR("x"), .omit_session_token = true};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &session, &result);
    assert_true(sf_str_find(result.canonical_request, SF_STR("token")) == SIZE_MAX);
    assert_added(&result, 1, "x-amz-security-token", "session/of+a=steward");
    sf_sigv4_presign(arena, &request, &session, &result);
    assert_true(sf_str_find(result.canonical_request, SF_STR("Token")) == SIZE_MAX);
    assert_true(sf_str_find(result.query, SF_STR("&X-Amz-Security-Token=session%2Fof%2Ba%3Dsteward&X-Amz-Signature=")) != SIZE_MAX);
    sf_arena_free(arena);
}

static void leaves_out_what_proxies_change_and_what_is_its_own_to_give(void **state)
{
    const struct sf_http_header headers[] = {{SF_STR("Authorization"), SF_STR("Basic x")},
                                             {SF_STR("Connection"), SF_STR("close")},
                                             {SF_STR("EXPECT"), SF_STR("100-continue")},
                                             {SF_STR("Keep-Alive"), SF_STR("x")},
                                             {SF_STR("Proxy-Authenticate"), SF_STR("x")},
                                             {SF_STR("Proxy-Authorization"), SF_STR("x")},
                                             {SF_STR("TE"), SF_STR("trailers")},
                                             {SF_STR("Trailer"), SF_STR("x")},
                                             {SF_STR("Transfer-Encoding"), SF_STR("chunked")},
                                             {SF_STR("Upgrade"), SF_STR("h2c")},
                                             {SF_STR("user-agent"), SF_STR("x")},
                                             {SF_STR("X-Amzn-Trace-Id"), SF_STR("x")},
                                             {SF_STR("X-Amz-Date"), SF_STR("20000101T000000Z")},
                                             {SF_STR("x-amz-security-token"), SF_STR("of another run")},
                                             {SF_STR("host"), SF_STR("example.test")},
                                             {SF_STR("text"), SF_STR("is signed")}};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {
        .method = "GET", .headers = headers, .n_headers = SF_COUNT(headers), .service = SF_STR("x"), .time_ms = AT_MS};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_text(result.canonical_request,
                "GET\n/\n\nhost:example.test\ntext:is signed\nx-amz-date:20261120T133539Z\n\nhost;text;x-amz-date\n"
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sf_arena_free(arena);
}

static void takes_a_hash_that_is_given_instead_of_the_bodys(void **state)
{
    const struct sf_http_header headers[] = {{SF_STR("X-Amz-Content-Sha256"), SF_STR("UNSIGNED-PAYLOAD")}};
    struct sf_arena *arena = sf_arena_new();
    struct sf_sigv4 request = {.method = "PUT", .headers = headers, .n_headers = 1, .body = SF_STR("x"), .service = SF_STR("x")};
    struct sf_sigv4_result result;
    (void)state;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_ends(result.canonical_request, SF_STR("x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD")));
    request.payload_hash = SF_STR("cafe");
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_ends(result.canonical_request, SF_STR("\ncafe")));
    request.add_payload_header = true;
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_find(result.canonical_request, SF_STR("\nx-amz-content-sha256:cafe\n")) != SIZE_MAX);
    sf_arena_free(arena);
}

static void keeps_many_headers_of_one_name_in_their_order(void **state)
{
    enum { N = 500 };
    struct sf_arena *arena = sf_arena_new();
    struct sf_http_header headers[N];
    struct sf_buf wanted = SF_BUF(64 * 1024);
    struct sf_sigv4 request = {.method = "GET", .headers = headers, .n_headers = N, .service = SF_STR("x"), .time_ms = AT_MS};
    struct sf_sigv4_result result;
    (void)state;
    sf_buf_addz(&wanted, "GET\n/\n\nledger:");
    for (size_t i = 0; i < N; i++) {
        headers[i] = (struct sf_http_header){i % 2 ? SF_STR("Ledger") : SF_STR("ledger"), sf_str_fmt(arena, "%zu", N - i)};
        sf_buf_addf(&wanted, "%s%zu", i ? "," : "", N - i);
    }
    sf_buf_addz(&wanted, "\nx-amz-date:");
    sf_sigv4_sign(arena, &request, &steward, &result);
    assert_true(sf_str_starts(result.canonical_request, sf_buf_str(&wanted)));
    sf_buf_free(&wanted);
    sf_arena_free(arena);
}

static void sorts_a_query_by_name_then_value_and_encodes_what_no_url_holds(void **state)
{
    static const struct {
        const char *query, *canonical;
    } cases[] = {{"", ""},
                 {"acl", "acl="},
                 {"b=2&a=1&B=3", "B=3&a=1&b=2"},
                 {"k=b&k=a&k", "k=&k=a&k=b"},
                 {"a-b=1&a=2&a.b=3", "a=2&a-b=1&a.b=3"},
                 {"prefix=2026%2Fq3&marker=a=b", "marker=a=b&prefix=2026%2Fq3"},
                 {"q=caf\xc3\xa9 x", "q=caf%C3%A9%20x"}};
    struct sf_arena *arena = sf_arena_new();
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_sigv4 request = {.method = "GET", .query = sf_str_of(cases[i].query), .service = SF_STR("x")};
        struct sf_sigv4_result result;
        sf_sigv4_sign(arena, &request, &steward, &result);
        struct sf_str wanted = sf_str_fmt(arena, "GET\n/\n%s\nx-amz-date:", cases[i].canonical);
        assert_true(sf_str_starts(result.canonical_request, wanted));
    }
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_a_call_of_a_json_service_with_a_session_token),
        cmocka_unit_test(normalizes_and_encodes_the_path_again_for_all_but_s3),
        cmocka_unit_test(signs_an_object_of_s3_with_its_path_as_it_is_and_its_payload),
        cmocka_unit_test(puts_the_signature_of_s3_into_a_url_whose_body_is_not_known),
        cmocka_unit_test(sends_a_token_that_is_not_to_be_signed_all_the_same),
        cmocka_unit_test(leaves_out_what_proxies_change_and_what_is_its_own_to_give),
        cmocka_unit_test(takes_a_hash_that_is_given_instead_of_the_bodys),
        cmocka_unit_test(keeps_many_headers_of_one_name_in_their_order),
        cmocka_unit_test(sorts_a_query_by_name_then_value_and_encodes_what_no_url_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

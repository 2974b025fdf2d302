/* A bucket's policy put together of two attributes, and taken apart again. */
#include "engine/core/json.h"
#include "resources/aws/bucket_policy.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ARN SF_STR("arn:aws:s3:::b")
#define READER                                                                                                                     \
    "{\"Action\":\"s3:GetObject\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"123456789012\"},\"Resource\":\"arn:aws:s3:::b/"    \
    "*\","                                                                                                                         \
    "\"Sid\":\"Reader\"}"
#define THEIRS "{\"Id\":\"x\",\"Statement\":[" READER "],\"Version\":\"2008-10-17\"}"

static const struct sf_value *parse(struct sf_arena *arena, const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "policy.json", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static void both_attributes_come_back_from_the_one_document(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *theirs[] = {parse(arena, THEIRS), &sf_null_value};
    for (size_t i = 0; i < 4; i++) {
        bool wanted = i & 1, tls_only;
        const struct sf_value *policy, *joined = sf_bucket_policy_join(arena, ARN, wanted, theirs[i / 2]);
        assert_int_equal(joined != NULL, i != 2); /* neither: no document */
        sf_bucket_policy_split(arena, ARN, joined, &tls_only, &policy);
        assert_int_equal(tls_only, wanted);
        assert_true(sf_value_equal(policy, theirs[i / 2]));
    }
    sf_arena_free(arena);
}

static void plain_http_is_denied_to_everybody_for_everything_in_the_bucket(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *joined = sf_bucket_policy_join(arena, ARN, true, NULL);
    assert_string_equal(
        sf_json_text(arena, joined, SF_JSON_PLAIN).p,
        "{\"Statement\":[{\"Action\":\"s3:*\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":\"false\"}},\"Effect\":\"Deny\","
        "\"Principal\":\"*\",\"Resource\":[\"arn:aws:s3:::b\",\"arn:aws:s3:::b/*\"],\"Sid\":\"SfstackTlsOnly\"}],"
        "\"Version\":\"2012-10-17\"}");
    sf_arena_free(arena);
}

static void a_weakened_statement_of_ours_is_none(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    bool tls_only;
    const struct sf_value *policy;
    const struct sf_value *weak =
        parse(arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"SfstackTlsOnly\",\"Effect\":\"Deny\","
                     "\"Principal\":\"*\",\"Action\":\"s3:PutObject\",\"Resource\":\"arn:aws:s3:::b/*\"}}");
    sf_bucket_policy_split(arena, ARN, weak, &tls_only, &policy);
    assert_false(tls_only);
    assert_int_equal(policy->type, SF_V_NULL);
    sf_arena_free(arena);
}

static void what_s3_would_refuse_is_refused(void **state)
{
    (void)state;
#define EVERYBODY(more)                                                                                                            \
    "{\"Statement\":[{\"Sid\":\"All\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":[\"*\"]},\"Action\":\"s3:GetObject\","           \
    "\"Resource\":"                                                                                                                \
    "\"arn:aws:s3:::b/*\"" more "}]}"
    static const struct {
        const char *policy;
        bool is_public;
        const char *message; /* NULL: fine */
    } cases[] = {
        {THEIRS, false, NULL},
        {EVERYBODY(""), true, NULL},
        {EVERYBODY(",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"192.0.2.0/24\"}}"), false, NULL},
        {EVERYBODY(""), false, "lets everybody in"},
        {"{\"Statement\":[{\"Sid\":\"SfstackTlsOnly\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"*"
         "\"}]}",
         false, "'SfstackTlsOnly'"},
        {"{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}", false, "Principal"},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err err = {0};
        enum sf_code rc = sf_bucket_policy_check(arena, ARN, true, cases[i].is_public, parse(arena, cases[i].policy), &err);
        assert_int_equal(rc, cases[i].message ? SF_E_CONFIG : SF_OK);
        if (cases[i].message)
            assert_non_null(strstr(err.message, cases[i].message));
    }
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_attributes_come_back_from_the_one_document),
        cmocka_unit_test(plain_http_is_denied_to_everybody_for_everything_in_the_bucket),
        cmocka_unit_test(a_weakened_statement_of_ours_is_none),
        cmocka_unit_test(what_s3_would_refuse_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

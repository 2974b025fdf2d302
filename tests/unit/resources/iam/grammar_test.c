/* What IAM would refuse when a policy is stored. */
#include "engine/core/json.h"
#include "resources/iam/iam.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>

static enum sf_code check(enum sf_iam_document kind, const char *json, struct sf_err *err)
{
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *v;
    memset(err, 0, sizeof(*err));
    enum sf_code rc = sf_json_parse(arena, sf_str_of(json), "policy.json", SF_JSON_PLAIN, &v, err);
    assert_int_equal(rc, SF_OK);
    rc = sf_iam_check_document(arena, kind, v, err);
    sf_arena_free(arena);
    return rc;
}

static void well_formed_policies_pass(void **state)
{
    (void)state;
    struct sf_err err;
    assert_int_equal(
        check(SF_IAM_IDENTITY_POLICY,
              "{\"Version\":\"2012-10-17\",\"Id\":\"x\",\"Statement\":[{\"Sid\":\"Put1\",\"Effect\":\"Allow\",\"Action\":"
              "[\"s3:Put*\",\"*\"],\"Resource\":[\"arn:aws:s3:::b/${aws:username}/*\",\"*\"],\"Condition\":"
              "{\"ForAnyValue:StringLikeIfExists\":{\"aws:TagKeys\":\"a\"}}}]}",
              &err),
        SF_OK);
    assert_int_equal(check(SF_IAM_TRUST_POLICY,
                           "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"transfer.amazonaws.com\"},\"Action\":"
                           "\"sts:AssumeRole\"}}",
                           &err),
                     SF_OK);
    assert_int_equal(check(SF_IAM_RESOURCE_POLICY,
                           "{\"Statement\":[{\"Sid\":\"with blanks\",\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\","
                           "\"Resource\":\"arn:aws:s3:::b/*\",\"Condition\":{\"Bool\":{\"aws:SecureTransport\":false}}}]}",
                           &err),
                     SF_OK);
}

static void malformed_policies_are_refused_with_their_reason(void **state)
{
    (void)state;
    static const struct {
        enum sf_iam_document kind;
        const char *json, *reason;
    } cases[] = {
        {SF_IAM_IDENTITY_POLICY, "[]", "must be a map"},
        {SF_IAM_IDENTITY_POLICY, "{\"Version\":\"2012-10-17\"}", "no Statement"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[]}", "no Statement"},
        {SF_IAM_IDENTITY_POLICY, "{\"Version\":\"2020-01-01\",\"Statement\":[]}", "no policy language version"},
        {SF_IAM_IDENTITY_POLICY, "{\"a\":1}", "no element 'a'"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}", "Effect"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Actions\":\"*\",\"Resource\":\"*\"}]}", "'Actions'"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"GetObject\",\"Resource\":\"*\"}]}",
         "not an action"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":[],\"Resource\":\"*\"}]}", "is empty"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"landing/*\"}]}",
         "not an ARN"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\"}]}", "Resource or NotResource"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
         "cannot name a Principal"},
        {SF_IAM_TRUST_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
         "cannot name a Resource"},
        {SF_IAM_TRUST_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\"}]}",
         "Principal or NotPrincipal"},
        {SF_IAM_TRUST_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"transfer\",\"Action\":\"sts:AssumeRole\"}]}",
         "must be '*' or a map"},
        {SF_IAM_IDENTITY_POLICY,
         "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"StringIs\":{\"aws:x\":\"y\"}}}"
         "]}",
         "no condition operator"},
        {SF_IAM_IDENTITY_POLICY,
         "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{\"x\":\"y\"}}}]}",
         "not a condition key"},
        {SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Sid\":\"a b\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
         "Sid"},
        {SF_IAM_IDENTITY_POLICY,
         "{\"Statement\":[{\"Sid\":\"A\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"},"
         "{\"Sid\":\"A\",\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}",
         "two statements"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err err;
        assert_int_equal(check(cases[i].kind, cases[i].json, &err), SF_E_CONFIG);
        if (!strstr(err.message, cases[i].reason))
            fail_msg("'%s' instead of '%s' for %s", err.message, cases[i].reason, cases[i].json);
    }
}

static void a_slip_of_the_pen_gets_a_suggestion(void **state)
{
    (void)state;
    struct sf_err err;
    assert_int_equal(
        check(SF_IAM_IDENTITY_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Actions\":\"*\",\"Resource\":\"*\"}]}", &err),
        SF_E_CONFIG);
    assert_string_equal(err.hint, "did you mean 'Action'?");
}

static void size_counts_characters_without_blanks(void **state)
{
    (void)state;
    struct sf_buf json = SF_BUF(100000);
    struct sf_err err;
    sf_buf_addz(&json, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":[");
    for (int i = 0; i < 200; i++)
        sf_buf_addf(&json, "%s   \"arn:aws:s3:::bucket-%04d/*\"", i ? "," : "", i);
    sf_buf_addz(&json, "]}]}");
    assert_int_equal(check(SF_IAM_IDENTITY_POLICY, json.p, &err), SF_OK); /* 200 * 29 + 60 */
    assert_int_equal(
        check(SF_IAM_TRUST_POLICY, "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"}]}", &err), SF_OK);
    sf_buf_clear(&json);
    sf_buf_addz(&json, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":[");
    for (int i = 0; i < 215; i++)
        sf_buf_addf(&json, "%s\"arn:aws:s3:::bucket-%04d/*\"", i ? "," : "", i);
    sf_buf_addz(&json, "]}]}");
    assert_int_equal(check(SF_IAM_IDENTITY_POLICY, json.p, &err), SF_E_CONFIG);
    assert_non_null(strstr(err.message, "6144"));
    sf_buf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(well_formed_policies_pass),
        cmocka_unit_test(malformed_policies_are_refused_with_their_reason),
        cmocka_unit_test(a_slip_of_the_pen_gets_a_suggestion),
        cmocka_unit_test(size_counts_characters_without_blanks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

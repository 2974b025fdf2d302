/* Short names of trust policies, and when a policy that is there goes by such a name. */
#include "engine/core/json.h"
#include "resources/iam/iam.h"
#include "resources/iam/trust.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct sf_str account = {"123456789012", 12};

static const struct sf_value *parse(struct sf_arena *arena, const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "trust.json", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static const struct sf_value *expanded(struct sf_arena *arena, const char *name, struct sf_str only_for)
{
    const struct sf_value *document = NULL;
    const struct sf_value *trust = sf_value_str(arena, sf_str_of(name));
    assert_int_equal(sf_iam_trust_document(arena, trust, only_for, &document, NULL), SF_OK);
    assert_int_equal(sf_iam_check_document(arena, SF_IAM_TRUST_POLICY, document, NULL), SF_OK);
    return document;
}

static void assert_text(struct sf_arena *arena, const struct sf_value *v, const char *json)
{
    assert_string_equal(sf_json_text(arena, v, SF_JSON_PLAIN).p, json);
}

static void transfer_may_use_a_role_only_for_the_account_that_has_it(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    assert_text(
        arena, expanded(arena, "transfer", account),
        "{\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":\"123456789012\"}},"
        "\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"transfer.amazonaws.com\"}}],\"Version\":\"2012-10-17\"}");
    assert_text(arena, expanded(arena, "transfer", SF_STR_NONE),
                "{\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":"
                "\"transfer.amazonaws.com\"}}],\"Version\":\"2012-10-17\"}");
    sf_arena_free(arena);
}

static void redshift_is_both_the_provisioned_and_the_serverless_one(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    assert_text(arena, expanded(arena, "redshift", account),
                "{\"Statement\":[{\"Action\":\"sts:AssumeRole\",\"Effect\":\"Allow\",\"Principal\":{\"Service\":[\"redshift."
                "amazonaws.com\","
                "\"redshift-serverless.amazonaws.com\"]}}],\"Version\":\"2012-10-17\"}");
    sf_arena_free(arena);
}

static void a_document_stands_for_itself_and_other_names_are_refused(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *policy = parse(arena, "{\"Statement\":[]}"), *document = NULL;
    struct sf_err err = {0};
    assert_int_equal(sf_iam_trust_document(arena, policy, account, &document, &err), SF_OK);
    assert_ptr_equal(document, policy);
    assert_int_equal(sf_iam_trust_document(arena, sf_value_unknown(arena, SF_STR("x.arn")), account, &document, &err), SF_OK);
    assert_null(document);
    assert_int_equal(sf_iam_trust_document(arena, sf_value_str(arena, SF_STR("lambda")), account, &document, &err), SF_E_CONFIG);
    assert_string_equal(err.message, "'lambda' is not a service that a role can trust by name");
    sf_arena_free(arena);
}

static void what_is_there_goes_by_the_short_name_however_it_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json;
        bool is_that;
    } cases[] = {
        {"redshift",
         "{\"Version\":\"2012-10-17\",\"Statement\":{\"Sid\":\"\",\"Effect\":\"Allow\",\"Action\":[\"sts:AssumeRole\"],"
         "\"Principal\":"
         "{\"Service\":[\"redshift-serverless.amazonaws.com\",\"redshift.amazonaws.com\"]}}}",
         true},
        {"redshift",
         "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{\"Service\":"
         "\"redshift.amazonaws.com\"}}}",
         false},
        {"transfer",
         "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{"
         "\"Service\":"
         "[\"transfer.amazonaws.com\"]},\"Condition\":{\"StringEquals\":{\"aws:SourceAccount\":[\"123456789012\"]}}}]}",
         true},
        {"transfer",
         "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{"
         "\"Service\":"
         "\"transfer.amazonaws.com\"}}]}",
         false},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        const struct sf_value *document = parse(arena, cases[i].json), *name = sf_value_str(arena, sf_str_of(cases[i].name));
        const struct sf_value *told = sf_iam_trust_report(arena, document, name, account);
        assert_ptr_equal(told, cases[i].is_that ? name : document);
        assert_ptr_equal(sf_iam_trust_report(arena, document, NULL, account), document);
    }
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transfer_may_use_a_role_only_for_the_account_that_has_it),
        cmocka_unit_test(redshift_is_both_the_provisioned_and_the_serverless_one),
        cmocka_unit_test(a_document_stands_for_itself_and_other_names_are_refused),
        cmocka_unit_test(what_is_there_goes_by_the_short_name_however_it_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* From policies to directories: what ends up allowed where, and that whatever cannot be granted by directory is refused. */
#include "engine/core/json.h"
#include "resources/iam/prefix.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define DOC(statements) "[{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}]"
#define ALLOW(actions, resources) "{\"Effect\":\"Allow\",\"Action\":" actions ",\"Resource\":" resources "}"
#define DENY(actions, resources) "{\"Effect\":\"Deny\",\"Action\":" actions ",\"Resource\":" resources "}"

static struct sf_arena *arena;
static struct sf_iam_area *areas;
static size_t n_areas;
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

static enum sf_code find(const char *identity)
{
    const struct sf_value *documents, *context;
    assert_int_equal(sf_json_parse(arena, sf_str_of(identity), "case", SF_JSON_PLAIN, &documents, &err), SF_OK);
    assert_int_equal(sf_json_parse(arena, SF_STR("{\"Transfer:UserName\":\"bob\",\"aws:SecureTransport\":true}"), "context",
                                   SF_JSON_PLAIN, &context, &err),
                     SF_OK);
    struct sf_iam_request request = {.context = context,
                                     .principal = sf_value_str(arena, SF_STR("arn:aws:iam::000000000000:role/sftp"))};
    struct sf_iam_policies policies = {.identity = documents};
    memset(&err, 0, sizeof(err));
    return sf_iam_areas(arena, &request, &policies, SF_STR("arn:aws:s3:::landing"), &areas, &n_areas, &err);
}

static void expect_area(size_t i, const char *dir, unsigned below, bool may_list)
{
    assert_true(i < n_areas);
    if (!sf_str_is(areas[i].dir, dir) || areas[i].below != below || areas[i].may_list != may_list)
        fail_msg("area %zu is '%.*s' %u %d, not '%s' %u %d", i, SF_ARG(areas[i].dir), areas[i].below, areas[i].may_list, dir, below,
                 may_list);
}

static void a_writer_of_the_whole_bucket_has_one_area(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("[\"s3:ListBucket\",\"s3:GetBucketLocation\"]",
                                    "\"arn:aws:s3:::landing\"") "," ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/*\""))),
                     SF_OK);
    assert_int_equal(n_areas, 1);
    expect_area(0, "", SF_IAM_LIST | SF_IAM_PUT, true);
}

static void no_policy_allows_nothing(void **state)
{
    (void)state;
    assert_int_equal(find("[]"), SF_OK);
    assert_int_equal(n_areas, 1);
    expect_area(0, "", 0, false);
}

static void a_prefix_is_a_directory_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("[\"s3:GetObject\",\"s3:PutObject\"]", "\"arn:aws:s3:::landing/in/*\"") "," ALLOW(
                         "\"s3:GetObject\"", "\"arn:aws:s3:::landing/out/deep/*\""))),
                     SF_OK);
    assert_int_equal(n_areas, 3);
    expect_area(0, "", 0, false);
    expect_area(1, "in", SF_IAM_GET | SF_IAM_PUT, false);
    expect_area(2, "out/deep", SF_IAM_GET, false);
}

static void a_deny_cuts_a_hole_into_an_allow(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"s3:*\"", "[\"arn:aws:s3:::landing\",\"arn:aws:s3:::landing/*\"]") "," DENY(
                         "[\"s3:DeleteObject\",\"s3:PutObject\"]", "\"arn:aws:s3:::landing/delivery/*\""))),
                     SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(0, "", SF_IAM_ALL, true);
    expect_area(1, "delivery", SF_IAM_LIST | SF_IAM_GET, true);
}

static void not_resource_and_not_action_are_followed(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"s3:*\"", "\"*\"") ","
                                                         "{\"Effect\":\"Deny\",\"NotAction\":[\"s3:GetObject\",\"s3:ListBucket\"],"
                                                         "\"NotResource\":\"arn:aws:s3:::landing/in/*\"}")),
                     SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(0, "", SF_IAM_LIST | SF_IAM_GET, true);
    expect_area(1, "in", SF_IAM_ALL, true);
}

static void listing_follows_the_condition_on_the_prefix(void **state)
{
    (void)state;
#define LIST_WHEN(operator, prefixes)                                                                                              \
    "{\"Effect\":\"Allow\",\"Action\":\"s3:ListBucket\",\"Resource\":\"arn:aws:s3:::landing\",\"Condition\":{\""                   \
    operator"\":{\"s3:prefix\":" prefixes "}}}"
    assert_int_equal(find(DOC(LIST_WHEN("StringLike", "[\"\",\"in/*\"]"))), SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(0, "", 0, true);
    expect_area(1, "in", SF_IAM_LIST, true);
    assert_int_equal(find(DOC(LIST_WHEN("StringEquals", "\"in/\""))), SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(0, "", 0, false);
    expect_area(1, "in", 0, true);
}

static void variables_of_the_user_are_filled_in(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/${Transfer:UserName}/*\""))), SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(1, "bob", SF_IAM_PUT, false);
}

static void wildcards_in_the_bucket_name_are_understood(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::land*\""))), SF_OK);
    assert_int_equal(n_areas, 1);
    expect_area(0, "", SF_IAM_PUT, false);
    assert_int_equal(find(DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::l*n*\""))), SF_OK);
    assert_int_equal(n_areas, 1);
    expect_area(0, "", SF_IAM_PUT, false);
    assert_int_equal(find(DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landin?/in/*\""))), SF_OK);
    assert_int_equal(n_areas, 2);
    expect_area(1, "in", SF_IAM_PUT, false);
    assert_int_equal(find(DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::other/in/*.csv\""))), SF_OK);
    assert_int_equal(n_areas, 1);
}

static void what_is_no_directory_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/in/*.csv\"")),
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/*/in/*\"")),
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/fy?/*\"")),
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/in*\"")),
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::landing/in/file.csv\"")),
        DOC(ALLOW("\"s3:PutObject\"", "\"arn:aws:s3:::l*/in/*\"")),
        DOC(DENY("\"s3:PutObject\"", "\"arn:aws:s3:::landing/*.exe\"")),
        DOC(LIST_WHEN("StringLike", "\"in*\"")),
    };
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        if (find(bad[i]) != SF_E_CONFIG)
            fail_msg("not refused: %s", bad[i]);
        assert_true(err.message[0] && err.hint[0]);
    }
}

static void a_condition_that_the_server_cannot_know_is_refused(void **state)
{
    (void)state;
    assert_int_equal(find(DOC("{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"*\",\"Condition\":"
                              "{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}}")),
                     SF_E_CONFIG);
    assert_non_null(strstr(err.message, "aws:SourceIp"));
    assert_int_equal(find(DOC("{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":\"*\",\"Condition\":"
                              "{\"Bool\":{\"aws:SecureTransport\":\"true\"}}}")),
                     SF_OK);
    expect_area(0, "", SF_IAM_PUT, false);
}

static void a_statement_about_other_services_is_passed_over(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"glue:*\"", "\"arn:aws:glue:*:*:table/a*b\"") "," ALLOW("\"s3:GetObjectTagging\"",
                                                                                              "\"arn:aws:s3:::landing/*.csv\""))),
                     SF_OK);
    assert_int_equal(n_areas, 1);
}

static void the_deepest_area_holds_a_key(void **state)
{
    (void)state;
    assert_int_equal(find(DOC(ALLOW("\"s3:GetObject\"", "[\"arn:aws:s3:::landing/in/*\",\"arn:aws:s3:::landing/in/deep/*\"]"))),
                     SF_OK);
    assert_true(sf_str_is(sf_iam_area_of(areas, n_areas, SF_STR("in/deep/x"))->dir, "in/deep"));
    assert_true(sf_str_is(sf_iam_area_of(areas, n_areas, SF_STR("in/deeper/x"))->dir, "in"));
    assert_true(sf_str_is(sf_iam_area_of(areas, n_areas, SF_STR("inbox"))->dir, ""));
}

/* The areas must say of every key what the evaluator says of it. */
static void areas_agree_with_the_evaluator_on_every_key(void **state)
{
    (void)state;
    static const char policy[] = DOC(ALLOW("\"s3:*\"", "\"arn:aws:s3:::landing/in/*\"") "," DENY(
        "\"s3:Delete*\"",
        "\"arn:aws:s3:::landing/in/keep/*\"") "," ALLOW("\"s3:GetObject\"",
                                                        "\"arn:aws:s3:::landing/*\"") "," DENY("\"s3:PutObject\"",
                                                                                               "\"arn:aws:s3:::landing/in/a/b/"
                                                                                               "*\""));
    static const char *const keys[] = {"x",      "in/x",     "in/keep/x", "in/keeper/x", "in/keep/deep/x",
                                       "in/a/x", "in/a/b/x", "in/a/bb/x", "inx/y",       "in/a/b/c/d"};
    static const struct {
        unsigned bit;
        const char *action;
    } verbs[] = {{SF_IAM_GET, "s3:GetObject"}, {SF_IAM_PUT, "s3:PutObject"}, {SF_IAM_DELETE, "s3:DeleteObject"}};
    const struct sf_value *documents;
    assert_int_equal(find(policy), SF_OK);
    assert_int_equal(sf_json_parse(arena, sf_str_of(policy), "case", SF_JSON_PLAIN, &documents, &err), SF_OK);
    struct sf_iam_policies policies = {.identity = documents};
    struct sf_iam_request request = {0};
    for (size_t i = 0; i < SF_COUNT(keys); i++) {
        for (size_t v = 0; v < SF_COUNT(verbs); v++) {
            struct sf_iam_answer answer;
            assert_int_equal(sf_iam_s3_allows(arena, &request, &policies, verbs[v].action, SF_STR("arn:aws:s3:::landing"),
                                              sf_str_of(keys[i]), &answer, &err),
                             SF_OK);
            bool by_area = (sf_iam_area_of(areas, n_areas, sf_str_of(keys[i]))->below & verbs[v].bit) != 0;
            if (by_area != (answer.decision == SF_IAM_ALLOWED))
                fail_msg("%s on '%s'", verbs[v].action, keys[i]);
        }
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_writer_of_the_whole_bucket_has_one_area),
        TEST(no_policy_allows_nothing),
        TEST(a_prefix_is_a_directory_of_its_own),
        TEST(a_deny_cuts_a_hole_into_an_allow),
        TEST(not_resource_and_not_action_are_followed),
        TEST(listing_follows_the_condition_on_the_prefix),
        TEST(variables_of_the_user_are_filled_in),
        TEST(wildcards_in_the_bucket_name_are_understood),
        TEST(what_is_no_directory_is_refused),
        TEST(a_condition_that_the_server_cannot_know_is_refused),
        TEST(a_statement_about_other_services_is_passed_over),
        TEST(the_deepest_area_holds_a_key),
        TEST(areas_agree_with_the_evaluator_on_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

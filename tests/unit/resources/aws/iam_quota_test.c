/* What IAM says of its quotas before anything is made. */
#include "resources/aws/iam_quota.h"
#include "tests/unit/resources/aws/client/world.h"

#define ENTRY(key, value) "<entry><key>" key "</key><value>" value "</value></entry>"
#define SUMMARY(entries)                                                                                                           \
    "<GetAccountSummaryResponse><GetAccountSummaryResult><SummaryMap>" entries                                                     \
    "</SummaryMap></GetAccountSummaryResult></GetAccountSummaryResponse>"

static void an_account_that_is_full_is_told_before_a_role_is_planned(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", SUMMARY(ENTRY("RolesQuota", "1000") ENTRY("Policies", "3") ENTRY("Roles", "1000")));
    assert_int_equal(sf_aws_iam_check_quota(&w->op, "Roles", "roles", &w->err), SF_E_REFUSED);
    assert_string_equal(w->err.message, "the account has 1000 of at most 1000 roles");
    assert_non_null(strstr(w->err.hint, "Service Quotas"));
}

static void one_place_left_is_enough(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", SUMMARY(ENTRY("RolesQuota", "1000") ENTRY("Roles", "999")));
    assert_int_equal(sf_aws_iam_check_quota(&w->op, "Roles", "roles", &w->err), SF_OK);
}

static void who_may_not_ask_or_is_told_nothing_goes_on(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 403, "",
                      "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>");
    assert_int_equal(sf_aws_iam_check_quota(&w->op, "Roles", "roles", &w->err), SF_OK);
    server_will_reply(w->server, 200, "", SUMMARY(ENTRY("Roles", "1000")));
    assert_int_equal(sf_aws_iam_check_quota(&w->op, "Roles", "roles", &w->err), SF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_account_that_is_full_is_told_before_a_role_is_planned, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(one_place_left_is_enough, world_setup, world_teardown),
        cmocka_unit_test_setup_teardown(who_may_not_ask_or_is_told_nothing_goes_on, world_setup, world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

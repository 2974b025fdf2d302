/* When a call is tried again: waits double with jitter, the other side's own wish counts, the budget of a run is shared. */
#include "engine/core/clock.h"
#include "engine/run/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct sf_retry_budget budget;
static struct sf_err err;

static int set_up(void **state)
{
    (void)state;
    sf_clock_use_virtual(1000);
    budget = (struct sf_retry_budget){SF_RETRY_TOKENS};
    err = (struct sf_err){0};
    return 0;
}

static bool again(struct sf_retry *retry, enum sf_code rc, int64_t *wait_ms)
{
    return sf_retry_again(&budget, retry, rc, &err, SF_RETRY_ATTEMPTS, 1000000, wait_ms);
}

static void waits_double_and_stay_between_half_and_whole(void **state)
{
    (void)state;
    static const int64_t whole_ms[] = {200, 400, 800, 1600, 3200, 6400, 12800, 20000};
    for (int round = 0; round < 200; round++) {
        struct sf_retry retry = {0};
        budget.tokens = SF_RETRY_TOKENS;
        for (size_t i = 0; i < SF_COUNT(whole_ms); i++) {
            int64_t wait = 0;
            assert_true(again(&retry, SF_E_THROTTLED, &wait));
            assert_in_range(wait, whole_ms[i] / 2, whole_ms[i]);
        }
        int64_t wait;
        assert_false(again(&retry, SF_E_THROTTLED, &wait));
    }
}

static void only_what_cannot_have_happened_is_repeated(void **state)
{
    (void)state;
    static const enum sf_code others[] = {SF_OK, SF_E_UNKNOWN, SF_E_REFUSED, SF_E_DENIED, SF_E_AUTH, SF_E_CONFLICT, SF_E_ABSENT};
    struct sf_retry retry = {0};
    int64_t wait = 0;
    for (size_t i = 0; i < SF_COUNT(others); i++)
        assert_false(again(&retry, others[i], &wait));
    assert_true(again(&retry, SF_E_UNAVAILABLE, &wait));
}

static void it_waits_as_long_as_it_was_asked_to(void **state)
{
    (void)state;
    struct sf_retry retry = {0};
    int64_t wait = 0;
    err.retry_after_ms = 7000;
    assert_true(again(&retry, SF_E_THROTTLED, &wait));
    assert_int_equal(wait, 7000);
}

static void it_does_not_wait_past_the_deadline(void **state)
{
    (void)state;
    struct sf_retry retry = {0};
    int64_t wait = 0;
    err.retry_after_ms = 7000;
    assert_false(sf_retry_again(&budget, &retry, SF_E_THROTTLED, &err, SF_RETRY_ATTEMPTS, 1000 + 7000, &wait));
    assert_true(sf_retry_again(&budget, &retry, SF_E_THROTTLED, &err, SF_RETRY_ATTEMPTS, 1000 + 7001, &wait));
}

static void a_spent_budget_ends_retries_and_says_so(void **state)
{
    (void)state;
    int64_t wait = 0;
    size_t n = 0;
    for (struct sf_retry retry = {0}; again(&retry, SF_E_THROTTLED, &wait); retry = (struct sf_retry){0})
        n++;
    assert_int_equal(n, SF_RETRY_TOKENS / 5);
    assert_non_null(strstr(err.hint, "run the same command again"));
}

static void a_success_gives_back_what_its_last_retry_took(void **state)
{
    (void)state;
    struct sf_retry retry = {0};
    int64_t wait = 0;
    assert_true(again(&retry, SF_E_UNAVAILABLE, &wait));
    assert_true(again(&retry, SF_E_THROTTLED, &wait));
    assert_int_equal(budget.tokens, SF_RETRY_TOKENS - 15);
    sf_retry_done(&budget, &retry);
    assert_int_equal(budget.tokens, SF_RETRY_TOKENS - 10);
    assert_int_equal(retry.attempts, 0);
    sf_retry_done(&budget, &retry);
    assert_int_equal(budget.tokens, SF_RETRY_TOKENS - 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(waits_double_and_stay_between_half_and_whole, set_up),
        cmocka_unit_test_setup(only_what_cannot_have_happened_is_repeated, set_up),
        cmocka_unit_test_setup(it_waits_as_long_as_it_was_asked_to, set_up),
        cmocka_unit_test_setup(it_does_not_wait_past_the_deadline, set_up),
        cmocka_unit_test_setup(a_spent_budget_ends_retries_and_says_so, set_up),
        cmocka_unit_test_setup(a_success_gives_back_what_its_last_retry_took, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

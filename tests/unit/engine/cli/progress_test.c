/* What is said of a call under way: numbers, rate, time left; and nothing that could steer a terminal. */
#include "engine/cli/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void check(struct sf_progress progress, int64_t now_ms, const char *expected)
{
    struct sf_buf out = SF_BUF(1024);
    sf_progress_describe(&out, &progress, now_ms);
    assert_string_equal(out.p ? out.p : "", expected);
    sf_buf_free(&out);
}

static struct sf_progress fetching(uint64_t done, uint64_t total)
{
    return (struct sf_progress){.what = "fetching bpnb-jwfb", .unit = "rows", .done = done, .total = total, .first_ms = 1000};
}

static void test_rows_are_told_with_rate_and_time_left(void **state)
{
    (void)state;
    check(fetching(412000, 776841), 11000, "fetching bpnb-jwfb: 412,000 of 776,841 rows, 41,200 a second, 9 s left");
    check(fetching(10000, 776841), 11000, "fetching bpnb-jwfb: 10,000 of 776,841 rows, 1,000 a second, 13 min left");
    check(fetching(100, 7768410), 11000, "fetching bpnb-jwfb: 100 of 7,768,410 rows, 10 a second, 215.8 h left");
}

static void test_what_was_there_at_the_beginning_does_not_count_for_the_rate(void **state)
{
    (void)state;
    struct sf_progress resumed = fetching(500000, 776841);
    resumed.first_done = 400000;
    check(resumed, 11000, "fetching bpnb-jwfb: 500,000 of 776,841 rows, 10,000 a second, 28 s left");
}

static void test_what_is_not_known_is_left_out(void **state)
{
    (void)state;
    check(fetching(412000, 0), 11000, "fetching bpnb-jwfb: 412,000 rows, 41,200 a second");
    check(fetching(412000, 776841), 1100, "fetching bpnb-jwfb: 412,000 of 776,841 rows");
    check(fetching(0, 776841), 11000, "fetching bpnb-jwfb: 0 of 776,841 rows");
    check(fetching(800000, 776841), 11000, "fetching bpnb-jwfb: 800,000 rows, 80,000 a second"); /* the profile lagged behind */
    check(fetching(776841, 776841), 11000, "fetching bpnb-jwfb: 776,841 of 776,841 rows, 77,684 a second");
    check((struct sf_progress){.what = "initdb"}, 11000, "initdb");
    check((struct sf_progress){.what = ""}, 11000, "");
}

static void test_bytes_are_told_in_megabytes(void **state)
{
    (void)state;
    struct sf_progress bytes = {.what = "fetching", .unit = "bytes", .done = 12345678, .total = 223456789, .first_ms = 0};
    check(bytes, 4000, "fetching: 12 of 223 MB, 3.1 MB a second, 68 s left");
}

static void test_nothing_in_it_steers_a_terminal_or_ends_a_line(void **state)
{
    (void)state;
    check((struct sf_progress){.what = "a\033[31mb\nc\rd\x7f\xc2\x9b"
                                       "1me\xc3\xa9"},
          0, "a\\x1B[31mb\\x0Ac\\x0Dd\\u007F\\u009B1me\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_are_told_with_rate_and_time_left),
        cmocka_unit_test(test_what_was_there_at_the_beginning_does_not_count_for_the_rate),
        cmocka_unit_test(test_what_is_not_known_is_left_out),
        cmocka_unit_test(test_bytes_are_told_in_megabytes),
        cmocka_unit_test(test_nothing_in_it_steers_a_terminal_or_ends_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

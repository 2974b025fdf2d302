/* engine/core/str.c: views and capped buffers. */
#include "engine/core/str.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static int set_up(void **state)
{
    *state = sf_arena_new();
    return 0;
}

static int tear_down(void **state)
{
    sf_arena_free(*state);
    return 0;
}

static void null_and_empty_are_the_same_text(void **state)
{
    (void)state;
    assert_true(sf_str_eq(SF_STR_NONE, SF_STR("")));
    assert_true(sf_str_is(sf_str_of(NULL), ""));
    assert_int_equal(sf_str_cmp(SF_STR_NONE, SF_STR("")), 0);
    assert_true(sf_str_starts(SF_STR_NONE, SF_STR_NONE) && sf_str_ends(SF_STR_NONE, SF_STR_NONE));
    assert_int_equal(sf_str_trim(SF_STR_NONE).n, 0);
    assert_true(sf_str_is_utf8(SF_STR_NONE));
}

static void order_is_bytewise_and_shorter_comes_first(void **state)
{
    (void)state;
    assert_true(sf_str_cmp(SF_STR("a"), SF_STR("b")) < 0);
    assert_true(sf_str_cmp(SF_STR("ab"), SF_STR("a")) > 0);
    assert_true(sf_str_cmp(SF_STR("a"), SF_STR("ab")) < 0);
    assert_true(sf_str_cmp(SF_STR("Z"), SF_STR("a")) < 0);
    assert_true(sf_str_cmp(SF_STR("\xc3\xa9"), SF_STR("z")) > 0); /* bytes are unsigned */
    assert_true(sf_str_cmp(SF_STR("a\0b"), SF_STR("a\0c")) < 0);
}

static void finding_and_slicing_stay_inside(void **state)
{
    (void)state;
    struct sf_str s = SF_STR("bucket.landing");
    assert_int_equal(sf_str_find(s, SF_STR(".")), 6);
    assert_true(sf_str_find(s, SF_STR("x")) == SIZE_MAX);
    assert_true(sf_str_find(SF_STR_NONE, SF_STR("x")) == SIZE_MAX);
    assert_int_equal(sf_str_find(s, SF_STR("")), 0);
    assert_true(sf_str_is(sf_str_slice(s, 7, SIZE_MAX), "landing"));
    assert_true(sf_str_is(sf_str_slice(s, 0, 6), "bucket"));
    assert_int_equal(sf_str_slice(s, 9, 3).n, 0);
    assert_int_equal(sf_str_slice(s, 100, 200).n, 0);
    assert_true(sf_str_starts(s, SF_STR("bucket")) && !sf_str_starts(SF_STR("buck"), SF_STR("bucket")));
    assert_true(sf_str_ends(s, SF_STR("landing")) && !sf_str_ends(SF_STR("ding"), SF_STR("landing")));
    assert_true(sf_str_is(sf_str_trim(SF_STR(" \t\r\n a b \n")), "a b"));
    assert_int_equal(sf_str_trim(SF_STR(" \n ")).n, 0);
}

static void whole_numbers_are_read_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {
        {"0", 0},
        {"-0", 0},
        {"42", 42},
        {"-7", -7},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
        {"00000000000000000012", 12},
        {"-12345678", -12345678},
        {"1234567890123456", 1234567890123456},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+1",
        " 1",
        "1 ",
        "1.0",
        "1e3",
        "0x10",
        "--1",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "99999999999999999999",
        "\xd9\xa1",
    };
    for (size_t i = 0; i < SF_COUNT(good); i++) {
        int64_t value = 99;
        assert_true(sf_str_int64(sf_str_of(good[i].text), &value));
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        int64_t value = 99;
        assert_false(sf_str_int64(sf_str_of(bad[i]), &value));
        assert_int_equal(value, 99);
    }
}

/* They are read eight digits at a time. */
static void any_byte_in_any_place_of_a_whole_number_is_judged(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 18; n++)
        for (size_t at = 0; at < n; at++)
            for (int byte = 1; byte < 256; byte++) {
                char text[32];
                snprintf(text, sizeof text, "%.*s", (int)n, "987654321012345678");
                text[at] = (char)byte;
                bool is_sign = at == 0 && n > 1 && byte == '-';
                int64_t value = 99;
                bool is_number = (byte >= '0' && byte <= '9') || is_sign;
                assert_int_equal(sf_str_int64(sf_str_of(text), &value), is_number);
                assert_true(value == (is_number ? strtoll(text, NULL, 10) : 99));
            }
}

static void only_well_formed_utf8_passes(void **state)
{
    (void)state;
    static const char *const good[] = {"plain",        "\xc2\x80",     "\xdf\xbf",         "\xe0\xa0\x80",
                                       "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",             /* a continuation by itself */
        "\xc3",             /* cut short */
        "\xe2\x82",         /* cut short */
        "\xf0\x9f\x98",     /* cut short */
        "\xc0\xaf",         /* overlong '/' */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80", /* above U+10FFFF */
        "\xff",             /* never */
        "\xc3\x28",         /* no continuation */
        "\xe2\x82\x28",     /* no continuation */
        "a\xe2(\xac",       /* no continuation */
    };
    for (size_t i = 0; i < SF_COUNT(good); i++)
        assert_true(sf_str_is_utf8(sf_str_of(good[i])));
    for (size_t i = 0; i < SF_COUNT(bad); i++)
        assert_false(sf_str_is_utf8(sf_str_of(bad[i])));
}

static void distance_counts_single_edits(void **state)
{
    (void)state;
    assert_int_equal(sf_str_distance(SF_STR("bucket"), SF_STR("bucket")), 0);
    assert_int_equal(sf_str_distance(SF_STR("bukcet"), SF_STR("bucket")), 2);
    assert_int_equal(sf_str_distance(SF_STR("kitten"), SF_STR("sitting")), 3);
    assert_int_equal(sf_str_distance(SF_STR_NONE, SF_STR("abc")), 3);
    char long_text[66];
    memset(long_text, 'a', sizeof(long_text));
    assert_int_equal(sf_str_distance((struct sf_str){long_text, 65}, SF_STR("a")), 64);
    assert_int_equal(sf_str_distance((struct sf_str){long_text, 64}, (struct sf_str){long_text, 64}), 0);
}

static void copies_in_an_arena_end_in_nul(void **state)
{
    struct sf_arena *arena = *state;
    struct sf_str part = sf_str_slice(SF_STR("bucket.landing"), 0, 6);
    struct sf_str copy = sf_str_dup(arena, part);
    assert_string_equal(copy.p, "bucket");
    assert_string_equal(sf_str_dup(arena, SF_STR_NONE).p, "");
    struct sf_str built = sf_str_fmt(arena, "%s-%d", "x", 7);
    assert_string_equal(built.p, "x-7");
    assert_int_equal(built.n, 3);
    assert_string_equal(sf_str_fmt(arena, "%.*s", SF_ARG(SF_STR_NONE)).p, "");
    assert_string_equal(sf_str_hex(arena, "\x00\x7f\xff", 3).p, "007fff");
}

static void a_buffer_grows_and_always_ends_in_nul(void **state)
{
    (void)state;
    struct sf_buf buf = SF_BUF(100000);
    assert_string_equal(sf_buf_str(&buf).p, "");
    for (int i = 0; i < 5000; i++) {
        sf_buf_addc(&buf, 'a');
        sf_buf_addz(&buf, "bc");
        sf_buf_addf(&buf, "%d", i % 10);
        sf_buf_add(&buf, SF_STR_NONE);
        assert_int_equal(buf.p[buf.n], 0);
    }
    assert_int_equal(buf.n, 20000);
    assert_false(buf.overflow);
    assert_int_equal(strlen(buf.p), 20000);
    assert_true(sf_str_is(sf_str_slice(sf_buf_str(&buf), 19996, 20000), "abc9"));
    sf_buf_free(&buf);
    assert_null(buf.p);
    assert_int_equal(buf.max, 100000);
}

static void a_buffer_never_passes_its_maximum_and_remembers(void **state)
{
    (void)state;
    struct sf_buf buf = SF_BUF(5);
    sf_buf_addz(&buf, "12345");
    assert_false(buf.overflow);
    sf_buf_addc(&buf, '6');
    assert_true(buf.overflow);
    assert_string_equal(buf.p, "12345");
    sf_buf_clear(&buf);
    assert_false(buf.overflow);
    sf_buf_addz(&buf, "1234");
    sf_buf_addf(&buf, "%d", 56); /* whole or not at all */
    assert_true(buf.overflow);
    assert_string_equal(buf.p, "1234");
    sf_buf_addc(&buf, '5'); /* nothing more after a gap, though it would fit */
    assert_string_equal(buf.p, "1234");
    sf_buf_free(&buf);
    sf_buf_free(&buf);
}

#define UNIT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static void hex_digits_have_their_value_in_either_case_and_nothing_else_has(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        char text[2] = {(char)c, 0}, *end;
        int value = isxdigit(c) ? (int)strtol(text, &end, 16) : -1;
        assert_int_equal(sf_hex_digit((char)c), value);
    }
}

static void what_steers_a_terminal_is_written_down_and_the_rest_is_as_it_was(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } cases[] = {
        {"", ""},
        {"plain caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82 \\", "plain caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x99\x82 \\"},
        {"\033[2J\r\n\t\b", "\\x1B[2J\\x0D\n\\x09\\x08"},
        {"\x7f\xc2\x80\xc2\x9b\xc2\xa0", "\\u007F\\u0080\\u009B\xc2\xa0"},
        {"\xd8\x9c\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", "\\u061C\xe2\x80\x8d\\u200E\\u200F\xe2\x80\x90"},
        {"\xe2\x80\xa8\xe2\x80\xaa\xe2\x80\xae\xe2\x80\xaf", "\\u2028\\u202A\\u202E\xe2\x80\xaf"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", "\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa"},
        {"a\x9b"
         "1m\xe2\x80",
         "a\\x9B1m\\xE2\\x80"}, /* no UTF-8, the last cut off */
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_buf buf = SF_BUF(1000);
        sf_buf_add_shown(&buf, sf_str_of(cases[i].text), "\n");
        assert_string_equal(buf.n ? buf.p : "", cases[i].shown);
        sf_buf_free(&buf);
    }
    struct sf_buf buf = SF_BUF(1000);
    sf_buf_add_shown(&buf, SF_STR("a\0b"), "\n");
    assert_string_equal(buf.p, "a\\x00b");
    sf_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(null_and_empty_are_the_same_text),
        UNIT(order_is_bytewise_and_shorter_comes_first),
        UNIT(finding_and_slicing_stay_inside),
        UNIT(whole_numbers_are_read_and_nothing_else),
        UNIT(any_byte_in_any_place_of_a_whole_number_is_judged),
        UNIT(only_well_formed_utf8_passes),
        UNIT(distance_counts_single_edits),
        UNIT(copies_in_an_arena_end_in_nul),
        UNIT(a_buffer_grows_and_always_ends_in_nul),
        UNIT(hex_digits_have_their_value_in_either_case_and_nothing_else_has),
        UNIT(what_steers_a_terminal_is_written_down_and_the_rest_is_as_it_was),
        UNIT(a_buffer_never_passes_its_maximum_and_remembers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

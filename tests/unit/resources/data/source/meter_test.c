/* The meter of a transfer: whatever pieces a body comes in, it sees the same rows, headers and stamps. */
#include "resources/data/source/meter.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static const struct sf_rule_column stamp = {.name = {"data_as_of", 10},
                                            .names = {{"data_as_of", 10}, {"data as of", 10}},
                                            .n_names = 2};

struct metered {
    enum sf_code rc;
    uint64_t rows;
    bool lacks_newline;
    char kept[512];
    size_t n_kept;
    struct sf_err err;
};

static void feed(struct sf_meter *meter, const char *text, size_t step, struct metered *m)
{
    struct sf_str all = sf_str_of(text), kept;
    for (size_t at = 0; at < all.n && !m->rc; at += step) {
        m->rc = sf_meter_feed(meter, sf_str_slice(all, at, at + step), &kept, &m->err);
        assert_true(m->n_kept + kept.n < sizeof m->kept);
        if (kept.n && !m->rc)
            memcpy(m->kept + m->n_kept, kept.p, kept.n);
        m->n_kept += m->rc ? 0 : kept.n;
    }
    if (!m->rc)
        m->rc = sf_meter_end_part(meter, &m->lacks_newline, &m->err);
    m->kept[m->n_kept] = 0;
}

/* One or two pages, in pieces of `step` bytes. */
static struct metered meter_of(const char *first, const char *second, size_t step)
{
    struct metered m = {.rc = SF_OK};
    struct sf_meter meter;
    sf_meter_open(&meter, &stamp);
    feed(&meter, first, step, &m);
    if (second && !m.rc) {
        sf_meter_begin_part(&meter);
        feed(&meter, second, step, &m);
    }
    m.rows = meter.rows;
    sf_meter_close(&meter);
    return m;
}

static void rows_are_counted_however_they_are_written_and_cut(void **state)
{
    static const struct {
        const char *text;
        uint64_t rows;
        bool lacks_newline;
    } cases[] = {
        {"a,b\n1,2\n3,4\n", 2, false},
        {"a,b\n1,2\n3,4", 2, true},
        {"a,b\r\n1,2\r\n3,4\r\n", 2, false},
        {"a,b\r1,2\r3,4\r", 2, false},
        {"\xef\xbb\xbf\"a\",\"b\"\n1,2\n", 1, false},
        {"a,b\n\"x\ny\",\"say \"\"no\"\"\"\n,\n", 2, false},
        {"a,\"b\nc\"\n1,2\n", 1, false},
        {"a,b\n", 0, false},
        {"", 0, false},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        for (size_t step = 1; step < 9; step++) {
            struct metered m = meter_of(cases[i].text, NULL, step);
            assert_int_equal(m.rc, SF_OK);
            assert_int_equal(m.rows, cases[i].rows);
            assert_int_equal(m.lacks_newline, cases[i].lacks_newline && m.rows);
            assert_string_equal(m.kept, cases[i].text);
        }
    }
}

static void the_header_of_a_second_page_is_left_out(void **state)
{
    static const struct {
        const char *first, *second, *kept;
        uint64_t rows;
    } cases[] = {
        {"a,b\n1,2\n", "a,b\n3,4\n", "a,b\n1,2\n3,4\n", 2},
        {"a,b\r\n1,2\r\n", "a,b\r\n3,4\r\n", "a,b\r\n1,2\r\n3,4\r\n", 2},
        {"a,b\n1,2\n",
         "\xef\xbb\xbf"
         "a,b\n3,4\n",
         "a,b\n1,2\n3,4\n", 2},
        {"a,\"b\n\"\n1,2\n", "a,\"b\n\"\n3,4\n", "a,\"b\n\"\n1,2\n3,4\n", 2},
        {"a,b\n1,2\n", "a,b\n", "a,b\n1,2\n", 1},
        {"a,b\n1,2\n", "a,b", "a,b\n1,2\n", 1},
        {"a,b\n1,2\n", "", "a,b\n1,2\n", 1},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        for (size_t step = 1; step < 9; step++) {
            struct metered m = meter_of(cases[i].first, cases[i].second, step);
            assert_int_equal(m.rc, SF_OK);
            assert_int_equal(m.rows, cases[i].rows);
            assert_string_equal(m.kept, cases[i].kept);
        }
    }
}

static void what_does_not_go_together_is_torn(void **state)
{
    static const char *const torn[][2] = {
        {"a,b\n1,2\n", "a,c\n3,4\n"},
        {"a,data_as_of\n1,monday\n", "a,data_as_of\n2,sunday\n"},
        {"a,\"Data As Of\",c\n1,\"monday\",x\n2,\"sunday\",x\n", NULL},
        {"data_as_of,\"x\ny\"\nmonday,1\n,1\n", NULL},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(torn); i++)
        for (size_t step = 1; step < 9; step++)
            assert_int_equal(meter_of(torn[i][0], torn[i][1], step).rc, SF_E_STALE);
    assert_int_equal(meter_of("a,data_as_of\n1,\"monday\"\n2,monday\n", NULL, 3).rc, SF_OK);
}

static void what_is_no_csv_is_refused_at_its_first_byte(void **state)
{
    static const struct {
        const char *text;
        enum sf_code rc;
        const char *words;
    } cases[] = {
        {"<!DOCTYPE html>", SF_E_DATA, "a web page"},    {"\r\n  <html>", SF_E_DATA, "a web page"},
        {"\xef\xbb\xbf<html>", SF_E_DATA, "a web page"}, {"{\"error\":true}", SF_E_DATA, "a message"},
        {"a,b\n1,\"2\n", SF_E_UNKNOWN, "cut off"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        for (size_t step = 1; step < 9; step++) {
            struct metered m = meter_of(cases[i].text, NULL, step);
            assert_int_equal(m.rc, cases[i].rc);
            assert_non_null(strstr(m.err.message, cases[i].words));
        }
    }
}

static void a_first_line_without_end_is_given_up(void **state)
{
    (void)state;
    size_t n = 100000;
    char *text = malloc(n + 1);
    assert_non_null(text);
    memset(text, 'x', n);
    text[n - 1] = '\n';
    text[n] = 0;
    struct sf_meter meter;
    struct sf_str kept;
    struct sf_err err;
    sf_meter_open(&meter, NULL);
    assert_int_equal(sf_meter_feed(&meter, sf_str_of(text), &kept, &err), SF_E_DATA);
    sf_meter_close(&meter);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_counted_however_they_are_written_and_cut),
        cmocka_unit_test(the_header_of_a_second_page_is_left_out),
        cmocka_unit_test(what_does_not_go_together_is_torn),
        cmocka_unit_test(what_is_no_csv_is_refused_at_its_first_byte),
        cmocka_unit_test(a_first_line_without_end_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

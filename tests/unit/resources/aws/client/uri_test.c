/* Percent-encoding is what RFC 3986 leaves unreserved and nothing more, and paths come out as botocore normalizes them. */
#include "resources/aws/client/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_text(struct sf_str got, const char *wanted)
{
    assert_int_equal(got.n, strlen(wanted));
    assert_memory_equal(got.p, wanted, got.n);
}

static void encodes_every_byte_but_the_unreserved(void **state)
{
    static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    (void)state;
    for (int c = 0; c < 256; c++) {
        struct sf_buf buf = SF_BUF(16);
        char byte = (char)c, escape[4];
        snprintf(escape, sizeof(escape), "%%%02X", (unsigned)c);
        sf_uri_encode(&buf, (struct sf_str){&byte, 1}, false);
        bool is_kept = c && strchr(unreserved, c);
        assert_text(sf_buf_str(&buf), is_kept ? (const char[]){byte, 0} : escape);
        sf_buf_free(&buf);
    }
}

static void keeps_slashes_when_asked_to(void **state)
{
    struct sf_buf buf = SF_BUF(256);
    (void)state;
    sf_uri_encode(&buf, SF_STR("/2026 q3/r\xc3\xa9sum\xc3\xa9+a%2F.csv"), true);
    assert_text(sf_buf_str(&buf), "/2026%20q3/r%C3%A9sum%C3%A9%2Ba%252F.csv");
    sf_buf_clear(&buf);
    sf_uri_encode(&buf, SF_STR("a/b"), false);
    assert_text(sf_buf_str(&buf), "a%2Fb");
    sf_buf_clear(&buf);
    sf_uri_encode(&buf, SF_STR_NONE, false);
    assert_int_equal(buf.n, 0);
    sf_buf_free(&buf);
}

static void encodes_of_a_url_only_what_it_may_not_hold(void **state)
{
    struct sf_buf buf = SF_BUF(256);
    (void)state;
    sf_uri_encode_stray(&buf, SF_STR("a=1+2&b=%2f/:*!~&c=\xe2\x82\xac d\x7f"));
    assert_text(sf_buf_str(&buf), "a=1+2&b=%2f/:*!~&c=%E2%82%AC%20d%7F");
    sf_buf_free(&buf);
}

static void decodes_what_it_encodes_and_leaves_malformed_escapes(void **state)
{
    static const struct {
        const char *text, *decoded;
    } cases[] = {{"", ""},       {"a%20b", "a b"}, {"a+b", "a+b"}, {"%2f%2F", "//"}, {"%E2%82%AC", "\xe2\x82\xac"},
                 {"%", "%"},     {"%4", "%4"},     {"%4g", "%4g"}, {"%g4", "%g4"},   {"100%25", "100%"},
                 {"%%41", "%A"}, {"%2541", "%41"}};
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(1024);
    char all[256];
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_text(sf_uri_decode(arena, sf_str_of(cases[i].text)), cases[i].decoded);
    assert_text(sf_uri_decode(arena, (struct sf_str){"%412", 2}), "%4"); /* a view ends where it ends */
    for (int c = 0; c < 256; c++)
        all[c] = (char)c;
    sf_uri_encode(&buf, (struct sf_str){all, 256}, false);
    assert_true(sf_str_eq(sf_uri_decode(arena, sf_buf_str(&buf)), (struct sf_str){all, 256}));
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void takes_dot_segments_and_doubled_slashes_out(void **state)
{
    static const struct {
        const char *path, *normalized;
    } cases[] = {{"", "/"},
                 {"/", "/"},
                 {"//", "/"},
                 {"/..", "/"},
                 {"/../../x", "/x"},
                 {"/books/./2026//", "/books/2026/"},
                 {"/books/2026/..", "/books"},
                 {"/books/2026/../", "/books/"},
                 {"/books/2026/.", "/books/2026"},
                 {"/a/../..", "/"},
                 {"/a/..hidden/...", "/a/..hidden/..."},
                 {"books", "/books"},
                 {"/a%2F..%2Fb", "/a%2F..%2Fb"}};
    struct sf_arena *arena = sf_arena_new();
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_text(sf_uri_normalize(arena, sf_str_of(cases[i].path)), cases[i].normalized);
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encodes_every_byte_but_the_unreserved),
        cmocka_unit_test(keeps_slashes_when_asked_to),
        cmocka_unit_test(encodes_of_a_url_only_what_it_may_not_hold),
        cmocka_unit_test(decodes_what_it_encodes_and_leaves_malformed_escapes),
        cmocka_unit_test(takes_dot_segments_and_doubled_slashes_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

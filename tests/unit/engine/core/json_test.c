/* The JSON reader accepts exactly RFC 8259 (less duplicate keys and excessive depth), and both writers are faithful. */
#include "engine/core/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct text {
    const char *p;
    size_t n;
};
#define T(literal)                                                                                                                 \
    {                                                                                                                              \
        literal, sizeof(literal) - 1                                                                                               \
    }

static enum sf_code parse(struct sf_arena *arena, struct sf_str text, enum sf_json_mode mode, const struct sf_value **v,
                          struct sf_err *err)
{
    *err = (struct sf_err){.code = SF_OK};
    return sf_json_parse(arena, text, "t.json", mode, v, err);
}

static void accepts_every_valid_text(void **state)
{
    static const struct text good[] = {
        T("null"),
        T("true"),
        T("false"),
        T("0"),
        T("-0"),
        T("-1"),
        T("42"),
        T("1.5"),
        T("-0.0"),
        T("1e3"),
        T("1E+3"),
        T("1.25e-7"),
        T("123456789012345678901234567890"),
        T("1e400"),
        T("9223372036854775807"),
        T("-9223372036854775808"),
        T("9223372036854775808"),
        T("\"\""),
        T("\"a\""),
        T("\"\\u0000\""),
        T("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""),
        T("\"\\u00e9\\uD834\\uDD1E\""),
        T("\"\xe2\x82\xac\""),
        T("\"\xf0\x9d\x84\x9e\""),
        T("\"\x7f\""),
        T("\"\xef\xbf\xbf\""),
        T("\"\\uFFFF\""),
        T("\"\\uDBFF\\uDFFF\""),
        T("[]"),
        T("[ ]"),
        T("[1]"),
        T("[1,2, 3]"),
        T("[[],[[]]]"),
        T("[null,true,\"x\",{}]"),
        T("{}"),
        T("{\"\":0}"),
        T("{\"a\":{\"b\":[1,{\"c\":null}]}}"),
        T(" \t\r\n{ \"a\" : 1 } \n"),
        T("{\"a\":1,\"A\":1}"),
        T("\"\\u2028\xe2\x80\xa8\""),
        T("[1.0e0,0e+1,0E1]"),
        T("\"\xf4\x8f\xbf\xbf\""),
        T("\"\\\\u0000\""),
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(good); i++) {
        struct sf_arena *arena = sf_arena_new();
        const struct sf_value *v;
        struct sf_err err;
        if (parse(arena, (struct sf_str){good[i].p, good[i].n}, SF_JSON_PLAIN, &v, &err))
            fail_msg("refused: %s: %s", good[i].p, err.message);
        sf_arena_free(arena);
    }
}

static void refuses_every_invalid_text(void **state)
{
    static const struct text bad[] = {
        T(""),
        T(" "),
        T("\xef\xbb\xbf{}"),
        T("nul"),
        T("True"),
        T("nulll"),
        T("NaN"),
        T("Infinity"),
        T("-"),
        T("+1"),
        T("01"),
        T("-01"),
        T("1."),
        T(".5"),
        T("1.e1"),
        T("1e"),
        T("1e+"),
        T("1eE2"),
        T("0x10"),
        T("1 000"),
        T("--1"),
        T("1_0"),
        T("1a"),
        T("\""),
        T("\"a"),
        T("\"\\\""),
        T("\"\\x\""),
        T("\"\\u12\""),
        T("\"\\u12G4\""),
        T("\"\\uD800\""),
        T("\"\\uDC00\""),
        T("\"\\uD800\\u0041\""),
        T("\"\\uD800x\""),
        T("\"\\uDC00\\uD800\""),
        T("\"\\uD800\\uD800\""),
        T("\"\n\""),
        T("\"\t\""),
        T("\"\0\""),
        T("\"\x1f\""),
        T("'a'"),
        T("\"\xff\""),
        T("\"\xc0\x80\""),
        T("\"\xed\xa0\x80\""),
        T("\"\xf4\x90\x80\x80\""),
        T("\"\xe2\x82\""),
        T("["),
        T("]"),
        T("[1"),
        T("[1,"),
        T("[1,]"),
        T("[,1]"),
        T("[1,,2]"),
        T("[1 2]"),
        T("[1}"),
        T("{"),
        T("}"),
        T("{\"a\""),
        T("{\"a\":"),
        T("{\"a\":1"),
        T("{\"a\":1,"),
        T("{\"a\":1,}"),
        T("{,}"),
        T("{a:1}"),
        T("{1:1}"),
        T("{\"a\" 1}"),
        T("{\"a\":1 \"b\":2}"),
        T("{\"a\":1]"),
        T("{'a':1}"),
        T("{\"a\":1}}"),
        T("1 2"),
        T("{} {}"),
        T("[1]x"),
        T("/* */1"),
        T("1 // x"),
        T("[1]\0"),
        T("\0"),
        T("\xc2\xa0[]"),
        T("\x0c[]"),
        T("{\"a\":1,\"a\":1}"),
        T("{\"a\":1,\"\\u0061\":2}"),
        T("[\"a\":1]"),
        T("{\"a\",1}"),
        T("\\u0061"),
        T("\"\\u 041\""),
        T("\"\\a\""),
        T("\"\\\n\""),
        T("[-]"),
        T("[1e]"),
        T("[0.]"),
        T("{\"x\"::1}"),
        T("{\"a\":a}"),
        T("<null>"),
        T("[\"x\", truth]"),
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(bad); i++) {
        struct sf_arena *arena = sf_arena_new();
        const struct sf_value *v;
        struct sf_err err;
        if (!parse(arena, (struct sf_str){bad[i].p, bad[i].n}, SF_JSON_PLAIN, &v, &err))
            fail_msg("accepted: %s", bad[i].p);
        assert_int_equal(err.code, SF_E_CONFIG);
        assert_true(err.where.line >= 1 && err.where.column >= 1 && err.message[0]);
        sf_arena_free(arena);
    }
}

static void says_where_the_defect_is(void **state)
{
    static const struct {
        const char *text;
        unsigned line, column;
    } cases[] = {{"[1,\n \xc3\xa9]", 2, 2},
                 {"{\"a\": 1,\n  \"a\": 2}", 2, 3},
                 {"[1 2]", 1, 4},
                 {"[\"\xc3\xa9\", x]", 1, 7},
                 {"[\n\n01]", 3, 1}};
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        const struct sf_value *v;
        struct sf_err err;
        assert_int_not_equal(parse(arena, sf_str_of(cases[i].text), SF_JSON_PLAIN, &v, &err), SF_OK);
        assert_int_equal(err.where.line, cases[i].line);
        assert_int_equal(err.where.column, cases[i].column);
        sf_arena_free(arena);
    }
}

static void caps_the_depth(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *v;
    struct sf_err err;
    char deep[2 * SF_MAX_JSON_DEPTH + 2];
    memset(deep, '[', SF_MAX_JSON_DEPTH);
    memset(deep + SF_MAX_JSON_DEPTH, ']', SF_MAX_JSON_DEPTH);
    assert_int_equal(parse(arena, (struct sf_str){deep, 2 * SF_MAX_JSON_DEPTH}, SF_JSON_PLAIN, &v, &err), SF_OK);
    size_t n = 100000;
    char *much = malloc(n);
    memset(much, '[', n);
    assert_int_equal(parse(arena, (struct sf_str){much, n}, SF_JSON_PLAIN, &v, &err), SF_E_CONFIG);
    assert_non_null(strstr(err.message, "deeper"));
    free(much);
    sf_arena_free(arena);
}

static void writes_canonical_text(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {" { \"b\" : [ 1 , 2 ] , \"a\" : null } ", "{\"a\":null,\"b\":[1,2]}"},
        {"[1.0, 1e5, -0, 1E+2, 12345678901234567890]", "[1.0,1e5,-0,1E+2,12345678901234567890]"},
        {"\"\\u0061\\/\\u00e9\\u001f\\u007f\\n\"", "\"a/\xc3\xa9\\u001f\x7f\\n\""},
        {"{\"\\uFFFF\":1,\"\\uD83D\\uDE00\":2,\"z\":3}", "{\"z\":3,\"\xef\xbf\xbf\":1,\"\xf0\x9f\x98\x80\":2}"}, /* bytewise */
        {"\"\\u0000\"", "\"\\u0000\""},
        {"\"\\\\\\\"\"", "\"\\\\\\\"\""},
        {"\"\\b\\f\\r\\t\"", "\"\\b\\f\\r\\t\""},
        {"{}", "{}"},
        {"[]", "[]"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        const struct sf_value *v;
        struct sf_err err;
        assert_int_equal(parse(arena, sf_str_of(cases[i].in), SF_JSON_PLAIN, &v, &err), SF_OK);
        assert_string_equal(sf_json_text(arena, v, SF_JSON_PLAIN).p, cases[i].out);
        sf_arena_free(arena);
    }
}

static void whole_numbers_are_ints_and_the_others_keep_their_text(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *v;
    struct sf_err err;
    assert_int_equal(
        parse(arena, SF_STR("[9223372036854775807,-9223372036854775808,9223372036854775808,-0,1.0]"), SF_JSON_PLAIN, &v, &err),
        SF_OK);
    assert_int_equal(v->list.items[0]->type, SF_V_INT);
    assert_true(v->list.items[0]->i == INT64_MAX);
    assert_int_equal(v->list.items[1]->type, SF_V_INT);
    assert_true(v->list.items[1]->i == INT64_MIN);
    for (size_t i = 2; i < 5; i++)
        assert_int_equal(v->list.items[i]->type, SF_V_NUMBER);
    sf_arena_free(arena);
}

static void pretty_text_keeps_the_order_of_the_map(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    const struct sf_value *v;
    struct sf_err err;
    struct sf_buf buf = SF_BUF(1000);
    assert_int_equal(parse(arena, SF_STR("{\"b\":[1,{}],\"a\":[]}"), SF_JSON_PLAIN, &v, &err), SF_OK);
    sf_json_write_pretty(&buf, v, SF_JSON_PLAIN);
    assert_string_equal(buf.p, "{\n  \"b\": [\n    1,\n    {}\n  ],\n  \"a\": []\n}");
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void state_mode_brings_secrets_and_unknowns_back(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_value *map = sf_value_map(arena);
    sf_map_set(arena, map, SF_STR("password"), sf_value_fingerprint(arena, SF_STR("hmac:12")));
    sf_map_set(arena, map, SF_STR("host"), sf_value_unknown(arena, SF_STR("dw.host")));
    sf_map_set_str(arena, map, "$secret", SF_STR("a key that only looks like it"));
    sf_map_set_str(arena, map, "$$x", SF_STR("y"));
    struct sf_str text = sf_json_text(arena, map, SF_JSON_STATE);
    assert_string_equal(text.p,
                        "{\"$$$x\":\"y\",\"$$secret\":\"a key that only looks like it\",\"host\":{\"$unknown\":\"dw.host\"},"
                        "\"password\":{\"$secret\":\"hmac:12\"}}");
    const struct sf_value *back;
    struct sf_err err;
    assert_int_equal(parse(arena, text, SF_JSON_STATE, &back, &err), SF_OK);
    assert_int_equal(sf_map_getz(back, "password")->type, SF_V_FINGERPRINT);
    assert_true(sf_map_getz(back, "password")->is_secret);
    assert_int_equal(sf_map_getz(back, "host")->type, SF_V_UNKNOWN);
    assert_string_equal(sf_map_str(back, "$secret").p, "a key that only looks like it");
    assert_string_equal(sf_map_str(back, "$$x").p, "y");
    sf_arena_free(arena);
}

static void a_clear_secret_is_never_written(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_value *map = sf_value_map(arena);
    sf_map_set(arena, map, SF_STR("p"), sf_value_secret(arena, SF_STR("hunter2")));
    assert_string_equal(sf_json_text(arena, map, SF_JSON_PLAIN).p, "{\"p\":\"(secret)\"}");
    assert_string_equal(sf_json_text(arena, map, SF_JSON_STATE).p, "{\"p\":{\"$secret\":\"\"}}");
    struct sf_buf buf = SF_BUF(100);
    sf_json_write_pretty(&buf, map, SF_JSON_PLAIN);
    assert_null(strstr(buf.p, "hunter2"));
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void finds_a_duplicate_among_thousands_of_keys(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_buf buf = SF_BUF(10 * 1024 * 1024);
    sf_buf_addc(&buf, '{');
    for (int i = 0; i < 20000; i++)
        sf_buf_addf(&buf, "\"k%d\":%d,", i, i);
    size_t n = buf.n;
    sf_buf_addz(&buf, "\"x\":0}");
    const struct sf_value *v;
    struct sf_err err;
    assert_int_equal(parse(arena, sf_buf_str(&buf), SF_JSON_PLAIN, &v, &err), SF_OK);
    assert_int_equal(v->map.n, 20001);
    buf.n = n;
    sf_buf_addz(&buf, "\"k19998\":0}");
    assert_int_equal(parse(arena, sf_buf_str(&buf), SF_JSON_PLAIN, &v, &err), SF_E_CONFIG);
    assert_non_null(strstr(err.message, "k19998"));
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void text_that_is_not_utf8_is_written_as_json_all_the_same(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_value *v = sf_value_str(arena, SF_STR("a\xff\xc3\xa9\xe2\x82\"\xc3"));
    assert_string_equal(sf_json_text(arena, v, SF_JSON_PLAIN).p,
                        "\"a\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\\\"\xef\xbf\xbd\"");
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_every_valid_text),
        cmocka_unit_test(refuses_every_invalid_text),
        cmocka_unit_test(says_where_the_defect_is),
        cmocka_unit_test(caps_the_depth),
        cmocka_unit_test(writes_canonical_text),
        cmocka_unit_test(whole_numbers_are_ints_and_the_others_keep_their_text),
        cmocka_unit_test(pretty_text_keeps_the_order_of_the_map),
        cmocka_unit_test(state_mode_brings_secrets_and_unknowns_back),
        cmocka_unit_test(a_clear_secret_is_never_written),
        cmocka_unit_test(finds_a_duplicate_among_thousands_of_keys),
        cmocka_unit_test(text_that_is_not_utf8_is_written_as_json_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

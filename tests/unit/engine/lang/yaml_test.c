/* YAML: what is read, with which marks, and that hostile or surprising documents are refused with their place. */
#include "engine/core/json.h"
#include "engine/lang/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void scalars_stay_text_whatever_they_look_like(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"a: no\nb: 012\nc: 22:22\nd: ~\ne:\nf: 1.0\ng: 2001-01-01\n",
         "{\"a\":\"no\",\"b\":\"012\",\"c\":\"22:22\",\"d\":\"~\",\"e\":\"\",\"f\":\"1.0\",\"g\":\"2001-01-01\"}"},
        {"[a, \"b\\u00e9\", 'c''d', {e: f}]", "[\"a\",\"b\xc3\xa9\",\"c'd\",{\"e\":\"f\"}]"},
        {"a: |\n  x\n  y\nb: >\n  x\n  y\n", "{\"a\":\"x\\ny\\n\",\"b\":\"x y\\n\"}"},
        {"--- a\n", "\"a\""},
        {"\xef\xbb\xbf"
         "a: b\n",
         "{\"a\":\"b\"}"},
        {"# only a comment\na: b # and one more\n", "{\"a\":\"b\"}"},
        {"\"<<\": x\n", "{\"<<\":\"x\"}"},
        {"a: b\r\nc: d\r\n", "{\"a\":\"b\",\"c\":\"d\"}"},
        {"%YAML 1.1\n---\na: b\n...\n", "{\"a\":\"b\"}"},
        {"{1: a, true: b, ~: c}", "{\"1\":\"a\",\"true\":\"b\",\"~\":\"c\"}"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        struct sf_diags *diags = sf_diags_new(arena);
        const struct sf_value *v;
        if (sf_yaml_parse(arena, sf_str_of(cases[i].in), "t.yaml", diags, &v))
            fail_msg("%s: %s", cases[i].in, diags->list[0].message.p);
        assert_string_equal(sf_json_text(arena, v, SF_JSON_PLAIN).p, cases[i].out);
        sf_arena_free(arena);
    }
}

static void tells_plain_from_quoted_and_where_things_stand(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v;
    assert_int_equal(sf_yaml_parse(arena, SF_STR("x: 'y'\nk\xc3\xa9y: [a, \"bcd\"]\n"), "t.yaml", diags, &v), SF_OK);
    const struct sf_pair *pair = &v->map.pairs[1];
    const struct sf_value *item = pair->value->list.items[1];
    assert_false(v->map.pairs[0].value->is_plain);
    assert_true(pair->value->list.items[0]->is_plain);
    assert_false(item->is_plain);
    assert_int_equal(pair->key_mark.line, 2);
    assert_int_equal(pair->key_mark.column, 1);
    assert_int_equal(pair->key_mark.length, 3);
    assert_int_equal(item->mark.column, 10); /* characters, not bytes */
    assert_int_equal(item->mark.length, 5);
    assert_string_equal(item->mark.file, "t.yaml");
    sf_arena_free(arena);
}

static void refuses_with_the_place(void **state)
{
    static const struct {
        const char *in, *words;
        unsigned line, column;
    } cases[] = {
        {"", "holds nothing", 1, 1},
        {"# nothing\n", "holds nothing", 1, 1},
        {"a: 1\nb: 2\na: 3\n", "duplicate key 'a'", 3, 1},
        {"{a: 1, 'a': 2}", "duplicate key 'a'", 1, 8},
        {"a: &x 1\n", "anchors are not supported", 1, 4},
        {"a: &x [1]\n", "anchors are not supported", 1, 4},
        {"a: *x\n", "aliases are not supported", 1, 4},
        {"*x : a\n", "aliases are not supported", 1, 1},
        {"a: !!str 1\n", "tags are not supported", 1, 4},
        {"a: !x {b: c}\n", "tags are not supported", 1, 4},
        {"!!map {a: b}\n", "tags are not supported", 1, 1},
        {"<<: {a: b}\n", "merge keys are not supported", 1, 1},
        {"a: b\n---\nc: d\n", "a second document", 2, 1},
        {"? [a, b]\n: c\n", "a key must be plain text", 1, 3},
        {"{a: b}: c\n", "a key must be plain text", 1, 1},
        {"a: \"x\\0y\"\n", "NUL", 1, 4},
        {"a: b: c\n", "mapping values are not allowed", 1, 5},
        {"a:\n\t- b\n", "cannot start any token", 2, 1},
        {"a: [b\n", "did not find expected", 2, 1},
        {"a: \"b\n", "unexpected end of stream", 2, 1},
        {"a: b\n c: d\n", "mapping values are not allowed", 2, 3},
        {"a: @b\n", "cannot start any token", 1, 4},
        {"a: {b: ${x.y}}\n", "did not find expected", 1, 9},
        {"a: \x01\n", "control characters", 1, 1},
        {"a: 'x\xff'\n", "not UTF-8", 1, 6},
        {"a: x\nb: \xed\xa0\x80\n", "not UTF-8", 2, 4},
        {"a: \xc3\xa9\xc3\xa9\xc0\xaf\n", "not UTF-8", 1, 6},
        {"a: \"\\x\"\n", "expected hexdecimal", 1, 7},
        {"%TAG ! tag:x,2000:\n---\na: !b c\n", "tags are not supported", 3, 4},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        struct sf_diags *diags = sf_diags_new(arena);
        const struct sf_value *v;
        if (sf_yaml_parse(arena, sf_str_of(cases[i].in), "t.yaml", diags, &v) != SF_E_CONFIG)
            fail_msg("accepted: %s", cases[i].in);
        const struct sf_diag *diag = &diags->list[0];
        if (!strstr(diag->message.p, cases[i].words) || diag->where.line != cases[i].line || diag->where.column != cases[i].column)
            fail_msg("%s: %u:%u: %s", cases[i].in, diag->where.line, diag->where.column, diag->message.p);
        assert_null(v);
        sf_arena_free(arena);
    }
}

static void caps_depth_and_size(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v;
    char deep[2 * SF_MAX_YAML_DEPTH + 1] = "";
    memset(deep, '[', SF_MAX_YAML_DEPTH);
    memset(deep + SF_MAX_YAML_DEPTH, ']', SF_MAX_YAML_DEPTH);
    assert_int_equal(sf_yaml_parse(arena, sf_str_of(deep), "t", diags, &v), SF_OK);
    size_t n = SF_MAX_YAML_BYTES + 1;
    char *much = malloc(n);
    memset(much, '[', n);
    assert_int_equal(sf_yaml_parse(arena, (struct sf_str){much, n}, "t", diags, &v), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[0].message.p, "larger than 4 MiB"));
    assert_int_equal(sf_yaml_parse(arena, (struct sf_str){much, n - 1}, "t", diags, &v), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[1].message.p, "deeper than 32"));
    for (size_t i = 0; i + 2 < n; i += 2)
        memcpy(much + i, "- ", 2);
    assert_int_equal(sf_yaml_parse(arena, (struct sf_str){much, n - 1}, "t", diags, &v), SF_E_CONFIG);
    free(much);
    sf_arena_free(arena);
}

static void finds_a_duplicate_among_thousands_of_keys(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    struct sf_buf buf = SF_BUF(SF_MAX_YAML_BYTES);
    const struct sf_value *v;
    for (int i = 0; i < 20000; i++)
        sf_buf_addf(&buf, "k%d: %d\n", i, i);
    assert_int_equal(sf_yaml_parse(arena, sf_buf_str(&buf), "t", diags, &v), SF_OK);
    assert_int_equal(v->map.n, 20000);
    sf_buf_addz(&buf, "k3: x\n");
    assert_int_equal(sf_yaml_parse(arena, sf_buf_str(&buf), "t", diags, &v), SF_E_CONFIG);
    assert_int_equal(diags->list[0].where.line, 20001);
    assert_non_null(strstr(diags->list[0].help.p, "line 4, column 1"));
    sf_buf_free(&buf);
    sf_arena_free(arena);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v;
    assert_int_equal(sf_yaml_load(arena, "/none/x.yaml", diags, &v), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[0].message.p, "cannot read '/none/x.yaml': No such file"));
    assert_int_equal(sf_yaml_load(arena, "/", diags, &v), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[1].message.p, "Is a directory"));
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_stay_text_whatever_they_look_like),
        cmocka_unit_test(tells_plain_from_quoted_and_where_things_stand),
        cmocka_unit_test(refuses_with_the_place),
        cmocka_unit_test(caps_depth_and_size),
        cmocka_unit_test(finds_a_duplicate_among_thousands_of_keys),
        cmocka_unit_test(a_file_that_cannot_be_read_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

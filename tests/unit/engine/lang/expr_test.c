/* Expressions: what ${...} becomes, what is left alone, and how a resource's attributes are typed. */
#include "tests/unit/engine/lang/load.h"

#define HEAD "stack: s\nresources:\n"

/* The canonical value of `input: <yaml>` beside a bucket b and some variables. */
static const char *input(struct fixture *f, const char *yaml)
{
    load_good(
        f, sf_str_fmt(f->arena,
                      "stack: s\nvariables:\n  m: {type: map, default: {ports: {ssh: 22, web: \"80\"}, list: [a, {k: v}], n: no}}\n"
                      "  i: {type: int, default: 7}\n  b: {type: bool, default: true}\n  t: {default: \"012\"}\n"
                      "resources:\n  b: {kind: bucket, name: abc}\n  v: {kind: value, input: %s}\n",
                      yaml)
               .p);
    struct sf_value *attrs, *refs;
    if (eval(f, "v", &attrs, &refs))
        return f->shown.p;
    return sf_json_text(f->arena, sf_map_getz(attrs, "input"), SF_JSON_STATE).p;
}

static void a_reference_alone_keeps_its_type(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"\"${var.i}\"", "7"},
        {"\"${var.b}\"", "true"},
        {"\"${var.t}\"", "\"012\""},
        {"\"${ var.i }\"", "7"},
        {"\"${var.m.ports}\"", "{\"ssh\":22,\"web\":\"80\"}"},
        {"\"${var.m.ports.ssh}\"", "22"},
        {"\"${var.m['ports'].web}\"", "\"80\""},
        {"\"${var.m.list[1].k}\"", "\"v\""},
        {"\"${var.m.n}\"", "\"no\""},
        {"\"${b.id}\"", "\"id-of-b\""},
        {"\"${b.arn}\"", "{\"$unknown\":\"b.arn\"}"},
        {"\"${b.tags.x}\"", "{\"$unknown\":\"b.tags\"}"},
        {"\"${stack.name}\"", "\"s\""},
        {"\"${provider.account}\"", "\"000000000000\""},
        {"[1, \"${var.i}\", {x: \"${b.id}\"}]", "[1,7,{\"x\":\"id-of-b\"}]"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_string_equal(input(*state, cases[i].yaml), cases[i].json);
}

static void inside_text_everything_becomes_text(void **state)
{
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"\"a${var.i}b${var.b}\"", "\"a7btrue\""},
        {"\"${var.i}${var.i}\"", "\"77\""},
        {"\"x${var.t}\"", "\"x012\""},
        {"\"${b.id}/*\"", "\"id-of-b/*\""},
        {"\"${b.arn}/*\"", "{\"$unknown\":\"b.arn\"}"},
        {"\"${b.id}-${b.arn}\"", "{\"$unknown\":\"b.arn\"}"},
        {"\"$${var.i}\"", "\"${var.i}\""},
        {"\"$$${var.i}\"", "\"$${var.i}\""},
        {"\"a$b $ {x} $\"", "\"a$b $ {x} $\""},
        {"\"${provider.region}-1\"", "\"local-1\""},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        assert_string_equal(input(*state, cases[i].yaml), cases[i].json);
}

static void says_what_is_wrong_with_a_path(void **state)
{
    static const struct {
        const char *yaml, *words;
    } cases[] = {
        {"\"${var.m.prots}\"", "did you mean 'ports'?"},
        {"\"${var.m.list[2]}\"", "the list has 2 items"},
        {"\"${var.i.x}\"", "a value of type int has no part 'x'"},
        {"\"a${var.m}\"", "cannot be part of a text"},
        {"\"${file('none.txt')}\"", "No such file"},
        {"\"${file('/')}\"", "not a regular file"},
    };
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        if (!strstr(input(*state, cases[i].yaml), cases[i].words))
            fail_msg("%s: %s", cases[i].yaml, ((struct fixture *)*state)->shown.p);
}

static void a_wrong_value_is_shown_where_it_is_used(void **state)
{
    struct fixture *f = *state;
    struct sf_value *attrs, *refs;
    load_good(f, "stack: s\nvariables: {n: {default: many}}\nresources:\n  a: {kind: bucket, name: abc, size: \"${var.n}\"}\n");
    assert_int_equal(eval(f, "a", &attrs, &refs), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "size: must be a whole number, not 'many'"));
    assert_non_null(strstr(f->shown.p, "stack.yaml:4:38"));
}

static void file_reads_text_beside_the_stack_file(void **state)
{
    struct fixture *f = *state;
    write_file(f, "x.txt", "hello ${var.i}\n", 0644);
    assert_string_equal(input(f, "\"${file('x.txt')}\""), "\"hello ${var.i}\\n\""); /* not looked into again */
    write_file(f, "x.txt", "\xff", 0644);
    assert_non_null(strstr(input(f, "\"${file('x.txt')}\""), "not UTF-8"));
}

static void iams_own_names_are_left_alone_in_json_only(void **state)
{
    struct fixture *f = *state;
    load_good(f, HEAD "  a: {kind: bucket, name: abc, policy: {Resource: \"arn:aws:s3:::x/${aws:username}/${stack.name}/${*}\", "
                      "Principal: \"${Transfer:UserName}\", n: 1, s: \"1\", t: true, e: null, f: 1.50, o: 012, y: no}}\n");
    assert_string_equal(attrs_of(f, "a"),
                        "{\"name\":\"abc\",\"policy\":{\"Principal\":\"${Transfer:UserName}\",\"Resource\":\"arn:aws:s3:::x/"
                        "${aws:username}/s/${*}\",\"e\":null,\"f\":1.50,\"n\":1,\"o\":\"012\",\"s\":\"1\",\"t\":true,\"y\":\"no\"},"
                        "\"versioning\":false}");
    load_bad(f, HEAD "  a: {kind: bucket, name: \"${aws:username}\"}\n", 3, 28, "is no reference", NULL);
}

static void json_may_come_as_text(void **state)
{
    struct fixture *f = *state;
    write_file(f, "p.json", "{\"Version\": \"2012-10-17\", \"n\": [1.0, true]}", 0644);
    load_good(f, HEAD "  a: {kind: bucket, name: abc, policy: \"${file('p.json')}\"}\n");
    assert_string_equal(attrs_of(f, "a"),
                        "{\"name\":\"abc\",\"policy\":{\"Version\":\"2012-10-17\",\"n\":[1.0,true]},\"versioning\":false}");
    write_file(f, "p.json", "{\"a\": 1,\n \"a\": 2}", 0644);
    struct sf_value *attrs, *refs;
    assert_int_equal(eval(f, "a", &attrs, &refs), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "duplicate key 'a' (line 2, column 2 of the text)"));
}

static void a_ref_becomes_the_identity_and_its_name_is_kept(void **state)
{
    struct fixture *f = *state;
    struct sf_value *attrs, *refs;
    load_good(f, HEAD
              "  b: {kind: bucket, name: abc}\n  c: {kind: bucket, name: abd}\n"
              "  u: {kind: user, name: x, home: b, more: [c, \"arn:x\", b]}\n  w: {kind: user, name: x, home: \"${b.arn}\"}\n");
    assert_int_equal(eval(f, "u", &attrs, &refs), SF_OK);
    assert_string_equal(
        sf_json_text(f->arena, attrs, SF_JSON_STATE).p,
        "{\"home\":\"id-of-b\",\"more\":[{\"$unknown\":\"c.arn\"},\"arn:x\",{\"$unknown\":\"b.arn\"}],\"name\":\"x\"}");
    assert_string_equal(sf_json_text(f->arena, refs, SF_JSON_STATE).p, "{\"home\":\"b\",\"more\":[\"c\",\"b\"]}");
    assert_int_equal(eval(f, "w", &attrs, &refs), SF_OK);
    assert_string_equal(sf_json_text(f->arena, refs, SF_JSON_STATE).p, "{}");
}

static void defaults_are_filled_in_nulls_dropped_and_what_is_missing_reported(void **state)
{
    struct fixture *f = *state;
    struct sf_value *attrs, *refs;
    load_good(f, HEAD "  a: {kind: bucket, name: abc, versioning: null, size: ~, tags: }\n  b: {kind: bucket, size: 3}\n");
    assert_string_equal(attrs_of(f, "a"), "{\"name\":\"abc\",\"versioning\":false}");
    assert_int_equal(eval(f, "b", &attrs, &refs), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "bucket 'b': 'name' is missing"));
    assert_non_null(strstr(f->shown.p, "stack.yaml:4:3"));
}

static void a_raw_scalar_of_a_list_variable_is_typed_where_it_is_used(void **state)
{
    struct fixture *f = *state;
    load_good(f, "stack: s\nvariables: {t: {type: map, default: {a: 012, b: no, c: 22:22, d: true}}}\nresources:\n"
                 "  a: {kind: bucket, name: abc, tags: \"${var.t}\"}\n  v: {kind: value, input: \"${var.t}\"}\n");
    assert_string_equal(
        attrs_of(f, "a"),
        "{\"name\":\"abc\",\"tags\":{\"a\":\"012\",\"b\":\"no\",\"c\":\"22:22\",\"d\":\"true\"},\"versioning\":false}");
    assert_string_equal(attrs_of(f, "v"), "{\"input\":{\"a\":\"012\",\"b\":\"no\",\"c\":\"22:22\",\"d\":true}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reference_alone_keeps_its_type),
        TEST(inside_text_everything_becomes_text),
        TEST(says_what_is_wrong_with_a_path),
        TEST(a_wrong_value_is_shown_where_it_is_used),
        TEST(file_reads_text_beside_the_stack_file),
        TEST(iams_own_names_are_left_alone_in_json_only),
        TEST(json_may_come_as_text),
        TEST(a_ref_becomes_the_identity_and_its_name_is_kept),
        TEST(defaults_are_filled_in_nulls_dropped_and_what_is_missing_reported),
        TEST(a_raw_scalar_of_a_list_variable_is_typed_where_it_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

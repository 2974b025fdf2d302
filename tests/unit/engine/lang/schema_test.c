/* Typing by schema (never by YAML's guesses), named checks, and when two values mean the same. Runs on the real schemas where it
 * tests that they hold together. */
#include "engine/core/json.h"
#include "engine/lang/check.h"
#include "engine/lang/schema.h"
#include "engine/lang/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct sf_attr text = {.name = "of", .type = SF_T_STRING};
static const struct sf_attr number = {.name = "of", .type = SF_T_INT};
static const struct sf_attr cidr = {.name = "of", .type = SF_T_STRING, .check = "cidr"};
static const char *const colours[] = {"red", "green", NULL};
static const struct sf_attr rule_fields[] = {
    {.name = "port", .type = SF_T_INT, .is_required = true, .check = "port"},
    {.name = "from", .type = SF_T_LIST, .of = &cidr, .equal = SF_EQUAL_CIDR_SET},
    {.name = "protocol", .type = SF_T_STRING, .default_json = "\"tcp\""},
};
static const struct sf_attr rule = {.name = "of", .type = SF_T_OBJECT, .fields = rule_fields, .n_fields = SF_COUNT(rule_fields)};

static const struct sf_value *yaml(struct sf_arena *arena, const char *source)
{
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v;
    if (sf_yaml_parse(arena, sf_str_of(source), "t.yaml", diags, &v))
        fail_msg("%s: %s", source, diags->list[0].message.p);
    return v;
}

static const struct sf_value *json(struct sf_arena *arena, const char *source)
{
    struct sf_err err;
    const struct sf_value *v;
    if (sf_json_parse(arena, sf_str_of(source), "t.json", SF_JSON_STATE, &v, &err))
        fail_msg("%s: %s", source, err.message);
    return v;
}

struct typing {
    struct sf_attr attr;
    const char *in, *out; /* canonical JSON, or words of the complaint after "!" */
};

static void check_typing(const struct typing *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct sf_arena *arena = sf_arena_new();
        struct sf_diags *diags = sf_diags_new(arena);
        const struct sf_value *v;
        enum sf_code rc = sf_schema_type(arena, &cases[i].attr, "x", yaml(arena, cases[i].in), diags, &v);
        struct sf_str got = rc ? sf_str_fmt(arena, "!%s", diags->list[0].message.p) : sf_json_text(arena, v, SF_JSON_STATE);
        bool ok = cases[i].out[0] == '!' ? rc == SF_E_CONFIG && strstr(got.p, cases[i].out + 1) : sf_str_is(got, cases[i].out);
        if (!ok)
            fail_msg("%s: %s, not %s", cases[i].in, got.p, cases[i].out);
        sf_arena_free(arena);
    }
}

static void the_schema_types_and_never_yaml(void **state)
{
    static const struct typing cases[] = {
        {{.type = SF_T_STRING}, "no", "\"no\""},
        {{.type = SF_T_STRING}, "012", "\"012\""},
        {{.type = SF_T_STRING}, "22:22", "\"22:22\""},
        {{.type = SF_T_STRING}, "1e3", "\"1e3\""},
        {{.type = SF_T_STRING}, "true", "\"true\""},
        {{.type = SF_T_STRING}, "\"null\"", "\"null\""},
        {{.type = SF_T_STRING}, "null", "null"},
        {{.type = SF_T_STRING}, "~", "null"},
        {{.type = SF_T_STRING}, "''", "\"\""},
        {{.type = SF_T_STRING}, "[a]", "!must be text, not a list"},
        {{.type = SF_T_INT}, "42", "42"},
        {{.type = SF_T_INT}, "\"42\"", "42"},
        {{.type = SF_T_INT}, "-7", "-7"},
        {{.type = SF_T_INT}, "012", "!must be a whole number, not '012'"},
        {{.type = SF_T_INT}, "0o12", "!must be a whole number"},
        {{.type = SF_T_INT}, "1_000", "!must be a whole number"},
        {{.type = SF_T_INT}, "0x1F", "!must be a whole number"},
        {{.type = SF_T_INT}, "1.0", "!must be a whole number"},
        {{.type = SF_T_INT}, "9223372036854775808", "!must be a whole number"},
        {{.type = SF_T_BOOL}, "true", "true"},
        {{.type = SF_T_BOOL}, "no", "!must be true or false, not 'no'"},
        {{.type = SF_T_BOOL}, "True", "!must be true or false"},
        {{.type = SF_T_BOOL}, "1", "!must be true or false"},
        {{.type = SF_T_JSON},
         "{a: no, b: 012, c: 1.50, d: true, e: null, f: ~, g: \"1\", h: -0, i: .5, j: 1e3, k: 0x1}",
         "{\"a\":\"no\",\"b\":\"012\",\"c\":1.50,\"d\":true,\"e\":null,\"f\":\"~\",\"g\":\"1\",\"h\":-0,\"i\":\".5\",\"j\":1e3,"
         "\"k\":\"0x1\"}"},
        {{.type = SF_T_ANY}, "[1, \"1\", yes]", "[1,\"1\",\"yes\"]"},
        {{.type = SF_T_LIST, .of = &number}, "[1, 2]", "[1,2]"},
        {{.type = SF_T_LIST, .of = &number}, "[1, x]", "!x[1]: must be a whole number, not 'x'"},
        {{.type = SF_T_LIST, .of = &text}, "[a, ]", "[\"a\"]"},
        {{.type = SF_T_LIST, .of = &text}, "[a, ~]", "!x[1]: must not be empty"},
        {{.type = SF_T_LIST, .of = &text}, "a", "!must be a list, not 'a'"},
        {{.type = SF_T_LIST, .of = &text, .max_items = 1}, "[a, b]", "!more than 1 items"},
        {{.type = SF_T_MAP, .of = &text}, "{a: 1, b: no}", "{\"a\":\"1\",\"b\":\"no\"}"},
        {{.type = SF_T_MAP, .of = &text}, "{a: ~, b: x}", "{\"b\":\"x\"}"},
        {{.type = SF_T_MAP, .of = &number}, "{a: {b: 1}}", "!x.a: must be a whole number, not a map"},
        {{.type = SF_T_LIST, .of = &rule},
         "[{port: 22, from: [10.0.0.0/8]}]",
         "[{\"from\":[\"10.0.0.0/8\"],\"port\":22,\"protocol\":\"tcp\"}]"},
        {{.type = SF_T_LIST, .of = &rule}, "[{port: 22, form: []}]", "!x[0]: unknown field 'form'"},
        {{.type = SF_T_LIST, .of = &rule}, "[{from: []}]", "!x[0]: 'port' is missing"},
        {{.type = SF_T_LIST, .of = &rule}, "[{port: 0}]", "!x[0].port: 0 is no port"},
        {{.type = SF_T_LIST, .of = &rule},
         "[{port: 1, from: [10.0.0.1]}]",
         "!x[0].from[0]: '10.0.0.1' is an address, not a network"},
    };
    (void)state;
    check_typing(cases, SF_COUNT(cases));
}

static void ranges_and_enums_hold(void **state)
{
    static const struct typing cases[] = {
        {{.type = SF_T_INT, .has_min = true, .min = 1}, "0", "!0 is below 1"},
        {{.type = SF_T_INT, .has_max = true, .max = 9}, "10", "!10 is above 9"},
        {{.type = SF_T_STRING, .has_max = true, .max = 2}, "\xc3\xa4\xc3\xa4", "\"\xc3\xa4\xc3\xa4\""}, /* characters */
        {{.type = SF_T_STRING, .has_max = true, .max = 2}, "abc", "!longer than 2"},
        {{.type = SF_T_STRING, .has_min = true, .min = 2}, "a", "!shorter than 2"},
        {{.type = SF_T_STRING, .enums = colours}, "red", "\"red\""},
        {{.type = SF_T_STRING, .enums = colours}, "gren", "!cannot be 'gren'"},
        {{.type = SF_T_STRING, .check = "nonsense"}, "a", "!that does not exist"},
    };
    (void)state;
    check_typing(cases, SF_COUNT(cases));
}

static void tags_are_what_aws_takes(void **state)
{
    static const struct typing cases[] = {
        {{.type = SF_T_MAP, .of = &text, .check = "tags"},
         "{Owner: \"\", a b: \"\xc3\xa4 +-=._:/@\"}",
         "{\"Owner\":\"\",\"a b\":\"\xc3\xa4 +-=._:/@\"}"},
        {{.type = SF_T_MAP, .of = &text, .check = "tags"}, "{\"\": x}", "!has not 1 to 128 characters"},
        {{.type = SF_T_MAP, .of = &text, .check = "tags"}, "{\"sfstack:stack\": x}", "!its prefix is reserved"},
        {{.type = SF_T_MAP, .of = &text, .check = "tags"}, "{\"AWS:x\": x}", "!its prefix is reserved"},
        {{.type = SF_T_MAP, .of = &text, .check = "tags"}, "{a: \"b, c\"}", "!a character that AWS refuses"},
        {{.type = SF_T_MAP, .of = &text, .check = "tags"}, "{a: \"b\\tc\"}", "!a character that AWS refuses"},
    };
    (void)state;
    check_typing(cases, SF_COUNT(cases));
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    struct sf_value *tags = sf_value_map(arena), *one = sf_value_map(arena);
    char longest[257];
    memset(longest, 'a', sizeof(longest));
    sf_map_add(arena, one, (struct sf_str){longest, 128}, sf_value_str(arena, (struct sf_str){longest, 256}));
    assert_int_equal(sf_check_run("tags", "x", one, diags), SF_OK);
    sf_map_add(arena, one, SF_STR("k"), sf_value_str(arena, (struct sf_str){longest, 257}));
    assert_int_equal(sf_check_run("tags", "x", one, diags), SF_E_CONFIG);
    for (int i = 0; i < 47; i++)
        sf_map_add(arena, tags, sf_str_fmt(arena, "k%d", i), sf_value_str(arena, SF_STR("v")));
    assert_int_equal(sf_check_run("tags", "x", tags, diags), SF_OK);
    sf_map_add(arena, tags, SF_STR("more"), sf_value_str(arena, SF_STR("v")));
    assert_int_equal(sf_check_run("tags", "x", tags, diags), SF_E_CONFIG);
    sf_arena_free(arena);
}

static void names_follow_the_rules_of_their_service(void **state)
{
    static const struct {
        const char *check, *good[4], *bad[8];
    } cases[] = {
        {"bucket_name", {"abc", "a.b-c.9", "0ab"}, {"ab", "Abc", "a..b", "-ab", "ab.", "192.168.0.1", "xn--abc", "a_b"}},
        {"iam_name", {"a", "A+=,.@-_9"}, {"", "a b", "a/b", "\xc3\xa4"}},
        {"identifier", {"a", "sf-finance"}, {"9a", "a-", "a--b", "A", "a_b"}},
        {"sql_name", {"report", "_x9"}, {"9a", "Report", "a-b", "pg_x", "a\"b"}},
        {"user_name", {"abc", "a.b@c-d"}, {"ab", ".abc", "a b c", "a/b/c"}},
        {"cidr", {"0.0.0.0/0", "::/0"}, {"10.0.0.0", "10.0.0.0/33", "x"}},
        {"key_prefix", {"", "a/b", "a/"}, {"/a", "a//b", "../a", "a/..", "./a"}},
        {"file_path", {"a/b", "/x"}, {"", "a\tb"}},
        {"arn", {"arn:aws:iam::1:role/x"}, {"arn:x", "x"}},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++)
        for (size_t k = 0; k < 8; k++) {
            struct sf_arena *arena = sf_arena_new();
            struct sf_diags *diags = sf_diags_new(arena);
            if (k < 4 && cases[i].good[k] &&
                sf_check_run(cases[i].check, "x", sf_value_str(arena, sf_str_of(cases[i].good[k])), diags))
                fail_msg("%s: refused: %s", cases[i].check, cases[i].good[k]);
            if (cases[i].bad[k] && !sf_check_run(cases[i].check, "x", sf_value_str(arena, sf_str_of(cases[i].bad[k])), diags))
                fail_msg("%s: accepted: %s", cases[i].check, cases[i].bad[k]);
            sf_arena_free(arena);
        }
}

static void policy_documents_follow_iams_grammar(void **state)
{
    static const struct typing cases[] = {
        {{.type = SF_T_JSON},
         "{Version: \"2012-10-17\", Statement: [{Sid: A, Effect: Allow, Action: s3:GetObject, Resource: \"*\"}]}",
         "ok"},
        {{.type = SF_T_JSON},
         "{Statement: {Effect: Deny, NotAction: [\"s3:*\", iam:Get?], NotResource: \"arn:aws:s3:::x\"}}",
         "ok"},
        {{.type = SF_T_JSON},
         "{Version: 2012-10-17, Statement: [{Effect: Allow, Action: \"*\", Resource: \"*\", Condition: {Bool: "
         "{\"aws:SecureTransport\": true}}}]}",
         "ok"},
        {{.type = SF_T_JSON}, "a", "must be a map"},
        {{.type = SF_T_JSON}, "{}", "needs Statement"},
        {{.type = SF_T_JSON}, "{Version: \"2020-01-01\", Statement: []}", "Version must be"},
        {{.type = SF_T_JSON}, "{Statement: []}", "empty list"},
        {{.type = SF_T_JSON}, "{Statemnt: []}", "unknown element 'Statemnt'"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Actoin: x, Resource: \"*\"}]}", "unknown element 'Actoin'"},
        {{.type = SF_T_JSON}, "{Statement: [{Action: \"*\", Resource: \"*\"}]}", "needs Effect"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: allow, Action: \"*\", Resource: \"*\"}]}", "Allow or Deny"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Resource: \"*\"}]}", "needs one of Action or NotAction"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: \"*\", NotAction: \"*\", Resource: \"*\"}]}", "only one of"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: GetObject, Resource: \"*\"}]}", "is no Action"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: [], Resource: \"*\"}]}", "Action is an empty list"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: s3:x, Resource: my-bucket}]}", "is no Resource"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: s3:x}]}", "Resource or NotResource"},
        {{.type = SF_T_JSON}, "{Statement: [{Effect: Allow, Action: s3:x, Resource: \"*\", Principal: \"*\"}]}", "no Principal"},
        {{.type = SF_T_JSON}, "{Statement: [{Sid: a b, Effect: Allow, Action: s3:x, Resource: \"*\"}]}", "Sid must be"},
        {{.type = SF_T_JSON},
         "{Statement: [{Sid: a, Effect: Allow, Action: s3:x, Resource: \"*\"}, {Sid: a, Effect: Allow, Action: s3:x, Resource: "
         "\"*\"}]}",
         "used twice"},
        {{.type = SF_T_JSON},
         "{Statement: [{Effect: Allow, Action: s3:x, Resource: \"*\", Condition: {StringEquals: x}}]}",
         "a map of keys"},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        struct sf_diags *diags = sf_diags_new(arena);
        const struct sf_value *v;
        assert_int_equal(sf_schema_type(arena, &cases[i].attr, "document", yaml(arena, cases[i].in), diags, &v), SF_OK);
        enum sf_code rc = sf_check_run("policy_document", "document", v, diags);
        bool wants_ok = strcmp(cases[i].out, "ok") == 0;
        if (wants_ok ? rc != SF_OK : !rc || !strstr(diags->list[0].message.p, cases[i].out))
            fail_msg("%s: %s", cases[i].in, rc ? diags->list[0].message.p : "accepted");
        sf_arena_free(arena);
    }
}

static void an_unknown_part_of_a_policy_is_passed_over(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v =
        json(arena, "{\"Statement\":[{\"Effect\":\"Allow\",\"Action\":{\"$unknown\":\"a\"},\"Resource\":[\"*\",{\"$unknown\":"
                    "\"b.arn\"}]},{\"$unknown\":\"c\"}]}");
    assert_int_equal(sf_check_run("policy_document", "document", v, diags), SF_OK);
    sf_arena_free(arena);
}

struct comparison {
    struct sf_attr attr;
    const char *a, *b;
    bool is_equal;
};

static struct sf_str fingerprint(void *key, struct sf_arena *arena, struct sf_str clear)
{
    (void)key;
    return sf_str_fmt(arena, "hmac:%.*s", SF_ARG(clear));
}

static void equality_is_by_meaning(void **state)
{
    static const struct sf_attr folded = {.name = "of", .type = SF_T_STRING, .equal = SF_EQUAL_CASE_FOLDED};
    static const struct comparison cases[] = {
        {{.type = SF_T_STRING}, "\"a\"", "\"a\"", true},
        {{.type = SF_T_STRING}, "\"a\"", "\"A\"", false},
        {{.type = SF_T_STRING}, "null", "null", true},
        {{.type = SF_T_STRING}, "\"a\"", "{\"$unknown\":\"x\"}", false},
        {{.type = SF_T_STRING}, "{\"$unknown\":\"x\"}", "{\"$unknown\":\"x\"}", false},
        {{.type = SF_T_STRING, .equal = SF_EQUAL_CASE_FOLDED}, "\"Ab\"", "\"aB\"", true},
        {{.type = SF_T_LIST, .of = &text}, "[\"a\",\"b\"]", "[\"b\",\"a\"]", false},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_UNORDERED}, "[\"a\",\"b\"]", "[\"b\",\"a\"]", true},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_UNORDERED}, "[\"a\",\"a\",\"b\"]", "[\"b\",\"a\"]", true},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_UNORDERED}, "[\"a\"]", "[\"b\",\"a\"]", false},
        {{.type = SF_T_LIST, .of = &folded, .equal = SF_EQUAL_UNORDERED}, "[\"A\",\"b\"]", "[\"B\",\"a\"]", true},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_CIDR_SET},
         "[\"10.1.2.3/8\",\"::1/0\"]",
         "[\"::/0\",\"10.0.0.0/8\"]",
         true},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_CIDR_SET}, "[\"10.0.0.0/8\"]", "[\"10.0.0.0/9\"]", false},
        {{.type = SF_T_LIST, .of = &text, .equal = SF_EQUAL_CIDR_SET}, "[\"2001:DB8::/32\"]", "[\"2001:db8:0::1/32\"]", true},
        {{.type = SF_T_LIST, .of = &rule, .equal = SF_EQUAL_UNORDERED},
         "[{\"port\":1,\"from\":[\"1.2.3.4/8\",\"::/0\"]},{\"port\":2,\"from\":null}]",
         "[{\"port\":2},{\"from\":[\"::/0\",\"1.0.0.0/8\"],\"port\":1}]",
         true},
        {{.type = SF_T_MAP, .of = &text}, "{\"a\":\"1\",\"b\":\"2\"}", "{\"b\":\"2\",\"a\":\"1\"}", true},
        {{.type = SF_T_MAP, .of = &text}, "{\"a\":\"1\"}", "{\"a\":\"1\",\"b\":\"2\"}", false},
        {{.type = SF_T_STRING, .equal = SF_EQUAL_JSON}, "\"{\\\"a\\\":1, \\\"b\\\":2}\"", "\"{\\\"b\\\":2,\\\"a\\\":1}\"", true},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_JSON}, "{\"a\":[1,2]}", "{\"a\":[2,1]}", false},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"x\"},{"
         "\"Sid\":\"B\",\"Effect\":"
         "\"Deny\",\"Action\":[\"a:b\",\"A:C\"],\"Resource\":[\"y\",\"x\"]}]}",
         "{\"Statement\":[{\"Sid\":\"B\",\"Effect\":\"Deny\",\"Resource\":[\"x\",\"y\"],\"Action\":[\"a:c\",\"a:b\"]},{\"Effect\":"
         "\"Allow\",\"Action\":["
         "\"S3:getobject\"],\"Resource\":[\"x\"]}],\"Version\":\"2012-10-17\"}",
         true},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":[]}",
         "{\"Version\":\"2008-10-17\",\"Statement\":[]}",
         true},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":[]}",
         "{\"Version\":\"2012-10-17\",\"Statement\":[]}",
         false},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":{\"Resource\":\"x\"}}",
         "{\"Statement\":[{\"Resource\":\"X\"}]}",
         false},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":{\"Resource\":\"x\"}}",
         "{\"Statement\":[{\"Resource\":[\"x\"]}]}",
         true},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":[{\"Principal\":\"*\",\"Condition\":{\"Bool\":{\"aws:X\":true}}}]}",
         "{\"Statement\":[{\"Principal\":{\"AWS\":[\"*\"]},\"Condition\":{\"Bool\":{\"AWS:x\":[\"true\"]}}}]}",
         true},
        {{.type = SF_T_JSON, .equal = SF_EQUAL_IAM_POLICY},
         "{\"Statement\":[{\"Principal\":{\"AWS\":\"123456789012\"}}]}",
         "{\"Statement\":[{\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:root\"}}]}",
         true},
        {{.type = SF_T_STRING, .is_secret = true}, "{\"$secret\":\"hmac:a\"}", "{\"$secret\":\"hmac:a\"}", true},
        {{.type = SF_T_STRING, .is_secret = true}, "{\"$secret\":\"hmac:a\"}", "{\"$secret\":\"hmac:b\"}", false},
    };
    (void)state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_arena *arena = sf_arena_new();
        const struct sf_value *a = json(arena, cases[i].a), *b = json(arena, cases[i].b);
        if (sf_schema_equal(arena, &cases[i].attr, a, b, fingerprint, NULL) != cases[i].is_equal ||
            sf_schema_equal(arena, &cases[i].attr, b, a, fingerprint, NULL) != cases[i].is_equal)
            fail_msg("%s and %s: not %s", cases[i].a, cases[i].b, cases[i].is_equal ? "equal" : "unequal");
        sf_arena_free(arena);
    }
}

static void a_secret_is_compared_by_its_fingerprint(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    static const struct sf_attr attr = {.name = "password", .type = SF_T_STRING, .is_secret = true};
    const struct sf_value *clear = sf_value_secret(arena, SF_STR("pw")), *known = sf_value_fingerprint(arena, SF_STR("hmac:pw"));
    assert_true(sf_schema_equal(arena, &attr, clear, known, fingerprint, NULL));
    assert_true(sf_schema_equal(arena, &attr, known, clear, fingerprint, NULL));
    assert_false(sf_schema_equal(arena, &attr, clear, sf_value_fingerprint(arena, SF_STR("hmac:px")), fingerprint, NULL));
    assert_false(sf_schema_equal(arena, &attr, clear, known, NULL, NULL));
    assert_true(sf_schema_equal(arena, &attr, NULL, NULL, fingerprint, NULL));
    assert_false(sf_schema_equal(arena, &attr, NULL, clear, fingerprint, NULL));
    sf_arena_free(arena);
}

static void a_secret_passes_untouched_but_for_its_length(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    static const struct sf_attr attr = {.name = "password", .type = SF_T_STRING, .is_secret = true, .has_min = true, .min = 8};
    const struct sf_value *in = sf_value_secret(arena, SF_STR("hunter22")), *out;
    assert_int_equal(sf_schema_type(arena, &attr, "password", in, diags, &out), SF_OK);
    assert_ptr_equal(in, out);
    assert_int_equal(sf_schema_type(arena, &attr, "password", sf_value_secret(arena, SF_STR("hunter2")), diags, &out), SF_E_CONFIG);
    assert_null(strstr(diags->list[0].message.p, "hunter2"));
    sf_arena_free(arena);
}

static void what_multiplies_or_nests_without_end_is_refused(void **state)
{
    (void)state;
    static const struct sf_attr any = {.name = "input", .type = SF_T_ANY};
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    const struct sf_value *v = sf_value_str(arena, SF_STR("x")), *deep = v, *typed;
    for (int i = 0; i < 40; i++) { /* 3^40 parts in memory for 120 */
        const struct sf_value **items = SF_NEW_ARRAY(arena, 3, const struct sf_value *);
        items[0] = items[1] = items[2] = v;
        v = sf_value_list(arena, items, 3);
        if (i == 9)
            assert_int_equal(sf_schema_type(arena, &any, "input", v, diags, &typed), SF_OK);
    }
    assert_int_equal(sf_schema_type(arena, &any, "input", v, diags, &typed), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[0].message.p, "too many parts"));
    for (int i = 0; i < 60; i++) {
        const struct sf_value **items = SF_NEW_ARRAY(arena, 1, const struct sf_value *);
        items[0] = deep;
        deep = sf_value_list(arena, items, 1);
    }
    diags = sf_diags_new(arena);
    assert_int_equal(sf_schema_type(arena, &any, "input", deep, diags, &typed), SF_E_CONFIG);
    assert_non_null(strstr(diags->list[0].message.p, "nested too deeply"));
    sf_arena_free(arena);
}

static void check_schema_attr(const char *kind, const struct sf_attr *attr)
{
    struct sf_arena *arena = sf_arena_new();
    if (attr->check && !sf_check_exists(attr->check))
        fail_msg("%s.%s: there is no check '%s'", kind, attr->name, attr->check);
    const char *const texts[] = {attr->default_json, attr->unset_json};
    for (size_t i = 0; i < SF_COUNT(texts); i++) {
        struct sf_diags *diags = sf_diags_new(arena);
        const struct sf_value *typed;
        if (texts[i] && attr->type != SF_T_REF && sf_schema_type(arena, attr, attr->name, json(arena, texts[i]), diags, &typed))
            fail_msg("%s.%s: %s", kind, attr->name, diags->list[0].message.p);
    }
    if (attr->of)
        check_schema_attr(kind, attr->of);
    for (size_t i = 0; i < attr->n_fields; i++)
        check_schema_attr(kind, &attr->fields[i]);
    sf_arena_free(arena);
}

static void every_real_schema_holds_together(void **state)
{
    (void)state;
    assert_true(sf_schemas_count >= 1);
    for (size_t i = 0; i < sf_schemas_count; i++) {
        assert_ptr_equal(sf_schema_find(sf_str_of(sf_schemas[i]->kind)), sf_schemas[i]);
        for (size_t a = 0; a < sf_schemas[i]->n_attrs; a++)
            check_schema_attr(sf_schemas[i]->kind, &sf_schemas[i]->attrs[a]);
        assert_int_equal(sf_schema_attr(sf_schemas[i], SF_STR("no_such")), -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_types_and_never_yaml),
        cmocka_unit_test(ranges_and_enums_hold),
        cmocka_unit_test(tags_are_what_aws_takes),
        cmocka_unit_test(names_follow_the_rules_of_their_service),
        cmocka_unit_test(policy_documents_follow_iams_grammar),
        cmocka_unit_test(an_unknown_part_of_a_policy_is_passed_over),
        cmocka_unit_test(equality_is_by_meaning),
        cmocka_unit_test(a_secret_is_compared_by_its_fingerprint),
        cmocka_unit_test(a_secret_passes_untouched_but_for_its_length),
        cmocka_unit_test(what_multiplies_or_nests_without_end_is_refused),
        cmocka_unit_test(every_real_schema_holds_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

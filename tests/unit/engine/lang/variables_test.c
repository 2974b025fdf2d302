/* Variables: where values come from, which wins, and that a secret stays one. */
#include "tests/unit/engine/lang/load.h"

static const struct sf_value *value_of(struct fixture *f, const char *name)
{
    const struct sf_variable *variable = sf_map_find(f->stack->variable_by_name, sf_str_of(name));
    assert_non_null(variable);
    return variable->value;
}

static struct sf_var_setting flag(const char *text)
{
    return (struct sf_var_setting){sf_str_of(text), false};
}

static void later_sources_win(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "stack: s\nvariables:\n  a: {default: default}\n  b: {default: default}\n  c: {default: default}\n"
                               "  d: {default: default}\n";
    struct sf_var_setting settings[] = {flag("d=flag"),
                                        {sf_str_of(write_file(f, "v.yaml", "b: file\nc: file\nd: file\n", 0644)), true}};
    static const char *const vars[] = {"SF_VAR_c", "env", "SF_VAR_d", "env", NULL};
    test_environ = vars;
    assert_int_equal(load_with(f, text, NULL, settings, 2), SF_OK);
    test_environ = NULL;
    assert_string_equal(value_of(f, "a")->s.p, "default");
    assert_string_equal(value_of(f, "b")->s.p, "file");
    assert_string_equal(value_of(f, "c")->s.p, "env");
    assert_string_equal(value_of(f, "d")->s.p, "flag");
    assert_string_equal(((struct sf_variable *)sf_map_find(f->stack->variable_by_name, SF_STR("c")))->source.p, "SF_VAR_c");
}

static void a_flag_is_text_for_a_string_and_yaml_for_the_others(void **state)
{
    struct fixture *f = *state;
    static const char text[] =
        "stack: s\nvariables:\n  s: {type: string}\n  n: {type: int}\n  b: {type: bool}\n  l: {type: list}\n  m: {type: map}\n";
    struct sf_var_setting settings[] = {flag("s={a: no}"), flag("n=42"), flag("b=true"), flag("l=[10.0.0.0/8, no]"),
                                        flag("m={file: rows.csv}")};
    assert_int_equal(load_with(f, text, NULL, settings, 5), SF_OK);
    assert_string_equal(value_of(f, "s")->s.p, "{a: no}");
    assert_int_equal(value_of(f, "n")->i, 42);
    assert_true(value_of(f, "b")->b);
    assert_string_equal(value_of(f, "l")->list.items[1]->s.p, "no");
    assert_string_equal(sf_map_str(value_of(f, "m"), "file").p, "rows.csv");
}

static void refuses_values_that_do_not_fit(void **state)
{
    static const struct {
        const char *declaration, *value, *words;
    } cases[] = {
        {"{type: int}", "x=012", "must be a whole number, not '012'"},
        {"{type: int}", "x=22:22", "must be a whole number"},
        {"{type: int, min: 3, max: 5}", "x=6", "6 is above 5"},
        {"{type: bool}", "x=no", "must be true or false, not 'no'"},
        {"{type: list}", "x=a", "must be a list"},
        {"{type: map}", "x=[a]", "must be a map"},
        {"{type: list}", "x=[a", "invalid YAML"},
        {"{enum: [small, large]}", "x=lagre", "is not one of its values"},
        {"{pattern: \"[a-z]+\"}", "x=abc1", "does not fit its pattern"},
        {"{pattern: \"[a-z\"}", "x=a", "is no regular expression"},
        {"{max: 2}", "x=abc", "longer than 2"},
        {"{type: text}", "x=a", "no such type"},
        {"{typ: int}", "x=a", "unknown key 'typ'"},
        {"{}", "y=a", "there is no variable 'y'"},
        {"{}", "x", "-var needs NAME=VALUE"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_var_setting setting = flag(cases[i].value);
        struct sf_str text = sf_str_fmt(f->arena, "stack: s\nvariables:\n  x: %s\n", cases[i].declaration);
        if (load_with(f, text.p, NULL, &setting, 1) != SF_E_CONFIG || !strstr(f->shown.p, cases[i].words))
            fail_msg("%s %s: %s", cases[i].declaration, cases[i].value, sf_buf_str(&f->shown).p);
    }
}

static void a_variable_without_a_value_says_how_to_give_one(void **state)
{
    struct fixture *f = *state;
    load_bad(f, "stack: s\nvariables: {x: {type: string}}\n", 2, 13, "'x' has no value", "SF_VAR_x");
    load_bad(f, "stack: s\nvariables: {x: {default: \"${var.y}\"}}\n", 2, 27, "no variable 'y'", NULL);
}

static void a_secret_never_comes_from_a_flag_or_a_default(void **state)
{
    struct fixture *f = *state;
    struct sf_var_setting setting = flag("pw=hunter2hunter2");
    assert_int_equal(load_with(f, "stack: s\nvariables: {pw: {secret: true}}\n", NULL, &setting, 1), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "SF_VAR_pw"));
    assert_null(strstr(f->shown.p, "hunter2"));
    assert_int_equal(load(f, "stack: s\nvariables: {pw: {secret: true, default: hunter2}}\n"), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "SF_VAR_pw"));
    assert_null(strstr(f->shown.p, "hunter2"));
}

static void a_secret_comes_from_the_environment(void **state)
{
    struct fixture *f = *state;
    static const char *const vars[] = {"SF_VAR_pw", "no: [tag", NULL};
    test_environ = vars;
    load_good(f, "stack: s\nvariables: {pw: {secret: true, generate: {length: 32}}}\nresources:\n"
                 "  a: {kind: bucket, name: abc, secret: \"${var.pw}\"}\n  v: {kind: value, input: \"x${var.pw}\"}\n");
    test_environ = NULL;
    assert_string_equal(value_of(f, "pw")->s.p, "no: [tag");
    assert_true(value_of(f, "pw")->is_secret);
    assert_null(strstr(attrs_of(f, "a"), "tag"));
    assert_null(strstr(attrs_of(f, "v"), "tag"));
}

static void a_generated_secret_is_unknown_until_there_is_one(void **state)
{
    struct fixture *f = *state;
    load_good(f, "stack: s\nvariables: {pw: {secret: true, generate: {length: 20}}}\nresources:\n"
                 "  a: {kind: bucket, name: abc, secret: \"${var.pw}\"}\n");
    assert_int_equal(f->stack->variables[0].generate_length, 20);
    assert_int_equal(value_of(f, "pw")->type, SF_V_UNKNOWN);
    assert_string_equal(value_of(f, "pw")->s.p, "var.pw");
    assert_non_null(strstr(attrs_of(f, "a"), "{\"$unknown\":\"var.pw\"}"));
    load_bad(f, "stack: s\nvariables: {pw: {generate: {length: 20}}}\n", 2, 13, "need 'secret: true'", NULL);
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, generate: {length: 4}}}\n", 2, 42, "8 to 128", NULL);
}

static void a_secret_file_must_be_private(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "stack: s\nvariables: {pw: {secret: true, file: pw.txt}}\n";
    write_file(f, "pw.txt", "swordfish\n", 0600);
    load_good(f, text);
    assert_string_equal(value_of(f, "pw")->s.p, "swordfish");
    write_file(f, "pw.txt", "swordfish\n", 0640);
    assert_int_equal(load(f, text), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "chmod 600"));
    assert_null(strstr(f->shown.p, "swordfish"));
}

static void a_secret_may_be_the_output_of_a_command(void **state)
{
    struct fixture *f = *state;
    load_good(f, "stack: s\nvariables: {pw: {secret: true, command: [printf, '%s\\n', 'sword fish']}, q: {secret: true, command: "
                 "\"echo a | tr a b\"}}\n");
    assert_string_equal(value_of(f, "pw")->s.p, "sword fish");
    assert_string_equal(value_of(f, "q")->s.p, "b");
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, command: \"exit 3\"}}\n", 2, 41, "exit code 3", NULL);
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, command: [/none]}}\n", 2, 41, "cannot be started", NULL);
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, command: \"true\"}}\n", 2, 41, "wrote no text", NULL);
}

static void a_file_of_variables_that_others_can_read_holds_no_secret(void **state)
{
    struct fixture *f = *state;
    static const char text[] = "stack: s\nvariables: {pw: {secret: true}, n: {type: string}}\n";
    struct sf_var_setting setting = {sf_str_of(write_file(f, "v.yaml", "pw: swordfish\nn: null\n", 0644)), true};
    assert_int_equal(load_with(f, text, NULL, &setting, 1), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "others can read it"));
    assert_non_null(strstr(f->shown.p, "'n' has no value"));
    assert_null(strstr(f->shown.p, "swordfish"));
    chmod(setting.text.p, 0600);
    assert_int_equal(load_with(f, "stack: s\nvariables: {pw: {secret: true}, n: {default: d}}\n", NULL, &setting, 1), SF_E_CONFIG);
    write_file(f, "v.yaml", "pw: swordfish\n", 0600);
    assert_int_equal(load_with(f, "stack: s\nvariables: {pw: {secret: true}, n: {default: d}}\n", NULL, &setting, 1), SF_OK);
    for (const struct sf_source *source = f->stack->sources; source; source = source->next)
        assert_null(strstr(source->text.p, "swordfish")); /* what a saved plan keeps */
}

static void a_secret_cannot_flow_into_what_is_shown(void **state)
{
    struct fixture *f = *state;
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, generate: {}}}\nresources:\n  a: {kind: bucket, name: \"x-${var.pw}\"}\n",
             4, 30, "is a secret, and attribute 'name' is not", NULL);
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, generate: {}}}\ntags: {a: \"${var.pw}\"}\n", 3, 11, "cannot be a secret",
             NULL);
    load_bad(f, "stack: s\nvariables: {pw: {secret: true, generate: {}}}\nresources: {v: {kind: value, for_each: \"${var.pw}\"}}\n",
             3, 40, "cannot use a secret", NULL);
}

static void a_secret_must_not_stand_in_the_stack_file(void **state)
{
    struct fixture *f = *state;
    struct sf_value *attrs, *refs;
    load_good(f, "stack: s\nresources:\n  a: {kind: bucket, name: abc, secret: hunter2}\n");
    assert_int_equal(eval(f, "a", &attrs, &refs), SF_E_CONFIG);
    assert_non_null(strstr(f->shown.p, "must not stand in the stack file"));
    assert_null(strstr(f->shown.p, "hunter2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(later_sources_win),
        TEST(a_flag_is_text_for_a_string_and_yaml_for_the_others),
        TEST(refuses_values_that_do_not_fit),
        TEST(a_variable_without_a_value_says_how_to_give_one),
        TEST(a_secret_never_comes_from_a_flag_or_a_default),
        TEST(a_secret_comes_from_the_environment),
        TEST(a_generated_secret_is_unknown_until_there_is_one),
        TEST(a_secret_file_must_be_private),
        TEST(a_secret_may_be_the_output_of_a_command),
        TEST(a_file_of_variables_that_others_can_read_holds_no_secret),
        TEST(a_secret_cannot_flow_into_what_is_shown),
        TEST(a_secret_must_not_stand_in_the_stack_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

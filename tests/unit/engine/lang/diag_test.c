/* Diagnostics: the text that people see, to the character. */
#include "engine/core/json.h"
#include "engine/lang/diag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char text[] = "stack: s\nresources:\n  a: {kind: bucket, verzioning: true}\n\tt\xc3\xa4\xc3\xa4: x\n";

static struct sf_diags *new_diags(struct sf_arena *arena)
{
    struct sf_diags *diags = sf_diags_new(arena);
    sf_diags_add_source(diags, "stack.yaml", SF_STR(text));
    return diags;
}

static void renders_place_line_carets_and_help(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = new_diags(arena);
    struct sf_str names[] = {SF_STR("name"), SF_STR("versioning")};
    struct sf_buf out = SF_BUF(10000);
    assert_int_equal(
        sf_diag_error(diags, "SF0214", (struct sf_mark){"stack.yaml", 3, 21, 10}, "unknown attribute '%s'", "verzioning"),
        SF_E_CONFIG);
    sf_diag_help_nearest(diags, SF_STR("verzioning"), names, 2);
    sf_diag_warn(diags, "SF0001", (struct sf_mark){"stack.yaml", 4, 2, 3}, "odd");
    sf_diag_error(diags, "SF0002", (struct sf_mark){.file = NULL}, "no place");
    sf_diag_help(diags, "do\nthis");
    sf_diags_render(diags, &out, false);
    assert_string_equal(out.p, "error[SF0214]: unknown attribute 'verzioning'\n"
                               " --> stack.yaml:3:21\n"
                               "  |\n"
                               "3 |   a: {kind: bucket, verzioning: true}\n"
                               "  |                     ^^^^^^^^^^\n"
                               "  = help: did you mean 'versioning'?\n"
                               "\n"
                               "warning[SF0001]: odd\n"
                               " --> stack.yaml:4:2\n"
                               "  |\n"
                               "4 |  t\xc3\xa4\xc3\xa4: x\n"
                               "  |  ^^^\n"
                               "\n"
                               "error[SF0002]: no place\n"
                               "  = help: do\n"
                               "          this\n");
    assert_int_equal(diags->errors, 2);
    sf_buf_free(&out);
    sf_arena_free(arena);
}

static void lists_the_names_when_none_is_near(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = new_diags(arena);
    struct sf_str names[10] = {SF_STR("a1"), SF_STR("b2"), SF_STR("c3"), SF_STR("d4"), SF_STR("e5"),
                               SF_STR("f6"), SF_STR("g7"), SF_STR("h8"), SF_STR("i9"), SF_STR("j0")};
    sf_diag_error(diags, "SF0001", (struct sf_mark){.file = NULL}, "x");
    sf_diag_help_nearest(diags, SF_STR("something"), names, 10);
    assert_string_equal(diags->list[0].help.p, "one of 'a1', 'b2', 'c3', 'd4', 'e5', 'f6', 'g7', 'h8' and 2 more");
    sf_arena_free(arena);
}

static void keeps_control_characters_from_the_terminal(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    struct sf_buf out = SF_BUF(10000);
    sf_diags_add_source(diags, "x\x1b[2Jx",
                        SF_STR("a\x1b]0;title\x07\xc2\x9b"
                               "b\n"));
    sf_diag_error(diags, "SF0001", (struct sf_mark){"x\x1b[2Jx", 1, 1, 1}, "quoted '%s'", "\x1b[31mred\r");
    sf_diags_render(diags, &out, false);
    assert_null(strchr(out.p, '\x1b'));
    assert_null(strchr(out.p, '\x07'));
    assert_null(strchr(out.p, '\r'));
    assert_null(strstr(out.p, "\xc2\x9b"));
    assert_non_null(strstr(out.p, "a?]0;title??b"));
    sf_buf_free(&out);
    sf_arena_free(arena);
}

static void cuts_a_long_line_around_the_place(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = sf_diags_new(arena);
    struct sf_buf line = SF_BUF(1024 * 1024), out = SF_BUF(10000);
    for (int i = 0; i < 100000; i++)
        sf_buf_addz(&line, "\xc3\xa4");
    memcpy(line.p + 2 * 50000, "!!", 2);
    sf_diags_add_source(diags, "f", sf_buf_str(&line));
    sf_diag_error(diags, "SF0001", (struct sf_mark){"f", 1, 50001, 400}, "x");
    sf_diags_render(diags, &out, false);
    assert_true(out.n < 800);
    const char *bang = strstr(out.p, "!!"), *caret = strchr(out.p, '^');
    assert_true(bang && caret);
    size_t chars = 0;
    const char *start = strstr(out.p, "1 | ") + 4;
    for (const char *p = start; p < bang; p++)
        chars += ((unsigned char)*p & 0xc0) != 0x80;
    const char *under = strstr(start, "\n  | ") + 5;
    assert_int_equal(caret - under, chars);
    sf_buf_free(&line);
    sf_buf_free(&out);
    sf_arena_free(arena);
}

static void keeps_twenty_and_counts_the_rest(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = new_diags(arena);
    struct sf_buf out = SF_BUF(100000);
    for (int i = 0; i < 25; i++)
        sf_diag_error(diags, "SF0001", (struct sf_mark){.file = NULL}, "number %d", i);
    sf_diag_help(diags, "of one that was dropped");
    sf_diags_render(diags, &out, false);
    assert_int_equal(diags->n, 20);
    assert_int_equal(diags->errors, 25);
    assert_non_null(strstr(out.p, "number 19\n\nand 5 more; the first 20 are shown\n"));
    assert_null(strstr(out.p, "dropped"));
    sf_buf_free(&out);
    sf_arena_free(arena);
}

static void a_hidden_line_is_in_neither_form(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = new_diags(arena);
    struct sf_buf out = SF_BUF(10000);
    sf_diag_error(diags, "SF0227", (struct sf_mark){"stack.yaml", 3, 21, 10}, "no secrets");
    sf_diag_hide_source(diags);
    sf_diags_render(diags, &out, false);
    assert_string_equal(out.p, "error[SF0227]: no secrets\n --> stack.yaml:3:21\n");
    assert_null(sf_map_getz(sf_diag_json(arena, diags, &diags->list[0]), "snippet"));
    sf_buf_free(&out);
    sf_arena_free(arena);
}

static void json_has_terraforms_names(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_diags *diags = new_diags(arena);
    struct sf_err err;
    assert_int_equal(sf_fail(&err, SF_E_CONFIG, "bad"), SF_E_CONFIG);
    memcpy(err.id, "SF0110", sizeof("SF0110"));
    err.where = (struct sf_mark){"stack.yaml", 1, 8, 1};
    sf_hint(&err, "mend it");
    sf_diag_add_err(diags, &err);
    assert_string_equal(
        sf_json_text(arena, sf_diag_json(arena, diags, &diags->list[0]), SF_JSON_PLAIN).p,
        "{\"code\":\"SF0110\",\"detail\":\"mend it\",\"range\":{\"end\":{\"column\":9,\"line\":1},\"filename\":"
        "\"stack.yaml\",\"start\":{\"column\":8,\"line\":1}},\"severity\":\"error\",\"snippet\":{\"code\":\"stack: s\","
        "\"highlight_end_offset\":8,\"highlight_start_offset\":7,\"start_line\":1},\"summary\":\"bad\"}");
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(renders_place_line_carets_and_help),
        cmocka_unit_test(lists_the_names_when_none_is_near),
        cmocka_unit_test(keeps_control_characters_from_the_terminal),
        cmocka_unit_test(cuts_a_long_line_around_the_place),
        cmocka_unit_test(keeps_twenty_and_counts_the_rest),
        cmocka_unit_test(a_hidden_line_is_in_neither_form),
        cmocka_unit_test(json_has_terraforms_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

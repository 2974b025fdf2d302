/* engine/core/err.c: one object, filled where the cause is known; exit codes. */
#include "engine/core/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

static void failing_is_one_statement_and_clears_an_older_hint(void **state)
{
    (void)state;
    struct sf_err err = {0};
    assert_int_equal(sf_fail(&err, SF_E_CONFLICT, "bucket '%s' belongs to another stack", "b"), SF_E_CONFLICT);
    sf_hint(&err, "take %s", "another name");
    assert_int_equal(err.code, SF_E_CONFLICT);
    assert_string_equal(err.message, "bucket 'b' belongs to another stack");
    assert_string_equal(err.hint, "take another name");
    assert_int_equal(sf_fail(&err, SF_E_IO, "again"), SF_E_IO);
    assert_string_equal(err.hint, "");
}

static void nobody_has_to_want_the_text(void **state)
{
    (void)state;
    errno = ENOENT;
    assert_int_equal(sf_fail(NULL, SF_E_IO, "x"), SF_E_IO);
    assert_int_equal(sf_fail_errno(NULL, SF_E_IO, "x"), SF_E_IO);
    sf_hint(NULL, "x");
    sf_context(NULL, "x");
}

static void context_goes_before_and_keeps_code_and_hint(void **state)
{
    (void)state;
    struct sf_err err = {0};
    assert_int_equal(sf_fail(&err, SF_E_DENIED, "action not allowed"), SF_E_DENIED);
    sf_hint(&err, "ask");
    sf_context(&err, "while creating bucket '%s'", "b");
    assert_string_equal(err.message, "while creating bucket 'b': action not allowed");
    assert_string_equal(err.hint, "ask");
    assert_int_equal(err.code, SF_E_DENIED);
}

static void the_cause_in_errno_is_told_in_words(void **state)
{
    (void)state;
    struct sf_err err = {0};
    errno = ENOENT;
    assert_int_equal(sf_fail_errno(&err, SF_E_IO, "cannot open '%s'", "f"), SF_E_IO);
    assert_string_equal(err.message, "cannot open 'f': No such file or directory");
    assert_string_equal(err.hint, "");
    static const int full[] = {ENOSPC, EDQUOT};
    for (size_t i = 0; i < SF_COUNT(full); i++) {
        errno = full[i];
        assert_int_equal(sf_fail_errno(&err, SF_E_IO, "cannot write 'f'"), SF_E_IO);
        assert_non_null(strstr(err.hint, "free some disk space"));
    }
}

static void text_that_is_too_long_is_cut_inside_the_object(void **state)
{
    (void)state;
    struct {
        struct sf_err err;
        char guard[16];
    } s = {.guard = "untouched"};
    char text[3 * SF_MAX_MESSAGE_BYTES];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 0;
    assert_int_equal(sf_fail(&s.err, SF_E_IO, "%s", text), SF_E_IO);
    sf_hint(&s.err, "%s", text);
    sf_context(&s.err, "while %s", "working");
    sf_context(&s.err, "%s", text);
    errno = ENOSPC;
    assert_int_equal(strlen(s.err.message), SF_MAX_MESSAGE_BYTES - 1);
    assert_int_equal(sf_fail_errno(&s.err, SF_E_IO, "%s", text), SF_E_IO);
    assert_int_equal(strlen(s.err.message), SF_MAX_MESSAGE_BYTES - 1);
    assert_string_equal(s.guard, "untouched");
}

static void exit_codes_are_those_of_the_table(void **state)
{
    (void)state;
    static const struct {
        enum sf_code code;
        int status;
    } table[] = {
        {SF_OK, 0},
        {SF_E_USAGE, 64},
        {SF_E_CONFIG, 65},
        {SF_E_AUTH, 4},
        {SF_E_DENIED, 4},
        {SF_E_ABSENT, 1},
        {SF_E_CONFLICT, 1},
        {SF_E_THROTTLED, 1},
        {SF_E_UNAVAILABLE, 1},
        {SF_E_UNKNOWN, 6},
        {SF_E_REFUSED, 1},
        {SF_E_CANCELLED, 130},
        {SF_E_LOCKED, 5},
        {SF_E_STALE, 5},
        {SF_E_DATA, 1},
        {SF_E_UNPUBLISHED, 3},
        {SF_E_IO, 1},
        {SF_E_INTERNAL, 1},
    };
    for (size_t i = 0; i < SF_COUNT(table); i++)
        assert_int_equal(sf_exit_code(table[i].code), table[i].status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_is_one_statement_and_clears_an_older_hint), cmocka_unit_test(nobody_has_to_want_the_text),
        cmocka_unit_test(context_goes_before_and_keeps_code_and_hint),       cmocka_unit_test(the_cause_in_errno_is_told_in_words),
        cmocka_unit_test(text_that_is_too_long_is_cut_inside_the_object),    cmocka_unit_test(exit_codes_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What the text of a failed statement means, and how a copy is said. */
#include "resources/aws/data_api.h"
#include "resources/aws/warehouse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void a_failure_is_told_by_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text, *sqlstate, *message;
        enum sf_code code;
    } cases[] = {
        {"ERROR: relation \"report.program\" does not exist", "42P01", "relation \"report.program\" does not exist", SF_E_REFUSED},
        {"ERROR: schema \"report\" does not exist", "3F000", "schema \"report\" does not exist", SF_E_REFUSED},
        {"ERROR: 1023 DETAIL: Serializable isolation violation on table - 100", "40001", NULL, SF_E_THROTTLED},
        {"ERROR: tuple concurrently updated", "40001", NULL, SF_E_THROTTLED},
        {"ERROR: invalid input syntax for integer: \"check keys failed for 1023 rows\"", "22P02", NULL, SF_E_REFUSED},
        {"ERROR: Invalid digit, Value 'c', Pos 0, Type: Integer", "22P02", NULL, SF_E_REFUSED},
        {"ERROR: Not authorized to get credentials of role arn:aws:iam::1:role/load", "42501", NULL, SF_E_DENIED},
        {"ERROR: S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey", "55000", NULL, SF_E_REFUSED},
        {"ERROR: Query reached usage limit", "53400", NULL, SF_E_REFUSED},
        {"ERROR: permission denied for schema report", "42501", NULL, SF_E_DENIED},
        {"ERROR: User arn:aws:redshift:us-west-2:1:dbuser:dw/steward is not authorized to assume IAM Role arn:aws:iam::1:role/load",
         "42501", NULL, SF_E_DENIED},
        {"ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied", "42501", NULL, SF_E_DENIED},
        {"ERROR: Not authorized to get credentials of role arn:aws:iam::1:role/load", "42501", NULL, SF_E_DENIED},
        {"ERROR: Problem reading manifest file - The specified mandatory entry s3://b/k does not exist: S3ServiceException:The "
         "specified key does not exist.,Status 404,Error NoSuchKey",
         "55000", NULL, SF_E_REFUSED},
        {"ERROR: Load into table 'staged' failed. Check 'sys_load_error_detail' system table for details.", "22000", NULL,
         SF_E_REFUSED},
        {"ERROR: Disk Full", "53100", NULL, SF_E_REFUSED},
        {"ERROR: something nobody has seen\nwith \033[31mcolour", "", "something nobody has seen with  [31mcolour", SF_E_REFUSED},
        {"", "", "the warehouse gave no reason", SF_E_REFUSED},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err err = {0};
        assert_int_equal(sf_data_api_failure(arena, sf_str_of(cases[i].text), &err), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_string_equal(err.remote_code, cases[i].sqlstate);
        if (cases[i].message)
            assert_string_equal(err.message, cases[i].message);
    }
    sf_arena_free(arena);
}

static void a_refused_copy_says_whose_right_is_missing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hint;
    } cases[] = {
        {"ERROR: The requested role arn:aws:iam::1:role/load is not associated to cluster", "attach the role"},
        {"ERROR: User x is not authorized to assume IAM Role arn:aws:iam::1:role/load", "trust: redshift"},
        {"ERROR: S3ServiceException:Access Denied,Status 403,Error AccessDenied", "s3:GetObject"},
        {"ERROR: S3ServiceException:User: x is not authorized to perform: kms:Decrypt on this resource,Status 403,Error "
         "AccessDenied",
         "kms:Decrypt"},
        {"ERROR: S3ServiceException:The bucket must be addressed using the specified endpoint.,Status 301,Error PermanentRedirect",
         "one region"},
        {"ERROR: permission denied for relation program", "lacks the right"},
    };
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        struct sf_err err = {0};
        assert_int_not_equal(sf_data_api_failure(arena, sf_str_of(cases[i].text), &err), SF_OK);
        assert_non_null(strstr(err.hint, cases[i].hint));
    }
    sf_arena_free(arena);
}

static void a_copy_names_its_manifest_and_role_and_changes_no_value(void **state)
{
    (void)state;
    struct sf_arena *arena = sf_arena_new();
    struct sf_statement copy = {.table = SF_STR("\"report\".\"it's\""), .columns = SF_STR("\"a\", \"b\"")};
    struct sf_str sql =
        sf_aws_copy_sql(arena, &copy, SF_STR("s3://bucket/sfstack-copy/1.manifest"), SF_STR("arn:aws:iam::1:role/o'k"));
    assert_string_equal(sql.p, "copy \"report\".\"it's\" (\"a\", \"b\") from 's3://bucket/sfstack-copy/1.manifest' "
                               "iam_role 'arn:aws:iam::1:role/o''k' manifest format as csv gzip ignoreheader 1 emptyasnull "
                               "compupdate off statupdate off");
    sf_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_by_its_text),
        cmocka_unit_test(a_refused_copy_says_whose_right_is_missing),
        cmocka_unit_test(a_copy_names_its_manifest_and_role_and_changes_no_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

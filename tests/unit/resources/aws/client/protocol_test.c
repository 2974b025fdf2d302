/* Parameters to bodies, S3 calls to addresses: pure. Expected forms are what botocore writes for the same values. */
#include "resources/aws/client/protocol.h"
#include "engine/core/json.h"
#include "resources/aws/client/internal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct sf_arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = sf_arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sf_arena_free(arena);
    return 0;
}

static const struct sf_value *value(const char *json)
{
    const struct sf_value *v = NULL;
    assert_int_equal(sf_json_parse(arena, sf_str_of(json), "test", SF_JSON_PLAIN, &v, NULL), SF_OK);
    return v;
}

static void assert_form(enum sf_aws_service service, const char *json, const char *expected)
{
    struct sf_buf body = SF_BUF(1 << 16);
    struct sf_err err;
    assert_int_equal(sf_aws_write_form(&body, sf_aws_wire_of(service), "Do", value(json), &err), SF_OK);
    assert_string_equal(body.p, expected);
    sf_buf_free(&body);
}

static void lists_are_numbered_and_members_joined_by_dots(void **state)
{
    (void)state;
    assert_form(SF_AWS_IAM,
                "{\"RoleName\":\"r\",\"Tags\":{\"member\":[{\"Key\":\"a\",\"Value\":\"1\"},{\"Key\":\"b\",\"Value\":\"2\"}]}}",
                "Action=Do&Version=2010-05-08&RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b&Tags.member."
                "2.Value=2");
    assert_form(SF_AWS_REDSHIFT,
                "{\"Tags\":{\"Tag\":[{\"Key\":\"a\",\"Value\":\"1\"}]},\"IamRoles\":{\"IamRoleArn\":[\"x\",\"y\"]}}",
                "Action=Do&Version=2012-12-01&Tags.Tag.1.Key=a&Tags.Tag.1.Value=1&IamRoles.IamRoleArn.1=x&IamRoles.IamRoleArn.2=y");
    assert_form(SF_AWS_EC2,
                "{\"TagSpecification\":[{\"ResourceType\":\"security-group\",\"Tag\":[{\"Key\":\"a\",\"Value\":\"1\"}]}]}",
                "Action=Do&Version=2016-11-15&TagSpecification.1.ResourceType=security-group&TagSpecification.1.Tag.1.Key=a"
                "&TagSpecification.1.Tag.1.Value=1");
}

static void a_list_without_items_is_written_as_its_wrapper_by_query_and_not_at_all_by_ec2(void **state)
{
    (void)state;
    assert_form(SF_AWS_REDSHIFT, "{\"VpcSecurityGroupIds\":{\"VpcSecurityGroupId\":[]},\"X\":1}",
                "Action=Do&Version=2012-12-01&VpcSecurityGroupIds=&X=1");
    assert_form(SF_AWS_STS, "{\"L\":[]}", "Action=Do&Version=2011-06-15&L=");
    assert_form(SF_AWS_EC2, "{\"GroupId\":[],\"X\":1}", "Action=Do&Version=2016-11-15&X=1");
}

static void every_byte_that_is_not_plain_is_escaped(void **state)
{
    (void)state;
    assert_form(SF_AWS_IAM, "{\"D\":\"{\\\"a b\\\":\\\"ü+&=/~*'\\n\\\"}\"}",
                "Action=Do&Version=2010-05-08&D=%7B%22a+b%22%3A%22%C3%BC%2B%26%3D%2F~%2A%27%0A%22%7D");
}

static void numbers_and_bools_are_typed_and_nulls_left_out(void **state)
{
    struct sf_buf body = SF_BUF(1 << 16);
    struct sf_err err;
    const char *json =
        "{\"I\":-5,\"B\":true,\"N\":1.50,\"Z\":null,\"S\":\"5\",\"E\":\"\",\"L\":[1,\"x\",{\"k\":false,\"z\":null}],\"M\":{}}";
    (void)state;
    assert_form(SF_AWS_IAM, "{\"I\":-5,\"B\":true,\"C\":false,\"N\":1.50,\"Z\":null,\"E\":\"\"}",
                "Action=Do&Version=2010-05-08&I=-5&B=true&C=false&N=1.50&E=");
    assert_int_equal(sf_aws_write_json(&body, value(json), &err), SF_OK);
    assert_string_equal(body.p, "{\"I\":-5,\"B\":true,\"N\":1.50,\"S\":\"5\",\"E\":\"\",\"L\":[1,\"x\",{\"k\":false}],\"M\":{}}");
    sf_buf_clear(&body);
    assert_int_equal(sf_aws_write_json(&body, NULL, &err), SF_OK);
    assert_string_equal(body.p, "{}");
    sf_buf_free(&body);
}

static void secrets_are_sent_in_the_clear_and_fingerprints_never(void **state)
{
    struct sf_buf body = SF_BUF(1 << 16);
    struct sf_err err;
    struct sf_value *map = sf_value_map(arena);
    (void)state;
    sf_map_set(arena, map, SF_STR("P"), sf_value_secret(arena, SF_STR("a\"b")));
    assert_int_equal(sf_aws_write_json(&body, map, &err), SF_OK);
    assert_string_equal(body.p, "{\"P\":\"a\\\"b\"}");
    sf_map_set(arena, map, SF_STR("P"), sf_value_fingerprint(arena, SF_STR("hmac:1")));
    assert_int_equal(sf_aws_write_json(&body, map, &err), SF_E_INTERNAL);
    assert_int_equal(sf_aws_write_form(&body, sf_aws_wire_of(SF_AWS_IAM), "Do", map, &err), SF_E_INTERNAL);
    sf_buf_free(&body);
}

static void assert_address(bool is_custom, const char *base, const char *bucket, const char *key, const char *query,
                           const char *expected)
{
    struct sf_aws_endpoint endpoint = {.is_custom = is_custom};
    struct sf_aws_call call = {.bucket = sf_str_of(bucket), .key = sf_str_of(key), .query = query ? value(query) : NULL};
    struct sf_aws_target target = {.host = SF_STR("s3.us-west-2.amazonaws.com"), .path = sf_str_of(base)};
    sf_aws_s3_address(arena, &endpoint, &call, &target);
    assert_string_equal(sf_str_fmt(arena, "%.*s%.*s?%.*s", SF_ARG(target.host), SF_ARG(target.path), SF_ARG(target.query)).p,
                        expected);
}

static void buckets_go_before_the_host_where_certificate_and_server_allow_it(void **state)
{
    (void)state;
    assert_address(false, "", "b", "", NULL, "b.s3.us-west-2.amazonaws.com/?");
    assert_address(false, "", "b", "a/b c", NULL, "b.s3.us-west-2.amazonaws.com/a/b%20c?");
    assert_address(false, "", "b.c", "k", NULL, "s3.us-west-2.amazonaws.com/b.c/k?");
    assert_address(true, "", "b", "k", NULL, "s3.us-west-2.amazonaws.com/b/k?");
    assert_address(true, "/base", "b", "", "{\"tagging\":null}", "s3.us-west-2.amazonaws.com/base/b?tagging");
    assert_address(false, "", "", "", NULL, "s3.us-west-2.amazonaws.com/?");
    assert_address(false, "", "b", "", "{\"prefix\":\"a b/\",\"versions\":null}",
                   "b.s3.us-west-2.amazonaws.com/?prefix=a%20b%2F&versions");
}

static void the_md5_of_a_body_is_sent_in_base64(void **state)
{
    (void)state;
    assert_string_equal(sf_aws_content_md5(arena, SF_STR("hello")).p, "XUFAKrxLKna5cZ2REBfFkg==");
}

static void a_call_knows_the_right_that_it_needs(void **state)
{
    (void)state;
    const struct sf_aws_call head = {.service = SF_AWS_S3, .action = "HeadBucket"},
                             put = {.service = SF_AWS_S3, .action = "PutBucketPolicy"},
                             own = {.service = SF_AWS_S3, .action = "HeadBucket", .permission = "s3:X"},
                             server = {.service = SF_AWS_TRANSFER, .action = "CreateServer"};
    assert_string_equal(sf_aws_permission(arena, &head).p, "s3:ListBucket");
    assert_string_equal(sf_aws_permission(arena, &put).p, "s3:PutBucketPolicy");
    assert_string_equal(sf_aws_permission(arena, &own).p, "s3:X");
    assert_string_equal(sf_aws_permission(arena, &server).p, "transfer:CreateServer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_numbered_and_members_joined_by_dots),
        cmocka_unit_test(a_list_without_items_is_written_as_its_wrapper_by_query_and_not_at_all_by_ec2),
        cmocka_unit_test(every_byte_that_is_not_plain_is_escaped),
        cmocka_unit_test(numbers_and_bools_are_typed_and_nulls_left_out),
        cmocka_unit_test(secrets_are_sent_in_the_clear_and_fingerprints_never),
        cmocka_unit_test(buckets_go_before_the_host_where_certificate_and_server_allow_it),
        cmocka_unit_test(a_call_knows_the_right_that_it_needs),
        cmocka_unit_test(the_md5_of_a_body_is_sent_in_base64),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

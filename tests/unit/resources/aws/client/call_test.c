/* Calls as they go over the wire, and what comes of their replies. */
#include "tests/unit/resources/aws/client/world.h"

static enum sf_code call(struct world *w, struct sf_aws_call c)
{
    w->reply = NULL;
    w->err = (struct sf_err){0};
    return sf_aws_call(&w->op, &c, &w->reply, &w->err);
}

static struct sf_aws_call get_role(struct world *w)
{
    return (struct sf_aws_call){.service = SF_AWS_IAM, .action = "GetRole", .params = world_value(w, "{\"RoleName\":\"r\"}")};
}

static struct sf_aws_call create_server(struct world *w)
{
    return (struct sf_aws_call){.service = SF_AWS_TRANSFER,
                                .action = "CreateServer",
                                .effect = SF_AWS_MAKE,
                                .params = world_value(w, "{\"Protocols\":[\"SFTP\"]}")};
}

#define ROLE "<GetRoleResponse><GetRoleResult><Role><Arn>a</Arn></Role></GetRoleResult></GetRoleResponse>"

/* --- what is sent, what is read --- */

static void a_query_call_is_a_signed_form_and_its_result_the_reply(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", ROLE);
    assert_int_equal(call(w, get_role(w)), SF_OK);
    assert_string_equal(sf_aws_text(w->reply, "Role.Arn").p, "a");
    world_assert_sent(w, 0, "POST / HTTP/1.1\r\n");
    world_assert_sent(w, 0, "\r\ncontent-type: application/x-www-form-urlencoded; charset=utf-8\r\n");
    world_assert_sent(w, 0, "/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=");
    world_assert_sent(w, 0, "\r\n\r\nAction=GetRole&Version=2010-05-08&RoleName=r");
    assert_null(strstr(server_request(w->server, 0), "EXAMPLEKEY"));
}

static void an_ec2_reply_has_no_wrapper_and_lists_of_one_look_like_lists(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_EC2,
                            .action = "DescribeVpcs",
                            .params = world_value(w, "{\"Filter\":[{\"Name\":\"n\",\"Value\":[\"v\"]}]}")};
    server_will_reply(w->server, 200, "",
                      "<?xml version=\"1.0\"?><DescribeVpcsResponse "
                      "xmlns=\"http://ec2\"><requestId>1</requestId><vpcSet><item><vpcId>vpc-1</vpcId>"
                      "<isDefault>true</isDefault><n>7</n></item></vpcSet><tagSet/></DescribeVpcsResponse>");
    assert_int_equal(call(w, c), SF_OK);
    world_assert_sent(w, 0, "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=n&Filter.1.Value.1=v");
    assert_int_equal(sf_aws_items(w->arena, w->reply, "vpcSet.item")->list.n, 1);
    assert_int_equal(sf_aws_items(w->arena, w->reply, "tagSet")->list.n, 0);
    assert_int_equal(sf_aws_items(w->arena, w->reply, "nothing.here")->list.n, 0);
    assert_string_equal(sf_aws_text(w->reply, "vpcSet.item.vpcId").p, "vpc-1");
    assert_true(sf_aws_bool(w->reply, "vpcSet.item.isDefault", false));
    assert_int_equal(sf_aws_int(w->reply, "vpcSet.item.n", 0), 7);
    assert_int_equal(sf_aws_int(w->reply, "vpcSet.item.vpcId", 3), 3);
    assert_null(sf_aws_at(w->reply, "vpcSet.item.vpcId.deeper"));
}

static void a_json_call_names_its_target_and_may_have_no_answer(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_TRANSFER,
                            .action = "DeleteServer",
                            .effect = SF_AWS_PUT,
                            .params = world_value(w, "{\"ServerId\":\"s-1\"}")};
    server_will_reply(w->server, 200, "", "");
    assert_int_equal(call(w, c), SF_OK);
    world_assert_sent(w, 0, "\r\nx-amz-target: TransferService.DeleteServer\r\n");
    world_assert_sent(w, 0, "\r\ncontent-type: application/x-amz-json-1.1\r\n");
    world_assert_sent(w, 0, "/us-west-2/transfer/aws4_request");
    world_assert_sent(w, 0, "\r\n\r\n{\"ServerId\":\"s-1\"}");
    assert_int_equal(w->reply->type, SF_V_MAP);
    server_will_reply(w->server, 200, "", "{\"ServerId\":\"s-2\",\"N\":5,\"B\":true}");
    assert_int_equal(call(w, create_server(w)), SF_OK);
    assert_string_equal(sf_aws_text(w->reply, "ServerId").p, "s-2");
    assert_int_equal(sf_aws_int(w->reply, "N", 0), 5);
    assert_true(sf_aws_bool(w->reply, "B", false));
}

static void an_s3_put_is_hashed_twice_and_goes_to_the_path_of_a_custom_endpoint(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3,
                            .action = "PutBucketPolicy",
                            .effect = SF_AWS_PUT,
                            .method = "PUT",
                            .bucket = SF_STR("b"),
                            .query = world_value(w, "{\"policy\":null,\"x\":\"a/b c\"}"),
                            .body = SF_STR("{}")};
    server_will_reply(w->server, 204, "x-amz-request-id: R1\r\n", "");
    assert_int_equal(call(w, c), SF_OK);
    world_assert_sent(w, 0, "PUT /b?policy&x=a%2Fb%20c HTTP/1.1\r\n");
    world_assert_sent(w, 0, "\r\ncontent-md5: mZFLkyvTelC5g8XnyQrpOw==\r\n");
    world_assert_sent(w, 0, "\r\nx-amz-content-sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\r\n");
    assert_string_equal(sf_aws_text(w->reply, "x-amz-request-id").p, "R1");
}

static void an_objects_content_is_handed_out_as_it_is(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {
        .service = SF_AWS_S3, .action = "GetObject", .method = "GET", .bucket = SF_STR("b"), .key = SF_STR("a b/ü//c?#+")};
    server_will_reply(w->server, 200, "ETag: \"e\"\r\n", "<html>an object</html>");
    assert_int_equal(call(w, c), SF_OK);
    world_assert_sent(w, 0, "GET /b/a%20b/%C3%BC//c%3F%23%2B HTTP/1.1\r\n");
    world_assert_sent(w, 0, "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\r\n");
    assert_string_equal(sf_aws_text(w->reply, "body").p, "<html>an object</html>");
    assert_string_equal(sf_aws_text(w->reply, "etag").p, "\"e\"");
}

static void an_s3_root_without_children_is_found_by_its_name(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3,
                            .action = "GetBucketLocation",
                            .method = "GET",
                            .bucket = SF_STR("b"),
                            .query = world_value(w, "{\"location\":null}")};
    server_will_reply(w->server, 200, "", "<LocationConstraint>eu-west-1</LocationConstraint>");
    assert_int_equal(call(w, c), SF_OK);
    assert_string_equal(sf_aws_text(w->reply, "LocationConstraint").p, "eu-west-1");
}

static void a_200_of_s3_can_hold_an_error(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3,
                            .action = "CompleteMultipartUpload",
                            .effect = SF_AWS_PUT,
                            .method = "POST",
                            .bucket = SF_STR("b"),
                            .key = SF_STR("k"),
                            .query = world_value(w, "{\"uploadId\":\"u\"}"),
                            .body = SF_STR("<x/>")};
    server_will_reply(w->server, 200, "",
                      "  \n<Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>");
    assert_int_equal(call(w, c), SF_E_UNAVAILABLE);
    assert_string_equal(w->err.remote_code, "InternalError");
}

/* --- intents --- */

static void what_changes_the_world_is_announced_before_it_is_sent(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", "{}");
    assert_int_equal(call(w, create_server(w)), SF_OK);
    server_will_reply(w->server, 200, "", ROLE);
    assert_int_equal(call(w, get_role(w)), SF_OK);
    assert_string_equal(fake_calls, "CreateServer\n");
    fake_intent_fails = SF_E_CANCELLED;
    assert_int_equal(call(w, create_server(w)), SF_E_CANCELLED);
    assert_int_equal(server_requests(w->server), 2);
}

static void nothing_is_changed_while_planning(void **state)
{
    struct world *w = *state;
    w->op.is_planning = true;
    assert_int_equal(call(w, create_server(w)), SF_E_INTERNAL);
    assert_int_equal(server_requests(w->server), 0);
    server_will_reply(w->server, 200, "", ROLE);
    assert_int_equal(call(w, get_role(w)), SF_OK);
}

static void a_value_that_is_not_known_is_never_sent(void **state)
{
    struct world *w = *state;
    struct sf_value *params = sf_value_map(w->arena);
    struct sf_aws_call c = {.service = SF_AWS_TRANSFER, .action = "CreateUser", .effect = SF_AWS_MAKE, .params = params};
    sf_map_set(w->arena, params, SF_STR("Role"), sf_value_unknown(w->arena, SF_STR("role.arn")));
    assert_int_equal(call(w, c), SF_E_INTERNAL);
    sf_map_set(w->arena, params, SF_STR("Role"), sf_value_fingerprint(w->arena, SF_STR("hmac:1")));
    c.service = SF_AWS_REDSHIFT;
    assert_int_equal(call(w, c), SF_E_INTERNAL);
    assert_string_equal(fake_calls, "");
}

/* --- lost replies --- */

static void a_lost_reply_means_what_the_call_does_to_the_world(void **state)
{
    struct world *w = *state;
    static const char *const lost[] = {NULL, "HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n<Get",
                                       "HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n",
                                       "HTTP/1.1 502 X\r\nContent-Length: 17\r\n\r\n<html>bad gateway"};
    static const enum sf_code codes[] = {
        [SF_AWS_READ] = SF_E_UNAVAILABLE, [SF_AWS_PUT] = SF_E_UNAVAILABLE, [SF_AWS_MAKE] = SF_E_UNKNOWN};
    for (size_t i = 0; i < SF_COUNT(lost); i++) {
        for (int effect = SF_AWS_READ; effect <= SF_AWS_MAKE; effect++) {
            struct sf_aws_call c = create_server(w);
            c.effect = (enum sf_aws_effect)effect;
            server_will_send(w->server, lost[i], i < 2 ? SERVER_CLOSE : SERVER_KEEP);
            assert_int_equal(call(w, c), codes[effect]);
            assert_int_equal(w->err.code, codes[effect]);
            assert_true(w->err.remote_code[0]);
        }
    }
    assert_int_equal(server_requests(w->server), 12);
}

/* A kept connection that is closed without a word: a read is sent again by itself, a create is not. */
static void a_create_is_sent_once_whatever_becomes_of_its_connection(void **state)
{
    struct world *w = *state;
    for (int is_create = 0; is_create < 2; is_create++) {
        server_will_reply(w->server, 200, "", ROLE);
        server_will_send(w->server, NULL, SERVER_CLOSE);
        server_will_reply(w->server, 200, "", is_create ? "{}" : ROLE);
        assert_int_equal(call(w, get_role(w)), SF_OK);
        assert_int_equal(call(w, is_create ? create_server(w) : get_role(w)), is_create ? SF_E_UNKNOWN : SF_OK);
        assert_int_equal(server_requests(w->server), is_create ? 5 : 3);
    }
}

static void a_reply_that_never_comes_ends_with_the_operation(void **state)
{
    struct world *w = *state;
    server_will_send(w->server, NULL, SERVER_HANG);
    w->op.deadline_ms = sf_clock_ms() + 200;
    assert_int_equal(call(w, create_server(w)), SF_E_UNKNOWN);
    assert_non_null(strstr(w->err.message, "AWS's transfer, 'CreateServer': '127.0.0.1' gave no whole answer in time"));
}

static void half_a_document_is_not_a_reply(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "Content-Type: text/xml\r\n", "<GetRoleResponse><GetRoleResult>");
    assert_int_equal(call(w, get_role(w)), SF_E_REFUSED);
    assert_non_null(strstr(w->err.message, "did not answer 'GetRole' as AWS's iam would: it sent text/xml"));
    server_will_reply(w->server, 200, "Content-Type: application/json\r\n", "{\"ServerId\":");
    assert_int_equal(call(w, create_server(w)), SF_E_UNKNOWN);
}

/* --- the clock --- */

static struct sf_str http_date(struct world *w, int64_t offset_s, char *amz)
{
    time_t at = (time_t)(sf_clock_wall_ms() / 1000 + offset_s);
    struct tm utc;
    char text[64];
    gmtime_r(&at, &utc);
    strftime(amz, 32, "\r\nx-amz-date: %Y%m%dT%H%M", &utc);
    strftime(text, sizeof(text), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    return sf_str_dup(w->arena, sf_str_of(text));
}

#define TOO_SKEWED "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference is too large</Message></Error>"

static void a_wrong_clock_is_corrected_from_the_reply_and_told_once(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3, .action = "ListBuckets", .method = "GET"};
    char amz[32];
    struct sf_str date = http_date(w, 3600, amz);
    server_will_reply(w->server, 403, date.p, TOO_SKEWED);
    server_will_reply(w->server, 200, "", "<ListAllMyBucketsResult/>");
    server_will_reply(w->server, 200, "", ROLE);
    assert_int_equal(call(w, c), SF_OK);
    assert_int_equal(call(w, get_role(w)), SF_OK);
    world_assert_sent(w, 1, amz);
    world_assert_sent(w, 2, amz);
    assert_string_equal(
        fake_warnings, "this machine's clock is 60 minutes behind AWS's; requests are signed with AWS's time, but set the clock\n");
}

static void a_clock_is_corrected_once_a_call_and_only_if_it_is_wrong(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3, .action = "ListBuckets", .method = "GET"};
    char amz[32];
    server_will_reply(w->server, 403, http_date(w, -3600, amz).p, TOO_SKEWED);
    server_will_reply(w->server, 403, http_date(w, 7200, amz).p, TOO_SKEWED);
    assert_int_equal(call(w, c), SF_E_AUTH);
    assert_int_equal(server_requests(w->server), 2);
    server_will_reply(w->server, 403, http_date(w, -3600, amz).p,
                      "<Error><Code>SignatureDoesNotMatch</Code><Message>x</Message></Error>");
    assert_int_equal(call(w, c), SF_E_AUTH);
    assert_int_equal(server_requests(w->server), 3);
    assert_non_null(strstr(w->err.hint, "secret key"));
    assert_string_equal(fake_warnings, "");
}

/* --- pages --- */

static const struct sf_aws_pages policies = {"Policies.member", "Marker", "Marker"};

static struct sf_str page(struct world *w, const char *members, const char *marker)
{
    return sf_str_fmt(
        w->arena, "<ListPoliciesResponse><ListPoliciesResult><Policies>%s</Policies>%s</ListPoliciesResult></ListPoliciesResponse>",
        members, marker);
}

static void all_pages_are_one_list(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_IAM, .action = "ListPolicies", .params = world_value(w, "{\"Scope\":\"Local\"}")};
    const struct sf_value *items = NULL;
    server_will_reply(w->server, 200, "", page(w, "<member>1</member><member>2</member>", "<Marker>a/b=</Marker>").p);
    server_will_reply(w->server, 200, "", page(w, "<member>3</member>", "<Marker>c</Marker>").p);
    server_will_reply(w->server, 200, "", page(w, "", "").p);
    assert_int_equal(sf_aws_list(&w->op, &c, &policies, &items, &w->err), SF_OK);
    assert_string_equal(sf_json_text(w->arena, items, SF_JSON_PLAIN).p, "[\"1\",\"2\",\"3\"]");
    world_assert_sent(w, 1, "Scope=Local&Marker=a%2Fb%3D");
    world_assert_sent(w, 2, "Scope=Local&Marker=c");
}

static void pages_that_go_in_circles_are_refused(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_IAM, .action = "ListPolicies"};
    const struct sf_value *items = NULL;
    server_will_reply(w->server, 200, "", page(w, "<member>1</member>", "<Marker>a</Marker>").p);
    server_will_reply(w->server, 200, "", page(w, "<member>2</member>", "<Marker>b</Marker>").p);
    server_will_reply(w->server, 200, "", page(w, "<member>1</member>", "<Marker>a</Marker>").p);
    assert_int_equal(sf_aws_list(&w->op, &c, &policies, &items, &w->err), SF_E_REFUSED);
    assert_int_equal(server_requests(w->server), 3);
}

static void a_token_of_s3_goes_into_the_query(void **state)
{
    struct world *w = *state;
    struct sf_aws_call c = {.service = SF_AWS_S3, .action = "ListBuckets", .method = "GET"};
    static const struct sf_aws_pages pages = {"Buckets.Bucket", "continuation-token", "ContinuationToken"};
    const struct sf_value *items = NULL;
    server_will_reply(w->server, 200, "",
                      "<R><Buckets><Bucket><Name>a</Name></Bucket></Buckets><ContinuationToken>t</ContinuationToken></R>");
    server_will_reply(w->server, 200, "", "<R><Buckets><Bucket><Name>b</Name></Bucket></Buckets></R>");
    assert_int_equal(sf_aws_list(&w->op, &c, &pages, &items, &w->err), SF_OK);
    assert_int_equal(items->list.n, 2);
    world_assert_sent(w, 1, "GET /?continuation-token=t HTTP/1.1");
}

/* --- threads, names, roles --- */

static void *get_roles(void *arg)
{
    struct world *w = arg;
    struct sf_op op = w->op;
    op.arena = sf_arena_new();
    for (int i = 0; i < 6; i++) {
        struct sf_aws_call c = {.service = SF_AWS_IAM, .action = "GetRole"};
        const struct sf_value *reply = NULL;
        struct sf_err err;
        assert_int_equal(sf_aws_call(&op, &c, &reply, &err), SF_OK);
        assert_string_equal(sf_aws_text(reply, "Role.Arn").p, "a");
        sf_aws_note_role(&op, SF_STR("arn:aws:iam::123456789012:role/x"));
    }
    sf_arena_free(op.arena);
    return NULL;
}

static void workers_share_one_client(void **state)
{
    struct world *w = *state;
    pthread_t threads[8];
    for (int i = 0; i < 48; i++)
        server_will_reply(w->server, 200, "", ROLE);
    for (size_t i = 0; i < SF_COUNT(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_roles, w), 0);
    for (size_t i = 0; i < SF_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(server_requests(w->server), 48);
}

static void arns_carry_partition_region_and_account_as_the_service_has_them(void **state)
{
    struct world *w = *state;
    assert_string_equal(sf_aws_arn(&w->op, "iam", false, "role/%s", "x").p, "arn:aws:iam::123456789012:role/x");
    assert_string_equal(sf_aws_arn(&w->op, "transfer", true, "server/%s", "s-1").p,
                        "arn:aws:transfer:us-west-2:123456789012:server/s-1");
    assert_string_equal(sf_aws_arn(&w->op, "s3", true, "%s", "b").p, "arn:aws:s3:::b");
}

static void a_role_of_this_run_is_awaited_for_two_minutes(void **state)
{
    struct world *w = *state;
    struct sf_err err = {.remote_code = "InvalidParameterValue",
                         .message = "AWS's redshift refused it: The IAM role arn:x is not valid."};
    struct sf_err other = {.remote_code = "InvalidParameterValue", .message = "AWS's redshift refused it: bad node type"};
    const struct sf_value *arns = world_value(w, "[\"arn:y\",\"arn:x\"]");
    sf_clock_use_virtual(1000000);
    assert_false(sf_aws_awaits_role(&w->op, arns, &err));
    sf_aws_note_role(&w->op, SF_STR("arn:x"));
    assert_true(sf_aws_awaits_role(&w->op, arns, &err));
    assert_true(sf_aws_awaits_role(&w->op, world_value(w, "\"arn:x\""), &err));
    assert_false(sf_aws_awaits_role(&w->op, arns, &other));
    assert_false(sf_aws_awaits_role(&w->op, NULL, &err));
    assert_false(sf_aws_awaits_role(&w->op, world_value(w, "[\"arn:y\"]"), &err));
    sf_clock_advance(2 * 60 * 1000);
    assert_false(sf_aws_awaits_role(&w->op, arns, &err));
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        EACH(a_query_call_is_a_signed_form_and_its_result_the_reply),
        EACH(an_ec2_reply_has_no_wrapper_and_lists_of_one_look_like_lists),
        EACH(a_json_call_names_its_target_and_may_have_no_answer),
        EACH(an_s3_put_is_hashed_twice_and_goes_to_the_path_of_a_custom_endpoint),
        EACH(an_objects_content_is_handed_out_as_it_is),
        EACH(an_s3_root_without_children_is_found_by_its_name),
        EACH(a_200_of_s3_can_hold_an_error),
        EACH(what_changes_the_world_is_announced_before_it_is_sent),
        EACH(nothing_is_changed_while_planning),
        EACH(a_value_that_is_not_known_is_never_sent),
        EACH(a_lost_reply_means_what_the_call_does_to_the_world),
        EACH(a_create_is_sent_once_whatever_becomes_of_its_connection),
        EACH(a_reply_that_never_comes_ends_with_the_operation),
        EACH(half_a_document_is_not_a_reply),
        EACH(a_wrong_clock_is_corrected_from_the_reply_and_told_once),
        EACH(a_clock_is_corrected_once_a_call_and_only_if_it_is_wrong),
        EACH(all_pages_are_one_list),
        EACH(pages_that_go_in_circles_are_refused),
        EACH(a_token_of_s3_goes_into_the_query),
        EACH(workers_share_one_client),
        EACH(arns_carry_partition_region_and_account_as_the_service_has_them),
        EACH(a_role_of_this_run_is_awaited_for_two_minutes), /* last: it stops the clock */
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Objects of a bucket on AWS: listed, read in ranges, put, deleted with all their versions. */
#include "resources/aws/s3_empty.h"
#include "resources/aws/s3_objects.h"
#include "tests/unit/resources/aws/client/world.h"

static const struct sf_object bucket = {.id = {"b", 1}};

#define VERSION(key, id) "<Version><Key>" key "</Key><VersionId>" id "</VersionId></Version>"
#define MARKER(key, id) "<DeleteMarker><Key>" key "</Key><VersionId>" id "</VersionId></DeleteMarker>"
#define VERSIONS(list) "<ListVersionsResult><EncodingType>url</EncodingType>" list "</ListVersionsResult>"
#define DELETED(list) "<DeleteResult>" list "</DeleteResult>"

static void all_pages_are_listed_with_their_keys_decoded(void **state)
{
    struct world *w = *state;
    struct sf_bucket_entry *entries;
    size_t n;
    server_will_reply(
        w->server, 200, "",
        "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextContinuationToken>t=1"
        "</NextContinuationToken><Contents><Key>in/b+%2B%26%3C.csv</Key><Size>7</Size></Contents></ListBucketResult>");
    server_will_reply(w->server, 200, "",
                      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated><Contents><Key>in/a</Key>"
                      "<Size>5000000000</Size></Contents></ListBucketResult>");
    assert_int_equal(sf_aws_bucket_list(&w->op, &bucket, SF_STR("in/"), &entries, &n, &w->err), SF_OK);
    world_assert_sent(w, 0, "GET /b?list-type=2&encoding-type=url&prefix=in%2F HTTP/1.1\r\n");
    world_assert_sent(w, 1, "&continuation-token=t%3D1");
    assert_int_equal(n, 2);
    assert_string_equal(entries[0].key.p, "in/a");
    assert_int_equal(entries[0].bytes, 5000000000);
    assert_string_equal(entries[1].key.p, "in/b +&<.csv");
    assert_int_equal(entries[1].bytes, 7);
}

static struct sf_str read_all(struct world *w, struct sf_reader *reader, enum sf_code *rc)
{
    struct sf_buf all = SF_BUF(1000);
    char bytes[3];
    size_t got = 1;
    for (*rc = SF_OK; !*rc && got > 0;) {
        *rc = reader->read(reader, bytes, sizeof(bytes), &got, &w->err);
        if (!*rc)
            sf_buf_add(&all, (struct sf_str){bytes, got});
    }
    struct sf_str text = sf_str_dup(w->arena, sf_buf_str(&all));
    sf_buf_free(&all);
    return text;
}

static void an_object_is_read_range_by_range_and_all_of_one_life(void **state)
{
    struct world *w = *state;
    struct sf_reader reader;
    enum sf_code rc;
    server_will_reply(w->server, 206, "ETag: \"e1\"\r\nContent-Range: bytes 0-4/9\r\n", "<some");
    server_will_reply(w->server, 206, "ETag: \"e1\"\r\nContent-Range: bytes 5-8/9\r\n", "body");
    assert_int_equal(sf_aws_bucket_open(&w->op, &bucket, SF_STR("k"), &reader, &w->err), SF_OK);
    assert_string_equal(read_all(w, &reader, &rc).p, "<somebody");
    assert_int_equal(rc, SF_OK);
    reader.close(&reader);
    world_assert_sent(w, 0, "\r\nrange: bytes=0-8388607\r\n");
    world_assert_sent(w, 1, "\r\nrange: bytes=5-8388612\r\n");
    world_assert_sent(w, 1, "\r\nif-match: \"e1\"\r\n");
    assert_int_equal(server_requests(w->server), 2);
}

static void an_object_that_was_replaced_while_it_was_read_is_stale(void **state)
{
    struct world *w = *state;
    struct sf_reader reader;
    enum sf_code rc;
    server_will_reply(w->server, 206, "ETag: \"e1\"\r\nContent-Range: bytes 0-4/9\r\n", "12345");
    server_will_reply(w->server, 412, "", "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>");
    assert_int_equal(sf_aws_bucket_open(&w->op, &bucket, SF_STR("k"), &reader, &w->err), SF_OK);
    read_all(w, &reader, &rc);
    assert_int_equal(rc, SF_E_STALE);
    reader.close(&reader);
}

static void an_empty_object_and_one_sent_whole_are_read_and_none_is_absent(void **state)
{
    struct world *w = *state;
    struct sf_reader reader;
    enum sf_code rc;
    server_will_reply(w->server, 416, "", "<Error><Code>InvalidRange</Code><Message>no</Message></Error>");
    assert_int_equal(sf_aws_bucket_open(&w->op, &bucket, SF_STR("k"), &reader, &w->err), SF_OK);
    assert_int_equal(read_all(w, &reader, &rc).n, 0);
    reader.close(&reader);
    server_will_reply(w->server, 200, "ETag: \"e1\"\r\n", "whole");
    assert_int_equal(sf_aws_bucket_open(&w->op, &bucket, SF_STR("k"), &reader, &w->err), SF_OK);
    assert_string_equal(read_all(w, &reader, &rc).p, "whole");
    reader.close(&reader);
    server_will_reply(w->server, 404, "", "<Error><Code>NoSuchKey</Code><Message>no</Message></Error>");
    assert_int_equal(sf_aws_bucket_open(&w->op, &bucket, SF_STR("k"), &reader, &w->err), SF_E_ABSENT);
}

static void an_object_is_put_with_its_md5(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "ETag: \"e\"\r\n", "");
    assert_int_equal(sf_aws_bucket_put(&w->op, &bucket, SF_STR("a/b c"), SF_STR("{}"), &w->err), SF_OK);
    world_assert_sent(w, 0, "PUT /b/a/b%20c HTTP/1.1\r\n");
    world_assert_sent(w, 0, "\r\ncontent-md5: mZFLkyvTelC5g8XnyQrpOw==\r\n");
}

static void all_versions_of_one_key_go_and_those_of_longer_keys_stay(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "",
                      VERSIONS(VERSION("k%26", "1") VERSION("k%26", "2") VERSION("k%26more", "3") MARKER("k%26", "4")));
    server_will_reply(w->server, 200, "", DELETED(""));
    server_will_reply(w->server, 200, "", VERSIONS(VERSION("k%26more", "3")));
    assert_int_equal(sf_aws_bucket_delete(&w->op, &bucket, SF_STR("k&"), &w->err), SF_OK);
    assert_int_equal(server_requests(w->server), 3);
    world_assert_sent(w, 0, "GET /b?versions&encoding-type=url&prefix=k%26 HTTP/1.1\r\n");
    world_assert_sent(w, 1, "POST /b?delete HTTP/1.1\r\n");
    world_assert_sent(
        w, 1,
        "<Quiet>true</Quiet><Object><Key>k&amp;</Key><VersionId>1</VersionId></Object><Object><Key>k&amp;</Key><VersionId>2"
        "</VersionId></Object><Object><Key>k&amp;</Key><VersionId>4</VersionId></Object></Delete>");
    world_assert_sent(w, 1, "\r\ncontent-md5: ");
}

static void a_key_that_is_not_there_or_a_bucket_that_is_gone_is_deleted(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", VERSIONS(""));
    assert_int_equal(sf_aws_bucket_delete(&w->op, &bucket, SF_STR("k"), &w->err), SF_OK);
    server_will_reply(w->server, 404, "", "<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>");
    assert_int_equal(sf_aws_bucket_delete(&w->op, &bucket, SF_STR("k"), &w->err), SF_OK);
}

static void a_key_that_xml_cannot_say_is_deleted_by_itself(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", VERSIONS(VERSION("k%01", "null")));
    server_will_reply(w->server, 204, "", "");
    server_will_reply(w->server, 200, "", VERSIONS(""));
    assert_int_equal(sf_aws_bucket_delete(&w->op, &bucket, SF_STR("k\x01"), &w->err), SF_OK);
    world_assert_sent(w, 1, "DELETE /b/k%01?versionId=null HTTP/1.1\r\n");
}

static void an_error_inside_a_successful_reply_is_an_error(void **state)
{
    static const struct {
        const char *code;
        enum sf_code rc;
    } cases[] = {{"AccessDenied", SF_E_DENIED},
                 {"SlowDown", SF_E_THROTTLED},
                 {"InternalError", SF_E_UNAVAILABLE},
                 {"MalformedXML", SF_E_REFUSED}};
    struct world *w = *state;
    for (size_t i = 0; i < SF_COUNT(cases); i++) {
        char reply[400];
        snprintf(reply, sizeof(reply),
                 DELETED("<Error><Key>k</Key><VersionId>1</VersionId><Code>%s</Code><Message>no</Message></Error>"
                         "<Error><Key>l</Key><Code>x</Code></Error>"),
                 cases[i].code);
        server_will_reply(w->server, 200, "", VERSIONS(VERSION("k", "1")));
        server_will_reply(w->server, 200, "", reply);
        w->err = (struct sf_err){0};
        assert_int_equal(sf_s3_empty(&w->op, SF_STR("b"), true, &w->err), cases[i].rc);
        assert_non_null(strstr(w->err.message, "S3 did not delete 'k' and 1 more from bucket 'b'"));
        assert_string_equal(w->err.remote_code, cases[i].code);
    }
}

static void what_is_still_listed_after_it_was_deleted_is_told(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 2; i++) {
        server_will_reply(w->server, 200, "", VERSIONS(VERSION("k", "1")));
        if (i == 0)
            server_will_reply(w->server, 200, "", DELETED(""));
    }
    assert_int_equal(sf_s3_empty(&w->op, SF_STR("b"), true, &w->err), SF_E_REFUSED);
    assert_non_null(strstr(w->err.message, "but still lists it"));
}

static void open_uploads_are_aborted_page_by_page(void **state)
{
    struct world *w = *state;
    server_will_reply(w->server, 200, "", VERSIONS(""));
    server_will_reply(
        w->server, 200, "",
        "<R><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><Upload><Key>a%2Bb</Key><UploadId>u/1</UploadId>"
        "</Upload></R>");
    server_will_reply(w->server, 204, "", "");
    server_will_reply(w->server, 200, "",
                      "<R><IsTruncated>false</IsTruncated><Upload><Key>c</Key><UploadId>2</UploadId></Upload></R>");
    server_will_reply(w->server, 404, "", "<Error><Code>NoSuchUpload</Code><Message>no</Message></Error>");
    assert_int_equal(sf_s3_empty(&w->op, SF_STR("b"), true, &w->err), SF_OK);
    world_assert_sent(w, 2, "DELETE /b/a%2Bb?uploadId=u%2F1 HTTP/1.1\r\n");
    world_assert_sent(w, 4, "DELETE /b/c?uploadId=2 HTTP/1.1\r\n");
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        EACH(all_pages_are_listed_with_their_keys_decoded),
        EACH(an_object_is_read_range_by_range_and_all_of_one_life),
        EACH(an_object_that_was_replaced_while_it_was_read_is_stale),
        EACH(an_empty_object_and_one_sent_whole_are_read_and_none_is_absent),
        EACH(an_object_is_put_with_its_md5),
        EACH(all_versions_of_one_key_go_and_those_of_longer_keys_stay),
        EACH(a_key_that_is_not_there_or_a_bucket_that_is_gone_is_deleted),
        EACH(a_key_that_xml_cannot_say_is_deleted_by_itself),
        EACH(an_error_inside_a_successful_reply_is_an_error),
        EACH(what_is_still_listed_after_it_was_deleted_is_told),
        EACH(open_uploads_are_aborted_page_by_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Uploads in parts: their sizes, one that is gone on with, what is made of the parts, what is given up. */
#include "resources/aws/s3_multipart.h"
#include "tests/unit/resources/aws/client/world.h"

/* base64 of the SHA-256 of "a" and of "b"; the SHA-256 of both digests */
#define SHA_A "ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs="
#define SHA_B "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0="
#define SHA_AB "5aAf7hTg7VxIcU8iGA8lrYNltT+XefedxKPX6Tlj+Uo="

#define UPLOAD(key, id) "<Upload><Key>" key "</Key><UploadId>" id "</UploadId></Upload>"
#define UPLOADS(list) "<ListMultipartUploadsResult><EncodingType>url</EncodingType>" list "</ListMultipartUploadsResult>"

static const struct sf_str bucket = {"b", 1};

static void parts_have_eight_mib_or_more_and_are_never_too_many(void **state)
{
    const int64_t mib = 1024 * 1024, tib = mib * mib;
    (void)state;
    assert_int_equal(sf_s3_part_bytes(0), 8 * mib);
    assert_int_equal(sf_s3_part_bytes(80000 * mib), 8 * mib);
    assert_int_equal(sf_s3_part_bytes(80000 * mib + 1), 9 * mib);
    assert_true((5 * tib + sf_s3_part_bytes(5 * tib) - 1) / sf_s3_part_bytes(5 * tib) <= 10000);
}

static void the_youngest_open_upload_is_gone_on_with_and_the_others_of_its_key_end(void **state)
{
    struct world *w = *state;
    struct sf_s3_part_put parts[3] = {0};
    struct sf_s3_upload upload = {.key = SF_STR("d/k"), .parts = parts, .n_parts = 3};
    server_will_reply(w->server, 200, "",
                      UPLOADS("<IsTruncated>true</IsTruncated><NextKeyMarker>d%2Fk</NextKeyMarker>"
                              "<NextUploadIdMarker>old</NextUploadIdMarker>" UPLOAD("d%2Fk", "old")));
    server_will_reply(w->server, 200, "", UPLOADS(UPLOAD("d%2Fk", "young") UPLOAD("d%2Fk2", "foreign")));
    server_will_reply(w->server, 204, "", "");
    server_will_reply(w->server, 200, "",
                      "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>1</NextPartNumberMarker>"
                      "<Part><PartNumber>1</PartNumber><Size>7</Size><ETag>\"e1\"</ETag><ChecksumSHA256>" SHA_A
                      "</ChecksumSHA256></Part></ListPartsResult>");
    server_will_reply(w->server, 200, "",
                      "<ListPartsResult><IsTruncated>false</IsTruncated>"
                      "<Part><PartNumber>3</PartNumber><Size>2</Size><ETag>\"e3\"</ETag></Part>"
                      "<Part><PartNumber>4</PartNumber><Size>2</Size></Part></ListPartsResult>");
    assert_int_equal(sf_s3_upload_begin(&w->op, bucket, &upload, &w->err), SF_OK);
    world_assert_sent(w, 0, "GET /b?uploads&prefix=d%2Fk&encoding-type=url HTTP/1.1\r\n");
    world_assert_sent(w, 1, "&key-marker=d%2Fk&upload-id-marker=old HTTP/1.1\r\n");
    world_assert_sent(w, 2, "DELETE /b/d/k?uploadId=old HTTP/1.1\r\n");
    world_assert_sent(w, 3, "GET /b/d/k?uploadId=young HTTP/1.1\r\n");
    world_assert_sent(w, 4, "GET /b/d/k?uploadId=young&part-number-marker=1 HTTP/1.1\r\n");
    assert_string_equal(upload.id.p, "young");
    assert_true(parts[0].is_there && !parts[1].is_there && parts[2].is_there);
    assert_string_equal(parts[0].checksum, SHA_A);
    assert_string_equal(parts[2].etag, "e3");
    assert_int_equal(parts[2].bytes, 2);
}

static void without_one_an_upload_is_begun_that_will_have_checksums(void **state)
{
    struct world *w = *state;
    struct sf_s3_part_put parts[2] = {0};
    struct sf_s3_upload upload = {.key = SF_STR("k"), .parts = parts, .n_parts = 2};
    server_will_reply(w->server, 200, "", UPLOADS(UPLOAD("k2", "foreign")));
    server_will_reply(w->server, 200, "", "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>");
    assert_int_equal(sf_s3_upload_begin(&w->op, bucket, &upload, &w->err), SF_OK);
    world_assert_sent(w, 1, "POST /b/k?uploads HTTP/1.1\r\n");
    world_assert_sent(w, 1, "\r\nx-amz-checksum-algorithm: SHA256\r\n");
    assert_string_equal(upload.id.p, "u1");
}

static void fill(struct sf_s3_part_put *part, const char *checksum, const char *etag)
{
    snprintf(part->checksum, sizeof(part->checksum), "%s", checksum);
    snprintf(part->etag, sizeof(part->etag), "%s", etag);
}

static void the_whole_is_what_the_parts_say_or_it_is_refused(void **state)
{
    struct world *w = *state;
    struct sf_s3_part_put parts[2] = {0};
    struct sf_s3_upload upload = {.key = SF_STR("k"), .id = SF_STR("u1"), .parts = parts, .n_parts = 2};
    struct sf_str etag;
    fill(&parts[0], SHA_A, "e1");
    fill(&parts[1], SHA_B, "e<2");
    server_will_reply(w->server, 200, "",
                      "<CompleteMultipartUploadResult><ETag>\"w-2\"</ETag><ChecksumSHA256>" SHA_AB
                      "-2</ChecksumSHA256></CompleteMultipartUploadResult>");
    assert_int_equal(sf_s3_upload_finish(&w->op, bucket, &upload, &etag, &w->err), SF_OK);
    assert_string_equal(sf_str_dup(w->arena, etag).p, "w-2");
    world_assert_sent(w, 0, "POST /b/k?uploadId=u1 HTTP/1.1\r\n");
    world_assert_sent(w, 0, "<ChecksumSHA256>" SHA_A "</ChecksumSHA256><PartNumber>1</PartNumber></Part><Part>");
    world_assert_sent(w, 0, "e&lt;2");
    server_will_reply(w->server, 200, "",
                      "<CompleteMultipartUploadResult><ETag>\"w-2\"</ETag><ChecksumSHA256>" SHA_A
                      "-2</ChecksumSHA256></CompleteMultipartUploadResult>");
    assert_int_equal(sf_s3_upload_finish(&w->op, bucket, &upload, &etag, &w->err), SF_E_REFUSED);
    assert_non_null(strstr(w->err.message, SHA_AB));
    /* a success that is none: S3 sends its 200 before it is through */
    server_will_reply(w->server, 200, "", "<Error><Code>InternalError</Code><Message>no</Message></Error>");
    assert_int_equal(sf_s3_upload_finish(&w->op, bucket, &upload, &etag, &w->err), SF_E_UNAVAILABLE);
}

static void only_uploads_of_the_given_keys_are_given_up(void **state)
{
    struct world *w = *state;
    struct sf_map *keys = sf_map_new(w->arena);
    sf_map_put(keys, SF_STR("d/a"), keys);
    server_will_reply(w->server, 200, "", UPLOADS(UPLOAD("d%2Fa", "1") UPLOAD("d%2Fb", "2") UPLOAD("d%2Fa", "3")));
    server_will_reply(w->server, 204, "", "");
    server_will_reply(w->server, 404, "", "<Error><Code>NoSuchUpload</Code><Message>no</Message></Error>");
    assert_int_equal(sf_s3_uploads_abort(&w->op, bucket, SF_STR("d/"), keys, &w->err), SF_OK);
    world_assert_sent(w, 1, "DELETE /b/d/a?uploadId=1 HTTP/1.1\r\n");
    world_assert_sent(w, 2, "DELETE /b/d/a?uploadId=3 HTTP/1.1\r\n");
    assert_int_equal(server_requests(w->server), 3);
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_have_eight_mib_or_more_and_are_never_too_many),
        EACH(the_youngest_open_upload_is_gone_on_with_and_the_others_of_its_key_end),
        EACH(without_one_an_upload_is_begun_that_will_have_checksums),
        EACH(the_whole_is_what_the_parts_say_or_it_is_refused),
        EACH(only_uploads_of_the_given_keys_are_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

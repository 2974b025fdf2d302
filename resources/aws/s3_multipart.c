/* See s3_multipart.h. */
#include "resources/aws/s3_multipart.h"

#include "engine/core/xml.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MIB (1024 * 1024)
enum { MIN_PART_BYTES = 8 * MIB, MAX_PARTS = 10000, MAX_XML_BYTES = 4 * MIB };

int64_t sf_s3_part_bytes(int64_t bytes)
{
    int64_t needed = (bytes + MAX_PARTS - 1) / MAX_PARTS;
    int64_t rounded = (needed + MIB - 1) / MIB * MIB;
    return rounded > MIN_PART_BYTES ? rounded : MIN_PART_BYTES;
}

/* --- open uploads --- */

static void keep(char *to, size_t size, struct sf_str text)
{
    snprintf(to, size, "%.*s", (int)(text.n < size ? text.n : 0), text.n < size ? text.p : "");
}

static enum sf_code list_uploads(struct sf_op *op, struct sf_str bucket, struct sf_str prefix, const struct sf_value **uploads,
                                 struct sf_err *err)
{
    struct sf_value *query = sf_s3_query(op, "uploads");
    const struct sf_value **all = NULL;
    size_t n = 0, cap = 0;
    if (prefix.n)
        sf_map_set_str(op->arena, query, "prefix", prefix);
    sf_map_set_str(op->arena, query, "encoding-type", SF_STR("url"));
    for (;;) {
        const struct sf_value *reply = NULL;
        struct sf_aws_call call = {.service = SF_AWS_S3,
                                   .action = "ListMultipartUploads",
                                   .effect = SF_AWS_READ,
                                   .method = "GET",
                                   .bucket = bucket,
                                   .query = query,
                                   .resource = sf_s3_bucket_arn(op, bucket),
                                   .permission = "s3:ListBucketMultipartUploads"};
        enum sf_code rc = sf_aws_call(op, &call, &reply, err);
        if (rc)
            return rc;
        const struct sf_value *page = sf_aws_items(op->arena, reply, "Upload");
        bool is_encoded = sf_str_is(sf_aws_text(reply, "EncodingType"), "url");
        for (size_t i = 0; i < page->list.n; i++) {
            struct sf_value *upload = sf_value_map(op->arena);
            struct sf_str key = sf_aws_text(page->list.items[i], "Key");
            sf_map_set_str(op->arena, upload, "Key", is_encoded ? sf_s3_key_of(op->arena, key) : key);
            sf_map_set_str(op->arena, upload, "UploadId", sf_aws_text(page->list.items[i], "UploadId"));
            all = sf_arena_grow(op->arena, all, n, &cap, sizeof(struct sf_value *));
            all[n++] = upload;
        }
        struct sf_str key = sf_aws_text(reply, "NextKeyMarker"), id = sf_aws_text(reply, "NextUploadIdMarker");
        if (!sf_aws_bool(reply, "IsTruncated", false) || !key.n || sf_str_eq(id, sf_map_str(query, "upload-id-marker"))) {
            *uploads = sf_value_list(op->arena, all, n);
            return SF_OK;
        }
        sf_map_set_str(op->arena, query, "key-marker", is_encoded ? sf_s3_key_of(op->arena, key) : key);
        sf_map_set_str(op->arena, query, "upload-id-marker", id);
    }
}

static struct sf_aws_call call_of(struct sf_op *op, struct sf_str bucket, struct sf_str key, struct sf_str id, const char *action,
                                  const char *method)
{
    struct sf_value *query = sf_value_map(op->arena);
    sf_map_set_str(op->arena, query, "uploadId", id);
    return (struct sf_aws_call){.service = SF_AWS_S3,
                                .action = action,
                                .effect = SF_AWS_PUT,
                                .method = method,
                                .bucket = bucket,
                                .key = key,
                                .query = query,
                                .resource = sf_s3_key_arn(op, bucket, key)};
}

static enum sf_code abort_upload(struct sf_op *op, struct sf_str bucket, struct sf_str key, struct sf_str id, struct sf_err *err)
{
    struct sf_aws_call call = call_of(op, bucket, key, id, "AbortMultipartUpload", "DELETE");
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    return rc == SF_E_ABSENT && !sf_aws_is_error(err, "NoSuchBucket", NULL) ? SF_OK : rc;
}

enum sf_code sf_s3_uploads_abort(struct sf_op *op, struct sf_str bucket, struct sf_str prefix, const struct sf_map *keys,
                                 struct sf_err *err)
{
    const struct sf_value *open;
    enum sf_code rc = list_uploads(op, bucket, prefix, &open, err);
    for (size_t i = 0; !rc && i < open->list.n; i++) {
        struct sf_str key = sf_map_str(open->list.items[i], "Key");
        if (sf_map_find(keys, key))
            rc = abort_upload(op, bucket, key, sf_map_str(open->list.items[i], "UploadId"), err);
    }
    return rc;
}

/* --- parts that are there --- */

static void note_part(struct sf_s3_upload *upload, const struct sf_value *listed)
{
    int64_t number = sf_aws_int(listed, "PartNumber", 0);
    if (number < 1 || (uint64_t)number > upload->n_parts)
        return;
    struct sf_s3_part_put *part = &upload->parts[number - 1];
    part->is_there = true;
    part->bytes = sf_aws_int(listed, "Size", -1);
    keep(part->checksum, sizeof(part->checksum), sf_aws_text(listed, "ChecksumSHA256"));
    keep(part->etag, sizeof(part->etag), sf_s3_bare_etag(sf_aws_text(listed, "ETag")));
}

static enum sf_code list_parts(struct sf_op *op, struct sf_str bucket, struct sf_s3_upload *upload, struct sf_err *err)
{
    struct sf_str marker = SF_STR_NONE;
    for (;;) {
        const struct sf_value *reply = NULL;
        struct sf_aws_call call = call_of(op, bucket, upload->key, upload->id, "ListParts", "GET");
        call.effect = SF_AWS_READ;
        call.permission = "s3:ListMultipartUploadParts";
        if (marker.n)
            sf_map_set_str(op->arena, (struct sf_value *)call.query, "part-number-marker", marker);
        enum sf_code rc = sf_aws_call(op, &call, &reply, err);
        if (rc)
            return rc;
        const struct sf_value *parts = sf_aws_items(op->arena, reply, "Part");
        for (size_t i = 0; i < parts->list.n; i++)
            note_part(upload, parts->list.items[i]);
        struct sf_str next = sf_aws_text(reply, "NextPartNumberMarker");
        if (!sf_aws_bool(reply, "IsTruncated", false) || !next.n || sf_str_eq(next, marker))
            return SF_OK;
        marker = next;
    }
}

/* --- begin, finish --- */

static enum sf_code create_upload(struct sf_op *op, struct sf_str bucket, struct sf_s3_upload *upload, struct sf_err *err)
{
    static const struct sf_http_header algorithm[] = {{{"x-amz-checksum-algorithm", 24}, {"SHA256", 6}}};
    const struct sf_value *reply = NULL;
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "CreateMultipartUpload",
                               .effect = SF_AWS_MAKE,
                               .method = "POST",
                               .bucket = bucket,
                               .key = upload->key,
                               .query = sf_s3_query(op, "uploads"),
                               .headers = algorithm,
                               .n_headers = SF_COUNT(algorithm),
                               .resource = sf_s3_key_arn(op, bucket, upload->key),
                               .permission = "s3:PutObject"};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    if (rc == SF_E_UNKNOWN) /* the next try looks for it first */
        rc = err->code = SF_E_UNAVAILABLE;
    upload->id = sf_aws_text(reply, "UploadId");
    return rc || upload->id.n ? rc : sf_fail(err, SF_E_UNAVAILABLE, "S3 began an upload without naming it");
}

enum sf_code sf_s3_upload_begin(struct sf_op *op, struct sf_str bucket, struct sf_s3_upload *upload, struct sf_err *err)
{
    const struct sf_value *open;
    enum sf_code rc = list_uploads(op, bucket, upload->key, &open, err);
    for (size_t i = 0; !rc && i < open->list.n; i++) {
        struct sf_str id = sf_map_str(open->list.items[i], "UploadId");
        if (!sf_str_eq(sf_map_str(open->list.items[i], "Key"), upload->key))
            continue;
        if (upload->id.n) { /* listed in the order in which they were begun: this one is younger */
            rc = abort_upload(op, bucket, upload->key, upload->id, err);
        }
        upload->id = id;
    }
    if (rc)
        return rc;
    return upload->id.n ? list_parts(op, bucket, upload, err) : create_upload(op, bucket, upload, err);
}

/* Base64 of the SHA-256 of the parts' SHA-256s, "-" and how many. */
static struct sf_str composite(struct sf_arena *arena, const struct sf_s3_upload *upload)
{
    unsigned char digest[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!md)
        sf_out_of_memory();
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    for (size_t i = 0; i < upload->n_parts; i++) {
        int got = EVP_DecodeBlock(digest, (const unsigned char *)upload->parts[i].checksum, (int)strlen(upload->parts[i].checksum));
        EVP_DigestUpdate(md, digest, got >= SF_S3_DIGEST_BYTES ? SF_S3_DIGEST_BYTES : 0);
    }
    EVP_DigestFinal_ex(md, digest, &n);
    EVP_MD_CTX_free(md);
    int encoded = EVP_EncodeBlock(text, digest, (int)n);
    return sf_str_fmt(arena, "%.*s-%zu", encoded, (const char *)text, upload->n_parts);
}

enum sf_code sf_s3_upload_finish(struct sf_op *op, struct sf_str bucket, const struct sf_s3_upload *upload, struct sf_str *etag,
                                 struct sf_err *err)
{
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    const struct sf_value *reply = NULL;
    sf_buf_addz(&xml, "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < upload->n_parts; i++) {
        sf_buf_addz(&xml, "<Part><ETag>");
        sf_xml_write_text(&xml, sf_str_fmt(op->arena, "\"%s\"", upload->parts[i].etag));
        sf_buf_addf(&xml, "</ETag><ChecksumSHA256>%s</ChecksumSHA256><PartNumber>%zu</PartNumber></Part>",
                    upload->parts[i].checksum, i + 1);
    }
    sf_buf_addz(&xml, "</CompleteMultipartUpload>");
    struct sf_aws_call call = call_of(op, bucket, upload->key, upload->id, "CompleteMultipartUpload", "POST");
    call.body = sf_buf_str(&xml);
    call.effect = SF_AWS_MAKE; /* sent once: a second would not find the upload any more */
    call.permission = "s3:PutObject";
    call.is_announced = true;
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    sf_buf_free(&xml);
    if (rc == SF_E_UNKNOWN)
        rc = err->code = SF_E_UNAVAILABLE;
    if (rc)
        return rc;
    struct sf_str whole = sf_aws_text(reply, "ChecksumSHA256"), wanted = composite(op->arena, upload);
    *etag = sf_s3_bare_etag(sf_aws_text(reply, "ETag"));
    if (!whole.n || sf_str_eq(whole, wanted))
        return SF_OK;
    sf_fail(err, SF_E_REFUSED, "S3 made of the parts of '%.*s' an object with checksum %.*s, not %.*s", SF_ARG(upload->key),
            SF_ARG(whole), SF_ARG(wanted));
    sf_hint(err, "run the same command again: what is not as it should be is put again");
    return SF_E_REFUSED;
}

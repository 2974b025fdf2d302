/* See s3_objects.h. */
#include "resources/aws/s3_objects.h"

#include "resources/aws/s3_empty.h"

#include <inttypes.h>
#include <stdlib.h>

enum { RANGE_BYTES = 8 * 1024 * 1024 };

/* --- list --- */

static int by_key(const void *a, const void *b)
{
    return sf_str_cmp(((const struct sf_bucket_entry *)a)->key, ((const struct sf_bucket_entry *)b)->key);
}

enum sf_code sf_aws_bucket_list(struct sf_op *op, const struct sf_object *bucket, struct sf_str prefix,
                                struct sf_bucket_entry **entries, size_t *n, struct sf_err *err)
{
    static const struct sf_aws_pages pages = {"Contents", "continuation-token", "NextContinuationToken"};
    struct sf_value *query = sf_value_map(op->arena);
    const struct sf_value *items = NULL;
    sf_map_set_str(op->arena, query, "list-type", SF_STR("2"));
    sf_map_set_str(op->arena, query, "encoding-type", SF_STR("url"));
    if (prefix.n)
        sf_map_set_str(op->arena, query, "prefix", prefix);
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "ListObjectsV2",
                               .effect = SF_AWS_READ,
                               .method = "GET",
                               .bucket = bucket->id,
                               .query = query,
                               .resource = sf_s3_bucket_arn(op, bucket->id),
                               .permission = "s3:ListBucket"};
    enum sf_code rc = sf_aws_list(op, &call, &pages, &items, err);
    if (rc)
        return rc;
    *n = items->list.n;
    *entries = SF_NEW_ARRAY(op->arena, *n, struct sf_bucket_entry);
    for (size_t i = 0; i < *n; i++)
        (*entries)[i] = (struct sf_bucket_entry){.key = sf_s3_key_of(op->arena, sf_aws_text(items->list.items[i], "Key")),
                                                 .bytes = sf_aws_int(items->list.items[i], "Size", 0),
                                                 .etag = sf_s3_bare_etag(sf_aws_text(items->list.items[i], "ETag"))};
    qsort(*entries, *n, sizeof(**entries), by_key);
    return SF_OK;
}

/* --- open --- */

/* A range of an object, held in an arena of its own until the next is asked for. */
struct object {
    struct sf_op op;        /* with the range's arena */
    struct sf_arena *arena; /* for what all ranges share */
    struct sf_str bucket, key, etag;
    int64_t at, total; /* bytes read so far; of the whole object */
    struct sf_str range;
    size_t used; /* of `range` */
};

/* "bytes 0-8388607/12345678" */
static bool total_of(const struct sf_value *reply, int64_t *total)
{
    struct sf_str text = sf_aws_text(reply, "content-range");
    size_t slash = sf_str_find(text, SF_STR("/"));
    return slash != SIZE_MAX && sf_str_int64(sf_str_slice(text, slash + 1, text.n), total);
}

static enum sf_code get_range(struct object *object, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    struct sf_http_header headers[2];
    size_t n = 0;
    struct sf_arena *before = object->op.arena;
    object->op.arena = sf_arena_new();
    headers[n++] = (struct sf_http_header){
        SF_STR("range"), sf_str_fmt(object->op.arena, "bytes=%" PRId64 "-%" PRId64, object->at, object->at + RANGE_BYTES - 1)};
    if (object->etag.n)
        headers[n++] = (struct sf_http_header){SF_STR("if-match"), object->etag};
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "GetObject",
                               .effect = SF_AWS_READ,
                               .method = "GET",
                               .bucket = object->bucket,
                               .key = object->key,
                               .headers = headers,
                               .n_headers = n,
                               .resource = sf_s3_key_arn(&object->op, object->bucket, object->key)};
    enum sf_code rc = sf_aws_call(&object->op, &call, &reply, err);
    sf_arena_free(before);
    object->range = SF_STR_NONE;
    object->used = 0;
    if (rc && object->at == 0 && sf_aws_is_error(err, "InvalidRange", NULL)) /* an empty object has no first byte */
        return SF_OK;
    if (rc && sf_aws_is_error(err, "PreconditionFailed", NULL))
        return sf_fail(err, SF_E_STALE, "object '%.*s' was replaced while it was read", SF_ARG(object->key));
    if (rc)
        return rc;
    if (!object->etag.n)
        object->etag = sf_str_dup(object->arena, sf_aws_text(reply, "etag"));
    object->range = sf_aws_text(reply, "body");
    if (!total_of(reply, &object->total)) /* a server that does not know ranges sent the whole */
        object->total = object->at + (int64_t)object->range.n;
    object->at += (int64_t)object->range.n;
    return SF_OK;
}

static enum sf_code read_object(struct sf_reader *reader, void *bytes, size_t n, size_t *got, struct sf_err *err)
{
    struct object *object = reader->impl;
    *got = 0;
    if (object->used == object->range.n && object->at < object->total) {
        enum sf_code rc = get_range(object, err);
        if (rc)
            return rc;
        if (!object->range.n)
            return sf_fail(err, SF_E_UNAVAILABLE, "S3 sent nothing of object '%.*s' from byte %" PRId64, SF_ARG(object->key),
                           object->at);
    }
    *got = object->range.n - object->used < n ? object->range.n - object->used : n;
    if (*got)
        memcpy(bytes, object->range.p + object->used, *got);
    object->used += *got;
    return SF_OK;
}

static void close_object(struct sf_reader *reader)
{
    struct object *object = reader->impl;
    sf_arena_free(object->op.arena);
    object->op.arena = NULL;
}

enum sf_code sf_aws_bucket_open(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_reader *reader,
                                struct sf_err *err)
{
    struct object *object = SF_NEW(op->arena, struct object);
    *object = (struct object){.op = *op, .arena = op->arena, .bucket = bucket->id, .key = sf_str_dup(op->arena, key)};
    object->op.arena = NULL;
    *reader = (struct sf_reader){.read = read_object, .close = close_object, .impl = object};
    enum sf_code rc = get_range(object, err);
    if (rc)
        close_object(reader);
    return rc;
}

/* --- put, delete --- */

enum sf_code sf_aws_bucket_put(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_str bytes,
                               struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "PutObject",
                               .effect = SF_AWS_PUT,
                               .method = "PUT",
                               .bucket = bucket->id,
                               .key = key,
                               .body = bytes,
                               .resource = sf_s3_key_arn(op, bucket->id, key)};
    return sf_aws_call(op, &call, NULL, err);
}

enum sf_code sf_aws_bucket_delete(struct sf_op *op, const struct sf_object *bucket, struct sf_str key, struct sf_err *err)
{
    enum sf_code rc = sf_s3_delete_key(op, bucket->id, key, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

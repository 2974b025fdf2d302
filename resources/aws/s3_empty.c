/* See s3_empty.h. Source: S3 API reference, ListObjectVersions, DeleteObjects, ListMultipartUploads, AbortMultipartUpload. */
#include "resources/aws/s3_empty.h"

#include "engine/core/xml.h"

enum { NAMED_BLOCKERS = 5, NAMED_BYTES = 100, PAGE = 1000, MAX_XML_BYTES = 8 * 1024 * 1024 };

/* One version of an object, or a delete marker. */
struct version {
    struct sf_str key, id;
};

struct versions {
    struct version list[PAGE];
    size_t n;
};

/* Which of a bucket's keys: all (both empty), one, or those that start alike. */
struct scope {
    struct sf_str key, prefix;
};

/* --- what is there --- */

/* Asked for in this form, keys with any byte in them can be said in XML; a server that does not know the form says so by silence.
 */
static struct sf_str key_of(struct sf_op *op, const struct sf_value *reply, const struct sf_value *item)
{
    struct sf_str key = sf_aws_text(item, "Key");
    return sf_str_is(sf_aws_text(reply, "EncodingType"), "url") ? sf_s3_key_of(op->arena, key) : key;
}

static struct sf_value *url_query(struct sf_op *op, const char *name)
{
    struct sf_value *query = sf_s3_query(op, name);
    sf_map_set_str(op->arena, query, "encoding-type", SF_STR("url"));
    return query;
}

static enum sf_code ask(struct sf_op *op, struct sf_str bucket, const char *action, const char *permission,
                        const struct sf_value *query, const struct sf_value **reply, struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = action,
                               .effect = SF_AWS_READ,
                               .method = "GET",
                               .bucket = bucket,
                               .query = query,
                               .resource = sf_s3_bucket_arn(op, bucket),
                               .permission = permission};
    return sf_aws_call(op, &call, reply, err);
}

static void add_versions(struct sf_op *op, struct versions *page, const struct sf_value *reply, const char *path,
                         struct scope scope)
{
    const struct sf_value *items = sf_aws_items(op->arena, reply, path);
    for (size_t i = 0; i < items->list.n && page->n < PAGE; i++) {
        struct sf_str key = key_of(op, reply, items->list.items[i]);
        if (!scope.key.n || sf_str_eq(key, scope.key))
            page->list[page->n++] = (struct version){key, sf_aws_text(items->list.items[i], "VersionId")};
    }
}

/* The first page of the versions and markers in scope: keys come sorted, so a key is first among those that start with it. */
static enum sf_code first_versions(struct sf_op *op, struct sf_str bucket, struct scope scope, struct versions *page,
                                   struct sf_err *err)
{
    struct sf_str prefix = scope.key.n ? scope.key : scope.prefix;
    struct sf_value *query = url_query(op, "versions");
    const struct sf_value *reply = NULL;
    page->n = 0;
    if (prefix.n)
        sf_map_set_str(op->arena, query, "prefix", prefix);
    enum sf_code rc = ask(op, bucket, "ListObjectVersions", "s3:ListBucketVersions", query, &reply, err);
    if (rc)
        return rc;
    add_versions(op, page, reply, "Version", scope);
    add_versions(op, page, reply, "DeleteMarker", scope);
    return SF_OK;
}

/* --- deleting --- */

/* Control characters cannot be said in XML. */
static bool fits_xml(struct sf_str key)
{
    for (size_t i = 0; i < key.n; i++)
        if ((unsigned char)key.p[i] < ' ')
            return false;
    return true;
}

static enum sf_code delete_one(struct sf_op *op, struct sf_str bucket, const struct version *version, struct sf_err *err)
{
    struct sf_value *query = sf_value_map(op->arena);
    sf_map_set_str(op->arena, query, "versionId", version->id);
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "DeleteObject",
                               .effect = SF_AWS_PUT,
                               .method = "DELETE",
                               .bucket = bucket,
                               .key = version->key,
                               .query = query,
                               .resource = sf_s3_key_arn(op, bucket, version->key),
                               .permission = "s3:DeleteObjectVersion"};
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    return rc == SF_E_ABSENT && !sf_aws_is_error(err, "NoSuchBucket", NULL) ? SF_OK : rc;
}

/* A reply of success lists the keys that were not deleted. */
static enum sf_code check_deleted(struct sf_op *op, struct sf_str bucket, const struct sf_value *reply, struct sf_err *err)
{
    static const struct {
        const char *code;
        enum sf_code rc;
    } codes[] = {{"AccessDenied", SF_E_DENIED},
                 {"SlowDown", SF_E_THROTTLED},
                 {"OperationAborted", SF_E_THROTTLED},
                 {"InternalError", SF_E_UNAVAILABLE},
                 {"ServiceUnavailable", SF_E_UNAVAILABLE}};
    const struct sf_value *errors = sf_aws_items(op->arena, reply, "Error");
    if (errors->list.n == 0)
        return SF_OK;
    const struct sf_value *first = errors->list.items[0];
    struct sf_str code = sf_aws_text(first, "Code"), key = sf_aws_text(first, "Key");
    enum sf_code rc = SF_E_REFUSED;
    for (size_t i = 0; i < SF_COUNT(codes); i++)
        if (sf_str_is(code, codes[i].code))
            rc = codes[i].rc;
    sf_fail(err, rc, "S3 did not delete '%.*s' and %zu more from bucket '%.*s': %.*s: %.*s",
            (int)(key.n > NAMED_BYTES ? NAMED_BYTES : key.n), key.p, errors->list.n - 1, SF_ARG(bucket), SF_ARG(code),
            SF_ARG(sf_aws_text(first, "Message")));
    if (err && code.n < sizeof(err->remote_code))
        memcpy(err->remote_code, code.p, code.n);
    if (rc == SF_E_DENIED)
        sf_hint(err, "it takes s3:DeleteObjectVersion on %.*s, and no object lock on the key",
                SF_ARG(sf_s3_key_arn(op, bucket, SF_STR("*"))));
    return rc;
}

static enum sf_code delete_versions(struct sf_op *op, struct sf_str bucket, const struct versions *page, struct sf_err *err)
{
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    const struct sf_value *reply = NULL;
    enum sf_code rc = SF_OK;
    size_t n = 0;
    sf_buf_addz(&xml, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
    for (size_t i = 0; i < page->n && !rc; i++) {
        if (!fits_xml(page->list[i].key)) {
            rc = delete_one(op, bucket, &page->list[i], err);
            continue;
        }
        sf_buf_addz(&xml, "<Object><Key>");
        sf_xml_write_text(&xml, page->list[i].key);
        sf_buf_addz(&xml, "</Key><VersionId>");
        sf_xml_write_text(&xml, page->list[i].id);
        sf_buf_addz(&xml, "</VersionId></Object>");
        n++;
    }
    sf_buf_addz(&xml, "</Delete>");
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "DeleteObjects",
                               .effect = SF_AWS_PUT,
                               .method = "POST",
                               .bucket = bucket,
                               .query = sf_s3_query(op, "delete"),
                               .body = sf_buf_str(&xml),
                               .resource = sf_s3_key_arn(op, bucket, SF_STR("*")),
                               .permission = "s3:DeleteObjectVersion"};
    if (!rc && n > 0)
        rc = sf_aws_call(op, &call, &reply, err);
    sf_buf_free(&xml);
    return rc ? rc : check_deleted(op, bucket, reply, err);
}

static enum sf_code check_going_on(struct sf_op *op, struct sf_str bucket, const struct versions *page,
                                   const struct version *before, struct sf_err *err)
{
    if (sf_op_is_cancelled(op))
        return sf_fail(err, SF_E_CANCELLED, "stopped while emptying bucket '%.*s'; the next run goes on", SF_ARG(bucket));
    if (before->id.n && sf_str_eq(before->key, page->list[0].key) && sf_str_eq(before->id, page->list[0].id))
        return sf_fail(err, SF_E_REFUSED, "S3 says that it deleted '%.*s' from bucket '%.*s', but still lists it",
                       (int)(before->key.n > NAMED_BYTES ? NAMED_BYTES : before->key.n), before->key.p, SF_ARG(bucket));
    return SF_OK;
}

/* What is left is listed from its start each time: nothing is passed over, whatever else happens in the bucket. */
static enum sf_code delete_all(struct sf_op *op, struct sf_str bucket, struct scope scope, struct sf_err *err)
{
    struct versions *page = SF_NEW(op->arena, struct versions);
    struct version before = {SF_STR_NONE, SF_STR_NONE};
    for (size_t n = 0;; n += page->n) {
        enum sf_code rc = first_versions(op, bucket, scope, page, err);
        if (rc || page->n == 0)
            return rc;
        rc = check_going_on(op, bucket, page, &before, err);
        if (rc)
            return rc;
        before = page->list[0];
        if (!scope.key.n)
            sf_op_progress(op, "%zu versions deleted", n);
        rc = delete_versions(op, bucket, page, err);
        if (rc)
            return rc;
    }
}

enum sf_code sf_s3_delete_key(struct sf_op *op, struct sf_str bucket, struct sf_str key, struct sf_err *err)
{
    return delete_all(op, bucket, (struct scope){.key = key}, err);
}

enum sf_code sf_s3_delete_prefix(struct sf_op *op, struct sf_str bucket, struct sf_str prefix, struct sf_err *err)
{
    return delete_all(op, bucket, (struct scope){.prefix = prefix}, err);
}

/* --- uploads --- */

static enum sf_code abort_uploads(struct sf_op *op, struct sf_str bucket, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    do {
        enum sf_code rc =
            ask(op, bucket, "ListMultipartUploads", "s3:ListBucketMultipartUploads", url_query(op, "uploads"), &reply, err);
        if (rc)
            return rc;
        const struct sf_value *uploads = sf_aws_items(op->arena, reply, "Upload");
        for (size_t i = 0; i < uploads->list.n; i++) {
            struct sf_str key = key_of(op, reply, uploads->list.items[i]);
            struct sf_value *query = sf_value_map(op->arena);
            sf_map_set_str(op->arena, query, "uploadId", sf_aws_text(uploads->list.items[i], "UploadId"));
            struct sf_aws_call call = {.service = SF_AWS_S3,
                                       .action = "AbortMultipartUpload",
                                       .effect = SF_AWS_PUT,
                                       .method = "DELETE",
                                       .bucket = bucket,
                                       .key = key,
                                       .query = query,
                                       .resource = sf_s3_key_arn(op, bucket, key)};
            rc = sf_aws_call(op, &call, NULL, err);
            if (rc && rc != SF_E_ABSENT)
                return rc;
        }
    } while (sf_aws_bool(reply, "IsTruncated", false) && !sf_op_is_cancelled(op));
    return SF_OK;
}

/* --- a bucket that holds objects --- */

static enum sf_code check_no_objects(struct sf_op *op, struct sf_str bucket, struct sf_err *err)
{
    struct sf_value *query = url_query(op, "list-type");
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, query, "list-type", SF_STR("2"));
    enum sf_code rc = ask(op, bucket, "ListObjectsV2", "s3:ListBucket", query, &reply, err);
    if (rc)
        return rc;
    const struct sf_value *objects = sf_aws_items(op->arena, reply, "Contents");
    size_t n = objects->list.n;
    if (n == 0)
        return SF_OK;
    struct sf_buf names = SF_BUF(SF_MAX_MESSAGE_BYTES / 2);
    for (size_t i = 0; i < n && i < NAMED_BLOCKERS; i++) {
        struct sf_str key = key_of(op, reply, objects->list.items[i]);
        sf_buf_addf(&names, "%s'%.*s'", i ? ", " : "", (int)(key.n > NAMED_BYTES ? NAMED_BYTES : key.n), key.p);
    }
    if (n > NAMED_BLOCKERS)
        sf_buf_addf(&names, " and %zu more", n - NAMED_BLOCKERS);
    sf_fail(err, SF_E_CONFLICT, "bucket '%.*s' still holds %zu%s object%s: %s", SF_ARG(bucket), n,
            sf_aws_bool(reply, "IsTruncated", false) ? " or more" : "", n == 1 ? "" : "s", names.p);
    sf_hint(
        err,
        "they were not put there by this stack and are kept: move them away (or set force_destroy: true and apply), then destroy "
        "again");
    sf_buf_free(&names);
    return SF_E_CONFLICT;
}

enum sf_code sf_s3_empty(struct sf_op *op, struct sf_str bucket, bool with_objects, struct sf_err *err)
{
    enum sf_code rc = with_objects ? SF_OK : check_no_objects(op, bucket, err);
    if (!rc)
        rc = delete_all(op, bucket, (struct scope){0}, err);
    return rc ? rc : abort_uploads(op, bucket, err);
}

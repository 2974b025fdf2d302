/* See protocol.h. */
#include "resources/aws/client/protocol.h"

#include "engine/core/json.h"
#include "resources/aws/client/uri.h"

#include <stdio.h>

static const struct sf_aws_wire wires[SF_AWS_SERVICES] = {
    [SF_AWS_S3] = {"s3", "s3", SF_AWS_REST_XML, NULL, NULL},
    [SF_AWS_IAM] = {"iam", "iam", SF_AWS_QUERY, "2010-05-08", NULL},
    [SF_AWS_STS] = {"sts", "sts", SF_AWS_QUERY, "2011-06-15", NULL},
    [SF_AWS_EC2] = {"ec2", "ec2", SF_AWS_EC2_QUERY, "2016-11-15", NULL},
    [SF_AWS_REDSHIFT] = {"redshift", "redshift", SF_AWS_QUERY, "2012-12-01", NULL},
    [SF_AWS_SERVERLESS] = {"redshift-serverless", "redshift-serverless", SF_AWS_JSON, NULL, "RedshiftServerless"},
    [SF_AWS_REDSHIFT_DATA] = {"redshift-data", "redshift-data", SF_AWS_JSON, NULL, "RedshiftData"},
    [SF_AWS_TRANSFER] = {"transfer", "transfer", SF_AWS_JSON, NULL, "TransferService"},
    [SF_AWS_SECRETS] = {"secretsmanager", "secretsmanager", SF_AWS_JSON, NULL, "secretsmanager"},
};

const struct sf_aws_wire *sf_aws_wire_of(enum sf_aws_service service)
{
    return &wires[service];
}

static enum sf_code fail_unknown(const struct sf_value *v, struct sf_err *err)
{
    return sf_fail(err, SF_E_INTERNAL, "a value for AWS is %s",
                   v->type == SF_V_UNKNOWN ? "not known yet" : "known by its fingerprint only");
}

/* Where S3's actions in IAM are called otherwise than its operations. Source: "Actions defined by Amazon S3", Service Authorization
 * Reference. */
static const struct {
    const char *operation, *permission;
} s3_permissions[] = {
    {"DeleteBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"DeleteBucketLifecycle", "s3:PutLifecycleConfiguration"},
    {"DeleteBucketTagging", "s3:PutBucketTagging"},
    {"DeleteObjects", "s3:DeleteObject"},
    {"DeletePublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
    {"GetBucketEncryption", "s3:GetEncryptionConfiguration"},
    {"GetBucketLifecycleConfiguration", "s3:GetLifecycleConfiguration"},
    {"GetPublicAccessBlock", "s3:GetBucketPublicAccessBlock"},
    {"HeadBucket", "s3:ListBucket"},
    {"HeadObject", "s3:GetObject"},
    {"ListBuckets", "s3:ListAllMyBuckets"},
    {"ListMultipartUploads", "s3:ListBucketMultipartUploads"},
    {"ListObjectVersions", "s3:ListBucketVersions"},
    {"ListObjects", "s3:ListBucket"},
    {"ListObjectsV2", "s3:ListBucket"},
    {"PutBucketEncryption", "s3:PutEncryptionConfiguration"},
    {"PutBucketLifecycleConfiguration", "s3:PutLifecycleConfiguration"},
    {"PutPublicAccessBlock", "s3:PutBucketPublicAccessBlock"},
};

struct sf_str sf_aws_permission(struct sf_arena *arena, const struct sf_aws_call *call)
{
    if (call->permission)
        return sf_str_of(call->permission);
    for (size_t i = 0; call->service == SF_AWS_S3 && i < SF_COUNT(s3_permissions); i++)
        if (strcmp(s3_permissions[i].operation, call->action) == 0)
            return sf_str_of(s3_permissions[i].permission);
    return sf_str_fmt(arena, "%s:%s", wires[call->service].prefix, call->action);
}

/* --- forms --- */

/* The name of the value being written, as a stack of parts: "Tags.member.1.Key". */
struct form {
    struct sf_buf *body;
    bool writes_empty_lists; /* query says "Tags=" for a list without items, ec2 says nothing */
    struct sf_buf name;
};

/* A blank is '+', as botocore sends it: services take %20 as well, but whoever signs the decoded form anew to compare does not. */
static void write_pair(struct form *form, struct sf_str name, struct sf_str value)
{
    sf_buf_addc(form->body, '&');
    sf_uri_encode(form->body, name, false);
    sf_buf_addc(form->body, '=');
    for (size_t blank; (blank = sf_str_find(value, SF_STR(" "))) != SIZE_MAX; value = sf_str_slice(value, blank + 1, value.n)) {
        sf_uri_encode(form->body, sf_str_slice(value, 0, blank), false);
        sf_buf_addc(form->body, '+');
    }
    sf_uri_encode(form->body, value, false);
}

static size_t push(struct form *form, struct sf_str part)
{
    size_t before = form->name.n;
    if (before)
        sf_buf_addc(&form->name, '.');
    sf_buf_add(&form->name, part);
    return before;
}

static void pop(struct form *form, size_t before)
{
    form->name.n = before;
    if (form->name.p)
        form->name.p[before] = 0;
}

/* A list without items under its wrapper ("Tags.member") is written as the wrapper: "Tags=". */
static void write_empty_list(struct form *form)
{
    struct sf_str name = sf_buf_str(&form->name);
    size_t end = name.n;
    while (end && name.p[end - 1] != '.')
        end--;
    write_pair(form, end ? sf_str_slice(name, 0, end - 1) : name, SF_STR_NONE);
}

static enum sf_code write_form_value(struct form *form, const struct sf_value *v, struct sf_err *err)
{
    char digits[32];
    size_t before;
    enum sf_code rc = SF_OK;
    switch (v->type) {
    case SF_V_NULL:
        return SF_OK;
    case SF_V_BOOL:
        write_pair(form, sf_buf_str(&form->name), v->b ? SF_STR("true") : SF_STR("false"));
        return SF_OK;
    case SF_V_INT:
        snprintf(digits, sizeof(digits), "%lld", (long long)v->i);
        write_pair(form, sf_buf_str(&form->name), sf_str_of(digits));
        return SF_OK;
    case SF_V_NUMBER:
    case SF_V_STRING:
        write_pair(form, sf_buf_str(&form->name), v->s);
        return SF_OK;
    case SF_V_LIST:
        if (!v->list.n && form->writes_empty_lists)
            write_empty_list(form);
        for (size_t i = 0; i < v->list.n && !rc; i++) {
            snprintf(digits, sizeof(digits), "%zu", i + 1);
            before = push(form, sf_str_of(digits));
            rc = write_form_value(form, v->list.items[i], err);
            pop(form, before);
        }
        return rc;
    case SF_V_MAP:
        for (size_t i = 0; i < v->map.n && !rc; i++) {
            before = push(form, v->map.pairs[i].key);
            rc = write_form_value(form, v->map.pairs[i].value, err);
            pop(form, before);
        }
        return rc;
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return fail_unknown(v, err);
    }
    return SF_OK;
}

enum sf_code sf_aws_write_form(struct sf_buf *body, const struct sf_aws_wire *wire, const char *action,
                               const struct sf_value *params, struct sf_err *err)
{
    struct form form = {.body = body, .writes_empty_lists = wire->protocol == SF_AWS_QUERY, .name = SF_BUF(SF_MAX_MESSAGE_BYTES)};
    sf_buf_addf(body, "Action=%s&Version=%s", action, wire->version);
    enum sf_code rc = params ? write_form_value(&form, params, err) : SF_OK;
    bool is_too_deep = form.name.overflow;
    sf_buf_free(&form.name);
    return rc || !is_too_deep ? rc : sf_fail(err, SF_E_INTERNAL, "a parameter of '%s' has a name without end", action);
}

/* --- JSON --- */

static enum sf_code write_json_map(struct sf_buf *body, const struct sf_value *map, struct sf_err *err)
{
    bool is_first = true;
    sf_buf_addc(body, '{');
    for (size_t i = 0; i < map->map.n; i++) {
        const struct sf_pair *pair = &map->map.pairs[i];
        if (pair->value->type == SF_V_NULL)
            continue;
        if (!is_first)
            sf_buf_addc(body, ',');
        is_first = false;
        sf_json_write_string(body, pair->key);
        sf_buf_addc(body, ':');
        enum sf_code rc = sf_aws_write_json(body, pair->value, err);
        if (rc)
            return rc;
    }
    sf_buf_addc(body, '}');
    return SF_OK;
}

enum sf_code sf_aws_write_json(struct sf_buf *body, const struct sf_value *params, struct sf_err *err)
{
    enum sf_code rc = SF_OK;
    if (!params) {
        sf_buf_addz(body, "{}");
        return SF_OK;
    }
    switch (params->type) {
    case SF_V_NULL:
        sf_buf_addz(body, "null");
        return SF_OK;
    case SF_V_BOOL:
        sf_buf_addz(body, params->b ? "true" : "false");
        return SF_OK;
    case SF_V_INT:
        sf_buf_addf(body, "%lld", (long long)params->i);
        return SF_OK;
    case SF_V_NUMBER:
        sf_buf_add(body, params->s);
        return SF_OK;
    case SF_V_STRING:
        sf_json_write_string(body, params->s);
        return SF_OK;
    case SF_V_LIST:
        sf_buf_addc(body, '[');
        for (size_t i = 0; i < params->list.n && !rc; i++) {
            if (i)
                sf_buf_addc(body, ',');
            rc = sf_aws_write_json(body, params->list.items[i], err);
        }
        sf_buf_addc(body, ']');
        return rc;
    case SF_V_MAP:
        return write_json_map(body, params, err);
    case SF_V_UNKNOWN:
    case SF_V_FINGERPRINT:
        return fail_unknown(params, err);
    }
    return rc;
}

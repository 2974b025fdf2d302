/* kind `bucket`, AWS: an S3 bucket.
 *
 * Each part of it (versioning, encryption, public access, policy, lifecycle, tags) is a document of its own, read and put whole;
 * only those that differ are put. Tags go along with the create call and are put once more after it: they say whose the bucket is,
 * and S3-compatible servers older than that parameter drop it. */
#include "attr/bucket.h"
#include "resources/aws/bucket_lifecycle.h"
#include "resources/aws/bucket_policy.h"
#include "resources/aws/iam_document.h"
#include "resources/aws/ownership.h"
#include "resources/aws/s3_empty.h"
#include "resources/aws/warehouse.h"

#include "engine/core/json.h"
#include "engine/core/xml.h"

enum { AGAIN_MS = 500, MAX_XML_BYTES = 64 * 1024 };

static const char xmlns[] = "http://s3.amazonaws.com/doc/2006-03-01/";
/* S3 API reference, CreateBucket: the one region that is no LocationConstraint, and where making one's own bucket again is a
 * success. */
static const char first_region[] = "us-east-1";
static const char algorithm_field[] = "algorithm", key_field[] = "kms_key", bucket_key_field[] = "bucket_key", no_kms[] = "AES256";

/* A bucket as it is. */
struct bucket {
    const struct sf_value *attrs; /* in the schema's terms */
    const struct sf_value *tags;  /* all of them; NULL: not looked at */
};

static const char *what_of(struct sf_op *op, struct sf_str name)
{
    return sf_str_fmt(op->arena, "bucket '%.*s'", SF_ARG(name)).p;
}

static struct sf_str xml_text(struct sf_op *op, struct sf_buf *xml)
{
    struct sf_str text = sf_str_dup(op->arena, sf_buf_str(xml));
    sf_buf_free(xml);
    return text;
}

/* --- what is known without asking --- */

static enum sf_code check_encryption(const struct sf_value *encryption, struct sf_err *err)
{
    if (!sf_map_str(encryption, key_field).n || !sf_str_is(sf_map_str(encryption, algorithm_field), no_kms))
        return SF_OK;
    sf_fail(err, SF_E_CONFIG, "a KMS key is named, but the algorithm is AES256, which uses S3's own");
    sf_hint(err, "write `algorithm: aws:kms`, or leave kms_key out");
    if (err)
        err->where = encryption->mark;
    return SF_E_CONFIG;
}

static enum sf_code check_wanted(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    enum sf_code rc = check_encryption(sf_map_getz(want, BUCKET_ENCRYPTION), err);
    if (!rc)
        rc = sf_bucket_lifecycle_check(sf_map_getz(want, BUCKET_LIFECYCLE), err);
    return rc ? rc
              : sf_bucket_policy_check(op->arena, sf_s3_bucket_arn(op, sf_map_str(want, BUCKET_NAME)),
                                       sf_map_bool(want, BUCKET_TLS_ONLY, true), sf_map_bool(want, BUCKET_PUBLIC, false),
                                       sf_map_getz(want, BUCKET_POLICY), err);
}

/* Called at every plan, so that what S3 would refuse is told before anything is done. */
static enum sf_code derive(struct sf_op *op, struct sf_value *want, struct sf_err *err)
{
    const struct sf_value *name = sf_map_getz(want, BUCKET_NAME);
    if (name && name->type == SF_V_STRING)
        sf_map_set_str(op->arena, want, BUCKET_ARN, sf_s3_bucket_arn(op, name->s));
    return check_wanted(op, want, err);
}

/* --- looking --- */

/* A part's reply, NULL when the bucket has none; SF_E_ABSENT only when there is no bucket. */
static enum sf_code part_of(struct sf_op *op, struct sf_str name, const struct sf_s3_part *part, const struct sf_value **reply,
                            struct sf_err *err)
{
    bool is_gone;
    enum sf_code rc = sf_s3_get(op, name, part, reply, &is_gone, err);
    if (rc)
        *reply = NULL;
    return rc == SF_E_ABSENT && !is_gone ? SF_OK : rc;
}

static enum sf_code tags_of(struct sf_op *op, struct sf_str name, const struct sf_value **tags, struct sf_err *err)
{
    const struct sf_value *reply = NULL;
    enum sf_code rc = part_of(op, name, &sf_s3_tagging, &reply, err);
    if (!rc)
        *tags = sf_aws_tag_map(op->arena, sf_aws_items(op->arena, reply, "TagSet.Tag"), &sf_aws_tags_upper);
    return rc;
}

/* Every bucket is encrypted since 2023, by S3's own keys where nothing else is said. */
static const struct sf_value *encryption_of(struct sf_op *op, const struct sf_value *reply)
{
    struct sf_value *encryption = sf_value_map(op->arena);
    struct sf_str algorithm = sf_aws_text(reply, "Rule.ApplyServerSideEncryptionByDefault.SSEAlgorithm"),
                  key = sf_aws_text(reply, "Rule.ApplyServerSideEncryptionByDefault.KMSMasterKeyID");
    sf_map_set_str(op->arena, encryption, algorithm_field, algorithm.n ? algorithm : sf_str_of(no_kms));
    if (key.n)
        sf_map_set_str(op->arena, encryption, key_field, key);
    sf_map_set_bool(op->arena, encryption, bucket_key_field, sf_aws_bool(reply, "Rule.BucketKeyEnabled", false));
    return encryption;
}

static bool is_public(const struct sf_value *reply)
{
    static const char *const blocks[] = {"BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"};
    for (size_t i = 0; i < SF_COUNT(blocks); i++)
        if (!sf_aws_bool(reply, blocks[i], false))
            return true;
    return false;
}

/* GetBucketPolicy answers with the document itself. */
static void add_policy(struct sf_op *op, struct sf_str name, const struct sf_value *reply, struct sf_value *attrs)
{
    const struct sf_value *document = NULL, *policy;
    bool tls_only;
    if (!reply || sf_json_parse(op->arena, sf_map_str(reply, "body"), "policy", SF_JSON_PLAIN, &document, NULL) != SF_OK)
        document = NULL;
    sf_bucket_policy_split(op->arena, sf_s3_bucket_arn(op, name), document, &tls_only, &policy);
    sf_map_set_bool(op->arena, attrs, BUCKET_TLS_ONLY, tls_only);
    sf_map_set(op->arena, attrs, SF_STR(BUCKET_POLICY), policy);
}

static enum sf_code look(struct sf_op *op, struct sf_str name, struct bucket *out, struct sf_err *err)
{
    const struct sf_value *versioning = NULL, *encryption = NULL, *access = NULL, *policy = NULL, *lifecycle = NULL;
    struct sf_value *attrs = sf_value_map(op->arena);
    enum sf_code rc = tags_of(op, name, &out->tags, err);
    if (!rc)
        rc = part_of(op, name, &sf_s3_versioning, &versioning, err);
    if (!rc)
        rc = part_of(op, name, &sf_s3_encryption, &encryption, err);
    if (!rc)
        rc = part_of(op, name, &sf_s3_public_access, &access, err);
    if (!rc)
        rc = part_of(op, name, &sf_s3_policy, &policy, err);
    if (!rc)
        rc = part_of(op, name, &sf_s3_lifecycle, &lifecycle, err);
    if (rc)
        return rc;
    sf_map_set_str(op->arena, attrs, BUCKET_NAME, name);
    sf_map_set_bool(op->arena, attrs, BUCKET_VERSIONING, sf_str_is(sf_aws_text(versioning, "Status"), "Enabled"));
    sf_map_set(op->arena, attrs, SF_STR(BUCKET_ENCRYPTION), encryption_of(op, encryption));
    sf_map_set_bool(op->arena, attrs, BUCKET_PUBLIC, is_public(access));
    add_policy(op, name, policy, attrs);
    sf_map_set(op->arena, attrs, SF_STR(BUCKET_LIFECYCLE), sf_bucket_lifecycle_of(op->arena, lifecycle));
    sf_map_set(op->arena, attrs, SF_STR(BUCKET_TAGS), sf_aws_user_tags(op->arena, out->tags));
    sf_map_set_str(op->arena, attrs, BUCKET_ARN, sf_s3_bucket_arn(op, name));
    if (op->is_adopting) /* S3 knows nothing of it: what the stack says is a change only when it is true */
        sf_map_set_bool(op->arena, attrs, BUCKET_FORCE_DESTROY, false);
    out->attrs = attrs;
    return SF_OK;
}

static enum sf_code read_bucket(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    struct bucket bucket;
    enum sf_code rc = look(op, id, &bucket, err);
    if (!rc)
        rc = sf_aws_check_adopted(op, what_of(op, id), bucket.tags, err);
    if (rc)
        return rc;
    out->id = id;
    out->attrs = bucket.attrs;
    return SF_OK;
}

/* SF_OK when there is none or it is this resource's own; *is_there says which. */
static enum sf_code check_owner(struct sf_op *op, struct sf_str name, bool *is_there, struct sf_err *err)
{
    const struct sf_value *tags = NULL;
    enum sf_code rc = tags_of(op, name, &tags, err);
    *is_there = rc == SF_OK;
    if (rc)
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return sf_aws_check_owner(op, what_of(op, name), tags, err);
}

/* Names are unique in the world: one that may not be looked at is somebody else's. */
static enum sf_code check_name(struct sf_op *op, struct sf_str name, bool *is_there, struct sf_err *err)
{
    enum sf_code rc = check_owner(op, name, is_there, err);
    if (rc != SF_E_DENIED)
        return rc;
    sf_fail(err, SF_E_CONFLICT, "bucket '%.*s' belongs to another account, or s3:GetBucketTagging on it is denied", SF_ARG(name));
    sf_hint(err, "names of buckets are unique in the world; choose another, such as ${stack.name}-landing-${provider.account}");
    return SF_E_CONFLICT;
}

static enum sf_code preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, BUCKET_NAME);
    bool is_there;
    return name.n ? check_name(op, name, &is_there, err) : SF_OK;
}

static enum sf_code find_bucket(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, BUCKET_NAME);
    struct bucket bucket;
    bool is_there;
    enum sf_code rc = check_owner(op, name, &is_there, err);
    if (rc == SF_E_CONFLICT || rc == SF_E_DENIED || (!rc && !is_there))
        return sf_fail(err, SF_E_ABSENT, "bucket '%.*s' was not made by this resource", SF_ARG(name));
    if (!rc)
        rc = look(op, name, &bucket, err);
    if (rc)
        return rc;
    out->id = name;
    out->attrs = bucket.attrs;
    return SF_OK;
}

/* --- making it what is wanted --- */

static enum sf_code put_public_access(struct sf_op *op, struct sf_str name, const struct sf_value *have,
                                      const struct sf_value *want, struct sf_err *err)
{
    bool wanted = sf_map_bool(want, BUCKET_PUBLIC, false);
    if (sf_map_getz(have, BUCKET_PUBLIC) && sf_map_bool(have, BUCKET_PUBLIC, false) == wanted)
        return SF_OK;
    if (wanted)
        return sf_s3_remove(op, name, &sf_s3_public_access, err);
    return sf_s3_put(op, name, &sf_s3_public_access,
                     sf_str_fmt(op->arena,
                                "<PublicAccessBlockConfiguration xmlns=\"%s\"><BlockPublicAcls>true</BlockPublicAcls>"
                                "<IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>"
                                "<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
                                xmlns),
                     err);
}

static enum sf_code put_policy(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                               struct sf_err *err)
{
    const struct sf_value *is = sf_map_getz(have, BUCKET_POLICY), *wanted = sf_map_getz(want, BUCKET_POLICY);
    bool was_tls_only = sf_map_bool(have, BUCKET_TLS_ONLY, false), tls_only = sf_map_bool(want, BUCKET_TLS_ONLY, was_tls_only);
    is = is ? is : &sf_null_value;
    wanted = wanted ? wanted : is;
    if (tls_only == was_tls_only && sf_value_equal(is, wanted))
        return SF_OK;
    const struct sf_value *document = sf_bucket_policy_join(op->arena, sf_s3_bucket_arn(op, name), tls_only, wanted);
    if (!document)
        return sf_s3_remove(op, name, &sf_s3_policy, err);
    return sf_s3_put(op, name, &sf_s3_policy, sf_json_text(op->arena, document, SF_JSON_PLAIN), err);
}

static enum sf_code put_encryption(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                   struct sf_err *err)
{
    const struct sf_value *is = sf_map_getz(have, BUCKET_ENCRYPTION), *wanted = sf_map_getz(want, BUCKET_ENCRYPTION);
    struct sf_str algorithm = sf_map_str(wanted, algorithm_field), key = sf_map_str(wanted, key_field);
    bool bucket_key = sf_map_bool(wanted, bucket_key_field, false);
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    if (!wanted || (sf_str_eq(algorithm, sf_map_str(is, algorithm_field)) && sf_str_eq(key, sf_map_str(is, key_field)) &&
                    bucket_key == sf_map_bool(is, bucket_key_field, false)))
        return SF_OK;
    sf_buf_addf(&xml, "<ServerSideEncryptionConfiguration xmlns=\"%s\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>",
                xmlns);
    sf_xml_write_text(&xml, algorithm);
    sf_buf_addz(&xml, "</SSEAlgorithm>");
    if (key.n) {
        sf_buf_addz(&xml, "<KMSMasterKeyID>");
        sf_xml_write_text(&xml, key);
        sf_buf_addz(&xml, "</KMSMasterKeyID>");
    }
    sf_buf_addf(
        &xml,
        "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>%s</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
        bucket_key ? "true" : "false");
    return sf_s3_put(op, name, &sf_s3_encryption, xml_text(op, &xml), err);
}

static enum sf_code put_versioning(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                   struct sf_err *err)
{
    bool was_on = sf_map_bool(have, BUCKET_VERSIONING, false), is_on = sf_map_bool(want, BUCKET_VERSIONING, was_on);
    if (is_on == was_on)
        return SF_OK;
    return sf_s3_put(op, name, &sf_s3_versioning,
                     sf_str_fmt(op->arena, "<VersioningConfiguration xmlns=\"%s\"><Status>%s</Status></VersioningConfiguration>",
                                xmlns, is_on ? "Enabled" : "Suspended"),
                     err);
}

static enum sf_code put_lifecycle(struct sf_op *op, struct sf_str name, const struct sf_value *have, const struct sf_value *want,
                                  struct sf_err *err)
{
    const struct sf_value *is = sf_map_getz(have, BUCKET_LIFECYCLE), *wanted = sf_map_getz(want, BUCKET_LIFECYCLE);
    bool is_none = !is || is->type != SF_V_LIST || is->list.n == 0;
    if (!wanted || wanted->type != SF_V_LIST || (is && sf_value_equal(is, wanted)) || (is_none && wanted->list.n == 0))
        return SF_OK;
    if (wanted->list.n == 0)
        return sf_s3_remove(op, name, &sf_s3_lifecycle, err);
    return sf_s3_put(op, name, &sf_s3_lifecycle, sf_bucket_lifecycle_xml(op->arena, wanted), err);
}

static void write_tag(struct sf_buf *xml, struct sf_str key, struct sf_str value)
{
    sf_buf_addz(xml, "<Tag><Key>");
    sf_xml_write_text(xml, key);
    sf_buf_addz(xml, "</Key><Value>");
    sf_xml_write_text(xml, value);
    sf_buf_addz(xml, "</Value></Tag>");
}

static void write_tags(struct sf_op *op, struct sf_buf *xml, const struct sf_value *want)
{
    const struct sf_value *tags = sf_aws_tags_of(op, want, &sf_aws_tags_upper);
    for (size_t i = 0; i < tags->list.n; i++)
        write_tag(xml, sf_map_str(tags->list.items[i], "Key"), sf_map_str(tags->list.items[i], "Value"));
}

/* PutBucketTagging replaces the whole set; what AWS's own services hung on the bucket stays. */
static enum sf_code put_tags(struct sf_op *op, struct sf_str name, const struct bucket *have, const struct sf_value *want,
                             struct sf_err *err)
{
    const struct sf_value *tags = have->tags, *set = NULL, *unset = NULL;
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    enum sf_code rc = SF_OK;
    if (!tags && sf_value_equal(sf_map_getz(have->attrs, BUCKET_TAGS), sf_map_getz(want, BUCKET_TAGS)))
        return SF_OK;
    if (!tags)
        rc = tags_of(op, name, &tags, err);
    if (rc)
        return rc;
    sf_aws_tag_changes(op, tags, want, &sf_aws_tags_upper, &set, &unset);
    if (set->list.n == 0 && unset->list.n == 0)
        return SF_OK;
    sf_buf_addf(&xml, "<Tagging xmlns=\"%s\"><TagSet>", xmlns);
    write_tags(op, &xml, want);
    for (size_t i = 0; i < tags->map.n; i++)
        if (sf_str_starts(tags->map.pairs[i].key, SF_STR("aws:")))
            write_tag(&xml, tags->map.pairs[i].key, tags->map.pairs[i].value->s);
    sf_buf_addz(&xml, "</TagSet></Tagging>");
    return sf_s3_put(op, name, &sf_s3_tagging, xml_text(op, &xml), err);
}

/* Tags first: where the create call's were dropped, whose it is must be said before anything can go wrong. Public access before the
 * policy: S3 takes one that lets everybody in only when that is not blocked. */
static enum sf_code converge(struct sf_op *op, struct sf_str name, const struct bucket *have, const struct sf_value *want,
                             struct sf_err *err)
{
    enum sf_code rc = put_tags(op, name, have, want, err);
    if (!rc)
        rc = put_public_access(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_policy(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_encryption(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_versioning(op, name, have->attrs, want, err);
    if (!rc)
        rc = put_lifecycle(op, name, have->attrs, want, err);
    return rc;
}

static enum sf_code wait_and_go_on(struct sf_outcome *out, const char *waiting_for)
{
    out->is_pending = out->again = true;
    out->poll_after_ms = AGAIN_MS;
    out->waiting_for = waiting_for;
    return SF_OK;
}

static enum sf_code finish(struct sf_op *op, struct sf_str name, const struct bucket *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    enum sf_code rc = converge(op, name, have, want, err);
    out->id = name;
    if (rc && sf_aws_awaits_role(op, sf_aws_roles_named(op->arena, sf_map_getz(want, BUCKET_POLICY)), err))
        return wait_and_go_on(out, "S3 to know the roles that its policy names");
    if (!rc)
        out->attrs = want;
    return rc;
}

static enum sf_code update(struct sf_op *op, struct sf_str id, const struct sf_value *have, const struct sf_value *want,
                           struct sf_outcome *out, struct sf_err *err)
{
    struct bucket bucket = {.attrs = have};
    enum sf_code rc = have == want ? look(op, id, &bucket, err) : SF_OK;
    return rc ? rc : finish(op, id, &bucket, want, out, err);
}

/* --- create --- */

static enum sf_code make(struct sf_op *op, struct sf_str name, const struct sf_value *want, struct sf_err *err)
{
    struct sf_buf xml = SF_BUF(MAX_XML_BYTES);
    sf_buf_addf(&xml, "<CreateBucketConfiguration xmlns=\"%s\">", xmlns);
    if (!sf_str_is(op->site->region, first_region)) {
        sf_buf_addz(&xml, "<LocationConstraint>");
        sf_xml_write_text(&xml, op->site->region);
        sf_buf_addz(&xml, "</LocationConstraint>");
    }
    sf_buf_addz(&xml, "<Tags>");
    write_tags(op, &xml, want);
    sf_buf_addz(&xml, "</Tags></CreateBucketConfiguration>");
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "CreateBucket",
                               .effect = SF_AWS_MAKE,
                               .method = "PUT",
                               .bucket = name,
                               .body = xml_text(op, &xml),
                               .resource = sf_s3_bucket_arn(op, name)};
    return sf_aws_call(op, &call, NULL, err);
}

/* What a bucket is by itself. Whether public access is blocked is said in any case. */
static const struct sf_value *fresh(struct sf_op *op)
{
    struct sf_value *attrs = sf_value_map(op->arena);
    sf_map_set_bool(op->arena, attrs, BUCKET_VERSIONING, false);
    sf_map_set(op->arena, attrs, SF_STR(BUCKET_ENCRYPTION), encryption_of(op, NULL));
    sf_map_set_bool(op->arena, attrs, BUCKET_TLS_ONLY, false);
    return attrs;
}

static enum sf_code create(struct sf_op *op, const struct sf_value *want, struct sf_outcome *out, struct sf_err *err)
{
    struct sf_str name = sf_map_str(want, BUCKET_NAME);
    struct bucket bucket = {.attrs = fresh(op), .tags = sf_value_map(op->arena)};
    bool is_there = false;
    enum sf_code rc = sf_str_is(op->site->region, first_region) ? check_name(op, name, &is_there, err) : SF_OK;
    if (!rc && !is_there)
        rc = make(op, name, want, err);
    if (rc == SF_E_CONFLICT && sf_aws_is_error(err, "BucketAlreadyOwnedByYou", NULL))
        rc = check_name(op, name, &is_there, err);
    if (!rc)
        rc = sf_op_made(op, name, err);
    if (rc)
        return rc;
    out->id = name;
    if (is_there) /* an earlier try of this resource's made it */
        return update(op, name, want, want, out, err);
    rc = finish(op, name, &bucket, want, out, err);
    return rc == SF_E_ABSENT ? wait_and_go_on(out, "S3 to know the new bucket everywhere") : rc;
}

/* --- destroy --- */

/* Said while planning: whether objects keep the bucket, or go with it. Which of them are this stack's own its uploads know. */
static enum sf_code foresee(struct sf_op *op, struct sf_str id, struct sf_err *err)
{
    struct sf_value *query = sf_value_map(op->arena);
    const struct sf_value *reply = NULL;
    sf_map_set_str(op->arena, query, "list-type", SF_STR("2"));
    sf_map_set_str(op->arena, query, "max-keys", SF_STR("1"));
    sf_map_set_str(op->arena, query, "encoding-type", SF_STR("url"));
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "ListObjectsV2",
                               .effect = SF_AWS_READ,
                               .method = "GET",
                               .bucket = id,
                               .query = query,
                               .permission = "s3:ListBucket",
                               .resource = sf_s3_bucket_arn(op, id)};
    enum sf_code rc = sf_aws_call(op, &call, &reply, err);
    const struct sf_value *objects = sf_aws_items(op->arena, rc ? NULL : reply, "Contents");
    if (rc == SF_E_ABSENT || (!rc && !objects->list.n))
        return SF_OK;
    if (rc)
        return rc;
    struct sf_str first = sf_s3_key_of(op->arena, sf_aws_text(objects->list.items[0], "Key"));
    if (sf_map_bool(op->self->attrs, BUCKET_FORCE_DESTROY, false))
        sf_op_warn(op, "its objects will be deleted with it, first '%.*s'", SF_ARG(first));
    else
        sf_op_warn(op,
                   "it holds objects, first '%.*s'; those that this stack did not put there keep it from being destroyed, unless "
                   "`force_destroy: true` is applied first",
                   SF_ARG(first));
    return SF_OK;
}

static enum sf_code delete_bucket(struct sf_op *op, struct sf_str name, struct sf_err *err)
{
    struct sf_aws_call call = {.service = SF_AWS_S3,
                               .action = "DeleteBucket",
                               .effect = SF_AWS_PUT,
                               .method = "DELETE",
                               .bucket = name,
                               .resource = sf_s3_bucket_arn(op, name)};
    enum sf_code rc = sf_aws_call(op, &call, NULL, err);
    return rc == SF_E_ABSENT ? SF_OK : rc;
}

static enum sf_code destroy(struct sf_op *op, struct sf_str id, struct sf_outcome *out, struct sf_err *err)
{
    bool is_there;
    enum sf_code rc = check_owner(op, id, &is_there, err);
    if (rc || !is_there)
        return rc;
    rc = delete_bucket(op, id, err);
    if (!rc || !sf_aws_is_error(err, "BucketNotEmpty", NULL))
        return rc;
    rc = sf_s3_delete_prefix(op, id, SF_STR(SF_AWS_COPY_PREFIX), err); /* what a load that was killed left: ours */
    if (!rc)
        rc = sf_s3_empty(op, id, sf_map_bool(op->self->attrs, BUCKET_FORCE_DESTROY, false), err);
    if (!rc)
        rc = delete_bucket(op, id, err);
    if (!rc || !sf_aws_is_error(err, "BucketNotEmpty", NULL))
        return rc == SF_E_ABSENT ? SF_OK : rc;
    return wait_and_go_on(out, "S3 to see that the bucket is empty");
}

static const struct sf_need needs[] = {
    {"s3:CreateBucket s3:TagResource s3:DeleteBucket s3:GetBucketTagging s3:PutBucketTagging s3:GetBucketVersioning "
     "s3:PutBucketVersioning "
     "s3:GetEncryptionConfiguration s3:PutEncryptionConfiguration s3:GetBucketPublicAccessBlock s3:PutBucketPublicAccessBlock "
     "s3:GetBucketPolicy s3:PutBucketPolicy s3:DeleteBucketPolicy s3:GetLifecycleConfiguration s3:PutLifecycleConfiguration "
     "s3:ListBucket s3:ListBucketVersions s3:ListBucketMultipartUploads",
     "arn:{partition}:s3:::{name}"},
    {"s3:DeleteObjectVersion s3:AbortMultipartUpload", "arn:{partition}:s3:::{name}/*"},
    {NULL, NULL},
};

extern const struct sf_driver sf_driver_aws_bucket;
const struct sf_driver sf_driver_aws_bucket = {.kind = "bucket",
                                               .world = "aws",
                                               .read = read_bucket,
                                               .find = find_bucket,
                                               .create = create,
                                               .destroy = destroy,
                                               .update = update,
                                               .preflight = preflight,
                                               .foresee = foresee,
                                               .derive = derive,
                                               .needs = needs};

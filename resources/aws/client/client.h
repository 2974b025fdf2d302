/* The AWS client: what drivers call.
 *
 * A call is a service, an action and parameters in the names and nesting of the wire: a list in `params` becomes NAME.1, NAME.2
 * (query, ec2), so IAM's tags are {"Tags": {"member": [{"Key": ..}]}}, Redshift's {"Tags": {"Tag": [..]}}, EC2's
 * {"TagSpecification": [{"Tag": [..]}]}; JSON services take the same values as JSON. Numbers and bools may be typed; all text is
 * text. S3 calls name method, bucket, key, query and body instead.
 *
 * Each call is signed, sent and decoded. What may be tried again comes back as SF_E_THROTTLED or SF_E_UNAVAILABLE, with
 * err->retry_after_ms if the service said when, and the engine parks. Repeated here is only a call that met a wrong clock, once,
 * after the reply's Date header, and a throttled READ or PUT, twice, within a third of a second. */
#ifndef SF_AWS_CLIENT_H
#define SF_AWS_CLIENT_H

#include "engine/kind.h"
#include "resources/aws/client/credentials.h"
#include "resources/aws/client/endpoint.h"

enum sf_aws_service {
    SF_AWS_S3,
    SF_AWS_IAM,
    SF_AWS_STS,
    SF_AWS_EC2,
    SF_AWS_REDSHIFT,
    SF_AWS_SERVERLESS,
    SF_AWS_REDSHIFT_DATA,
    SF_AWS_TRANSFER,
    SF_AWS_SECRETS,
    SF_AWS_SERVICES
};

/* What a call does to the world decides what a lost reply means. */
enum sf_aws_effect {
    SF_AWS_READ, /* nothing; a lost reply is SF_E_UNAVAILABLE */
    SF_AWS_PUT,  /* the same when done twice; announced by sf_op_intent(); a lost reply is SF_E_UNAVAILABLE: it is done again */
    SF_AWS_MAKE, /* gives an identity; announced; a lost reply is SF_E_UNKNOWN: find() decides */
};

struct sf_aws_call {
    enum sf_aws_service service;
    const char *action; /* "CreateServer" */
    enum sf_aws_effect effect;
    const struct sf_value *params; /* map, or NULL */
    struct sf_str resource;        /* ARN the caller needs the right on, for messages; may be empty */
    bool is_last_word;             /* sent even while the run is being stopped: what tells the other side to stop, too */
    const char *permission;        /* IAM action where it is neither "<prefix>:<action>" nor one of S3's well-known exceptions */
    /* S3 only */
    const char *method;
    struct sf_str bucket, key;
    const struct sf_value *query;         /* map: name -> text, or null for a name alone ("?versioning") */
    const struct sf_http_header *headers; /* besides the usual; Content-MD5 is added to every body with effect PUT */
    size_t n_headers;
    struct sf_str body;
    struct sf_str body_sha256; /* of `body`, 32 bytes, if it is known: S3 is told it to compare, in place of Content-MD5 */
    bool is_announced;         /* sf_op_intent() was asked before, by the thread that has the operation: this is another one */
};

struct sf_aws; /* the world's context: config, endpoints, credentials, connections, clock offset */

/* The context of this run (site->world_ctx). */
struct sf_aws *sf_aws_of(const struct sf_op *op);
/* Made by the world's check(); `region` is the stack's. Nothing is sent. */
enum sf_code sf_aws_new(struct sf_arena *arena, const struct sf_aws_config *config, struct sf_aws **aws,
                        struct sf_err *err) SF_MUST_CHECK;
void sf_aws_free(struct sf_aws *aws);
const struct sf_aws_config *sf_aws_config_of(const struct sf_aws *aws);
const struct sf_aws_partition *sf_aws_partition(const struct sf_aws *aws);

/* One call. *reply (may be NULL) is a map: for query and ec2 the content of <ActionResult> or the root, for JSON the object; for S3
 * the root's content and beside it every response header in lower case; a body that is not XML is under "body".
 *
 * SF_E_ABSENT: one of the service's words for "no such". SF_E_CONFLICT: a name taken. SF_E_AUTH: credentials wrong or expired.
 * SF_E_DENIED: the message names action and resource, the hint the statement that would allow it. SF_E_THROTTLED, SF_E_UNAVAILABLE,
 * SF_E_UNKNOWN as above; SF_E_REFUSED all else. err->remote_code and err->request_id are set. A reply that is not the service's
 * (HTML, another server) says what it was. */
enum sf_code sf_aws_call(struct sf_op *op, const struct sf_aws_call *call, const struct sf_value **reply,
                         struct sf_err *err) SF_MUST_CHECK;

struct sf_aws_pages {
    const char *items;     /* path of the list: "AttachedPolicies.member" */
    const char *token_in;  /* parameter: "Marker" */
    const char *token_out; /* path in the reply: "Marker" */
};
/* All pages of a READ call as one list. A token that repeats is refused (SF_E_REFUSED). */
enum sf_code sf_aws_list(struct sf_op *op, const struct sf_aws_call *call, const struct sf_aws_pages *pages,
                         const struct sf_value **items, struct sf_err *err) SF_MUST_CHECK;

/* --- replies: paths are names joined by dots; what is not there is NULL, empty, 0, false --- */
const struct sf_value *sf_aws_at(const struct sf_value *reply, const char *path);
struct sf_str sf_aws_text(const struct sf_value *reply, const char *path);
int64_t sf_aws_int(const struct sf_value *reply, const char *path, int64_t otherwise);
bool sf_aws_bool(const struct sf_value *reply, const char *path, bool otherwise);
/* A list, a lone element as a list of one, nothing as an empty list. Never NULL. */
const struct sf_value *sf_aws_items(struct sf_arena *arena, const struct sf_value *reply, const char *path);

/* Whether err->remote_code is `code` (and, if given, the message contains `text`). */
bool sf_aws_is_error(const struct sf_err *err, const char *code, const char *text);

/* --- roles and policies that this run made or changed: others take a while to see them --- */
void sf_aws_note_role(struct sf_op *op, struct sf_str arn);
/* True when `err` is one of the documented not-yet answers of a service about a role and one of `arns` was noted less than two
 * minutes ago: then the driver answers `is_pending` and `again`. Source: reference of each service's error; the list is in
 * errors.c. */
bool sf_aws_awaits_role(struct sf_op *op, const struct sf_value *arns, const struct sf_err *err);

/* Whether this run made or changed the role less than two minutes ago. */
bool sf_aws_is_role_new(struct sf_op *op, struct sf_str arn);

/* "arn:aws:iam::123456789012:role/x": resource by printf, global services without region. */
struct sf_str sf_aws_arn(const struct sf_op *op, const char *service, bool has_region, const char *fmt, ...) SF_PRINTF(4, 5);

#endif

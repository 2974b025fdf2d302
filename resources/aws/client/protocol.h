/* The wire protocols of AWS, one direction: a call's name and parameters to a request body. Pure.
 *
 * query (IAM, STS, Redshift) and ec2 are forms: lists become NAME.1, maps NAME.MEMBER; json 1.1 (Transfer, Redshift Serverless and
 * Data, Secrets Manager) is the same tree as JSON; S3 is rest-xml, whose bodies the drivers write. Members that are null are left
 * out. Source: the "protocol", "apiVersion" and "targetPrefix" of botocore's service models, and its serialize.py. */
#ifndef SF_AWS_PROTOCOL_H
#define SF_AWS_PROTOCOL_H

#include "resources/aws/client/client.h"

enum sf_aws_protocol { SF_AWS_QUERY, SF_AWS_EC2_QUERY, SF_AWS_JSON, SF_AWS_REST_XML };

struct sf_aws_wire {
    const char *name;   /* endpoint prefix: sf_aws_endpoint_of() takes it; also what people call it: "AWS's transfer" */
    const char *prefix; /* of IAM's actions: "transfer" */
    enum sf_aws_protocol protocol;
    const char *version; /* forms only */
    const char *target;  /* JSON only: before the dot of X-Amz-Target */
};

const struct sf_aws_wire *sf_aws_wire_of(enum sf_aws_service service);

/* The IAM action that the call needs: its own word for it, else that of S3's exceptions, else "<prefix>:<action>". */
struct sf_str sf_aws_permission(struct sf_arena *arena, const struct sf_aws_call *call);

/* Appends Action, Version and parameters, percent-encoded, blanks as '+'. SF_E_INTERNAL: a value that is not known yet or known by
 * its fingerprint only. */
enum sf_code sf_aws_write_form(struct sf_buf *body, const struct sf_aws_wire *wire, const char *action,
                               const struct sf_value *params, struct sf_err *err) SF_MUST_CHECK;
/* Appends the JSON object, secrets in the clear: for bodies only. The same error. */
enum sf_code sf_aws_write_json(struct sf_buf *body, const struct sf_value *params, struct sf_err *err) SF_MUST_CHECK;

#endif

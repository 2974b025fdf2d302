/* What AWS's errors mean: a code to a class, a class to a result, and the words for it.
 *
 * Sources: the "error" members of botocore's service models, its retry tables (_retry.json, retries/standard.py), "Error responses"
 * of the S3 API Reference, "Error codes" of the EC2 API Reference, "Common error types" of IAM. Remote text is cleaned of control
 * characters, capped, and secrets that were sent are taken out of it. */
#ifndef SF_AWS_ERRORS_H
#define SF_AWS_ERRORS_H

#include "resources/aws/client/internal.h"

/* Whether the reply is an error: any status from 300 on, and S3's 200 with <Error> in it. */
bool sf_aws_is_fault(const struct sf_aws_sent *sent);

/* Fills err from the reply that is an error and returns its code; never SF_OK. */
enum sf_code sf_aws_fault(struct sf_op *op, const struct sf_aws_sent *sent, struct sf_err *err) SF_MUST_CHECK;

/* Fills err for a reply that is not the service's: a web page, another server, half a document. */
enum sf_code sf_aws_foreign(struct sf_op *op, const struct sf_aws_sent *sent, struct sf_err *err) SF_MUST_CHECK;

/* The hint when an endpoint that a person named does not answer as the service would. */
void sf_aws_doubt_endpoint(const struct sf_aws_sent *sent, struct sf_err *err);

/* Whether the error says that the clock is off, as far as the code tells; the reply's Date then says by how much. */
bool sf_aws_is_about_time(const struct sf_err *err);

/* Whether it is one of the answers of a service that does not see a new role, or its policies, yet. */
bool sf_aws_is_not_yet(const struct sf_err *err);

/* Remote text fit for a terminal: one line of UTF-8 without control characters, at most `max` bytes. */
struct sf_str sf_aws_clean(struct sf_arena *arena, struct sf_str text, size_t max);

#endif

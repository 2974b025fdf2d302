/* Where a Transfer Family server is reached: from everywhere, or through an endpoint in a VPC (attribute `vpc`).
 *
 * What the service allows when (EndpointDetails in its model): elastic addresses and subnets change only while the server is
 * OFFLINE, as does the kind of endpoint; addresses are set after the subnets are and go before these change; security groups are
 * the endpoint's, which is EC2's, and DescribeServer does not show them. */
#ifndef SF_AWS_SFTP_VPC_H
#define SF_AWS_SFTP_VPC_H

#include "resources/aws/client/client.h"

/* Plan time: one elastic address a subnet, if any. */
enum sf_code sf_sftp_vpc_check(const struct sf_value *vpc, struct sf_err *err) SF_MUST_CHECK;
/* EndpointType and EndpointDetails of CreateServer, without addresses. */
void sf_sftp_vpc_add(struct sf_op *op, const struct sf_value *vpc, struct sf_value *params);
/* Whether addresses are still to be put on it once it is made. */
bool sf_sftp_vpc_has_addresses(const struct sf_value *vpc);
/* The attribute as it is, from DescribeServer's "Server"; null: public. EC2 is asked only when `wanted` names security groups. */
enum sf_code sf_sftp_vpc_read(struct sf_op *op, const struct sf_value *server, const struct sf_value *wanted,
                              const struct sf_value **vpc, struct sf_err *err) SF_MUST_CHECK;
/* Whether the server has to be OFFLINE to become as wanted. */
bool sf_sftp_vpc_needs_offline(const struct sf_value *have, const struct sf_value *want);
/* Makes it as wanted. A ConflictException says that the endpoint is not ready: read and call again. */
enum sf_code sf_sftp_vpc_converge(struct sf_op *op, struct sf_str id, const struct sf_value *server, const struct sf_value *have,
                                  const struct sf_value *want, struct sf_err *err) SF_MUST_CHECK;

#endif

/* What the kinds of Transfer Family share: calls, waits, who may assume a role.
 *
 * Names, limits and states are those of the service's model (2018-11-05). */
#ifndef SF_AWS_TRANSFER_H
#define SF_AWS_TRANSFER_H

#include "resources/aws/client/client.h"

struct sf_str sf_transfer_server_arn(const struct sf_op *op, struct sf_str server);
struct sf_str sf_transfer_user_arn(const struct sf_op *op, struct sf_str server, struct sf_str user);

/* One call of Transfer Family's about the thing with that ARN. */
enum sf_code sf_transfer_call(struct sf_op *op, enum sf_aws_effect effect, const char *action, const struct sf_value *params,
                              struct sf_str arn, const struct sf_value **reply, struct sf_err *err) SF_MUST_CHECK;
/* {ServerId: server}, to which a call's own parameters are added. */
struct sf_value *sf_transfer_params(struct sf_op *op, struct sf_str server);
/* Makes the tags of the thing those of `want`, ours among them; `list` is the reply's "Tags". Calls only what it must. */
enum sf_code sf_transfer_put_tags(struct sf_op *op, struct sf_str arn, const struct sf_value *list, const struct sf_value *want,
                                  struct sf_err *err) SF_MUST_CHECK;

/* An error that is about this value is shown where the stack file has it. */
void sf_transfer_point_at(const struct sf_value *value, struct sf_err *err);

/* Accepted, not finished: `again` calls the verb again, else read(). Asks often at first, every five seconds later. */
void sf_transfer_wait(const struct sf_op *op, bool again, const char *what, struct sf_outcome *out);
/* What a call said that hands over the role: when the service does not see a role yet that this run has just made, *out waits for
 * it and this is SF_OK; else `rc`. */
enum sf_code sf_transfer_await_role(struct sf_op *op, enum sf_code rc, const struct sf_value *role, struct sf_outcome *out,
                                    const struct sf_err *err) SF_MUST_CHECK;
/* Plan time: the role that ref attribute `attr` names, if it is in this stack, must let Transfer Family assume it. */
enum sf_code sf_transfer_check_trust(struct sf_op *op, const char *attr, struct sf_err *err) SF_MUST_CHECK;

#endif

/* Whose a thing on AWS is: three tags, in the create call itself.
 *
 *   sfstack:stack   = <stack>/<lineage>      sfstack:address = bucket.landing      sfstack:intent = <uuid of the create> */
#ifndef SF_AWS_OWNERSHIP_H
#define SF_AWS_OWNERSHIP_H

#include "resources/aws/client/client.h"

/* How tags are spelt by a service. */
struct sf_aws_tag_names {
    const char *key, *value; /* "Key", "Value"; "key", "value" for redshift-serverless; "key", "value" in EC2's replies */
};
extern const struct sf_aws_tag_names sf_aws_tags_upper, sf_aws_tags_lower;

/* List of {Key, Value}: want's `tags` (stack tags are merged into them already) and the three of ours. */
const struct sf_value *sf_aws_tags_of(struct sf_op *op, const struct sf_value *want, const struct sf_aws_tag_names *names);
/* A reply's list of tags as a map, ours among them. */
const struct sf_value *sf_aws_tag_map(struct sf_arena *arena, const struct sf_value *list, const struct sf_aws_tag_names *names);
/* The map without ours and without AWS's own (aws:*): what attribute `tags` reports. */
const struct sf_value *sf_aws_user_tags(struct sf_arena *arena, const struct sf_value *map);

/* What an update of tags has to do: *set is a list of {Key, Value} to write (ours restored where missing), *unset a list of keys;
 * both may be empty. `have` is the whole map as read. */
void sf_aws_tag_changes(struct sf_op *op, const struct sf_value *have, const struct sf_value *want,
                        const struct sf_aws_tag_names *names, const struct sf_value **set, const struct sf_value **unset);

/* SF_OK when the tags say that it is this resource of this stack: in find() and create() of this very intent, elsewhere of this
 * address (or of any, once state knows it: it may have been moved). SF_E_CONFLICT otherwise, saying whose it is and what to do:
 * another address of this stack, this stack's name with another lineage, another stack, nobody's (adopt: ID). `what` names the
 * thing: "bucket 'x'". Tags that somebody took off a recorded thing make it nobody's, so read() asks sf_aws_check_adopted(). */
enum sf_code sf_aws_check_owner(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err) SF_MUST_CHECK;

/* The same for read(): asks only about what is being adopted and has a mark. */
enum sf_code sf_aws_check_adopted(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err) SF_MUST_CHECK;
/* The same for find(): SF_E_ABSENT when it is not this resource's. */
enum sf_code sf_aws_check_found(struct sf_op *op, const char *what, const struct sf_value *map, struct sf_err *err) SF_MUST_CHECK;

#endif

/* What the two deployments of kind `cluster` (redshift.h, serverless.h) have in common. */
#ifndef SF_AWS_CLUSTER_PARTS_H
#define SF_AWS_CLUSTER_PARTS_H

#include "resources/aws/ownership.h"

/* Pending: with `again`, the rest of the verb's work is to be done then; else read() is asked. SF_OK. */
enum sf_code sf_cluster_wait(struct sf_outcome *out, bool again, uint32_t after_ms, const char *waiting_for);
/* How long until the next look at something whose making began `since_ms` (wall) ago: short at first, at most 15 s. */
uint32_t sf_cluster_poll_ms(int64_t since_ms);
/* "2026-11-20T13:35:39.123Z" as wall milliseconds; 0 when it is not. */
int64_t sf_cluster_time_ms(struct sf_str text);

/* Where a person asks it in a browser: Query Editor v2, which lists the clusters and workgroups of the region. */
struct sf_str sf_cluster_editor_url(const struct sf_op *op);

/* SF_E_UNAVAILABLE, or SF_E_REFUSED while applying when it is paused as the stack says: trying again would help nobody. */
enum sf_code sf_cluster_refuse_paused(const struct sf_op *op, struct sf_str id, bool is_as_wanted, struct sf_err *err);

/* Whether the tags name another owner: what has our name then is not ours. Tags that somebody took off say nothing. */
bool sf_cluster_is_foreign(struct sf_op *op, const char *what, const struct sf_value *tags);

/* --- the master password: AWS never tells it, so what was set last is kept by fingerprint, sealed --- */

/* The clear password if this run has one and it is not known to be set; else NULL. */
const struct sf_value *sf_cluster_password_to_set(struct sf_op *op, const struct sf_value *want);
/* Whether it is the one that was set last, as far as is known. */
bool sf_cluster_is_password_set(struct sf_op *op, struct sf_str password);
/* Before the call that sets it: from here on it is in doubt. After it, with `is_set`. */
enum sf_code sf_cluster_note_password(struct sf_op *op, const struct sf_value *want, bool is_set, struct sf_err *err) SF_MUST_CHECK;

/* --- security groups: AWS puts the VPC's default one on a cluster without any, which stands for an empty list --- */

/* The ids as attribute `security_groups` tells them. One call when `wanted` is empty and `ids` is not. */
enum sf_code sf_cluster_groups_told(struct sf_op *op, const struct sf_value *ids, const struct sf_value *wanted,
                                    const struct sf_value **told, struct sf_err *err) SF_MUST_CHECK;
/* The ids to put on it instead of `ids`; NULL when they are as wanted. */
enum sf_code sf_cluster_groups_to_set(struct sf_op *op, const struct sf_value *ids, const struct sf_value *wanted,
                                      const struct sf_value **set, struct sf_err *err) SF_MUST_CHECK;

/* --- lists of texts --- */

bool sf_cluster_has(const struct sf_value *list, struct sf_str text);
/* Those of `list` that are not in `other`; either may be NULL. */
const struct sf_value *sf_cluster_missing(struct sf_arena *arena, const struct sf_value *list, const struct sf_value *other);
/* Both hold the same, in any order. */
bool sf_cluster_is_same_set(const struct sf_value *a, const struct sf_value *b);
/* The texts at `key` of a list of maps; of those for which `state_key` (may be NULL) does not say `not_state`. */
const struct sf_value *sf_cluster_column(struct sf_arena *arena, const struct sf_value *list, const char *key,
                                         const char *state_key, const char *not_state);

#endif

/* What kind `ssh_key` is in every world: made here, its private half sealed in state before anything is made of it, and written
 * 0600 into the secrets directory for people's own clients; or imported, as a public half only. A world adds where it keeps its
 * record of the key. */
#ifndef SF_SITE_KEY_PAIR_H
#define SF_SITE_KEY_PAIR_H

#include "engine/kind.h"

/* What the private half is sealed as: sf_op_unseal(op, key, SF_KEY_PAIR_SECRET, ...). */
#define SF_KEY_PAIR_SECRET "private_key"

/* What is recorded of a key. The file in the secrets directory is looked at, not recorded. */
extern const char *const sf_key_pair_attrs[];
extern const size_t sf_key_pair_n_attrs;

/* derive() and preflight() of the drivers. */
enum sf_code sf_key_pair_derive(struct sf_op *op, struct sf_value *want, struct sf_err *err);
enum sf_code sf_key_pair_preflight(struct sf_op *op, const struct sf_value *want, struct sf_err *err);

/* Makes the key that is wanted, sealed when this returns, or takes the one that is imported. *attrs: `want` and all that follows.
 */
enum sf_code sf_key_pair_make(struct sf_op *op, const struct sf_value *want, const struct sf_value **attrs,
                              struct sf_err *err) SF_MUST_CHECK;
/* Writes the private key's file, if there is a private half, and adds it to out->attrs. `have` (or NULL) names the file that the
 * resource had before it was renamed: that one goes. */
enum sf_code sf_key_pair_put_file(struct sf_op *op, const struct sf_value *have, struct sf_outcome *out,
                                  struct sf_err *err) SF_MUST_CHECK;
/* Adds to out->attrs where the private key's file is; null when it is not there as it should be (ours, 0600, the very key). */
void sf_key_pair_look(struct sf_op *op, struct sf_outcome *out);
/* Removes the file that is recorded. */
enum sf_code sf_key_pair_remove_file(struct sf_op *op, struct sf_err *err) SF_MUST_CHECK;

#endif

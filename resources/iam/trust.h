/* Who may use a role: `trust: transfer`, `trust: redshift`, or a trust policy as IAM has it. Pure.
 *
 * Names of services end in amazonaws.com in every partition: neither Transfer Family nor Redshift is among the exceptions that AWS
 * documents. */
#ifndef SF_IAM_TRUST_H
#define SF_IAM_TRUST_H

#include "engine/core/value.h"

/* The trust policy that `trust` stands for; a document is returned as it is, NULL when it is not known yet. `account` (empty: none)
 * is the only one for which Transfer Family may use the role: the service works for all accounts, and without the condition could
 * be talked into it by another's server (Transfer Family user guide, "Cross-service confused deputy prevention"). */
enum sf_code sf_iam_trust_document(struct sf_arena *arena, const struct sf_value *trust, struct sf_str account,
                                   const struct sf_value **document, struct sf_err *err) SF_MUST_CHECK;

/* What attribute `trust` reports for a `document` that is there: `trust` (the short name in state; may be NULL) if that stands for
 * it, else the document. */
const struct sf_value *sf_iam_trust_report(struct sf_arena *arena, const struct sf_value *document, const struct sf_value *trust,
                                           struct sf_str account);

#endif

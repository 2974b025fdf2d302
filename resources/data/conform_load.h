/* Conforming in the warehouse, as the first half of a load: raw files are staged, the rules run over them as SQL (conform_sql.h),
 * and what they come to is measured there. The result is a data set like one that the engine conformed, so that all that follows
 * (what changes, checks, publishing, the ledger) is the same; only its rows are in staging tables and not in objects.
 *
 * Digests are those of the warehouse, by which read() compares: a table or year whose count, total and digest are the ledger's goes
 * by the digest that the ledger has for it, whoever gave it. */
#ifndef SF_DATA_CONFORM_LOAD_H
#define SF_DATA_CONFORM_LOAD_H

#include "resources/data/load_plan.h"

/* Stages and conforms; the staging tables are committed. *dataset is objects->dataset with the attributes that the engine would
 * have set: tables, years, rows, rejected, rejects... SF_E_STALE: the rules are not those of the plan. SF_E_DATA: two members or
 * rows share a key. Else what the warehouse says. What is left of the tables is the caller's to sweep. */
enum sf_code sf_conform_load(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                             const struct sf_ledger *ledger, struct sf_object *dataset, struct sf_err *err) SF_MUST_CHECK;

/* Keeps up to SF_MAX_REJECTS rejected rows in load_rejects, as a check of this name. */
#define SF_CONFORM_LOAD_CHECK "(rejected)"
void sf_conform_load_keep_rejects(struct sf_script *script, const struct sf_load_plan *plan, const char *severity);

#endif

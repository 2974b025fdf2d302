/* A load as statements: what is staged, the transaction that checks and publishes it, and the one that tells which rows failed; and
 * whether a warehouse takes them. Asks no warehouse. */
#ifndef SF_DATA_LOAD_SCRIPT_H
#define SF_DATA_LOAD_SCRIPT_H

#include "resources/data/check_run.h"
#include "resources/data/load_plan.h"

/* The copies, for warehouse_stage(), and the transaction after them. Completes the plan by what its checks need. */
void sf_load_compose(struct sf_arena *arena, struct sf_checks *checks, struct sf_load_plan *plan, struct sf_script *copies,
                     struct sf_script *script, struct sf_check_run *run);

/* Stages once more, without constraints, counts all checks and stores what fails: in a transaction of its own, since that of the
 * load is gone. */
void sf_load_rehearse(struct sf_arena *arena, struct sf_checks *checks, const struct sf_load_plan *plan, struct sf_script *copies,
                      struct sf_script *script, struct sf_check_run *run);

/* SF_E_CONFIG when that is more than the warehouse takes as one transaction: a list of checks can be that long. */
enum sf_code sf_load_check_size(struct sf_op *op, const struct sf_object *cluster, const struct sf_checks *checks,
                                const struct sf_script *script, struct sf_err *err) SF_MUST_CHECK;

/* The same while planning, of either script and all that a load of these contents could be: every part of every table. What is not
 * known yet, was published before under the same checks, or is wrong in another way, passes. */
enum sf_code sf_load_foresee_size(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                                  struct sf_checks *checks, const struct sf_value *contents, struct sf_err *err) SF_MUST_CHECK;

#endif

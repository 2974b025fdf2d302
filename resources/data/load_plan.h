/* What a load is about to do: gathered from the objects it refers to (star, delivery, data set), its files, and the ledger. */
#ifndef SF_DATA_LOAD_PLAN_H
#define SF_DATA_LOAD_PLAN_H

#include "resources/data/checks.h"
#include "resources/data/ledger.h"

/* The objects around a load. */
struct sf_load_objects {
    const struct sf_object *star_schema, *cluster, *upload, *bucket, *role, *dataset;
};

/* SF_E_CONFIG when one is a literal or missing. upload, bucket, role and dataset may be NULL when `needs_source` is false. */
enum sf_code sf_load_objects(struct sf_op *op, bool needs_source, struct sf_load_objects *objects,
                             struct sf_err *err) SF_MUST_CHECK;

/* {rules, star, checks, sample, tables, years} as the data set says; NULL while it is not known. Of one that is yet to be conformed
 * in the warehouse tables and years are empty, and `raw` is its snapshot. */
const struct sf_value *sf_load_contents(struct sf_op *op, const struct sf_object *dataset, const struct sf_star *star,
                                        const struct sf_checks *checks);

/* Fills the plan: what differs between `want` and the ledger changes. SF_E_CONFIG when data set and star do not fit together. */
enum sf_code sf_load_prepare(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                             const struct sf_checks *checks, const struct sf_value *want, const struct sf_ledger *ledger,
                             struct sf_load_plan *plan, struct sf_err *err) SF_MUST_CHECK;

/* The same of the raw files of a data set that the warehouse conforms. */
enum sf_code sf_load_check_raw(struct sf_op *op, const struct sf_load_objects *objects, struct sf_err *err) SF_MUST_CHECK;

/* Proves that every object that will be copied is delivered: named by a manifest that the commit file names, and there.
 * SF_E_REFUSED names what is missing. */
enum sf_code sf_load_check_delivery(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_load_plan *plan,
                                    struct sf_err *err) SF_MUST_CHECK;

#endif

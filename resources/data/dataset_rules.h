/* What a dataset's `conform` says: which rule file, and where its rules run. */
#ifndef SF_DATA_DATASET_RULES_H
#define SF_DATA_DATASET_RULES_H

#include "engine/kind.h"
#include "resources/data/conform/rules.h"

struct sf_dataset_conform {
    struct sf_str rules;  /* builtin:NAME, or a path beside the stack file */
    bool is_in_warehouse; /* as SQL, at the load; else by the engine, while planning */
};

/* Reads the attribute: the name of a rule file, or {rules: NAME, in: warehouse}. SF_E_CONFIG with err->where. */
enum sf_code sf_dataset_conform_read(const struct sf_value *conform, struct sf_dataset_conform *out,
                                     struct sf_err *err) SF_MUST_CHECK;
/* Whether the data set with these attributes is conformed in the warehouse. */
bool sf_dataset_is_in_warehouse(const struct sf_value *attrs);
/* Its rules, read anew, under its schema_contract. */
enum sf_code sf_dataset_rules(struct sf_op *op, const struct sf_value *attrs, const struct sf_rules **rules,
                              struct sf_err *err) SF_MUST_CHECK;

#endif

/* See dataset_rules.h. */
#include "resources/data/dataset_rules.h"

#include "attr/dataset.h"
#include "resources/data/data_file.h"

static enum sf_code refuse(const struct sf_value *at, const char *what, struct sf_err *err)
{
    sf_fail(err, SF_E_CONFIG, "conform: %s", what);
    sf_hint(err, "write the name of a rule file, builtin:NAME or a path beside the stack file; or {rules: NAME, in: warehouse}");
    if (err && at)
        err->where = at->mark;
    return SF_E_CONFIG;
}

enum sf_code sf_dataset_conform_read(const struct sf_value *conform, struct sf_dataset_conform *out, struct sf_err *err)
{
    *out = (struct sf_dataset_conform){.rules = SF_STR_NONE};
    if (conform && conform->type == SF_V_STRING) {
        out->rules = conform->s;
        return SF_OK;
    }
    if (!conform || conform->type != SF_V_MAP)
        return refuse(conform, "must be the name of a rule file, or a map", err);
    for (size_t i = 0; i < conform->map.n; i++) {
        const struct sf_pair *pair = &conform->map.pairs[i];
        if (!sf_str_is(pair->key, "rules") && !sf_str_is(pair->key, "in"))
            return refuse(pair->value, "unknown key: it has 'rules' and 'in'", err);
    }
    struct sf_str where = sf_map_str(conform, "in");
    out->rules = sf_map_str(conform, "rules");
    out->is_in_warehouse = sf_str_is(where, "warehouse");
    if (out->rules.n == 0)
        return refuse(conform, "names no rule file", err);
    if (sf_map_getz(conform, "in") && !out->is_in_warehouse && !sf_str_is(where, "engine"))
        return refuse(sf_map_getz(conform, "in"), "'in' is engine (the default) or warehouse", err);
    return SF_OK;
}

bool sf_dataset_is_in_warehouse(const struct sf_value *attrs)
{
    struct sf_dataset_conform conform;
    return !sf_dataset_conform_read(sf_map_getz(attrs, DATASET_CONFORM), &conform, NULL) && conform.is_in_warehouse;
}

enum sf_code sf_dataset_rules(struct sf_op *op, const struct sf_value *attrs, const struct sf_rules **rules, struct sf_err *err)
{
    static const char *const contracts[] = {
        [SF_CONTRACT_FREEZE] = "freeze", [SF_CONTRACT_EVOLVE] = "evolve", [SF_CONTRACT_DISCARD_ROW] = "discard_row"};
    struct sf_str contract = sf_map_str(attrs, DATASET_SCHEMA_CONTRACT);
    struct sf_dataset_conform conform;
    const char *path = NULL;
    struct sf_str text = SF_STR_NONE;
    const struct sf_value *root = NULL;
    enum sf_code rc = sf_dataset_conform_read(sf_map_getz(attrs, DATASET_CONFORM), &conform, err);
    if (!rc)
        rc = sf_data_file_read(op, "rule file", conform.rules, &path, &text, err);
    if (!rc)
        rc = sf_data_file_parse(op, "rule file", path, text, &root, err);
    if (!rc)
        rc = sf_rules_read(op->arena, root, rules, err);
    for (size_t i = 0; !rc && i < SF_COUNT(contracts); i++)
        if (sf_str_is(contract, contracts[i]))
            *rules = sf_rules_under(op->arena, *rules, (enum sf_contract)i);
    return rc;
}

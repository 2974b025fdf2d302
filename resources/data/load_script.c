/* See load_script.h. */
#include "resources/data/load_script.h"

#include "attr/load.h"

#include "resources/data/conform_load.h"
#include "resources/data/dataset_rules.h"

void sf_load_compose(struct sf_arena *arena, struct sf_checks *checks, struct sf_load_plan *plan, struct sf_script *copies,
                     struct sf_script *script, struct sf_check_run *run)
{
    plan->accepted_sql = sf_check_run_noted_sql(arena, checks, true);
    plan->warned_sql = sf_check_run_noted_sql(arena, checks, false);
    plan->also_joined = sf_checks_joined_sql(arena, checks, plan);
    plan->also_measured = sf_checks_measured_sql(arena, checks, plan);
    sf_publish_stage(copies, plan);
    sf_publish_begin(script, plan);
    sf_check_run_add(script, checks, plan, run);
    if (plan->is_conformed)
        sf_conform_load_keep_rejects(script, plan, "accepted");
    sf_publish_commit(script, plan);
}

void sf_load_rehearse(struct sf_arena *arena, struct sf_checks *checks, const struct sf_load_plan *plan, struct sf_script *copies,
                      struct sf_script *script, struct sf_check_run *run)
{
    struct sf_load_plan *rehearsal = SF_NEW(arena, struct sf_load_plan);
    *rehearsal = *plan;
    rehearsal->is_rehearsal = true;
    sf_publish_stage(copies, rehearsal);
    sf_publish_begin(script, rehearsal);
    sf_check_run_add(script, checks, rehearsal, run);
    sf_publish_sweep(script, rehearsal);
}

enum sf_code sf_load_check_size(struct sf_op *op, const struct sf_object *cluster, const struct sf_checks *checks,
                                const struct sf_script *script, struct sf_err *err)
{
    const struct sf_world *world = op->site->world;
    if (!world->warehouse_takes)
        return SF_OK;
    enum sf_code rc = world->warehouse_takes(op, cluster, script->list, script->n, err);
    if (rc)
        sf_context(err, "'%.*s', a load with %zu checks", SF_ARG(op->self->address), checks->n);
    return rc;
}

enum sf_code sf_load_foresee_size(struct sf_op *op, const struct sf_load_objects *objects, const struct sf_star *star,
                                  struct sf_checks *checks, const struct sf_value *contents, struct sf_err *err)
{
    const struct sf_value *recorded = sf_map_getz(op->self->attrs, LOAD_CONTENTS);
    /* what was published under these checks was not too much */
    bool is_proven = op->self->id.n && recorded && recorded->type == SF_V_MAP &&
                     sf_str_eq(sf_map_str(recorded, "checks"), sf_map_str(contents, "checks"));
    if (is_proven || !op->site->world->warehouse_takes || sf_dataset_is_in_warehouse(objects->dataset->attrs))
        return SF_OK;
    const struct sf_ledger nothing = {0};
    struct sf_load_plan plan = {.load_id = SF_STR("00000000-0000-0000-0000-000000000000")};
    struct sf_script copies = {.arena = op->arena}, script = {.arena = op->arena};
    struct sf_check_run run;
    struct sf_err later = {0}; /* told by the load itself, which knows more */
    plan.loaded_by =
        sf_str_fmt(op->arena, "%.*s/%.*s/%.*s", SF_ARG(op->site->stack), SF_ARG(op->site->lineage), SF_ARG(op->self->name));
    if (sf_load_prepare(op, objects, star, checks, contents, &nothing, &plan, &later))
        return SF_OK;
    sf_load_compose(op->arena, checks, &plan, &copies, &script, &run);
    enum sf_code rc = sf_load_check_size(op, objects->cluster, checks, &script, err);
    script = (struct sf_script){.arena = op->arena};
    if (!rc)
        sf_load_rehearse(op->arena, checks, &plan, &copies, &script, &run);
    return rc ? rc : sf_load_check_size(op, objects->cluster, checks, &script, err);
}

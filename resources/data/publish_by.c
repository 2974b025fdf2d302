/* What publish.h promises, by the publisher of the plan's dialect. */
#include "resources/data/publish_sql.h"

void sf_publish_stage(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->stage(script, plan);
}

void sf_publish_begin(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->begin(script, plan);
}

struct sf_str sf_publish_part(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_load_part *part)
{
    return plan->dialect->publisher->part(arena, plan, part);
}

void sf_publish_commit(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->commit(script, plan);
}

void sf_publish_sweep(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->sweep(script, plan);
}

void sf_publish_withdraw(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->withdraw(script, plan);
}

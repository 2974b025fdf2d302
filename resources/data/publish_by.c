/* What publish.h promises, by the publisher of the plan's dialect. */
#include "resources/data/conform_sql.h"
#include "resources/data/publish_sql.h"

#include <inttypes.h>

void sf_publish_stage(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->stage(script, plan);
}

struct sf_str sf_publish_conformed_sql(struct sf_arena *arena, const struct sf_load_plan *plan, const struct sf_star_table *table,
                                       struct sf_str columns, const int64_t *part)
{
    struct sf_str from = sf_conform_sql_table(arena, plan->partitions, table->name);
    struct sf_str query = sf_str_fmt(arena, "select %.*s from %.*s", SF_ARG(columns), SF_ARG(from));
    return part ? sf_str_fmt(arena, "%.*s where %.*s = %" PRId64, SF_ARG(query), SF_ARG(sf_sql_name(arena, table->partition_by)),
                             *part)
                : query;
}

bool sf_publish_stages_bare(const struct sf_load_plan *plan)
{
    return plan->dialect->publisher->stages_bare;
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

void sf_publish_tidy(struct sf_script *script, const struct sf_load_plan *plan)
{
    if (plan->dialect->publisher->tidy)
        plan->dialect->publisher->tidy(script, plan);
}

void sf_publish_withdraw(struct sf_script *script, const struct sf_load_plan *plan)
{
    plan->dialect->publisher->withdraw(script, plan);
}

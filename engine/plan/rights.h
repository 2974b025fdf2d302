/* What the person who runs sfstack must be allowed to do for a planned graph, from the drivers' tables (struct sf_need). Pure. */
#ifndef SF_PLAN_RIGHTS_H
#define SF_PLAN_RIGHTS_H

#include "engine/plan/graph.h"

/* An IAM policy document: {Version, Statement: [{Sid, Effect, Action: [..], Resource: [..]}]}. One statement for each set of
 * actions that the same resources need, in the order of the kinds; actions and resources sorted. What is not known yet is '*' in
 * its ARN. `changed_only`: only for what this plan does something to. No statements: no kind of this world needs rights. */
const struct sf_value *sf_graph_rights(const struct sf_graph *graph, struct sf_arena *arena, bool changed_only);

#endif

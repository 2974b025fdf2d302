/* The saved plan: what each step would do and what it read, bound to stack, state and files by digests. Pure.
 *
 * `sfapply FILE` plans again from the same settings and then holds the new plan against the saved one: it may do less, never
 * more or other. Only objects that the saved plan touches matter, so a change elsewhere does not void it. */
#ifndef SF_PLAN_PLANFILE_H
#define SF_PLAN_PLANFILE_H

#include "engine/plan/graph.h"

/* What the command line was, to plan again by. */
struct sf_plan_request {
    struct sf_str stack_file; /* absolute */
    struct sf_str provider;
    struct sf_str state;
    const struct sf_value *settings; /* list of maps {text, is_file} */
};

/* The document, secrets as fingerprints. */
const struct sf_value *sf_planfile_make(struct sf_graph *graph, struct sf_arena *arena, const struct sf_plan_request *request);
/* Checks format and digest of a parsed file. SF_E_CONFIG when it is not one or was altered. */
enum sf_code sf_planfile_check(struct sf_arena *arena, const struct sf_value *saved, struct sf_err *err) SF_MUST_CHECK;
/* Options and settings it was made with. */
void sf_planfile_request(struct sf_arena *arena, const struct sf_value *saved, struct sf_plan_request *request,
                         struct sf_plan_options *options);
/* Holds a decided graph against it. SF_E_STALE names object and field. Updates that the plan does not hold are dropped from the
 * graph. */
enum sf_code sf_planfile_hold(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *saved,
                              struct sf_err *err) SF_MUST_CHECK;

#endif

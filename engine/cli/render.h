/* The plan for people, in Terraform's grammar, and as JSON lines. Never prints a secret. */
#ifndef SF_CLI_RENDER_H
#define SF_CLI_RENDER_H

#include "engine/run/apply.h"

/* The whole plan: drift, changes, outputs, notes, summary line. */
void sf_render_plan(struct sf_buf *out, const struct sf_run *run, bool color);
/* One node's change, without the summary. */
void sf_render_node(struct sf_buf *out, const struct sf_run *run, const struct sf_node *node, bool color);
/* What the reviews say of the plan: a map of title -> lines of text, without those that have nothing to say. */
const struct sf_value *sf_render_reviews(struct sf_arena *arena, const struct sf_run *run);
/* A value as it is shown on one attribute's line, at `indent`. */
void sf_render_value(struct sf_buf *out, const struct sf_value *v, int indent);
void sf_render_outputs(struct sf_buf *out, const struct sf_value *outputs);
/* Terraform-shaped JSON lines: version, resource_drift, planned_change, review, change_summary, outputs. */
void sf_render_plan_json(struct sf_buf *out, const struct sf_run *run);
/* {"@level","@message","@timestamp","type", ...}: one line. `fields` (a map, may be NULL) is merged in. */
void sf_render_event_json(struct sf_buf *out, struct sf_arena *arena, const char *level, const char *type, struct sf_str message,
                          const struct sf_value *fields);

#endif

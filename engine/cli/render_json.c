/* The plan as JSON lines, shaped like Terraform's machine-readable output: one object a line, each with a `type`. Secrets stay out:
 * the JSON writer prints none. See render.h. */
#include "engine/cli/render.h"

#include "engine/core/clock.h"

void sf_render_event_json(struct sf_buf *out, struct sf_arena *arena, const char *level, const char *type, struct sf_str message,
                          const struct sf_value *fields)
{
    struct sf_value *line = sf_value_map(arena);
    sf_map_set_str(arena, line, "@level", sf_str_of(level));
    sf_map_set_str(arena, line, "@message", message);
    sf_map_set_str(arena, line, "@module", SF_STR("sfstack"));
    sf_map_set_str(arena, line, "@timestamp", sf_clock_rfc3339(arena, sf_clock_wall_ms()));
    sf_map_set_str(arena, line, "type", sf_str_of(type));
    for (size_t i = 0; fields && i < fields->map.n; i++)
        sf_map_set(arena, line, fields->map.pairs[i].key, fields->map.pairs[i].value);
    sf_json_write(out, line, SF_JSON_PLAIN);
    sf_buf_addc(out, '\n');
}

static const struct sf_value *resource_json(struct sf_arena *arena, const struct sf_node *node)
{
    struct sf_value *resource = sf_value_map(arena);
    sf_map_set_str(arena, resource, "addr", node->address);
    sf_map_set_str(arena, resource, "resource_type", node->kind);
    sf_map_set_str(arena, resource, "resource_name", node->name);
    return resource;
}

static const struct sf_value *changes_json(struct sf_arena *arena, const struct sf_change *changes, size_t n)
{
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < n; i++) {
        struct sf_value *one = sf_value_map(arena);
        sf_map_set(arena, one, SF_STR("before"), changes[i].before ? changes[i].before : &sf_null_value);
        sf_map_set(arena, one, SF_STR("after"), changes[i].after ? changes[i].after : &sf_null_value);
        struct sf_str source;
        if (changes[i].after && sf_value_has_unknown(changes[i].after, &source))
            sf_map_set_str(arena, one, "after_unknown", source);
        if (changes[i].forces_replacement)
            sf_map_set_bool(arena, one, "forces_replacement", true);
        sf_map_set(arena, map, sf_str_of(changes[i].attr->name), one);
    }
    return map;
}

void sf_render_plan_json(struct sf_buf *out, const struct sf_run *run)
{
    struct sf_arena *arena = sf_arena_new();
    for (size_t i = 0; i < run->graph.n_nodes; i++) {
        const struct sf_node *node = run->graph.nodes[i];
        struct sf_value *fields = sf_value_map(arena), *change_value = sf_value_map(arena);
        sf_map_set(arena, change_value, SF_STR("resource"), resource_json(arena, node));
        if (node->n_drift) {
            struct sf_value *drift = sf_value_map(arena), *outer = sf_value_map(arena);
            sf_map_set(arena, drift, SF_STR("resource"), resource_json(arena, node));
            sf_map_set_str(arena, drift, "action", SF_STR("update"));
            sf_map_set(arena, drift, SF_STR("attributes"), changes_json(arena, node->drift, node->n_drift));
            sf_map_set(arena, outer, SF_STR("change"), drift);
            sf_render_event_json(out, arena, "info", "resource_drift",
                                 sf_str_fmt(arena, "%.*s: drift detected", SF_ARG(node->address)), outer);
        }
        if (node->action == SF_NOOP && !sf_node_changes_record(node))
            continue;
        const char *action = node->action != SF_NOOP ? sf_action_name(node->action) : node->moved_from.n ? "move" : "record";
        if (node->moved_from.n)
            sf_map_set_str(arena, change_value, "previous_addr", node->moved_from);
        sf_map_set_str(arena, change_value, "action", sf_str_of(action));
        if (node->reason)
            sf_map_set_str(arena, change_value, "reason", sf_str_of(sf_reason_text(node->reason)));
        sf_map_set(arena, change_value, SF_STR("attributes"), changes_json(arena, node->changes, node->n_changes));
        sf_map_set(arena, fields, SF_STR("change"), change_value);
        sf_render_event_json(out, arena, "info", "planned_change",
                             sf_str_fmt(arena, "%.*s: plan to %s", SF_ARG(node->address), action), fields);
    }
    const struct sf_value *reviews = sf_render_reviews(arena, run);
    for (size_t i = 0; i < reviews->map.n; i++) {
        struct sf_value *fields = sf_value_map(arena), *review = sf_value_map(arena);
        sf_map_set_str(arena, review, "title", reviews->map.pairs[i].key);
        sf_map_set(arena, review, SF_STR("text"), reviews->map.pairs[i].value);
        sf_map_set(arena, fields, SF_STR("review"), review);
        sf_render_event_json(out, arena, "info", "review", reviews->map.pairs[i].key, fields);
    }
    struct sf_counts counts = sf_graph_count(&run->graph);
    struct sf_value *fields = sf_value_map(arena), *changes = sf_value_map(arena);
    sf_map_set_int(arena, changes, "add", (int64_t)counts.add);
    sf_map_set_int(arena, changes, "change", (int64_t)counts.change);
    sf_map_set_int(arena, changes, "remove", (int64_t)counts.destroy);
    sf_map_set_int(arena, changes, "forget", (int64_t)counts.forget);
    sf_map_set_int(arena, changes, "drift", (int64_t)counts.drift);
    sf_map_set_str(arena, changes, "operation", SF_STR("plan"));
    sf_map_set(arena, fields, SF_STR("changes"), changes);
    sf_render_event_json(
        out, arena, "info", "change_summary",
        sf_str_fmt(arena, "Plan: %zu to add, %zu to change, %zu to destroy.", counts.add, counts.change, counts.destroy), fields);
    if (run->graph.outputs) {
        struct sf_value *outputs = sf_value_map(arena);
        sf_map_set(arena, outputs, SF_STR("outputs"), run->graph.outputs);
        sf_render_event_json(out, arena, "info", "outputs", SF_STR("Outputs"), outputs);
    }
    sf_arena_free(arena);
}

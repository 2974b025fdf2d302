/* See planfile.h. */
#include "engine/plan/planfile.h"

#include "engine/core/clock.h"

#define FORMAT 2

static const struct sf_value *names_json(struct sf_arena *arena, const struct sf_str *names, size_t n)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, n, const struct sf_value *);
    for (size_t i = 0; i < n; i++)
        items[i] = sf_value_str(arena, names[i]);
    return sf_value_list(arena, items, n);
}

static const struct sf_value *options_json(struct sf_arena *arena, const struct sf_plan_options *options)
{
    struct sf_value *map = sf_value_map(arena);
    sf_map_set_bool(arena, map, "destroy", options->is_destroy);
    sf_map_set_bool(arena, map, "refresh_only", options->is_refresh_only);
    sf_map_set_bool(arena, map, "no_refresh", options->no_refresh);
    sf_map_set_bool(arena, map, "data_skipped", options->is_data_skipped);
    sf_map_set(arena, map, SF_STR("targets"), names_json(arena, options->targets, options->n_targets));
    sf_map_set(arena, map, SF_STR("replaces"), names_json(arena, options->replaces, options->n_replaces));
    return map;
}

static const struct sf_value *step_json(struct sf_graph *graph, struct sf_arena *arena, const struct sf_node *node)
{
    struct sf_value *step = sf_value_map(arena), *changes = sf_value_map(arena);
    sf_map_set_str(arena, step, "address", node->address);
    sf_map_set_str(arena, step, "action", sf_str_of(sf_action_name(node->action)));
    sf_map_set_str(arena, step, "id", node->recorded ? node->recorded->id : SF_STR_NONE);
    for (size_t i = 0; i < node->n_changes; i++) {
        const struct sf_change *change = &node->changes[i];
        struct sf_value *one = sf_value_map(arena);
        sf_map_set(arena, one, SF_STR("before"), change->before ? sf_value_sealed(graph, arena, change->before) : &sf_null_value);
        sf_map_set(arena, one, SF_STR("after"), change->after ? sf_value_sealed(graph, arena, change->after) : &sf_null_value);
        sf_map_set(arena, changes, sf_str_of(change->attr->name), one);
    }
    sf_map_set(arena, step, SF_STR("changes"), changes);
    return step;
}

/* What was read from sources while planning, so that applying takes the same bytes. */
static const struct sf_value *settled_json(struct sf_graph *graph, struct sf_arena *arena)
{
    struct sf_value *all = sf_value_map(arena);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct sf_node *node = graph->nodes[i];
        struct sf_value *derived = sf_value_map(arena);
        for (size_t k = 0; node->want && node->driver->is_slow_derive && k < node->schema->n_attrs; k++) {
            const struct sf_attr *attr = &node->schema->attrs[k];
            const struct sf_value *v = attr->derive ? sf_map_getz(node->want, attr->name) : NULL;
            if (v && !sf_value_has_unknown(v, NULL))
                sf_map_set(arena, derived, sf_str_of(attr->name), sf_value_sealed(graph, arena, v));
        }
        if (derived->map.n)
            sf_map_set(arena, all, node->address, derived);
    }
    return all;
}

static struct sf_str digest_of(struct sf_arena *arena, const struct sf_value *saved)
{
    struct sf_value *bare = sf_value_map(arena);
    for (size_t i = 0; i < saved->map.n; i++)
        if (!sf_str_is(saved->map.pairs[i].key, "digest"))
            sf_map_add(arena, bare, saved->map.pairs[i].key, saved->map.pairs[i].value);
    return sf_sha256_hex(arena, sf_json_text(arena, bare, SF_JSON_STATE));
}

/* Files by their names as seen from the stack file: it may be named by another path when the plan is applied. */
static const struct sf_value *sources_json(struct sf_arena *arena, const struct sf_stack *stack)
{
    struct sf_value *map = sf_value_map(arena);
    const char *slash = strrchr(stack->file, '/');
    struct sf_str folder = {stack->file, slash ? (size_t)(slash - stack->file) + 1 : 0};
    for (const struct sf_source *source = stack->sources; source; source = source->next) {
        struct sf_str file = sf_str_of(source->file);
        if (folder.n && sf_str_starts(file, folder))
            file = sf_str_slice(file, folder.n, file.n);
        sf_map_set(arena, map, file, sf_value_str(arena, sf_sha256_hex(arena, source->text)));
    }
    return map;
}

static const struct sf_value *variables_json(struct sf_graph *graph, struct sf_arena *arena)
{
    struct sf_value *map = sf_value_map(arena);
    for (size_t i = 0; i < graph->stack->n_variables; i++) {
        const struct sf_variable *variable = &graph->stack->variables[i];
        if (variable->value && variable->value->type != SF_V_UNKNOWN)
            sf_map_set(arena, map, variable->name, sf_value_sealed(graph, arena, variable->value));
    }
    return map;
}

const struct sf_value *sf_planfile_make(struct sf_graph *graph, struct sf_arena *arena, const struct sf_plan_request *request)
{
    struct sf_value *saved = sf_value_map(arena);
    sf_map_set_int(arena, saved, "format", FORMAT);
    sf_map_set_str(arena, saved, "stack", graph->site->stack);
    sf_map_set_str(arena, saved, "lineage", graph->site->lineage);
    sf_map_set_str(arena, saved, "provider", graph->site->provider);
    sf_map_set_str(arena, saved, "made", sf_clock_rfc3339(arena, sf_clock_wall_ms()));
    sf_map_set_str(arena, saved, "stack_file", request->stack_file);
    sf_map_set_str(arena, saved, "provider_option", request->provider);
    sf_map_set_str(arena, saved, "state_option", request->state);
    sf_map_set(arena, saved, SF_STR("settings"), request->settings);
    sf_map_set(arena, saved, SF_STR("sources"), sources_json(arena, graph->stack));
    sf_map_set(arena, saved, SF_STR("variables"), variables_json(graph, arena));
    sf_map_set(arena, saved, SF_STR("options"), options_json(arena, &graph->options));
    const struct sf_value **steps = SF_NEW_ARRAY(arena, graph->n_nodes, const struct sf_value *);
    size_t n = 0;
    for (size_t i = 0; i < graph->n_nodes; i++)
        if (graph->nodes[i]->action != SF_NOOP)
            steps[n++] = step_json(graph, arena, graph->nodes[i]);
    sf_map_set(arena, saved, SF_STR("steps"), sf_value_list(arena, steps, n));
    sf_map_set(arena, saved, SF_STR("settled"), settled_json(graph, arena));
    sf_map_set_str(arena, saved, "digest", digest_of(arena, saved));
    return saved;
}

enum sf_code sf_planfile_check(struct sf_arena *arena, const struct sf_value *saved, struct sf_err *err)
{
    if (saved->type != SF_V_MAP || sf_map_int(saved, "format", 0) != FORMAT)
        return sf_fail(err, SF_E_USAGE, "this is not a plan file of this version of sfplan");
    if (!sf_str_eq(sf_map_str(saved, "digest"), digest_of(arena, saved)))
        return sf_fail(err, SF_E_STALE, "the plan file was altered after sfplan wrote it");
    return SF_OK;
}

static struct sf_str *names_of(struct sf_arena *arena, const struct sf_value *list, size_t *n)
{
    *n = list && list->type == SF_V_LIST ? list->list.n : 0;
    struct sf_str *names = SF_NEW_ARRAY(arena, *n, struct sf_str);
    for (size_t i = 0; i < *n; i++)
        names[i] = list->list.items[i]->s;
    return names;
}

void sf_planfile_request(struct sf_arena *arena, const struct sf_value *saved, struct sf_plan_request *request,
                         struct sf_plan_options *options)
{
    const struct sf_value *kept = sf_map_getz(saved, "options");
    request->stack_file = sf_map_str(saved, "stack_file");
    request->provider = sf_map_str(saved, "provider_option");
    request->state = sf_map_str(saved, "state_option");
    request->settings = sf_map_getz(saved, "settings");
    *options = (struct sf_plan_options){.is_destroy = sf_map_bool(kept, "destroy", false),
                                        .is_refresh_only = sf_map_bool(kept, "refresh_only", false),
                                        .no_refresh = sf_map_bool(kept, "no_refresh", false),
                                        .is_data_skipped = sf_map_bool(kept, "data_skipped", false),
                                        .settled = sf_map_getz(saved, "settled")};
    options->targets = names_of(arena, sf_map_getz(kept, "targets"), &options->n_targets);
    options->replaces = names_of(arena, sf_map_getz(kept, "replaces"), &options->n_replaces);
}

static enum sf_code stale(struct sf_err *err, const char *what, struct sf_str name, const char *how)
{
    sf_fail(err, SF_E_STALE, "the saved plan is stale: %s '%.*s' %s", what, SF_ARG(name), how);
    sf_hint(err, "plan again: sfplan -out=FILE");
    return SF_E_STALE;
}

static enum sf_code hold_sources(struct sf_err *err, const struct sf_value *was, const struct sf_value *is)
{
    for (size_t i = 0; i < is->map.n; i++) {
        const struct sf_value *then = sf_map_get(was, is->map.pairs[i].key);
        if (!then || !sf_value_equal(then, is->map.pairs[i].value))
            return stale(err, "file", is->map.pairs[i].key, then ? "has changed since" : "was not part of the stack");
    }
    for (size_t i = 0; i < was->map.n; i++)
        if (!sf_map_get(is, was->map.pairs[i].key))
            return stale(err, "file", was->map.pairs[i].key, "is not part of the stack any more");
    return SF_OK;
}

/* A first plan is made before there is a state, so without the key of fingerprints: it has none to compare. */
static bool has_no_print(const struct sf_value *v)
{
    return v && v->type == SF_V_FINGERPRINT && !v->s.n;
}

/* Only what has a value both times: a secret may be left out while nothing needs it, one to generate has none before the first
 * apply.
 */
static enum sf_code hold_variables(struct sf_err *err, const struct sf_value *was, const struct sf_value *is)
{
    for (size_t i = 0; i < is->map.n; i++) {
        const struct sf_value *then = sf_map_get(was, is->map.pairs[i].key);
        if (then && !has_no_print(then) && !sf_value_equal(then, is->map.pairs[i].value))
            return stale(err, "variable", is->map.pairs[i].key, "has another value");
    }
    return SF_OK;
}

static bool same_value(const struct sf_value *a, const struct sf_value *b)
{
    if (sf_value_has_unknown(a, NULL) || sf_value_has_unknown(b, NULL) || has_no_print(a))
        return true; /* checked again when it is known, before the call */
    return sf_value_equal(a, b);
}

static enum sf_code hold_step(struct sf_graph *graph, struct sf_arena *arena, struct sf_node *node, const struct sf_value *saved,
                              struct sf_err *err)
{
    const struct sf_value *now = step_json(graph, arena, node);
    if (!sf_str_eq(sf_map_str(saved, "action"), sf_map_str(now, "action")))
        return stale(err, "resource", node->address,
                     sf_str_fmt(arena, "would now need a %s, not the planned %s", sf_action_name(node->action),
                                sf_map_str(saved, "action").p)
                         .p);
    if (!sf_str_eq(sf_map_str(saved, "id"), sf_map_str(now, "id")))
        return stale(err, "resource", node->address, "is another object now");
    const struct sf_value *planned = sf_map_getz(saved, "changes"), *changes = sf_map_getz(now, "changes");
    for (size_t i = 0; i < changes->map.n; i++) {
        const struct sf_value *then = sf_map_get(planned, changes->map.pairs[i].key), *is = changes->map.pairs[i].value;
        struct sf_str field = sf_str_fmt(arena, "%.*s.%.*s", SF_ARG(node->address), SF_ARG(changes->map.pairs[i].key));
        if (!then || !same_value(sf_map_getz(then, "before"), sf_map_getz(is, "before")))
            return stale(err, "field", field, "has changed since");
        if (!same_value(sf_map_getz(then, "after"), sf_map_getz(is, "after")))
            return stale(err, "field", field, "would now become something else");
    }
    return SF_OK;
}

enum sf_code sf_planfile_hold(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *saved, struct sf_err *err)
{
    struct sf_str lineage = sf_map_str(saved, "lineage");
    const struct sf_value *steps = sf_map_getz(saved, "steps");
    enum sf_code rc = hold_sources(err, sf_map_getz(saved, "sources"), sources_json(arena, graph->stack));
    if (!rc)
        rc = hold_variables(err, sf_map_getz(saved, "variables"), variables_json(graph, arena));
    if (rc)
        return rc;
    bool all_new = true;
    struct sf_map *by_address = sf_map_new(arena);
    for (size_t i = 0; i < steps->list.n; i++) {
        const struct sf_value *step = steps->list.items[i];
        sf_map_put(by_address, sf_map_str(step, "address"), (void *)(uintptr_t)step);
        all_new &= sf_str_is(sf_map_str(step, "action"), "create");
    }
    bool had_rows = false;
    for (size_t i = 0; i < graph->n_nodes; i++)
        had_rows |= graph->nodes[i]->recorded != NULL;
    if (!sf_str_eq(lineage, graph->site->lineage) && (had_rows || !all_new)) /* a first plan is made before there is a state */
        return stale(err, "state", graph->site->stack, "is another one (other lineage)");
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct sf_node *node = graph->nodes[i];
        const struct sf_value *step = sf_map_find(by_address, node->address);
        if (node->action == SF_NOOP)
            continue;
        if (step) {
            rc = hold_step(graph, arena, node, step, err);
        } else if (node->action == SF_UPDATE && node->recorded) {
            node->action = SF_NOOP; /* drift elsewhere: not in this plan, left for the next */
            node->needs_record = false;
            node->planned.attrs = node->recorded->attrs;
        } else {
            rc = stale(err, "resource", node->address, sf_str_fmt(arena, "would now need a %s", sf_action_name(node->action)).p);
        }
        if (rc)
            return rc;
    }
    return SF_OK;
}

/* Nodes and edges. See graph.h. */
#include "engine/plan/graph.h"

#include <stdio.h>

const struct sf_driver *sf_driver_find(struct sf_str kind, struct sf_str world)
{
    for (size_t i = 0; sf_drivers[i]; i++)
        if (sf_str_is(kind, sf_drivers[i]->kind) && (!sf_drivers[i]->world || sf_str_is(world, sf_drivers[i]->world)))
            return sf_drivers[i];
    return NULL;
}

const char *sf_action_name(enum sf_action action)
{
    static const char *const names[] = {"no-op", "create", "update", "replace", "delete", "forget"};
    return names[action];
}

const char *sf_reason_text(enum sf_reason reason)
{
    static const char *const texts[] = {
        [SF_REASON_NONE] = "",
        [SF_REASON_NOT_IN_STATE] = "not created yet",
        [SF_REASON_CHANGED] = "attributes differ",
        [SF_REASON_CANNOT_UPDATE] = "this kind cannot be changed in place",
        [SF_REASON_REQUESTED] = "as requested by -replace",
        [SF_REASON_GONE] = "it was deleted outside of sfstack",
        [SF_REASON_INCOMPLETE] = "an earlier run was stopped before it was finished",
        [SF_REASON_HALF_GONE] = "an earlier run was stopped while destroying it",
        [SF_REASON_CONTAINER_NEW] = "what it lives in will be new",
        [SF_REASON_NOT_IN_CONFIG] = "it is not in the stack file any more",
        [SF_REASON_DESTROY] = "everything is being destroyed",
        [SF_REASON_WITH_CONTAINER] = "it goes with what it lives in",
        [SF_REASON_ADOPTED] = "an existing object is taken over",
        [SF_REASON_SEVERED] = "what it refers to is replaced",
    };
    return texts[reason];
}

static struct sf_node *add_node(struct sf_graph *graph, struct sf_str address, struct sf_str kind, struct sf_str name)
{
    struct sf_node *node = SF_NEW(graph->arena, struct sf_node);
    node->index = graph->n_nodes;
    node->address = address;
    node->kind = kind;
    node->name = name;
    node->schema = sf_schema_find(kind);
    node->driver = sf_driver_find(kind, graph->site->provider);
    node->now = (struct sf_object){.address = address, .kind = kind, .name = name};
    node->planned = node->now;
    graph->nodes[graph->n_nodes++] = node;
    sf_map_put(graph->by_address, address, node);
    return node;
}

static struct sf_str name_of(struct sf_str address)
{
    size_t dot = sf_str_find(address, SF_STR("."));
    return dot == SIZE_MAX ? address : sf_str_slice(address, dot + 1, address.n);
}

static struct sf_str moved_to(const struct sf_graph *graph, struct sf_str kind, struct sf_str address)
{
    struct sf_str name = name_of(address);
    for (size_t i = 0; i < graph->stack->n_moved; i++)
        if (sf_str_eq(graph->stack->moved[i].from, name))
            return sf_str_fmt(graph->arena, "%.*s.%.*s", SF_ARG(kind), SF_ARG(graph->stack->moved[i].to));
    return address;
}

/* --- names of state, as `moved` has them now --- */

static struct sf_str renamed(const struct sf_graph *graph, struct sf_str address)
{
    size_t dot = sf_str_find(address, SF_STR("."));
    return dot == SIZE_MAX ? address : moved_to(graph, sf_str_slice(address, 0, dot), address);
}

/* References of a row or an intent: addresses, in lists and maps too. */
static const struct sf_value *renamed_in(const struct sf_graph *graph, const struct sf_value *v)
{
    if (!v || (v->type != SF_V_STRING && v->type != SF_V_LIST && v->type != SF_V_MAP))
        return v;
    if (v->type == SF_V_STRING)
        return sf_value_str(graph->arena, renamed(graph, v->s));
    if (v->type == SF_V_LIST) {
        const struct sf_value **items = SF_NEW_ARRAY(graph->arena, v->list.n, const struct sf_value *);
        for (size_t i = 0; i < v->list.n; i++)
            items[i] = renamed_in(graph, v->list.items[i]);
        return sf_value_list(graph->arena, items, v->list.n);
    }
    struct sf_value *map = sf_value_map(graph->arena);
    for (size_t i = 0; i < v->map.n; i++)
        sf_map_add(graph->arena, map, v->map.pairs[i].key, renamed_in(graph, v->map.pairs[i].value));
    return map;
}

static bool has_moves(const struct sf_graph *graph)
{
    return graph->stack->n_moved > 0 && !graph->options.is_destroy;
}

static const struct sf_recorded *renamed_row(const struct sf_graph *graph, const struct sf_recorded *row)
{
    if (!has_moves(graph))
        return row;
    struct sf_recorded *now = SF_NEW(graph->arena, struct sf_recorded);
    *now = *row;
    now->address = renamed(graph, row->address);
    now->container = renamed(graph, row->container);
    now->refs = renamed_in(graph, row->refs);
    now->deps = renamed_in(graph, row->deps);
    return now;
}

static const struct sf_open_intent *renamed_intent(const struct sf_graph *graph, const struct sf_open_intent *intent)
{
    if (!has_moves(graph))
        return intent;
    struct sf_open_intent *now = SF_NEW(graph->arena, struct sf_open_intent);
    *now = *intent;
    now->address = renamed(graph, intent->address);
    now->refs = renamed_in(graph, intent->refs);
    now->deps = renamed_in(graph, intent->deps);
    return now;
}

/* --- edges --- */

/* Adds `dep` unless it is there; mark is a scratch array holding the last node that listed each index. */
static void link_dep(struct sf_node ***list, size_t *n, struct sf_node *dep, size_t *mark, size_t stamp)
{
    if (mark[dep->index] == stamp)
        return;
    mark[dep->index] = stamp;
    (*list)[(*n)++] = dep;
}

static void link_addresses(struct sf_graph *graph, struct sf_node *node, const struct sf_value *addresses)
{
    size_t n = addresses && addresses->type == SF_V_LIST ? addresses->list.n : 0;
    node->recorded_deps = SF_NEW_ARRAY(graph->arena, n, struct sf_node *);
    for (size_t i = 0; i < n; i++) {
        struct sf_node *dep = sf_map_find(graph->by_address, addresses->list.items[i]->s);
        if (dep && dep != node)
            node->recorded_deps[node->n_recorded_deps++] = dep;
    }
}

static struct sf_node *container_by_config(struct sf_graph *graph, const struct sf_node *node)
{
    for (size_t i = 0; i < node->schema->n_attrs; i++) {
        const struct sf_attr *attr = &node->schema->attrs[i];
        const struct sf_value *raw = attr->is_inside ? sf_map_getz(node->resource->attrs, attr->name) : NULL;
        if (!raw || raw->type != SF_V_STRING)
            continue;
        const struct sf_resource *target = sf_map_find(graph->stack->by_name, raw->s);
        return target ? sf_map_find(graph->by_address, target->address) : NULL;
    }
    return NULL;
}

static enum sf_code no_such_address(struct sf_graph *graph, struct sf_str wanted, const char *flag, struct sf_err *err)
{
    struct sf_str best = SF_STR_NONE;
    size_t best_distance = SIZE_MAX;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        size_t distance = sf_str_distance(wanted, graph->nodes[i]->address);
        if (distance < best_distance) {
            best_distance = distance;
            best = graph->nodes[i]->address;
        }
    }
    sf_fail(err, SF_E_USAGE, "%s names '%.*s', which is not a resource of this stack", flag, SF_ARG(wanted));
    if (best.n)
        sf_hint(err, "did you mean '%.*s'?", SF_ARG(best));
    return SF_E_USAGE;
}

static struct sf_node *find_by_any_name(struct sf_graph *graph, struct sf_str wanted)
{
    struct sf_node *node = sf_map_find(graph->by_address, wanted);
    for (size_t i = 0; !node && i < graph->n_nodes; i++)
        if (sf_str_eq(graph->nodes[i]->name, wanted))
            node = graph->nodes[i];
    return node;
}

static void target_with_deps(struct sf_node *node)
{
    if (node->is_targeted)
        return;
    node->is_targeted = true;
    for (size_t i = 0; i < node->n_deps; i++)
        target_with_deps(node->deps[i]);
}

static void target_with_dependents(struct sf_graph *graph, struct sf_node *node)
{
    if (node->is_targeted)
        return;
    node->is_targeted = true;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i]->n_recorded_deps; j++)
            if (graph->nodes[i]->recorded_deps[j] == node)
                target_with_dependents(graph, graph->nodes[i]);
}

static enum sf_code mark_targets(struct sf_graph *graph, struct sf_err *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        graph->nodes[i]->is_targeted = graph->options.n_targets == 0;
    for (size_t i = 0; i < graph->options.n_targets; i++) {
        struct sf_node *node = find_by_any_name(graph, graph->options.targets[i]);
        if (!node)
            return no_such_address(graph, graph->options.targets[i], "-target", err);
        if (graph->options.is_destroy)
            target_with_dependents(graph, node);
        else
            target_with_deps(node);
    }
    for (size_t i = 0; i < graph->options.n_replaces; i++)
        if (!find_by_any_name(graph, graph->options.replaces[i]))
            return no_such_address(graph, graph->options.replaces[i], "-replace", err);
    return SF_OK;
}

static void link_nodes(struct sf_graph *graph)
{
    size_t *mark = SF_NEW_ARRAY(graph->arena, graph->n_nodes, size_t);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        struct sf_node *node = graph->nodes[i];
        const struct sf_value *recorded = node->recorded ? node->recorded->deps : node->intent ? node->intent->deps : NULL;
        link_addresses(graph, node, recorded);
        if (node->resource) {
            node->deps = SF_NEW_ARRAY(graph->arena, node->resource->n_deps, struct sf_node *);
            for (size_t j = 0; j < node->resource->n_deps; j++)
                link_dep(&node->deps, &node->n_deps, sf_map_find(graph->by_address, node->resource->deps[j]->address), mark, i + 1);
            node->container = container_by_config(graph, node);
        } else {
            node->deps = node->recorded_deps;
            node->n_deps = node->n_recorded_deps;
            if (node->recorded && node->recorded->container.n)
                node->container = sf_map_find(graph->by_address, node->recorded->container);
        }
    }
    size_t *count = SF_NEW_ARRAY(graph->arena, graph->n_nodes, size_t);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i]->n_deps; j++)
            count[graph->nodes[i]->deps[j]->index]++;
    for (size_t i = 0; i < graph->n_nodes; i++)
        graph->nodes[i]->dependents = SF_NEW_ARRAY(graph->arena, count[i], struct sf_node *);
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (size_t j = 0; j < graph->nodes[i]->n_deps; j++) {
            struct sf_node *dep = graph->nodes[i]->deps[j];
            dep->dependents[dep->n_dependents++] = graph->nodes[i];
        }
}

enum sf_code sf_graph_build(struct sf_graph *graph, const struct sf_recorded *recorded, size_t n_recorded,
                            const struct sf_open_intent *intents, size_t n_intents, struct sf_err *err)
{
    const struct sf_stack *stack = graph->stack;
    graph->nodes = SF_NEW_ARRAY(graph->arena, stack->n_resources + n_recorded + n_intents, struct sf_node *);
    graph->by_address = sf_map_new(graph->arena);
    for (size_t i = 0; !graph->options.is_destroy && i < stack->n_resources; i++) {
        const struct sf_resource *resource = &stack->resources[i];
        struct sf_node *node = add_node(graph, resource->address, sf_str_of(resource->schema->kind), resource->name);
        node->resource = resource;
        if (!node->driver || !node->schema)
            return sf_fail(err, SF_E_CONFIG, "kind '%s' does not exist in the world '%.*s' yet ('%.*s' needs it)",
                           resource->schema->kind, SF_ARG(graph->site->provider), SF_ARG(resource->address));
    }
    for (size_t i = 0; i < n_recorded; i++) {
        const struct sf_recorded *row = renamed_row(graph, &recorded[i]);
        struct sf_node *node = sf_map_find(graph->by_address, row->address);
        if (!node)
            node = add_node(graph, row->address, row->kind, name_of(row->address));
        const struct sf_recorded **slot = row->generation > 0 ? &node->deposed : &node->recorded;
        if (*slot) {
            sf_fail(err, SF_E_CONFIG, "'%.*s' is in state under its old and its new name", SF_ARG(row->address));
            sf_hint(err, "take it out of 'moved', apply, and what is there under the old name is destroyed");
            return SF_E_CONFIG;
        }
        *slot = row;
        if (!sf_str_eq(row->address, recorded[i].address))
            node->moved_from = recorded[i].address;
        if (!node->driver)
            return sf_fail(err, SF_E_STALE, "state records '%.*s', whose kind '%.*s' this program does not know",
                           SF_ARG(row->address), SF_ARG(row->kind));
    }
    for (size_t i = 0; i < n_intents; i++) {
        const struct sf_open_intent *intent = renamed_intent(graph, &intents[i]);
        struct sf_node *node = sf_map_find(graph->by_address, intent->address);
        if (!node)
            node = add_node(graph, intent->address, intent->kind, name_of(intent->address));
        node->intent = intent;
        if (!node->driver)
            return sf_fail(err, SF_E_STALE, "state records '%.*s', whose kind '%.*s' this program does not know",
                           SF_ARG(intent->address), SF_ARG(intent->kind));
    }
    link_nodes(graph);
    return mark_targets(graph, err);
}

/* See rights.h. Needs are gathered by resource first, then resources with the same actions share a statement. */
#include "engine/plan/rights.h"

#include "engine/core/map.h"

#include <stdio.h>
#include <stdlib.h>

struct gathering {
    const struct sf_graph *graph;
    struct sf_arena *arena;
    struct sf_value *by_resource; /* ARN -> map of actions (as keys) */
    struct sf_map *index;         /* ARN -> the same map of actions */
};

static int by_text(const void *a, const void *b)
{
    return sf_str_cmp((*(const struct sf_value *const *)a)->s, (*(const struct sf_value *const *)b)->s);
}

static const struct sf_value *sorted_keys(struct sf_arena *arena, const struct sf_value *map)
{
    const struct sf_value **items = SF_NEW_ARRAY(arena, map->map.n + 1, const struct sf_value *);
    for (size_t i = 0; i < map->map.n; i++)
        items[i] = sf_value_str(arena, map->map.pairs[i].key);
    qsort(items, map->map.n, sizeof(*items), by_text);
    return sf_value_list(arena, items, map->map.n);
}

/* "aws" from "arn:aws:iam::..." of the caller. */
static struct sf_str partition_of(struct sf_str caller)
{
    if (!sf_str_starts(caller, SF_STR("arn:")))
        return SF_STR("aws");
    struct sf_str rest = sf_str_slice(caller, 4, caller.n);
    return sf_str_slice(rest, 0, sf_str_find(rest, SF_STR(":")));
}

/* What {name} stands for; several for a list attribute. */
static const struct sf_value *values_of(struct gathering *g, const struct sf_node *node, struct sf_str name)
{
    const struct sf_site *site = g->graph->site;
    const struct sf_value *v = NULL;
    if (sf_str_is(name, "partition"))
        v = sf_value_str(g->arena, partition_of(site->caller));
    else if (sf_str_is(name, "account"))
        v = sf_value_str(g->arena, site->account);
    else if (sf_str_is(name, "region"))
        v = sf_value_str(g->arena, site->region);
    else if (sf_str_is(name, "id"))
        v = node->planned.id.n ? sf_value_str(g->arena, node->planned.id) : NULL;
    else
        v = sf_map_get(node->planned.attrs, name);
    if (v && v->type == SF_V_STRING && v->s.n)
        return v;
    return v && v->type == SF_V_LIST ? v : sf_value_str(g->arena, SF_STR("*"));
}

static void note(struct gathering *g, struct sf_str resource, const char *actions)
{
    struct sf_value *set = sf_map_find(g->index, resource);
    if (!set) {
        set = sf_value_map(g->arena);
        sf_map_put(g->index, resource, set);
        sf_map_add(g->arena, g->by_resource, resource, set);
    }
    struct sf_str rest = sf_str_of(actions);
    while (rest.n) {
        size_t end = sf_str_find(rest, SF_STR(" "));
        struct sf_str action = sf_str_slice(rest, 0, end);
        if (action.n)
            sf_map_set(g->arena, set, action, &sf_null_value);
        rest = end == SIZE_MAX ? SF_STR_NONE : sf_str_slice(rest, end + 1, rest.n);
    }
}

static bool is_left_out(const struct sf_node *node, struct sf_str name)
{
    const struct sf_value *v = sf_map_get(node->planned.attrs, name);
    return !v || v->type == SF_V_NULL || (v->type == SF_V_STRING && !v->s.n);
}

/* Fills the first {..} of the pattern with each of its values and goes on with the rest. */
static void fill(struct gathering *g, const struct sf_node *node, struct sf_str done, struct sf_str pattern, const char *actions)
{
    size_t open = sf_str_find(pattern, SF_STR("{")), end = sf_str_find(pattern, SF_STR("}"));
    if (open == SIZE_MAX || end == SIZE_MAX) {
        note(g, sf_str_fmt(g->arena, "%.*s%.*s", SF_ARG(done), SF_ARG(pattern)), actions);
        return;
    }
    struct sf_str name = sf_str_slice(pattern, open + 1, end);
    bool is_whole = !done.n && open == 0 && end + 1 == pattern.n;
    if (is_whole && is_left_out(node, name)) /* a role that is not handed over needs no right to do so */
        return;
    const struct sf_value *values = values_of(g, node, name);
    const struct sf_value *const *items = values->type == SF_V_LIST ? values->list.items : &values;
    size_t n = values->type == SF_V_LIST ? values->list.n : 1;
    for (size_t i = 0; i < n; i++) {
        struct sf_str text = items[i]->type == SF_V_STRING ? items[i]->s : SF_STR("*");
        struct sf_str so_far =
            sf_str_fmt(g->arena, "%.*s%.*s%.*s", SF_ARG(done), SF_ARG(sf_str_slice(pattern, 0, open)), SF_ARG(text));
        fill(g, node, so_far, sf_str_slice(pattern, end + 1, pattern.n), actions);
    }
}

/* Resources that need the same actions in one statement. */
static const struct sf_value *statements_of(struct gathering *g)
{
    size_t n_resources = g->by_resource->map.n, n = 0;
    const struct sf_value **statements = SF_NEW_ARRAY(g->arena, n_resources + 1, const struct sf_value *);
    struct sf_map *by_actions = sf_map_new(g->arena);
    for (size_t i = 0; i < n_resources; i++) {
        const struct sf_pair *pair = &g->by_resource->map.pairs[i];
        const struct sf_value *actions = sorted_keys(g->arena, pair->value);
        struct sf_str text = sf_json_text(g->arena, actions, SF_JSON_PLAIN);
        struct sf_value *statement = sf_map_find(by_actions, text);
        if (!statement) {
            statement = sf_value_map(g->arena);
            sf_map_set_str(g->arena, statement, "Effect", SF_STR("Allow"));
            sf_map_add(g->arena, statement, SF_STR("Action"), actions);
            sf_map_add(g->arena, statement, SF_STR("Resource"), sf_value_map(g->arena));
            sf_map_put(by_actions, text, statement);
            statements[n++] = statement;
        }
        sf_map_add(g->arena, (struct sf_value *)sf_map_getz(statement, "Resource"), pair->key, &sf_null_value);
    }
    for (size_t i = 0; i < n; i++) {
        struct sf_value *statement = (struct sf_value *)statements[i];
        sf_map_set(g->arena, statement, SF_STR("Resource"), sorted_keys(g->arena, sf_map_getz(statement, "Resource")));
    }
    return sf_value_list(g->arena, statements, n);
}

/* Takes a condition "{x=y}" off the pattern. Whether it holds. */
static bool take_condition(const struct sf_node *node, struct sf_str *pattern)
{
    size_t equals = sf_str_find(*pattern, SF_STR("=")), end = sf_str_find(*pattern, SF_STR("}"));
    if (!sf_str_starts(*pattern, SF_STR("{")) || end == SIZE_MAX || equals > end)
        return true;
    const struct sf_value *v = sf_map_get(node->planned.attrs, sf_str_slice(*pattern, 1, equals));
    bool holds = v && v->type == SF_V_STRING && sf_str_eq(v->s, sf_str_slice(*pattern, equals + 1, end));
    *pattern = sf_str_slice(*pattern, end + 1, pattern->n);
    return holds;
}

const struct sf_value *sf_graph_rights(const struct sf_graph *graph, struct sf_arena *arena, bool changed_only)
{
    struct gathering g = {.graph = graph, .arena = arena, .by_resource = sf_value_map(arena), .index = sf_map_new(arena)};
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const struct sf_node *node = graph->nodes[i];
        const struct sf_need *needs = node->driver ? node->driver->needs : NULL;
        bool has_callers = graph->site->caller.n > 0; /* a kind of every world needs rights where there are some */
        if (!node->resource || (changed_only && node->action == SF_NOOP) || (needs && !node->driver->world && !has_callers))
            continue;
        for (; needs && needs->actions; needs++) {
            struct sf_str pattern = sf_str_of(needs->resource);
            if (take_condition(node, &pattern))
                fill(&g, node, SF_STR_NONE, pattern, needs->actions);
        }
    }
    struct sf_value *policy = sf_value_map(arena);
    sf_map_set_str(arena, policy, "Version", SF_STR("2012-10-17"));
    sf_map_add(arena, policy, SF_STR("Statement"), statements_of(&g));
    return policy;
}

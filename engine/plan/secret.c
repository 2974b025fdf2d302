/* Secrets in a plan: what of them may be kept, and what follows when a run does not have them. See graph.h.
 *
 * The clear text of a secret from the environment, a file or a command is never kept. So a later run may lack it: what was recorded
 * then stands for it, by its fingerprint, as long as nothing needs the text itself. */
#include "engine/plan/graph.h"

const struct sf_value *sf_value_sealed(struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *v)
{
    if (!v || !sf_value_has_secret(v))
        return v;
    if (v->type == SF_V_STRING)
        return sf_value_fingerprint(arena, graph->fingerprint(graph->fingerprint_key, arena, v->s));
    if (v->type == SF_V_LIST) {
        const struct sf_value **items = SF_NEW_ARRAY(arena, v->list.n, const struct sf_value *);
        for (size_t i = 0; i < v->list.n; i++)
            items[i] = sf_value_sealed(graph, arena, v->list.items[i]);
        return sf_value_list(arena, items, v->list.n);
    }
    if (v->type == SF_V_MAP) {
        struct sf_value *copy = sf_value_map(arena);
        for (size_t i = 0; i < v->map.n; i++)
            sf_map_add(arena, copy, v->map.pairs[i].key, sf_value_sealed(graph, arena, v->map.pairs[i].value));
        return copy;
    }
    return v;
}

/* The secret variable that an unknown waits for, if this run was not given it; NULL otherwise. */
static const struct sf_variable *absent(const struct sf_graph *graph, const struct sf_value *v)
{
    if (v->type != SF_V_UNKNOWN || !sf_str_starts(v->s, SF_STR("var.")))
        return NULL;
    const struct sf_variable *variable = sf_map_find(graph->stack->variable_by_name, sf_str_slice(v->s, 4, v->s.n));
    bool is_absent = variable && variable->is_secret && !variable->generate_length;
    return is_absent && variable->value && variable->value->type == SF_V_UNKNOWN ? variable : NULL;
}

const struct sf_variable *sf_plan_absent_secret(const struct sf_graph *graph, const struct sf_value *v)
{
    const struct sf_variable *found = v ? absent(graph, v) : NULL;
    for (size_t i = 0; v && v->type == SF_V_LIST && i < v->list.n && !found; i++)
        found = sf_plan_absent_secret(graph, v->list.items[i]);
    for (size_t i = 0; v && v->type == SF_V_MAP && i < v->map.n && !found; i++)
        found = sf_plan_absent_secret(graph, v->map.pairs[i].value);
    return found;
}

const struct sf_value *sf_plan_fill_absent(const struct sf_graph *graph, struct sf_arena *arena, const struct sf_value *want,
                                           const struct sf_value *is)
{
    if (!is || !sf_plan_absent_secret(graph, want))
        return want;
    if (want->type == SF_V_UNKNOWN)
        return is->type == SF_V_FINGERPRINT ? is : want;
    if (want->type == SF_V_LIST && is->type == SF_V_LIST) {
        const struct sf_value **items = SF_NEW_ARRAY(arena, want->list.n, const struct sf_value *);
        for (size_t i = 0; i < want->list.n; i++)
            items[i] =
                i < is->list.n ? sf_plan_fill_absent(graph, arena, want->list.items[i], is->list.items[i]) : want->list.items[i];
        return sf_value_list(arena, items, want->list.n);
    }
    if (want->type == SF_V_MAP && is->type == SF_V_MAP) {
        struct sf_value *copy = sf_value_map(arena);
        for (size_t i = 0; i < want->map.n; i++) {
            const struct sf_pair *pair = &want->map.pairs[i];
            sf_map_add(arena, copy, pair->key, sf_plan_fill_absent(graph, arena, pair->value, sf_map_get(is, pair->key)));
        }
        return copy;
    }
    return want;
}
